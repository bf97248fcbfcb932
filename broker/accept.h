/* SPDX-License-Identifier: ISC */
/*
 * accept.h - what a broker takes from its peers
 *
 * A nation may refuse kinds, labels and sizes at its border. It says so when a
 * relay link is opened, and the peer does not ship what would be refused; what
 * comes all the same is refused here. Either way the sender is told by a
 * receipt. Pure. PROTOCOL.md 6, tocsind.conf(5) [accept].
 */
#ifndef TOCSIN_BROKER_ACCEPT_H
#define TOCSIN_BROKER_ACCEPT_H

#include "crypto/msg.h"
#include "crypto/ticket.h"

/* Everything that the formats allow. */
void accept_all(struct msg_accept *a);

/* Lists as in the configuration: words with a space between, or "-". */
MUST_USE bool accept_kinds(struct msg_accept *a, const char *words);
MUST_USE bool accept_labels(struct msg_accept *a, const char *words);

/* TOOLARGE, KINDNOTALLOWED, POLICYDENIED. Its parts are judged by themselves.
 */
MUST_USE enum tocsin_err accept_ticket(
    const struct msg_accept *a, const struct ticket *t);

#endif
