/* SPDX-License-Identifier: ISC */
/*
 * claim.h - one process of a home fetches large bodies for all of it
 *
 * A watch and an inbox of one home want the same tickets. Over a thin line a
 * body must not come twice, so who fetches one holds the lock of
 * home/fetch.lock until the body is in the desk, and others find it there. The
 * kernel gives the lock back when its holder ends, however it does. A holder
 * that is stopped leaves no sign any more; after `patience_ms` without one the
 * others go on without the lock: then it comes twice, which costs the line
 * something and nothing else.
 *
 * Used by one thread. Without the file, for want of room perhaps, everybody
 * fetches.
 */
#ifndef TOCSIN_CLIENT_CLAIM_H
#define TOCSIN_CLIENT_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

struct claim {
	int fd;
	bool ours;
	int64_t patience_ms;
	int64_t since; /* when we began to leave it to others; 0: we don't */
};

void claim_open(struct claim *c, const char *home, int64_t patience_ms);
void claim_close(struct claim *c);

/* Whether it is on us to fetch; else somebody does, ask again in a moment. */
bool claim_take(struct claim *c);
void claim_sign(const struct claim *c); /* we get on with it */
void claim_drop(struct claim *c);

/* Whether some process, ours too, is fetching now. */
bool claim_held(const char *home);

#endif
