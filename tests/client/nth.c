/* SPDX-License-Identifier: ISC */
/*
 * Whatever call fails between the broker's answer and the end of the desk's
 * commit, the entries of that answer are in the desk in the end, as they were
 * sent: none is passed over, and none is kept as refused for a reason that was
 * ours.
 */
#include "tests/lib/nth.h"
#include "client/handle.h"
#include "client/intake.h"
#include "crypto/receipt.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 2000

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
	(void)arg;
	(void)request;
	(void)fields;
	return TOCSIN_EUNAVAILABLE; /* there is nothing but a body apart */
}

static enum tocsin_err
fetch_body(void *arg, const struct ticket *t, struct buf *out)
{
	(void)arg;
	(void)t;
	buf_add(out, buf_span(&page->large.body));
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
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
	const struct intake in = {
		.parts = &h.parts, .ask = ask, .body = fetch_body, .now = f.now
	};
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

/* ---- what is written, and read ---- */

static const char *const to_my[] = { "mycert@my", NULL };

/* How many wait to be sent, and the last place of our chain. */
static uint64_t
queued(struct tocsin *t, uint64_t *last)
{
	struct desk_tx *tx;
	struct span self;
	uint64_t n = 0, count = 0;
	struct rd r;

	*last = 0;
	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	while (desk_outbox_next(tx, n, &n) == TOCSIN_OK)
		count++;
	if (desk_value_get(tx, DESK_SELF, &self) == TOCSIN_OK) {
		r = rd_init(self);
		*last = rd_u64(&r);
	}
	desk_end(tx);
	return count;
}

/* Each is queued with its place in our chain, or there is no trace of it. */
static void
test_post(struct tocsin *t, char id[TOCSIN_ID_TEXT])
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to_my,
		.tlp = "AMBER",
		.subject = "Beacons" };
	char got[TOCSIN_ID_TEXT];
	uint64_t want = 0, last;
	unsigned n, bad = 0;
	enum tocsin_err err;
	bool met = true;

	for (n = 1; met && n < MOST; n++) {
		nth_set_mine(n);
		err = tocsin_post(t, &d, got);
		met = nth_clear();
		if (err == TOCSIN_OK) {
			memcpy(id, got, sizeof(got));
			want++;
		}
		if (queued(t, &last) != want || last != want) {
			diag("fault %u (%s): %llu queued, the chain ends at "
			     "%llu, want %llu",
			    n, tocsin_err_name(err),
			    (unsigned long long)queued(t, &last),
			    (unsigned long long)last, (unsigned long long)want);
			bad++;
			want = last;
		}
	}
	ok(!met && n > 20, "each call of a post fails");
	is_int(bad, 0, "and our chain goes on after it");
}

/* A reader's place would move beyond what is shown as refused. */
static void
test_get(struct tocsin *t, const char *id)
{
	struct tocsin_message *m;
	struct tocsin_list *l;
	unsigned n, bad = 0;
	bool met = true;

	for (n = 1; met && n < MOST; n++) {
		nth_set_mine(n);
		if (tocsin_get(t, id, &m) == TOCSIN_OK) {
			bad += m->refused != TOCSIN_OK || m->subject == NULL;
			tocsin_message_free(m);
		}
		met = nth_clear();
	}
	ok(!met && n > 10, "each call of reading a message fails");
	is_int(bad, 0, "and it is never refused for that");
	met = true;
	for (n = 1; met && n < MOST; n++) {
		nth_set_mine(n);
		if (tocsin_thread(t, id, &l) == TOCSIN_OK) {
			bad += l->n != 1;
			tocsin_list_free(l);
		}
		met = nth_clear();
	}
	ok(!met && bad == 0, "nor is a thread ever shorter");
}

static void
test_handle(void)
{
	struct tocsin *t = NULL;
	char id[TOCSIN_ID_TEXT] = "";

	fixture_init(&f, "sg my");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	test_post(t, id);
	test_get(t, id);
	tocsin_close(t);
	fixture_release(&f);
}

int
main(void)
{
	test_intake();
	test_handle();
	return tap_done();
}
