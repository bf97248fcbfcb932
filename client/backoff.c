/* SPDX-License-Identifier: ISC */
#include "client/backoff.h"

#include <sodium.h>
#include <time.h>

#define FIRST 100
#define LEAST_MAX (10 * 60 * 1000) /* nobody may send us away for longer */

int64_t
backoff_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
backoff_over(const struct backoff *b)
{
	return backoff_now() >= b->at;
}

void
backoff_more(struct backoff *b, uint32_t least, uint32_t max)
{
	uint32_t wait;

	b->step = b->step == 0 ? FIRST : b->step * 2;
	if (b->step > max)
		b->step = max;
	wait = b->step / 2 + randombytes_uniform(b->step);
	if (least > LEAST_MAX)
		least = LEAST_MAX;
	b->at = backoff_now() + (wait > least ? wait : least);
}

void
backoff_reset(struct backoff *b)
{
	*b = (struct backoff){ 0 };
}

int64_t
backoff_sooner(const struct backoff *b, int64_t ms)
{
	int64_t left = b->at - backoff_now();

	if (left > 0 && left < ms)
		return left;
	return ms;
}
