/* SPDX-License-Identifier: ISC */
/*
 * proof.h - what stands behind a ticket's status, for a third party
 *
 * A folder of signed texts: each message's header and sealed body, each receipt
 * of a broker, the key announcements and the rosters that say whose keys they
 * are; status.txt names the file behind each line; README says how to check
 * them with openssl, and `tocsin verify` does. What an answer says is sealed:
 * nothing in the folder opens a message but those that were disclosed, each by
 * the key of its own body, which opens nothing else.
 */
#ifndef TOCSIN_CLIENT_PROOF_H
#define TOCSIN_CLIENT_PROOF_H

#include "client/tocsin.h"

/*
 * Into `dir`, which is made if it isn't there. Another file of one of the names
 * is not replaced, EUSAGE; the same one is. `disclose` are ids of messages of
 * the ticket, NULL at the end, or NULL. EPOLICYDENIED: one of another's, whose
 * label is not for any third party.
 */
enum tocsin_err proof_export(struct tocsin *t, const struct tocsin_status *s,
    const char *dir, const char *const *disclose) TOCSIN_MUST_USE;

#endif
