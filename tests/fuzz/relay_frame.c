/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/relay_frame.h"

static const uint8_t key[32] = { 1 };

static void
open_frame(struct span all)
{
	struct buf plain = { 0 }, again = { 0 };
	struct relay_piece p;
	struct relay_frame f;

	if (relay_frame_parse(&f, all) != TOCSIN_OK)
		return;
	if (relay_frame_open(&p, &plain, &f, key) == TOCSIN_OK) {
		MUST(relay_frame_seal(&again, f.link, f.counter, key, &p) ==
		     TOCSIN_OK);
		MUST(span_eq(buf_span(&again), all));
	} else
		MUST(plain.n == 0);
	buf_release(&plain);
	buf_release(&again);
}

/* The plaintext, as a peer with the key may write it. */
static void
open_piece(struct span all)
{
	static const uint8_t link_id[RELAY_LINK] = { 2 };
	struct buf again = { 0 }, sealed = { 0 }, plain = { 0 };
	struct relay_piece p, q;
	struct relay_frame f;

	if (relay_piece_parse(&p, all) != TOCSIN_OK)
		return;
	relay_piece_put(&again, &p);
	MUST(span_eq(buf_span(&again), all));
	MUST(relay_frame_seal(&sealed, link_id, p.item, key, &p) == TOCSIN_OK ||
	     p.item == UINT64_MAX);
	if (sealed.n > 0) {
		MUST(relay_frame_parse(&f, buf_span(&sealed)) == TOCSIN_OK);
		MUST(relay_frame_open(&q, &plain, &f, key) == TOCSIN_OK);
		MUST(span_eq(buf_span(&plain), all));
	}
	buf_release(&again);
	buf_release(&sealed);
	buf_release(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };

	open_frame(all);
	open_piece(all);
	return 0;
}
