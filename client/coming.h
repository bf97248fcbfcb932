/* SPDX-License-Identifier: ISC */
/*
 * coming.h - tickets whose header is here and whose body is still to come
 *
 * A body that does not fit into a page of fetch takes its time on a thin line.
 * Its header, signed and a few hundred bytes, comes first and says who writes,
 * with what label and how urgent. It is kept as a row of the desk, beside the
 * messages and not among them: readers count messages, and get this one once,
 * when it is whole.
 *
 * The row is gone in the change that makes it a message, or in which the cursor
 * passes it; so after a crash a ticket is to come exactly if it is. How much of
 * the body is here is not written in it but asked of the spool (bodies.h).
 */
#ifndef TOCSIN_CLIENT_COMING_H
#define TOCSIN_CLIENT_COMING_H

#include "client/desk.h"
#include "crypto/ticket.h"

struct coming {
	uint64_t seq;		 /* at the broker: the row's key */
	int64_t posted;		 /* when the broker took it */
	int64_t arrived;	 /* when its header came to this desk */
	enum tocsin_err verdict; /* of the header; OK: it is its device's */
	uint8_t id[ID_LEN];
	uint8_t thread[ID_LEN];
	struct span note; /* aliases the map */
};

enum tocsin_err MUST_USE coming_put(struct desk_tx *tx, const struct coming *c);

/* The first beyond `after`, in the order in which they come; or NOTFOUND. */
enum tocsin_err MUST_USE coming_next(
    struct desk_tx *tx, uint64_t after, struct coming *out);

/* The one of that id; or the first of that thread. */
enum tocsin_err MUST_USE coming_find(
    struct desk_tx *tx, const uint8_t id[ID_LEN], struct coming *out);

/* It came, alone or with all up to that seq. */
enum tocsin_err MUST_USE coming_drop(struct desk_tx *tx, uint64_t seq);
enum tocsin_err MUST_USE coming_drop_to(struct desk_tx *tx, uint64_t seq);

/* Those that a prefix fits, added to the n that desk_match() found. */
enum tocsin_err MUST_USE coming_match(struct desk_tx *tx,
    const struct id_prefix *prefix, uint8_t (*ids)[ID_LEN], size_t max,
    size_t *n);

#endif
