/* SPDX-License-Identifier: ISC */
#include "broker/item.h"
#include "tests/lib/tap.h"

#include <stdlib.h>

static struct span note, body;

/* The item in pieces of n bytes, as a sender would take them. */
static void
cut_up(struct buf *out, struct span head, size_t n)
{
	uint64_t total = head.n + body.n, at = 0;

	while (at < total) {
		struct item_cut c = item_cut(head, body.n, at, n);

		if (c.head.n + c.rest_n == 0 || c.head.n + c.rest_n > n)
			return;
		buf_add(out, c.head);
		buf_add(out, span_cut(body, (size_t)c.rest_from, c.rest_n));
		at += c.head.n + c.rest_n;
	}
}

static void
test_cut(void)
{
	struct buf head = { 0 }, want = { 0 };
	size_t n, good = 0;

	item_head_entry(&head, note, body.n);
	buf_add(&want, buf_span(&head));
	buf_add(&want, body);
	for (n = 1; n <= want.n + 1; n++) {
		struct buf got = { 0 };
		struct item_entry e;

		cut_up(&got, buf_span(&head), n);
		good += span_eq(buf_span(&got), buf_span(&want)) &&
			item_entry_parse(&e, buf_span(&got)) == TOCSIN_OK &&
			span_eq(e.note, note) && span_eq(e.body, body) &&
			!e.gone;
		buf_release(&got);
	}
	is_int((long long)good, (long long)want.n + 1,
	    "pieces of every size make the item again");
	is_int((long long)item_cut(buf_span(&head), body.n, want.n, 5).rest_n,
	    0, "beyond the end there is nothing");
	buf_release(&head);
	buf_release(&want);
}

static void
test_parse(void)
{
	struct buf whole = { 0 };
	struct item_entry e;
	size_t n, refused = 0;

	item_head_entry(&whole, note, body.n);
	buf_add(&whole, body);
	for (n = 0; n < whole.n; n++) {
		uint8_t *copy = xcopy(whole.p, n);

		refused += item_entry_parse(&e, (struct span){ copy, n }) ==
			   TOCSIN_EMALFORMED;
		free(copy);
	}
	is_int((long long)refused, (long long)whole.n,
	    "every proper prefix is refused");
	buf_u8(&whole, 0);
	is_int(item_entry_parse(&e, buf_span(&whole)), TOCSIN_EMALFORMED,
	    "and a byte too many");
	buf_release(&whole);

	item_gone(&whole, false);
	ok(item_entry_parse(&e, buf_span(&whole)) == TOCSIN_OK && e.gone,
	    "an item that is no more says so");
	buf_release(&whole);
}

int
main(void)
{
	note = span_of("a note\n");
	body = span_of("the body of it");
	test_cut();
	test_parse();
	return tap_done();
}
