/* SPDX-License-Identifier: ISC */
/*
 * nth.h - let the n-th call that can fail do so
 *
 * For tests that are linked with $(NTH_WRAP): allocations of our own code and
 * calls of the desk's engine are counted while a fault is set, in all threads
 * that were not left out, and the n-th of them fails: no memory, or the
 * engine's word for it. A commit that fails has changed nothing, as the
 * engine's own.
 *
 *	for (n = 1; ...; n++) {
 *		nth_set(n);
 *		err = what_is_tested();
 *		if (!nth_clear())
 *			break;		// it makes fewer calls than n
 *	}
 */
#ifndef TOCSIN_TESTS_NTH_H
#define TOCSIN_TESTS_NTH_H

#include <stdbool.h>

void nth_set(unsigned n);

/* The same of this thread's calls alone. */
void nth_set_mine(unsigned n);

/* No more faults; whether there was one. */
bool nth_clear(void);

/* The same, without an end to the fault that is set. */
bool nth_met(void);

/* This thread's calls never fail, and are not counted. */
void nth_leave_out(bool out);

#endif
