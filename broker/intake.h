/* SPDX-License-Identifier: ISC */
/*
 * intake.h - the one place where an entry is judged and stored
 *
 * A ticket that a device posts, an announcement, a roster that the operator
 * installs and whatever a peer relays all come in here, so there is one set of
 * rules. Judging is pure and costs a signature: it is done in the caller's
 * thread, in parallel. Applying is done by the writer.
 *
 *	intake_judge()	what the entry says and whether to believe it
 *	intake_apply()	duplicate, chain, log, mailboxes, outboxes, parts
 *
 * `note` and `body` are not copied: they outlive the intake. A judged entry is
 * small (a few hundred bytes for a ticket); it holds a snapshot of trust.
 */
#ifndef TOCSIN_BROKER_INTAKE_H
#define TOCSIN_BROKER_INTAKE_H

#include "broker/trust.h"
#include "broker/writer.h"

struct intake;

/* Whence an entry comes. */
enum intake_source_kind {
	INTAKE_DEVICE,	 /* posted over a device's link */
	INTAKE_PEER,	 /* relayed by another broker */
	INTAKE_OPERATOR, /* installed here: rosters, announcements */
};

struct intake_source {
	enum intake_source_kind kind;
	const struct trust_who *who; /* of the link; NULL for the operator */
};

/*
 * `kind` is what it claims to be. On success *out is to be freed. Refusals are
 * those of ticket_check(), ticket_check_body(), keys_accept(), roster_accept()
 * and receipt_open(), and
 *
 *	kind-not-allowed	this source may not bring such an entry
 *	not-enrolled		the sender is not the link's device, or is of
 *				another nation than the peer
 *	not-recipient		nothing in it is for us (from a peer)
 *	body-mismatch		an empty body, and it was not put before
 *	policy-denied,		of an exercise that is not carried here, or live
 *	exercise-mismatch	where only exercises are
 *	recalled		its sender took it back before it came
 *
 * With a refusal *id, if not NULL, is the id where the signature of a ticket
 * was good (so that the refusal can be told in a receipt), else zeros.
 */
struct intake_refused {
	uint8_t id[ID_LEN];
	char member[MEMBER_MAX + 1]; /* the ticket's sender */
	char exercise[EXERCISE_MAX + 1];
	bool known; /* signed by whom it says: may be told */
};
struct ticket;
void intake_name(struct intake_refused *out, const struct ticket *t);
MUST_USE enum tocsin_err intake_judge(struct intake **out, struct broker *b,
    struct trust *trust, const struct intake_source *src, enum store_kind kind,
    struct span note, struct span body, int64_t now,
    struct intake_refused *refused);
void intake_free(struct intake *in);

size_t intake_weight(const struct intake *in); /* bytes, for struct job */

/*
 * In the writer. OK with the new seq; EDUPLICATE with the seq of the first,
 * which for a relayed entry is as good as stored; ECHAINCONFLICT and other
 * refusals with nothing written; ENOSPACE, EINTERNAL spoil the batch.
 */
MUST_USE enum tocsin_err intake_apply(
    struct intake *in, struct batch *batch, uint64_t *seq);

/*
 * A part has become complete, by put or by relay: what waits for it moves on
 * to the peers of the tickets that name it (lane 4).
 */
MUST_USE enum tocsin_err intake_part_complete(
    struct batch *batch, const uint8_t hash[32]);

/* It is no more: nothing waits for it. */
MUST_USE enum tocsin_err intake_part_gone(
    struct batch *batch, const uint8_t hash[32]);

/*
 * A ticket that peers may have passed over: again to all brokers of its nations
 * but `but` (empty: none), and its parts, those that are not whole yet as soon
 * as they are. Of another entry, or one that another nation sent, nothing.
 */
MUST_USE enum tocsin_err intake_send_again(
    struct batch *batch, uint64_t seq, struct span but);

/* The same of one part, if the ticket was posted here. */
MUST_USE enum tocsin_err intake_send_part_again(
    struct batch *batch, const uint8_t hash[32], uint64_t seq);

/* A ticket that was damaged: it is in the mailboxes that it belongs in. */
MUST_USE enum tocsin_err intake_deliver_again(
    struct batch *batch, const struct store_entry *e);

/* Install a roster or announcement: judge, store, wait. For admin sockets. */
MUST_USE enum tocsin_err intake_install(
    struct broker *b, enum store_kind kind, struct span file);

/*
 * For repair.h: what a ticket of the log left behind in values. Its place in
 * the chain of its device, if `chain`; and that it waits for parts.
 */
MUST_USE enum tocsin_err intake_again(
    struct batch *batch, const struct store_entry *e, bool chain);

#endif
