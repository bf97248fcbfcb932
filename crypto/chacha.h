/* SPDX-License-Identifier: ISC */
/*
 * chacha.h - libsodium's ChaCha20-Poly1305, with wider vectors
 *
 * Every byte of a replay is encrypted by the broker and decrypted by the
 * reader. libsodium's ChaCha20 makes eight blocks at a time; processors with
 * AVX-512 make sixteen in little more time than that. So the middle of a long
 * message, whole kilobytes of it, is done here where that is possible.
 * Poly1305, the ends and everything else stay libsodium's; the result is that
 * of crypto_aead_chacha20poly1305_ietf_encrypt() and _decrypt() (RFC 8439 2.8).
 *
 * No branch and no address depends on key or text.
 */
#ifndef TOCSIN_CRYPTO_CHACHA_H
#define TOCSIN_CRYPTO_CHACHA_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#define CHACHA_KEY 32
#define CHACHA_NONCE 12
#define CHACHA_TAG 16

/* plain.n + CHACHA_TAG bytes to `out`, which overlaps none of the others. */
void chacha_seal(uint8_t *out, struct span plain, struct span ad,
    const uint8_t nonce[CHACHA_NONCE], const uint8_t key[CHACHA_KEY]);

/*
 * sealed.n - CHACHA_TAG bytes to `out`, or EBADSIGNATURE and none. `sealed`
 * holds a tag at least.
 */
MUST_USE enum tocsin_err chacha_open(uint8_t *out, struct span sealed,
    struct span ad, const uint8_t nonce[CHACHA_NONCE],
    const uint8_t key[CHACHA_KEY]);

#endif
