/* SPDX-License-Identifier: ISC */
/*
 * act.h - doing what a plan says is due
 *
 * One timer at a time. What is a message is posted under a key of the action's
 * (tocsin_draft.once), so it is there or not, and there once, wherever the
 * process is killed. What is a program is begun on the disk first (deed.h),
 * runs beside (hooks.h), and when it has ended well the thread gets a record of
 * it.
 *
 * What fails is tried again after a while that doubles, DEED_TRIES times; what
 * may not be is not tried again. Both end with a record in the thread that it
 * has failed for good, so that nobody waits for it in vain.
 */
#ifndef TOCSIN_CLIENT_BOT_ACT_H
#define TOCSIN_CLIENT_BOT_ACT_H

#include "client/bot/deed.h"
#include "client/bot/hooks.h"

struct actor {
	struct cli *c;
	struct tocsin *t;
	const struct rules *rules;
	struct plan_self self;
	struct hooks *hooks;
	int64_t offset; /* ms, of the clock from one that does not jump */
	uint64_t posted, begun, failed; /* since it was started */
	int64_t no_slot;		/* when it was told that none is free */
};

/* The time, as it goes on from when a->offset was taken, also if the clock is
 * set meanwhile.
 */
int64_t act_now(const struct actor *a);

/*
 * No other device may have begun with it, or we hold the claim still, and for
 * as long as it takes. A process may be stopped between any two lines.
 */
bool act_in_time(const struct actor *a, const struct plan_timer *t);

/* True if it was done, begun or noted; else it waits, until *again. */
bool act_do(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t now, int64_t *again);

/*
 * Its program has run here and ended well: what is left is to say so, which
 * needs no claim. Who waited for one would let another device do it again.
 */
bool act_has_ended(struct actor *a, const struct plan_timer *t);

/* Says that this device does it, until then; PROTOCOL.md 8.12. */
enum tocsin_err MUST_USE act_claim(struct actor *a, const struct facts *f,
    const struct plan_timer *t, int64_t until);

/* Hooks that have ended: what came of them is on the disk. True: there were. */
bool act_reap(struct actor *a, int64_t now);

/* A line for who operates it; with --json an object on stdout. */
void act_say(struct actor *a, const char *event, const struct facts *f,
    const struct plan_timer *t, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
