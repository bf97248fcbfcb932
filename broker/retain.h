/* SPDX-License-Identifier: ISC */
/*
 * retain.h - erasing what is older than the operator keeps
 *
 * One rule for all tickets and receipts, and one for each label that the
 * operator names; a ticket goes when the first of its rules says so. What is
 * erased is text and body, and a part with the last ticket that names it. Its
 * id stays, and with it every proof.
 *
 * Nothing goes that a peer has not acknowledged or a member of ours has not
 * fetched, from the mailbox it is in (exercise.h), unless it is older than
 * keep_unread, which is logged. Rosters and announcements stay.
 *
 * A few entries at a time, in jobs of the writer. The value retain/LABEL ("-"
 * for all) says up to which seq a rule is done; what has to wait holds that
 * back, and is looked at again.
 */
#ifndef TOCSIN_BROKER_RETAIN_H
#define TOCSIN_BROKER_RETAIN_H

#include "crypto/text.h"

#include <stdatomic.h>

#define RETAIN_RULES 17

struct retain_rule {
	char label[TOKEN_MAX + 1]; /* empty: all */
	int64_t seconds;
};

struct retain {
	atomic_bool busy; /* a job is out */
	/* the writer's: where each rule looks next, beyond what has to wait */
	uint64_t at[RETAIN_RULES];
	unsigned turn; /* whose rule it is */
};

struct broker;

/* From the thread of the parks; never waits. */
void retain_sweep(struct broker *b);

#endif
