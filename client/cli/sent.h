/* SPDX-License-Identifier: ISC */
/*
 * sent.h - what a command says after it put a message into the outbox
 *
 * The message is safe then. Whether it also left is worth a few seconds of
 * waiting; if it did not, that is no failure, but it is said.
 */
#ifndef TOCSIN_CLI_SENT_H
#define TOCSIN_CLI_SENT_H

#include "client/cli/cli.h"

#define SENT_BUSY 30	     /* seconds, while there is a link */
#define SENT_BUSY_PARTS 3600 /* the same with attachments */

/*
 * Whether a call that failed for want of something that the broker may have, a
 * ticket, a roster or somebody's keys, is worth another try: it has been asked.
 */
bool ask_first(struct cli *c, struct tocsin *t, enum tocsin_err err);

/*
 * Before anything is sent: who stands behind each circle among these names,
 * which are NULL-terminated or NULL. What is wrong with one is said by the
 * post.
 */
void say_circles(struct tocsin *t, const char *const *names);

/* What is told of a message that was posted, now; tocsin(1) lists it. */
struct json_t;
struct json_t *sent_json(struct tocsin *t, struct tocsin_message *m);

/* How many messages are in the outbox. */
size_t sent_queued(struct tocsin *t);

/* Waits, prints the ticket's short id or the JSON, gives the exit status. */
int sent(struct cli *c, struct tocsin *t, const char *id, unsigned busy);

#endif
