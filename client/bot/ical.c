/* SPDX-License-Identifier: ISC */
#include "client/bot/ical.h"

#include "client/bot/lex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY INT64_C(86400)
#define LONGEST 400 /* days that an event may last */
#define ZONES 16
#define LISTED 32 /* of a BY... list */

/* A date, or a time of a zone. */
struct when {
	int64_t day;
	int64_t second; /* of the local day */
	bool date;
	const struct zone *zone;
};

enum freq { FREQ_NONE, FREQ_DAILY, FREQ_WEEKLY, FREQ_MONTHLY, FREQ_YEARLY };

struct weekday {
	int day;
	int nth; /* 0: each; -1: the last of the month */
};

struct rrule {
	enum freq freq;
	int interval;
	int count; /* 0: no end by it */
	bool has_until;
	struct when until;
	int week_start;
	size_t nday, nmonthday, nposition;
	struct weekday day[LISTED];
	int monthday[LISTED];
	int position[LISTED];
	unsigned months; /* a bit each; 0: all */
};

struct event {
	struct event *next, *next_moved;
	const char *uid;
	const char *what;
	struct when start, end;
	bool has_start, has_end, cancelled;
	int64_t length; /* by DURATION: whole days, and seconds beside */
	int64_t length_days;
	bool has_length;
	struct rrule *rule;
	struct when *except, *extra, *instead; /* EXDATE RDATE RECURRENCE-ID */
	size_t nexcept, nextra;
	size_t room_except, room_extra;
	unsigned line;
};

struct ical {
	const struct ical_ask *ask;
	struct span text;
	size_t at;
	unsigned line;	    /* of the property */
	unsigned next_line; /* of what follows it */
	char buf[ICAL_LINE + 1];
	bool cut; /* the property was longer */
	char *name, *params, *value;

	struct zone utc;
	struct zone *zone[ZONES];
	size_t nzone;
	struct event *first, **last;
	struct event *moved; /* those with an `instead` */
	bool ended;
	size_t nevent;
	int64_t days; /* that were looked at */
	enum tocsin_err err;
};

static bool
fault(struct ical *c, const char *instead, const char *what, const char *which)
{
	faults_add(c->ask->faults, c->ask->file, c->line, 1, instead,
	    which != NULL ? "%s: %.60s" : "%s", what, which);
	c->err = TOCSIN_EMALFORMED;
	return false;
}

static void *
memory(struct ical *c, size_t n)
{
	void *p = arena_get(c->ask->arena, n);

	if (p == NULL)
		c->err = TOCSIN_EINTERNAL;
	return p;
}

/* ---- lines ---- */

bool
ical_is(struct span text)
{
	static const char begin[] = "BEGIN:VCALENDAR";

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = span_cut(text, 3, text.n);
	return text.n >= sizeof(begin) - 1 &&
	       strncasecmp((const char *)text.p, begin, sizeof(begin) - 1) == 0;
}

/* A line's end, or a line's end with a blank after it, which folds. */
static size_t
line_end(const struct ical *c, size_t i, bool *folds)
{
	size_t n = i;

	if (n < c->text.n && c->text.p[n] == '\r')
		n++;
	if (n >= c->text.n || c->text.p[n] != '\n')
		return i;
	n++;
	*folds = n < c->text.n && (c->text.p[n] == ' ' || c->text.p[n] == '\t');
	return n + *folds;
}

/* The next property, unfolded, into buf; false at the end. */
static bool
next_line(struct ical *c)
{
	size_t n = 0;

	if (c->at >= c->text.n)
		return false;
	c->line = c->next_line;
	c->cut = false;
	while (c->at < c->text.n) {
		bool folds = false;
		size_t end = line_end(c, c->at, &folds);

		if (end > c->at) {
			c->at = end;
			c->next_line++;
			if (folds)
				continue;
			break;
		}
		if (n < ICAL_LINE && c->text.p[c->at] != '\0')
			c->buf[n++] = (char)c->text.p[c->at];
		else
			c->cut = true;
		c->at++;
	}
	c->buf[n] = '\0';
	return true;
}

/* NAME;PARAMS:VALUE; a colon in quotes is part of a parameter. */
static void
split(struct ical *c)
{
	bool quoted = false;
	char *p = c->buf;

	c->name = c->buf;
	c->params = p + strlen(p);
	c->value = c->params;
	for (; *p != '\0'; p++) {
		if (*p == '"')
			quoted = !quoted;
		if (*p == ';' && !quoted && *c->params == '\0') {
			*p = '\0';
			c->params = p + 1;
		} else if (*p == ':' && !quoted) {
			*p = '\0';
			c->value = p + 1;
			return;
		}
	}
}

/* The value of a parameter, without quotes, or NULL. */
static const char *
param(const struct ical *c, const char *name, char out[ZONE_NAME + 1])
{
	size_t n = strlen(name);
	const char *p = c->params;

	while (*p != '\0') {
		size_t len = strcspn(p, ";");

		if (len > n && p[n] == '=' && strncasecmp(p, name, n) == 0) {
			const char *from = p + n + 1;
			size_t size = len - n - 1;

			if (size >= 2 && from[0] == '"') {
				from++;
				size -= 2;
			}
			snprintf(out, ZONE_NAME + 1, "%.*s", (int)size, from);
			return out;
		}
		p += len + (p[len] != '\0');
	}
	return NULL;
}

/* ---- values ---- */

static bool
number(const char *s, size_t n, int *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

static const struct zone *
zone_of(struct ical *c, const char *name)
{
	const struct rules_io *io = c->ask->io;
	struct zone *z;
	size_t i;

	while (*name == '/') /* "/vendor/Europe/Berlin" is nobody's any more */
		name++;
	if (strcmp(name, c->ask->zone->name) == 0)
		return c->ask->zone;
	if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0)
		return &c->utc;
	for (i = 0; i < c->nzone; i++)
		if (strcmp(c->zone[i]->name, name) == 0)
			return c->zone[i];
	if (c->nzone < ZONES && io != NULL && io->zone != NULL &&
	    zone_name(span_of(name))) {
		z = memory(c, sizeof(*z));
		if (z == NULL)
			return NULL;
		if (io->zone(io->arg, name, z) == TOCSIN_OK) {
			snprintf(z->name, sizeof(z->name), "%s", name);
			return c->zone[c->nzone++] = z;
		}
	}
	fault(c, "TZID=Asia/Singapore", "there is no such time zone", name);
	return NULL;
}

/* 20261121 and 20261121T083000, perhaps with a Z. */
static bool
parse_when(struct ical *c, const char *s, struct when *w)
{
	char zone[ZONE_NAME + 1];
	size_t n = strlen(s);
	int y, mo, d, h = 0, mi = 0, sec = 0;
	bool utc = n == 16 && s[15] == 'Z';

	if ((n != 8 && n != 15 && !utc) || !number(s, 4, &y) ||
	    !number(s + 4, 2, &mo) || !number(s + 6, 2, &d) || y < 1970 ||
	    y > 2200 || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo))
		return fault(c, "20261121T083000", "no date and no time", s);
	if (n > 8 &&
	    (s[8] != 'T' || !number(s + 9, 2, &h) || !number(s + 11, 2, &mi) ||
		!number(s + 13, 2, &sec) || h > 23 || mi > 59 || sec > 60))
		return fault(c, "20261121T083000", "no time", s);
	*w = (struct when){ .day = day_number((struct day){ y, mo, d }),
		.second = h * 3600 + mi * 60 + sec,
		.date = n == 8,
		.zone = utc ? &c->utc : c->ask->zone };
	if (!utc && n > 8 && param(c, "TZID", zone) != NULL)
		w->zone = zone_of(c, zone);
	return w->zone != NULL;
}

static int64_t
when_utc(const struct when *w)
{
	return zone_utc(w->zone, w->day * DAY + w->second);
}

/* P1W, P1D, PT8H30M, P1DT12H */
static bool
parse_length(struct ical *c, const char *s, struct event *e)
{
	static const char units[] = "WDHMS";
	static const int64_t worth[] = { 7, 1, 3600, 60, 1 };
	bool time = false, some = false;
	const char *p = s + (*s == '+');

	if (*p++ != 'P')
		return fault(c, "P1D", "no duration", s);
	for (; *p != '\0'; some = true) {
		size_t n;
		const char *unit;
		int count;

		if (*p == 'T' && !time) {
			time = true;
			p++;
		}
		n = strspn(p, "0123456789");
		unit = p[n] != '\0' ? strchr(units, p[n]) : NULL;
		if (n == 0 || n > 6 || !number(p, n, &count) || unit == NULL ||
		    time != (unit - units > 1))
			return fault(c, "P1D", "no duration", s);
		if (time)
			e->length += count * worth[unit - units];
		else
			e->length_days += count * worth[unit - units];
		p += n + 1;
	}
	e->has_length = true;
	return some || fault(c, "P1D", "no duration", s);
}

static bool
grow(struct ical *c, struct when **list, size_t n, size_t *room)
{
	struct when *grown;

	if (n < *room)
		return true;
	if (n == ICAL_DATES)
		return fault(c, "", "too many dates of one event", NULL);
	*room = *room > 0 ? *room * 2 : 4;
	grown = memory(c, *room * sizeof(*grown));
	if (grown == NULL)
		return false;
	if (n > 0)
		memcpy(grown, *list, n * sizeof(*grown));
	*list = grown;
	return true;
}

static bool
parse_dates(struct ical *c, struct when **list, size_t *n, size_t *room)
{
	char *p = c->value, *comma;
	char kind[ZONE_NAME + 1];

	if (param(c, "VALUE", kind) != NULL && strcasecmp(kind, "PERIOD") == 0)
		return fault(c, "a date, or a time", "a period", c->value);
	for (; p != NULL; p = comma) {
		comma = strchr(p, ',');
		if (comma != NULL)
			*comma++ = '\0';
		if (!grow(c, list, *n, room) || !parse_when(c, p, &(*list)[*n]))
			return false;
		++*n;
	}
	return true;
}

static const char *
parse_text(struct ical *c)
{
	char *out = arena_text(c->ask->arena, span_of(c->value));
	size_t i, n = 0;

	if (out == NULL) {
		c->err = TOCSIN_EINTERNAL;
		return "";
	}
	for (i = 0; out[i] != '\0'; i++) {
		if (out[i] == '\\' && out[i + 1] != '\0') {
			i++;
			out[n++] =
			    out[i] == 'n' || out[i] == 'N' ? ' ' : out[i];
			continue;
		}
		out[n++] = out[i];
	}
	out[n] = '\0';
	return out;
}

/* ---- RRULE ---- */

static bool
parse_int(const char *s, size_t n, int low, int high, int *out)
{
	bool minus = n > 0 && s[0] == '-';
	size_t skip = n > 0 && (s[0] == '-' || s[0] == '+');

	if (n == skip || n - skip > 5 || !number(s + skip, n - skip, out))
		return false;
	*out = minus ? -*out : *out;
	return *out >= low && *out <= high;
}

static int
weekday_of(const char *s, size_t n)
{
	static const char days[] = "MOTUWETHFRSASU";
	size_t i;

	for (i = 0; n == 2 && i < 7; i++)
		if (strncasecmp(days + 2 * i, s, 2) == 0)
			return (int)i;
	return -1;
}

static bool
add_day(struct rrule *r, const char *s, size_t n)
{
	struct weekday w = { 0, 0 };

	w.day = n >= 2 ? weekday_of(s + n - 2, 2) : -1;
	if (w.day < 0 || r->nday == LISTED ||
	    (n > 2 && (!parse_int(s, n - 2, -5, 5, &w.nth) || w.nth == 0)))
		return false;
	r->day[r->nday++] = w;
	return true;
}

static bool
add_month(struct rrule *r, const char *s, size_t n)
{
	int month;

	if (!parse_int(s, n, 1, 12, &month))
		return false;
	r->months |= 1u << month;
	return true;
}

static bool
add_int(int *list, size_t *count, int most, const char *s, size_t n)
{
	int v;

	if (*count == LISTED || !parse_int(s, n, -most, most, &v) || v == 0)
		return false;
	list[(*count)++] = v;
	return true;
}

static bool
add_monthday(struct rrule *r, const char *s, size_t n)
{
	return add_int(r->monthday, &r->nmonthday, 31, s, n);
}

static bool
add_position(struct rrule *r, const char *s, size_t n)
{
	return add_int(r->position, &r->nposition, 366, s, n);
}

static bool
set_freq(struct rrule *r, const char *s, size_t n)
{
	static const char *const words[] = { "", "DAILY", "WEEKLY", "MONTHLY",
		"YEARLY" };
	size_t i;

	for (i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == n && strncasecmp(words[i], s, n) == 0)
			r->freq = (enum freq)i;
	return r->freq != FREQ_NONE;
}

static bool
set_interval(struct rrule *r, const char *s, size_t n)
{
	return parse_int(s, n, 1, 10000, &r->interval);
}

static bool
set_count(struct rrule *r, const char *s, size_t n)
{
	return parse_int(s, n, 1, 99999, &r->count);
}

static bool
set_week_start(struct rrule *r, const char *s, size_t n)
{
	r->week_start = weekday_of(s, n);
	return r->week_start >= 0;
}

static const struct {
	const char *name;
	bool (*take)(struct rrule *r, const char *s, size_t n);
	bool list;
} rrule_parts[] = {
	{ "FREQ", set_freq, false },
	{ "INTERVAL", set_interval, false },
	{ "COUNT", set_count, false },
	{ "WKST", set_week_start, false },
	{ "BYDAY", add_day, true },
	{ "BYMONTHDAY", add_monthday, true },
	{ "BYMONTH", add_month, true },
	{ "BYSETPOS", add_position, true },
};

static bool
parse_part(struct ical *c, struct rrule *r, char *part)
{
	char *value = strchr(part, '=');
	size_t i, n;

	if (value == NULL)
		return fault(c, "FREQ=WEEKLY", "not understood", part);
	*value++ = '\0';
	if (strcasecmp(part, "UNTIL") == 0)
		return r->has_until = parse_when(c, value, &r->until);
	for (i = 0; i < sizeof(rrule_parts) / sizeof(rrule_parts[0]); i++)
		if (strcasecmp(part, rrule_parts[i].name) == 0)
			break;
	if (i == sizeof(rrule_parts) / sizeof(rrule_parts[0]))
		return fault(c,
		    "FREQ INTERVAL COUNT UNTIL WKST BYDAY "
		    "BYMONTHDAY BYMONTH BYSETPOS",
		    "a repetition of this kind is not read", part);
	do {
		n = rrule_parts[i].list ? strcspn(value, ",") : strlen(value);
		if (!rrule_parts[i].take(r, value, n))
			return fault(c, "", "not understood in RRULE", value);
		value += n;
	} while (*value++ == ',');
	return true;
}

/* What the rest of a rule makes impossible, or what nobody means alike. */
static bool
makes_sense(struct ical *c, const struct rrule *r)
{
	bool monthly = r->freq == FREQ_MONTHLY ||
		       (r->freq == FREQ_YEARLY && r->months != 0);
	size_t i;

	if (r->freq == FREQ_NONE)
		return fault(c, "FREQ=WEEKLY", "an RRULE without FREQ", NULL);
	for (i = 0; i < r->nday; i++)
		if (r->day[i].nth != 0 && !monthly)
			return fault(c, "BYDAY=MO",
			    "a numbered BYDAY that is not of a month", NULL);
	return true;
}

static bool
parse_rrule(struct ical *c, struct event *e)
{
	struct rrule *r = memory(c, sizeof(*r));
	char *p = c->value, *next;

	if (r == NULL)
		return false;
	if (e->rule != NULL)
		return fault(c, "one RRULE", "a second RRULE", NULL);
	r->interval = 1;
	for (; p != NULL; p = next) {
		next = strchr(p, ';');
		if (next != NULL)
			*next++ = '\0';
		if (*p != '\0' && !parse_part(c, r, p))
			return false;
	}
	e->rule = r;
	return makes_sense(c, r);
}

/* ---- events ---- */

static bool
take_start(struct ical *c, struct event *e)
{
	return e->has_start = parse_when(c, c->value, &e->start);
}

static bool
take_end(struct ical *c, struct event *e)
{
	return e->has_end = parse_when(c, c->value, &e->end);
}

static bool
take_length(struct ical *c, struct event *e)
{
	return parse_length(c, c->value, e);
}

static bool
take_summary(struct ical *c, struct event *e)
{
	e->what = parse_text(c);
	return true;
}

static bool
take_uid(struct ical *c, struct event *e)
{
	e->uid = parse_text(c);
	return true;
}

static bool
take_status(struct ical *c, struct event *e)
{
	e->cancelled = strcasecmp(c->value, "CANCELLED") == 0;
	return true;
}

static bool
take_except(struct ical *c, struct event *e)
{
	return parse_dates(c, &e->except, &e->nexcept, &e->room_except);
}

static bool
take_extra(struct ical *c, struct event *e)
{
	return parse_dates(c, &e->extra, &e->nextra, &e->room_extra);
}

static bool
take_instead(struct ical *c, struct event *e)
{
	char range[ZONE_NAME + 1];

	if (param(c, "RANGE", range) != NULL)
		return fault(c, "", "a change of this and later ones", range);
	e->instead = memory(c, sizeof(*e->instead));
	return e->instead != NULL && parse_when(c, c->value, e->instead);
}

static bool
take_exrule(struct ical *c, struct event *e)
{
	(void)e;
	return fault(c, "EXDATE", "an EXRULE is not read", NULL);
}

static const struct {
	const char *name;
	bool (*take)(struct ical *c, struct event *e);
} properties[] = {
	{ "DTSTART", take_start },
	{ "DTEND", take_end },
	{ "DURATION", take_length },
	{ "SUMMARY", take_summary },
	{ "UID", take_uid },
	{ "STATUS", take_status },
	{ "RRULE", parse_rrule },
	{ "EXDATE", take_except },
	{ "RDATE", take_extra },
	{ "RECURRENCE-ID", take_instead },
	{ "EXRULE", take_exrule },
};

static bool
take_property(struct ical *c, struct event *e)
{
	size_t i;

	for (i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (strcasecmp(properties[i].name, c->name) != 0)
			continue;
		if (c->cut)
			return fault(c, "", "too long, or damaged", c->name);
		return properties[i].take(c, e);
	}
	return true;
}

static bool
judge(struct ical *c, struct event *e)
{
	unsigned here = c->line;
	bool good = true;

	c->line = e->line;
	if (!e->has_start)
		good = fault(
		    c, "DTSTART", "an event without a beginning", e->what);
	else if (e->has_end && (e->end.date != e->start.date ||
				   when_utc(&e->end) < when_utc(&e->start)))
		good = fault(c, "DTEND after DTSTART",
		    "an event that ends before it begins", e->what);
	c->line = here;
	return good;
}

/* Behind BEGIN:VEVENT, up to its end; what is inside, alarms, is not ours. */
static bool
read_event(struct ical *c)
{
	struct event *e = memory(c, sizeof(*e));
	unsigned depth = 0;

	if (e == NULL)
		return false;
	if (c->nevent++ == ICAL_EVENTS)
		return fault(c, "", "too many events", NULL);
	*e = (struct event){ .what = "", .line = c->line };
	while (next_line(c)) {
		split(c);
		if (strcasecmp(c->name, "BEGIN") == 0)
			depth++;
		else if (strcasecmp(c->name, "END") == 0 && depth-- == 0)
			break;
		else if (depth == 0 && !take_property(c, e))
			return false;
	}
	*c->last = e;
	c->last = &e->next;
	if (e->instead != NULL && e->uid != NULL) {
		e->next_moved = c->moved;
		c->moved = e;
	}
	return judge(c, e);
}

/* ---- when it runs ---- */

static struct when
end_of(const struct event *e)
{
	struct when end = e->start;

	if (e->has_end)
		return e->end;
	if (e->has_length) {
		end.day += e->length_days;
		end.second += e->length;
	} else if (e->start.date) {
		end.day++;
	}
	return end;
}

static int64_t
local_of(const struct when *w)
{
	return w->day * DAY + w->second;
}

/* An instance that begins at `start` ends when the first one would. */
static bool
give(struct ical *c, const struct event *e, const struct when *start)
{
	struct when end = end_of(e);
	struct ical_run run = { .what = e->what, .from = when_utc(start) };

	if (end.zone == e->start.zone)
		run.to = zone_utc(start->zone,
		    local_of(start) + local_of(&end) - local_of(&e->start));
	else
		run.to = run.from + when_utc(&end) - when_utc(&e->start);
	run.whole_days = e->start.date;
	run.day_from = start->day;
	run.day_to = start->day + end.day - e->start.day;
	if (run.to <= c->ask->from || run.from >= c->ask->to ||
	    run.to <= run.from)
		return true;
	if (c->ask->take(c->ask->arg, &run))
		return true;
	c->err = TOCSIN_EUSAGE;
	return false;
}

static bool
is_moved(struct ical *c, const struct event *e, int64_t from)
{
	const struct event *o = e->instead == NULL ? c->moved : NULL;
	size_t i;

	c->days += (int64_t)e->nexcept;
	for (i = 0; i < e->nexcept; i++)
		if (when_utc(&e->except[i]) == from)
			return true;
	for (; e->uid != NULL && o != NULL; o = o->next_moved, c->days++)
		if (when_utc(o->instead) == from && strcmp(o->uid, e->uid) == 0)
			return true;
	return false;
}

static bool
give_unless(struct ical *c, const struct event *e, const struct when *start)
{
	int64_t from = when_utc(start);

	if (c->days > ICAL_DAYS) {
		c->line = e->line;
		return fault(c, "", "events that repeat for too long", e->what);
	}
	if (from >= c->ask->to || from < c->ask->from - LONGEST * DAY)
		return true;
	return is_moved(c, e, from) || give(c, e, start);
}

static bool
matches_weekday(const struct rrule *r, const struct day *d, int weekday)
{
	int last = days_in_month(d->year, d->month);
	size_t i;

	for (i = 0; i < r->nday; i++) {
		int nth = r->day[i].nth;

		if (r->day[i].day != weekday)
			continue;
		if (nth == 0 || nth == (d->day - 1) / 7 + 1 ||
		    nth == -((last - d->day) / 7 + 1))
			return true;
	}
	return false;
}

static bool
matches_monthday(const struct rrule *r, const struct day *d)
{
	int last = days_in_month(d->year, d->month);
	size_t i;

	for (i = 0; i < r->nmonthday; i++)
		if (r->monthday[i] == d->day ||
		    r->monthday[i] == d->day - last - 1)
			return true;
	return false;
}

static bool
matches(const struct rrule *r, const struct when *start, int64_t number)
{
	struct day d = day_of(number), first = day_of(start->day);
	int weekday = day_weekday(number);

	if (r->months != 0 && (r->months >> d.month & 1) == 0)
		return false;
	if (r->nmonthday > 0 && !matches_monthday(r, &d))
		return false;
	if (r->nday > 0)
		return matches_weekday(r, &d, weekday);
	if (r->nmonthday > 0 || r->freq == FREQ_DAILY)
		return true;
	if (r->freq == FREQ_WEEKLY)
		return weekday == day_weekday(start->day);
	return d.day == first.day &&
	       (r->freq == FREQ_MONTHLY || r->months != 0 ||
		   d.month == first.month);
}

/* The days of the k-th period, [*from, *to). */
static void
period(
    const struct rrule *r, int64_t start, int64_t k, int64_t *from, int64_t *to)
{
	struct day d = day_of(start);
	int64_t n = k * r->interval, month = d.month - 1;
	int64_t week = (day_weekday(start) - r->week_start + 7) % 7;

	switch (r->freq) {
	case FREQ_NONE:
	case FREQ_DAILY:
		*from = start + n;
		*to = *from + 1;
		return;
	case FREQ_WEEKLY:
		*from = start - week + n * 7;
		*to = *from + 7;
		return;
	case FREQ_MONTHLY:
		month += n;
		d = (struct day){ d.year + (int)(month / 12),
			(int)(month % 12) + 1, 1 };
		*from = day_number(d);
		*to = *from + days_in_month(d.year, d.month);
		return;
	case FREQ_YEARLY:
		d = (struct day){ d.year + (int)n, 1, 1 };
		*from = day_number(d);
		d.year++;
		*to = day_number(d);
		return;
	}
}

static bool
is_position(const struct rrule *r, int at, int all)
{
	size_t i;

	for (i = 0; i < r->nposition; i++)
		if (r->position[i] == at + 1 || r->position[i] == at - all)
			return true;
	return r->nposition == 0;
}

static bool
is_past(const struct rrule *r, const struct when *w)
{
	if (!r->has_until)
		return false;
	return r->until.date ? w->day > r->until.day
			     : when_utc(w) > when_utc(&r->until);
}

/* Those of one period; *left counts down. False: the last one was given. */
static bool
give_period(struct ical *c, const struct event *e, int64_t from, int64_t to,
    int64_t *left)
{
	const struct rrule *r = e->rule;
	struct when w = e->start;
	int64_t found[366];
	int i, n = 0;

	c->days += to - from;
	for (; from < to && n < 366; from++)
		if (matches(r, &e->start, from))
			found[n++] = from;
	for (i = 0; i < n; i++) {
		w.day = found[i];
		/* The first one was given, whether it matches or not. */
		if (w.day <= e->start.day || !is_position(r, i, n))
			continue;
		if (is_past(r, &w) || (r->count > 0 && --*left <= 0))
			return false;
		if (!give_unless(c, e, &w))
			return false;
	}
	return true;
}

/* Without a COUNT nothing before the time that is asked for matters. */
static int64_t
first_period(const struct ical *c, const struct event *e)
{
	static const int64_t longest[] = { 1, 1, 7, 31, 366 };
	int64_t days = day_at(c->ask->from) - LONGEST - e->start.day;
	int64_t k = days / (longest[e->rule->freq] * e->rule->interval) - 2;

	return e->rule->count > 0 || k < 0 ? 0 : k;
}

static bool
run_rule(struct ical *c, const struct event *e)
{
	int64_t end = day_at(c->ask->to) + 2, k, from = 0, to = 0;
	int64_t left = e->rule->count;

	for (k = first_period(c, e); c->err == TOCSIN_OK; k++) {
		period(e->rule, e->start.day, k, &from, &to);
		if (from >= end || !give_period(c, e, from, to, &left))
			break;
		if (c->days > ICAL_DAYS) /* says so */
			return give_unless(c, e, &e->start);
	}
	return c->err == TOCSIN_OK;
}

static bool
run_event(struct ical *c, const struct event *e)
{
	size_t i;

	if (e->cancelled)
		return true;
	if (!give_unless(c, e, &e->start))
		return false;
	for (i = 0; i < e->nextra; i++)
		if (!give_unless(c, e, &e->extra[i]))
			return false;
	return e->rule == NULL || run_rule(c, e);
}

static bool
read_all(struct ical *c)
{
	const struct event *e;

	if (!ical_is(c->text))
		return fault(
		    c, "BEGIN:VCALENDAR", "this is no iCalendar file", NULL);
	while (next_line(c)) {
		split(c);
		if (strcasecmp(c->name, "BEGIN") == 0 &&
		    strcasecmp(c->value, "VEVENT") == 0 && !read_event(c))
			return false;
		c->ended = strcasecmp(c->name, "END") == 0 &&
			   strcasecmp(c->value, "VCALENDAR") == 0;
	}
	if (!c->ended)
		return fault(
		    c, "END:VCALENDAR", "the file ends in the middle", NULL);
	for (e = c->first; e != NULL; e = e->next)
		if (!run_event(c, e))
			return false;
	return true;
}

enum tocsin_err
ical_read(struct span text, const struct ical_ask *ask)
{
	struct ical *c = calloc(1, sizeof(*c));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (c == NULL)
		return err;
	*c = (struct ical){
		.ask = ask, .text = text, .line = 1, .next_line = 1
	};
	c->last = &c->first;
	c->utc = (struct zone){ .name = "UTC", .n = 1 };
	err = read_all(c) ? TOCSIN_OK : c->err;
	free(c);
	return err;
}
