/* SPDX-License-Identifier: ISC */
/*
 * cond.h - conditions: what must hold of a ticket, of a recipient, of the hour
 *
 * A tree of tests. A test of what the ticket does not say (a severity that is
 * not given, or of another scale) is false; so `not` of it is true. Judging one
 * says besides how long the result will stand if the facts don't change: time
 * passes, an office opens. That is never too late, and may be too early.
 *
 * Pure. A tree belongs to the arena of its rules.
 */
#ifndef TOCSIN_CLIENT_BOT_COND_H
#define TOCSIN_CLIENT_BOT_COND_H

#include "client/bot/calendar.h"
#include "client/bot/lex.h"

#define COND_DEPTH 32
#define COND_NODES 2000 /* of a file */
#define COND_VALUES 64	/* of one `in` */

enum cond_kind {
	COND_AND,
	COND_OR,
	COND_NOT,
	COND_SOME, /* recipient */
	COND_EVERY,
	COND_TEST,
};

enum cond_cmp {
	CMP_HOLDS, /* of a flag */
	CMP_IN,	   /* `is` has one value */
	CMP_LEAST,
	CMP_MOST,
	CMP_HAS,
	CMP_OVER,
	CMP_UNDER,
	CMP_KNOWN,
	CMP_RUNNING,
	CMP_DONE,
	CMP_MISSED,
};

struct cond {
	enum cond_kind kind;
	const struct cond *a, *b; /* b of `and` and `or` */

	/* Of a test: */
	const struct cond_field *field;
	enum cond_cmp cmp;
	bool negated; /* `is not`, `not in` */
	size_t nvalue;
	const char *const *value;
	const char *name; /* of the member that `field` asks for */
	int64_t number;	  /* seconds, or a count */
	struct rule_since since;
	const struct calendar *calendar;
	const struct duty *duty;
	const char *text; /* as it was written */
};

struct cond_env {
	const struct facts *f;
	const struct fact_place *place; /* NULL: of the ticket */
	int64_t now;
};

struct verdict {
	bool holds;
	int64_t until;			/* NEVER: for good */
	const struct cond *because;	/* the test that decided; or NULL */
	const struct fact_place *place; /* for whom */
};

/* NULL holds for good. */
struct verdict cond_judge(const struct cond *c, const struct cond_env *env);

/* "`severity at least NCISS:high`: it is NCISS:low" */
void cond_why(
    struct buf *out, const struct verdict *v, const struct cond_env *env);

/* A stranger's words: on one line, and not all of them. */
void cond_value(struct buf *out, const char *s);

/* When it happened or will; 0: not known. */
int64_t event_time(const struct rule_since *since, const struct facts *f,
    const struct fact_place *place);
const char *event_name(enum fact_event e);
bool event_of_place(enum fact_event e);
const struct fact_deadline *clock_of(const struct facts *f, const char *clock);

/* ---- reading ---- */

struct cond_reader {
	struct lex *lex;
	const struct rules *rules; /* whose calendars and duties are known */
	unsigned depth, nodes;
	const struct cond_field *last; /* that was read */
	bool of_place;		       /* within `some recipient (` */
	bool words;		       /* some condition asks for facts.word */
	/* The first that is of a recipient outside of one; or none. */
	struct lex_token needs_place;
};

/* NULL: a fault was said. The token after it is the lexer's. */
const struct cond *cond_read(struct cond_reader *r);

/* The event or clock whose name is the token, which is taken. */
bool since_read(struct cond_reader *r, struct rule_since *out);

/* "1h30m"; s m h d w; at most RULES_LONGEST seconds, and not empty. */
#define RULES_LONGEST (400 * INT64_C(86400))
bool duration_parse(struct span s, int64_t *seconds);
bool duration_read(struct lex *l, int64_t *seconds);
void duration_print(struct buf *out, int64_t seconds); /* "1h30m" */

bool count_read(struct lex *l, int64_t most, const char *what, int64_t *out);

/* Calendars and duties of the rules by name; a fault names the nearest. */
const struct calendar *calendar_read(struct cond_reader *r);
const struct duty *duty_read(struct cond_reader *r);

/* mycert@my, or one whose nation is that of "*@my" */
bool name_matches(const char *pattern, const char *name);

#endif
