/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the two clocks
 *
 * clock_ms() only goes forward and is for deadlines; clock_now() is seconds of
 * UTC, is written and compared with what others wrote, and may jump.
 */
#ifndef TOCSIN_BROKER_CLOCK_H
#define TOCSIN_BROKER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline int64_t
clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

#endif
