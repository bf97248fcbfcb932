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
	int64_t until; /* the end of its turn, ms; 0: it has no end */
};

/*
 * Whether to stop here, and whether it says nothing about what was asked for:
 * then it is asked for again. Else it is the peer's word.
 */
bool way_over(const struct way *w);
bool way_failed(enum tocsin_err err);

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
 * has more of it, beginning behind where the last turn ended.
 */
struct parts_at {
	bool begun;
	uint8_t hash[32];   /* the last that is done with */
	uint64_t completed; /* how many are whole since */
};
MUST_USE enum tocsin_err parts_complete(struct way *w, struct parts_at *at);

#endif
