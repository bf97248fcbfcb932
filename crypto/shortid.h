/* SPDX-License-Identifier: ISC */
/*
 * shortid.h - ids that people say over a telephone
 *
 * The first 60 bits of an id, as 12 characters of Crockford's base32 in lower
 * case: 7k2m-9xq4-t0af. What a person types is forgiven: any case, '-' and
 * spaces anywhere, o for 0, i and l for 1. It is a prefix of the id, in bits,
 * that is compared with the ids at hand; how many it fits decides.
 *
 * 60 bits are for the tongue, not for trust: one sender can make two tickets
 * that share them. So a prefix may be longer than a short id, and two ids that
 * fit are an answer (ambiguous), never a choice made for the user.
 */
#ifndef TOCSIN_CRYPTO_SHORTID_H
#define TOCSIN_CRYPTO_SHORTID_H

#include "crypto/text.h"

#define SHORTID_TEXT 14 /* with its two '-' */
#define SHORTID_MIN 4	/* characters that a prefix has at least */
#define SHORTID_MAX 51	/* and at most: 255 bits */

struct id_prefix {
	uint8_t bits[ID_LEN]; /* zeros after nbits: the lowest id that fits */
	unsigned nbits;
};

void shortid_print(char out[SHORTID_TEXT + 1], const uint8_t id[ID_LEN]);

/* EUSAGE: too short, too long, or a character that is none. */
MUST_USE enum tocsin_err shortid_parse(
    struct id_prefix *out, struct span typed);

bool shortid_fits(const struct id_prefix *p, const uint8_t id[ID_LEN]);

#endif
