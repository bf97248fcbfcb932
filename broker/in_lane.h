/* SPDX-License-Identifier: ISC */
/*
 * in_lane.h - the items of a peer, from their pieces to the writer, in order
 *
 * Pieces make an item, which is judged once those before it in its lane were
 * and then given to the writer; many of a lane may be there at a time. The one
 * that has to wait stops those behind it and no other lane. At its end the
 * item is gone and the peer is told, in the answer to its parked relay.wait:
 * at once, or in a moment if more may come (lane.h).
 *
 * What came of an entry that isn't whole yet is kept on disk from time to time
 * too, so that a line that breaks at 90 % goes on from there.
 *
 * The lanes own their items. Functions lock the peer but for those that say
 * "under the lock".
 */
#ifndef TOCSIN_BROKER_IN_LANE_H
#define TOCSIN_BROKER_IN_LANE_H

#include "broker/relay_in_impl.h"

void in_lanes_init(struct in_peer *p);
void in_lanes_release(struct in_peer *p); /* with no thread in them */

/* Under the lock. True if the lane has something to be judged: in_lane_run().
 */
bool in_lane_take(struct in_peer *p, const struct relay_piece *piece);

/* One thread at a time does a lane; whoever comes meanwhile leaves it to it. */
void in_lane_run(struct in_peer *p, unsigned lane);

/* When the lane's first that waits is due; INT64_MAX: none waits. */
int64_t in_lane_due(struct in_peer *p, unsigned lane);

/* Under the lock: trust has changed, so all that waits is due. */
void in_lanes_retry(struct in_peer *p);

/* Entries of this peer may be about to be here: held, incomplete, or missed. */
bool in_lanes_lack(struct in_peer *p);

/* Under the lock: the beginning of an entry to be written now, or NULL. */
struct in_keep *in_keep_make(struct in_peer *p, unsigned lane);
void in_keep_send(struct in_peer *p, struct in_keep *k); /* k may be NULL */

/*
 * After something was taken or stored, under the lock: true if whoever waits is
 * to be woken now. Else *later is set if the relay's thread has to be told that
 * it is to be done in a moment. Then in_tell() without the lock, and in the
 * relay's thread in_tell_due(), which returns when to look again.
 */
bool in_tell_now(struct in_peer *p, int64_t now_ms, bool *later);
void in_tell(struct in_peer *p, bool now, bool later, const struct name *link);
int64_t in_tell_due(struct in_peer *p, int64_t now_ms);

/* Under the lock: by what those who wait on the link are woken. */
struct name in_link_name(const struct in_peer *p);

#endif
