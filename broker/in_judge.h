/* SPDX-License-Identifier: ISC */
/*
 * in_judge.h - whether to believe an item of a peer, and what to do if not
 *
 * An error is one of three things, and all of receiving turns on which:
 *
 *	ours		says nothing about the item: the disk is full, the
 *			roster expired. The lane waits until it is over.
 *	transient	a roster or an announcement on its way may cure it. The
 *			lane waits, for RELAY_HOLD_MS in all.
 *	for good	the item is passed over, logged, and told to the
 *			sender's nation in a receipt.
 *
 * Judging costs a signature and holds no lock. PROTOCOL.md 6.
 */
#ifndef TOCSIN_BROKER_IN_JUDGE_H
#define TOCSIN_BROKER_IN_JUDGE_H

#include "broker/relay_in_impl.h"

/*
 * OK: to the writer with it, be it to be passed over (`pass`). Else it waits,
 * until in_retry_after() says.
 */
MUST_USE enum tocsin_err in_judge(struct in_item *it, int64_t now_ms);
int64_t in_retry_after(
    const struct in_item *it, enum tocsin_err err, int64_t now_ms);

/* An entry before its turn (in_early.h): as it stands now, nothing is held. */
MUST_USE enum tocsin_err in_judge_early(struct in_item *it);

/*
 * What we take of that peer: what the configuration says of those abroad, and
 * all of another broker of our nation, which has judged it as we would have.
 */
const struct msg_accept *in_accept(struct in_peer *p);

bool in_ours(enum tocsin_err err);
bool in_transient(const struct in_item *it, enum tocsin_err err);

/* Whether a member is of the nation that the peer speaks for. */
bool in_from_nation(struct in_peer *p, struct span member);

/* RELAY_HOLD_MS, unless the broker was configured otherwise. */
int64_t in_hold_ms(const struct in_item *it);

/* May wait still: hold_ms from the first time that it had to. */
bool in_holds(struct in_item *it, int64_t hold_ms, int64_t now_ms);

/* A roster may be behind what is held, where there is no room for it. */
bool in_wants_trust(const struct in_item *it, enum tocsin_err err);

#endif
