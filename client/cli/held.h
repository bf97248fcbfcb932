/* SPDX-License-Identifier: ISC */
/*
 * held.h - one process at a time for each reader
 *
 * Two programs that follow the desk under one name would both handle what comes
 * next. So who watches holds a lock, a file in the home's folder `readers`; the
 * system gives it up when the process ends, however it ends.
 *
 * A command that was started outlives a tocsin that is killed. It has the
 * second lock, inherited as a descriptor: as long as it or something that it
 * started runs, nobody starts the next.
 */
#ifndef TOCSIN_CLI_HELD_H
#define TOCSIN_CLI_HELD_H

#include "client/cli/cli.h"

#include <sys/types.h>

struct held {
	int watch; /* -1: not held */
	int run;   /* for the command to inherit */
};

/* { -1, -1 }, before all else. */
extern const struct held held_none;

/* For who prints: the first lock. 0, or a status and a sentence. */
int held_watch(struct held *h, struct cli *c, const char *reader);

/* The same for `tocsin bot`: of one name there is one in a home. */
int held_bot(struct held *h, struct cli *c, const char *name);

/* For `tocsin drill run`, of which a home has one; and whether there is one. */
int held_drill(struct held *h, struct cli *c);
bool held_drill_runs(struct cli *c);

/*
 * The second lock alone, for one of several programs at a time: false if what
 * an earlier one has started under that name still has it, or it cannot be had.
 * held_end() kills that.
 */
bool held_free(struct held *h, struct cli *c, const char *name);
void held_end(const struct held *h);

/*
 * For who runs commands: the second too. What an earlier tocsin left running
 * gets `seconds` to end, then its process group is killed; *stop ends the wait.
 */
int held_run(struct held *h, struct cli *c, const char *reader,
    unsigned seconds, const volatile int *stop);

/* The process group that holds the second lock now; 0: none. */
void held_by(const struct held *h, pid_t group);

void held_release(struct held *h);

#endif
