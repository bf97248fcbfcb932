/* SPDX-License-Identifier: ISC */
/*
 * trust.h - what this broker believes: the roster, its chain, the keys
 *
 * A snapshot that never changes and is counted by its holders. Any thread takes
 * the current one with trust_get(), judges with it as long as it likes, and
 * gives it back. A new roster or announcement makes a new snapshot that shares
 * what stays the same; it becomes the current one when the commit that stored
 * it is on disk.
 *
 * Values in the store from which a snapshot is loaded:
 *
 *	genesis		id of the first roster, 32 bytes
 *	roster/current	its serial, u64
 *	roster/SERIAL	seq of its entry, u64
 *	keys/MEMBER	seq of the member's newest announcement, u64, which
 *			counts only while it stands (keys_stand())
 */
#ifndef TOCSIN_BROKER_TRUST_H
#define TOCSIN_BROKER_TRUST_H

#include "broker/exercise.h"
#include "broker/store.h"
#include "crypto/keys.h"
#include "crypto/roster.h"

struct trust; /* a snapshot */

struct trust_chain {
	uint64_t serial;
	uint8_t id[ID_LEN];
};

/* The box that holds the current snapshot. */
struct trust_box;
struct trust_box *trust_box_new(void);
void trust_box_free(struct trust_box *box);

struct trust *trust_get(struct trust_box *box);
struct trust *trust_hold(struct trust *t); /* one holder more */
void trust_put(struct trust *t);	   /* NULL is fine */

/* Replaces the current snapshot; takes the caller's hold over. */
void trust_publish(struct trust_box *box, struct trust *t);

/* A snapshot of what is stored; EROSTERUNKNOWN if there is no roster at all. */
MUST_USE enum tocsin_err trust_load(struct trust **out, struct store_rx *rx);

/* Successors, with `r` or `k` in addition; they own it when they succeed. */
MUST_USE enum tocsin_err trust_with_roster(
    struct trust **out, const struct trust *t, struct roster *r);
MUST_USE enum tocsin_err trust_with_keys(
    struct trust **out, const struct trust *t, struct keys *k);

const struct roster *trust_roster(const struct trust *t);
const uint8_t *trust_genesis(const struct trust *t); /* 32 bytes */

/* The newest announcement of a member, or NULL; a fallen one is none. */
const struct keys *trust_keys(const struct trust *t, struct span member);

/* Whether a roster was ours at some time; an in_chain() for ticket_trust. */
bool trust_in_chain(void *t, uint64_t serial, const uint8_t id[ID_LEN]);

/* Whose announcement lists this link key; false: nobody's. */
bool trust_link_owner(
    const struct trust *t, const uint8_t noise[32], struct span *member);

/*
 * Who holds a link key: a device of a member, a broker, or nobody we know. A
 * device counts if its member is active, its key is not revoked, and the root
 * key behind it is the one on the roster. An announcement that ran out still
 * opens a link, on which the member can read and renew it; a post under it is
 * refused.
 */
enum trust_kind {
	TRUST_NOBODY,
	TRUST_DEVICE,
	TRUST_BROKER,
};

struct trust_who {
	enum trust_kind kind;
	char member[MEMBER_MAX + 1];	 /* of a device: mycert@my */
	char device[LABEL_MAX + 1];	 /* of a device: desk1 */
	char broker[LABEL_MAX + 1];	 /* of a broker */
	char nation[NATION_MAX + 1];	 /* of either */
	enum keys_role role;		 /* of a device */
	char exercise[EXERCISE_MAX + 1]; /* of a device; empty: live */
	char mailbox[MAILBOX_MAX + 1];	 /* of a device: what it may see */
};

void trust_identify(struct trust_who *out, const struct trust *t,
    const uint8_t noise[32], int64_t now);

/* Note in the store that a roster was appended as `seq`: the values above. */
MUST_USE enum tocsin_err trust_store_roster(
    struct store_tx *tx, const struct roster *r, uint64_t seq);

/*
 * Store the first roster of a federation, in a store that has none: `file` is a
 * signed roster with serial 1 that a person has compared. It has a transaction
 * of its own: for setting up, before the writer runs.
 */
MUST_USE enum tocsin_err trust_install_genesis(
    struct store *s, struct span file, int64_t now);

#endif
