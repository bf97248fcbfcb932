/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/frame.h"

static const uint8_t key[32] = { 1 };

/* Whatever parses, writing it again gives the same bytes. */
static void
parse(struct span all)
{
	struct buf again = { 0 }, plain = { 0 };
	uint32_t retry;
	struct frame f;

	if (frame_parse(&f, all) != TOCSIN_OK)
		return;
	frame_put(&again, (enum frame_type)f.type, f.session, f.nonce, f.msg);
	MUST(span_eq(buf_span(&again), all));
	if (f.type == FRAME_ERROR)
		MUST(frame_error(&f, &retry) != TOCSIN_OK);
	if (frame_open(&plain, &f, key) == TOCSIN_OK) {
		buf_cut(&again, 0);
		MUST(frame_seal(&again, f.session, f.nonce, key,
			 buf_span(&plain)) == TOCSIN_OK);
		MUST(span_eq(buf_span(&again), all));
	} else
		MUST(plain.n == 0);
	buf_release(&again);
	buf_release(&plain);
}

/* And whatever is sealed parses and opens. */
static void
seal(struct span plain)
{
	static const uint8_t session[FRAME_SESSION] = { 2 };
	struct buf b = { 0 }, got = { 0 };
	struct frame f;

	if (frame_seal(&b, session, plain.n, key, plain) == TOCSIN_OK) {
		MUST(frame_parse(&f, buf_span(&b)) == TOCSIN_OK);
		MUST(frame_open(&got, &f, key) == TOCSIN_OK);
		MUST(span_eq(buf_span(&got), plain));
	}
	buf_release(&b);
	buf_release(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };

	parse(all);
	seal(all);
	return 0;
}
