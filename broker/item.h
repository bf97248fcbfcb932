/* SPDX-License-Identifier: ISC */
/*
 * item.h - the bytes of what is relayed
 *
 * An entry is `block note, block body`; a part is its hash and itself. They are
 * cut into pieces without being built first: the sender asks for a range, and
 * gets it out of the pieces that the item is made of. Pure. PROTOCOL.md 6.
 */
#ifndef TOCSIN_BROKER_ITEM_H
#define TOCSIN_BROKER_ITEM_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define ITEM_HASH 32 /* bytes of a part's hash, before the part */
#define ITEM_GONE_ENTRY 8
#define ITEM_GONE_PART ITEM_HASH

/*
 * What comes before the large, last field: of an entry the note and the size of
 * the body, of a part the hash. `rest` says how long that last field is.
 */
void item_head_entry(struct buf *out, struct span note, uint64_t rest);
void item_head_part(struct buf *out, const uint8_t hash[32]);

/* An item that is no more: a whole one, to be passed over. */
void item_gone(struct buf *out, bool part);

/*
 * How the range [offset, offset + n) of an item falls on the head and the rest.
 * `rest_from` counts within the rest.
 */
struct item_cut {
	struct span head; /* aliases the head given */
	uint64_t rest_from;
	size_t rest_n;
};
struct item_cut item_cut(
    struct span head, uint64_t rest, uint64_t offset, size_t n);

/* The other way; spans alias `bytes`. EMALFORMED. */
struct item_entry {
	struct span note;
	struct span body;
	bool gone;
};
enum tocsin_err MUST_USE item_entry_parse(
    struct item_entry *out, struct span bytes);

#endif
