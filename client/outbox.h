/* SPDX-License-Identifier: ISC */
/*
 * outbox.h - what leaves: messages and the parts of them
 *
 * Messages are posted in the order of their numbers, several in one request.
 * What the broker refuses for now is passed over and tried again later, so it
 * keeps nothing else back; what it refuses for good leaves the outbox and is
 * marked with the reason. A part goes range by range, beside all else, with as
 * many ranges on the way as keep the link busy (pace.h) and no more, because a
 * message comes behind them.
 *
 * Nothing is remembered here that the desk doesn't know: a lost answer or a
 * crash means that something is sent twice, and the broker says duplicate. So
 * two processes may empty one outbox; but that costs a thin link twice, so one
 * of them, which has the lock of home/outbox.lock, does it for all. If it does
 * not get on with it, because it was stopped or is on another road, the others
 * do so without the lock.
 */
#ifndef TOCSIN_CLIENT_OUTBOX_H
#define TOCSIN_CLIENT_OUTBOX_H

#include "client/backoff.h"
#include "client/line.h"

/* A range on the way. */
struct outbox_put {
	struct call *call;
	uint64_t end; /* the offset behind it */
};

#define OUTBOX_PUTS 64

struct outbox {
	const struct sync_parts *parts;
	struct line *line;
	int lock;      /* the file; -1: not open */
	bool ours;     /* we have the lock */
	int64_t since; /* when we began to leave it to others; 0: we don't */

	struct backoff posting; /* after a request that failed */
	struct backoff again;	/* what was refused for now */
	uint64_t from;		/* this pass is beyond this message */
	bool passed_over;	/* there is something of that kind before it */
	enum tocsin_err post_trouble;

	struct backoff uploading;
	uint8_t part[32];
	uint64_t size, have;
	bool active, asked; /* a part was chosen; we know `have` */
	uint64_t next;	    /* what to send */
	uint64_t began;	    /* `have` when we began to */
	bool gap; /* something on the way was of no use: begin at `have` */
	struct outbox_put put[OUTBOX_PUTS]; /* a ring, oldest first */
	unsigned first, nput;
	bool theirs;		/* the last error is the broker's word */
	enum tocsin_err failed; /* in this pass over the parts */
	enum tocsin_err upload_trouble;
};

void outbox_open(struct outbox *o); /* parts and line are set */
void outbox_close(struct outbox *o);

/*
 * Post one batch, upload some ranges. True: there may be more to do at once.
 * ENOTENROLLED in post_trouble, with `stranger`: the broker doesn't know us.
 */
bool outbox_post(struct outbox *o, bool *stranger);
bool outbox_upload(struct outbox *o);

/* Try everything now: a person waits; or, there is a new connection. */
void outbox_restart(struct outbox *o);
void outbox_lost(struct outbox *o);

/* How long nothing is to be done, at most `ms`. */
int64_t outbox_rest(const struct outbox *o, int64_t ms);

#endif
