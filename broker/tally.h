/* SPDX-License-Identifier: ISC */
/*
 * tally.h - have two brokers the same items?
 *
 * Sender and receiver of a lane each keep a hash over what the items in it
 * were, in their order. The receiver tells its own with its cursor, and only
 * when both are the same does the sender forget what it had queued: so that
 * everything arrived is compared, not taken from a number. Pure.
 *
 *	hash 0 = zeros,  hash n = SHA-256(hash n-1 || mark of item n), 16 bytes
 *
 * The mark of an entry is the SHA-256 of its note, of a part its hash; that of
 * an item that is no more is zeros. PROTOCOL.md 6.3.
 */
#ifndef TOCSIN_BROKER_TALLY_H
#define TOCSIN_BROKER_TALLY_H

#include "crypto/wire.h"

#define TALLY_HASH 16
#define TALLY_MARK 32

struct tally {
	uint64_t n; /* items */
	uint8_t hash[TALLY_HASH];
};

void tally_add(struct tally *t, const uint8_t mark[TALLY_MARK]);

/* An empty note is that of an entry that is no more. */
void tally_mark(uint8_t mark[TALLY_MARK], struct span note);

#endif
