/* SPDX-License-Identifier: ISC */
/*
 * The link to a peer: handshake, relay.open, and a relay.wait that is always
 * parked there. Whatever goes wrong ends the link, and a new one begins after a
 * pause: a link costs two round trips, and its cursors say all.
 */
#include "broker/log.h"
#include "broker/relay_impl.h"
#include "broker/tcp_tune.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 5000  /* for an answer that needs no waiting */
#define WAIT_MS 10000 /* that a relay.wait is parked */
#define SIGN_MS 4000  /* the first of them: a sign of life */
#define DEAD_MS 6000  /* nothing was heard for so long ... */
#define DEAD_TRYING_MS \
	TCP_TUNE_GIVE_UP_MS /* ... if TCP itself goes on trying */
#define BACKOFF_MIN 200
#define BACKOFF_MAX 10000

static int64_t
backoff(unsigned failures)
{
	int64_t ms = BACKOFF_MAX;

	if (failures < 6)
		ms = (int64_t)BACKOFF_MIN << failures;
	return ms - (int64_t)randombytes_uniform((uint32_t)ms / 2);
}

/* The first of the waits is answered every few seconds, whatever happens. */
bool
link_is_dead(const struct relay *r, const struct relay_peer *p, int64_t now)
{
	return p->state == PEER_UP &&
	       now - p->heard >= (r->tries_often ? DEAD_TRYING_MS : DEAD_MS);
}

void
link_down(struct relay_peer *p, enum tocsin_err why, int64_t now)
{
	/* Of a peer that is away for days: the first, and each hundredth. */
	if (p->failures % 100 == 0)
		log_limited(&p->comings, LOG_WARN, "relay-down",
		    LOG_Z("peer", p->name), LOG_ERR(why),
		    LOG_U("tries", p->failures + 1));
	link_wipe(&p->link);
	sodium_memzero(p->key, sizeof(p->key));
	p->state = PEER_DOWN;
	/* An answer that is under way comes too late. */
	memset(p->asked, 0, sizeof(p->asked));
	p->heal.at = 0;
	roster_forget(p);
	p->retry_at = now + backoff(p->failures++);
}

/* ---- calling ---- */

static void
on_answer(void *arg, enum tocsin_err err, struct span frame)
{
	struct answer *a = arg;
	struct relay *r = a->r;

	a->err = err;
	buf_add(&a->frame, frame);
	if (!buf_ok(&a->frame))
		a->err = TOCSIN_EBUSY;
	pthread_mutex_lock(&r->lock);
	a->next = r->answers;
	r->answers = a;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

bool
link_call(struct relay *r, struct relay_peer *p, uint64_t number, bool roster,
    unsigned slot, const struct buf *frame)
{
	struct answer *a = buf_ok(frame) ? calloc(1, sizeof(*a)) : NULL;
	unsigned ms =
	    roster || p->state != PEER_UP ? CALL_MS : WAIT_MS + CALL_MS;

	if (!a)
		return false;
	a->r = r;
	a->peer = p;
	a->roster = roster;
	a->slot = slot;
	a->call = number;
	if (p->pulled)
		pulls_call(
		    r->pulls, p->name, buf_span(frame), ms, on_answer, a);
	else
		net_call(r->b->net, p->name, buf_span(frame), ms, on_answer, a);
	return true;
}

static void
call(struct relay *r, struct relay_peer *p, unsigned slot,
    const struct buf *frame, int64_t now)
{
	p->asked[slot].call = ++p->calls;
	if (!link_call(r, p, p->calls, false, slot, frame))
		link_down(p, TOCSIN_EBUSY, now);
}

void
link_ask_in(struct relay *r, struct relay_peer *p, unsigned slot,
    struct span request, int64_t now)
{
	struct buf frame = { 0 };
	enum tocsin_err err;

	err = link_spent(&p->link) ? TOCSIN_ETIMEOUT : TOCSIN_OK;
	if (!err)
		err =
		    link_ask(&p->link, request, &frame, &p->asked[slot].number);
	if (err)
		link_down(p, err, now);
	else
		call(r, p, slot, &frame, now);
	buf_release(&frame);
}

static void
ask_wait(struct relay *r, struct relay_peer *p, unsigned slot, int64_t now)
{
	struct msg_relay_wait m = { .wait_ms = slot == 0 ? SIGN_MS : WAIT_MS,
		.bytes = lane_tx_news(&p->tx) };
	struct buf request = { .max = MSG_MAX };

	memcpy(m.link, p->id, sizeof(m.link));
	msg_relay_wait_encode(&request, &m);
	link_ask_in(r, p, slot, buf_span(&request), now);
	buf_release(&request);
}

void
link_begin(struct relay *r, struct relay_peer *p, int64_t now)
{
	struct buf prologue = { 0 }, frame = { 0 };
	enum tocsin_err err;

	p->begun_at = now;
	noise_prologue(&prologue, span_of(r->b->conf.federation),
	    span_of(p->name), trust_genesis(r->trust));
	err = link_hello(&p->link, r->b->conf.noise_sk, p->noise,
	    buf_span(&prologue), &frame);
	if (err) {
		link_down(p, err, now);
	} else {
		p->state = PEER_HELLO;
		call(r, p, 0, &frame, now);
	}
	buf_release(&prologue);
	buf_release(&frame);
}

/* ---- answers ---- */

static void
on_hello(
    struct relay *r, struct relay_peer *p, const struct answer *a, int64_t now)
{
	static const uint8_t open[] = { MSG_RELAY_OPEN };
	struct buf frame = { 0 };
	enum tocsin_err err;

	err = link_finish(&p->link, buf_span(&a->frame), SPAN(open), &frame);
	if (err) {
		link_down(p, err, now);
	} else {
		p->state = PEER_OPENING;
		p->asked[0].number = 0;
		call(r, p, 0, &frame, now);
	}
	buf_release(&frame);
}

enum tocsin_err
link_read(const struct relay_peer *p, uint64_t number, const struct answer *a,
    struct buf *plain, struct span *fields)
{
	struct msg_reply reply;
	uint32_t retry_ms;
	enum tocsin_err err;

	err = link_answer(
	    &p->link, number, buf_span(&a->frame), plain, &retry_ms);
	if (!err)
		err = msg_reply_decode(&reply, buf_span(plain));
	if (!err)
		err = reply.code;
	if (!err)
		*fields = reply.rest;
	return err;
}

static enum tocsin_err
link_up(struct relay *r, struct relay_peer *p, struct span fields, int64_t now)
{
	struct msg_relay m;
	enum tocsin_err err = msg_relay_decode(&m, fields);

	if (err)
		return err;
	err = count_agree(r, p, &m.at, &m.from);
	if (err) {
		p->tallied = false; /* it may be numbered anew */
		sodium_memzero(&m, sizeof(m));
		return err;
	}
	p->accept = m.accept; /* what is not shipped has another mark */
	err = tally_open(r, p, &m, now);
	if (err) {
		sodium_memzero(&m, sizeof(m));
		return err;
	}
	send_forget(p); /* the numbers may be others' now */
	memset(p->trimmed, 0, sizeof(p->trimmed));
	memcpy(p->id, m.link, sizeof(p->id));
	memcpy(p->key, m.key, sizeof(p->key));
	sodium_memzero(m.key, sizeof(m.key));
	p->counter = 0;
	p->beat_at[NET_URGENT] = p->beat_at[NET_BULK] = now;
	p->waits = m.waits < PEER_WAITS ? m.waits : PEER_WAITS;
	p->state = PEER_UP;
	p->failures = 0;
	p->roster.want = true;
	fetch_open(p);
	lane_tx_open(&p->tx, &m.at, &m.from, m.window, now);
	log_limited(&p->comings, LOG_INFO, "relay-up", LOG_Z("peer", p->name));
	return TOCSIN_OK;
}

/* What is for it waits here; nothing else is to be done about it. */
static void
note_full(struct relay_peer *p, bool full)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);

	if (full != p->full)
		log_limited(&limit, full ? LOG_WARN : LOG_INFO,
		    full ? "relay-peer-full" : "relay-peer-room",
		    LOG_Z("peer", p->name));
	p->full = full;
}

static enum tocsin_err
on_cursors(
    struct relay *r, struct relay_peer *p, struct span fields, int64_t now)
{
	struct msg_relay_at m;
	enum tocsin_err err = msg_relay_at_decode(&m, fields);
	unsigned lane;

	if (err)
		return err;
	if (!lane_tx_believes(&p->tx, &m, &lane)) {
		log_limited(&p->counts, LOG_ERROR, "relay-cursor-ahead",
		    LOG_Z("peer", p->name), LOG_U("lane", lane),
		    LOG_U("item", m.at.item[lane]),
		    LOG_U("sent", p->tx.lane[lane].most.item));
		return TOCSIN_EMALFORMED;
	}
	note_full(p, m.full);
	if (m.missing)
		broker_count(r->b, BROKER_relay_repeats);
	lane_tx_ack(&p->tx, &m, now);
	return tally_answer(r, p, &m, now);
}

/* As many waits as the peer allows; one at least. */
static void
ask_waits(struct relay *r, struct relay_peer *p, int64_t now)
{
	unsigned i;

	for (i = 0; p->state == PEER_UP && i < PEER_WAITS; i++)
		if (p->asked[i].call == 0 && (i == 0 || i < p->waits))
			ask_wait(r, p, i, now);
}

void
link_answered(
    struct relay *r, struct relay_peer *p, struct answer *a, int64_t now)
{
	struct asked asked = p->asked[a->slot];
	struct buf plain = { 0 };
	struct span fields = { 0 };
	enum tocsin_err err = a->err;

	if (a->call != asked.call || p->state == PEER_DOWN)
		return;
	p->asked[a->slot].call = 0;
	if (!err)
		p->heard = now;
	if (!err && p->state == PEER_HELLO) {
		on_hello(r, p, a, now);
		return;
	}
	if (!err)
		err = link_read(p, asked.number, a, &plain, &fields);
	if (a->slot == PEER_HEAL) {
		heal_answered(r, p, err, fields, now);
		buf_release(&plain);
		return;
	}
	if (a->slot >= PEER_PULL) {
		fetch_answered(r, p, err, fields, now);
		buf_release(&plain);
		return;
	}
	if (!err)
		err = p->state == PEER_OPENING ? link_up(r, p, fields, now)
					       : on_cursors(r, p, fields, now);
	if (err)
		link_down(p, err, now);
	else
		ask_waits(r, p, now);
	buf_release(&plain);
}
