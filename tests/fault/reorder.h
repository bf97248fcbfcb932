/* SPDX-License-Identifier: ISC */
/*
 * reorder.h - the side of reorder that knows what the file is
 *
 * reorder_store.c for a broker's store, reorder_desk.c for a home's desk: both
 * sides have a database of their own, and no program links both.
 */
#ifndef TOCSIN_TESTS_FAULT_REORDER_H
#define TOCSIN_TESTS_FAULT_REORDER_H

#include "crypto/text.h"

#include <stddef.h>

struct image_promise {
	uint8_t (*id)[ID_LEN];
	size_t n;
};

extern const char image_name[]; /* of the file in its folder */

/* 0 good, 1 doesn't open, 2 a promise is missing, 3 not clean. */
int image_check(const char *folder, const struct image_promise *p);

#endif
