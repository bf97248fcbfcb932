/* SPDX-License-Identifier: ISC */
/*
 * names.h - a small set of names: which members and peers a commit touched
 *
 * A hash set of byte strings of at most STORE_NAME_MAX bytes, which it copies.
 * It starts as { 0 }; clearing keeps its memory for the next commit. A set that
 * ran out of memory says that it holds everything: to wake one too many costs a
 * look, to wake one too few costs 25 seconds.
 */
#ifndef TOCSIN_BROKER_NAMES_H
#define TOCSIN_BROKER_NAMES_H

#include "broker/store.h"

struct name {
	uint8_t n; /* 0: no name */
	uint8_t bytes[STORE_NAME_MAX];
};

struct names {
	struct name *slot;
	size_t cap; /* a power of two, or 0 */
	size_t n;
	bool all;
};

void names_add(struct names *s, struct span name);
void names_add_all(struct names *to, const struct names *from);
bool names_has(const struct names *s, struct span name);

/* The next name from *at on, which starts as 0; false when there is none. */
bool names_next(const struct names *s, size_t *at, struct span *name);

void names_clear(struct names *s);
void names_release(struct names *s);

#endif
