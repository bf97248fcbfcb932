/* SPDX-License-Identifier: ISC */
/*
 * bech32.h - bytes as words that survive paper and telephone
 *
 * The checksummed text form of age's recipients and identities (BIP 173,
 * without its limit of 90 characters). `hrp` is the part before the last "1" as
 * it must be written, all lower or all upper case; it sets the case of the
 * whole: "age" gives age1..., "AGE-SECRET-KEY-" gives AGE-SECRET-KEY-1...
 *
 * One encoding per value: the decoder takes the case of `hrp` only, and refuses
 * padding bits that are not zero. It allocates no more than the text is long,
 * in `out`; the caller bounds the text. A secret goes to a buffer, which wipes.
 */
#ifndef TOCSIN_CRYPTO_BECH32_H
#define TOCSIN_CRYPTO_BECH32_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

void bech32_encode(struct buf *out, const char *hrp, struct span data);

/* malformed, with nothing appended; or internal, that is memory. */
MUST_USE enum tocsin_err bech32_decode(
    struct buf *out, const char *hrp, struct span text);

#endif
