/* SPDX-License-Identifier: ISC */
/*
 * facts.h - what can be asked of one ticket
 *
 * A rule sees a ticket as this struct and nothing else. It is what the messages
 * of the thread amount to (ladder.h, due.h, incident.h), so two desks with the
 * same share of a thread have the same facts, whatever the order in which the
 * messages came; a plan that is made of them is the same, too (plan.h).
 *
 * Data alone. Strings and arrays belong to whoever made the facts, and outlive
 * the plan that is made of them. A string that is not known is NULL, a time 0.
 * Words are spelt as in vocab.h, severity with its scale: "NCISS:high".
 */
#ifndef TOCSIN_CLIENT_BOT_FACTS_H
#define TOCSIN_CLIENT_BOT_FACTS_H

#include "client/tocsin.h"

/*
 * One who was asked. A place whose question was taken back (`recalled`) is left
 * out: nobody expects an answer of it any more.
 */
struct fact_place {
	const char *member;
	bool ours; /* it is we who were asked */
	enum tocsin_rung rung;
	int64_t since;	      /* it stands there */
	int64_t asked;	      /* when; or when it was last asked anew */
	const char *asked_in; /* the id of the message that did so */
	int64_t opened;	      /* when it first read it */
	int64_t answered;     /* when it gave the answer that counts */
	int64_t heard;	      /* when anybody of it last wrote */
	int64_t ackby;	      /* when it should have answered */
	const char *reason;   /* of a refusal */
};

/* What a message of the thread records as done, under its stable id. */
struct fact_action {
	const char *id;
	const char *by; /* device */
	int64_t time;
};

/*
 * That a device of the team is about to do it. In the order in which the team's
 * broker has them: the first of an id that is not over yet is who does it.
 */
struct fact_claim {
	const char *id;
	const char *by;
	int64_t until;
};

struct fact_deadline {
	const char *clock; /* "nis2/early-warning" */
	int64_t due;
	int64_t done; /* 0: not yet */
};

struct fact_attachment {
	const char *name, *media; /* as somebody else wrote them */
	uint64_t size;
};

/*
 * A string of a message, by the member of ticket.json that it is in: "text",
 * "indicators"; of an attachment its name, as "attachment". Those of what rules
 * of our team wrote are left out.
 */
struct fact_word {
	const char *name, *text;
	bool opening; /* of the message that opened the ticket */
};

struct facts {
	const char *id; /* of the thread */
	const char *short_id;
	const char *from;   /* the device that opened it */
	const char *member; /* and whose it is */
	bool mine;	    /* it is our member's */
	const char *kind;   /* report request query */
	const char *precedence;
	const char *tlp;
	const char *exercise; /* NULL: live */
	const char *severity;
	const char *classification; /* "malicious-code:c2-server" */
	const char *pap;
	const char *outlook;
	const char *subject;	/* as somebody else wrote it */
	const char *resolution; /* of the close that counts */
	const char *unopened;	/* why it could not be opened, a reason code */

	/* Any order, nothing twice. */
	size_t nlabel, nto, nsector;
	const char *const *label;
	const char *const *to; /* members of the first message */
	const char *const *sector;

	int64_t written;  /* by its sender */
	int64_t received; /* by our broker or desk */
	int64_t occurred, detected, reported;

	bool closed;
	int64_t turned; /* when it was last closed or reopened */
	unsigned escalated;

	size_t nattachment; /* of the message that opened it, not recalled */
	const struct fact_attachment *attachment;
	size_t nword; /* none, unless rules ask (rules.words) */
	const struct fact_word *word;

	size_t nplace, naction, nclaim, ndeadline;
	const struct fact_place *place; /* in any order, claims apart */
	const struct fact_action *action;
	const struct fact_claim *claim;
	const struct fact_deadline *deadline;
};

#endif
