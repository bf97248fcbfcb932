/* SPDX-License-Identifier: ISC */
/*
 * posing.h - in a broker's name, with its keys
 *
 * For programs that act as a broker of the roster which does not run: its keys,
 * and how it opens a link to another and is found by it. What fails ends the
 * program. The spans live as long as the struct, which posing_end() wipes.
 */
#ifndef TOCSIN_TESTS_POSING_H
#define TOCSIN_TESTS_POSING_H

#include "tests/fault/forge.h"
#include "tests/fault/rawlink.h"

struct posing {
	uint8_t noise[32];
	uint8_t sign[64];
	const struct roster_broker *self;
	struct rawlink_who who; /* to dial the other */
	struct buf there, here; /* prologues of links to it, and to us */
};

/* KEYS is the folder of its keys; the other is that of a member, at a port. */
void posing_begin(struct posing *p, const struct forger *f, const char *keys,
    const char *other, uint16_t port);
void posing_end(struct posing *p);

#endif
