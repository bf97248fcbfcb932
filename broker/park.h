/* SPDX-License-Identifier: ISC */
/*
 * park.h - requests that wait for something to happen
 *
 * A parked request holds a context of nng's until it is answered: when its key
 * is woken, at its deadline, when a newer one of the same owner displaces it,
 * when contexts run short, when its session ends or its connection is gone. One
 * thread answers them all and watches the deadlines; waking only marks, so it
 * may be done from the writer and from callbacks.
 *
 * A key is a name: a member, "*" for whoever waits for a member, or a relay
 * link's. An owner is a name too, a device's or a link's.
 */
#ifndef TOCSIN_BROKER_PARK_H
#define TOCSIN_BROKER_PARK_H

#include "broker/names.h"

struct broker;
struct parks;
struct request;

enum park_why {
	PARK_WOKEN,   /* look again; may stay parked */
	PARK_EXPIRED, /* answer with nothing */
	PARK_ENDED,   /* displaced, session over, or no room: with nothing */
	PARK_GONE,    /* nobody is there to answer: request_drop() */
};

/*
 * Answers, and returns true; or, only if woken, returns false to wait on. Runs
 * in the thread of the parks, or of request_park() when it ends another.
 */
typedef bool park_fn(struct request *r, enum park_why why);

/* The part of a request that is park.c's. */
struct park {
	struct park *next; /* all, oldest first */
	struct park *prev;
	struct park *chain; /* same bucket of keys */
	struct park *queue; /* to be looked at */
	uint64_t order;	    /* which came first */
	struct name key;
	struct name owner;
	int64_t deadline;
	park_fn *answer;
	uint8_t state;
	uint8_t why;
};

struct park_limits {
	unsigned per_owner; /* 4 */
	unsigned total;	    /* contexts less the reserve */
	unsigned slack;	    /* more, while displaced ones are being answered */
};

MUST_USE enum tocsin_err parks_start(
    struct parks **out, struct broker *b, const struct park_limits *lim);
void parks_stop(struct parks *p); /* answers all as PARK_ENDED */
void parks_free(struct parks *p);

/*
 * Hand the request over; `wait_ms` from now. The caller is done with it. What
 * it waits for may have happened since the caller looked: `seen` is what
 * parks_seen() gave before it looked, and if anybody was woken since then, the
 * request is looked at once more.
 */
uint64_t parks_seen(struct parks *p);
void request_park(struct request *r, struct span owner, struct span key,
    uint32_t wait_ms, uint64_t seen, park_fn *answer);

/* From any thread, never waits. */
void parks_wake(struct parks *p, const struct names *keys);
void parks_wake_one(struct parks *p, struct span key);
void parks_pipe_closed(struct parks *p, uint32_t pipe);
void parks_check_sessions(struct parks *p); /* some may have ended */

unsigned parks_count(struct parks *p);

#endif
