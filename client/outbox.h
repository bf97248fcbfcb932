/* SPDX-License-Identifier: ISC */
/*
 * outbox.h - what leaves: messages and the parts of them
 *
 * Messages are posted in the order of their numbers, several in one request.
 * What the broker refuses for now is passed over and tried again later, so it
 * keeps nothing else back; what it refuses for good leaves the outbox and is
 * marked with the reason. A part goes range by range, beside all else.
 *
 * Nothing is remembered here that the desk doesn't know: a lost answer or a
 * crash means that something is sent twice, and the broker says duplicate. So
 * two processes may empty one outbox.
 */
#ifndef TOCSIN_CLIENT_OUTBOX_H
#define TOCSIN_CLIENT_OUTBOX_H

#include "client/backoff.h"
#include "client/line.h"

struct outbox {
	const struct sync_parts *parts;
	struct line *line;

	struct backoff posting; /* after a request that failed */
	struct backoff again;	/* what was refused for now */
	uint64_t from;		/* this pass is beyond this message */
	bool passed_over;	/* there is something of that kind before it */
	enum tocsin_err post_trouble;

	struct backoff uploading;
	uint8_t part[32];
	uint64_t size, have;
	bool active, asked;	/* a part was chosen; we know `have` */
	bool theirs;		/* the last error is the broker's word */
	enum tocsin_err failed; /* in this pass over the parts */
	enum tocsin_err upload_trouble;
};

/*
 * Post one batch, upload one range. True: there may be more to do at once.
 * ENOTENROLLED in post_trouble, with `stranger`: the broker doesn't know us.
 */
bool outbox_post(struct outbox *o, bool *stranger);
bool outbox_upload(struct outbox *o);

/* Try everything now: there is a new link, or a person waits. */
void outbox_restart(struct outbox *o);

/* How long nothing is to be done, at most `ms`. */
int64_t outbox_rest(const struct outbox *o, int64_t ms);

#endif
