/* SPDX-License-Identifier: ISC */
#include "crypto/bech32.h"
#include "tests/lib/tap.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HRP_SK "AGE-SECRET-KEY-"

/* The example of age's specification: 0x42 32 times. */
static const char identity[] =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZ"
    "GFPYYSJZGFPYYSJZGFPQ4EGAEX";

static enum tocsin_err
decode(const char *hrp, const char *text, size_t n)
{
	uint8_t *copy = xcopy(text, n);
	struct buf b = { 0 };
	enum tocsin_err err = bech32_decode(&b, hrp, (struct span){ copy, n });

	free(copy);
	buf_release(&b);
	return err;
}

static void
test_example(void)
{
	struct buf b = { 0 }, again = { 0 };
	size_t i;

	is_int(bech32_decode(&b, HRP_SK, span_of(identity)), TOCSIN_OK,
	    "the specification's identity decodes");
	for (i = 0; i < b.n && b.p[i] == 0x42; i++)
		continue;
	ok(b.n == 32 && i == 32, "to what it was made of");
	bech32_encode(&again, HRP_SK, buf_span(&b));
	ok(span_is(buf_span(&again), identity), "and encodes to itself");
	buf_release(&b);
	buf_release(&again);
}

static void
test_case(void)
{
	char text[sizeof(identity)];
	size_t i, taken = 0;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)tolower((unsigned char)identity[i]);
	is_int(decode("age-secret-key-", text, strlen(text)), TOCSIN_OK,
	    "the same in lower case is right where that is asked for");
	is_int(decode(HRP_SK, text, strlen(text)), TOCSIN_EMALFORMED,
	    "and wrong where it is not");
	for (i = 0; i < strlen(text); i++) {
		memcpy(text, identity, sizeof(text));
		text[i] = (char)tolower((unsigned char)text[i]);
		if (text[i] != identity[i] &&
		    decode(HRP_SK, text, strlen(text)) == TOCSIN_OK)
			taken++;
	}
	is_int((long long)taken, 0, "mixed case is refused, wherever it is");
}

static void
test_damage(void)
{
	size_t n = strlen(identity), cut, i, taken = 0;
	char text[sizeof(identity)];
	int c;

	for (cut = 0; cut < n; cut++)
		if (decode(HRP_SK, identity, cut) != TOCSIN_EMALFORMED)
			break;
	ok(cut == n, "every proper prefix is refused (got to %zu)", cut);
	for (i = 0; i < n; i++)
		for (c = 0; c < 256; c++) {
			memcpy(text, identity, sizeof(text));
			text[i] = (char)c;
			if (text[i] != identity[i] &&
			    decode(HRP_SK, text, n) == TOCSIN_OK)
				taken++;
		}
	is_int((long long)taken, 0, "so is every change of one character");
}

/* Good checksums over what no encoder writes; and over no data at all. */
static void
test_padding(void)
{
	is_int(
	    decode("a", "a12uel5l", 8), TOCSIN_OK, "BIP 173: no data is data");
	is_int(decode("age", "age1", 4), TOCSIN_EMALFORMED,
	    "without a checksum it is not");
	is_int(decode("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		   45),
	    TOCSIN_OK, "BIP 173: all characters, a whole number of bytes");
	is_int(decode("age", "age1pypwtrqg", 12), TOCSIN_OK,
	    "one byte, two bits over, both zero");
	is_int(decode("age", "age1p9uclka6", 12), TOCSIN_EMALFORMED,
	    "one byte, two bits over that say something");
	is_int(decode("age", "age1qdd35qf", 11), TOCSIN_EMALFORMED,
	    "a whole character over");
}

static void
test_lengths(void)
{
	uint8_t data[100];
	size_t n, good = 0;

	memset(data, 0xa5, sizeof(data));
	for (n = 0; n <= sizeof(data); n++) {
		struct buf text = { 0 }, back = { 0 };

		bech32_encode(&text, "age", (struct span){ data, n });
		if (bech32_decode(&back, "age", buf_span(&text)) == TOCSIN_OK &&
		    back.n == n && (n == 0 || memcmp(back.p, data, n) == 0))
			good++;
		buf_release(&text);
		buf_release(&back);
	}
	is_int((long long)good, 101, "0 to 100 bytes come back");
}

int
main(void)
{
	test_example();
	test_case();
	test_damage();
	test_padding();
	test_lengths();
	return tap_done();
}
