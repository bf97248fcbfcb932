/* SPDX-License-Identifier: ISC */
/*
 * exercise.h - what is not real: mailboxes of its own, and not much room
 *
 * A ticket is live or of one exercise, by name, and so is each device
 * (PROTOCOL.md 7.4). A member has a mailbox for each: that of its live devices
 * has the member's name, that of an exercise MEMBER/EXERCISE. So what a link
 * may see is decided where an entry is stored, not where it is read.
 *
 * Receipts follow the ticket that they are about, and that may be erased by
 * then. So for each ticket of an exercise there is a value:
 *
 *	exercise/SEQ	its name; live: no value
 *
 * An operator says which exercises are carried (tocsind.conf(5), [exercise]),
 * how much of them is kept, and how fast they come in; so a drill crowds out no
 * alarm. What is kept of them all:
 *
 *	quota/exercise	u64, bytes, counted as in quota.h
 */
#ifndef TOCSIN_BROKER_EXERCISE_H
#define TOCSIN_BROKER_EXERCISE_H

#include "broker/store.h"
#include "crypto/ticket.h"

#define MAILBOX_MAX (MEMBER_MAX + 1 + EXERCISE_MAX)
#define EXERCISES_CARRIED 16

_Static_assert(sizeof("cursor/") + MAILBOX_MAX + LABEL_MAX <= STORE_NAME_MAX,
    "a mailbox has a name, and how far a device has come in it");

/* `exercise` is empty for live traffic. */
struct span mailbox_name(
    char out[MAILBOX_MAX + 1], struct span member, struct span exercise);

/*
 * MEMBER, or MEMBER/ for all its exercises together: of what a member may have
 * a bounded number each, since it is the member who names exercises.
 */
#define SIDE_MAX (MEMBER_MAX + 1)
struct span side_name(char out[SIDE_MAX + 1], struct span member, bool played);

/* That of a ticket's sender. */
struct span mailbox_of_sender(
    char out[MAILBOX_MAX + 1], const struct ticket *t);

/* An entry that was just appended is of it; nothing is noted of a live one. */
MUST_USE enum tocsin_err exercise_note(
    struct store_tx *tx, uint64_t seq, struct span exercise);

/* Of which exercise an entry is, or was; an empty string: live. */
MUST_USE enum tocsin_err exercise_of(
    char out[EXERCISE_MAX + 1], struct store_rx *rx, uint64_t seq);

/* What an operator lets in. Zeroed: everything. */
struct exercise_rules {
	bool only_named; /* else any */
	bool no_live;	 /* a broker for exercises alone */
	size_t n;
	char name[EXERCISES_CARRIED][EXERCISE_MAX + 1];
};

/* "all", "none", or names with a space between; false: something else. */
MUST_USE bool exercise_rules_parse(struct exercise_rules *r, const char *words);

/* EPOLICYDENIED: not carried here; EEXERCISEMISMATCH: live, where none is. */
MUST_USE enum tocsin_err exercise_carried(
    const struct exercise_rules *r, struct span exercise);

#endif
