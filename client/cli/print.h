/* SPDX-License-Identifier: ISC */
/*
 * print.h - the one way of text from others to a terminal
 *
 * Subjects, names, file names and texts come from people whom we trust as far
 * as their signature. A terminal obeys some of what they could write: escape
 * sequences, carriage returns, marks that turn the direction of writing round.
 * So nothing of theirs is printed but through here, and what comes out is
 * letters, spaces and line feeds that we put there.
 *
 * What is not valid UTF-8 becomes U+FFFD. A character that controls, turns,
 * hides or joins is written as <U+202E>, and so is a letter that stands for
 * another one (lookalike.h). In JSON the former are \u escapes, so a program
 * gets what was sent.
 *
 * Output errors are not looked at here: run() in main.c asks stdout at the end.
 */
#ifndef TOCSIN_CLI_PRINT_H
#define TOCSIN_CLI_PRINT_H

#include "crypto/buf.h"

#include <stdio.h>

struct json_t;

enum safe {
	SAFE_LINE, /* a name or title: line feeds and tabs are shown too */
	SAFE_BODY, /* a text: they are kept */
};

/* ---- pure ---- */

/* The next character of s, at *i, which moves on; 0xfffd if it is invalid. */
uint32_t utf8_next(struct span s, size_t *i);

/* Whether all of it is UTF-8; and, with 0xfffd for each byte that is not. */
bool utf8_good(struct span s);
void utf8_mend(struct buf *out, struct span s);

/* Whether a terminal must not get it raw. */
bool char_hostile(uint32_t c);

/* ---- printing ---- */

void safe_span(FILE *to, struct span s, enum safe how);
void safe_print(FILE *to, const char *s); /* SAFE_LINE; NULL prints nothing */

/* A title of one line; what is beyond `width` columns becomes an ellipsis. */
void safe_title(FILE *to, const char *s, size_t width);

/* The same, and as many spaces as make it `width` columns. */
void safe_cell(FILE *to, const char *s, size_t width);

/*
 * The width that a title from `column` on has on the terminal, or in COLUMNS,
 * 20 at least; if standard output is no terminal, `otherwise`, of which
 * SIZE_MAX cuts nothing.
 */
size_t title_width(size_t column, size_t otherwise);

/*
 * A title of any length, from `column` on, and the lines after it behind as
 * much space: a terminal that wraps would begin them where ours begin.
 */
void safe_field(FILE *to, const char *s, size_t column);

/* A text, each line behind `margin` and none wider than the terminal. */
void safe_body(FILE *to, const char *s, const char *margin);

/* Serialised JSON or the like, with the hostile characters as \u escapes. */
void safe_json(FILE *to, struct span s);

/*
 * An object on a line of its own. Takes the reference. NULL, or one that is no
 * UTF-8, cannot be written: print_lost() tells it, and the command fails.
 */
void print_json(struct json_t *object);
bool print_lost(void);

/* 2026-11-21 03:14:15Z, and the local time where that is another. */
void print_time(FILE *to, int64_t t);

/* 45s, 12m, 3h05m, 4d07h: of two units the larger ones. */
void print_span(FILE *to, int64_t seconds);

/* ---- colour: for what we say, never from data ---- */

enum colour { PLAIN, RED, AMBER, GREEN, WHITE, BOLD, DIM };

/* On a terminal, unless NO_COLOR or TERM=dumb says otherwise. */
void colours_init(void);
const char *colour(enum colour c);

/* "TLP:AMBER" in its colour, padded to one width. */
void print_tlp(FILE *to, const char *tlp);

#endif
