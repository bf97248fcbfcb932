/* SPDX-License-Identifier: ISC */
/*
 * The link to a peer: handshake, relay.open, and a relay.wait that is always
 * parked there. Whatever goes wrong ends the link, and a new one begins after a
 * pause: a link costs two round trips, and its cursors say all.
 */
#include "broker/log.h"
#include "broker/relay_impl.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 5000  /* for an answer that needs no waiting */
#define WAIT_MS 10000 /* that a relay.wait is parked */
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

void
link_down(struct relay_peer *p, enum tocsin_err why, int64_t now)
{
	/* Of a peer that is away for days: the first, and each hundredth. */
	if (p->failures % 100 == 0)
		log_event(LOG_WARN, "relay-down", LOG_Z("peer", p->name),
		    LOG_ERR(why), LOG_U("tries", p->failures + 1), LOG_END);
	link_wipe(&p->link);
	sodium_memzero(p->key, sizeof(p->key));
	p->state = PEER_DOWN;
	p->call++; /* an answer that is under way comes too late */
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
    const struct buf *frame)
{
	struct answer *a = buf_ok(frame) ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return false;
	a->r = r;
	a->peer = p;
	a->roster = roster;
	a->call = number;
	net_call(r->b->net, p->name, buf_span(frame),
	    roster || p->state != PEER_UP ? CALL_MS : WAIT_MS + CALL_MS,
	    on_answer, a);
	return true;
}

static void
call(
    struct relay *r, struct relay_peer *p, const struct buf *frame, int64_t now)
{
	if (!link_call(r, p, ++p->call, false, frame))
		link_down(p, TOCSIN_EBUSY, now);
}

static void
ask_wait(struct relay *r, struct relay_peer *p, int64_t now)
{
	struct msg_relay_wait m = { .wait_ms = WAIT_MS, .known = p->known };
	struct buf request = { .max = MSG_MAX }, frame = { 0 };
	enum tocsin_err err;

	memcpy(m.link, p->id, sizeof(m.link));
	msg_relay_wait_encode(&request, &m);
	err = link_spent(&p->link) ? TOCSIN_ETIMEOUT : TOCSIN_OK;
	if (!err)
		err =
		    link_ask(&p->link, buf_span(&request), &frame, &p->number);
	if (err)
		link_down(p, err, now);
	else
		call(r, p, &frame, now);
	buf_release(&request);
	buf_release(&frame);
}

void
link_begin(struct relay *r, struct relay_peer *p, int64_t now)
{
	struct buf prologue = { 0 }, frame = { 0 };
	enum tocsin_err err;

	noise_prologue(&prologue, span_of(r->b->conf.federation),
	    span_of(p->name), trust_genesis(r->trust));
	err = link_hello(&p->link, r->b->conf.noise_sk, p->noise,
	    buf_span(&prologue), &frame);
	if (err) {
		link_down(p, err, now);
	} else {
		p->state = PEER_HELLO;
		call(r, p, &frame, now);
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
		p->number = 0;
		call(r, p, &frame, now);
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
	err = count_agree(r, p, &m.at);
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
	p->beat_at = now;
	p->known = m.at;
	p->state = PEER_UP;
	p->failures = 0;
	p->roster.want = true;
	lane_tx_open(&p->tx, &m.at, m.window, now);
	log_event(LOG_INFO, "relay-up", LOG_Z("peer", p->name), LOG_END);
	return TOCSIN_OK;
}

static enum tocsin_err
on_cursors(
    struct relay *r, struct relay_peer *p, struct span fields, int64_t now)
{
	struct msg_relay_at m;
	enum tocsin_err err = msg_relay_at_decode(&m, fields);

	if (err)
		return err;
	if (m.repeat)
		broker_count(r->b, BROKER_relay_repeats);
	p->known = m.at;
	lane_tx_ack(&p->tx, &m, now);
	return TOCSIN_OK;
}

void
link_answered(
    struct relay *r, struct relay_peer *p, struct answer *a, int64_t now)
{
	struct buf plain = { 0 };
	struct span fields = { 0 };
	enum tocsin_err err = a->err;

	if (a->call != p->call || p->state == PEER_DOWN)
		return;
	if (!err)
		p->heard = now;
	if (!err && p->state == PEER_HELLO) {
		on_hello(r, p, a, now);
		return;
	}
	if (!err)
		err = link_read(p, p->number, a, &plain, &fields);
	if (!err)
		err = p->state == PEER_OPENING ? link_up(r, p, fields, now)
					       : on_cursors(r, p, fields, now);
	if (err)
		link_down(p, err, now);
	else
		ask_wait(r, p, now);
	buf_release(&plain);
}
