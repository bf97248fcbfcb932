/* SPDX-License-Identifier: ISC */
/*
 * ical.h - the part of iCalendar (RFC 5545) that rotas and holidays need
 *
 * Events, once or again and again, as every calendar program exports them:
 * dates and times (UTC, of a named zone, or floating), DTEND or DURATION, RRULE
 * by day, week, month and year with its BYDAY, BYMONTHDAY, BYMONTH and
 * BYSETPOS, RDATE, EXDATE, and instances that were moved or cancelled. What
 * else there is, to-dos and alarms for example, is passed over; a rule of
 * repetition that is not understood is a fault with its line, since leaving it
 * out would leave a night without anybody.
 *
 * Zones are those of the system, by TZID; a VTIMEZONE is not read. An instance
 * ends at the local time at which the first one does, so that a rota of whole
 * days has no gap on the night on which clocks change.
 *
 * libical does much more, and brings ICU with it: every command of the program
 * would load both. Bounds: lines, events, dates of one, and days looked at.
 */
#ifndef TOCSIN_CLIENT_BOT_ICAL_H
#define TOCSIN_CLIENT_BOT_ICAL_H

#include "client/bot/calendar.h"

#define ICAL_LINE 4096	 /* bytes of a property that is of interest */
#define ICAL_EVENTS 4096 /* of a file */
#define ICAL_DATES 512	 /* EXDATE and RDATE of an event */
#define ICAL_DAYS 200000 /* looked at, of all events together */

/* One time that an event runs. */
struct ical_run {
	const char *what; /* SUMMARY; "" if there is none; of the arena */
	int64_t from, to;
	bool whole_days; /* then it is these days, local, and from and */
	int64_t day_from, day_to; /* to are their beginnings in `zone` */
};

struct ical_ask {
	const struct zone *zone;   /* of floating times and of dates */
	const struct rules_io *io; /* its zone() for others; or NULL */
	int64_t from, to;	   /* what runs at some time of this */
	bool (*take)(void *arg, const struct ical_run *run); /* false: stop */
	void *arg;
	const char *file; /* for faults */
	struct rules_faults *faults;
	struct arena *arena;
};

/*
 * EMALFORMED: a fault was added. EINTERNAL: no memory. EUSAGE: take() said
 * stop.
 */
enum tocsin_err MUST_USE ical_read(
    struct span text, const struct ical_ask *ask);

/* Whether somebody means this as iCalendar: it begins so. */
bool ical_is(struct span text);

#endif
