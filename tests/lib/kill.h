/* SPDX-License-Identifier: ISC */
/*
 * kill.h - a test that starts itself as a child, and kills that at some moment
 *
 * The child is the same program with the words `child` and one more; it writes
 * a byte to its standard output when it is about to begin, and the moment is
 * counted from there.
 */
#ifndef TOCSIN_TESTS_KILL_H
#define TOCSIN_TESTS_KILL_H

#include <stdbool.h>

/*
 * True: it was killed after so many microseconds; false: it had come to the
 * end. *failed if it did not begin, or its status is not 0.
 */
bool kill_child(const char *self, const char *word, unsigned us, bool *failed);

/* A variable of the environment, KILLS or SEED, or what it is without. */
unsigned kill_number(const char *name, unsigned otherwise);

#endif
