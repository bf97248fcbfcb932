/* SPDX-License-Identifier: ISC */
/*
 * sync_impl.h - what a struct sync is, for the files that implement sync.h
 *
 *	sync.c	  its two threads, the link, our announcement, who waits for it
 *	fetch.c	  what comes from the broker
 *
 * The thread that fetches owns all that has no lock or other owner written
 * beside it, and is the only one that is in fetch.c.
 *
 * What comes has one number, the cursor: all up to it is in the desk, and the
 * broker is told so with each request. Where there may be more (`stale`) a page
 * is asked for and waited for; where there is none, requests are parked that
 * the broker answers when something comes. An answer that does not continue
 * where we are is dropped: what it held comes again.
 */
#ifndef TOCSIN_CLIENT_SYNC_IMPL_H
#define TOCSIN_CLIENT_SYNC_IMPL_H

#include "client/claim.h"
#include "client/intake.h"
#include "client/line.h"
#include "client/outbox.h"
#include "client/sync.h"
#include "client/upload.h"

#include <stdatomic.h>

#define PARKS 4
#define SYNC_ASK_MAX 30000 /* back-offs, in ms: of what is asked */
#define SYNC_IDLE_MS 1000

/* What the thread does; each can fail by itself. */
enum job { LINK, ANNOUNCE, FETCH, POST, JUDGE, JOBS };

struct parked {
	struct call *call;
	int64_t since;
};

struct sync {
	struct sync_parts p;
	struct line *line;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock; /* of the next five */
	enum tocsin_err trouble[JOBS];
	uint64_t wanted;    /* rounds of sync_wait() */
	uint64_t fresh;	    /* up to which nothing that was there is missing */
	uint8_t (*own)[32]; /* parts that this handle has made */
	size_t nown;

	struct turn turn;
	struct outbox out;
	struct upload *up;
	atomic_bool stranger; /* the broker does not know our link's key */
	atomic_uint met;      /* how often it came to know it, or may have */

	/* Of the thread that sends. */
	pthread_t sender;
	bool sends; /* there is one */
	bool tells; /* the next is known */
	enum tocsin_err told_others;

	/* Of the other. */
	struct claim claim; /* of large bodies */
	struct parked park[PARKS];
	uint64_t cursor; /* all up to it is in the desk */
	uint64_t told;	 /* and so far the broker was told of it */
	uint64_t urgent; /* the same for what is urgent; 0: don't ask */
	uint64_t round;	 /* that this catching up is for */
	bool stale;	 /* there may be something that no park will bring */
	unsigned connections; /* line_connections() when we last looked */
	uint64_t roster;      /* the newest serial at the broker */
	uint64_t stamp;	      /* of the belief that all held was judged with */
	bool inside;	 /* work that is done between the ranges of a body */
	int64_t look_at; /* when it is done next */
	struct backoff linking, announcing, fetching, parking, judging;
};

/* ---- sync.c ---- */

void sync_set_trouble(struct sync *s, enum job job, enum tocsin_err err);
enum tocsin_err MUST_USE sync_ask_now(
    struct sync *s, struct span request, struct buf *fields, uint32_t *retry);

/* ---- fetch.c ---- */

/* One round; true: there is more to do at once. */
bool fetch_some(struct sync *s);

/* What judges entries of this desk, and asks and fetches for it. */
struct intake fetch_intake(struct sync *s);

void fetch_drop_parks(struct sync *s);
void fetch_goodbye(struct sync *s);

#endif
