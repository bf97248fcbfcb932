/* SPDX-License-Identifier: ISC */
/*
 * turn.h - which of a home's processes sends
 *
 * Nothing is lost when two processes empty one outbox; but what both send
 * crosses a thin link twice. So one of them, which has the lock of
 * home/outbox.lock, does it for all. If it does not get on with it, because it
 * was stopped or is on another road, the others do so without the lock.
 *
 * Any thread of a process may ask; each one that does has a turn_wait of its
 * own, { 0 } at first.
 */
#ifndef TOCSIN_CLIENT_TURN_H
#define TOCSIN_CLIENT_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TURN_LOOK_MS 500 /* while it is another's, one asks so often */

struct turn {
	int fd; /* -1: there is no file; then everybody may */
	atomic_bool ours;
};

struct turn_wait {
	int64_t since; /* when we began to leave it to others; 0: we don't */
};

void turn_open(struct turn *t, const char *home);
void turn_close(struct turn *t);

/* Asked when there is something to send. */
bool turn_is_ours(struct turn *t, struct turn_wait *w);

/*
 * Whether this process has the lock, which it takes if it can. Asked from time
 * to time, too, so that who lives long has it in the end, and not a command.
 */
bool turn_has_lock(struct turn *t);

/* Something was taken: a sign for the others. */
void turn_got_on(struct turn *t);

#endif
