/* SPDX-License-Identifier: ISC */
/*
 * cursor.h - how far a peer has come in a lane, on disk
 *
 * A cursor says which item was stored last, and how many bytes of the one after
 * it are here. In lane 4 that is a part, whose bytes the store keeps under its
 * hash anyway. In the others it is the beginning of an entry. That is kept as a
 * part too, under a key made of peer, lane, item, kind and size, whose last
 * byte never comes: the entry is stored when it is whole, and its beginning
 * dropped.
 *
 * Value relay/PEER/LANE: u64 item, u64 offset, 16 tally, and if the offset is
 * not 0 the hash or key, 32 bytes, u8 kind and u64 size of the item.
 * PROTOCOL.md 6.
 */
#ifndef TOCSIN_BROKER_CURSOR_H
#define TOCSIN_BROKER_CURSOR_H

#include "broker/item.h"
#include "broker/lane.h"
#include "broker/store.h"
#include "broker/tally.h"

struct cursor {
	struct lane_pos at;
	uint8_t tally[TALLY_HASH]; /* of the items up to it */
	uint8_t hash[ITEM_HASH];   /* of the item that is not whole */
	uint8_t kind;
	uint64_t total;
};

/* All zeros if there is none; EINTERNAL: it is not one. */
MUST_USE enum tocsin_err cursor_get(
    struct cursor *c, struct store_rx *rx, const char *peer, unsigned lane);
MUST_USE enum tocsin_err cursor_put(const struct cursor *c, struct store_tx *tx,
    const char *peer, unsigned lane);

/*
 * The beginning of an entry, of `kind` and `total` bytes: its bytes from `from`
 * on. What is on disk already is not written again, and what follows no longer
 * is not either: it is kept as it was then. c->at is set, and not yet put.
 */
MUST_USE enum tocsin_err cursor_begin(struct cursor *c, struct store_tx *tx,
    const char *peer, unsigned lane, uint8_t kind, uint64_t total,
    uint64_t from, struct span bytes);

/* The bytes of it; ENOTFOUND, EBODYMISMATCH: it has to come again. */
MUST_USE enum tocsin_err cursor_beginning(
    const struct cursor *c, struct store_rx *rx, struct buf *out);

/*
 * Where the bytes of a part are kept that another source brings as well: see
 * store_part_aside().
 */
void cursor_aside(
    uint8_t key[ITEM_HASH], const char *peer, const uint8_t hash[ITEM_HASH]);

/* The entry is whole, or another begins: that of `c` is dropped. */
MUST_USE enum tocsin_err cursor_drop(
    const struct cursor *c, struct store_tx *tx);

#endif
