/* SPDX-License-Identifier: ISC */
/*
 * vocab.h - the words of the field
 *
 * The lists that a person or a bot chooses from, each with its published
 * source: TLP 2.0 (FIRST), RSIT machine version 1003, severity scales, RID's
 * reasons for a refusal (RFC 6545). A word that is in no list is never guessed;
 * vocab_nearest() names the right one to whoever typed it.
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
	VOCAB_REFUSAL,
	VOCAB_ROLE,
	VOCABS
};

/* The i-th word; NULL at the end. */
const char *vocab_word(enum vocab v, size_t i);

/* The word as it is spelt, whatever the case of `typed`; NULL if none. */
const char *vocab_find(enum vocab v, const char *typed);

/* The word that is closest to `typed`; never NULL. */
const char *vocab_nearest(enum vocab v, const char *typed);

/* How many letters differ, of any two words; case is ignored. */
unsigned vocab_distance(const char *a, const char *b);

/*
 * "II" is "GB/T 20986:II", "medium" is not unique and none: NULL. The scale is
 * what stands before the ':'.
 */
const char *vocab_severity(const char *typed);

#endif
