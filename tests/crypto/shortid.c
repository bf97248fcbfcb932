/* SPDX-License-Identifier: ISC */
#include "crypto/shortid.h"
#include "tests/lib/tap.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t id[ID_LEN] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54,
	0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6, 0x75, 0xbe, 0x77,
	0xdf, 0x80 };

static bool
fits(const char *typed, const uint8_t *which)
{
	struct id_prefix p;

	return shortid_parse(&p, span_of(typed)) == TOCSIN_OK &&
	       shortid_fits(&p, which);
}

static void
test_print(void)
{
	/* 00443214c74254b6... counts 0, 1, 2, ... in groups of five bits. */
	char s[SHORTID_TEXT + 1];

	shortid_print(s, id);
	is_str(s, "0123-4567-89ab", "the alphabet is Crockford's, in order");
	ok(fits("0123456789abcdefghjkmnpqrstvwxyz", id),
	    "all 32 characters, to the last");
	ok(fits(s, id), "what is printed fits");
	ok(fits("0123456789abcdefghjkmnpqrstvwxyzg000000000000000000", id) &&
		!fits(
		    "0123456789abcdefghjkmnpqrstvwxyzg000000000000000001", id),
	    "so do 51 characters, all but the last bit");
}

static void
test_typed(void)
{
	ok(fits("0123", id), "four characters are enough");
	ok(fits("0123-4567-89AB", id), "any case");
	ok(fits("  012 3456--789ab ", id), "spaces and - anywhere");
	ok(fits("oI23", id) && fits("OL23", id) && fits("0i23", id),
	    "o is 0, i and l are 1");
	ok(!fits("0124", id) && !fits("1123", id) &&
		!fits("0123-4567-89ac", id),
	    "one character off does not fit");
}

static void
test_refused(void)
{
	static const char *const bad[] = { "", "012", "-", "0-1-2-", "012u",
		"012_", "012\n", "0123\x80", "01234=",
		"0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk" };
	struct id_prefix p = { .nbits = 99 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = strlen(bad[i]);
		uint8_t *copy = xcopy(bad[i], n);

		is_int(shortid_parse(&p, (struct span){ copy, n }),
		    TOCSIN_EUSAGE, "refused: %zu", i);
		free(copy);
	}
	is_int(shortid_parse(&p, (struct span){ (const uint8_t *)"01\0\0", 4 }),
	    TOCSIN_EUSAGE, "a NUL is no character");
	ok(p.nbits == 99, "a refusal changes nothing");
}

/* Each bit of a prefix counts, and none after it. */
static void
test_bits(void)
{
	uint8_t other[ID_LEN];
	struct id_prefix p;
	bool good = true;
	unsigned bit;

	is_int(shortid_parse(&p, span_of("0123456")), TOCSIN_OK,
	    "seven characters");
	is_int(p.nbits, 35, "are 35 bits");
	for (bit = 0; bit < 256; bit++) {
		memcpy(other, id, ID_LEN);
		other[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		good = good && shortid_fits(&p, other) == (bit >= 35);
	}
	ok(good, "each of them counts, and no other");
	ok(memcmp(p.bits, other, 4) == 0 && (p.bits[4] & 0x1f) == 0 &&
		p.bits[5] == 0,
	    "the rest is zero: the lowest id that fits");
}

int
main(void)
{
	test_print();
	test_typed();
	test_refused();
	test_bits();
	return tap_done();
}
