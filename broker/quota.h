/* SPDX-License-Identifier: ISC */
/*
 * quota.h - how much of our disk anybody may fill
 *
 * Who has valid keys may send what he likes, and what is taken is kept for
 * hundreds of days. So there are limits, and what they limit is counted in the
 * transaction that stores the entry, in values of the store: a crash, a restart
 * and a backup that is restored keep it.
 *
 *	quota/peer/PEER		u64: bytes kept now of what a broker of another
 *				nation relayed
 *	quota/member/MEMBER	u64: and of what one member abroad sent
 *	quota/free/ID		u64: of such a ticket, what it was not charged
 *	day/MEMBER		u64 day, u64 bytes, u32 announcements, u32
 *				refusals, since midnight (UTC)
 *	day/MEMBER/		the same: refusals of all its exercises
 *
 * What comes from abroad is limited by what is kept, not by the day: a peer
 * that was away, or finds after a restore what we lack, sends weeks at once.
 * What retention erases is given back. Members of ours are limited by the day:
 * their outbox waits for the next.
 *
 * What is of an exercise uses up the limit of all exercises together and none
 * of these (exercise.h).
 *
 * A ticket costs its note, its body and all parts that it names, whether they
 * are here or come at all: so it is taken or refused as a whole, before it is
 * stored, and what it gives back in the end is what it took. A part that is
 * left at the border, being larger than what is taken from there, costs
 * nothing; how much that was is kept with it, since the limit may be another
 * when the ticket is erased. Parts leave the last quarter of a limit to tickets
 * without, and those leave the last eighth to receipts: a flood of attachments
 * stops no alarm, and a flood of alarms no receipt. Brokers of our own nation
 * are not limited; the broker that a member posts at has counted it.
 *
 * What is over is EQUOTA: to a device at once, to a peer's member in a receipt.
 * Receipts are entries as well, so a member's refusals of one day are told up
 * to a number only. In the writer's thread, but for what is for status.
 * PROTOCOL.md 6.5.
 */
#ifndef TOCSIN_BROKER_QUOTA_H
#define TOCSIN_BROKER_QUOTA_H

#include "broker/intake.h"
#include "crypto/ticket.h"

#define QUOTA_ANNOUNCEMENTS 256 /* of a member in a day */
#define QUOTA_REFUSALS 4096	/* told to a member in a day */

/* EQUOTA: it may not be stored; nothing was written. */
MUST_USE enum tocsin_err quota_check(
    const struct intake *in, const struct batch *batch);

/* It was stored. */
MUST_USE enum tocsin_err quota_take(
    const struct intake *in, struct batch *batch);

/* Before an entry is erased; `t` is its header if it is a ticket, else NULL. */
MUST_USE enum tocsin_err quota_give_back(
    struct batch *batch, const struct store_entry *e, const struct ticket *t);

/*
 * For repair.h: a count that `was` has not got is made anew, entry by entry.
 * `e` and `t` as above, of a log that does not change.
 */
MUST_USE enum tocsin_err quota_again(struct batch *batch, struct store_rx *was,
    const struct store_entry *e, const struct ticket *t, bool abroad);

/*
 * Whether it hears of one more refusal today; counts it, those of all exercises
 * together, since whoever is refused chooses their names.
 */
MUST_USE enum tocsin_err quota_tell(
    struct batch *batch, struct span member, bool played, bool *tell);

/* For status: bytes kept of tickets of all exercises. */
uint64_t quota_exercises(struct store_rx *rx);

/* For status: bytes kept of a peer, and how many may be; 0: any number. */
uint64_t quota_kept(struct store_rx *rx, const char *peer);
uint64_t quota_limit(const struct broker *b, const char *peer);

/*
 * For status: members that have come near a limit of their own, 7/8 of it. The
 * next after *name, which begins as empty; both alias the map. False: no more.
 */
struct quota_near {
	struct span member;
	uint64_t bytes;
	uint64_t limit;
	bool day; /* of today, by a member of ours; else kept, from abroad */
};
bool quota_next_near(struct store_rx *rx, const struct broker *b, int64_t now,
    struct span *name, struct quota_near *out);

#endif
