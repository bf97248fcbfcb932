/* SPDX-License-Identifier: ISC */
/*
 * compose_impl.h - a draft on its way to a sealed message
 *
 *	compose.c	    the steps in their order, sealing, and tocsin.h's
 *calls compose_thread.c    what it follows: its ticket, what was seen, recalls
 *	compose_words.c	    what it says, and whether this device may say that
 *	compose_to.c	    whom it goes to, and by which keys
 *
 * The one idea: each step fills in a part of struct composing, or refuses the
 * draft with a sentence of its own, and none of them writes. So a draft can be
 * looked at without being sent (draft_look()), and nothing is sealed before all
 * have agreed. They run with the belief's lock held and in one transaction of
 * the desk; compose.c forgets what they filled in and lets them run anew where
 * attachments were sealed in between, which takes its time.
 */
#ifndef TOCSIN_CLIENT_COMPOSE_IMPL_H
#define TOCSIN_CLIENT_COMPOSE_IMPL_H

#include "client/circle.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/permit.h"

#define GRANTS_MAX 16
#define SECTORS_MAX 18 /* as many as there are */

/* Everything that a message becomes before it is sealed. */
struct composing {
	struct tocsin *t;
	const struct tocsin_draft *draft;
	const char *answer;	/* of an ack */
	const char *reason;	/* and as RFC 6545 writes it */
	const char *resolution; /* of a close */
	int64_t now, after;	/* `after`: it is written no earlier */

	struct circles circles;		    /* if the draft names one */
	struct circle_names named, clients; /* the draft's, without circles */

	struct ticket header;
	size_t nto;
	char to[TICKET_TO_MAX][MEMBER_MAX + 1];
	char epoch[TICKET_TO_MAX][TOKEN_MAX + 1];
	uint8_t pk[TICKET_TO_MAX][32];

	struct opened *first; /* of the thread; NULL: this is the first */
	bool confirms;	      /* that a recall was obeyed */
	bool repeats;	      /* it was posted before, under the same key */
	char recall_of[ID_TEXT + 1]; /* whose attachments are recalled */
	uint8_t recall[TICKET_PARTS_MAX][ID_LEN];
	size_t nrecall;
	struct permits permits;		    /* of the thread */
	const char *grants[GRANTS_MAX + 1]; /* those that go along */
	struct incident_attachment *attachment;
	struct ticket_part *sealed; /* in the spool */
	size_t nsealed;
	struct buf parts_age;
	struct buf json;
	const char *severity, *classification, *importance, *loss, *outlook,
	    *pap, *sector[SECTORS_MAX + 1];
};

/* An escalation or share shows the ticket itself to others. */
static inline bool
carries(const struct composing *c)
{
	return c->header.kind == TICKET_ESCALATE ||
	       c->header.kind == TICKET_SHARE;
}

/* ---- the steps, in this order ---- */

/* Of the draft alone: a kind, an answer and its reason, a key. */
enum tocsin_err MUST_USE compose_answer(struct composing *c);

/* Its ticket, as far as it is here, and the grants in it. */
enum tocsin_err MUST_USE compose_thread(
    struct composing *c, struct desk_tx *tx);

/* Labels and words, each as the field spells it. */
enum tocsin_err MUST_USE compose_words(struct composing *c);

/* Whether we may send at all, and this kind; and give this answer. */
enum tocsin_err MUST_USE compose_may_send(const struct composing *c);
enum tocsin_err MUST_USE compose_may_answer(struct composing *c);

/* What it takes back; those who have that are told. */
enum tocsin_err MUST_USE compose_recall(
    struct composing *c, struct desk_tx *tx);

/* Circles are read before the lock is taken; then to whom, by which keys. */
enum tocsin_err MUST_USE compose_circles(struct composing *c);
enum tocsin_err MUST_USE compose_to(struct composing *c, struct desk_tx *tx);
enum tocsin_err MUST_USE compose_add_to(
    struct composing *c, struct span member);

/* The last that came here, which this one is written after. */
enum tocsin_err MUST_USE compose_seen(struct composing *c, struct desk_tx *tx);

#endif
