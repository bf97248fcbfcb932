/* SPDX-License-Identifier: ISC */
/* What a fake broker answers, request by request. */
#include "tests/lib/fakebroker_impl.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- fetch ---- */

/* The entries after where the session is, as many as fit. */
static bool
answer_mail(struct fakebroker *b, const struct req *r, bool empty)
{
	struct session *s = fb_find_session(b, r->session);
	struct buf reply = { 0 };
	size_t mark, n = 0, i;
	bool more = false;

	if (s == NULL)
		return true;
	msg_accept(&reply);
	mark = msg_entries_begin(&reply, s->sent);
	for (i = 0; i < b->nentry; i++) {
		const struct msg_entry *e = &b->entry[i];

		if (e->seq <= s->sent)
			continue;
		more = n == 3 || reply.n + e->note.n + e->body.n > 50000;
		if (more)
			break;
		msg_entries_add(&reply, e);
		s->sent = e->seq;
		n++;
	}
	msg_entries_end(&reply, mark, more, n);
	if (n > 0 || empty)
		fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
	return n > 0 || empty;
}

static void
serve_urgent(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	struct msg_urgent m;
	size_t mark, n = 0, i;

	MUST(msg_urgent_decode(&m, body) == TOCSIN_OK);
	msg_accept(&reply);
	mark = msg_entries_begin(&reply, m.after);
	for (i = 0; i < b->nentry; i++) {
		const struct msg_entry *e = &b->entry[i];

		if (e->seq <= m.after ||
		    memmem(e->note.p, e->note.n, "\nprecedence flash\n", 18) ==
			NULL)
			continue;
		msg_entries_add(&reply, e);
		n++;
	}
	msg_entries_end(&reply, mark, false, n);
	buf_u64(&reply, 10 * b->nentry > m.after ? 10 * b->nentry : m.after);
	fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
unpark(struct fakebroker *b, struct req *p, bool empty)
{
	struct req r = *p;

	p->used = false;
	if (answer_mail(b, &r, empty))
		fb_counted(b, FB_PARKED, -1);
	else
		p->used = true;
}

static struct req *
oldest_park(struct fakebroker *b, const uint8_t *who, size_t *n)
{
	struct req *oldest = NULL;
	size_t i;

	*n = 0;
	for (i = 0; i < PENDING; i++) {
		struct req *p = &b->pending[i];
		struct session *s = fb_find_session(b, p->session);

		if (!p->used || !p->parked ||
		    (who != NULL && (!s || memcmp(s->who, who, 32) != 0)))
			continue;
		++*n;
		if (oldest == NULL || p->order < oldest->order)
			oldest = p;
	}
	return oldest;
}

void
fb_wake_parks(struct fakebroker *b)
{
	size_t n, left;
	struct req *p;

	for (p = oldest_park(b, NULL, &left); left > 0 && p != NULL;) {
		unpark(b, p, false);
		if (p->used) /* nothing for it */
			return;
		p = oldest_park(b, NULL, &n);
		left--;
	}
}

void
fb_expire_parks(struct fakebroker *b)
{
	size_t i;

	for (i = 0; i < PENDING; i++)
		if (b->pending[i].used && b->pending[i].parked &&
		    b->pending[i].until <= fb_now_ms())
			unpark(b, &b->pending[i], true);
}

static void
serve_fetch(struct fakebroker *b, const struct req *r, struct session *s,
    struct span body)
{
	struct msg_fetch m;
	struct req *p;
	size_t n;

	MUST(msg_fetch_decode(&m, body) == TOCSIN_OK);
	fb_counted(b, FB_FETCHES, 1);
	if (m.acked > b->count[FB_ACKED])
		fb_counted(
		    b, FB_ACKED, (int64_t)(m.acked - b->count[FB_ACKED]));
	if (m.after != MSG_AFTER_CONTINUE)
		s->sent = m.after;
	else if (m.acked > s->sent)
		s->sent = m.acked;
	if (answer_mail(b, r, m.wait_ms == 0))
		return;
	p = oldest_park(b, s->who, &n);
	if (n == PARKS)
		unpark(b, p, true);
	p = fb_keep_pending(b, r);
	p->parked = true;
	p->until = fb_now_ms() + m.wait_ms;
	fb_counted(b, FB_PARKED, 1);
}

/* ---- post, put, get ---- */

size_t
fb_ticket_row(struct fakebroker *b, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < b->nticket; i++)
		if (memcmp(b->ticket[i].id, id, ID_LEN) == 0)
			return i;
	MUST(b->nticket < TICKETS);
	memcpy(b->ticket[i].id, id, ID_LEN);
	return b->nticket++;
}

struct part *
fb_part_row(struct fakebroker *b, const uint8_t hash[32])
{
	size_t i;

	for (i = 0; i < b->npart; i++)
		if (memcmp(b->part[i].hash, hash, 32) == 0)
			return &b->part[i];
	MUST(b->npart < PARTS);
	memcpy(b->part[i].hash, hash, 32);
	b->npart++;
	return &b->part[i];
}

static void
post_one(struct fakebroker *b, const struct msg_envelope *e,
    struct msg_posted *out, size_t i)
{
	struct ticket *t = xmalloc(sizeof(*t));
	struct note note;
	size_t row;

	MUST(ticket_parse(t, &note, e->note) == TOCSIN_OK);
	row = fb_ticket_row(b, t->id);
	out->item[i].code = b->ticket[row].code;
	out->item[i].seq = 0;
	if (e->body.n == 0 && !fb_part_row(b, t->body_hash)->whole)
		out->item[i].code = TOCSIN_EBODYMISMATCH;
	if (out->item[i].code == TOCSIN_OK && b->ticket[row].taken) {
		out->item[i].code = TOCSIN_EDUPLICATE;
		fb_counted(b, FB_DUPLICATES, 1);
	} else if (out->item[i].code == TOCSIN_OK) {
		b->ticket[row].taken = true;
		b->ticket[row].seq = 1000 + row;
		fb_counted(b, FB_TAKEN, 1);
	}
	if (b->ticket[row].taken)
		out->item[i].seq = b->ticket[row].seq;
	free(t);
}

static void
serve_post(struct fakebroker *b, const struct req *r, struct span body)
{
	struct msg_post *m = xmalloc(sizeof(*m));
	struct msg_posted *p = xmalloc(sizeof(*p));
	struct buf reply = { 0 };
	size_t i;

	MUST(msg_post_decode(m, body) == TOCSIN_OK);
	p->n = m->n;
	for (i = 0; i < m->n; i++)
		post_one(b, &m->env[i], p, i);
	msg_accept(&reply);
	msg_posted_encode(&reply, p);
	fb_answer(b, r, buf_span(&reply));
	fb_counted(b, FB_POSTS, 1);
	buf_release(&reply);
	free(p);
	free(m);
}

static void
serve_put(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	uint8_t hash[32];
	struct msg_put m;
	struct part *p;

	MUST(msg_put_decode(&m, body) == TOCSIN_OK);
	p = fb_part_row(b, m.hash);
	p->total = m.total;
	if (m.bytes.n > 0 && m.offset == p->bytes.n && !p->whole) {
		buf_add(&p->bytes, m.bytes);
		MUST(p->bytes.n <= p->total);
		if (p->bytes.n == p->total) {
			crypto_hash_sha256(hash, p->bytes.p, p->bytes.n);
			MUST(memcmp(hash, m.hash, 32) == 0);
			p->whole = true;
			fb_counted(b, FB_WHOLE, 1);
		}
	}
	msg_accept(&reply);
	msg_have_encode(&reply, &(struct msg_have){ p->bytes.n, p->whole });
	fb_answer(b, r, buf_span(&reply));
	if (m.bytes.n > 0)
		fb_counted(b, FB_PUTS, 1);
	buf_release(&reply);
}

static void
serve_get(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	struct msg_get m;
	struct msg_range range;
	struct part *p;

	MUST(msg_get_decode(&m, body) == TOCSIN_OK);
	p = fb_part_row(b, m.hash);
	range.total = p->total;
	range.have = p->bytes.n;
	range.bytes = span_cut(buf_span(&p->bytes), (size_t)m.offset, m.max);
	msg_accept(&reply);
	msg_range_encode(&reply, &range);
	fb_counted(b, FB_GOT, (int64_t)range.bytes.n);
	fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

/* ---- the rest ---- */

static void
serve_roster(struct fakebroker *b, const struct req *r, struct span body)
{
	struct msg_roster_range range = { .current = b->roster };
	struct buf reply = { 0 };
	struct msg_roster m;

	MUST(msg_roster_decode(&m, body) == TOCSIN_OK);
	if (m.serial != b->roster) {
		fb_refuse(b, r, TOCSIN_ENOTFOUND);
		return;
	}
	range.serial = m.serial;
	range.total = (uint32_t)b->roster_file.n;
	range.bytes =
	    span_cut(buf_span(&b->roster_file), m.offset, MSG_RANGE_MAX);
	msg_accept(&reply);
	msg_roster_range_encode(&reply, &range);
	fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
serve_hello(struct fakebroker *b, const struct req *r)
{
	const struct msg_hello m = {
		.time = time(NULL), .part_max = 1 << 30, .roster = b->roster
	};
	struct buf reply = { 0 };

	msg_accept(&reply);
	msg_hello_encode(&reply, &m);
	fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
serve_announce(struct fakebroker *b, const struct req *r, struct session *s)
{
	struct buf reply = { 0 };

	MUST(b->nknown < STRANGERS);
	memcpy(b->known[b->nknown++], s->who, 32);
	msg_accept(&reply);
	fb_answer(b, r, buf_span(&reply));
	fb_counted(b, FB_ANNOUNCED, 1);
	buf_release(&reply);
}

static bool
is_stranger(const struct fakebroker *b, const struct session *s)
{
	size_t i;

	for (i = 0; i < b->nknown; i++)
		if (memcmp(b->known[i], s->who, 32) == 0)
			return false;
	return b->strange;
}

void
fb_serve(
    struct fakebroker *b, struct req *r, struct session *s, struct span request)
{
	enum fb_fault fault;
	enum tocsin_err code;
	struct span body;

	r->op = msg_op(request, &body);
	if (fb_meets(b, r->op, true, &fault, &code)) {
		if (fault == FB_REFUSE)
			fb_refuse(b, r, code);
		else
			fb_hint(b, r, code);
		return;
	}
	if (is_stranger(b, s) && r->op != MSG_HELLO && r->op != MSG_ANNOUNCE) {
		fb_refuse(b, r, TOCSIN_ENOTENROLLED);
		return;
	}
	switch (r->op) {
	case MSG_HELLO:
		fb_counted(b, FB_HELLOS, 1);
		serve_hello(b, r);
		break;
	case MSG_POST:
		serve_post(b, r, body);
		break;
	case MSG_FETCH:
		serve_fetch(b, r, s, body);
		break;
	case MSG_URGENT:
		serve_urgent(b, r, body);
		break;
	case MSG_PUT:
		serve_put(b, r, body);
		break;
	case MSG_GET:
		serve_get(b, r, body);
		break;
	case MSG_ANNOUNCE:
		serve_announce(b, r, s);
		break;
	case MSG_ROSTER:
		serve_roster(b, r, body);
		break;
	default:
		fb_refuse(b, r, TOCSIN_EUNSUPPORTED);
	}
}
