/* SPDX-License-Identifier: ISC */
/*
 * attempt.h - what became of the last try to post a message that waits
 *
 * A row of the desk for each message of the outbox that was refused for now, so
 * that any process of the home can tell why it waits and when it is tried
 * again. The row goes when the message leaves the outbox.
 */
#ifndef TOCSIN_CLIENT_ATTEMPT_H
#define TOCSIN_CLIENT_ATTEMPT_H

#include "client/desk.h"

struct attempt {
	enum tocsin_err reason;
	int64_t at;   /* the last try */
	int64_t next; /* at the latest, while a process of the home runs */
};

enum tocsin_err MUST_USE attempt_put(
    struct desk_tx *tx, uint64_t number, const struct attempt *a);
enum tocsin_err MUST_USE attempt_drop(struct desk_tx *tx, uint64_t number);

/* False: it was not refused yet. */
bool attempt_get(struct desk_tx *tx, uint64_t number, struct attempt *out);

#endif
