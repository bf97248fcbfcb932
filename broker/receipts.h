/* SPDX-License-Identifier: ISC */
/*
 * receipts.h - our word on tickets, given in the commit that makes it true
 *
 * During a batch, lines are collected by the member that sent the tickets they
 * are about: a receipt tells one member about its own and nobody about another.
 * At its end each member's lines are signed as entries of kind receipt, which
 * go into its mailbox if it is ours, and into the outbox of every broker of its
 * nation if it is not (PROTOCOL.md 6). What was taken without a part is told in
 * receipts of their own, since older readers pass over one with such a line.
 */
#ifndef TOCSIN_BROKER_RECEIPTS_H
#define TOCSIN_BROKER_RECEIPTS_H

#include "broker/writer.h"
#include "crypto/receipt.h"

struct receipts *receipts_new(void);
void receipts_free(struct receipts *r);

/* Whose tickets a receipt is about: of one member, in one exercise or live. */
struct receipts_to {
	struct span member;
	struct span exercise; /* empty: live */
};
static inline struct receipts_to
receipts_to(struct span member, struct span exercise)
{
	return (struct receipts_to){ member, exercise };
}

/* A line about a ticket of theirs. EINTERNAL: memory. */
MUST_USE enum tocsin_err receipts_stored(struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], uint64_t index);
MUST_USE enum tocsin_err receipts_delivered(struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], const char *to_member,
    const char *to_device);
MUST_USE enum tocsin_err receipts_refused(struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], enum tocsin_err reason);
MUST_USE enum tocsin_err receipts_erased(struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], const uint8_t *part);
MUST_USE enum tocsin_err receipts_without(struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], const uint8_t part[32],
    enum tocsin_err reason);

/* Sign, append and route all lines; the set is empty then. */
MUST_USE enum tocsin_err receipts_flush(
    struct receipts *r, struct batch *batch);

/* Forget what was collected: the batch is not going to be committed. */
void receipts_drop(struct receipts *r);

#endif
