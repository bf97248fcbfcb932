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

/* A request and the fields of its answer, which alias *plain. */
MUST_USE enum tocsin_err way_ask(struct way *w, const struct buf *request,
    struct buf *plain, struct span *fields);

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

/* Add to a part that is not whole what the peer has more of it. NOTFOUND: it
 * has not got all of it. */
MUST_USE enum tocsin_err part_complete(struct way *w, const uint8_t hash[32]);

/* The same for each part that some entry names; how many were completed. */
MUST_USE enum tocsin_err parts_complete(struct way *w, uint64_t *completed);

#endif
