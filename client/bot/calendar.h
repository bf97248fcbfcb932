/* SPDX-License-Identifier: ISC */
/*
 * calendar.h - when a team works, and who is on duty
 *
 * A calendar is a zone, hours of the week in local time, and days on which
 * nobody works. Time that counts is elapsed time: on the night on which a clock
 * is put forward a shift from 22:00 to 06:00 has seven hours.
 *
 * A duty is a list of shifts, each with who has it; the rota may come from a
 * list of lines or from an iCalendar file (ical.h). Where several run at once,
 * all of them are on duty.
 *
 * Pure, and never changed once it was made. Times are seconds since 1970.
 */
#ifndef TOCSIN_CLIENT_BOT_CALENDAR_H
#define TOCSIN_CLIENT_BOT_CALENDAR_H

#include "client/bot/rules.h"
#include "client/bot/zone.h"

#define CALENDAR_HOURS 16 /* stretches of a week's day */
#define CALENDAR_HOLIDAYS 4096
#define CALENDAR_AHEAD 750 /* days that are looked through for working time */
#define DUTY_SHIFTS 4096
#define DUTY_FILE_MAX (1024 * 1024)
#define NEVER INT64_MAX

struct hours { /* minutes of the local day; `to` may be of the next one */
	int from, to;
};

struct calendar {
	const char *name;
	struct zone zone;
	struct hours hours[7][CALENDAR_HOURS]; /* from Monday on, ascending */
	size_t nhours[7];
	const int32_t *holiday; /* days since 1970, local, ascending */
	size_t nholiday;
	unsigned line;
};

/* A fact that holds now, and until when it surely does; NEVER: for good. */
struct spell {
	bool holds;
	int64_t until;
};

struct spell calendar_works(const struct calendar *c, int64_t t);
struct spell calendar_holiday(const struct calendar *c, int64_t t);

/*
 * When so many seconds of working time have passed since t; for 0 the first
 * moment of it from t on. NEVER: not within CALENDAR_AHEAD days.
 */
int64_t calendar_add(const struct calendar *c, int64_t t, int64_t seconds);

struct shift {
	int64_t from, to;
	const char *who;
};

struct duty {
	const char *name;
	struct zone zone;	   /* of times that name none */
	const struct shift *shift; /* ascending by `from` */
	const int64_t *reach;	   /* the latest end of this one and before */
	size_t nshift;
	unsigned line;
};

/* Calls take() for each who is on duty; holds if there was one. */
struct spell duty_at(const struct duty *d, int64_t t,
    void (*take)(void *arg, const char *who), void *arg);

/* Sorts, and makes `reach`; `shift` is of the arena. False: no memory. */
bool duty_set(
    struct duty *d, struct shift *shift, size_t n, struct arena *arena);

/* ---- days ---- */

struct day {		      /* of the Gregorian calendar */
	int year, month, day; /* month 1 to 12 */
};

int64_t day_number(struct day d); /* days since 1970 */
struct day day_of(int64_t number);
int day_weekday(int64_t number); /* 0 is Monday */
int days_in_month(int year, int month);

/* The day's number at a local time in seconds; rounds down. */
int64_t day_at(int64_t local);

/* "2026-11-21" and "08:30" (to 24:00, in minutes). */
bool day_parse(struct span s, int64_t *number);
bool minute_parse(struct span s, int *minute);

#endif
