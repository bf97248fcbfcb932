/* SPDX-License-Identifier: ISC */
/*
 * mend.h - getting back from peers what the store lost
 *
 *	damaged		an entry whose record is not what its check says, as
 *			readers found it (store_damaged): the id is known by
 *			the index and the tree, so the peers are asked for it by
 *			entry.get, and it stands in for the damaged one
 *			and a part of which a range is (store_parts_damaged):
 *			ranges that came from a peer take the place of the
 *			damaged ones, if with them the part has its hash
 *	restored	after `tocsind restore`, or `verify --repair`, each peer
 *			is asked once for the ids of all that it exchanged with
 *			our nation (entry.list), and what is missing is fetched
 *			and taken in as if it had been relayed; then the parts
 *			that are not whole. What our nation sent goes on to the
 *			others that it is for
 *
 * A peer that nobody can dial is asked with what it fetches (pull.h).
 *
 * A peer that answers may lie: list ids without end, or what it has not, and
 * give a byte at a time. So each has a turn of some seconds and goes on where
 * it was in its next, a range is full or the last, and a list has an end.
 *
 * One thread, with links of its own, which asks one thing at a time and nothing
 * while all is well. Values: pulled/PEER is the number of restores and repairs
 * when the peer's ids were gone through last, `repaired` that of repairs.
 *
 * A peer answers only for what its own rules let our nation have; what it gives
 * is believed as far as its hash is the id that was asked for.
 */
#ifndef TOCSIN_BROKER_MEND_H
#define TOCSIN_BROKER_MEND_H

#include "crypto/wire.h"

struct broker;
struct mend;

MUST_USE enum tocsin_err mend_start(struct mend **out, struct broker *b);
/*
 * A damaged entry that each peer was asked for and none has: nobody needs to
 * wait for it. Until that is known, a reader waits, so that it misses nothing.
 */
bool mend_is_lost(struct mend *m, uint64_t seq);
bool mend_part_is_lost(struct mend *m, const uint8_t hash[32]);

void mend_stop(struct mend *m); /* waits for a call that is out */
void mend_free(struct mend *m);

#endif
