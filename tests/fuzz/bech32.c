/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/bech32.h"

static void
decode(const char *hrp, struct span text)
{
	struct buf bytes = { 0 }, again = { 0 };

	if (bech32_decode(&bytes, hrp, text) == TOCSIN_OK) {
		bech32_encode(&again, hrp, buf_span(&bytes));
		MUST(span_eq(buf_span(&again), text));
	} else
		MUST(bytes.n == 0);
	buf_release(&bytes);
	buf_release(&again);
}

static void
encode(const char *hrp, struct span data)
{
	struct buf text = { 0 }, again = { 0 };

	bech32_encode(&text, hrp, data);
	MUST(bech32_decode(&again, hrp, buf_span(&text)) == TOCSIN_OK);
	MUST(span_eq(buf_span(&again), data));
	buf_release(&text);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = { data, n };

	decode("age", s);
	decode("AGE-SECRET-KEY-", s);
	encode(n % 2 ? "age" : "AGE-SECRET-KEY-", s);
	return 0;
}
