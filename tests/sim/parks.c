/* SPDX-License-Identifier: ISC */
/* broker/park.h: a list, and events in the place of its thread. */
#include "broker/clock.h"
#include "broker/dispatch.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { IDLE, WAITING, READY };

struct parks {
	struct broker *b;
	struct node *node;
	struct park_limits lim;
	struct park *first, *last; /* oldest first */
	unsigned n;
	uint64_t seen;
	bool scheduled;
	bool stopping;
};

static struct request *
request_of(struct park *x)
{
	return (struct request *)((char *)x - offsetof(struct request, park));
}

static void
name_set(struct name *n, struct span s)
{
	n->n = (uint8_t)(s.n < sizeof(n->bytes) ? s.n : sizeof(n->bytes));
	if (n->n > 0)
		memcpy(n->bytes, s.p, n->n);
}

static struct span
name_span(const struct name *n)
{
	return (struct span){ n->bytes, n->n };
}

static void look_all(void *arg);

static void
schedule(struct parks *p)
{
	if (p->scheduled || p->stopping)
		return;
	p->scheduled = true;
	sim_soon(p->node, look_all, p);
}

static void
make_ready(struct parks *p, struct park *x, enum park_why why)
{
	if (x->state == READY && why <= x->why)
		return;
	x->state = READY;
	x->why = (uint8_t)why;
	schedule(p);
}

static void
insert(struct parks *p, struct park *x)
{
	x->state = WAITING;
	x->next = NULL;
	x->prev = p->last;
	*(p->last ? &p->last->next : &p->first) = x;
	p->last = x;
	p->n++;
}

static void
take_out(struct parks *p, struct park *x)
{
	*(x->prev ? &x->prev->next : &p->first) = x->next;
	*(x->next ? &x->next->prev : &p->last) = x->prev;
	x->next = x->prev = NULL;
	x->state = IDLE;
	p->n--;
}

static struct park *
next_ready(struct parks *p)
{
	struct park *x = p->first;

	while (x && x->state != READY)
		x = x->next;
	return x;
}

static void
look_all(void *arg)
{
	struct parks *p = arg;
	struct park *x;

	p->scheduled = false;
	while ((x = next_ready(p)) != NULL) {
		enum park_why why = (enum park_why)x->why;

		take_out(p, x);
		if (!x->answer(request_of(x), why))
			insert(p, x);
	}
}

static void
expire(void *arg)
{
	struct parks *p = arg;
	int64_t now_ms = clock_ms();
	struct park *x;

	for (x = p->first; x; x = x->next)
		if (x->deadline <= now_ms)
			make_ready(p, x, PARK_EXPIRED);
}

static void
tick(void *arg)
{
	struct parks *p = arg;

	broker_tick(p->b, clock_ms());
	sim_at(sim_us + SECOND, p->node, tick, NULL, p);
}

uint64_t
parks_seen(struct parks *p)
{
	return p->seen;
}

static void
displace(struct parks *p, const struct park *new)
{
	struct park *x, *oldest = NULL;
	unsigned n = 0;

	for (x = p->first; x; x = x->next) {
		if (!span_eq(name_span(&x->key), name_span(&new->key)) ||
		    !span_eq(name_span(&x->owner), name_span(&new->owner)) ||
		    (x->state == READY && x->why > PARK_WOKEN))
			continue;
		if (!oldest)
			oldest = x;
		n++;
	}
	if (oldest && n >= p->lim.per_owner) {
		make_ready(p, oldest, PARK_ENDED);
		broker_count(p->b, BROKER_parks_displaced);
	}
}

void
request_park(struct request *r, struct span owner, struct span key,
    uint32_t wait_ms, uint64_t seen, park_fn *answer)
{
	struct parks *p = r->b->parks;
	struct park *x = &r->park;

	memset(x, 0, sizeof(*x));
	name_set(&x->key, key);
	name_set(&x->owner, owner);
	x->answer = answer;
	x->deadline = clock_ms() + wait_ms;
	if (p->stopping) {
		answer(r, PARK_ENDED);
		return;
	}
	displace(p, x);
	insert(p, x);
	broker_count(p->b, BROKER_parks);
	if (p->seen != seen)
		make_ready(p, x, PARK_WOKEN);
	sim_at(sim_us + wait_ms * MS, p->node, expire, NULL, p);
}

void
parks_wake(struct parks *p, const struct names *keys)
{
	struct park *x;

	if (keys->n == 0 && !keys->all)
		return;
	p->seen++;
	for (x = p->first; x; x = x->next)
		if (names_has(keys, span_of("*")) ||
		    names_has(keys, name_span(&x->key)))
			make_ready(p, x, PARK_WOKEN);
}

void
parks_wake_one(struct parks *p, struct span key)
{
	struct park *x;

	p->seen++;
	for (x = p->first; x; x = x->next)
		if (span_eq(key, name_span(&x->key)))
			make_ready(p, x, PARK_WOKEN);
}

void
parks_pipe_closed(struct parks *p, uint32_t pipe)
{
	struct park *x;

	for (x = p->first; x; x = x->next)
		if (request_of(x)->pipe == pipe) {
			make_ready(p, x, PARK_GONE);
			broker_count(p->b, BROKER_parks_gone);
		}
}

void
parks_check_sessions(struct parks *p)
{
	struct park *x;

	for (x = p->first; x; x = x->next)
		if (session_ended(request_of(x)->session))
			make_ready(p, x, PARK_ENDED);
}

unsigned
parks_count(struct parks *p)
{
	return p->n;
}

enum tocsin_err
parks_start(struct parks **out, struct broker *b, const struct park_limits *lim)
{
	struct parks *p = calloc(1, sizeof(*p));

	MUST(p && sim_node);
	p->b = b;
	p->node = sim_node;
	p->lim = *lim;
	sim_at(sim_us + SECOND, p->node, tick, NULL, p);
	*out = p;
	return TOCSIN_OK;
}

void
parks_stop(struct parks *p)
{
	struct park *x;

	p->stopping = true;
	while ((x = p->first) != NULL) {
		take_out(p, x);
		x->answer(request_of(x), PARK_GONE);
	}
}

void
parks_free(struct parks *p)
{
	free(p);
}
