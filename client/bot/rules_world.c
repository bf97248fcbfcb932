/* SPDX-License-Identifier: ISC */
/* [hook], [chain], [calendar] and [duty] of a rules file. */
#include "client/bot/rules_read.h"

#include "client/bot/ical.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)
#define BEHIND (60 * DAY) /* of now, that calendars are read for */
#define AHEAD (400 * DAY)
#define HOOK_ARGS 32
#define HOOK_SECONDS 60
#define HOOK_LONGEST 3600

static bool
missing(struct reader *r, const char *what, const char *instead)
{
	return lex_fault_at(&r->lex, &r->head, instead, "%s", what);
}

/* ---- hooks ---- */

/* run /usr/lib/tocsin/page --to {member} */
static bool
read_program(struct reader *r)
{
	const char **argv = reader_memory(r, HOOK_ARGS + 1, sizeof(*argv));
	struct lex *l = &r->lex;
	struct hook *h = r->hook;

	if (argv == NULL)
		return false;
	if (h->argv != NULL)
		return lex_fault_at(l, &l->t, "one `run`", "a second `run`");
	h->argv = argv;
	while (l->t.kind == LEX_WORD || l->t.kind == LEX_TEXT) {
		struct lex_token t = l->t;

		if (h->argc == HOOK_ARGS)
			return lex_fault_at(
			    l, &t, "", "more than %u arguments", HOOK_ARGS);
		argv[h->argc] = lex_text(l, &t);
		if (argv[h->argc] == NULL)
			return false;
		if (h->argc > 0 && !template_check(r, &t, argv[h->argc], true))
			return false;
		h->argc++;
		lex_next(l);
		if (h->argc == 1 && argv[0][0] != '/')
			return lex_fault_at(l, &t, "/usr/local/lib/page",
			    "a program without its absolute path");
	}
	return h->argc > 0 ||
	       lex_unknown(l, &l->t, "a program", "/usr/local/lib/page");
}

static bool
read_run(struct reader *r)
{
	bool good;

	r->lex.arguments = true;
	good = read_program(r);
	r->lex.arguments = false;
	return good;
}

static bool
read_time_out(struct reader *r)
{
	struct lex_token t = r->lex.t;

	if (!duration_read(&r->lex, &r->hook->seconds))
		return false;
	if (r->hook->seconds < 1 || r->hook->seconds > HOOK_LONGEST)
		return lex_fault_at(
		    &r->lex, &t, "30s", "a time-out is 1s to 1h");
	return true;
}

const struct statement hook_statements[] = {
	{ "run", read_run },
	{ "time-out", read_time_out },
	{ NULL, NULL },
};

bool
hook_end(struct reader *r)
{
	if (r->hook->seconds == 0)
		r->hook->seconds = HOOK_SECONDS;
	return r->hook->argc > 0 || missing(r, "a hook that runs nothing",
					"run /usr/local/lib/page {member}");
}

/* ---- chains ---- */

const struct statement chain_statements[] = { { NULL, NULL } };

static const char *
link_read(struct reader *r, bool any)
{
	struct lex *l = &r->lex;
	const char *name;

	if (l->t.kind != LEX_WORD ||
	    (!name_member(l->t.s) && !(any && lex_is(l, "*")))) {
		lex_unknown(
		    l, &l->t, "a member", "mycert@my -> backup@my -> lead@id");
		return NULL;
	}
	name = lex_text(l, &l->t);
	lex_next(l);
	return name;
}

/* mycert@my -> backup@my -> lead@id */
bool
chain_other(struct reader *r)
{
	const char **link = reader_memory(r, CHAIN_LINKS, sizeof(*link));
	struct lex *l = &r->lex;
	struct chain_row *row;

	if (r->row == NULL)
		r->row = reader_memory(r, CHAIN_ROWS, sizeof(*r->row));
	if (link == NULL || r->row == NULL)
		return false;
	r->chain->row = r->row;
	if (r->chain->nrow == CHAIN_ROWS)
		return lex_fault_at(
		    l, &l->t, "", "more than %u rows of a chain", CHAIN_ROWS);
	row = &r->row[r->chain->nrow];
	*row = (struct chain_row){ .link = link };
	row->member = link_read(r, true);
	while (row->member != NULL && lex_take_kind(l, LEX_ARROW)) {
		if (row->n == CHAIN_LINKS)
			return lex_fault_at(l, &l->t, "",
			    "more than %u links of a chain", CHAIN_LINKS);
		link[row->n] = link_read(r, false);
		if (link[row->n++] == NULL)
			return false;
	}
	if (row->member == NULL)
		return false;
	r->chain->nrow++;
	return row->n > 0 || lex_unknown(l, &l->t, "an arrow", "->");
}

bool
chain_end(struct reader *r)
{
	return r->chain->nrow > 0 ||
	       missing(r, "a chain of nobody", "mycert@my -> backup@my");
}

/* ---- calendars ---- */

static bool
read_calendar_zone(struct reader *r)
{
	return zone_read(r, &r->calendar->zone);
}

static int
weekday_word(struct span s)
{
	static const char *const words[] = { "mon", "tue", "wed", "thu", "fri",
		"sat", "sun" };
	int i;

	for (i = 0; i < 7; i++)
		if (span_is(s, words[i]))
			return i;
	return -1;
}

/* mon, mon-fri, sat-mon, daily: bits */
static bool
days_word(struct span s, unsigned *days)
{
	int from, to;

	if (span_is(s, "daily")) {
		*days |= 0x7f;
		return true;
	}
	from = weekday_word(span_cut(s, 0, 3));
	to = s.n == 3 ? from : weekday_word(span_cut(s, 4, s.n));
	if (from < 0 || to < 0 || (s.n != 3 && (s.n != 7 || s.p[3] != '-')))
		return false;
	for (; from != to; from = (from + 1) % 7)
		*days |= 1u << from;
	*days |= 1u << to;
	return true;
}

/* Stretches of a day don't overlap, and stand in order. */
static bool
add_hours(struct calendar *c, int weekday, struct hours h)
{
	struct hours *all = c->hours[weekday];
	size_t n = c->nhours[weekday], i = n;

	if (n == CALENDAR_HOURS)
		return false;
	for (; i > 0 && all[i - 1].from > h.from; i--)
		all[i] = all[i - 1];
	all[i] = h;
	c->nhours[weekday]++;
	return (i == 0 || all[i - 1].to <= h.from) &&
	       (i == n || h.to <= all[i + 1].from);
}

/* 08:30-17:30; 22:00-06:00 ends on the next day. */
static bool
hours_word(struct span s, struct hours *h)
{
	if (s.n != 11 || s.p[5] != '-' ||
	    !minute_parse(span_cut(s, 0, 5), &h->from) ||
	    !minute_parse(span_cut(s, 6, 5), &h->to) || h->from == 24 * 60 ||
	    h->from == h->to)
		return false;
	if (h->to < h->from)
		h->to += 24 * 60;
	return true;
}

/* hours mon-fri 08:30-12:00 13:00-17:30 */
static bool
read_hours(struct reader *r)
{
	struct lex *l = &r->lex;
	unsigned days = 0, n = 0;
	struct hours h;
	int d;

	do {
		if (l->t.kind != LEX_WORD || !days_word(l->t.s, &days))
			return lex_unknown(l, &l->t, "days of the week",
			    "mon-fri, sat, daily");
		lex_next(l);
	} while (lex_take_kind(l, LEX_COMMA));
	for (; l->t.kind == LEX_WORD && hours_word(l->t.s, &h); n++) {
		for (d = 0; d < 7; d++)
			if ((days >> d & 1) && !add_hours(r->calendar, d, h))
				return lex_fault_at(l, &l->t,
				    "hours that don't overlap",
				    "hours of a day that has others then");
		lex_next(l);
	}
	return n > 0 ||
	       lex_unknown(l, &l->t, "hours", "08:30-17:30, 00:00-24:00");
}

static bool
add_holiday(struct reader *r, int64_t day)
{
	if (r->nholiday == CALENDAR_HOLIDAYS)
		return lex_fault_at(&r->lex, &r->lex.t, "",
		    "more than %u holidays", CALENDAR_HOLIDAYS);
	r->holiday[r->nholiday++] = (int32_t)day;
	return true;
}

/* 12-25: in all years that are looked at */
static bool
yearly(struct reader *r, struct span s, bool *good)
{
	char text[16];
	int year = day_of(day_at(r->io != NULL ? r->io->now : 0)).year, y;
	int64_t day;

	if (s.n != 5)
		return false;
	snprintf(text, sizeof(text), "2024-%.5s", (const char *)s.p);
	if (!day_parse(span_of(text), &day))
		return false;
	*good = true;
	for (y = year - 1; *good && y <= year + 3; y++) {
		snprintf(text, sizeof(text), "%04d-%.5s", y, (const char *)s.p);
		if (y >= 1970 && day_parse(span_of(text), &day))
			*good = add_holiday(r, day);
	}
	return true;
}

/* holiday 2026-12-24 to 2026-12-26, or 12-25 for every year */
static bool
read_holiday(struct reader *r)
{
	struct lex *l = &r->lex;
	struct lex_token t = l->t;
	int64_t from, to;
	bool good;

	if (t.kind == LEX_WORD && yearly(r, t.s, &good)) {
		lex_next(l);
		return good;
	}
	if (t.kind != LEX_WORD || !day_parse(t.s, &from))
		return lex_unknown(
		    l, &t, "a date", "2026-12-25, or 12-25 for each year");
	lex_next(l);
	to = from;
	if (lex_take(l, "to")) {
		t = l->t;
		if (t.kind != LEX_WORD || !day_parse(t.s, &to) || to < from ||
		    to > from + 400)
			return lex_unknown(l, &t, "a later date", "2026-12-26");
		lex_next(l);
	}
	for (; from <= to; from++)
		if (!add_holiday(r, from))
			return false;
	return true;
}

static bool
read_holidays(struct reader *r)
{
	return file_name_read(r);
}

const struct statement calendar_statements[] = {
	{ "zone", read_calendar_zone },
	{ "hours", read_hours },
	{ "holiday", read_holiday },
	{ "holidays", read_holidays },
	{ NULL, NULL },
};

/* ---- files ---- */

/* The caller releases *b. */
static bool
file_get(struct reader *r, const struct named_file *f, struct buf *b)
{
	enum tocsin_err err =
	    r->io != NULL && r->io->file != NULL
		? r->io->file(r->io->arg, f->name, DUTY_FILE_MAX, b)
		: TOCSIN_ENOTFOUND;

	if (err == TOCSIN_OK)
		return true;
	return lex_fault_at(&r->lex, &f->token,
	    "a file beside the rules, or an absolute path", "%.80s: %s",
	    f->name, tocsin_err_text(err));
}

/* What a file's reader refused for want of room is a fault of its line. */
static bool
file_result(struct reader *r, const struct named_file *f, enum tocsin_err err)
{
	if (err == TOCSIN_EUSAGE)
		return lex_fault_at(
		    &r->lex, &f->token, "", "%.80s: too many entries", f->name);
	r->lex.no_memory |= err == TOCSIN_EINTERNAL;
	return err == TOCSIN_OK;
}

static struct ical_ask
ask_of(struct reader *r, const struct named_file *f, const struct zone *z,
    bool (*take)(void *arg, const struct ical_run *run))
{
	return (struct ical_ask){ .zone = z,
		.io = r->io,
		.from = r->io->now - BEHIND,
		.to = r->io->now + AHEAD,
		.take = take,
		.arg = r,
		.file = f->name,
		.faults = r->lex.faults,
		.arena = r->lex.arena };
}

/* Each day of which an event has some of is a holiday. */
static bool
take_holiday(void *arg, const struct ical_run *run)
{
	struct reader *r = arg;
	const struct zone *z = &r->calendar->zone;
	int64_t day =
	    run->whole_days ? run->day_from : day_at(zone_local(z, run->from));
	int64_t end = run->whole_days ? run->day_to
				      : day_at(zone_local(z, run->to - 1)) + 1;

	for (; day < end; day++) {
		if (r->nholiday == CALENDAR_HOLIDAYS)
			return false;
		r->holiday[r->nholiday++] = (int32_t)day;
	}
	return true;
}

static bool
holidays_load(struct reader *r, const struct named_file *f)
{
	struct buf b = { 0 };
	bool good = file_get(r, f, &b);

	if (good) {
		struct ical_ask ask =
		    ask_of(r, f, &r->calendar->zone, take_holiday);

		good = file_result(r, f, ical_read(buf_span(&b), &ask));
	}
	buf_release(&b);
	return good;
}

static int
by_number(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool
calendar_end(struct reader *r)
{
	struct calendar *c = r->calendar;
	int32_t *kept;
	size_t i, n = 0;

	for (i = 0; i < 7; i++)
		n += c->nhours[i];
	if (!r->has_zone)
		return missing(r, "a calendar without a time zone",
		    "zone Asia/Kuala_Lumpur");
	if (n == 0)
		return missing(r, "a calendar without working hours",
		    "hours mon-fri 08:30-17:30");
	for (i = 0; i < r->nfile; i++)
		if (!holidays_load(r, &r->file[i]))
			return false;
	qsort(r->holiday, r->nholiday, sizeof(*r->holiday), by_number);
	kept = reader_memory(r, r->nholiday, sizeof(*kept));
	for (i = 0; kept != NULL && i < r->nholiday; i++)
		if (i == 0 || r->holiday[i] != r->holiday[i - 1])
			kept[c->nholiday++] = r->holiday[i];
	c->holiday = kept;
	return kept != NULL;
}

/* ---- duty ---- */

static bool
read_duty_zone(struct reader *r)
{
	return zone_read(r, &r->duty->zone);
}

static bool
read_roster(struct reader *r)
{
	return file_name_read(r);
}

const struct statement duty_statements[] = {
	{ "zone", read_duty_zone },
	{ "roster", read_roster },
	{ NULL, NULL },
};

static bool
take_shift(void *arg, const struct ical_run *run)
{
	struct reader *r = arg;

	if (r->nshift == DUTY_SHIFTS)
		return false;
	r->shift[r->nshift++] = (struct shift){
		.from = run->from, .to = run->to, .who = run->what
	};
	return true;
}

/* A word of a line, and the line without it. */
static struct span
cut_word(struct span *line)
{
	struct span word;
	size_t n = 0;

	while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = span_cut(*line, 1, line->n);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	word = span_cut(*line, 0, n);
	*line = span_cut(*line, n, line->n);
	return word;
}

static struct span
trimmed(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '#')
		n++;
	s = span_cut(s, 0, n);
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_cut(s, 1, s.n);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/*
 * 2026-11-21 08:00 Siti: from then on, up to the next line. "-" is nobody.
 * False: what is wrong with it was said.
 */
static bool
roster_line(struct reader *r, const struct named_file *f, struct span line,
    unsigned number, int64_t *last)
{
	struct span day_word = cut_word(&line);
	struct span time_word = cut_word(&line);
	struct shift *s = &r->shift[r->nshift];
	int64_t day, from;
	int minute;

	line = trimmed(line);
	if (!day_parse(day_word, &day) || !minute_parse(time_word, &minute) ||
	    line.n == 0) {
		faults_add(r->lex.faults, f->name, number, 1,
		    "2026-11-21 08:00 Siti", "not a day, a time and a name");
		return false;
	}
	from = zone_utc(&r->duty->zone, day * DAY + (int64_t)minute * 60);
	if (from <= *last) {
		faults_add(r->lex.faults, f->name, number, 1,
		    "lines in the order of their times",
		    "a time that is not after that of the line before");
		return false;
	}
	*last = from;
	if (r->nshift > 0 && s[-1].to == NEVER)
		s[-1].to = from;
	if (span_is(line, "-"))
		return true;
	if (r->nshift == DUTY_SHIFTS)
		return file_result(r, f, TOCSIN_EUSAGE);
	*s = (struct shift){
		.from = from, .to = NEVER, .who = arena_text(r->lex.arena, line)
	};
	r->nshift++;
	return s->who != NULL;
}

/* Its last line holds for good; so it ends with a "-" if nobody comes after. */
static bool
roster_read(struct reader *r, const struct named_file *f, struct span text)
{
	struct rd rd = rd_init(text);
	int64_t last = INT64_MIN;
	unsigned number = 0;

	if (r->nshift > 0) {
		faults_add(r->lex.faults, f->name, 1, 1,
		    "one list of lines; iCalendar files may be several",
		    "a second roster of one duty");
		return false;
	}
	while (rd.rest.n > 0) {
		struct span line = rd_text_line(&rd);

		number++;
		if (trimmed(line).n > 0 &&
		    !roster_line(r, f, trimmed(line), number, &last))
			return false;
	}
	return true;
}

static bool
roster_load(struct reader *r, const struct named_file *f)
{
	struct buf b = { 0 };
	bool good = file_get(r, f, &b);

	if (good && ical_is(buf_span(&b))) {
		struct ical_ask ask = ask_of(r, f, &r->duty->zone, take_shift);

		good = file_result(r, f, ical_read(buf_span(&b), &ask));
	} else if (good) {
		good = roster_read(r, f, buf_span(&b));
	}
	buf_release(&b);
	return good;
}

bool
duty_end(struct reader *r)
{
	struct shift *kept;
	size_t i;

	if (!r->has_zone)
		return missing(
		    r, "a duty without a time zone", "zone Asia/Kuala_Lumpur");
	if (r->nfile == 0)
		return missing(r, "a duty without a roster", "roster duty.txt");
	if (r->shift == NULL)
		r->shift = calloc(DUTY_SHIFTS, sizeof(*r->shift));
	if (r->shift == NULL) {
		r->lex.no_memory = true;
		return false;
	}
	for (i = 0; i < r->nfile; i++)
		if (!roster_load(r, &r->file[i]))
			return false;
	kept = reader_memory(r, r->nshift, sizeof(*kept));
	if (kept == NULL)
		return false;
	if (r->nshift > 0)
		memcpy(kept, r->shift, r->nshift * sizeof(*kept));
	return duty_set(r->duty, kept, r->nshift, r->lex.arena);
}
