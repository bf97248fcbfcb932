/* SPDX-License-Identifier: ISC */
/*
 * tap.h - tests that say a sentence per check
 *
 * Test Anything Protocol for prove(1). The plan is printed last, by tap_done(),
 * which is called and never runs at exit: a test that dies early has no plan
 * and fails.
 */
#ifndef TOCSIN_TESTS_TAP_H
#define TOCSIN_TESTS_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns `good`, so that a check can guard what depends on it. */
bool ok(bool good, const char *sentence, ...)
    __attribute__((format(printf, 2, 3)));
bool is_int(long long got, long long want, const char *sentence, ...)
    __attribute__((format(printf, 3, 4)));
bool is_str(const char *got, const char *want, const char *sentence, ...)
    __attribute__((format(printf, 3, 4)));

/* One check that this machine cannot make, and why. */
void skip(const char *why, ...) __attribute__((format(printf, 1, 2)));

/* A line of explanation, shown by prove -v and after a failure. */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the plan; returns main's exit status. */
int tap_done(void);

/* A heap copy of the exact size, so that ASan sees a read past the end. */
void *xmalloc(size_t n);
uint8_t *xcopy(const void *bytes, size_t n);

/* A whole file of tests/vectors or elsewhere, NUL-terminated beyond *n. */
uint8_t *slurp(const char *path, size_t *n);

/* The path of a file in the source tree: $TOP/NAME. Static, one at a time. */
const char *top(const char *name);

/* A folder that is removed at tap_done(); static. */
const char *scratch(void);

#endif
