/* SPDX-License-Identifier: ISC */
/*
 * backoff.h - when to try again
 *
 * Each failure doubles the wait, with jitter, so that what fails is never tried
 * in a loop and many clients don't come at once. { 0 } is ready. Times are
 * milliseconds of the monotonic clock.
 */
#ifndef TOCSIN_CLIENT_BACKOFF_H
#define TOCSIN_CLIENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	int64_t at; /* not before */
	uint32_t step;
};

int64_t backoff_now(void);

bool backoff_over(const struct backoff *b);

/*
 * Failed: wait longer than the last time, from 100 ms to about `max`, and no
 * less than `least`, which the other side asked for (0: it didn't).
 */
void backoff_more(struct backoff *b, uint32_t least, uint32_t max);
void backoff_reset(struct backoff *b);

/* `ms`, or what is left of the wait if that is less. */
int64_t backoff_sooner(const struct backoff *b, int64_t ms);

#endif
