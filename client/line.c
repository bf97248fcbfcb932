/* SPDX-License-Identifier: ISC */
#include "client/line.h"

#include "client/backoff.h"
#include "client/net.h"
#include "crypto/link.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AGE_MAX_MS ((LINK_SECONDS_MAX - 60) * 1000)

struct call {
	unsigned refs;
	bool done; /* answered */
	enum tocsin_err err;
	uint64_t number;
	unsigned link; /* which it went over */
	enum net_way way;
	struct line *line;
	struct buf answer;
	struct pace *pace; /* NULL: it is not counted */
	struct pace_mark mark;
};

struct line {
	struct sync_parts p;
	struct net *net[NET_WAYS];
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	unsigned refs; /* the handle's, and one for every call on its way */
	bool stop;
	enum { DOWN, MAKING, UP } state;
	struct link link;
	unsigned count;
	unsigned connections; /* that began or ended */
	struct pace pace[LINE_WAYS];
	int64_t made; /* monotonic ms */
};

/* ---- calls ---- */

static struct call *
call_new(struct line *l)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->line = l;
		c->refs = 1;
	}
	return c;
}

/* With the lock held. */
static void
call_unref(struct call *c)
{
	if (--c->refs > 0)
		return;
	buf_release(&c->answer);
	free(c);
}

void
line_drop(struct line *l, struct call *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	call_unref(c);
	pthread_mutex_unlock(&l->lock);
}

static void
line_unref(struct line *l)
{
	bool last;

	pthread_mutex_lock(&l->lock);
	last = --l->refs == 0;
	pthread_mutex_unlock(&l->lock);
	if (!last)
		return;
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What a request puts on the way, and in which direction. */
static struct pace *
counted(struct line *l, struct span request, size_t *bytes)
{
	struct msg_fetch f;
	struct span body;
	struct msg_get g;

	switch (msg_op(request, &body)) {
	case MSG_PUT:
		*bytes = request.n;
		return &l->pace[LINE_UP];
	case MSG_GET:
		if (msg_get_decode(&g, body) != TOCSIN_OK)
			return NULL;
		*bytes = g.max;
		return &l->pace[LINE_DOWN];
	case MSG_FETCH:
		if (msg_fetch_decode(&f, body) != TOCSIN_OK || f.wait_ms > 0)
			return NULL;
		*bytes = f.max_bytes;
		return &l->pace[LINE_MAIL];
	default:
		return NULL;
	}
}

/* With the lock held. */
static void
count_answer(struct call *c)
{
	struct line *l = c->line;

	if (c->pace != NULL && c->err == TOCSIN_OK)
		pace_answered(c->pace, now_us(), &c->mark,
		    c->pace == &l->pace[LINE_UP] ? c->mark.bytes : c->answer.n);
	else if (c->pace != NULL)
		pace_lost(c->pace, &c->mark);
	c->pace = NULL;
}

static void
on_answer(void *arg, enum tocsin_err err, struct span answer)
{
	struct call *c = arg;
	struct line *l = c->line;

	pthread_mutex_lock(&l->lock);
	c->err = err;
	if (err == TOCSIN_OK)
		buf_add(&c->answer, answer);
	count_answer(c);
	c->done = true;
	call_unref(c);
	pthread_cond_broadcast(&l->changed);
	if (!l->stop) /* else the desk may be gone */
		desk_wake(l->p.desk);
	pthread_mutex_unlock(&l->lock);
	line_unref(l);
}

static void
send_frame(struct call *c, struct span frame, enum net_way way,
    enum net_lane lane, int timeout_ms)
{
	struct line *l = c->line;

	pthread_mutex_lock(&l->lock);
	c->done = false;
	buf_cut(&c->answer, 0);
	c->refs++;
	l->refs++;
	pthread_mutex_unlock(&l->lock);
	c->way = way;
	net_call(l->net[way], frame, lane, (unsigned)timeout_ms, on_answer, c);
}

static enum tocsin_err
await(struct call *c)
{
	struct line *l = c->line;
	enum tocsin_err err;

	pthread_mutex_lock(&l->lock);
	while (!c->done && !l->stop)
		pthread_cond_wait(&l->changed, &l->lock);
	err = c->done ? c->err : TOCSIN_EUNAVAILABLE;
	pthread_mutex_unlock(&l->lock);
	if (err == TOCSIN_ETIMEOUT)
		net_reset(l->net[c->way]);
	return err;
}

/* ---- asking ---- */

/* With the lock held. */
static void
lose(struct line *l, unsigned count)
{
	if (count != l->count)
		return;
	l->state = DOWN;
	link_wipe(&l->link);
}

/*
 * The reply in the answer of a call. Only what the link's keys open is the
 * broker's; of all else the one thing that follows is that the link is lost.
 * Not even that follows from the end of a connection: the link goes on over the
 * next one.
 */
static enum tocsin_err
unseal(
    struct call *c, enum tocsin_err err, struct buf *reply, uint32_t *retry_ms)
{
	struct line *l = c->line;

	if (err == TOCSIN_EUNAVAILABLE)
		return err;
	pthread_mutex_lock(&l->lock);
	if (err == TOCSIN_OK && (c->link != l->count || l->state == DOWN))
		err = TOCSIN_EUNAVAILABLE;
	else if (err == TOCSIN_OK)
		err = link_answer(
		    &l->link, c->number, buf_span(&c->answer), reply, retry_ms);
	if (err != TOCSIN_OK && err != TOCSIN_EBUSY) {
		lose(l, c->link);
		if (err != TOCSIN_ETIMEOUT)
			err = TOCSIN_EUNAVAILABLE;
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

/* How a call ended: the fields of the answer, or why there are none. */
static enum tocsin_err
outcome(
    struct call *c, enum tocsin_err err, struct buf *fields, uint32_t *retry_ms)
{
	struct buf reply = { 0 };
	struct msg_reply r;

	*retry_ms = 0;
	err = unseal(c, err, &reply, retry_ms);
	if (err == TOCSIN_OK)
		err = msg_reply_decode(&r, buf_span(&reply));
	if (err == TOCSIN_OK) {
		err = r.code;
		*retry_ms = r.retry_ms;
	}
	if (err == TOCSIN_OK)
		buf_add(fields, r.rest);
	if (err == TOCSIN_OK && !buf_ok(fields))
		err = TOCSIN_EINTERNAL;
	buf_release(&reply);
	return err;
}

/* What takes long goes its own way, and a message before all else. */
static enum net_way
way_of(struct span request, enum net_lane *lane)
{
	struct span body;

	switch (msg_op(request, &body)) {
	case MSG_PUT:
	case MSG_GET:
		*lane = NET_USUAL;
		return NET_BULK;
	case MSG_POST:
	case MSG_ANNOUNCE:
		*lane = NET_FIRST;
		return NET_MAIN;
	default:
		*lane = NET_USUAL;
		return NET_MAIN;
	}
}

struct call *
line_begin(struct line *l, struct span request, int timeout_ms)
{
	struct buf frame = { 0 };
	struct call *c = call_new(l);
	enum tocsin_err err = TOCSIN_EUNAVAILABLE;
	enum net_lane lane;
	enum net_way way;
	size_t bytes = 0;

	if (c == NULL)
		return NULL;
	pthread_mutex_lock(&l->lock);
	c->link = l->count;
	if (l->state == UP && net_connected(l->net[NET_MAIN]))
		err = link_ask(&l->link, request, &frame, &c->number);
	if (err == TOCSIN_OK)
		c->pace = counted(l, request, &bytes);
	if (c->pace != NULL)
		c->mark = pace_sent(c->pace, now_us(), bytes);
	pthread_mutex_unlock(&l->lock);
	if (err == TOCSIN_OK) {
		way = way_of(request, &lane);
		send_frame(c, buf_span(&frame), way, lane, timeout_ms);
	} else {
		line_drop(l, c);
		c = NULL;
	}
	buf_release(&frame);
	return c;
}

bool
line_answered(struct line *l, struct call *c)
{
	bool done;

	pthread_mutex_lock(&l->lock);
	done = c->done || l->stop;
	pthread_mutex_unlock(&l->lock);
	return done;
}

enum tocsin_err
line_end(struct line *l, struct call *c, struct buf *fields, uint32_t *retry_ms)
{
	enum tocsin_err err = outcome(c, await(c), fields, retry_ms);

	line_drop(l, c);
	return err;
}

enum tocsin_err
line_ask(struct line *l, struct span request, int timeout_ms,
    struct buf *fields, uint32_t *retry_ms)
{
	struct call *c = line_begin(l, request, timeout_ms);

	*retry_ms = 0;
	return c != NULL ? line_end(l, c, fields, retry_ms)
			 : TOCSIN_EUNAVAILABLE;
}

void
line_wait(struct line *l, int timeout_ms)
{
	int64_t end = backoff_now() + timeout_ms;
	struct timespec t = { end / 1000, (end % 1000) * 1000000 };

	pthread_mutex_lock(&l->lock);
	while ((l->state != UP || !net_connected(l->net[NET_MAIN])) &&
	       !l->stop &&
	       pthread_cond_timedwait(&l->changed, &l->lock, &t) == 0)
		;
	pthread_mutex_unlock(&l->lock);
}

/* ---- the link ---- */

/* The broker of our nation that has this URL; else the nation's first. */
static const struct roster_broker *
our_broker(const struct roster *r, const struct keystore *k)
{
	struct span nation = member_nation(span_of(k->member));
	const struct roster_broker *b, *first = NULL;
	size_t i;

	for (i = 0; (b = roster_broker_of(r, nation, i)) != NULL; i++) {
		if (strcmp(b->rpc, k->broker) == 0)
			return b;
		if (first == NULL)
			first = b;
	}
	return first;
}

/* With the belief's lock held. */
static enum tocsin_err
hello(struct line *l, struct buf *frame)
{
	const struct belief *belief = l->p.belief;
	const struct keystore *k = l->p.keys;
	const struct roster_broker *b;
	struct buf prologue = { 0 };
	enum tocsin_err err;

	if (belief->roster == NULL)
		return TOCSIN_EROSTERUNKNOWN;
	b = our_broker(belief->roster, k);
	if (b == NULL)
		return TOCSIN_ENOTENROLLED;
	noise_prologue(&prologue, span_of(k->federation), span_of(b->name),
	    belief->genesis);
	pthread_mutex_lock(&l->lock);
	l->state = DOWN;
	l->count++;
	err = buf_ok(&prologue) ? link_hello(&l->link, secret_span(k->noise).p,
				      b->noise, buf_span(&prologue), frame)
				: TOCSIN_EINTERNAL;
	pthread_mutex_unlock(&l->lock);
	buf_release(&prologue);
	return err;
}

static enum tocsin_err
begin_link(struct line *l, struct buf *frame)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(l->p.lock);
	err = desk_read(l->p.desk, &tx);
	if (err == TOCSIN_OK)
		err = belief_load(l->p.belief, tx);
	desk_end(tx);
	if (err == TOCSIN_OK)
		err = hello(l, frame);
	pthread_mutex_unlock(l->p.lock);
	return err;
}

static enum tocsin_err
finish_link(struct line *l, struct call *c, struct buf *frame)
{
	static const uint8_t request[] = { MSG_HELLO };
	enum tocsin_err err;

	buf_cut(frame, 0);
	pthread_mutex_lock(&l->lock);
	err = link_finish(&l->link, buf_span(&c->answer), SPAN(request), frame);
	c->link = l->count;
	c->number = 0;
	l->state = err == TOCSIN_OK ? MAKING : DOWN;
	l->made = backoff_now();
	pthread_mutex_unlock(&l->lock);
	return err;
}

/* The request inside the finish is one that every link may make. */
enum tocsin_err
line_make(struct line *l, struct msg_hello *out)
{
	struct buf frame = { 0 }, fields = { 0 };
	struct call *c = call_new(l);
	const int ms = (int)l->p.answer_ms;
	enum tocsin_err err;
	struct msg_hello m;
	uint32_t retry;

	if (c == NULL)
		return TOCSIN_EINTERNAL;
	err = begin_link(l, &frame);
	if (err == TOCSIN_OK) {
		send_frame(c, buf_span(&frame), NET_MAIN, NET_FIRST, ms);
		err = await(c);
	}
	if (err == TOCSIN_OK)
		err = finish_link(l, c, &frame);
	if (err == TOCSIN_OK) {
		send_frame(c, buf_span(&frame), NET_MAIN, NET_FIRST, ms);
		err = outcome(c, await(c), &fields, &retry);
	}
	if (err == TOCSIN_OK)
		err = msg_hello_decode(&m, buf_span(&fields));
	pthread_mutex_lock(&l->lock);
	if (err == TOCSIN_OK && l->state != MAKING) /* lost meanwhile */
		err = TOCSIN_EUNAVAILABLE;
	if (err == TOCSIN_OK) {
		*out = m;
		l->state = UP;
	} else {
		lose(l, l->count);
	}
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	line_drop(l, c);
	buf_release(&frame);
	buf_release(&fields);
	return err;
}

bool
line_connected(struct line *l)
{
	return net_connected(l->net[NET_MAIN]);
}

bool
line_refused(struct line *l)
{
	return net_refused(l->net[NET_MAIN]);
}

bool
line_up(struct line *l)
{
	bool up;

	pthread_mutex_lock(&l->lock);
	up = l->state == UP && !link_spent(&l->link) &&
	     backoff_now() - l->made < AGE_MAX_MS;
	pthread_mutex_unlock(&l->lock);
	return up;
}

unsigned
line_connections(struct line *l)
{
	unsigned n;

	pthread_mutex_lock(&l->lock);
	n = l->connections;
	pthread_mutex_unlock(&l->lock);
	return n;
}

/* ---- how much ---- */

bool
line_room(struct line *l, enum line_way way, size_t bytes)
{
	bool room;

	pthread_mutex_lock(&l->lock);
	room = pace_room(&l->pace[way], bytes);
	pthread_mutex_unlock(&l->lock);
	return room;
}

size_t
line_piece(struct line *l, enum line_way way, size_t max)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = pace_piece(&l->pace[way], max);
	pthread_mutex_unlock(&l->lock);
	return n;
}

size_t
line_window(struct line *l, enum line_way way)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = pace_window(&l->pace[way]);
	pthread_mutex_unlock(&l->lock);
	return n;
}

/* ---- life ---- */

static void
on_connection(void *arg)
{
	struct line *l = arg;

	pthread_mutex_lock(&l->lock);
	l->connections++;
	pace_begin(&l->pace[LINE_MAIL]);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	desk_wake(l->p.desk);
}

static void
on_bulk_connection(void *arg)
{
	struct line *l = arg;

	pthread_mutex_lock(&l->lock);
	pace_begin(&l->pace[LINE_UP]);
	pace_begin(&l->pace[LINE_DOWN]);
	pthread_mutex_unlock(&l->lock);
	desk_wake(l->p.desk);
}

enum tocsin_err
line_new(struct line **out, const struct sync_parts *parts)
{
	struct line *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;
	enum tocsin_err err;

	if (l == NULL)
		return TOCSIN_EINTERNAL;
	l->p = *parts;
	l->refs = 1;
	l->pace[LINE_UP].deep = l->pace[LINE_DOWN].deep = true;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	err = net_get(&l->net[NET_MAIN], l->p.keys->broker, NET_MAIN);
	if (err == TOCSIN_OK)
		err = net_get(&l->net[NET_BULK], l->p.keys->broker, NET_BULK);
	if (err == TOCSIN_OK)
		err = net_watch(l->net[NET_BULK], on_bulk_connection, l);
	if (err == TOCSIN_OK) {
		err = net_watch(l->net[NET_MAIN], on_connection, l);
		if (err != TOCSIN_OK)
			net_unwatch(l->net[NET_BULK], on_bulk_connection, l);
	}
	if (err != TOCSIN_OK)
		line_unref(l);
	else
		*out = l;
	return err;
}

void
line_stop(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Calls may still be out; the keys are not needed for what they bring. */
void
line_free(struct line *l)
{
	if (l == NULL)
		return;
	net_unwatch(l->net[NET_MAIN], on_connection, l);
	net_unwatch(l->net[NET_BULK], on_bulk_connection, l);
	pthread_mutex_lock(&l->lock);
	lose(l, l->count);
	pthread_mutex_unlock(&l->lock);
	line_unref(l);
}
