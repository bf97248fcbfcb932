/* SPDX-License-Identifier: ISC */
/*
 * lex.h - the words of a rules file, and where each stands
 *
 * A statement is a line. It goes on over the end of the line within
 * parentheses, after `and`, `or`, `not`, a comma, a colon or an arrow, and
 * where the next line begins with `and` or `or`. `#` begins a comment.
 *
 * One token is looked at, l->t. Faults are collected, not thrown: the reader
 * says lex_fault(), skips to the next line and goes on, so that an officer sees
 * all of them at once.
 */
#ifndef TOCSIN_CLIENT_BOT_LEX_H
#define TOCSIN_CLIENT_BOT_LEX_H

#include "client/bot/rules.h"

enum lex_kind {
	LEX_WORD,  /* flash, 15m, @asean, /usr/bin/logger, AMBER+STRICT */
	LEX_TEXT,  /* "...", with its quotes */
	LEX_OPEN,  /* ( */
	LEX_CLOSE, /* ) */
	LEX_COMMA,
	LEX_COLON,
	LEX_ARROW,   /* -> */
	LEX_SECTION, /* [ at the beginning of a line */
	LEX_SECTION_END,
	LEX_LINE, /* the end of a statement */
	LEX_END,
	LEX_BAD, /* a fault was said */
};

struct lex_token {
	enum lex_kind kind;
	struct span s;
	unsigned line, column;
};

struct lex {
	struct span all;
	size_t at;
	unsigned line;
	size_t line_start;
	unsigned depth; /* of parentheses */
	struct lex_token t;
	size_t last_end; /* of the token before t */
	struct rules_faults *faults;
	const char *file; /* "" for the rules file */
	struct arena *arena;
	bool arguments; /* of a program: what is no word needs quotes */
	bool no_memory;
};

struct lex lex_init(struct span text, const char *file,
    struct rules_faults *faults, struct arena *arena);
void lex_next(struct lex *l);

/* To the next line, whatever is in between. */
void lex_skip(struct lex *l);

bool lex_is(const struct lex *l, const char *word);
/* Takes it if it is that. */
bool lex_take(struct lex *l, const char *word);
bool lex_take_kind(struct lex *l, enum lex_kind kind);

/* The token as a string, a text without quotes and escapes; NULL: no memory */
const char *lex_text(struct lex *l, const struct lex_token *t);

/* The bytes from the token to the last one taken, as one line. */
const char *lex_since(struct lex *l, const struct lex_token *from);

/* Always false, so that a reader may return it. */
bool lex_fault_at(struct lex *l, const struct lex_token *t, const char *instead,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* "there is no WHAT `flsh`", did you mean the nearest of `words`? */
bool lex_unknown(struct lex *l, const struct lex_token *t, const char *what,
    const char *best);

/*
 * Which of the words name(arg, 0), name(arg, 1) ... up to NULL the token is; it
 * is taken. -1: none, which is said, with the nearest of them, or all, or, if
 * there are none or too many, `other`.
 */
int lex_choose(struct lex *l, const char *(*name)(const void *arg, size_t i),
    const void *arg, const char *what, const char *other);

/* Of anybody: adds one fault, as long as there is room. */
void faults_add(struct rules_faults *faults, const char *file, unsigned line,
    unsigned column, const char *instead, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

#endif
