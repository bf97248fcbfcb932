/* SPDX-License-Identifier: ISC */
#include "broker/pull.h"

#include "broker/clock.h"
#include "broker/relay.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16
#define PULLED_HEAD 7 /* of an answer, before the parcels */

/* A frame, or a request if it has a number. */
struct parcel {
	struct parcel *next;
	uint64_t call;
	struct buf bytes;
};

/* A request that is in the box, or on its way. */
struct pulled_call {
	struct pulled_call *next;
	uint64_t number;
	bool sent;
	int64_t deadline;
	net_reply_fn *fn;
	void *arg;
};

struct row {
	struct parcel *first;
	struct parcel **last;
};

/* What is for one peer. Once made, it stays. */
struct box {
	struct box *next;
	char peer[LABEL_MAX + 1];
	uint8_t key[KEY_BYTES]; /* under which its requests are parked */
	bool fetches;
	bool grown;		       /* since pulls_flush() */
	bool connected;		       /* it has asked, and not long ago */
	int64_t seen;		       /* when it asked last */
	const struct session *session; /* over which; only compared */
	uint32_t number; /* of the last answer that had something */
	struct row row[NET_WAYS];
	size_t bytes;
	struct pulled_call *calls;
};

struct pulls {
	struct broker *b;
	pthread_mutex_t lock;
	struct box *boxes;
	uint64_t number; /* of the last call */
};

/* ---- boxes; the lock is held ---- */

static struct box *
find(struct pulls *p, const char *peer)
{
	struct box *x;

	for (x = p->boxes; x; x = x->next)
		if (strcmp(x->peer, peer) == 0)
			return x;
	return NULL;
}

static struct box *
make(struct pulls *p, const char *peer)
{
	struct box *x = calloc(1, sizeof(*x));
	unsigned i;

	if (!x)
		return NULL;
	snprintf(x->peer, sizeof(x->peer), "%s", peer);
	randombytes_buf(x->key, sizeof(x->key));
	for (i = 0; i < NET_WAYS; i++)
		x->row[i].last = &x->row[i].first;
	x->next = p->boxes;
	p->boxes = x;
	return x;
}

static struct parcel *
row_take(struct box *x, unsigned way)
{
	struct row *row = &x->row[way];
	struct parcel *one = row->first;

	row->first = one->next;
	if (!row->first)
		row->last = &row->first;
	x->bytes -= one->bytes.n;
	return one;
}

static void
parcel_free(struct parcel *one)
{
	buf_release(&one->bytes);
	free(one);
}

static void
box_empty(struct box *x)
{
	unsigned i;

	for (i = 0; i < NET_WAYS; i++)
		while (x->row[i].first)
			parcel_free(row_take(x, i));
}

static bool
box_put(struct box *x, enum net_way way, uint64_t call, struct span bytes)
{
	struct parcel *one;

	if (!x->connected || bytes.n > PULL_QUEUE - x->bytes)
		return false;
	one = calloc(1, sizeof(*one));
	if (!one)
		return false;
	one->call = call;
	buf_add(&one->bytes, bytes);
	if (!buf_ok(&one->bytes)) {
		parcel_free(one);
		return false;
	}
	*x->row[way].last = one;
	x->row[way].last = &one->next;
	x->bytes += bytes.n;
	x->grown = true;
	return true;
}

/* So that it is known what a lost answer had. */
static void
call_sent(struct box *x, uint64_t number)
{
	struct pulled_call *c;

	for (c = x->calls; c; c = c->next)
		if (c->number == number)
			c->sent = true;
}

/* What fits, the urgent first; a row keeps its order. */
static bool
box_take(struct box *x, struct buf *reply, size_t max)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < NET_WAYS; i++)
		while (x->row[i].first &&
		       x->row[i].first->bytes.n + MSG_PARCEL_HEAD <=
			   max - reply->n) {
			struct parcel *one = row_take(x, i);
			struct msg_parcel m = { .call = one->call,
				.bytes = buf_span(&one->bytes) };

			msg_parcel_encode(reply, &m);
			if (one->call > 0)
				call_sent(x, one->call);
			parcel_free(one);
			any = true;
		}
	return any;
}

/* ---- calls ---- */

static bool
call_over(const struct pulled_call *c, const struct box *x, int64_t now_ms)
{
	return !x->connected || c->deadline <= now_ms;
}

/* Those that are over, taken out of the box. */
static struct pulled_call *
calls_over(struct box *x, int64_t now_ms)
{
	struct pulled_call **at = &x->calls, *over = NULL, *c;

	while ((c = *at)) {
		if (!call_over(c, x, now_ms)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = over;
		over = c;
	}
	return over;
}

static struct pulled_call *
calls_lost(struct box *x)
{
	struct pulled_call **at = &x->calls, *lost = NULL, *c;

	while ((c = *at)) {
		if (!c->sent) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = lost;
		lost = c;
	}
	return lost;
}

/* Without the lock. */
static void
calls_fail(struct pulled_call *c, enum tocsin_err err)
{
	struct pulled_call *next;

	for (; c; c = next) {
		next = c->next;
		c->fn(c->arg, err, (struct span){ 0 });
		free(c);
	}
}

static struct pulled_call *
call_find(struct box *x, uint64_t number)
{
	struct pulled_call **at, *c;

	for (at = &x->calls; (c = *at); at = &c->next)
		if (c->number == number) {
			*at = c->next;
			return c;
		}
	return NULL;
}

/* Of a call that nobody waits for any more: dropped. */
static void
answered(struct pulls *p, struct box *x, struct span rest)
{
	struct msg_parcel m;
	struct pulled_call *c;

	while (msg_parcel_take(&m, &rest)) {
		pthread_mutex_lock(&p->lock);
		c = call_find(x, m.call);
		pthread_mutex_unlock(&p->lock);
		if (c)
			c->fn(c->arg, TOCSIN_OK, m.bytes);
		free(c);
	}
}

void
pulls_call(struct pulls *p, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	struct pulled_call *c = calloc(1, sizeof(*c));
	struct box *x;
	bool put = false;

	pthread_mutex_lock(&p->lock);
	x = find(p, peer);
	if (c && x && box_put(x, NET_URGENT, p->number + 1, frame)) {
		*c = (struct pulled_call){ .next = x->calls,
			.number = ++p->number,
			.deadline = clock_ms() + timeout_ms,
			.fn = fn,
			.arg = arg };
		x->calls = c;
		put = true;
	}
	pthread_mutex_unlock(&p->lock);
	if (put)
		return;
	free(c);
	fn(arg, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
}

void
pulls_publish(
    struct pulls *p, const char *peer, enum net_way way, struct span frame)
{
	struct box *x;

	pthread_mutex_lock(&p->lock);
	x = find(p, peer);
	if (x && box_put(x, way, 0, frame))
		broker_count(p->b, BROKER_relay_frames_out);
	pthread_mutex_unlock(&p->lock);
}

/* After a whole turn, so that one answer has all of it. */
void
pulls_flush(struct pulls *p)
{
	struct box *x;
	bool grown;

	pthread_mutex_lock(&p->lock);
	x = p->boxes;
	pthread_mutex_unlock(&p->lock);
	for (; x; x = x->next) { /* nobody leaves the list */
		pthread_mutex_lock(&p->lock);
		grown = x->grown;
		x->grown = false;
		pthread_mutex_unlock(&p->lock);
		if (grown)
			parks_wake_one(p->b->parks, SPAN(x->key));
	}
}

static int64_t
box_look(struct pulls *p, struct box *x, int64_t now_ms)
{
	struct pulled_call *over, *c;
	int64_t at = INT64_MAX;
	bool lost;

	pthread_mutex_lock(&p->lock);
	lost = x->connected && now_ms - x->seen >= PULL_GONE_MS;
	if (lost) {
		x->connected = false;
		box_empty(x);
	}
	over = calls_over(x, now_ms);
	for (c = x->calls; c; c = c->next)
		at = c->deadline < at ? c->deadline : at;
	if (x->connected && x->seen + PULL_GONE_MS < at)
		at = x->seen + PULL_GONE_MS;
	lost = !x->connected;
	pthread_mutex_unlock(&p->lock);
	calls_fail(over, lost ? TOCSIN_EUNAVAILABLE : TOCSIN_ETIMEOUT);
	return at;
}

int64_t
pulls_look(struct pulls *p, int64_t now_ms)
{
	int64_t at = INT64_MAX, next;
	struct box *x;

	pthread_mutex_lock(&p->lock);
	x = p->boxes;
	pthread_mutex_unlock(&p->lock);
	for (; x; x = x->next) {
		next = box_look(p, x, now_ms);
		at = next < at ? next : at;
	}
	return at;
}

enum tocsin_err
pulls_peer(struct pulls *p, const char *peer, bool fetches)
{
	struct box *x;

	pthread_mutex_lock(&p->lock);
	x = find(p, peer);
	if (!x && fetches)
		x = make(p, peer);
	if (x) {
		x->fetches = fetches;
		if (!fetches)
			x->seen = clock_ms() - PULL_GONE_MS;
	}
	pthread_mutex_unlock(&p->lock);
	return x || !fetches ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

/* ---- being asked ---- */

/* The first pull of a connection: what was sent over the last may be lost. */
static struct box *
arrived(struct pulls *p, const struct request *r, bool fresh)
{
	const char *peer = r->who.broker;
	bool first = fresh;
	struct pulled_call *lost = NULL;
	struct box *x;

	pthread_mutex_lock(&p->lock);
	x = find(p, peer);
	if (x && (!x->fetches || (!first && x->session != r->session)))
		x = NULL;
	if (x && first) {
		x->session = r->session;
		x->number = 0;
	}
	if (x) {
		fresh |= !x->connected;
		if (fresh)
			lost = calls_lost(x);
		x->connected = true;
		x->seen = clock_ms();
	}
	pthread_mutex_unlock(&p->lock);
	calls_fail(lost, TOCSIN_EUNAVAILABLE);
	if (x && first) /* those that are parked for the last one */
		parks_wake_one(p->b->parks, SPAN(x->key));
	if (x && fresh)
		relay_alive(p->b->relay, peer, true);
	return x;
}

/* True if it was answered; then r is done with. */
static bool
pull_answer(struct request *r, size_t max, bool force)
{
	struct pulls *p = relay_pulls(r->b->relay);
	struct buf parcels = { .max = MSG_MAX }, reply = { .max = MSG_MAX };
	unsigned limit = r->b->conf.parks_per_device;
	struct msg_pulled m = { .pulls = limit < 255 ? (uint8_t)limit : 255 };
	struct box *x;

	pthread_mutex_lock(&p->lock);
	x = find(p, r->who.broker);
	if (!x || x->session != r->session)
		force = true; /* what it would get, nobody reads */
	else if (box_take(x, &parcels, max - PULLED_HEAD))
		m.number = ++x->number;
	pthread_mutex_unlock(&p->lock);
	if (m.number > 0 || force) {
		m.parcels = buf_span(&parcels);
		msg_accept(&reply);
		msg_pulled_encode(&reply, &m);
		request_answer(r, &reply);
	}
	buf_release(&parcels);
	buf_release(&reply);
	return m.number > 0 || force;
}

static bool
pull_over(struct request *r, enum park_why why)
{
	size_t max = (size_t)(uintptr_t)r->state;

	if (why != PARK_GONE)
		return pull_answer(r, max, why != PARK_WOKEN);
	request_drop(r);
	return true;
}

static size_t
between(uint32_t n, size_t least, size_t most)
{
	return n < least ? least : n > most ? most : n;
}

void
op_relay_pull(struct request *r, struct span body)
{
	struct pulls *p = relay_pulls(r->b->relay);
	uint64_t seen;
	struct msg_pull m;
	struct box *x;
	enum tocsin_err err = msg_pull_decode(&m, body);
	size_t max;

	if (err) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	x = arrived(p, r, m.fresh);
	if (!x) {
		request_refuse(r, TOCSIN_ENOTFOUND, 0,
		    "this broker has an address: it is dialled");
		return;
	}
	answered(p, x, m.parcels);
	seen = parks_seen(r->b->parks);
	max = between(m.bytes, MSG_PULL_MIN, MSG_MAX);
	if (pull_answer(r, max, m.wait_ms == 0))
		return;
	r->state = (void *)(uintptr_t)max;
	request_park(r, SPAN(x->key), SPAN(x->key), m.wait_ms, seen, pull_over);
}

/* ---- life ---- */

enum tocsin_err
pulls_new(struct pulls **out, struct broker *b)
{
	struct pulls *p = calloc(1, sizeof(*p));

	if (!p)
		return TOCSIN_EINTERNAL;
	p->b = b;
	randombytes_buf(&p->number, sizeof(p->number));
	p->number >>= 1; /* never 0, which is no call; nor that of a last run */
	p->number++;
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return TOCSIN_OK;
}

void
pulls_free(struct pulls *p)
{
	struct box *x, *next;

	if (!p)
		return;
	for (x = p->boxes; x; x = next) {
		next = x->next;
		box_empty(x);
		calls_fail(x->calls, TOCSIN_EUNAVAILABLE);
		free(x);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}
