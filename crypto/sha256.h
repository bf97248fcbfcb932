/* SPDX-License-Identifier: ISC */
/*
 * sha256.h - libsodium's SHA-256, with the processor's own instructions
 *
 * Debian's libsodium computes SHA-256 in plain C: a third of a gigabyte a
 * second. Nearly every processor has instructions for it that are four times as
 * fast, and a broker hashes every body that it takes. So whole blocks are done
 * here where that is possible; state, padding and everything else stay
 * libsodium's, and a state begun with one may go on with the other.
 *
 *	crypto_hash_sha256_init, sha256_update ..., crypto_hash_sha256_final
 */
#ifndef TOCSIN_CRYPTO_SHA256_H
#define TOCSIN_CRYPTO_SHA256_H

#include "crypto/wire.h"

#include <sodium.h>

void sha256_update(crypto_hash_sha256_state *st, struct span bytes);

void sha256(uint8_t out[crypto_hash_sha256_BYTES], struct span bytes);

#endif
