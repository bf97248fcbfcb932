/* SPDX-License-Identifier: ISC */
/*
 * upload.h - the parts of messages, on their way to the broker
 *
 * They lie sealed in the spool until they are there. A thread of its own moves
 * them, one after the other, so that what else the handle asks and waits for
 * leaves no gap in them. It is there only while there is something to move.
 *
 * One part that fails does not keep the others back. What the broker refuses
 * for now is tried again later, what it refuses for good leaves the spool;
 * unless the message that names it is still to be posted.
 */
#ifndef TOCSIN_CLIENT_UPLOAD_H
#define TOCSIN_CLIENT_UPLOAD_H

#include "client/line.h"
#include "client/turn.h"

struct upload;

/* All three must outlive it. */
enum tocsin_err MUST_USE upload_new(struct upload **out,
    const struct sync_parts *parts, struct line *line, struct turn *turn);

/* After line_stop(); waits for its thread. NULL is ok. */
void upload_free(struct upload *u);

/*
 * Begins if there is something to do. From one thread, again and again, while
 * there is a link; *rest becomes less if it is to look again sooner.
 */
void upload_tend(struct upload *u, int64_t *rest);

/* Try everything now: a person waits; or, there is a new connection. */
void upload_restart(struct upload *u);
void upload_lost(struct upload *u);

/* Why not all is there; and how far the one is that is moved: false, none. */
enum tocsin_err upload_trouble(struct upload *u);
bool upload_progress(struct upload *u, uint64_t *have, uint64_t *size);

#endif
