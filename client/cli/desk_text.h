/* SPDX-License-Identifier: ISC */
/*
 * desk_text.h - the lines of a desk, for a screen and for a reader of lines
 *
 * Each function writes to a stream, with the colours of print.h, what one part
 * of the desk shows; what others wrote goes through print.h. A line is not
 * longer than `width` columns where a width is taken, and may be any length
 * elsewhere. No line ends with a line feed but where several are written.
 *
 * The label stands first. What a colour says, a word says too.
 */
#ifndef TOCSIN_CLI_DESK_TEXT_H
#define TOCSIN_CLI_DESK_TEXT_H

#include "client/cli/desk_work.h"

#include <stdio.h>

/* Whose desk, which tickets are listed, how many, and the time. */
void desk_head(FILE *to, const struct work *w, size_t width);

/* A line of the list; the chosen one begins with '>'. */
void desk_item(FILE *to, const struct model *m, size_t i, size_t width);

/* More of the chosen ticket, in two lines. */
void desk_more(FILE *to, const struct model *m, size_t width);

/* The broker, and what is queued. */
void desk_state(FILE *to, const struct work *w, size_t width);

/* The keys that are good now. */
void desk_hint(FILE *to, const struct model *m, size_t width);

/* The ticket of a deed, whom it goes to, and what may be answered: lines. */
void desk_deed(FILE *to, const struct model *m);

/* All keys: lines. With words in place of keys for line mode. */
void desk_help(FILE *to);

/* A ticket in line mode: "TLP:AMBER, flash, late 12m, ..." */
void desk_spoken(FILE *to, const struct model *m, const struct row *r);

#endif
