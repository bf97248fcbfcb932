/* SPDX-License-Identifier: ISC */
/*
 * padding.h - how long a plaintext is made, so that its size says little
 *
 * Padme (Nikitin and others, PETS 2019): keep only the leading bits of the
 * length, about as many as its logarithm has, and round up. At most 12 % is
 * added, and n bytes of range have O(log log n) bits of size left to tell.
 */
#ifndef TOCSIN_CRYPTO_PADDING_H
#define TOCSIN_CRYPTO_PADDING_H

#include <stdint.h>

#define PADDING_BLOCK 512 /* ustar's, so that padding is whole blocks */

/*
 * The padded size of n bytes: at least n and `floor`, a multiple of 512, and
 * the same for all lengths near n. It never falls when n grows.
 * UINT64_MAX if there is no such number, which no allocation takes for a size.
 */
uint64_t padme(uint64_t n, uint64_t floor);

#endif
