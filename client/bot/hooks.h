/* SPDX-License-Identifier: ISC */
/*
 * hooks.h - programs of rules, several at a time
 *
 * A hook runs in a thread that waits for it, so that one which takes long, or
 * for ever, keeps no timer and no other hook waiting. There are HOOKS_MAX
 * slots, and each has a lock that the program inherits (held.h): when tocsin
 * was killed and is started again, it sees whether what it had started is still
 * at work, and does not start the same beside it.
 *
 * A hook gets its action's id in TOCSIN_ACTION, how often it was begun in
 * TOCSIN_ATTEMPT, a line of JSON on its standard input, no shell, an
 * environment made from nothing, and limits: run.h.
 */
#ifndef TOCSIN_CLIENT_BOT_HOOKS_H
#define TOCSIN_CLIENT_BOT_HOOKS_H

#include "client/bot/plan.h"
#include "client/cli/run.h"

#define HOOKS_MAX 4
#define HOOK_MEMORY ((uint64_t)1 << 30)
#define HOOK_FILE ((uint64_t)64 << 20)
#define HOOK_FILES 256

struct hooks;
struct desk;

/* `desk` is woken when one has ended. False: no memory. */
MUST_USE bool hooks_new(struct hooks **out, struct cli *c, const char *name,
    struct desk *desk, const char *home);

/* Waits for those that run. NULL is ok. */
void hooks_free(struct hooks *h);

struct hook_start {
	const char *action; /* its id */
	const char *thread; /* the ticket's */
	const char *rule;
	char *const *argv; /* copied, as all of this */
	struct span input;
	unsigned seconds, attempt;
};

/* The slot that is free, from 1; 0: there is none now. */
unsigned hooks_slot(struct hooks *h);
/* In a slot that hooks_slot() gave. False: no thread, or no memory. */
bool hooks_start(struct hooks *h, unsigned slot, const struct hook_start *s);

bool hooks_running(struct hooks *h, const char *action);
unsigned hooks_busy(struct hooks *h); /* how many run, or have ended */

/* Whether what an earlier tocsin started in that slot is still at work. */
bool hooks_left(struct hooks *h, unsigned slot);
void hooks_end_left(struct hooks *h, unsigned slot);

/* One that has ended, once; the caller releases end.kept. */
struct hook_end {
	char action[PLAN_ID + 1];
	struct run_end end;
};
bool hooks_ended(struct hooks *h, struct hook_end *out);

#endif
