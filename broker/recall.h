/* SPDX-License-Identifier: ISC */
/*
 * recall.h - what its sender has taken back is erased, and not taken again
 *
 * A recall says in its header which messages of its member it takes back, or
 * which parts of them (PROTOCOL.md 8.8), so a broker obeys without reading. All
 * is done in the transaction that stores the recall, or the late message: a
 * crash leaves nothing half obeyed, and what is done twice is done once.
 *
 * What is known of a message stands in the value recalled/KEY, where KEY is of
 * its sender and its id: nobody takes back what is another's.
 *
 *	1 whole bits	the message came: u8, whether all of it is taken back;
 *			u64, which parts are, in the order of its header
 *	0 recall...	it has not come: the ids of up to 7 recalls
 *
 * A `ref` may as well be the hash of a part; it has a value of its own then,
 * for which put refuses the part. The values stay, as ids do.
 */
#ifndef TOCSIN_BROKER_RECALL_H
#define TOCSIN_BROKER_RECALL_H

#include "broker/writer.h"
#include "crypto/ticket.h"

struct recalled {
	bool whole;
	uint64_t parts; /* bit i: t->part[i]; of a part of it only */
};

/* What was taken back of a message, here or not. */
MUST_USE enum tocsin_err recall_of(
    struct recalled *out, struct store_rx *rx, const struct ticket *t);

/* The same of one part of it, or with NULL of all of it. */
bool recall_covers(
    struct store_rx *rx, const struct ticket *t, const uint8_t *part);

/* Whether all of an entry that is erased was taken back, not just old. */
bool recall_is_of(struct store_rx *rx, const struct store_entry *e);

/*
 * Whether a recall named it, an id or the hash of a part, of the member and
 * exercise of this mailbox (exercise.h).
 */
bool recall_names(
    struct store_rx *rx, struct span box, const uint8_t id[ID_LEN]);

/* A recall was stored: erase, note, and say so. `r` is not in the map. */
MUST_USE enum tocsin_err recall_obey(
    struct batch *batch, const struct ticket *r);

/* A message was stored of which that was taken back before it came. */
MUST_USE enum tocsin_err recall_arrived(
    struct batch *batch, const struct ticket *t, const struct recalled *known);

/*
 * A damaged entry is whole again (mend.h). While it was damaged a recall of it
 * could only be noted, and one that was obeyed before is not undone by what a
 * peer still had. `e` and `t` are not in the map; *gone: it is erased again.
 */
MUST_USE enum tocsin_err recall_mended(struct batch *batch,
    const struct store_entry *e, const struct ticket *t, bool *gone);

/* For repair.h: what a recall of the log left behind in values. */
MUST_USE enum tocsin_err recall_again(
    struct batch *batch, const struct ticket *r);

#endif
