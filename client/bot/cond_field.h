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

struct cond_field {
	const char *name;
	enum field what;
	unsigned follows;
	bool of_place;
	enum vocab vocab; /* VOCABS: none */
};

#endif
