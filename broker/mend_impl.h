/* SPDX-License-Identifier: ISC */
/*
 * mend_impl.h - what mend.c and mend_part.c share; nobody else includes it
 *
 * All of it is for the thread that mends.
 */
#ifndef TOCSIN_BROKER_MEND_IMPL_H
#define TOCSIN_BROKER_MEND_IMPL_H

#include "broker/mend.h"
#include "broker/trust.h"
#include "crypto/link.h"

/* A link to a peer, made when it is needed. */
struct way {
	struct mend *m;
	struct broker *b;
	struct trust *trust;
	const struct roster_broker *peer;
	struct link link;
	bool open;
};

/* A range of an entry, or of a part that it names; `bytes` alias *plain. */
struct msg_get;
struct msg_range;
MUST_USE enum tocsin_err way_range(struct way *w, const struct msg_get *m,
    struct buf *plain, struct msg_range *range);

bool mend_stopping(struct mend *m);

/*
 * Replace the damaged ranges of a part by those of the peer, if with these it
 * has its hash. NOTFOUND: the peer has not got them.
 */
MUST_USE enum tocsin_err part_mend(struct way *w, const uint8_t hash[32]);

/*
 * Add to each part that is not whole, and that some entry names, what the peer
 * has more of it; how many were completed.
 */
MUST_USE enum tocsin_err parts_complete(struct way *w, uint64_t *completed);

#endif
