/* SPDX-License-Identifier: ISC */
/*
 * erase.h - an entry goes, with what it cost and the parts that it named
 *
 * Retention erases by age (retain.h), a recall by its sender's word (recall.h);
 * what goes is the same: text and body, and a part with the last entry that
 * names it. The id stays.
 *
 * In the writer's thread. What is given is not in the map: writing moves that.
 */
#ifndef TOCSIN_BROKER_ERASE_H
#define TOCSIN_BROKER_ERASE_H

#include "broker/writer.h"
#include "crypto/ticket.h"

/* `t` is its header if it is a ticket, else NULL. */
MUST_USE enum tocsin_err erase_entry(
    struct batch *batch, const struct store_entry *e, const struct ticket *t);

/* One part that it names and does not name from now on. */
MUST_USE enum tocsin_err erase_part(
    struct batch *batch, const uint8_t hash[32]);

#endif
