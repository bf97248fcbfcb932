/* SPDX-License-Identifier: ISC */
#include "crypto/buf.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static void
test_read(void)
{
	static const uint8_t bytes[] = { 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0,
		0, 4, 'a', 'b' };
	size_t cut, n;

	for (cut = 0; cut <= sizeof(bytes); cut++) {
		uint8_t *copy = xcopy(bytes, cut);
		struct rd r = rd_init((struct span){ copy, cut });
		bool good;

		good = rd_u8(&r) == 1 && rd_u16(&r) == 2 && rd_u32(&r) == 3 &&
		       rd_u64(&r) == 4 && span_is(rd_span(&r, 2), "ab");
		n = rd_done(&r);
		free(copy);
		if (n != (cut == sizeof(bytes)) || good != (bool)n)
			break;
	}
	ok(cut == sizeof(bytes) + 1, "only the whole is whole (got to %zu)",
	    cut);
}

static void
test_sticky(void)
{
	struct rd r = rd_init(span_of("abc"));
	uint8_t out[4];

	rd_copy(&r, out, 4);
	ok(r.bad && memcmp(out, "\0\0\0\0", 4) == 0,
	    "a copy past the end gives zeros");
	ok(rd_u8(&r) == 0 && rd_rest(&r).n == 0,
	    "a bad cursor yields nothing more");
	r = rd_init(span_of("abc"));
	rd_span(&r, SIZE_MAX);
	ok(r.bad, "a length that would wrap is refused");
}

static void
test_lines(void)
{
	struct rd r = rd_init(span_of("a\r\n\nb"));

	ok(span_is(rd_line(&r), "a\r") && span_is(rd_line(&r), "") && !r.bad,
	    "a line is what stands before LF");
	ok(rd_line(&r).n == 0 && r.bad, "without LF it is none");
	r = rd_init(span_of("a\r\n\nb\r"));
	ok(span_is(rd_text_line(&r), "a") && span_is(rd_text_line(&r), "") &&
		span_is(rd_text_line(&r), "b\r") && rd_done(&r),
	    "a line of text ends with LF, CRLF or the end");
	ok(rd_text_line(&r).n == 0 && !r.bad, "and after that it is empty");
}

static void
test_buf(void)
{
	struct buf b = { .max = 20 };

	buf_u8(&b, 1);
	buf_u16(&b, 2);
	buf_u32(&b, 3);
	buf_u64(&b, 4);
	buf_addf(&b, "%s", "ab");
	ok(buf_ok(&b) && b.n == 17, "fields are added in order");
	buf_addz(&b, "four");
	ok(!buf_ok(&b) && b.n == 17, "past the limit nothing is added");
	buf_u8(&b, 1);
	ok(b.n == 17, "and the failure stays");
	buf_release(&b);
	buf_base64(&b, span_of("ab"));
	ok(span_is(buf_span(&b), "YWI="), "base64 is padded");
	buf_release(&b);
}

int
main(void)
{
	test_read();
	test_sticky();
	test_lines();
	test_buf();
	return tap_done();
}
