/* SPDX-License-Identifier: ISC */
/*
 * hkdf.h - many keys from one secret (RFC 5869, HMAC-SHA256)
 *
 * age and Noise both derive their keys with it; libsodium has it only from
 * 1.0.19 on, so here it is in terms of libsodium's HMAC.
 *
 * Writes n bytes to `out`, which must not overlap the spans. n is a constant of
 * the caller's, never a peer's, and at most HKDF_SHA256_MAX: more is a mistake
 * in the program and stops it. Empty spans are fine, also with p == NULL.
 * Nothing is allocated; what it leaves on the stack is wiped.
 */
#ifndef TOCSIN_CRYPTO_HKDF_H
#define TOCSIN_CRYPTO_HKDF_H

#include "crypto/wire.h"

#define HKDF_SHA256_MAX (255 * (size_t)32)

void hkdf_sha256(uint8_t *out, size_t n, struct span ikm, struct span salt,
    struct span info);

/* HMAC-SHA256 with a key of any length, for those who need the bare thing. */
void hmac_sha256(
    uint8_t out[static 32], struct span key, struct span a, struct span b);

#endif
