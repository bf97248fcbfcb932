/* SPDX-License-Identifier: ISC */
/*
 * outbox.h - messages that leave
 *
 * They are posted in the order of their numbers, several in one request. What
 * the broker refuses for now is passed over and tried again later, so it keeps
 * nothing else back; what it refuses for good leaves the outbox and is marked
 * with the reason.
 *
 * Nothing is remembered here that the desk doesn't know: a lost answer or a
 * crash means that something is sent twice, and the broker says duplicate. So
 * two processes may empty one outbox; turn.h says why they rather don't. The
 * parts of messages go by themselves: upload.h.
 */
#ifndef TOCSIN_CLIENT_OUTBOX_H
#define TOCSIN_CLIENT_OUTBOX_H

#include "client/backoff.h"
#include "client/line.h"
#include "client/turn.h"

struct desk_tx;

struct outbox {
	const struct sync_parts *parts;
	struct line *line;
	struct turn *turn;
	struct turn_wait wait;

	struct backoff posting; /* after a request that failed */
	struct backoff again;	/* what was refused for now */
	uint64_t from;		/* this pass is beyond this message */
	bool passed_over;	/* there is something of that kind before it */
	enum tocsin_err trouble;

	atomic_bool restart, lost; /* asked for by other threads */
};

/*
 * Post one batch. True: there may be more to do at once. `stranger`: the broker
 * doesn't know us.
 */
bool outbox_post(struct outbox *o, bool *stranger);

/*
 * Try everything now: a person waits; or, there is a new connection. From any
 * thread.
 */
void outbox_restart(struct outbox *o);
void outbox_lost(struct outbox *o);

/* How long nothing is to be done, at most `ms`. */
int64_t outbox_rest(const struct outbox *o, int64_t ms);

/* In the way of all that is asked, not of one message or part. */
bool outbox_hurdle(enum tocsin_err err);

/*
 * How long what was refused for that waits, about, until it is tried again.
 * Room is made by a person, who looks on.
 */
uint32_t outbox_again_max(enum tocsin_err err);

/* Whether a message that waits to be posted names this part. */
enum tocsin_err MUST_USE outbox_names(
    struct desk_tx *tx, const uint8_t hash[32], bool *named);

#endif
