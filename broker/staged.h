/* SPDX-License-Identifier: ISC */
/*
 * staged.h - bodies that were put before the post that names them
 *
 * A member may have a few of them, of bounded size, for a day; and as many for
 * all its exercises together. They are noted as staged/MEMBER/SLOT, those as
 * staged/MEMBER//SLOT: 32 bytes of hash and u64 time. A slot is free again when
 * a ticket names the part. In the writer's thread only.
 */
#ifndef TOCSIN_BROKER_STAGED_H
#define TOCSIN_BROKER_STAGED_H

#include "broker/writer.h"

/*
 * Make room for the part and expect it, if the member hasn't staged it yet.
 * EQUOTA: too many, or too large.
 */
MUST_USE enum tocsin_err staged_take(struct batch *batch, const char *member,
    bool played, const uint8_t hash[32], uint64_t total);

/* Drop what is too old, of all members of ours; submits a job. */
void staged_sweep(struct broker *b);

#endif
