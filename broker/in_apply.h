/* SPDX-License-Identifier: ISC */
/*
 * in_apply.h - what a peer sent, in the writer's transaction
 *
 * An entry or a range is written together with the cursor of its lane
 * (cursor.h), its mark in the lane's tally and the receipt that says so: a
 * broker that dies comes back before all of it or after. These are the
 * `apply` of jobs: in the writer's thread, and once more if the batch did not
 * go through, so what they leave in the item (`passed`, `reached`, `tally`) is
 * set anew each time.
 *
 * EBUSY: what comes before it in its lane is not written; once more, later.
 * PROTOCOL.md 6.
 */
#ifndef TOCSIN_BROKER_IN_APPLY_H
#define TOCSIN_BROKER_IN_APPLY_H

#include "broker/relay_in_impl.h"

/* Of a struct in_item that was judged. */
MUST_USE enum tocsin_err in_item_apply(struct job *job, struct batch *batch);

/*
 * Of a struct in_keep. Nothing to do, and OK: the entry is whole already, or
 * the lane elsewhere.
 */
MUST_USE enum tocsin_err in_keep_apply(struct job *job, struct batch *batch);

#endif
