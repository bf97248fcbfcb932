/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/part.h"
#include "crypto/sha256.h"

static const uint8_t sk[32] = { 8 };

/* Feeds `step` bytes at a time; what is refused hands out nothing more. */
static enum tocsin_err
feed(struct part_opener *o, struct buf *plain, struct span file, size_t step)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t at, before = 0;

	for (at = 0; at < file.n && err == TOCSIN_OK; at += step) {
		before = plain->n;
		err = part_opener_feed(o, plain, span_cut(file, at, step));
	}
	MUST(err == TOCSIN_OK || plain->n == before);
	return err;
}

/*
 * The first two bytes are the size of the attachment, the third how the file,
 * which is the rest, is cut. In one piece and in many it is judged alike.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rd r = rd_init((struct span){ data, n });
	static struct part_opener one, many;
	struct buf whole = { 0 }, pieces = { 0 };
	struct ticket_part part;
	uint64_t size = rd_u16(&r);
	size_t step = (size_t)rd_u8(&r) * 16 + 1;
	enum tocsin_err err;

	part.size = part_size(size);
	r.rest = span_cut(r.rest, 0, part.size); /* more is refused at once */
	sha256(part.hash, r.rest);
	MUST(part_opener_begin(&one, &part, sk, size) == TOCSIN_OK);
	MUST(part_opener_begin(&many, &part, sk, size) == TOCSIN_OK);
	err = feed(&one, &whole, r.rest, r.rest.n > 0 ? r.rest.n : 1);
	MUST(feed(&many, &pieces, r.rest, step) == err);
	MUST(part_opener_done(&one) == part_opener_done(&many));
	MUST(!part_opener_done(&one) ||
	     (whole.n == size && span_eq(buf_span(&whole), buf_span(&pieces))));
	part_opener_release(&one);
	part_opener_release(&many);
	buf_release(&whole);
	buf_release(&pieces);
	return 0;
}
