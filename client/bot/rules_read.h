/* SPDX-License-Identifier: ISC */
/*
 * rules_read.h - what the readers of a rules file's sections share: rules.c
 * knows sections and lines, each rules_*.c what stands in one kind of them
 */
#ifndef TOCSIN_CLIENT_BOT_RULES_READ_H
#define TOCSIN_CLIENT_BOT_RULES_READ_H

#include "client/bot/chain.h"
#include "client/bot/cond.h"

#define READ_FILES 8 /* of a section */

struct named_file {
	struct lex_token token;
	const char *name;
};

struct reader {
	struct lex lex;
	struct rules *rules;
	const struct rules_io *io;
	struct cond_reader cond;

	/* Of the section that is open: one of these, by its kind. */
	struct rule *rule;
	struct hook *hook;
	struct chain *chain;
	struct calendar *calendar;
	struct duty *duty;
	struct lex_token head; /* its name */

	/* What has no place in it until it ends. */
	struct rule_step *step;
	struct rule_since since;
	bool has_since, has_until, has_zone, has_late;
	bool has_claim;
	struct chain_row *row;
	struct named_file file[READ_FILES];
	size_t nfile;
	int32_t holiday[CALENDAR_HOLIDAYS];
	size_t nholiday;
	struct shift *shift; /* DUTY_SHIFTS; NULL before the first roster */
	size_t nshift;
};

struct statement {
	const char *word;		/* NULL ends a table */
	bool (*read)(struct reader *r); /* behind the word */
};

extern const struct statement rule_statements[], hook_statements[],
    chain_statements[], calendar_statements[], duty_statements[];

/* A line of the section that begins with no word of its own. */
bool rule_before(struct reader *r); /* "4h before ackby: ..." */
bool chain_other(struct reader *r); /* "mycert@my -> ..." */

/* What must be there at the end of a section, and what was put off. */
bool rule_end(struct reader *r);
bool hook_end(struct reader *r);
bool chain_end(struct reader *r);
bool calendar_end(struct reader *r);
bool duty_end(struct reader *r);

/* Shared. */
void *reader_memory(struct reader *r, size_t count, size_t size);
bool zone_read(struct reader *r, struct zone *z);
bool file_name_read(struct reader *r);
bool member_list_read(struct reader *r, const char *const **out);
/* Its fields; those of a recipient only if `of_place`. */
bool template_check(struct reader *r, const struct lex_token *t,
    const char *text, bool of_place);

/* The fields of a text, in the order of tocsin-rules(5). */
enum text_field {
	TEXT_SHORT_ID,
	TEXT_ID,
	TEXT_SUBJECT,
	TEXT_FROM,
	TEXT_SEVERITY,
	TEXT_CLASS,
	TEXT_PRECEDENCE,
	TEXT_TLP,
	TEXT_EXERCISE,
	TEXT_SINCE,
	TEXT_ARMED,
	TEXT_DUE,
	TEXT_RULE,
	TEXT_TURN,
	TEXT_DUTY, /* {duty:NAME} */
	TEXT_MEMBER,
	TEXT_STATE,
	TEXT_TARGET,
	TEXT_FIELDS
};

/* The field that begins at text[*i], a '{'; *i moves behind it. TEXT_FIELDS:
   none. *arg is what stands behind a colon. */
enum text_field text_field_at(
    const char *text, size_t *i, struct span *name, struct span *arg);

#endif
