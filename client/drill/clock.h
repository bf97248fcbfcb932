/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the time of an exercise: after its start, fast, or standing still
 *
 * Control may hold the exercise and go on, play two days in two minutes for a
 * rehearsal, and be killed and started again: the record says from when on how
 * much of the exercise is over, and everything else follows from that and from
 * the time of day. It is kept in the desk under `drill/EXERCISE`.
 *
 * Pure. Both times are milliseconds, those of the day since 1970.
 */
#ifndef TOCSIN_CLIENT_DRILL_CLOCK_H
#define TOCSIN_CLIENT_DRILL_CLOCK_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define DRILL_SPEED_MAX 10000

struct drill_clock {
	int64_t begun; /* when it was started first */
	int64_t since; /* when it was started or held last */
	int64_t over;  /* how much of the exercise was over then */
	int64_t from;  /* what was to come before that is left out */
	unsigned speed;
	bool held;
};

/* An exercise that begins so late in it, or, 0, at its beginning. */
struct drill_clock drill_clock_start(int64_t now, unsigned speed, int64_t from);

/* How much of the exercise is over; a clock that was set back takes none. */
int64_t drill_clock_over(const struct drill_clock *c, int64_t now);

/* Whether what comes so late in it is to be done now: not while it is held. */
bool drill_clock_due(const struct drill_clock *c, int64_t at, int64_t now);

/*
 * False if it is so already. Who holds an exercise that is to begin later, and
 * goes on before that, does not begin it.
 */
bool drill_clock_hold(struct drill_clock *c, int64_t now);
bool drill_clock_go_on(struct drill_clock *c, int64_t now);

/* When it will be so late in the exercise, as it goes now; INT64_MAX: held. */
int64_t drill_clock_when(const struct drill_clock *c, int64_t over);

void drill_clock_print(struct buf *out, const struct drill_clock *c);
enum tocsin_err MUST_USE drill_clock_parse(
    struct drill_clock *out, struct span bytes);

#endif
