/* SPDX-License-Identifier: ISC */
#include "broker/check.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define N 5000

/* Made by another implementation, xxHash 0.8.1. */
static const struct {
	size_t n;
	uint64_t seed;
	uint64_t hash;
} known[] = {
	{ 0, 0, 0xef46db3751d8e999 },
	{ 0, 0x0123456789abcdef, 0x51e24c0e9077a48c },
	{ 1, 0, 0xe934a84adb052768 },
	{ 3, 0x0123456789abcdef, 0x9c8e7aef68bf0a08 },
	{ 12, 0, 0xfb41c9031996f3e9 },
	{ 31, 0, 0xbdb87f28fde1ec91 },
	{ 32, 0, 0x70e7f6563e61b260 },
	{ 63, 0x0123456789abcdef, 0x952fc80c076ada11 },
	{ 4729, 0, 0x872a2a6c82397b35 },
	{ 4729, 0x0123456789abcdef, 0xf28b97f883f6bbd6 },
};

/* Of n bytes in a block of their own, so that a sanitizer sees one too many. */
static uint64_t
of(const uint8_t *bytes, size_t n, uint64_t seed)
{
	uint8_t *copy = xcopy(bytes, n);
	uint64_t h = check_xxh64((struct span){ copy, n }, seed);

	free(copy);
	return h;
}

static unsigned
flips_missed(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = xcopy(bytes, n);
	uint64_t was = of(bytes, n, 0);
	unsigned missed = 0;
	size_t bit;

	for (bit = 0; bit < 8 * n; bit++) {
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		missed += check_xxh64((struct span){ copy, n }, 0) == was;
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(copy);
	return missed;
}

int
main(void)
{
	uint8_t bytes[N];
	uint64_t chain = 0;
	size_t i, wrong = 0;

	for (i = 0; i < N; i++)
		bytes[i] = (uint8_t)(i * i * 7 + i);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		wrong += of(bytes, known[i].n, known[i].seed) != known[i].hash;
	is_int((long long)wrong, 0, "known values come out");
	for (i = 0; i <= N; i++)
		chain = of(bytes, i, chain);
	ok(chain == 0xca43e00f343fe09f, "and for every length up to %d", N);
	is_int((long long)flips_missed(bytes, 1100), 0,
	    "no flip of one bit is missed");
	return tap_done();
}
