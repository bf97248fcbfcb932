/* SPDX-License-Identifier: ISC */
/*
 * What must hold (DESIGN.md, 2), as far as it can be seen from outside of the
 * brokers: at each commit, frame, acknowledgement and answer, and at the end.
 */
#include "broker/item.h"
#include "broker/value.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- commits ---- */

static void
saw_ticket(struct node *n, const struct store_entry *e)
{
	struct post *p = post_by_id(e->id);

	if (!p) {
		broke("%s has a ticket that nobody posted", n->name);
		return;
	}
	trace("%.8s is seq %" PRIu64, p->id64, e->seq);
	if (!(p->nations & n->bit))
		broke("%.8s is at %s, and not for it", p->id64, n->name);
	if (p->at[n->i])
		broke("%.8s is at %s twice", p->id64, n->name);
	p->at[n->i] = e->seq;
	if (!span_eq(e->note, buf_span(&p->t.note)) ||
	    (!e->detached && !span_eq(e->body, buf_span(&p->t.body))))
		broke("%.8s is not what was posted", p->id64);
}

/* A line is true if what it says was committed, by its broker, by now. */
static void
check_line(
    const struct node *at, const struct node *by, const struct receipt_line *l)
{
	struct post *p = post_by_id(l->id);

	if (!p) {
		broke("%s gives its word on what nobody posted", by->name);
		return;
	}
	switch (l->kind) {
	case RECEIPT_STORED:
		if (p->at[by->i] != l->index + 1 && !by->wiped)
			broke("%s says that %.8s is at %" PRIu64
			      ", and it is at %" PRIu64,
			    by->name, p->id64, l->index + 1, p->at[by->i]);
		p->told[at->i] |= 1u << by->i;
		break;
	case RECEIPT_DELIVERED:
		if (by->wiped)
			break;
		if (!p->at[by->i] ||
		    desk_acked(by, l->member, l->device) < p->at[by->i])
			broke("%s says that %.8s is delivered to %s/%s",
			    by->name, p->id64, l->member, l->device);
		break;
	case RECEIPT_ERASED:
		broke("%s has erased %.8s", by->name, p->id64);
		break;
	case RECEIPT_WITHOUT:
		broke("%s takes %.8s without a part: %s", by->name, p->id64,
		    l->reason);
		break;
	case RECEIPT_REFUSED:
		broke("%s refuses %.8s: %s", by->name, p->id64, l->reason);
		break;
	}
}

static void
saw_receipt(struct node *n, const struct store_entry *e)
{
	static struct receipt r;
	struct node *by;
	struct note note;
	size_t i;

	if (note_parse(&note, e->note, TEXT_MAX) != TOCSIN_OK ||
	    receipt_parse(&r, note.text) != TOCSIN_OK ||
	    (by = node_by_name(r.broker)) == NULL) {
		broke("%s has a receipt that is none", n->name);
		return;
	}
	for (i = 0; i < r.nline; i++)
		check_line(n, by, &r.line[i]);
}

static void
see_entry(struct node *n, struct store_rx *rx, uint64_t seq)
{
	struct store_entry e;
	enum tocsin_err err = store_get(rx, seq, &e);

	if (err || e.seq != seq)
		broke("the log of %s has a hole at %" PRIu64 ": %s", n->name,
		    seq, tocsin_err_name(err));
	else if (e.kind == STORE_TICKET)
		saw_ticket(n, &e);
	else if (e.kind == STORE_RECEIPT)
		saw_receipt(n, &e);
}

static struct place
cursor_of(struct store_rx *rx, const char *peer, unsigned lane)
{
	struct place at = { 0 };
	struct span s;
	struct rd r;

	if (value_get(rx, &s, "relay/%s/%u", peer, lane) != TOCSIN_OK)
		return at;
	r = rd_init(s);
	at.item = rd_u64(&r);
	at.offset = rd_u64(&r);
	return at;
}

static bool
goes_back(struct place from, struct place to)
{
	return to.item < from.item ||
	       (to.item == from.item && to.offset < from.offset &&
		   to.offset > 0);
}

static void
see_cursors(struct node *n, struct store_rx *rx)
{
	unsigned i, lane;

	for (i = 0; i < w.nnodes; i++)
		for (lane = 0; lane < LANE_COUNT && i != n->i; lane++) {
			const char *peer = w.node[i].name;
			struct place at = cursor_of(rx, peer, lane);
			uint64_t last = store_out_last(rx, span_of(peer), lane);

			if (goes_back(n->cursor[i][lane], at))
				broke("%s's cursor of %s, lane %u, goes back "
				      "from %" PRIu64 " to %" PRIu64,
				    n->name, peer, lane,
				    n->cursor[i][lane].item, at.item);
			if (at.item > w.node[i].queued[n->i][lane] &&
			    !w.node[i].wiped)
				broke("%s's cursor of %s, lane %u, is %" PRIu64
				      ", and %" PRIu64 " were queued",
				    n->name, peer, lane, at.item,
				    w.node[i].queued[n->i][lane]);
			if (last < n->queued[i][lane] && !w.node[i].wiped &&
			    !n->wiped)
				broke("%s counts back for %s, lane %u", n->name,
				    peer, lane);
			n->cursor[i][lane] = at;
			n->queued[i][lane] = last;
		}
}

void
check_commit(struct node *n)
{
	struct store_rx *rx;
	uint64_t head;

	MUST(store_read(n->b->store, &rx) == TOCSIN_OK);
	head = store_head(rx);
	while (n->head < head)
		see_entry(n, rx, ++n->head);
	see_cursors(n, rx);
	store_read_end(rx);
}

/*
 * A broker that lost its store: what was posted there may be lost with it, and
 * it counts from the start again.
 */
void
check_wiped(struct node *n)
{
	unsigned i;

	n->head = 0;
	memset(n->cursor, 0, sizeof(n->cursor));
	memset(n->queued, 0, sizeof(n->queued));
	for (i = 0; i < w.nposts; i++) {
		struct post *p = &w.post[i];

		p->at[n->i] = 0;
		p->told[n->i] = 0;
		if (home_of(p->from) == n)
			p->lost = true;
	}
}

/* What was committed is there again, and nothing else. */
void
check_start(struct node *n)
{
	struct store_rx *rx;

	MUST(store_read(n->b->store, &rx) == TOCSIN_OK);
	if (n->head == 0)
		n->head = store_head(rx);
	if (store_head(rx) != n->head)
		broke("%s starts with %" PRIu64 " entries and had %" PRIu64,
		    n->name, store_head(rx), n->head);
	store_read_end(rx);
	check_commit(n);
}

/* ---- frames ---- */

static struct {
	struct buf bytes;
	struct relay_piece piece;
} sealed;

void
check_sealed(const struct relay_piece *piece)
{
	buf_cut(&sealed.bytes, 0);
	buf_add(&sealed.bytes, piece->bytes);
	sealed.piece = *piece;
	sealed.piece.bytes = buf_span(&sealed.bytes);
}

static bool
has(struct span in, struct span what)
{
	return what.n > 0 && in.n > 0 &&
	       memmem(in.p, in.n, what.p, what.n) != NULL;
}

/* Is a sample of these bytes anything of this post? */
static bool
is_of(const struct post *p, struct span bytes)
{
	struct span head = span_cut(bytes, 0, 24), tail;
	unsigned i;

	if (bytes.n < 24)
		return false;
	tail = span_cut(bytes, bytes.n - 24, 24);
	if (has(buf_span(&p->t.body), head) || has(buf_span(&p->t.body), tail))
		return true;
	for (i = 0; i < p->nparts; i++)
		if (has(buf_span(&p->part[i].bytes), head) ||
		    has(buf_span(&p->part[i].bytes), tail))
			return true;
	return has(bytes, buf_span(&p->t.note));
}

/* The id of a post stands in the header of its device's next one, too. */
static bool
names_it(const struct post *p, const struct node *to, struct span bytes)
{
	const struct post *q;

	if (!has(bytes, span_of(p->id64)))
		return false;
	for (q = p + 1; q < w.post + w.nposts; q++)
		if (q->from == p->from)
			return !(q->nations & to->bit);
	return true;
}

/* Need to know: nothing of a ticket goes where it is not for. */
static void
check_need(const struct node *n, const struct node *to, struct span bytes)
{
	unsigned i;

	for (i = 0; i < w.nposts; i++)
		if (!(w.post[i].nations & to->bit) &&
		    (is_of(&w.post[i], bytes) ||
			names_it(&w.post[i], to, bytes)))
			broke("%s publishes bytes of %.8s to %s, for whom it "
			      "is not",
			    n->name, w.post[i].id64, to->name);
}

/* An item number means one thing for ever. */
static void
check_number(struct node *n, const struct node *to, unsigned lane,
    uint64_t item, uint64_t what)
{
	uint64_t **of = &n->numbered[to->i][lane].of;
	size_t *room = &n->numbered[to->i][lane].n;

	if (item >= 65536) {
		broke("%s numbers an item %" PRIu64, n->name, item);
		return;
	}
	if (item >= *room) {
		*of = realloc(*of, (item + 64) * sizeof(**of));
		MUST(*of);
		memset(*of + *room, 0, (item + 64 - *room) * sizeof(**of));
		*room = item + 64;
	}
	if ((*of)[item] != 0 && (*of)[item] != what)
		broke("%s uses number %" PRIu64 " of lane %u to %s twice",
		    n->name, item, lane, to->name);
	(*of)[item] = what;
}

/* The bytes that the item has at this place, by what was posted. */
static bool
item_bytes(struct buf *out, struct store_rx *rx, const struct store_out *row,
    unsigned lane, uint64_t *what)
{
	static const struct store_out none;

	struct store_entry e;
	struct post *p;
	unsigned i, k;

	if (row->seq == 0 && memcmp(row->part, none.part, 32) == 0) {
		/* In the place of one that began before a store was lost. */
		item_gone(out, lane == LANE_BULK);
		*what = 1;
		return true;
	}
	if (row->seq == 0) {
		for (i = 0; i < w.nposts; i++)
			for (k = 0; k < w.post[i].nparts; k++)
				if (memcmp(w.post[i].part[k].hash, row->part,
					32) == 0) {
					item_head_part(out, row->part);
					buf_add(out,
					    buf_span(&w.post[i].part[k].bytes));
				}
		memcpy(what, row->part, sizeof(*what));
		*what |= 1; /* not 0 */
		return out->n > 0;
	}
	*what = row->seq << 1;
	if (store_get(rx, row->seq, &e) != TOCSIN_OK)
		return false;
	if (e.kind != STORE_TICKET) {
		item_head_entry(out, e.note, e.body.n);
		buf_add(out, e.body);
		return true;
	}
	p = post_by_id(e.id);
	if (!p)
		return false;
	item_head_entry(out, buf_span(&p->t.note), p->t.body.n);
	buf_add(out, buf_span(&p->t.body));
	return true;
}

/*
 * What is published is committed: it is in the outbox of that peer, as anybody
 * can read it, or it was and the peer has it.
 */
static void
check_item(struct node *n, struct node *to, const struct relay_piece *p)
{
	struct store_out row = { 0 };
	struct buf whole = { 0 };
	struct store_rx *rx;
	uint64_t what = 0;

	MUST(store_read(n->b->store, &rx) == TOCSIN_OK);
	if (store_out_next(rx, span_of(to->name), p->lane, p->item - 1, &row) ||
	    row.n != p->item) {
		if (p->item > to->cursor[n->i][p->lane].item && !to->wiped)
			broke("%s publishes item %" PRIu64 " of lane %u to "
			      "%s, which is not committed",
			    n->name, p->item, p->lane, to->name);
		goto out;
	}
	if (!item_bytes(&whole, rx, &row, p->lane, &what))
		broke("%s publishes what nobody posted", n->name);
	else if (whole.n != p->total ||
		 !span_eq(p->bytes,
		     span_cut(buf_span(&whole), (size_t)p->offset, p->bytes.n)))
		broke("%s publishes item %" PRIu64 " of lane %u to %s, with "
		      "other bytes",
		    n->name, p->item, p->lane, to->name);
	if (!n->wiped && !to->wiped) /* then all is numbered anew */
		check_number(n, to, p->lane, p->item, what);
out:
	buf_release(&whole);
	store_read_end(rx);
}

void
check_publish(struct node *n, const char *peer, struct span frame)
{
	struct node *to = node_by_name(peer);

	(void)frame;
	MUST(to);
	if (sealed.piece.bytes.n == 0)
		return;
	check_need(n, to, sealed.piece.bytes);
	if (!sim_failure())
		check_item(n, to, &sealed.piece);
}

/* Everything is sealed: no header goes in clear. */
void
check_wire(struct span frame)
{
	if (has(frame, span_of(FX_FEDERATION "/")))
		broke("something goes over the wire in clear");
}

/* ---- rest ---- */

static bool
outbox_empty(struct node *n, struct store_rx *rx, char *why, size_t size)
{
	struct store_out row;
	unsigned i, lane;

	for (i = 0; i < w.nnodes; i++)
		for (lane = 0; lane < LANE_COUNT; lane++)
			if (store_out_next(rx, span_of(w.node[i].name), lane, 0,
				&row) == TOCSIN_OK) {
				snprintf(why, size,
				    "%s has item %" PRIu64 " of lane %u for %s",
				    n->name, row.n, lane, w.node[i].name);
				return false;
			}
	return true;
}

static bool
part_whole(struct store_rx *rx, const struct part *p)
{
	struct store_part st;

	return store_part_stat(rx, p->hash, &st) == TOCSIN_OK && st.complete &&
	       st.total == p->bytes.n;
}

static bool
has_all(struct node *n, struct store_rx *rx, char *why, size_t size)
{
	unsigned i, k;

	for (i = 0; i < w.nposts; i++) {
		struct post *p = &w.post[i];

		if (!(p->nations & n->bit) || p->lost)
			continue;
		if (!p->at[n->i]) {
			snprintf(
			    why, size, "%.8s is not at %s", p->id64, n->name);
			return false;
		}
		for (k = 0; k < p->nparts; k++)
			if (!part_whole(rx, &p->part[k])) {
				snprintf(why, size,
				    "part %u of %.8s is not at %s", k, p->id64,
				    n->name);
				return false;
			}
		/*
		 * The word of every other broker is where it was posted. At
		 * other brokers of that nation it may be missing: one that
		 * cannot write for 3 s passes receipts over, if the ticket is
		 * in another lane.
		 */
		for (k = 0; k < w.nnodes; k++)
			if (home_of(p->from) == n &&
			    p->nations & w.node[k].bit &&
			    strcmp(w.node[k].nation, n->nation) != 0 &&
			    !(p->told[n->i] & 1u << k)) {
				snprintf(why, size,
				    "%s has no receipt of %s for %.8s", n->name,
				    w.node[k].name, p->id64);
				return false;
			}
	}
	return true;
}

bool
check_quiet(char *why, size_t size)
{
	unsigned i;
	bool good = true;

	for (i = 0; i < w.nnodes; i++)
		if (!w.node[i].b || w.node[i].dying) {
			snprintf(why, size, "%s is down", w.node[i].name);
			return false;
		}
	if (!desks_quiet()) {
		snprintf(why, size, "%s", desks_why());
		return false;
	}
	for (i = 0; i < w.nnodes && good; i++) {
		struct store_rx *rx;

		MUST(store_read(w.node[i].b->store, &rx) == TOCSIN_OK);
		good = has_all(&w.node[i], rx, why, size) &&
		       outbox_empty(&w.node[i], rx, why, size);
		store_read_end(rx);
	}
	return good;
}

/* ---- the end ---- */

static void
finding(void *arg, const struct store_finding *f)
{
	const struct node *n = arg;

	broke("the store of %s: seq %" PRIu64 ": %s", n->name, f->seq, f->what);
}

static void
check_mailboxes(struct node *n, struct store_rx *rx)
{
	unsigned m, i;

	for (m = 0; m < w.nmembers; m++) {
		uint64_t seq = 0;
		struct store_entry e;
		unsigned found = 0, due = 0;

		for (i = 0; i < w.nposts; i++)
			due += w.post[i].at[n->i] != 0 &&
			       (w.post[i].members & 1u << m) != 0 &&
			       strcmp(w.f.nation[m], n->nation) == 0;
		while (store_mail_next(rx, span_of(w.f.member[m]), seq, &seq) ==
		       TOCSIN_OK) {
			if (store_get(rx, seq, &e) != TOCSIN_OK)
				broke("a mailbox of %s is damaged", n->name);
			else if (e.kind == STORE_TICKET) {
				struct post *p = post_by_id(e.id);

				found++;
				if (!p || !(p->members & 1u << m))
					broke("the mailbox of %s at %s has "
					      "what is not for it",
					    w.f.member[m], n->name);
			}
		}
		if (found != due)
			broke("the mailbox of %s at %s has %u tickets, and %u "
			      "are for it",
			    w.f.member[m], n->name, found, due);
	}
}

static void
check_parts(struct node *n, struct store_rx *rx)
{
	struct buf got = { 0 };
	unsigned i, k;

	for (i = 0; i < w.nposts; i++)
		for (k = 0; k < w.post[i].nparts; k++) {
			const struct part *p = &w.post[i].part[k];

			if (!(w.post[i].nations & n->bit) || w.post[i].lost)
				continue;
			buf_cut(&got, 0);
			if (store_part_read(rx, p->hash, 0, p->bytes.n, &got) ||
			    !span_eq(buf_span(&got), buf_span(&p->bytes)))
				broke("a part of %.8s at %s is not what was "
				      "put",
				    w.post[i].id64, n->name);
		}
	buf_release(&got);
}

/* The tree over the ids, built anew. */
struct nodes {
	struct buf hashes;
};

static enum tocsin_err
nodes_get(void *arg, uint64_t pos, uint8_t hash[32])
{
	struct nodes *t = arg;

	if (pos >= t->hashes.n / 32)
		return TOCSIN_ENOTFOUND;
	memcpy(hash, t->hashes.p + pos * 32, 32);
	return TOCSIN_OK;
}

static enum tocsin_err
nodes_put(void *arg, uint64_t pos, const uint8_t hash[32])
{
	struct nodes *t = arg;

	(void)pos;
	buf_add(&t->hashes, (struct span){ hash, 32 });
	return TOCSIN_OK;
}

static void
check_tree(struct node *n, struct store_rx *rx)
{
	struct nodes t = { 0 };
	struct merkle_store m = { &t, nodes_get, nodes_put };
	struct merkle_store has_it = store_tree(rx);
	uint8_t want[32], got[32];
	uint64_t size = 0, head = store_head(rx);
	struct store_entry e;

	while (size < head) {
		MUST(store_get(rx, size + 1, &e) == TOCSIN_OK);
		MUST(merkle_append(&m, &size, e.id) == TOCSIN_OK);
	}
	MUST(merkle_root(&m, size, want) == TOCSIN_OK);
	if (merkle_root(&has_it, head, got) != TOCSIN_OK ||
	    memcmp(want, got, 32) != 0)
		broke("the tree of %s is not that of its ids", n->name);
	buf_release(&t.hashes);
}

void
check_end(void)
{
	unsigned i;

	for (i = 0; i < w.nnodes; i++) {
		struct node *n = &w.node[i];
		struct store_rx *rx;

		if (store_verify(n->b->store, finding, n, NULL) != TOCSIN_OK)
			broke("the store of %s does not verify", n->name);
		MUST(store_read(n->b->store, &rx) == TOCSIN_OK);
		if (store_head(rx) != n->head)
			broke("the log of %s has grown by itself", n->name);
		check_mailboxes(n, rx);
		check_parts(n, rx);
		check_tree(n, rx);
		store_read_end(rx);
	}
}
