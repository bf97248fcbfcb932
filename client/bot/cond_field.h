/* SPDX-License-Identifier: ISC */
/*
 * cond_field.h - what a condition can ask of, by its name: cond.c and
 * cond_read.c share the table and nobody else has it
 */
#ifndef TOCSIN_CLIENT_BOT_COND_FIELD_H
#define TOCSIN_CLIENT_BOT_COND_FIELD_H

#include "client/vocab.h"

#include <stdbool.h>

enum field {
	FIELD_MINE,
	FIELD_CLOSED,
	FIELD_EXERCISE,
	FIELD_DONE, /* "answered" */
	FIELD_ESCALATED,
	FIELD_SEVERITY,
	FIELD_CLASS,
	FIELD_OUTLOOK,
	FIELD_PAP,
	FIELD_TLP,
	FIELD_PRECEDENCE,
	FIELD_KIND,
	FIELD_LABEL,
	FIELD_SECTOR,
	FIELD_FROM,
	FIELD_TO,
	FIELD_NATION,
	FIELD_RECIPIENT,
	FIELD_REASON,
	FIELD_STATE,
	FIELD_SUBJECT,
	FIELD_ID,
	FIELD_RESOLUTION,
	FIELD_UNOPENED,
	FIELD_ATTACHMENTS, /* how many */
	FIELD_ATTACHMENT,  /* as it is read; then one of the next three */
	FIELD_ATTACHMENT_NAME,
	FIELD_ATTACHMENT_TYPE,
	FIELD_ATTACHMENT_SIZE,
	FIELD_TEXT, /* from here to FIELD_WORDS: of facts.word */
	FIELD_INDICATOR,
	FIELD_REFERENCE,
	FIELD_NAMED, /* "field NAME" */
	FIELD_WORDS,
	FIELD_EVENT,
	FIELD_CLOCK,
	FIELD_WORKING,
	FIELD_HOLIDAY,
	FIELD_DUTY,
};

/* What may follow the name. */
#define FOLLOWS_NOTHING 1u
#define FOLLOWS_IS 2u	 /* is, is not, in, not in */
#define FOLLOWS_ORDER 4u /* at least, at most */
#define FOLLOWS_HAS 8u
#define FOLLOWS_AGO 16u /* over D ago, under D ago, known */
#define FOLLOWS_KNOWN 32u
#define FOLLOWS_SIZE 64u /* over 10M, under 10M */

/* Whether it is of what messages say. */
static inline bool
field_of_words(enum field what)
{
	return what >= FIELD_TEXT && what <= FIELD_WORDS;
}

static inline bool
field_counts(enum field what)
{
	return what == FIELD_ESCALATED || what == FIELD_ATTACHMENTS;
}

struct cond_field {
	const char *name;
	enum field what;
	unsigned follows;
	bool of_place;
	enum vocab vocab; /* VOCABS: none */
};

#endif
