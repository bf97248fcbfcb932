/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/age.h"

#include <sodium.h>
#include <string.h>

#define SEALED (AGE_CHUNK + AGE_OVERHEAD)

static uint8_t sk[AGE_KEY]; /* the specification's example: 0x42 32 times */
static uint8_t pk[AGE_KEY];

static enum tocsin_err
open_stream(struct buf *plain, struct span file, size_t header)
{
	struct age_opener o;
	enum tocsin_err err;
	size_t at = header;

	err = age_opener_begin(&o, span_cut(file, 0, header), sk, NULL);
	while (err == TOCSIN_OK && !age_opener_done(&o)) {
		err = age_opener_chunk(&o, plain, span_cut(file, at, SEALED),
		    file.n - at <= SEALED);
		at += SEALED;
	}
	age_opener_release(&o);
	return err;
}

/* As a whole and as a stream, a file opens to the same, or not at all. */
static void
fuzz_open(struct span file)
{
	struct buf whole = { 0 }, stream = { 0 };
	struct age_rules rules = { .hint = 1, .exact_stanzas = 2 };
	enum tocsin_err err, streamed = TOCSIN_EMALFORMED;
	size_t header;

	err = age_open(&whole, file, sk, NULL);
	MUST(err == TOCSIN_OK || whole.n == 0);
	MUST(err != TOCSIN_OK || age_check(file, NULL) == TOCSIN_OK);
	MUST(age_check(file, &rules) != TOCSIN_OK ||
	     age_check(file, NULL) == TOCSIN_OK);
	if (age_header_size(file, &header) == TOCSIN_OK && header > 0 &&
	    header <= file.n)
		streamed = open_stream(&stream, file, header);
	MUST((err == TOCSIN_OK) == (streamed == TOCSIN_OK));
	MUST(err != TOCSIN_OK || span_eq(buf_span(&whole), buf_span(&stream)));
	buf_release(&whole);
	buf_release(&stream);
}

/* A header's size does not depend on what follows it. */
static void
fuzz_header_size(struct span file)
{
	size_t n, again;

	if (age_header_size(file, &n) != TOCSIN_OK || n == 0 || n > file.n)
		return;
	MUST(age_header_size(span_cut(file, 0, n), &again) == TOCSIN_OK);
	MUST(again == n);
	MUST(age_header_size(span_cut(file, 0, n - AGE_NONCE - 1), &again) ==
		 TOCSIN_OK &&
	     again == 0);
}

/* Its keys are random, so that each of them is new: for one input in 64. */
static void
fuzz_round(struct span plain)
{
	struct buf file = { 0 }, back = { 0 };
	struct age_rules rules = { .exact_stanzas = 1 };

	if (plain.n > 0 && plain.p[plain.n - 1] % 64 != 0)
		return;
	MUST(age_seal(&file, (const uint8_t(*)[AGE_KEY])pk, 1, plain) ==
	     TOCSIN_OK);
	MUST(file.n == age_sealed_size(plain.n, 1));
	MUST(age_open(&back, buf_span(&file), sk, &rules) == TOCSIN_OK);
	MUST(span_eq(buf_span(&back), plain));
	buf_release(&file);
	buf_release(&back);
}

static void
fuzz_identities(struct span text)
{
	uint8_t keys[3][AGE_KEY];
	char again[AGE_IDENTITY_TEXT + 1];
	size_t n;

	if (age_identity_file(keys, 3, &n, text) == TOCSIN_OK)
		MUST(n > 0 && n <= 3);
	else
		MUST(n == 0);
	if (age_identity_parse(keys[0], text) == TOCSIN_OK) {
		age_identity_print(again, keys[0]);
		MUST(span_is(text, again));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = { data, n };

	if (sk[0] == 0) {
		MUST(sodium_init() >= 0);
		memset(sk, 0x42, sizeof(sk));
		age_public(pk, sk);
	}
	fuzz_open(s);
	fuzz_header_size(s);
	fuzz_identities(s);
	fuzz_round(s);
	return 0;
}
