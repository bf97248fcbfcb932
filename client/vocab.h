/* SPDX-License-Identifier: ISC */
/*
 * vocab.h - the words of the field
 *
 * The lists that a person or a bot chooses from, each with its published
 * source: TLP 2.0 (FIRST), RSIT machine version 1003, severity scales, RID's
 * reasons for a refusal (RFC 6545) and more; `tocsin words` prints them. A word
 * that is in no list is never guessed; vocab_nearest() names the right one to
 * whoever typed it.
 *
 * Between severity scales nothing is converted: their publishers give no table
 * for that, and a wrong level is worse than a foreign one. The one conversion
 * that is published is within GB/T 20986: from the importance of a system and
 * its loss to a level.
 */
#ifndef TOCSIN_CLIENT_VOCAB_H
#define TOCSIN_CLIENT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>

enum vocab {
	VOCAB_TLP,
	VOCAB_PRECEDENCE,
	VOCAB_RSIT,	/* class, and class:type */
	VOCAB_SEVERITY, /* scale:level */
	VOCAB_IMPORTANCE,
	VOCAB_LOSS,
	VOCAB_OUTLOOK,
	VOCAB_PAP,
	VOCAB_SECTOR,
	VOCAB_REFUSAL,
	VOCAB_ANSWER,	  /* of an ack */
	VOCAB_RESOLUTION, /* of a close */
	VOCAB_KIND,
	VOCAB_ROLE,
	VOCAB_MAY, /* what a bot may be let do */
	VOCABS
};

struct word {
	const char *word; /* NULL ends a list */
	const char *says; /* in half a line */
};

struct vocabulary {
	const char *name;
	const struct word
	    *words; /* TLP from narrow to wide, others from the
		       most to the least, where they have a most */
	const char *about;
	const char *source; /* "": our own */
};

const struct vocabulary *vocab_list(enum vocab v);

/* The i-th word; NULL at the end. */
const char *vocab_word(enum vocab v, size_t i);

/* The word as it is spelt, whatever the case of `typed`; NULL if none. */
const char *vocab_find(enum vocab v, const char *typed);

/* Its place in the list; as many as there are if it is none of it. */
size_t vocab_place(enum vocab v, const char *word);

/* What a word means; NULL if it is none of the list, or NULL. */
const char *vocab_says(enum vocab v, const char *word);

/* The word that is closest to `typed`; never NULL. */
const char *vocab_nearest(enum vocab v, const char *typed);

/* How many letters differ, of any two words; case is ignored. */
unsigned vocab_distance(const char *a, const char *b);

/*
 * The nearest of any words, for whoever typed one that is not among them:
 *
 *	struct guess g = guess_of(typed);
 *	for each word: guess_at(&g, word);
 *	g.best, or NULL if there were none; g.least is 0 if it is the word
 */
struct guess {
	const char *typed;
	const char *best; /* the first of those that are equally near */
	unsigned least;
};
struct guess guess_of(const char *typed);
void guess_at(struct guess *g, const char *word);

/*
 * "II" is "GB/T 20986:II", "medium" is not unique and none: NULL. The scale is
 * what stands before the ':'.
 */
const char *vocab_severity(const char *typed);

/* Of GB/T 20986, for a word of VOCAB_IMPORTANCE and one of VOCAB_LOSS. */
const char *vocab_severity_of(const char *importance, const char *loss);

#endif
