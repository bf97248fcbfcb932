/* SPDX-License-Identifier: ISC */
/*
 * entries.h - entries for tests of the store, made from their number
 *
 * Entry `i` has a note of the right form (its signature is noise), the id of
 * its text, and a body of `size` bytes that follow from i: so a reader knows
 * what it must find, without having kept it.
 */
#ifndef TOCSIN_TESTS_ENTRIES_H
#define TOCSIN_TESTS_ENTRIES_H

#include "broker/store.h"

struct made {
	struct store_entry e; /* seq 0; spans alias the rest */
	struct buf note;
	struct buf body;
};

void made_init(struct made *m, uint64_t i, size_t size);
void made_release(struct made *m);

/* True if `got` is entry i with a body of `size` bytes, whatever its seq. */
bool made_is(const struct store_entry *got, uint64_t i, size_t size);

#endif
