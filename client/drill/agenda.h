/* SPDX-License-Identifier: ISC */
/*
 * agenda.h - which injects are still to come, as control's desk keeps them
 *
 * Who asks how far an exercise is sits at another terminal than its control,
 * and may have no script at hand. So control leaves in the desk, under
 * `drill-agenda/EXERCISE`, what the script has of each inject that is needed to
 * say what comes next: its name, subject and time, and for how many it is. A
 * run with a script that was changed leaves another.
 *
 * Whether an inject was posted is not in it: that the desk knows by its key
 * (once.h), and the caller fills it in.
 *
 * Pure. Times of an exercise are seconds after its start, `now` is milliseconds
 * since 1970, as in clock.h.
 */
#ifndef TOCSIN_CLIENT_DRILL_AGENDA_H
#define TOCSIN_CLIENT_DRILL_AGENDA_H

#include "client/drill/clock.h"
#include "client/drill/script.h"

#define AGENDA_GRACE 2 /* seconds by the clock, to post what is due */

struct agenda_inject {
	const char *name;
	const char *subject; /* of the ticket that it is in */
	int64_t at;
	unsigned to;			/* so many players */
	const struct agenda_inject *in; /* NULL: a ticket of its own */
	bool posted;			/* the caller says so */
};

struct agenda {
	int64_t length;
	size_t n;
	struct agenda_inject *inject; /* by time */
	struct arena arena;
};

void agenda_print(struct buf *out, const struct script *s);

/* EMALFORMED, EINTERNAL. The caller releases, after a failure too. */
enum tocsin_err MUST_USE agenda_parse(struct agenda *out, struct span bytes);
void agenda_release(struct agenda *a);

enum agenda_state {
	AGENDA_POSTED,
	AGENDA_LEFT_OUT, /* it was to come before the exercise began */
	AGENDA_LATE,	 /* its time is over, and nobody has posted it */
	AGENDA_TO_COME
};
enum agenda_state agenda_state(
    const struct agenda_inject *i, const struct drill_clock *c, int64_t now);

/* The first that is to come; or NULL. */
const struct agenda_inject *agenda_next(
    const struct agenda *a, const struct drill_clock *c, int64_t now);

/* How many are in that state. */
size_t agenda_count(const struct agenda *a, enum agenda_state state,
    const struct drill_clock *c, int64_t now);

#endif
