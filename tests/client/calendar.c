/* SPDX-License-Identifier: ISC */
#include "client/bot/ical.h"
#include "crypto/text.h"
#include "tests/lib/tap.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <time.h>

static struct world world;
static struct zone berlin, kl;

static int64_t
at(const char *text)
{
	int64_t t = 0;

	if (!time_parse(span_of(text), &t))
		abort();
	return t;
}

static const char *
text_of(int64_t t)
{
	static char text[TIME_TEXT + 1];

	if (t == NEVER)
		return "never";
	time_print(text, t);
	return text;
}

/* ---- days and zones ---- */

static void
test_days(void)
{
	int64_t n, wrong = 0;
	struct tm tm;

	for (n = -200000; n < 200000; n += 13) {
		time_t t = (time_t)(n * 86400);
		struct day d = day_of(n);

		gmtime_r(&t, &tm);
		wrong += d.year != tm.tm_year + 1900 ||
			 d.month != tm.tm_mon + 1 || d.day != tm.tm_mday ||
			 day_weekday(n) != (tm.tm_wday + 6) % 7 ||
			 day_number(d) != n;
	}
	is_int(
	    wrong, 0, "days are those of the C library, for a thousand years");
	is_int(day_at(-1), -1, "a day begins at its midnight, before 1970 too");
	ok(!day_parse(span_of("2026-02-29"), &n) &&
		!day_parse(span_of("2026-13-01"), &n) &&
		!day_parse(span_of("2026-1-01"), &n) &&
		!day_parse(span_of("20260101"), &n),
	    "what is no date is none");
}

static void
test_zone(void)
{
	static const struct {
		const char *local, *utc, *says;
	} rows[] = {
		{ "2026-01-15T12:00:00Z", "2026-01-15T11:00:00Z", "winter" },
		{ "2026-07-15T12:00:00Z", "2026-07-15T10:00:00Z", "summer" },
		{ "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z",
		    "the second before clocks are put forward" },
		{ "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z",
		    "a time that is left out, as if it were not" },
		{ "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z",
		    "the second after" },
		{ "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z",
		    "of two that are the same, the first" },
		{ "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z",
		    "the hour after both" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_str(text_of(zone_utc(&berlin, at(rows[i].local))),
		    rows[i].utc, "%s", rows[i].says);
	is_str(text_of(zone_local(&berlin, at("2026-10-25T01:30:00Z"))),
	    "2026-10-25T02:30:00Z", "and back");
}

/* What the system says, if it has zones. */
static void
test_system_zone(void)
{
	struct zone z;
	int64_t t, wrong = 0;
	enum tocsin_err err = zone_load(&z, "Europe/Berlin", NOW);

	is_int(zone_load(&z, "Europe/Nowhere", NOW), TOCSIN_ENOTFOUND,
	    "a zone that is none is not found");
	is_int(zone_load(&z, "../../etc/passwd", NOW), TOCSIN_ENOTFOUND,
	    "nor a file elsewhere");
	is_int(zone_load(&z, "Europe", NOW), TOCSIN_ENOTFOUND, "nor a folder");
	if (err == TOCSIN_ENOTFOUND) {
		skip("this machine has no tzdata");
		return;
	}
	is_int(zone_load(&z, "Europe/Berlin", NOW), TOCSIN_OK,
	    "the system knows Berlin");
	for (t = at("2026-01-01T00:00:00Z"); t < at("2027-12-31T00:00:00Z");
	     t += 1799)
		wrong += zone_offset(&z, t) != zone_offset(&berlin, t);
	is_int(wrong, 0, "and has the same clock as the table of the tests");
	is_str(z.name, "Europe/Berlin", "under its name");
	ok(getenv("TZ") == NULL || strstr(getenv("TZ"), "Berlin") == NULL,
	    "our own TZ is as it was");
}

/* ---- working hours ---- */

static struct calendar cal;
static int32_t holidays[4];

static void
hours(int weekday, const char *text)
{
	struct hours *h = &cal.hours[weekday][cal.nhours[weekday]++];

	minute_parse(span_cut(span_of(text), 0, 5), &h->from);
	minute_parse(span_cut(span_of(text), 6, 5), &h->to);
	if (h->to <= h->from)
		h->to += 1440;
}

static void
office(const struct zone *z)
{
	int d;

	cal = (struct calendar){ .name = "office", .zone = *z };
	for (d = 0; d < 5; d++) {
		hours(d, "08:30-12:30");
		hours(d, "13:30-17:30");
	}
	holidays[0] = (int32_t)day_at(at("2026-11-23T00:00:00Z"));
	holidays[1] = (int32_t)day_at(at("2026-12-25T00:00:00Z"));
	cal.holiday = holidays;
	cal.nholiday = 2;
}

static void
adds(const char *from, int64_t seconds, const char *to, const char *says)
{
	is_str(text_of(calendar_add(&cal, at(from), seconds)), to, "%s", says);
}

static void
test_office(void)
{
	office(&kl); /* eight hours ahead */
	adds("2026-11-20T00:30:00Z", HOUR, "2026-11-20T01:30:00Z",
	    "an hour from the morning's first second");
	adds(
	    "2026-11-20T04:00:00Z", HOUR, "2026-11-20T06:00:00Z", "over lunch");
	adds("2026-11-20T04:00:00Z", HOUR / 2, "2026-11-20T04:30:00Z",
	    "up to lunch is before lunch");
	adds("2026-11-20T09:00:00Z", HOUR, "2026-11-24T01:00:00Z",
	    "over a weekend and a holiday");
	adds("2026-11-21T05:00:00Z", 0, "2026-11-24T00:30:00Z",
	    "at once is when the office opens");
	adds("2026-11-20T01:00:00Z", 0, "2026-11-20T01:00:00Z",
	    "or now, if it is open");
	adds("2026-11-20T00:30:00Z", 8 * HOUR, "2026-11-20T09:30:00Z",
	    "a day's work ends with the day");
	adds("2026-11-20T00:30:00Z", 8 * HOUR + 1, "2026-11-24T00:30:01Z",
	    "and a second more with the next");
	adds("2026-11-20T00:30:00Z", 40 * HOUR, "2026-11-27T09:30:00Z",
	    "a week's work, with a holiday in it");
	adds("2026-11-20T00:30:00Z", DAYS(400), "never",
	    "what takes longer than is looked ahead never comes");
}

static void
spells(struct spell s, bool holds, const char *until, const char *says)
{
	ok(s.holds == holds, "%s", says);
	is_str(text_of(s.until), until, "until then");
}

static void
test_spells(void)
{
	office(&kl);
	spells(calendar_works(&cal, at("2026-11-20T00:29:59Z")), false,
	    "2026-11-20T00:30:00Z", "a second before eight thirty");
	spells(calendar_works(&cal, at("2026-11-20T00:30:00Z")), true,
	    "2026-11-20T04:30:00Z", "at eight thirty");
	spells(calendar_works(&cal, at("2026-11-20T04:30:00Z")), false,
	    "2026-11-20T05:30:00Z", "at lunch");
	spells(calendar_works(&cal, at("2026-11-20T09:30:00Z")), false,
	    "2026-11-24T00:30:00Z", "on Friday evening");
	spells(calendar_holiday(&cal, at("2026-11-22T16:00:00Z")), true,
	    "2026-11-23T16:00:00Z", "a holiday begins at midnight there");
	spells(calendar_holiday(&cal, at("2026-11-22T15:59:59Z")), false,
	    "2026-11-22T16:00:00Z", "not a second before");
	cal.nhours[0] = cal.nhours[1] = cal.nhours[2] = cal.nhours[3] =
	    cal.nhours[4] = 0;
	spells(calendar_works(&cal, NOW), false, "never",
	    "an office without hours never opens");
	adds("2026-11-20T00:30:00Z", 0, "never", "nor has it time");
}

/* Berlin: forward on 2026-03-29 at 01:00Z, back on 2026-10-25 at 01:00Z. */
static void
test_changes(void)
{
	int d;

	cal = (struct calendar){ .name = "night", .zone = berlin };
	for (d = 0; d < 7; d++)
		hours(d, "22:00-06:00");
	adds("2026-03-28T20:00:00Z", 7 * HOUR, "2026-03-29T04:00:00Z",
	    "a night on which an hour is left out has seven");
	adds("2026-03-28T20:00:00Z", 7 * HOUR + 1, "2026-03-29T20:00:01Z",
	    "the eighth is of the next night");
	adds("2026-10-24T20:00:00Z", 9 * HOUR, "2026-10-25T05:00:00Z",
	    "and one on which it comes twice nine");
	spells(calendar_works(&cal, at("2026-10-25T00:30:00Z")), true,
	    "2026-10-25T05:00:00Z", "of both, each is worked");
	cal.nhours[6] = 0; /* no night of Sunday on Monday */
	adds("2026-11-22T20:00:00Z", 0, "2026-11-23T21:00:00Z",
	    "a night belongs to the day that it begins on");
	office(&berlin);
	adds("2026-03-27T16:00:00Z", HOUR, "2026-03-30T07:00:00Z",
	    "an office opens by its clock after a change");
	adds("2026-10-23T15:00:00Z", HOUR, "2026-10-26T08:00:00Z",
	    "in autumn, too");
	for (d = 0; d < 7; d++) {
		cal.nhours[d] = 0;
		hours(d, "00:00-24:00");
	}
	cal.nholiday = 0;
	adds("2026-03-28T12:00:00Z", DAYS(1), "2026-03-29T12:00:00Z",
	    "round the clock, working time is time");
	adds("2026-10-24T12:00:00Z", DAYS(2), "2026-10-26T12:00:00Z",
	    "also over the other change");
}

/* A step is counted by seconds; both must agree. */
static void
test_counted(void)
{
	int64_t t, wrong = 0, n;

	office(&berlin);
	for (n = 600; n < 40 * HOUR; n += 9001) {
		int64_t left = n;

		t = at("2026-10-22T06:00:00Z");
		while (left > 0) {
			left -= calendar_works(&cal, t).holds ? 60 : 0;
			t += 60;
		}
		left = -left;
		wrong += calendar_add(&cal, at("2026-10-22T06:00:00Z"), n) !=
			 t - left;
	}
	is_int(wrong, 0, "what is added is what a clock counts");
}

/* ---- duty ---- */

static void
put_name(void *arg, const char *who)
{
	char *all = arg;
	size_t n = strlen(all);

	snprintf(all + n, 200 - n, "%s%s", n > 0 ? "," : "", who);
}

static void
test_duty(void)
{
	struct arena arena = { 0 };
	struct shift s[] = { { 100, 200, "b" }, { 50, 400, "a" },
		{ 300, 350, "c" } };
	struct duty d = { .name = "d" };
	char who[200] = "";

	ok(duty_set(&d, s, 3, &arena), "shifts are sorted");
	is_int(duty_at(&d, 49, NULL, NULL).until, 50, "before all, nobody");
	is_int(duty_at(&d, 150, put_name, who).until, 200, "two at once");
	is_str(who, "b,a", "are both on duty, who began last first");
	who[0] = '\0';
	is_int(duty_at(&d, 250, put_name, who).until, 300, "a long shift");
	is_str(who, "a", "outlasts a short one");
	ok(duty_at(&d, 399, NULL, NULL).holds &&
		!duty_at(&d, 400, NULL, NULL).holds &&
		duty_at(&d, 400, NULL, NULL).until == NEVER,
	    "and ends when it ends");
	arena_release(&arena);
}

/* ---- iCalendar ---- */

static struct rules_faults faults;
static struct buf runs;

static bool
take(void *arg, const struct ical_run *run)
{
	unsigned *most = arg;

	if ((*most)-- == 0)
		return false;
	if (run->whole_days)
		buf_addf(&runs, "%s+%d ", text_of(run->day_from * 86400),
		    (int)(run->day_to - run->day_from));
	else
		buf_addf(&runs, "%s+%d ", text_of(run->from),
		    (int)(run->to - run->from) / 60);
	return true;
}

static enum tocsin_err
read_text(const char *text, const char *from, const char *to, unsigned most)
{
	struct arena arena = { 0 };
	struct ical_ask ask = { .zone = &berlin,
		.io = world_io(&world, NOW),
		.from = at(from),
		.to = at(to),
		.take = take,
		.arg = &most,
		.file = "rota.ics",
		.faults = &faults,
		.arena = &arena };
	size_t n = strlen(text);
	uint8_t *copy = xcopy(text, n);
	enum tocsin_err err;

	buf_release(&runs);
	faults.n = 0;
	err = ical_read((struct span){ copy, n }, &ask);
	buf_u8(&runs, '\0');
	free(copy);
	arena_release(&arena);
	return err;
}

static const char *
event(const char *lines)
{
	static char text[4000];

	snprintf(text, sizeof(text),
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n%sEND:VEVENT\r\n"
	    "END:VCALENDAR\r\n",
	    lines);
	return text;
}

static void
test_repeats(void)
{
#define FROM(d) "DTSTART;TZID=Europe/Berlin:2026" d "T080000\r\n"
#define HOUR1 "DURATION:PT1H\r\n"
	static const struct {
		const char *lines, *from, *to, *want, *says;
	} rows[] = {
		{ FROM("1121") HOUR1, "2026-11", "2026-12",
		    "2026-11-21T07:00:00Z+60 ", "an event once" },
		{ "DTSTART:20261121T080000Z\r\nDTEND:20261121T090000Z\r\n",
		    "2026-11", "2026-12", "2026-11-21T08:00:00Z+60 ",
		    "in UTC" },
		{ "DTSTART:20261121T080000\r\nDTEND:20261121T090000\r\n",
		    "2026-11", "2026-12", "2026-11-21T07:00:00Z+60 ",
		    "at a floating time" },
		{ "DTSTART;VALUE=DATE:20261121\r\n", "2026-11", "2026-12",
		    "2026-11-21T00:00:00Z+1 ", "of a whole day" },
		{ "DTSTART;VALUE=DATE:20261221\r\nDTEND;VALUE=DATE:"
		  "20261224\r\n",
		    "2026-12", "2027-01", "2026-12-21T00:00:00Z+3 ",
		    "of three days" },
		{ FROM("1023") "DURATION:P1D\r\nRRULE:FREQ=DAILY;COUNT=4\r\n",
		    "2026-10", "2026-12",
		    "2026-10-23T06:00:00Z+1440 2026-10-24T06:00:00Z+1500 "
		    "2026-10-25T07:00:00Z+1440 2026-10-26T07:00:00Z+1440 ",
		    "a daily rota has no gap when clocks change" },
		{ FROM("1102") HOUR1 "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,"
				     "WE;UNTIL=20261202T070000Z\r\n",
		    "2026-11", "2027-01",
		    "2026-11-02T07:00:00Z+60 2026-11-04T07:00:00Z+60 "
		    "2026-11-16T07:00:00Z+60 2026-11-18T07:00:00Z+60 "
		    "2026-11-30T07:00:00Z+60 2026-12-02T07:00:00Z+60 ",
		    "every other week on two days, until" },
		{ FROM("0131") HOUR1 "RRULE:FREQ=MONTHLY\r\n", "2026-01",
		    "2026-06",
		    "2026-01-31T07:00:00Z+60 2026-03-31T06:00:00Z+60 "
		    "2026-05-31T06:00:00Z+60 ",
		    "a month without a 31st is left out" },
		{ FROM("0130") HOUR1
		    "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3\r\n",
		    "2026-01", "2026-12",
		    "2026-01-30T07:00:00Z+60 2026-02-27T07:00:00Z+60 "
		    "2026-03-27T07:00:00Z+60 ",
		    "the last Friday of each month" },
		{ FROM("0203") HOUR1
		    "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2;"
		    "COUNT=2\r\n",
		    "2026-01", "2026-12",
		    "2026-02-03T07:00:00Z+60 2026-03-03T07:00:00Z+60 ",
		    "the second working day" },
		{ FROM("0131") HOUR1 "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;"
				     "COUNT=3\r\n",
		    "2026-01", "2026-12",
		    "2026-01-31T07:00:00Z+60 2026-02-28T07:00:00Z+60 "
		    "2026-03-31T06:00:00Z+60 ",
		    "the last day of a month" },
		{ "DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY\r\n",
		    "2024-01", "2033-01",
		    "2024-02-29T00:00:00Z+1 2028-02-29T00:00:00Z+1 "
		    "2032-02-29T00:00:00Z+1 ",
		    "a 29 February" },
		{ "DTSTART;VALUE=DATE:19700101\r\n"
		  "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH\r\n",
		    "2026-01", "2027-01", "2026-11-26T00:00:00Z+1 ",
		    "the fourth Thursday of November, for ever" },
		{ FROM("1102") HOUR1 "RRULE:FREQ=WEEKLY;COUNT=4\r\n"
				     "EXDATE;TZID=Europe/Berlin:"
				     "20261109T080000,20261116T080000\r\n"
				     "RDATE:20261110T070000Z\r\n",
		    "2026-11", "2026-12",
		    "2026-11-02T07:00:00Z+60 2026-11-10T07:00:00Z+60 "
		    "2026-11-23T07:00:00Z+60 ",
		    "without two, and with one" },
		{ FROM("1102") HOUR1
		    "UID:a\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nEND:VEVENT\r\n"
		    "BEGIN:VEVENT\r\nUID:a\r\n"
		    "RECURRENCE-ID:20261109T070000Z\r\n"
		    "DTSTART:20261110T100000Z\r\nDTEND:20261110T103000Z\r\n",
		    "2026-11", "2026-12",
		    "2026-11-02T07:00:00Z+60 2026-11-16T07:00:00Z+60 "
		    "2026-11-10T10:00:00Z+30 ",
		    "one that was moved" },
		{ FROM("1102") HOUR1 "STATUS:CANCELLED\r\n", "2026-11",
		    "2026-12", "", "one that was cancelled" },
		{ "BEGIN:VALARM\r\nDTSTART:20300101T000000Z\r\nEND:VALARM\r\n"
		  "SUMMARY:a\\, b\r\nX-A;P=\"a:b\":c\r\n" FROM("1102") HOUR1,
		    "2026-11", "2026-12", "2026-11-02T07:00:00Z+60 ",
		    "with an alarm in it" },
		{ "DTSTA\r\n RT;TZID=Europe/Ber\r\n\tlin:20261102T0800\r\n "
		  "00\r\n" HOUR1,
		    "2026-11", "2026-12", "2026-11-02T07:00:00Z+60 ",
		    "in folded lines" },
		{ FROM("0101") HOUR1 "RRULE:FREQ=DAILY\r\n", "2027-03-28",
		    "2027-03-30",
		    "2027-03-28T06:00:00Z+60 2027-03-29T06:00:00Z+60 ",
		    "what began long ago" },
		{ FROM("1101") HOUR1 "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,"
				     "MO;WKST=SU;COUNT=4\r\n",
		    "2026-11", "2027-01",
		    "2026-11-01T07:00:00Z+60 2026-11-02T07:00:00Z+60 "
		    "2026-11-15T07:00:00Z+60 2026-11-16T07:00:00Z+60 ",
		    "weeks that begin on Sunday" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char from[30], to[30];
		bool day = strlen(rows[i].from) > 7;

		snprintf(from, sizeof(from), "%s%sT00:00:00Z", rows[i].from,
		    day ? "" : "-01");
		snprintf(to, sizeof(to), "%s%sT00:00:00Z", rows[i].to,
		    day ? "" : "-01");
		if (read_text(event(rows[i].lines), from, to, 100) != TOCSIN_OK)
			diag("line %u: %s", faults.fault[0].line,
			    faults.fault[0].what);
		is_str((const char *)runs.p, rows[i].want, "%s", rows[i].says);
	}
}

static void
test_not_understood(void)
{
	static const struct {
		const char *lines, *want;
	} rows[] = {
		{ FROM("1121") "RRULE:FREQ=HOURLY\r\n", "not understood" },
		{ FROM("1121") "RRULE:FREQ=DAILY;BYHOUR=8\r\n",
		    "of this kind is not read: BYHOUR" },
		{ FROM("1121") "RRULE:FREQ=WEEKLY;BYDAY=1MO\r\n",
		    "numbered BYDAY" },
		{ FROM("1121") "RRULE:INTERVAL=2\r\n", "without FREQ" },
		{ FROM("1121") "RRULE:FREQ=DAILY;INTERVAL=0\r\n",
		    "not understood in RRULE" },
		{ FROM("1121") "EXRULE:FREQ=DAILY\r\n", "EXRULE" },
		{ "DTSTART;TZID=Mars/Base:20261121T080000\r\n",
		    "no such time zone: Mars/Base" },
		{ "DTSTART:20261321T080000\r\n", "no date" },
		{ "DTSTART:20261121T250000\r\n", "no time" },
		{ FROM("1121") "DTEND:20251121T080000Z\r\n",
		    "ends before it begins" },
		{ FROM("1121") "DURATION:soon\r\n", "no duration" },
		{ FROM("1121") "RDATE;VALUE=PERIOD:20261121T080000Z/PT1H\r\n",
		    "a period" },
		{ "SUMMARY:x\r\n", "without a beginning: x" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum tocsin_err err = read_text(event(rows[i].lines),
		    "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", 100);

		if (!ok(err == TOCSIN_EMALFORMED && faults.n == 1 &&
			    strstr(faults.fault[0].what, rows[i].want) &&
			    faults.fault[0].line >= 2 &&
			    faults.fault[0].line <= 4,
			"it is told: %s", rows[i].want))
			diag("line %u: %s", faults.fault[0].line,
			    faults.fault[0].what);
	}
	ok(read_text("hello", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
	       9) == TOCSIN_EMALFORMED,
	    "what is no calendar is none");
	is_int(read_text(event(FROM("1121") HOUR1 "RRULE:FREQ=DAILY\r\n"),
		   "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", 9),
	    TOCSIN_EUSAGE, "who takes no more is given no more");
}

/* A file that ends in the middle leaves nights without anybody. */
static void
test_cut(void)
{
	const char *text =
	    event(FROM("1102") HOUR1 "RRULE:FREQ=WEEKLY;COUNT=3\r\n");
	char part[400];
	size_t n = strlen(text), cut, taken = 0;

	for (cut = 0; cut + 2 < n; cut++) {
		snprintf(part, sizeof(part), "%.*s", (int)cut, text);
		taken += read_text(part, "2026-01-01T00:00:00Z",
			     "2027-01-01T00:00:00Z", 9) == TOCSIN_OK;
	}
	is_int((long long)taken, 0, "no prefix of a calendar is taken");
}

static void
test_hostile(void)
{
	struct buf b = { 0 };
	size_t i;

	buf_addz(&b, "BEGIN:VCALENDAR\r\n");
	for (i = 0; i < 3000; i++)
		buf_addz(&b, "BEGIN:VEVENT\r\nDTSTART:19700101T000000Z\r\n"
			     "RRULE:FREQ=DAILY;COUNT=99999;BYMONTHDAY=31;"
			     "BYMONTH=2\r\nEND:VEVENT\r\n");
	buf_addz(&b, "END:VCALENDAR\r\n");
	buf_u8(&b, '\0');
	is_int(read_text((const char *)b.p, "2026-01-01T00:00:00Z",
		   "2027-01-01T00:00:00Z", 9),
	    TOCSIN_EMALFORMED,
	    "a file that would be looked through for ever is refused");
	buf_release(&b);
	buf_addz(&b, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260101\r\n"
		     "X-LONG:");
	for (i = 0; i < 100000; i++)
		buf_addz(&b, "very long ");
	buf_addz(&b, "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
	buf_u8(&b, '\0');
	is_int(read_text((const char *)b.p, "2026-01-01T00:00:00Z",
		   "2027-01-01T00:00:00Z", 9),
	    TOCSIN_OK, "a megabyte that nobody asks for is passed over");
	buf_release(&b);
}

int
main(void)
{
	unsetenv("TZ");
	world_zone(NULL, "Europe/Berlin", &berlin);
	world_zone(NULL, "Asia/Kuala_Lumpur", &kl);
	test_days();
	test_zone();
	test_system_zone();
	test_office();
	test_spells();
	test_changes();
	test_counted();
	test_duty();
	test_repeats();
	test_not_understood();
	test_cut();
	test_hostile();
	buf_release(&runs);
	return tap_done();
}
