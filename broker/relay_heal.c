/* SPDX-License-Identifier: ISC */
/*
 * After a difference (relay_tally.c): which of the entries that were posted
 * here for the peer's nation, and of their parts, does it lack? When all that
 * is queued has arrived, our log is gone through once, the peer is asked by
 * relay.have, and what it lacks is queued as if it were new. What it had after
 * all is a duplicate there.
 */
#include "broker/dispatch.h"
#include "broker/exercise.h"
#include "broker/intake_impl.h"
#include "broker/log.h"
#include "broker/relay_impl.h"
#include "crypto/ticket.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_MAX 500 /* entries between two looks at the links */
#define AGAIN_MS 10000

/* ---- what it should have ---- */

static bool
is_full(const struct heal *h)
{
	return h->n + 1 + TICKET_PARTS_MAX > HEAL_MAX;
}

static void
put(struct heal *h, uint64_t seq, const uint8_t id[32], bool part)
{
	struct heal_item *it = &h->item[h->n++];

	it->seq = seq;
	it->part = part;
	memcpy(it->id, id, sizeof(it->id));
}

static void
put_ticket(struct heal *h, const struct relay_peer *p, struct store_rx *rx,
    const struct store_entry *e)
{
	struct store_part part;
	struct ticket t;
	struct note note;
	size_t i;

	if (ticket_parse(&t, &note, e->note) != TOCSIN_OK ||
	    !send_names(&t, span_of(p->nation)))
		return;
	put(h, e->seq, e->id, false);
	for (i = 0; i < t.npart; i++)
		if (store_part_stat(rx, t.part[i].hash, &part) == TOCSIN_OK &&
		    part.complete)
			put(h, e->seq, t.part[i].hash, true);
}

/* Only what was posted or made here goes to peers. */
static void
look_at(struct heal *h, const struct relay_peer *p, struct store_rx *rx,
    uint64_t seq)
{
	struct store_entry e;

	if (store_get(rx, seq, &e) != TOCSIN_OK || e.via.n > 0 || e.erased)
		return;
	e.seq = seq;
	if (e.kind == STORE_TICKET)
		put_ticket(h, p, rx, &e);
	else if (e.kind != STORE_RECEIPT ||
		 span_eq(member_nation(e.member), span_of(p->nation)))
		put(h, seq, e.id, false);
}

static enum tocsin_err
collect(struct relay *r, struct relay_peer *p)
{
	struct heal *h = &p->heal;
	struct store_rx *rx;
	unsigned scanned = 0;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return err;
	if (h->at == 0)
		h->end = store_head(rx);
	h->n = 0;
	while (h->at < h->end && scanned++ < SCAN_MAX && !is_full(h))
		look_at(h, p, rx, ++h->at);
	store_read_end(rx);
	return TOCSIN_OK;
}

/* ---- asking ---- */

static bool
caught_up(const struct relay_peer *p)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		const struct lane_tx_lane *l = &p->tx.lane[i];

		if (!l->idle || l->next.offset > 0 ||
		    l->next.item != p->tally[i].n)
			return false;
	}
	return true;
}

static enum tocsin_err
ask(struct relay *r, struct relay_peer *p)
{
	struct buf request = { .max = MSG_MAX }, frame = { 0 };
	struct asked *a = &p->asked[PEER_HEAL];
	enum tocsin_err err;
	size_t i;

	buf_u8(&request, MSG_RELAY_HAVE);
	for (i = 0; i < p->heal.n; i++)
		buf_add(&request, SPAN(p->heal.item[i].id));
	err = buf_ok(&request) ? TOCSIN_OK : TOCSIN_EBUSY;
	if (!err)
		err =
		    link_ask(&p->link, buf_span(&request), &frame, &a->number);
	if (!err) {
		a->call = ++p->calls;
		if (!link_call(r, p, a->call, false, PEER_HEAL, &frame))
			err = TOCSIN_EBUSY;
	}
	if (err)
		a->call = 0;
	buf_release(&request);
	buf_release(&frame);
	return err;
}

static void
finish(struct relay *r, struct relay_peer *p)
{
	p->heal.want = false;
	p->heal.at = 0;
	p->tally_dirty = true;
	log_limited(&p->differs, LOG_WARN, "relay-healed",
	    LOG_Z("peer", p->name), LOG_U("entries", p->heal.end),
	    LOG_U("missing", p->heal.missing));
	broker_count(r->b, BROKER_relay_healed);
	p->heal.missing = 0;
}

/* From the beginning, some time; what was queued already is a duplicate. */
static void
begin_anew(struct heal *h, int64_t now)
{
	h->at = 0;
	h->missing = 0;
	h->again = now + AGAIN_MS;
}

int64_t
heal_step(struct relay *r, struct relay_peer *p, int64_t now)
{
	struct heal *h = &p->heal;

	if (!h->want || p->asked[PEER_HEAL].call != 0 ||
	    atomic_load(&h->queueing))
		return INT64_MAX;
	if (atomic_exchange(&h->failed, false))
		begin_anew(h, now); /* also if it was the last to be queued */
	if (now < h->again)
		return h->again;
	if (h->at == 0 && !caught_up(p))
		return INT64_MAX;
	if (h->at == 0 && !patience_take(&h->begun, now)) {
		h->again = patience_at(&h->begun);
		return h->again;
	}
	if (collect(r, p) != TOCSIN_OK) {
		h->again = now + AGAIN_MS;
		return h->again;
	}
	if (h->n > 0 && ask(r, p) != TOCSIN_OK) {
		begin_anew(h, now);
		return h->again;
	}
	if (h->n > 0)
		return INT64_MAX;
	if (h->at >= h->end)
		finish(r, p);
	return now;
}

/* ---- queueing what is missing ---- */

struct requeue {
	struct job job;
	struct relay *r;
	struct relay_peer *p;
	char peer[LABEL_MAX + 1];
	size_t n;
	struct heal_item item[HEAL_MAX];
};

unsigned
heal_lane(struct store_rx *rx, uint64_t seq)
{
	char exercise[EXERCISE_MAX + 1];
	struct store_entry e;
	struct ticket t;
	struct note note;

	if (store_get(rx, seq, &e) != TOCSIN_OK || e.kind == STORE_ROSTER ||
	    e.kind == STORE_KEYS)
		return LANE_FLASH;
	if (e.kind == STORE_RECEIPT)
		return exercise_of(exercise, rx, seq) == TOCSIN_OK &&
			       exercise[0] != '\0'
			   ? LANE_ROUTINE
			   : LANE_IMMEDIATE;
	if (ticket_parse(&t, &note, e.note) != TOCSIN_OK)
		return LANE_IMMEDIATE;
	return intake_lane(&t, false);
}

static enum tocsin_err
requeue_apply(struct job *job, struct batch *batch)
{
	struct requeue *q = (struct requeue *)job;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < q->n && !err; i++) {
		const struct heal_item *it = &q->item[i];
		struct store_out out = { .seq = it->seq };
		unsigned lane;

		lane = it->part ? LANE_BULK : heal_lane(batch->view, it->seq);
		if (it->part) {
			out = (struct store_out){ .ticket = it->seq };
			memcpy(out.part, it->id, sizeof(out.part));
		}
		err = store_out_add(batch->tx, span_of(q->peer), lane, &out);
	}
	names_add(&batch->peers, span_of(q->peer));
	return err;
}

static void
requeue_done(struct job *job, enum tocsin_err err)
{
	struct requeue *q = (struct requeue *)job;

	if (err)
		atomic_store(&q->p->heal.failed, true);
	atomic_store(&q->p->heal.queueing, false);
	relay_poke(q->r);
	free(q);
}

static void
requeue(struct relay *r, struct relay_peer *p, struct requeue *q)
{
	q->r = r;
	q->p = p;
	memcpy(q->peer, p->name, sizeof(q->peer));
	q->job = (struct job){ .weight = 4096,
		.posts = q->n,
		.apply = requeue_apply,
		.done = requeue_done };
	atomic_store(&p->heal.queueing, true);
	if (writer_submit(r->b->writer, &q->job) == TOCSIN_OK)
		return;
	atomic_store(&p->heal.failed, true);
	atomic_store(&p->heal.queueing, false);
	free(q);
}

void
heal_answered(struct relay *r, struct relay_peer *p, enum tocsin_err err,
    struct span lacks, int64_t now)
{
	struct heal *h = &p->heal;
	struct requeue *q = NULL;
	size_t i;

	if (!err && lacks.n != (h->n + 7) / 8)
		err = TOCSIN_EMALFORMED;
	if (!err && !(q = calloc(1, sizeof(*q))))
		err = TOCSIN_EBUSY;
	if (err) {
		begin_anew(h, now);
		free(q);
		return;
	}
	for (i = 0; i < h->n; i++)
		if (lacks.p[i / 8] & 1u << i % 8)
			q->item[q->n++] = h->item[i];
	h->missing += q->n;
	if (q->n > 0)
		requeue(r, p, q);
	else
		free(q);
}

/* ---- being asked ---- */

/* Nobody learns more than about what came from him. */
static bool
has(struct store_rx *rx, const struct trust_who *who, const uint8_t id[32])
{
	struct store_part part;
	struct store_entry e;
	uint64_t seq;

	if (store_find(rx, id, &seq) != TOCSIN_OK) {
		if (store_part_stat(rx, id, &part) != TOCSIN_OK ||
		    !part.complete)
			return false;
		seq = part.first_seq;
	}
	if (seq == 0 || store_get(rx, seq, &e) != TOCSIN_OK)
		return false;
	return e.kind == STORE_ROSTER || span_is(e.via, who->broker) ||
	       (e.kind != STORE_RECEIPT &&
		   span_eq(member_nation(e.member), span_of(who->nation)));
}

void
op_relay_have(struct request *r, struct span body)
{
	uint8_t lacks[(HEAL_MAX + 7) / 8] = { 0 };
	struct buf reply = { 0 };
	struct store_rx *rx;
	size_t n = body.n / 32, i;
	enum tocsin_err err = TOCSIN_EMALFORMED;

	if (n > 0 && n <= HEAL_MAX && body.n % 32 == 0)
		err = store_read(r->b->store, &rx);
	if (err) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	for (i = 0; i < n; i++)
		if (!has(rx, &r->who, body.p + 32 * i))
			lacks[i / 8] |= (uint8_t)(1u << i % 8);
	store_read_end(rx);
	msg_accept(&reply);
	buf_add(&reply, (struct span){ lacks, (n + 7) / 8 });
	request_answer(r, &reply);
	buf_release(&reply);
}
