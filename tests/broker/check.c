/* SPDX-License-Identifier: ISC */
/* What the store writes beside records and parts, so that damage is seen. */
#include "broker/store_impl.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define N 5000

/*
 * XXH64 of the bytes, with that of the name for a seed. Made by an
 * implementation that is not the library's: a store that one build wrote must
 * be whole to the next.
 */
static const struct {
	const char *name;
	size_t n;
	uint64_t check;
} known[] = {
	{ "", 0, 0xa258d6ec1fb5d95c },
	{ "", 1, 0xe41d0064d52cd996 },
	{ "", 3, 0x8fc67f7c495980c0 },
	{ "", 12, 0x45a91feb90161b1a },
	{ "", 31, 0x4e63f577a4ed1545 },
	{ "", 63, 0x4b80d36d9ccfa430 },
	{ "", 4729, 0x2c64b3c80c7ebb81 },
	{ "record", 0, 0xfafbfdf6283d1674 },
	{ "record", 31, 0xeeb69b52d0d9cde8 },
	{ "record", 32, 0x4dddaa65c872ef2f },
	{ "record", 4729, 0xa404a41e57dc1ac7 },
};

/* Of n bytes in a block of their own, so that a sanitizer sees one too many. */
static uint64_t
of(struct span name, const uint8_t *bytes, size_t n)
{
	uint8_t *copy = xcopy(bytes, n);
	uint8_t check[CHECK_LEN];
	uint64_t h;

	bytes_check(check, name, (struct span){ copy, n });
	memcpy(&h, check, sizeof(h));
	free(copy);
	return h;
}

static unsigned
flips_missed(const uint8_t *bytes, size_t n)
{
	struct span name = span_of("record");
	uint8_t *copy = xcopy(bytes, n);
	uint64_t was = of(name, bytes, n);
	unsigned missed = 0;
	size_t bit;

	for (bit = 0; bit < 8 * n; bit++) {
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		missed += of(name, copy, n) == was;
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
		wrong += of(span_of(known[i].name), bytes, known[i].n) !=
			 known[i].check;
	is_int((long long)wrong, 0, "known values come out");
	for (i = 0; i <= N; i++)
		chain = of((struct span){ (uint8_t *)&chain, sizeof(chain) },
		    bytes, i);
	ok(chain == 0x2ab885d6d7425617, "and for every length up to %d", N);
	is_int((long long)flips_missed(bytes, 1100), 0,
	    "no flip of one bit is missed");
	return tap_done();
}
