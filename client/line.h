/* SPDX-License-Identifier: ISC */
/*
 * line.h - a handle's link to its broker, and requests over it
 *
 * One thread of the handle makes links, one after the other; any thread may ask
 * over the one that stands. A request is a call: it belongs to who asks and,
 * until net has told how it ended, also to net, so that a line can be closed
 * while answers are out.
 *
 * What does not come sealed over the link is a hint and no more (PROTOCOL.md
 * 4.1): error frames and nonsense end the link and read as UNAVAILABLE, or as
 * BUSY. So a reason that is none of these two, nor TIMEOUT, is the broker's
 * word. When nothing came in time, the connection is dropped too. A link is not
 * bound to a connection: it goes on over the next one, and what was out is
 * UNAVAILABLE.
 */
#ifndef TOCSIN_CLIENT_LINE_H
#define TOCSIN_CLIENT_LINE_H

#include "client/pace.h"
#include "client/sync.h"
#include "crypto/msg.h"

struct line;
struct call;

enum tocsin_err MUST_USE line_new(
    struct line **out, const struct sync_parts *parts);

/* Ends all waiting with UNAVAILABLE; nobody may be in a call after it. */
void line_stop(struct line *l);
void line_free(struct line *l); /* after line_stop(); NULL is ok */

/* Whether there is a connection, and a link that can be used. */
bool line_connected(struct line *l);
bool line_up(struct line *l);

bool line_refused(struct line *l); /* nobody listens there */

/* Counts the connections, each when it begins and when it ends. */
unsigned line_connections(struct line *l);

/*
 * Makes a new link in place of what there is. Only the handle's own thread.
 * BADSIGNATURE: it is not the broker that the roster says, or has other
 * rosters. *out is what it says of itself.
 */
enum tocsin_err MUST_USE line_make(struct line *l, struct msg_hello *out);

/* Until there is a link and a connection for it. Any thread but the one that
 * makes it. */
void line_wait(struct line *l, int timeout_ms);

/*
 * How much may be asked for or sent besides what is on the way (pace.h), and in
 * pieces of what size. What is put counts up, what is got counts down, what a
 * fetch that does not wait may bring is mail.
 */
enum line_way { LINE_UP, LINE_DOWN, LINE_MAIL, LINE_WAYS };
bool line_room(struct line *l, enum line_way way, size_t bytes);
size_t line_piece(struct line *l, enum line_way way, size_t max);
size_t line_window(struct line *l, enum line_way way);

/*
 * Ask and wait. *retry_ms is how long the broker wants us to wait, 0 if it
 * doesn't say. UNAVAILABLE at once without a link. Any thread.
 */
enum tocsin_err MUST_USE line_ask(struct line *l, struct span request,
    int timeout_ms, struct buf *fields, uint32_t *retry_ms);

/*
 * Ask and look later: begin, line_answered(), end or drop. NULL: no link. After
 * line_stop() all are answered.
 */
struct call *line_begin(struct line *l, struct span request, int timeout_ms);
bool line_answered(struct line *l, struct call *c);
enum tocsin_err MUST_USE line_end(struct line *l, struct call *c,
    struct buf *fields, uint32_t *retry_ms);	/* frees c */
void line_drop(struct line *l, struct call *c); /* NULL is ok */

#endif
