/* SPDX-License-Identifier: ISC */
#include "crypto/padding.h"
#include "tests/lib/tap.h"

static void
test_values(void)
{
	static const struct {
		uint64_t n, floor, want;
	} rows[] = {
		{ 0, 0, 0 },
		{ 1, 0, 512 },
		{ 1, 4096, 4096 },
		{ 4096, 4096, 4096 },
		{ 4097, 4096, 4608 }, /* Padme says 4352, then whole blocks */
		{ 9000, 4096, 9216 }, /* 14 bits, 5 kept: steps of 512 */
		{ 70000, 0, 71680 },  /* 17 bits, 6 kept: steps of 2048 */
		{ 1000000, 0, 1015808 },
		{ 8388609, 0, 8650752 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int((long long)padme(rows[i].n, rows[i].floor),
		    (long long)rows[i].want, "%llu bytes, at least %llu",
		    (unsigned long long)rows[i].n,
		    (unsigned long long)rows[i].floor);
}

static void
test_properties(void)
{
	uint64_t n, p, last = 0;
	bool grows = true, fits = true, blocks = true, small = true;

	for (n = 4096; n < (uint64_t)1 << 26; n += 61) {
		p = padme(n, 4096);
		grows = grows && p >= last;
		fits = fits && p >= n;
		blocks = blocks && p % PADDING_BLOCK == 0;
		small = small && (n < 8192 || (p - n) * 100 <= n * 12);
		last = p;
	}
	ok(fits, "nothing is made shorter");
	ok(grows, "a longer text is never padded to less");
	ok(blocks, "it is always whole blocks");
	ok(small, "from 8 KiB on at most 12 %% are added");
}

static void
test_limits(void)
{
	ok(padme(UINT64_MAX, 0) == UINT64_MAX, "too much stays too much");
	ok(padme((uint64_t)1 << 63, 0) == (uint64_t)1 << 63,
	    "the largest power of two is itself");
}

int
main(void)
{
	test_values();
	test_properties();
	test_limits();
	return tap_done();
}
