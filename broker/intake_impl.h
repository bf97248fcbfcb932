/* SPDX-License-Identifier: ISC */
/*
 * intake_impl.h - what intake.c and intake_ticket.c share
 */
#ifndef TOCSIN_BROKER_INTAKE_IMPL_H
#define TOCSIN_BROKER_INTAKE_IMPL_H

#include "broker/intake.h"
#include "crypto/ticket.h"

/* Of a ticket: what the writer needs of its header, and no more. */
struct intake_header {
	struct span device; /* desk1 */
	enum ticket_kind kind;
	uint8_t keyid[KEYID_LEN];
	uint64_t seq;
	uint8_t prev[ID_LEN];
	unsigned lane; /* of a receipt, too */
	uint64_t body_size;
	uint8_t body_hash[32];
	bool detached;		  /* the body is a part */
	bool answer;		  /* answers.h */
	struct ticket_part *part; /* these three lie behind the intake */
	size_t npart;
	struct span *local; /* members of ours that it is for */
	size_t nlocal;
	struct span *nation; /* that it is for, each once; of posted ones */
	size_t nnation;
};

struct intake {
	enum store_kind kind;
	enum intake_source_kind source;
	char via[LABEL_MAX + 1]; /* the peer; empty: came in here */
	char via_nation[NATION_MAX + 1];
	uint8_t id[ID_LEN];
	struct span note;
	struct span body;
	struct span member; /* whose it is; in the note, keys or name */
	char name[MEMBER_MAX + 1];
	char exercise[EXERCISE_MAX + 1]; /* of a ticket or receipt; or live */
	struct trust *trust;
	struct roster *roster;
	struct keys *keys;
	struct intake_header t;
};

/* The largest part that is taken from where it comes. */
uint64_t intake_part_max(const struct intake *in, const struct broker *b);

/*
 * The lanes are the precedences. An answer is small, and its lane must not be
 * one that a peer without room has stopped. What is of an exercise goes one
 * lane later, so that it is never before a live ticket of its precedence, but
 * among what is routine; and has no privilege.
 */
unsigned intake_lane(const struct ticket *t, bool answer);

/* With `more` bytes behind it for arrays. NULL: memory. */
struct intake *intake_new(struct trust *t, const struct intake_source *src,
    enum store_kind kind, struct span note, size_t more);

MUST_USE enum tocsin_err intake_judge_ticket(struct intake **out,
    struct broker *b, struct trust *trust, const struct intake_source *src,
    struct span note, struct span body, int64_t now,
    struct intake_refused *refused);
MUST_USE enum tocsin_err intake_apply_ticket(
    struct intake *in, struct batch *batch, uint64_t *seq);

/*
 * After the first write of an entry there is no refusing it any more: what
 * fails then for another reason than space is a fault of ours.
 */
MUST_USE enum tocsin_err intake_written(enum tocsin_err err);

MUST_USE enum tocsin_err intake_queue(
    struct batch *batch, struct span peer, unsigned lane, struct store_out out);

/* The same, for every broker of a nation but ourselves. */
MUST_USE enum tocsin_err intake_queue_nation(struct batch *batch,
    struct span nation, unsigned lane, struct store_out out);

#endif
