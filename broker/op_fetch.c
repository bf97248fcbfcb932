/* SPDX-License-Identifier: ISC */
#include "broker/dispatch.h"
#include "broker/log.h"
#include "broker/mend.h"
#include "broker/receipts.h"
#include "broker/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_LEAST 1024
#define NOTE_ALONE (MSG_MAX - 64) /* a note with nothing beside it */

/* ---- what was sent ---- */

/* One answer in the making. */
struct page {
	const struct epochs *epochs;
	struct buf reply;
	size_t mark;
	size_t limit;
	size_t n;
	bool more;
	uint64_t last; /* seq of the last entry, or where it begins */
};

static size_t
size_of(const struct msg_entry *e)
{
	return MSG_ENTRY_HEAD + e->note.n + e->body.n;
}

/* One that doesn't fit even alone goes without its body, or note. */
static void
detach(struct msg_entry *e, size_t limit)
{
	if (size_of(e) > limit && e->body.n > 0) {
		e->body = (struct span){ 0 };
		e->detached = true;
	}
	if (size_of(e) > NOTE_ALONE) {
		e->note = (struct span){ 0 };
		e->detached = true;
	}
}

/* False: no room for it in this answer. */
static bool
page_add(struct page *p, const struct store_entry *s)
{
	struct msg_entry e = {
		.seq = epochs_wire(p->epochs, s->seq),
		.time = s->time,
		.kind = (uint8_t)s->kind,
		.detached = s->detached,
		.note = s->note,
		.body = s->body,
	};

	if (p->n == 0)
		detach(&e, p->limit - p->reply.n);
	else if (p->reply.n + size_of(&e) > p->limit)
		return false;
	else if (p->n == 1) /* there are more: a replay, most likely */
		buf_reserve(&p->reply, p->limit - p->reply.n);
	msg_entries_add(&p->reply, &e);
	p->last = s->seq;
	p->n++;
	return true;
}

static enum tocsin_err
page_fill(
    struct page *p, struct broker *b, struct store_rx *rx, struct span mailbox)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);
	enum tocsin_err err = TOCSIN_OK;
	struct store_entry e;
	uint64_t seq;

	for (;;) {
		err = store_mail_next(rx, mailbox, p->last, &seq);
		if (err)
			return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
		p->more = true;
		if (p->n == MSG_ENTRIES_MAX)
			return TOCSIN_OK;
		err = store_get(rx, seq, &e);
		if (err) {
			log_limited(&limit, LOG_ERROR, "entry-damaged",
			    LOG_U("seq", seq), LOG_ERR(err));
			if (mend_is_lost(b->mend, seq)) {
				p->last = seq;
				p->more = false;
				continue;
			}
			return p->n > 0 ? TOCSIN_OK : TOCSIN_EBUSY;
		}
		if (e.erased) {
			p->last = seq;
			p->more = false;
			continue;
		}
		if (!page_add(p, &e))
			return TOCSIN_OK;
		p->more = false;
	}
}

static size_t
limit_of(uint32_t max_bytes)
{
	if (max_bytes < LIMIT_LEAST)
		return LIMIT_LEAST;
	return max_bytes < MSG_MAX ? max_bytes : MSG_MAX;
}

/* From where this link is, or from the end of the log if it says more. */
static enum tocsin_err
read_page(struct page *p, struct request *r, uint64_t from)
{
	struct store_rx *rx = NULL;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return err;
	p->last = from < store_head(rx) ? from : store_head(rx);
	msg_accept(&p->reply);
	p->mark = msg_entries_begin(&p->reply, epochs_wire(p->epochs, p->last));
	err = page_fill(p, r->b, rx, span_of(r->who.mailbox));
	store_read_end(rx);
	msg_entries_end(&p->reply, p->mark, p->more, p->n);
	if (!err && !buf_ok(&p->reply))
		err = TOCSIN_EBUSY;
	return err;
}

static void
answer_page(struct request *r, struct page *p)
{
	count_more(r->b->count, BROKER_entries_sent, p->n);
	request_answer(r, &p->reply);
}

static void
answer_empty(struct request *r)
{
	uint64_t from = session_sent_lock(r->session);
	struct buf reply = { 0 };
	size_t mark;

	session_sent_unlock(r->session, from);
	msg_accept(&reply);
	mark = msg_entries_begin(&reply, epochs_wire(&r->b->epochs, from));
	msg_entries_end(&reply, mark, false, 0);
	request_answer(r, &reply);
	buf_release(&reply);
}

/*
 * Look from where the link is, or from an explicit place. True: answered. An
 * answer without entries is given only if `now`.
 */
static bool
look(struct request *r, const struct msg_fetch *m, uint64_t after, bool now)
{
	struct page p = { .epochs = &r->b->epochs,
		.limit = limit_of(m->max_bytes) };
	uint64_t sent = session_sent_lock(r->session);
	enum tocsin_err err;
	bool answered = true;

	if (after != MSG_AFTER_CONTINUE)
		sent = after;
	else if (m->acked > sent)
		sent = m->acked; /* a new link of a device that has some */
	err = read_page(&p, r, sent);
	session_sent_unlock(r->session, err ? sent : p.last);
	if (err)
		request_refuse(r, err, err == TOCSIN_EBUSY ? 1000 : 0, NULL);
	else if (p.n > 0 || now)
		answer_page(r, &p);
	else
		answered = false;
	buf_release(&p.reply);
	return answered;
}

/* The cursors of the device as ours. */
static enum tocsin_err
fetch_decode(struct msg_fetch *m, const struct broker *b, struct span body)
{
	enum tocsin_err err = msg_fetch_decode(m, body);

	if (err)
		return err;
	m->acked = epochs_seq(&b->epochs, m->acked);
	if (m->after != MSG_AFTER_CONTINUE)
		m->after = epochs_seq(&b->epochs, m->after);
	return TOCSIN_OK;
}

/* ---- waiting ---- */

static bool
fetch_look(struct request *r, enum park_why why)
{
	struct msg_fetch m;
	struct span body;

	if (why == PARK_GONE) {
		request_drop(r);
		return true;
	}
	if (why != PARK_WOKEN || session_ended(r->session)) {
		answer_empty(r);
		return true;
	}
	msg_op(buf_span(&r->plain), &body);
	if (fetch_decode(&m, r->b, body) != TOCSIN_OK) { /* it did before */
		request_drop(r);
		return true;
	}
	return look(r, &m, MSG_AFTER_CONTINUE, false);
}

static void
park(struct request *r, uint32_t wait_ms, uint64_t seen)
{
	char owner[DEVICE_MAX + 1];

	snprintf(owner, sizeof(owner), "%s/%s", r->who.member, r->who.device);
	if (wait_ms > MSG_WAIT_MAX)
		wait_ms = MSG_WAIT_MAX;
	request_park(r, span_of(owner), span_of(r->who.mailbox), wait_ms, seen,
	    fetch_look);
}

static void take_acked(struct request *r, uint64_t acked);

void
op_fetch(struct request *r, struct span body)
{
	uint64_t seen = parks_seen(r->b->parks);
	struct msg_fetch m;

	if (fetch_decode(&m, r->b, body) != TOCSIN_OK) {
		request_refuse(r, TOCSIN_EMALFORMED, 0, NULL);
		return;
	}
	take_acked(r, m.acked);
	if (!look(r, &m, m.after, m.wait_ms == 0))
		park(r, m.wait_ms, seen);
}

/* ---- what is urgent ---- */

#define SCAN_MAX 4096 /* entries that one answer looks at */

/*
 * What goes first between brokers, too (PROTOCOL.md 6): flash and immediate,
 * and what it takes to verify them. The line can't stand anywhere else in a
 * note that we took.
 */
static bool
is_urgent(const struct store_entry *e)
{
	static const char flash[] = "\nprecedence flash\n";
	static const char immediate[] = "\nprecedence immediate\n";

	if (e->erased)
		return false;
	if (e->kind == STORE_ROSTER || e->kind == STORE_KEYS)
		return true;
	return e->kind == STORE_TICKET &&
	       (memmem(e->note.p, e->note.n, flash, strlen(flash)) ||
		   memmem(e->note.p, e->note.n, immediate, strlen(immediate)));
}

/* p->last is how far it came; what can't be read, fetch tells of. */
static enum tocsin_err
urgent_fill(struct page *p, struct store_rx *rx, struct span mailbox)
{
	struct store_entry e;
	enum tocsin_err err;
	uint64_t seq, at;
	unsigned n;

	for (n = 0; n < SCAN_MAX; n++) {
		at = p->last;
		err = store_mail_next(rx, mailbox, at, &seq);
		if (err == TOCSIN_ENOTFOUND)
			p->last = store_head(rx);
		if (err)
			return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
		p->more = true;
		if (p->n == MSG_ENTRIES_MAX)
			return TOCSIN_OK;
		if (store_get(rx, seq, &e) == TOCSIN_OK && is_urgent(&e) &&
		    !page_add(p, &e)) {
			p->last = at;
			return TOCSIN_OK;
		}
		p->last = seq;
		p->more = false;
	}
	p->more = true;
	return TOCSIN_OK;
}

void
op_urgent(struct request *r, struct span body)
{
	struct page p = { .epochs = &r->b->epochs };
	struct store_rx *rx = NULL;
	enum tocsin_err err;
	struct msg_urgent m;

	err = msg_urgent_decode(&m, body);
	if (!err)
		err = store_read(r->b->store, &rx);
	if (err) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	p.limit = limit_of(m.max_bytes) - sizeof(uint64_t);
	p.last = epochs_seq(p.epochs, m.after);
	if (p.last > store_head(rx))
		p.last = store_head(rx);
	msg_accept(&p.reply);
	p.mark = msg_entries_begin(&p.reply, epochs_wire(p.epochs, p.last));
	err = urgent_fill(&p, rx, span_of(r->who.mailbox));
	store_read_end(rx);
	msg_entries_end(&p.reply, p.mark, p.more, p.n);
	buf_u64(&p.reply, epochs_wire(p.epochs, p.last));
	if (!err && !buf_ok(&p.reply))
		err = TOCSIN_EBUSY;
	if (err)
		request_refuse(r, err, 0, NULL);
	else
		answer_page(r, &p);
	buf_release(&p.reply);
}

/* ---- what is safe there ---- */

#define ACK_STEP 256 /* entries that one job goes through */

struct ack {
	struct job job;
	struct broker *b;
	struct session *session;
	struct trust_who who;
	uint64_t acked;
	uint64_t done; /* the cursor as this job leaves it */
};

/* A ticket of another member is delivered by being safe here. */
static enum tocsin_err
tell_sender(struct ack *a, struct batch *batch, uint64_t seq)
{
	struct store_entry e;
	enum tocsin_err err = store_get(batch->view, seq, &e);

	if (err == TOCSIN_EBODYMISMATCH)
		return TOCSIN_OK; /* damaged; fetch has said so */
	if (err || e.kind != STORE_TICKET || e.erased ||
	    span_is(e.member, a->who.member))
		return err; /* what is erased may never have been given */
	return receipts_delivered(batch->receipts,
	    receipts_to(e.member, span_of(a->who.exercise)), e.id,
	    a->who.member, a->who.device);
}

static enum tocsin_err
ack_apply(struct job *job, struct batch *batch)
{
	struct ack *a = (struct ack *)job;
	struct span mailbox = span_of(a->who.mailbox);
	uint64_t at, seq, head = store_head(batch->view);
	enum tocsin_err err;
	unsigned n;

	if (a->acked > head)
		a->acked = head; /* nobody has what isn't there yet */
	err = value_get_u64(
	    batch->view, &at, "cursor/%s/%s", a->who.mailbox, a->who.device);
	a->done = at;
	for (n = 0; !err && n < ACK_STEP && at < a->acked; n++) {
		err = store_mail_next(batch->view, mailbox, at, &seq);
		if (err == TOCSIN_ENOTFOUND || (!err && seq > a->acked)) {
			err = TOCSIN_OK;
			at = a->acked;
		} else if (!err) {
			err = tell_sender(a, batch, seq);
			at = seq;
		}
	}
	if (!err && at > a->done)
		err = value_put_u64(batch->tx, at, "cursor/%s/%s",
		    a->who.mailbox, a->who.device);
	if (!err)
		a->done = at;
	return err;
}

static enum tocsin_err
ack_begin(struct job *job, struct batch *batch)
{
	struct ack *a = (struct ack *)job;

	a->acked = session_acked_take(a->session);
	a->job.apply = ack_apply;
	return ack_apply(job, batch);
}

static void
ack_free(struct ack *a)
{
	session_put(a->session);
	free(a);
}

/* On with it if that was not all. */
static void
ack_done(struct job *job, enum tocsin_err err)
{
	struct ack *a = (struct ack *)job;

	if (!err && a->done < a->acked)
		err = writer_submit_later(a->b->writer, job);
	else if (!err)
		ack_free(a);
	if (!err)
		return;
	if (job->apply == ack_begin) /* it never got so far */
		(void)session_acked_take(a->session);
	session_acked_forget(a->session);
	ack_free(a);
}

/* A device has told how far it is: remember, and tell the senders. */
static void
take_acked(struct request *r, uint64_t acked)
{
	struct ack *a;

	if (acked == 0 || !session_acked(r->session, acked))
		return;
	a = calloc(1, sizeof(*a));
	if (a) {
		a->job.apply = ack_begin;
		a->job.done = ack_done;
		a->job.weight = 64;
		a->b = r->b;
		a->session = session_hold(r->session);
		a->who = r->who;
		if (writer_submit_later(r->b->writer, &a->job) == TOCSIN_OK)
			return;
		ack_free(a);
	}
	(void)session_acked_take(r->session);
	session_acked_forget(r->session); /* it is said again */
}
