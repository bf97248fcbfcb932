/* SPDX-License-Identifier: ISC */
#include "crypto/padding.h"

/* Floor of the logarithm to base 2; n > 0. */
static unsigned
log2_floor(uint64_t n)
{
	unsigned e = 0;

	while (n >>= 1)
		e++;
	return e;
}

/* Round up to a multiple of m, a power of 2; UINT64_MAX if that is too much. */
static uint64_t
round_up(uint64_t n, uint64_t m)
{
	if (n > UINT64_MAX - (m - 1))
		return UINT64_MAX;
	return (n + (m - 1)) & ~(m - 1);
}

uint64_t
padme(uint64_t n, uint64_t floor)
{
	unsigned e, s;

	if (n < floor)
		n = floor;
	if (n < 2)
		return n * PADDING_BLOCK;
	e = log2_floor(n);
	s = log2_floor(e) + 1; /* bits of the mantissa that stay */
	if (s < e)
		n = round_up(n, (uint64_t)1 << (e - s));
	return round_up(n, PADDING_BLOCK);
}
