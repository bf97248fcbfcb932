/* SPDX-License-Identifier: ISC */
/*
 * health.h - whether nng still does what it should, and the end if not
 *
 * What sticks in nng cannot be mended from within: then the process is ended
 * with abort(), for a service manager to start it again. The log is the truth.
 *
 *	the canary	goes out every ten seconds; see net_canary.h
 *	the probe	greets at both local sockets as a client would; see
 *			door_probe()
 *
 * Time is counted in ticks of half a second, of which a process that was
 * stopped, or a machine that slept, has none. On a machine that has no time for
 * us an answer may take seconds as well, and to begin anew would take more: a
 * probe that comes late itself is therefore believed less. One thread calls all
 * of this.
 */
#ifndef TOCSIN_BROKER_HEALTH_H
#define TOCSIN_BROKER_HEALTH_H

#include "crypto/wire.h"

enum {
	HEALTH_TICK_MS = 500,
	HEALTH_EVERY = 20, /* ticks from one look to the next */
	HEALTH_STUCK = 10, /* a canary that is out for longer is dead */
	HEALTH_DEAF = 6,   /* probes in a row that nobody answers, */
	HEALTH_ON_TIME = 3 /* of which one counts as so many if not late */
};

struct health {
	unsigned canary_ticks; /* how long it is out; 0: it is not */
	unsigned deaf;
	int64_t looked; /* clock_ms() of the last probe's end, or 0 */
};

/* With each tick, `tick` being its number. */
void health_canary(struct health *h, unsigned tick);

/* At once. */
void health_probe(struct health *h, const char *rpc, const char *relay);

#endif
