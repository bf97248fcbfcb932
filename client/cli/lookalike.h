/* SPDX-License-Identifier: ISC */
/*
 * lookalike.h - letters that stand for others
 *
 * The Cyrillic а and the Latin a look the same, and a name or an address with
 * the one for the other misleads whoever reads it. Two things give them away: a
 * word that mixes alphabets, of which the letters of the rarer one are odd; and
 * a text with Latin letters whose only Cyrillic ones are those that have a
 * Latin double. The styled letters of mathematics are odd wherever they stand.
 *
 * A text in one alphabet, or with words of several side by side, has none.
 * Judged is Latin beside Cyrillic, Greek, Armenian and Cherokee, which have
 * doubles; other scripts go with anything. Pure; a text is read twice at most.
 */
#ifndef TOCSIN_CLI_LOOKALIKE_H
#define TOCSIN_CLI_LOOKALIKE_H

#include "crypto/wire.h"

#include <stdbool.h>

enum script { NO_LETTER, LATIN, CYRILLIC, GREEK, ARMENIAN, CHEROKEE, STYLED };

struct lookalike { /* zeros at the beginning of a text */
	bool begun;
	bool disguised;	    /* all of its Cyrillic letters have Latin doubles */
	size_t end;	    /* of the word that was looked at last */
	enum script common; /* in it, or NO_LETTER if it mixes nothing */
};

/*
 * Whether the character c, which stands in `text` at `at`, is odd. To be asked
 * of each character, from the first to the last.
 */
bool lookalike_odd(
    struct lookalike *l, struct span text, size_t at, uint32_t c);

#endif
