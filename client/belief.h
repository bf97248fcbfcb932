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
 * into the desk in the caller's transaction and counts at once. A transaction
 * that is given up takes it along: belief_load() sees that what it has is not
 * what the desk has, also after another process changed it, and reads again.
 *
 * Only the newest announcement of a member is held, and only while it stands
 * (keys_stand()); an older one is read when a ticket needs it. On the desk they
 * are numbered as they were accepted, which need not be their serials: a member
 * that got a new root key may begin again at 1. A struct belief is not changed
 * by two threads at once: its owner locks. Who needs lock and transaction takes
 * the lock first.
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
	uint8_t (*chain)[ID_LEN]; /* ids; chain[i] is of serial i + 1 */
	size_t nchain;
	struct keys **keys; /* the newest of each member, if it stands */
	size_t nkeys;
	struct keys *old; /* the last one that belief_trust() had to read */
	uint64_t stamp;	  /* of what the desk held when it was read */
};

/* Read what the desk holds, unless `b` has it already. */
enum tocsin_err MUST_USE belief_load(struct belief *b, struct desk_tx *tx);
void belief_release(struct belief *b);

/* Changes with everything that is accepted; 0: nothing yet. */
uint64_t belief_stamp(struct desk_tx *tx);

/*
 * Accept a roster into the desk. With `genesis` true it is the first and is
 * taken as it is (the caller compared the fingerprint); else it must follow.
 * EDUPLICATE if it is known. ECHAINCONFLICT if its place has another one, now
 * or long ago, and those who could sign for it signed this one as well; if they
 * did not, EBADSIGNATURE. Pointers that b gave before are no longer good.
 */
enum tocsin_err MUST_USE belief_take_roster(struct belief *b,
    struct desk_tx *tx, struct span note, bool genesis, int64_t now);

/*
 * The same for an announcement; an older one than ours is EDUPLICATE. One that
 * is over is taken: it says who wrote the tickets of its time, and no sender
 * uses it.
 */
enum tocsin_err MUST_USE belief_take_keys(
    struct belief *b, struct desk_tx *tx, struct span note, int64_t now);

/*
 * A text that was signed for a place where we believe another one: evidence
 * that keys were stolen, or that their holder is not honest. Kept once for each
 * text, for people to look at.
 */
struct conflict {
	char member[MEMBER_MAX + 1]; /* whose announcement; "": a roster */
	uint64_t serial;
	struct span note; /* aliases the map */
};
enum tocsin_err MUST_USE belief_keep_conflict(
    struct desk_tx *tx, struct span note);
/* The one after *name, which begins as empty and aliases the map; NOTFOUND. */
enum tocsin_err MUST_USE belief_next_conflict(
    struct desk_tx *tx, struct span *name, struct conflict *out);

/*
 * All that was accepted, as it came: rosters by serial, announcements by member
 * and then as they were accepted. *name begins as empty; NOTFOUND at the end.
 * Aliases the map.
 */
enum tocsin_err MUST_USE belief_next_roster(
    struct desk_tx *tx, struct span *name, struct span *note);
enum tocsin_err MUST_USE belief_next_keys(struct desk_tx *tx, struct span *name,
    struct span *member, struct span *note);

/* The newest announcement of a member, or NULL; a fallen one is none. */
const struct keys *belief_keys(const struct belief *b, struct span member);

/*
 * What ticket_check() asks, of a reader. `logged` is when the broker took the
 * ticket, 0 if that isn't known. Good until b changes or this is asked again.
 */
enum tocsin_err MUST_USE belief_trust(struct ticket_trust *out,
    struct belief *b, struct desk_tx *tx, const struct ticket *t,
    const struct note *note, int64_t now, int64_t logged);

/*
 * The device of a ticket as it was announced at a time: by the newest
 * announcement that was issued by then, or the oldest of all, of those that
 * list it with the key that signed; if that was in the very second, what either
 * of the last two lets it do. ENOTFOUND: none does.
 */
enum tocsin_err MUST_USE belief_device_at(struct keys_device *out,
    struct desk_tx *tx, const struct ticket *t, const struct note *note,
    int64_t at);

/*
 * The same for what a device has signed besides, at a time that it says: the
 * newest announcement of its member that lists the device with this key and was
 * not over then; else the newest of all, or NULL. Good until b changes or this
 * or belief_trust() is asked again.
 */
const struct keys *belief_keys_at(struct belief *b, struct desk_tx *tx,
    struct span device, const struct note *note, int64_t time);

#endif
