/* SPDX-License-Identifier: ISC */
/*
 * in_early.h - what a peer sent, ahead of its turn
 *
 * A lane stops at a ticket that there is no room for, or that may be good later:
 * by another clock, roster or key. What stands behind it need not wait for
 * that; without room, this is what may use the store's reserve (store.h):
 * rosters, announcements, receipts, answers. It is stored as if it had come by
 * another way, and stays where it is in its lane, without a word to the peer.
 * When its turn comes it is a duplicate, which is as good as stored: cursors and
 * tallies know nothing of this, nor does a broker that dies in between.
 *
 * It reaches as far as what has come of the lane, a few windows at most.
 */
#ifndef TOCSIN_BROKER_IN_EARLY_H
#define TOCSIN_BROKER_IN_EARLY_H

#include "broker/relay_in_impl.h"

/*
 * In the thread that runs the lane, without the lock: does what there is to do
 * if the lane's first has found no room or is held.
 */
void in_early_run(struct in_peer *p, unsigned lane);

#endif
