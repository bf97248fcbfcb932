/* SPDX-License-Identifier: ISC */
/*
 * epochs.h - the seqs that devices see, when a store was restored
 *
 * A store that comes back from a backup has lost its newest entries, and gives
 * their seqs to others. Devices keep cursors: one that stands on 900 would
 * never see the new 850. So what goes over the wire is
 *
 *	epoch << 40 | seq
 *
 * and each restore begins an epoch: all that is appended then is beyond every
 * cursor of before, none is used twice, and a cursor into what was lost means
 * the end of what was not. The tree, its proofs and receipts count entries, not
 * epochs. In a store that was never restored both are the same.
 *
 * The value `epochs` holds the first seq of each epoch but the first: it never
 * changes while a broker runs.
 */
#ifndef TOCSIN_BROKER_EPOCHS_H
#define TOCSIN_BROKER_EPOCHS_H

#include "broker/store.h"

#define EPOCHS_MAX 32
#define EPOCHS_SHIFT 40

struct epochs {
	unsigned n; /* restores so far */
	uint64_t first[EPOCHS_MAX];
};

MUST_USE enum tocsin_err epochs_load(struct epochs *e, struct store_rx *rx);

/* After a restore: from the head of the transaction on it is another one. */
MUST_USE enum tocsin_err epochs_begin(struct store_tx *tx);

uint64_t epochs_wire(const struct epochs *e, uint64_t seq);

/* The last seq that a cursor has passed; one from nowhere: beyond all. */
uint64_t epochs_seq(const struct epochs *e, uint64_t wire);

#endif
