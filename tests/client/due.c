/* SPDX-License-Identifier: ISC */
#include "client/due.h"
#include "crypto/text.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct due_table table;
static struct due_fault fault;

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

	time_print(text, t);
	return text;
}

/* ---- months ---- */

static void
test_months(void)
{
	static const struct {
		const char *from;
		unsigned months;
		const char *to;
	} rows[] = {
		{ "2026-11-21T03:14:15Z", 1, "2026-12-21T03:14:15Z" },
		{ "2026-01-31T23:59:59Z", 1, "2026-02-28T23:59:59Z" },
		{ "2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z" },
		{ "2027-12-31T12:00:00Z", 2, "2028-02-29T12:00:00Z" },
		{ "2026-03-31T12:00:00Z", 1, "2026-04-30T12:00:00Z" },
		{ "2026-12-15T12:00:00Z", 1, "2027-01-15T12:00:00Z" },
		{ "2026-02-28T12:00:00Z", 1, "2026-03-28T12:00:00Z" },
		{ "2024-02-29T12:00:00Z", 12, "2025-02-28T12:00:00Z" },
		{ "2099-12-31T12:00:00Z", 2, "2100-02-28T12:00:00Z" },
		{ "2026-11-30T12:00:00Z", 15, "2028-02-29T12:00:00Z" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_str(
		    text_of(due_add_months(at(rows[i].from), rows[i].months)),
		    rows[i].to, "%u month%s after %s", rows[i].months,
		    rows[i].months > 1 ? "s" : "", rows[i].from);
}

/* ---- the table ---- */

static void
refused(const char *text, const char *words, unsigned line, const char *what)
{
	size_t before = table.n;
	enum tocsin_err err = due_parse(&table, span_of(text), &fault);

	if (!ok(err == TOCSIN_EMALFORMED && table.n == before &&
		    strstr(fault.what, words) != NULL &&
		    (line == 0 || fault.line == line),
		"%s", what))
		diag("line %u: %s", fault.line, fault.what);
}

static void
test_table(void)
{
	is_int(due_parse(&table, span_of(due_builtin), &fault), TOCSIN_OK,
	    "the built-in table is one");
	is_int((long long)table.n, 9, "of three rows of NIS2 and six of CAC");
	refused("[x/y]\nwithin = soon\n", "within", 2, "a time that is none");
	refused("[x/y]\nwithin = 0h\n", "within", 2, "no time at all");
	refused("[x/y]\ntext = a\n", "no `within`", 0, "a row without a time");
	refused("[x/y]\nwithin = 1h\nstart = after x/z\n", "no clock", 0,
	    "one that waits for what there is not");
	refused("[x/y]\nwithin = 1h\nstart = noon\n", "start", 3,
	    "one that starts at no event");
	refused("within = 1h\n", "regime/step", 1, "a key of no clock");
	refused("[x]\nwithin = 1h\n", "regime/step", 2, "a name of one part");
	refused("[x/Y z]\nwithin = 1h\n", "regime/step", 2, "a name of spaces");
	refused("[x/y]\nwithin = 1h\ncolour = red\n", "colour", 3,
	    "a key that is not known");
	refused("hello\n", "not understood", 1, "what is no table");
	is_int(due_parse(&table,
		   span_of("[nis2/notification]\nwithin = 2 months\n"), &fault),
	    TOCSIN_OK, "a row of a known name");
	is_int((long long)table.n, 9, "takes its place");
	is_int(table.clock[1].months, 2, "with another time");
}

/* ---- what runs ---- */

/* "nis2/early-warning 2026-... [done]; " */
static const char *
runs(const struct due_ticket *ticket, const struct due_mark *mark, size_t n)
{
	static char text[1024];
	struct tocsin_deadline *d = NULL;
	size_t i, count = 0, len = 0;

	if (due_fold(&d, &count, &table, ticket, mark, n) != TOCSIN_OK)
		abort();
	text[0] = '\0';
	for (i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%s %s%s", i > 0 ? "; " : "", d[i].clock,
		    text_of(d[i].due), d[i].done ? " done" : "");
	free(d);
	return text;
}

static void
test_clocks(void)
{
	struct due_ticket t = { .precedence = "flash",
		.severity = "GB/T 20986:II" };
	struct due_mark m[4] = { { .id = "a",
	    .said = at("2026-01-30T10:00:00Z"),
	    .start = "nis2" } };

	table.n = 0;
	if (due_parse(&table, span_of(due_builtin), &fault) != TOCSIN_OK)
		abort();
	t.start[DUE_OPENED] = at("2026-01-28T12:00:00Z");
	t.start[DUE_RECEIVED] = at("2026-01-28T12:00:05Z");
	is_str(runs(&t, NULL, 0), "", "no law applies before somebody says so");
	is_str(runs(&t, m, 1),
	    "nis2/early-warning 2026-01-29T12:00:00Z; "
	    "nis2/notification 2026-01-31T12:00:00Z; "
	    "nis2/final-report 2026-02-28T12:00:00Z",
	    "24 h, 72 h, and a month after that");
	t.start[DUE_DETECTED] = at("2026-01-27T12:00:00Z");
	is_str(runs(&t, m, 1),
	    "nis2/early-warning 2026-01-28T12:00:00Z; "
	    "nis2/notification 2026-01-30T12:00:00Z; "
	    "nis2/final-report 2026-02-28T12:00:00Z",
	    "from when it was noticed, if that is said");
	m[1] = (struct due_mark){ .id = "b",
		.said = at("2026-01-29T10:00:00Z"),
		.done = "nis2/notification" };
	is_str(runs(&t, m, 2),
	    "nis2/early-warning 2026-01-28T12:00:00Z; "
	    "nis2/notification 2026-01-30T12:00:00Z done; "
	    "nis2/final-report 2026-02-28T10:00:00Z",
	    "the month begins when the notification was made");
	m[2] = (struct due_mark){ .id = "c",
		.said = at("2026-01-30T11:00:00Z"),
		.start = "cac-critical",
		.at = at("2026-01-30T09:00:00Z") };
	ok(strstr(runs(&t, m, 3), "cac-critical/report 2026-01-30T10:00:00Z; "
				  "cac-critical/onward 2026-01-30T10:30:00Z; "
				  "nis2/notification") != NULL,
	    "several laws side by side, each from its own time");
	m[3] = (struct due_mark){
		.id = "d", .said = at("2026-02-01T00:00:00Z"), .stop = "nis2"
	};
	is_str(runs(&t, m, 4),
	    "cac-critical/report 2026-01-30T10:00:00Z; "
	    "cac-critical/onward 2026-01-30T10:30:00Z",
	    "and one may turn out not to apply");
}

static void
test_own(void)
{
	struct due_ticket t = { .precedence = "routine", .severity = "" };

	table.n = 0;
	if (due_parse(&table,
		span_of("[duty/look]\nwithin = 30m\nstart = received\n"
			"precedence = flash, immediate\n"
			"[duty/head]\nwithin = 1h\nstart = opened\n"
			"severity = GB/T 20986:I, GB/T 20986:II\n"
			"[duty/file]\nwithin = 1d\nalways = yes\n"),
		&fault) != TOCSIN_OK)
		abort();
	t.start[DUE_OPENED] = at("2026-01-01T00:00:00Z");
	t.start[DUE_RECEIVED] = at("2026-01-01T00:00:10Z");
	is_str(runs(&t, NULL, 0), "duty/file 2026-01-02T00:00:00Z",
	    "a clock of one's own runs for all");
	t.precedence = "immediate";
	t.severity = "GB/T 20986:II";
	is_str(runs(&t, NULL, 0),
	    "duty/look 2026-01-01T00:30:10Z; duty/head 2026-01-01T01:00:00Z; "
	    "duty/file 2026-01-02T00:00:00Z",
	    "or for what is urgent or grave");
	t.severity = "GB/T 20986:III";
	ok(strstr(runs(&t, NULL, 0), "head") == NULL,
	    "a word is not the beginning of another");
}

/* Marks in any order; a circle of clocks comes to an end. */
static void
test_order(void)
{
	struct due_ticket t = { .precedence = "flash" };
	struct due_mark m[3] = {
		{ .id = "a", .said = 500, .start = "x", .at = 100 },
		{ .id = "b", .said = 500, .start = "x", .at = 200 },
		{ .id = "c", .said = 400, .done = "x/a", .at = 300 },
	};
	struct due_mark back[3] = { m[2], m[1], m[0] };
	char first[1024];

	table.n = 0;
	if (due_parse(&table,
		span_of("[x/a]\nwithin = 1h\n[x/b]\nwithin = 1h\n"
			"start = after x/c\n[x/c]\nwithin = 1h\n"
			"start = after x/b\n"),
		&fault) != TOCSIN_OK)
		abort();
	t.start[DUE_OPENED] = 50;
	snprintf(first, sizeof(first), "%s", runs(&t, m, 3));
	is_str(runs(&t, back, 3), first, "marks have no order of arrival");
	ok(strstr(first, "x/a 1970-01-01T01:03:20Z done") != NULL,
	    "of two words of one second the greater id counts");
}

int
main(void)
{
	test_months();
	test_table();
	test_clocks();
	test_own();
	test_order();
	return tap_done();
}
