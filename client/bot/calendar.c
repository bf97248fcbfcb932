/* SPDX-License-Identifier: ISC */
#include "client/bot/calendar.h"

#include <stdlib.h>

#define DAY 86400

/* ---- days ---- */

int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Years that begin in March have their leap day last. */
int64_t
day_number(struct day d)
{
	int64_t y = d.month > 2 ? d.year : d.year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

struct day
day_of(int64_t number)
{
	int64_t z = number + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t n = z - era * 146097;
	int64_t y = (n - n / 1460 + n / 36524 - n / 146096) / 365;
	int64_t of_year = n - (365 * y + y / 4 - y / 100);
	int month = (int)((5 * of_year + 2) / 153);
	struct day d;

	d.day = (int)(of_year - (153 * month + 2) / 5) + 1;
	d.month = month < 10 ? month + 3 : month - 9;
	d.year = (int)(y + era * 400 + (d.month <= 2));
	return d;
}

int
day_weekday(int64_t number)
{
	int64_t n = (number + 3) % 7; /* 1970-01-01 was a Thursday */

	return (int)(n < 0 ? n + 7 : n);
}

int64_t
day_at(int64_t local)
{
	return (local >= 0 ? local : local - (DAY - 1)) / DAY;
}

static bool
digits(struct span s, size_t at, size_t n, int *out)
{
	size_t i;

	*out = 0;
	if (at + n > s.n)
		return false;
	for (i = at; i < at + n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (s.p[i] - '0');
	}
	return true;
}

bool
day_parse(struct span s, int64_t *number)
{
	struct day d;

	if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' ||
	    !digits(s, 0, 4, &d.year) || !digits(s, 5, 2, &d.month) ||
	    !digits(s, 8, 2, &d.day) || d.year < 1970 || d.month < 1 ||
	    d.month > 12 || d.day < 1 || d.day > days_in_month(d.year, d.month))
		return false;
	*number = day_number(d);
	return true;
}

bool
minute_parse(struct span s, int *minute)
{
	int h, m;

	if (s.n != 5 || s.p[2] != ':' || !digits(s, 0, 2, &h) ||
	    !digits(s, 3, 2, &m) || m > 59 || h > 24 || (h == 24 && m > 0))
		return false;
	*minute = h * 60 + m;
	return true;
}

/* ---- working time ---- */

static bool
is_holiday(const struct calendar *c, int64_t day)
{
	size_t low = 0, high = c->nholiday;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->holiday[mid] < day)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->nholiday && c->holiday[low] == day;
}

/* A stretch of a day in UTC; false: the day has no i-th one. */
static bool
stretch(
    const struct calendar *c, int64_t day, size_t i, int64_t *from, int64_t *to)
{
	int weekday = day_weekday(day);

	if (i >= c->nhours[weekday] || is_holiday(c, day))
		return false;
	*from = zone_utc(
	    &c->zone, day * DAY + (int64_t)c->hours[weekday][i].from * 60);
	*to = zone_utc(
	    &c->zone, day * DAY + (int64_t)c->hours[weekday][i].to * 60);
	return true;
}

/* A stretch that holds t may have begun the day before. */
static int64_t
first_day(const struct calendar *c, int64_t t)
{
	return day_at(zone_local(&c->zone, t)) - 1;
}

struct spell
calendar_works(const struct calendar *c, int64_t t)
{
	int64_t day = first_day(c, t), last = day + CALENDAR_AHEAD, from, to;
	size_t i;

	for (; day < last; day++)
		for (i = 0; stretch(c, day, i, &from, &to); i++) {
			if (t >= to)
				continue;
			return t < from ? (struct spell){ false, from }
					: (struct spell){ true, to };
		}
	return (struct spell){ false, NEVER };
}

struct spell
calendar_holiday(const struct calendar *c, int64_t t)
{
	int64_t day = day_at(zone_local(&c->zone, t));
	int64_t next = zone_utc(&c->zone, (day + 1) * DAY);

	/* A day may end twice where a clock is put back at midnight. */
	return (struct spell){ is_holiday(c, day), next > t ? next : t + 60 };
}

/* `counted` is how far time was counted: stretches may overlap. */
int64_t
calendar_add(const struct calendar *c, int64_t t, int64_t seconds)
{
	int64_t day = first_day(c, t), last = day + CALENDAR_AHEAD;
	int64_t counted = t, from, to;
	size_t i;

	for (; day < last; day++)
		for (i = 0; stretch(c, day, i, &from, &to); i++) {
			if (from < counted)
				from = counted;
			if (to <= from)
				continue;
			if (seconds <= to - from)
				return from + seconds;
			seconds -= to - from;
			counted = to;
		}
	return NEVER;
}

/* ---- duty ---- */

static int
by_from(const void *a, const void *b)
{
	const struct shift *x = a, *y = b;

	return x->from != y->from ? (x->from < y->from ? -1 : 1)
				  : (x->to > y->to) - (x->to < y->to);
}

bool
duty_set(struct duty *d, struct shift *shift, size_t n, struct arena *arena)
{
	int64_t *reach = arena_array(arena, n, sizeof(*reach));
	size_t i;

	if (reach == NULL)
		return false;
	qsort(shift, n, sizeof(*shift), by_from);
	for (i = 0; i < n; i++)
		reach[i] = i > 0 && reach[i - 1] > shift[i].to ? reach[i - 1]
							       : shift[i].to;
	d->shift = shift;
	d->reach = reach;
	d->nshift = n;
	return true;
}

/* The first that begins after t. */
static size_t
beyond(const struct duty *d, int64_t t)
{
	size_t low = 0, high = d->nshift;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->shift[mid].from <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct spell
duty_at(const struct duty *d, int64_t t,
    void (*take)(void *arg, const char *who), void *arg)
{
	size_t i = beyond(d, t);
	struct spell s = { false, i < d->nshift ? d->shift[i].from : NEVER };

	while (i-- > 0 && d->reach[i] > t) {
		if (d->shift[i].to <= t)
			continue;
		s.holds = true;
		if (d->shift[i].to < s.until)
			s.until = d->shift[i].to;
		if (take != NULL)
			take(arg, d->shift[i].who);
	}
	return s;
}
