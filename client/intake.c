/* SPDX-License-Identifier: ISC */
#include "client/intake.h"

#include "crypto/receipt.h"
#include "crypto/ticket.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS 20000

enum kind { TICKET = 1, ROSTER = 2, KEYS = 3, RECEIPT = 4 };

/* What one answer is judged with. */
struct work {
	const struct intake *in;
	struct desk_tx *tx;
	int64_t now;
	struct ticket ticket;
	struct note note;
	struct receipt receipt;
};

/* ---- what did not fit into the answer ---- */

static enum tocsin_err
get_body(const struct intake *in, const struct ticket *t, struct buf *out)
{
	struct msg_get m = { .max = MSG_RANGE_MAX };
	enum tocsin_err err = TOCSIN_OK;

	memcpy(m.id, t->id, sizeof(m.id));
	memcpy(m.hash, t->body_hash, sizeof(m.hash));
	while (err == TOCSIN_OK && out->n < t->body_size) {
		struct buf request = { 0 }, fields = { 0 };
		struct msg_range r;

		m.offset = out->n;
		msg_get_encode(&request, &m);
		err = sync_ask(in->sync, buf_span(&request), ASK_MS, &fields);
		if (err == TOCSIN_OK)
			err = msg_range_decode(&r, buf_span(&fields));
		if (err == TOCSIN_OK && r.bytes.n == 0)
			err = TOCSIN_EUNAVAILABLE;
		if (err == TOCSIN_OK)
			buf_add(out, r.bytes);
		buf_release(&request);
		buf_release(&fields);
	}
	return err;
}

static enum tocsin_err
get_roster(const struct intake *in, uint64_t serial, struct buf *out)
{
	enum tocsin_err err = TOCSIN_OK;
	uint32_t total = 1;

	while (err == TOCSIN_OK && out->n < total) {
		struct msg_roster m = { serial, (uint32_t)out->n };
		struct buf request = { 0 }, fields = { 0 };
		struct msg_roster_range r;

		msg_roster_encode(&request, &m);
		err = sync_ask(in->sync, buf_span(&request), ASK_MS, &fields);
		if (err == TOCSIN_OK)
			err = msg_roster_range_decode(&r, buf_span(&fields));
		if (err == TOCSIN_OK &&
		    (r.bytes.n == 0 || r.total > ROSTER_FILE_MAX))
			err = TOCSIN_EMALFORMED;
		if (err == TOCSIN_OK) {
			buf_add(out, r.bytes);
			total = r.total;
		}
		buf_release(&request);
		buf_release(&fields);
	}
	return err;
}

/* The roster that follows ours is the only one that can be of use. */
static uint64_t
next_serial(const struct intake *in)
{
	const struct roster *r;
	uint64_t serial;

	pthread_mutex_lock(in->parts->lock);
	r = in->parts->belief->roster;
	serial = r != NULL ? r->serial + 1 : 0;
	pthread_mutex_unlock(in->parts->lock);
	return serial;
}

/* Before the transaction: nothing waits for the network inside one. */
static enum tocsin_err
complete(struct work *w, struct msg_entry *e, struct buf *extra)
{
	enum tocsin_err err;

	if (!e->detached)
		return TOCSIN_OK;
	if (e->kind == ROSTER) {
		err = get_roster(w->in, next_serial(w->in), extra);
		e->note = buf_span(extra);
		return err;
	}
	if (e->kind != TICKET ||
	    ticket_parse(&w->ticket, &w->note, e->note) != TOCSIN_OK)
		return TOCSIN_OK; /* it will be refused as it is */
	err = get_body(w->in, &w->ticket, extra);
	e->body = buf_span(extra);
	return err;
}

/* ---- tickets ---- */

/* The last message of each device that we have seen, to notice a fork. */
static enum tocsin_err
check_chain(struct work *w)
{
	const struct ticket *t = &w->ticket;
	uint8_t row[8 + ID_LEN] = { 0 };
	enum tocsin_err err = TOCSIN_OK;
	struct buf b = { 0 };
	struct span last;
	uint64_t seq = 0;
	char name[128];
	struct rd r;

	snprintf(name, sizeof(name), "chain/%.*s/%.*s", (int)t->from.n,
	    (const char *)t->from.p, (int)t->device.n,
	    (const char *)t->device.p);
	if (desk_value_get(w->tx, name, &last) == TOCSIN_OK) {
		r = rd_init(last);
		seq = rd_u64(&r);
		rd_copy(&r, row, ID_LEN);
	}
	switch (ticket_chain(t, seq, row)) {
	case TICKET_CONFLICT:
		return TOCSIN_ECHAINCONFLICT;
	case TICKET_LATE:
		return TOCSIN_OK;
	case TICKET_NEXT:
	case TICKET_GAP: /* we see our share only */
		break;
	}
	buf_u64(&b, t->seq);
	buf_add(&b, SPAN(t->id));
	err = buf_ok(&b) ? desk_value_put(w->tx, name, buf_span(&b))
			 : TOCSIN_EINTERNAL;
	buf_release(&b);
	return err;
}

/* A message is an exercise exactly if the ticket that it belongs to is one. */
static enum tocsin_err
check_exercise(struct work *w)
{
	struct ticket *first;
	struct desk_message m;
	struct note note;
	enum tocsin_err err = TOCSIN_OK;
	uint64_t n;

	if (!w->ticket.has_thread ||
	    desk_find(w->tx, w->ticket.thread, &n) != TOCSIN_OK ||
	    desk_get(w->tx, n, &m) != TOCSIN_OK)
		return TOCSIN_OK;
	first = malloc(sizeof(*first));
	if (first == NULL)
		return TOCSIN_EINTERNAL;
	if (ticket_parse(first, &note, m.note) == TOCSIN_OK &&
	    !span_eq(first->exercise, w->ticket.exercise))
		err = TOCSIN_EEXERCISEMISMATCH;
	free(first);
	return err;
}

static enum tocsin_err
judge(struct work *w, struct span body)
{
	const struct sync_parts *p = w->in->parts;
	struct ticket_trust trust;
	enum tocsin_err err;

	trust = belief_trust(p->belief, &w->ticket, w->now);
	err = ticket_check(&w->ticket, &w->note, &trust);
	if (err == TOCSIN_OK &&
	    ticket_to_find(&w->ticket, span_of(p->keys->member)) < 0)
		err = TOCSIN_ENOTRECIPIENT;
	if (err == TOCSIN_OK)
		err = ticket_check_body(&w->ticket, body);
	if (err == TOCSIN_OK)
		err = check_exercise(w);
	if (err == TOCSIN_OK)
		err = check_chain(w);
	return err;
}

static enum tocsin_err
came_back(struct work *w, const struct msg_entry *e, uint64_t number)
{
	struct desk_message m;
	enum tocsin_err err = desk_get(w->tx, number, &m);

	if (err != TOCSIN_OK || m.posted != 0)
		return err;
	m.seq = e->seq;
	m.posted = e->time;
	return desk_update(w->tx, &m);
}

static enum tocsin_err
take_ticket(struct work *w, const struct msg_entry *e)
{
	struct desk_message m = { .seq = e->seq,
		.posted = e->time,
		.arrived = w->now,
		.note = e->note,
		.body = e->body };
	enum tocsin_err err;
	uint64_t number;

	m.refused = ticket_parse(&w->ticket, &w->note, e->note);
	if (m.refused == TOCSIN_OK) {
		memcpy(m.id, w->ticket.id, ID_LEN);
		memcpy(m.thread,
		    w->ticket.has_thread ? w->ticket.thread : w->ticket.id,
		    ID_LEN);
	} else { /* no id can be believed; keep it under that of its bytes */
		crypto_hash_sha256(m.id, e->note.p, e->note.n);
		memcpy(m.thread, m.id, ID_LEN);
	}
	err = desk_find(w->tx, m.id, &number);
	if (err == TOCSIN_OK)
		return came_back(w, e, number);
	if (err != TOCSIN_ENOTFOUND)
		return err;
	if (m.refused == TOCSIN_OK)
		m.refused = judge(w, e->body);
	if (m.refused == TOCSIN_OK)
		m.own = span_eq(w->ticket.from,
			    span_of(w->in->parts->keys->member)) &&
			span_is(w->ticket.device, w->in->parts->keys->label);
	return desk_put(w->tx, &m);
}

/* ---- receipts ---- */

/* A broker speaks for its own nation's members, and of what we have sent. */
static enum tocsin_err
take_line(struct work *w, const struct receipt_line *l)
{
	const struct receipt *r = &w->receipt;
	const struct roster_broker *b;
	struct desk_place p = { .kind = (uint8_t)l->kind, .time = r->time };
	char by[LABEL_MAX + LABEL_MAX + 2];
	uint64_t number;

	b = roster_broker(w->in->parts->belief->roster, span_of(r->broker));
	if (b == NULL || desk_find(w->tx, l->id, &number) != TOCSIN_OK)
		return TOCSIN_OK;
	p.who = span_of(b->nation);
	p.by = span_of(r->broker);
	if (l->kind == RECEIPT_DELIVERED) {
		p.who = span_of(l->member);
		if (!span_is(member_nation(p.who), b->nation))
			return TOCSIN_OK;
		snprintf(by, sizeof(by), "%s %s", r->broker, l->device);
		p.by = span_of(by);
	}
	p.reason = span_of(l->reason);
	return desk_place_put(w->tx, l->id, &p);
}

static enum tocsin_err
take_receipt(struct work *w, const struct msg_entry *e)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (receipt_open(&w->receipt, w->in->parts->belief->roster, e->note) !=
	    TOCSIN_OK)
		return TOCSIN_OK;
	for (i = 0; err == TOCSIN_OK && i < w->receipt.nline; i++)
		err = take_line(w, &w->receipt.line[i]);
	return err;
}

/* ---- all ---- */

/* A storage error ends the answer; a text that is no good is passed over. */
static enum tocsin_err
only_storage(enum tocsin_err err)
{
	return err == TOCSIN_ENOSPACE || err == TOCSIN_EINTERNAL ? err
								 : TOCSIN_OK;
}

static enum tocsin_err
take(struct work *w, const struct msg_entry *e)
{
	struct belief *b = w->in->parts->belief;
	enum tocsin_err err = belief_load(b, w->tx);

	if (err != TOCSIN_OK)
		return err;
	switch ((enum kind)e->kind) {
	case TICKET:
		return take_ticket(w, e);
	case ROSTER:
		return only_storage(
		    belief_take_roster(b, w->tx, e->note, false, w->now));
	case KEYS:
		return only_storage(
		    belief_take_keys(b, w->tx, e->note, w->now));
	case RECEIPT:
		return take_receipt(w, e);
	}
	return TOCSIN_OK; /* a kind that is newer than we are */
}

static enum tocsin_err
store(struct work *w, const struct msg_entry *entry, size_t n, uint64_t *cursor)
{
	enum tocsin_err err = desk_write(w->in->parts->desk, &w->tx);
	size_t i;

	if (err != TOCSIN_OK)
		return err;
	for (i = 0; err == TOCSIN_OK && i < n; i++)
		if (entry[i].seq > *cursor)
			err = take(w, &entry[i]);
	if (err == TOCSIN_OK && entry[n - 1].seq > *cursor)
		err = desk_u64_put(w->tx, "cursor", entry[n - 1].seq);
	if (err != TOCSIN_OK) {
		desk_end(w->tx);
		/* What was loaded may come from the change that is undone. */
		belief_release(w->in->parts->belief);
		return err;
	}
	err = desk_commit(w->tx);
	if (err == TOCSIN_OK && entry[n - 1].seq > *cursor)
		*cursor = entry[n - 1].seq;
	return err;
}

enum tocsin_err
intake_entries(
    const struct intake *in, const struct msg_entries *m, uint64_t *cursor)
{
	struct work *w = calloc(1, sizeof(*w));
	struct msg_entry *entry = calloc(m->n, sizeof(*entry));
	struct buf *extra = calloc(m->n, sizeof(*extra));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	size_t i;

	if (w == NULL || entry == NULL || extra == NULL)
		goto out;
	w->in = in;
	w->now = (int64_t)time(NULL);
	err = TOCSIN_OK;
	for (i = 0; err == TOCSIN_OK && i < m->n; i++) {
		entry[i] = m->entry[i];
		err = complete(w, &entry[i], &extra[i]);
	}
	if (err == TOCSIN_OK) {
		pthread_mutex_lock(in->parts->lock);
		err = store(w, entry, m->n, cursor);
		pthread_mutex_unlock(in->parts->lock);
	}
out:
	for (i = 0; extra != NULL && i < m->n; i++)
		buf_release(&extra[i]);
	free(extra);
	free(entry);
	free(w);
	return err;
}
