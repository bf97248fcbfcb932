/* SPDX-License-Identifier: ISC */
/*
 * recall.h - what its sender has taken back, and what a desk does about it
 *
 * A recall names messages of its own member, or attachments of them, in its
 * header (PROTOCOL.md 8.8). A desk that gets one drops their bodies and
 * attachments, refuses them with the reason `recalled` if they come later, and
 * owes its sender a signed word that it has done so. All of it is in the change
 * of the desk that takes the recall in, so a crash leaves nothing half obeyed.
 * The desks of the member that recalls keep theirs: they must know what it was.
 *
 * Desk values: "recalled/ID/MEMBER", the ids of the recalls of that member that
 * name that message; "confirm/ID", a recall that nobody was told of.
 */
#ifndef TOCSIN_CLIENT_RECALL_H
#define TOCSIN_CLIENT_RECALL_H

#include "client/desk.h"
#include "client/keystore.h"
#include "crypto/ticket.h"

/* A recall that was judged, of another member: obey it. */
enum tocsin_err MUST_USE recall_obey(
    struct desk_tx *tx, const struct keystore *k, const struct ticket *recall);

/* Whether two headers say that, of the whole message. */
bool recall_names(const struct ticket *recall, const struct ticket *t);

/* Whether `t`, a message of another member, was taken back, or a part of it. */
bool recall_covers(struct desk_tx *tx, const struct ticket *t);
bool recall_covers_part(
    struct desk_tx *tx, const struct ticket *t, const uint8_t hash[32]);

/*
 * A recall that nobody was told of yet; the first beyond `after`, of which an
 * empty one asks for the first of all. NOTFOUND: there is none.
 */
struct recall_owed {
	char name[96]; /* of the desk's value */
	uint8_t id[ID_LEN];
};
enum tocsin_err MUST_USE recall_owed_next(
    struct desk_tx *tx, struct recall_owed *after);
/* It is told, in this change. NOTFOUND: another process has done so. */
enum tocsin_err MUST_USE recall_told(
    struct desk_tx *tx, const struct recall_owed *o);

#endif
