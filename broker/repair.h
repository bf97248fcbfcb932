/* SPDX-License-Identifier: ISC */
/*
 * repair.h - what follows from the log, made anew
 *
 * The records are the truth; mailboxes, ids, the tree, most of the small values
 * and the naming of parts follow from them. So where such a row is damaged it
 * is left out (store_repair), and the log is gone through once for what lacks:
 *
 *	ids, places, tree	from the records
 *	mailboxes		from the `to` lines, and whose receipts are
 *	rosters, keys, chains	from the entries
 *	cursors of devices	as far as receipts of ours tell
 *	exercises		from the tickets; of what is not there any more,
 *				from the mailboxes that it is in
 *	what is kept of whom	from the entries that are there
 *	parts			named by tickets; their bytes by the hash
 *	outboxes, counters	emptied: each peer is asked what it lacks
 *	others			as if they had never been: cursors of peers are
 *				agreed upon anew, what was looked for is again
 *
 * What a record itself lost, and what parts lack then, the running broker asks
 * its peers for (mend.h). What cannot be made anew is the list of epochs, and
 * anything that the engine's pages lost: then a backup is all there is.
 *
 * Nothing comes twice to a reader: what was delivered is known by its id.
 */
#ifndef TOCSIN_BROKER_REPAIR_H
#define TOCSIN_BROKER_REPAIR_H

#include "broker/broker.h"

/*
 * The store of a broker that does not run. A line to stdout for each thing that
 * was done: "repaired: " and a sentence; *done is how many. EBUSY: it runs. On
 * another error nothing was changed but what was told, and *why is a sentence.
 */
MUST_USE enum tocsin_err repair_store(
    const struct broker_config *c, unsigned *done, const char **why);

#endif
