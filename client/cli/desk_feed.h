/* SPDX-License-Identifier: ISC */
/*
 * desk_feed.h - what a desk on a screen is told while it waits for keys
 *
 * A thread of its own reads the rows whenever something has changed, and asks
 * whether there is a link to the broker, so that no key waits for either. It
 * fetches nothing itself: the handle's own threads do that (client/sync.h). One
 * descriptor becomes readable when there is something new to take.
 *
 * The more tickets a desk has the longer rows take: they are read anew after a
 * pause of several times what the last reading took, so a flood of messages
 * does not cost more than a part of one processor.
 *
 * Where the cache is new all tickets are to be opened once, which takes
 * seconds. The rows come in parts then, each twice as large as the one before,
 * so that there is something to see and to answer at once.
 */
#ifndef TOCSIN_CLI_DESK_FEED_H
#define TOCSIN_CLI_DESK_FEED_H

#include "client/cli/rows.h"

struct feed;

struct feed_state {
	enum tocsin_err link; /* OK: there is one; else why there is none */
	enum tocsin_err held; /* why what is queued does not leave; or OK */
	int64_t since;	      /* it is so */
	bool linked;	      /* there was one since we began */
	size_t queued;	      /* messages in the outbox */
	char trouble[512];    /* the rows could not be read, why; or "" */
};

/* NULL: no memory, or no more threads. */
struct feed *feed_start(struct tocsin *t);
void feed_stop(struct feed *f); /* waits for the thread; NULL is ok */

int feed_fd(const struct feed *f);

/* What is new since the last call; *rows is NULL if they are not. The caller
 * frees them. */
void feed_take(struct feed *f, struct rows **rows, struct feed_state *state);

#endif
