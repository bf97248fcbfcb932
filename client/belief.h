/* SPDX-License-Identifier: ISC */
/*
 * belief.h - whom this desk believes: the roster chain and others' keys
 *
 * The first roster is believed because a person compared its fingerprint. Each
 * later one, and each key announcement, is believed because what was believed
 * before signs it. All of them are kept, because old messages are judged by
 * what was in force when they were written.
 *
 * What is parsed is held by the handle (struct belief), what is accepted goes
 * into the desk in the caller's transaction; belief_load() reads it again, also
 * after another process changed it. A struct belief is not changed by two
 * threads at once: its owner locks.
 */
#ifndef TOCSIN_CLIENT_BELIEF_H
#define TOCSIN_CLIENT_BELIEF_H

#include "client/desk.h"
#include "crypto/keys.h"
#include "crypto/roster.h"
#include "crypto/ticket.h"

struct belief {
	struct roster *roster; /* the newest; NULL: none yet */
	uint8_t genesis[ID_LEN];
	uint8_t (*chain)[ID_LEN]; /* ids; chain[i] is of serial first + i */
	uint64_t first;
	size_t nchain;
	struct keys **keys; /* by member, then serial */
	size_t nkeys;
	uint64_t stamp; /* of the desk when it was read */
};

/* Read what the desk holds, unless `b` has it already. */
enum tocsin_err MUST_USE belief_load(struct belief *b, struct desk_tx *tx);
void belief_release(struct belief *b);

/*
 * Accept a roster into the desk. With `genesis` true it is the first and is
 * taken as it is (the caller compared the fingerprint); else it must follow.
 * EDUPLICATE if it is known. Call belief_load() after the commit.
 */
enum tocsin_err MUST_USE belief_take_roster(struct belief *b,
    struct desk_tx *tx, struct span note, bool genesis, int64_t now);

/* The same for an announcement; an older one than ours is EDUPLICATE. */
enum tocsin_err MUST_USE belief_take_keys(
    struct belief *b, struct desk_tx *tx, struct span note, int64_t now);

/* The newest announcement of a member, or NULL. */
const struct keys *belief_keys(const struct belief *b, struct span member);

/* The newest one that lists the device that sent `t`; else the newest. */
const struct keys *belief_keys_of(
    const struct belief *b, const struct ticket *t);

/* What ticket_check() asks. */
struct ticket_trust belief_trust(
    const struct belief *b, const struct ticket *t, int64_t now);

#endif
