/* SPDX-License-Identifier: ISC */
/*
 * answers.h - who may still answer when there is no room
 *
 * A full broker takes no tickets, but it still gives out what it has, and
 * whoever reads that must be able to say so: else the sender escalates for want
 * of a word that waits behind a full disk. So small answers, an ack or a close,
 * go on into a share of the store's reserve (store_reserve()); and so does a
 * recall, which makes room.
 *
 * A share each: a member may use an eighth of it and no less than
 * ANSWERS_LEAST, so that one that floods leaves the rest to others. It is
 * counted by bytes of note and body, in memory, until there is room again; a
 * restart counts anew, and what is used stays used. Members are those of the
 * roster, so there are few. PROTOCOL.md 5.
 *
 * The writer's thread alone. What a batch takes counts once it is committed:
 * keep after the commit, drop if there was none.
 */
#ifndef TOCSIN_BROKER_ANSWERS_H
#define TOCSIN_BROKER_ANSWERS_H

#include "crypto/ticket.h"

#define ANSWER_MAX 16384    /* bytes of note and body */
#define ANSWERS_LEAST 65536 /* bytes of a member */

struct answers;

/* Is it one? `size` is of note and body. */
bool answers_is(const struct ticket *t, size_t size);

/* `share` is what all members may use together. NULL: memory. */
struct answers *answers_new(uint64_t share);
void answers_free(struct answers *a);

/* False: the member has used its share. NULL for `a`: nobody has one. */
bool answers_take(struct answers *a, struct span member, size_t size);
void answers_keep(struct answers *a);
void answers_drop(struct answers *a);

/* There is room again. */
void answers_forget(struct answers *a);

#endif
