/* SPDX-License-Identifier: ISC */
#include "broker/park.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/dispatch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define TICK_MS 1000
#define CLOSED_KEPT 256 /* connections that ended last */

enum park_state {
	IDLE,	 /* not parked: zero, as a request begins */
	WAITING, /* in the list of all and in its bucket */
	READY,	 /* in both, and in the queue to be looked at */
};

struct parks {
	struct broker *b;
	struct park_limits lim;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct park *first; /* all, oldest first */
	struct park *last;
	struct park *bucket[BUCKETS]; /* each oldest first */
	struct park *ready;	      /* the queue */
	struct park **ready_end;
	unsigned n;
	uint64_t order;	  /* of the next to be parked */
	uint64_t seen;	  /* counts the wakings */
	int64_t earliest; /* no deadline is before it */
	bool stopping;
	bool looking;	 /* at a request that is in no list; its key: */
	bool look_again; /* it was woken meanwhile */
	struct name looking_key;
	uint32_t looking_pipe;
	bool look_gone; /* its connection ended meanwhile */
	uint32_t closed[CLOSED_KEPT];
	unsigned nclosed;
};

static struct request *
request_of(struct park *p)
{
	return (struct request *)((char *)p - offsetof(struct request, park));
}

static void
name_set(struct name *n, struct span s)
{
	n->n = (uint8_t)(s.n < sizeof(n->bytes) ? s.n : sizeof(n->bytes));
	if (n->n > 0)
		memcpy(n->bytes, s.p, n->n);
}

static bool
name_same(const struct name *a, const struct name *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

static struct park **
bucket_of(struct parks *p, const struct name *key)
{
	uint32_t h = 2166136261;
	uint8_t i;

	for (i = 0; i < key->n; i++)
		h = (h ^ key->bytes[i]) * 16777619;
	return &p->bucket[(h ^ h >> 16) % BUCKETS];
}

/* ---- lists; the lock is held ---- */

/* By age, so that what is given back keeps its turn. */
static void
insert(struct parks *p, struct park *x)
{
	struct park **chain = bucket_of(p, &x->key);
	struct park *after = p->last;

	while (after && after->order > x->order)
		after = after->prev;
	x->prev = after;
	x->next = after ? after->next : p->first;
	*(x->next ? &x->next->prev : &p->last) = x;
	*(after ? &after->next : &p->first) = x;
	while (*chain && (*chain)->order < x->order)
		chain = &(*chain)->chain;
	x->chain = *chain;
	*chain = x;
	x->state = WAITING;
	p->n++;
	if (x->deadline < p->earliest)
		p->earliest = x->deadline;
}

static void
take_out(struct parks *p, struct park *x)
{
	struct park **chain = bucket_of(p, &x->key);

	*(x->prev ? &x->prev->next : &p->first) = x->next;
	*(x->next ? &x->next->prev : &p->last) = x->prev;
	while (*chain != x)
		chain = &(*chain)->chain;
	*chain = x->chain;
	x->next = x->prev = x->chain = NULL;
	x->state = IDLE;
	p->n--;
}

/* The strongest reason wins: GONE over ENDED over EXPIRED over WOKEN. */
static void
make_ready(struct parks *p, struct park *x, enum park_why why)
{
	if (x->state == READY) {
		if (why > x->why)
			x->why = why;
		return;
	}
	x->state = READY;
	x->why = why;
	x->queue = NULL;
	*p->ready_end = x;
	p->ready_end = &x->queue;
	pthread_cond_signal(&p->work);
}

static struct park *
next_ready(struct parks *p)
{
	struct park *x = p->ready;

	p->ready = x->queue;
	if (!p->ready)
		p->ready_end = &p->ready;
	take_out(p, x);
	return x;
}

static void
ready_all(struct parks *p, enum park_why why)
{
	struct park *x;

	for (x = p->first; x; x = x->next)
		make_ready(p, x, why);
}

/* What is over; the earliest deadline of the others is found on the way. */
static void
expire(struct parks *p, int64_t now_ms)
{
	struct park *x;

	if (now_ms < p->earliest)
		return;
	p->earliest = INT64_MAX;
	for (x = p->first; x; x = x->next) {
		if (x->deadline <= now_ms)
			make_ready(p, x, PARK_EXPIRED);
		else if (x->deadline < p->earliest)
			p->earliest = x->deadline;
	}
}

/*
 * Ends the oldest one of an owner that has more than so many. Those of one
 * owner wait for the same key.
 */
static void
displace_owned(struct parks *p, const struct name *key,
    const struct name *owner, unsigned most)
{
	struct park *x, *oldest = NULL;
	unsigned n = 0;

	for (x = *bucket_of(p, key); x; x = x->chain) {
		if (!name_same(&x->owner, owner) ||
		    (x->state == READY && x->why > PARK_WOKEN))
			continue;
		if (!oldest)
			oldest = x;
		n++;
	}
	if (n > most && oldest) {
		make_ready(p, oldest, PARK_ENDED);
		broker_count(p->b, BROKER_parks_displaced);
	}
}

/* ---- the thread ---- */

/* Looks at one request, which nobody else knows of meanwhile. */
static void
look(struct parks *p)
{
	struct park *x = next_ready(p);
	enum park_why why = x->why;
	bool done;

	p->looking = true;
	p->look_again = p->look_gone = false;
	p->looking_key = x->key;
	p->looking_pipe = request_of(x)->pipe;
	pthread_mutex_unlock(&p->lock);
	done = x->answer(request_of(x), why);
	pthread_mutex_lock(&p->lock);
	p->looking = false;
	if (done)
		return; /* it may be serving another message by now */
	insert(p, x);
	/* Others of its owner may have come, and it was not among those. */
	displace_owned(p, &x->key, &x->owner, p->lim.per_owner);
	if (p->look_gone)
		make_ready(p, x, PARK_GONE);
	else if (p->stopping)
		make_ready(p, x, PARK_ENDED);
	else if (p->look_again)
		make_ready(p, x, PARK_WOKEN);
}

static void
wait_for_work(struct parks *p, int64_t until_ms)
{
	struct timespec t = { .tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000 };

	pthread_cond_timedwait(&p->work, &p->lock, &t);
}

static void *
parks_main(void *arg)
{
	struct parks *p = arg;
	int64_t now_ms, tick_ms = clock_ms() + TICK_MS;

	pthread_mutex_lock(&p->lock);
	while (!p->stopping || p->n > 0) {
		now_ms = clock_ms();
		expire(p, now_ms);
		if (p->ready) {
			look(p);
		} else if (now_ms >= tick_ms) {
			tick_ms = now_ms + TICK_MS;
			pthread_mutex_unlock(&p->lock);
			broker_tick(p->b, now_ms);
			pthread_mutex_lock(&p->lock);
		} else {
			wait_for_work(
			    p, p->earliest < tick_ms ? p->earliest : tick_ms);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- parking ---- */

uint64_t
parks_seen(struct parks *p)
{
	uint64_t seen;

	pthread_mutex_lock(&p->lock);
	seen = p->seen;
	pthread_mutex_unlock(&p->lock);
	return seen;
}

/* Room for one more. */
static void
displace(struct parks *p, const struct name *key, const struct name *owner)
{
	displace_owned(p, key, owner, p->lim.per_owner - 1);
	if (p->n >= p->lim.total && p->first) {
		make_ready(p, p->first, PARK_ENDED);
		broker_count(p->b, BROKER_parks_displaced);
	}
}

/* The connection may end while its request is on the way to be parked. */
static bool
is_closed(const struct parks *p, uint32_t pipe)
{
	unsigned i;

	for (i = 0; i < CLOSED_KEPT && pipe != 0; i++)
		if (p->closed[i] == pipe)
			return true;
	return false;
}

void
request_park(struct request *r, struct span owner, struct span key,
    uint32_t wait_ms, uint64_t seen, park_fn *answer)
{
	struct parks *p = r->b->parks;
	struct park *x = &r->park;
	bool full, gone;

	memset(x, 0, sizeof(*x));
	name_set(&x->key, key);
	name_set(&x->owner, owner);
	x->answer = answer;
	x->deadline = clock_ms() + wait_ms;
	pthread_mutex_lock(&p->lock);
	gone = is_closed(p, r->pipe);
	full = p->stopping || p->n >= p->lim.total + p->lim.slack;
	if (!full && !gone) {
		displace(p, &x->key, &x->owner);
		x->order = p->order++;
		insert(p, x);
		if (p->seen != seen)
			make_ready(p, x, PARK_WOKEN);
		else if (p->earliest == x->deadline)
			pthread_cond_signal(&p->work);
		broker_count(p->b, BROKER_parks);
	}
	pthread_mutex_unlock(&p->lock);
	if (full || gone)
		answer(r, gone ? PARK_GONE : PARK_ENDED);
}

/* ---- waking ---- */

static void
wake_key(struct parks *p, const struct name *key)
{
	struct park *x;

	if (p->looking && name_same(&p->looking_key, key))
		p->look_again = true;
	for (x = *bucket_of(p, key); x; x = x->chain)
		if (name_same(&x->key, key))
			make_ready(p, x, PARK_WOKEN);
}

static void
wake_all(struct parks *p)
{
	p->look_again = p->looking;
	ready_all(p, PARK_WOKEN);
}

void
parks_wake(struct parks *p, const struct names *keys)
{
	struct name key;
	struct span s;
	size_t at = 0;

	if (keys->n == 0 && !keys->all)
		return;
	pthread_mutex_lock(&p->lock);
	p->seen++;
	if (names_has(keys, span_of("*"))) {
		wake_all(p);
	} else {
		while (names_next(keys, &at, &s)) {
			name_set(&key, s);
			wake_key(p, &key);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

void
parks_wake_one(struct parks *p, struct span s)
{
	struct name key;

	name_set(&key, s);
	pthread_mutex_lock(&p->lock);
	p->seen++;
	wake_key(p, &key);
	pthread_mutex_unlock(&p->lock);
}

void
parks_pipe_closed(struct parks *p, uint32_t pipe)
{
	struct park *x;

	pthread_mutex_lock(&p->lock);
	p->closed[p->nclosed++ % CLOSED_KEPT] = pipe;
	p->look_gone |= p->looking && p->looking_pipe == pipe;
	for (x = p->first; x; x = x->next) {
		if (request_of(x)->pipe == pipe) {
			make_ready(p, x, PARK_GONE);
			broker_count(p->b, BROKER_parks_gone);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

void
parks_check_sessions(struct parks *p)
{
	struct park *x;

	pthread_mutex_lock(&p->lock);
	for (x = p->first; x; x = x->next) {
		struct session *of = request_of(x)->session;

		if (of && session_ended(of)) /* else nobody's link can end it */
			make_ready(p, x, PARK_ENDED);
	}
	pthread_mutex_unlock(&p->lock);
}

unsigned
parks_count(struct parks *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* ---- life ---- */

enum tocsin_err
parks_start(struct parks **out, struct broker *b, const struct park_limits *lim)
{
	struct parks *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return TOCSIN_EINTERNAL;
	p->b = b;
	p->lim = *lim;
	p->ready_end = &p->ready;
	p->earliest = INT64_MAX;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&p->thread, NULL, parks_main, p) != 0) {
		parks_free(p);
		return TOCSIN_EINTERNAL;
	}
	*out = p;
	return TOCSIN_OK;
}

void
parks_stop(struct parks *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	ready_all(p, PARK_ENDED);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
}

void
parks_free(struct parks *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
