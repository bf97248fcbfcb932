/* SPDX-License-Identifier: ISC */
/*
 * flight.h - messages that were given to a program and not yet committed
 *
 * A program that reads what `watch --commit` prints says on our standard input
 * how far it has come, {"commit":17}. A thread reads that, so that it is on the
 * disk at once, whatever is being waited for or written meanwhile. A commit is
 * of all that were given before, and itself; so the place of a reader stays one
 * number. What was not given cannot be committed: it would not be seen.
 *
 * {"aside":17,"why":"no such host"} is a commit too, of all that were given
 * before; the last one is not done with but set aside, as it is when a handler
 * has failed too often. It can be no more than that: there is one place.
 *
 * No more than `window` are under way. A program that does not commit gets no
 * more, and one that dies gets those again, the next time, with the same ids.
 */
#ifndef TOCSIN_CLI_FLIGHT_H
#define TOCSIN_CLI_FLIGHT_H

#include "client/cli/cli.h"

#define FLIGHT_MAX 10000

struct flight;

/* Reads standard input from now on. NULL: no memory, or too many threads. */
struct flight *flight_start(
    struct tocsin *t, const char *reader, unsigned window);
void flight_stop(struct flight *f); /* NULL is ok */

/* One more may be given; how many are under way. */
bool flight_room(struct flight *f);
unsigned flight_count(struct flight *f);

/* The last that was given and is under way; 0: none. */
uint64_t flight_last(struct flight *f);

/* Before it is printed: its commit may come before printing ends. */
void flight_give(struct flight *f, uint64_t number);

/* Until something is committed, or the input has ended. */
void flight_wait(struct flight *f, int ms);

/*
 * Whether there is nothing more to read. *err is then OK at the end of the
 * input, else why it was not read on, and `why` a sentence.
 */
bool flight_over(struct flight *f, enum tocsin_err *err, char why[512]);

#endif
