/* SPDX-License-Identifier: ISC */
/*
 * intake.h - what comes from the broker, judged and put into the desk
 *
 * The broker is not trusted with content: every roster, announcement, receipt
 * and ticket is verified here as if it came from a stranger. The entries of one
 * answer and the cursor after them are one transaction, or, if they are large,
 * several in their order. A ticket that fails is kept with the reason and never
 * opened; the other kinds are of no use then and are passed over.
 *
 * What fails for a reason that may pass, a clock or a roster that is still to
 * come, is held: it is judged again when its time has come, and all of it when
 * we believe something new. A ticket that is good then becomes a message with a
 * new number, so that readers get it.
 *
 * A ticket whose body does not fit into the answer is noted by its header
 * before its body is asked for (coming.h), and what stands before it is put
 * away first, so neither waits for it.
 *
 * Desk values: "cursor", the broker's seq up to which all is here; "chain/..."
 * (one per message: who claims a place in a device's chain); "held/...";
 * "coming/...".
 */
#ifndef TOCSIN_CLIENT_INTAKE_H
#define TOCSIN_CLIENT_INTAKE_H

#include "client/sync.h"
#include "crypto/msg.h"
#include "crypto/ticket.h"

#define RECEIPT_VALUE "receipt/" /* and the id in hex */

struct intake {
	const struct sync_parts *parts;
	/* Ask the broker for what did not fit; the answer's fields. */
	enum tocsin_err (*ask)(
	    void *arg, struct span request, struct buf *fields);
	/*
	 * The same for a body, in pieces that a crash does not lose. BUSY: not
	 * now, what is beyond it may be. DUPLICATE: it is in the desk already.
	 */
	enum tocsin_err (*body)(
	    void *arg, const struct ticket *t, struct buf *out);
	void *arg;
	int64_t now;
	/* After each body that was given: whether the desk has it; or NULL. */
	void (*done)(void *arg, const uint8_t hash[32], bool kept);
};

/* Sets *cursor to the last entry's seq once all of it is on disk. */
enum tocsin_err MUST_USE intake_entries(
    const struct intake *in, const struct msg_entries *m, uint64_t *cursor);

/*
 * What is urgent, from beyond the cursor, which does not move. It comes again
 * in its turn, and is known then.
 */
enum tocsin_err MUST_USE intake_apart(
    const struct intake *in, const struct msg_entries *m);

/*
 * What was carried here by hand, and may never come by the broker, or once
 * more: entries without seq and time, none of them detached.
 */
enum tocsin_err MUST_USE intake_by_hand(
    const struct intake *in, const struct msg_entries *m);

/* Fetch the rosters between ours and `serial`, the broker's. */
enum tocsin_err MUST_USE intake_rosters(
    const struct intake *in, uint64_t serial);

/* Judge again what is held: all of it, or what is due. */
enum tocsin_err MUST_USE intake_again(const struct intake *in, bool all);

/* When the first of what is held is due; NOTFOUND: nothing is. */
enum tocsin_err MUST_USE intake_held(struct desk_tx *tx, int64_t *due);

#endif
