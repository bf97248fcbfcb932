/* SPDX-License-Identifier: ISC */
/*
 * find.h - words that are searched for, and where they stand in a thread
 *
 * A thread is found if each word is somewhere in it, in whatever message, as a
 * part of a longer word too. What is searched is its gist (gist.h), made plain
 * (letters.h) as it is walked; there is no index of words, which would have to
 * be kept, and be sealed, and say less.
 *
 * Spans of a hit alias the gist.
 */
#ifndef TOCSIN_CLI_FIND_H
#define TOCSIN_CLI_FIND_H

#include "client/gist.h"

#define FIND_WORDS 16

struct find { /* starts as zeros */
	struct buf word[FIND_WORDS];
	size_t n;
	struct buf plain; /* of the text in hand */
};

/* False: nothing of it can be searched, or there are too many. */
MUST_USE bool find_word(struct find *f, const char *typed);
void find_release(struct find *f);

/* A field with one of the words, and where its first one stands. */
struct find_hit {
	struct gist_message m;
	struct gist_field f;
	struct span at; /* within f.text */
};

/* Which of the words are somewhere in it, as bits. EINTERNAL: no memory. */
enum tocsin_err MUST_USE find_which(
    struct find *f, struct span gist, unsigned *words);

/*
 * Whether all words are in it; then *n hits, of which `max` at most are given,
 * in the order of the messages. EINTERNAL: no memory.
 */
enum tocsin_err MUST_USE find_in(struct find *f, struct span gist, bool *all,
    struct find_hit *hits, size_t max, size_t *n);

#endif
