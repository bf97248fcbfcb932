/* SPDX-License-Identifier: ISC */
/*
 * admin.h - the operator's socket of a running broker
 *
 * A local stream socket of mode 0600 that also asks the kernel who is there:
 * the broker's own user and root are served, nobody else. One thread serves one
 * caller at a time, with deadlines.
 *
 *	-> WORD N LF, N bytes		status, status-json, roster, install
 *	<- REASON N LF, N bytes		reason "ok", and what was asked for;
 *					else a sentence
 *
 * What the words do is the owner's, in admin_fn: it appends the answer and
 * returns the reason. `install` brings one roster file; `roster` is answered
 * with the current one's serial, or "0".
 */
#ifndef TOCSIN_BROKER_ADMIN_H
#define TOCSIN_BROKER_ADMIN_H

#include "crypto/roster.h"

#define ADMIN_BODY_MAX ROSTER_FILE_MAX
#define ADMIN_ANSWER_MAX (4 * 1024 * 1024)

struct admin;

/* In the thread of the socket; may wait. */
typedef enum tocsin_err admin_fn(
    void *arg, const char *word, struct span body, struct buf *answer);

/*
 * Replaces a socket that nobody serves any more: call it only with the store's
 * lock held. EUNAVAILABLE with errno.
 */
MUST_USE enum tocsin_err admin_start(
    struct admin **out, const char *path, admin_fn *fn, void *arg);

/* Takes the socket away. A call in hand goes on until the process ends. */
void admin_close(struct admin *a);

/* Ends the thread and frees; for tests. */
void admin_free(struct admin *a);

/*
 * Ask a broker. EUNAVAILABLE: none is there; ETIMEOUT; EPERMISSIONS; else what
 * it answered, with the sentence or what was asked for in *answer.
 */
MUST_USE enum tocsin_err admin_ask(
    const char *path, const char *word, struct span body, struct buf *answer);

#endif
