/* SPDX-License-Identifier: ISC */
/*
 * deed.h - what this device did for an action, and how often
 *
 * What the thread records is the truth of what was done (PROTOCOL.md 8.12). It
 * does not say that a program was begun and the machine went down, nor how
 * often it was tried, nor what it wrote; that is a matter of this device, and
 * stands in its desk under the action's id, as a value
 *
 *	bot/deed/HASH
 *
 * Written, and on the disk, before the program starts: so a program that is
 * started again is told so, by its attempt. It is sealed (memo.h), for it may
 * have words of tickets in it. One that does not open is none.
 *
 * Deeds that ended DEED_DAYS ago are forgotten.
 */
#ifndef TOCSIN_CLIENT_BOT_DEED_H
#define TOCSIN_CLIENT_BOT_DEED_H

#include "client/bot/plan.h"
#include "client/handle.h"

#define DEED_DAYS 60
#define DEED_OUTPUT 4096 /* the end of what the program wrote */
#define DEED_TRIES 12	 /* then it is given up */

enum deed_state {
	DEED_BEGUN,  /* under way, or the machine went down */
	DEED_FAILED, /* to be tried again, at `again` */
	DEED_GOOD,
	DEED_GIVEN_UP,
};

struct deed {
	char id[PLAN_ID + 1];
	char thread[TOCSIN_ID_TEXT];
	enum deed_state state;
	uint32_t tries; /* how often begun */
	uint32_t slot;	/* of the program that ran or runs; from 1, or 0 */
	int64_t begun, ended, again;
	char why[256]; /* it failed */
	struct buf output;
};

/* NOTFOUND: nothing was begun. The caller releases. */
enum tocsin_err MUST_USE deed_get(
    struct tocsin *t, const char *id, struct deed *out);
/* On the disk when it returns. */
enum tocsin_err MUST_USE deed_put(struct tocsin *t, const struct deed *d);
void deed_release(struct deed *d);

/* It failed: when it is tried again, or that it is given up. */
void deed_fail(struct deed *d, int64_t now, const char *why);

/* Forgets what is old. */
enum tocsin_err MUST_USE deeds_tidy(struct tocsin *t, int64_t now);

const char *deed_state_name(enum deed_state s);

#endif
