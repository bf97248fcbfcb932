/* SPDX-License-Identifier: ISC */
/*
 * Whatever call fails between the broker's answer and the end of the desk's
 * commit, the entries of that answer are in the desk in the end, as they were
 * sent: none is passed over, and none is kept as refused for a reason that was
 * ours.
 */
#include "tests/lib/nth.h"
#include "client/backoff.h"
#include "client/intake.h"
#include "client/tocsin.h"
#include "crypto/receipt.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 2000
#define PATIENCE_MS 20000

/* We are singcert@sg/desk1; tickets come from mycert@my/desk1. */
static struct fixture f;
static struct home h;
static char dir[512];

/* ---- an answer's way into the desk ---- */

struct page {
	struct msg_entries m;
	struct fx_ticket small, large;
	struct buf receipt;
	uint64_t seq; /* of the last entry */
};

static struct page *page;
static struct fx_ticket sent; /* ours, which receipts are for */
static uint64_t chain;	      /* of the sender */
static uint8_t prev[ID_LEN];

static enum tocsin_err
ask(void *arg, struct span request, struct buf *fields)
{
	struct msg_range r = { 0 };
	struct msg_get get;
	struct span body;

	(void)arg;
	if (msg_op(request, &body) != MSG_GET ||
	    msg_get_decode(&get, body) != TOCSIN_OK)
		return TOCSIN_EMALFORMED;
	r.total = r.have = page->large.body.n;
	r.bytes =
	    span_cut(buf_span(&page->large.body), (size_t)get.offset, get.max);
	msg_range_encode(fields, &r);
	return buf_ok(fields) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static struct msg_entry *
add(uint8_t kind, struct span note, struct span body)
{
	struct msg_entry *e = &page->m.entry[page->m.n++];

	*e = (struct msg_entry){ .seq = ++page->seq,
		.time = f.now,
		.kind = kind,
		.note = note,
		.body = body };
	return e;
}

static void
next_ticket(struct fx_ticket *t)
{
	memset(t, 0, sizeof(*t));
	fixture_ticket(t, &f, "mycert@my/desk1", "singcert@sg", chain + 1,
	    chain > 0 ? prev : NULL, NULL, NULL);
	chain++;
	memcpy(prev, t->id, ID_LEN);
}

static void
next_receipt(struct buf *out)
{
	static struct receipt r;
	uint8_t sk[64];

	receipt_init(&r, FX_FEDERATION, "my", f.now);
	fixture_sign_key(sk, "my/sign");
	memset(out, 0, sizeof(*out));
	if (!receipt_stored(&r, sent.id, 3) ||
	    receipt_sign(out, &r, sk) != TOCSIN_OK)
		abort();
}

/* New keys, a ticket, one whose body did not fit, a receipt. */
static void
next_page(void)
{
	page->m.n = 0;
	fixture_next_keys(&f, 1, NULL, NULL);
	next_ticket(&page->small);
	next_ticket(&page->large);
	next_receipt(&page->receipt);
	add(3, buf_span(&f.keys_file[1]), (struct span){ 0 });
	add(1, buf_span(&page->small.note), buf_span(&page->small.body));
	add(1, buf_span(&page->large.note), (struct span){ 0 })->detached =
	    true;
	add(4, buf_span(&page->receipt), (struct span){ 0 });
}

static bool
opens(struct desk_tx *tx, const struct fx_ticket *t)
{
	struct desk_message m;
	uint64_t number;

	return desk_find(tx, t->id, &number) == TOCSIN_OK &&
	       desk_get(tx, number, &m) == TOCSIN_OK &&
	       m.refused == TOCSIN_OK && span_eq(m.note, buf_span(&t->note)) &&
	       span_eq(m.body, buf_span(&t->body));
}

/* What of the page is not here, or not as it was sent; or NULL. */
static const char *
missing(void)
{
	const struct keys *k;
	struct desk_place place;
	struct desk_tx *tx;
	const char *what = NULL;

	if (desk_read(h.desk, &tx) != TOCSIN_OK ||
	    belief_load(&h.belief, tx) != TOCSIN_OK)
		abort();
	k = belief_keys(&h.belief, span_of("mycert@my"));
	if (!opens(tx, &page->small))
		what = "ticket";
	else if (!opens(tx, &page->large))
		what = "ticket with a body apart";
	else if (k == NULL || k->serial != f.keys[1]->serial)
		what = "announcement";
	else if (desk_place_get(tx, sent.id, 0, &place) != TOCSIN_OK)
		what = "receipt";
	else if (desk_u64_get(tx, "cursor") != page->seq)
		what = "cursor";
	desk_end(tx);
	return what;
}

static void
keep_sent(void)
{
	struct desk_message m = { .own = true };
	struct desk_tx *tx;

	fixture_ticket(
	    &sent, &f, "singcert@sg/desk1", "mycert@my", 1, NULL, NULL, NULL);
	m.note = buf_span(&sent.note);
	m.body = buf_span(&sent.body);
	memcpy(m.id, sent.id, ID_LEN);
	memcpy(m.thread, sent.id, ID_LEN);
	if (desk_write(h.desk, &tx) != TOCSIN_OK ||
	    desk_put(tx, &m) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
}

/* Once with the fault, and once more as the broker sends it again. */
static bool
bears(unsigned n, uint64_t *cursor, enum tocsin_err *err)
{
	const struct intake in = { &h.parts, ask, NULL, f.now };
	bool met;

	belief_release(&h.belief); /* as in a new process */
	nth_set(n);
	*err = intake_entries(&in, &page->m, cursor);
	met = nth_clear();
	if (*err != TOCSIN_OK && intake_entries(&in, &page->m, cursor) != 0)
		diag("fault %u: it does not pass", n);
	return met;
}

/* A home of its own for each: what a desk has makes some calls more. */
static void
begin(void)
{
	fixture_init(&f, "sg my");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	home_open(&h, dir);
	memset(page, 0, sizeof(*page));
	chain = 0;
	keep_sent();
	next_page();
}

static void
end(void)
{
	fx_ticket_release(&page->small);
	fx_ticket_release(&page->large);
	buf_release(&page->receipt);
	fx_ticket_release(&sent);
	home_close(&h);
	fixture_release(&f);
}

static void
test_intake(void)
{
	uint64_t cursor;
	enum tocsin_err err;
	unsigned n, bad = 0;
	const char *what;
	bool met = true;

	page = xmalloc(sizeof(*page));
	for (n = 1; met && n < MOST; n++) {
		begin();
		cursor = 0;
		met = bears(n, &cursor, &err);
		what = missing();
		if (what != NULL) {
			diag("fault %u (%s): no %s", n, tocsin_err_name(err),
			    what);
			bad++;
		}
		end();
	}
	diag("%u calls can fail", n - 2);
	ok(!met && n > 50, "each call of an answer's way into the desk fails");
	is_int(bad, 0, "and nothing of the answer is lost by it");
	free(page);
}

int
main(void)
{
	test_intake();
	return tap_done();
}
