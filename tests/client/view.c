/* SPDX-License-Identifier: ISC */
#include "client/cli/view.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KIB ((uint64_t)1024)

static const char *
part(uint64_t here, uint64_t sealed, int64_t saved)
{
	const struct tocsin_part p = {
		.here = here, .sealed = sealed, .saved = saved
	};
	static char out[64];

	view_part(out, &p);
	return out;
}

static void
test_parts(void)
{
	const struct tocsin_message m = { .coming = true,
		.body_here = 120 * KIB + 1023,
		.body_size = 959 * KIB + 1 };
	char out[64];

	is_str(part(0, 40 * KIB, 0), "not fetched", "nothing is here");
	is_str(part(12 * KIB, 40 * KIB, 0), "12 of 40 KiB here", "some is");
	is_str(part(40 * KIB, 40 * KIB, 0), "complete", "all of it is");
	is_str(part(0, 40 * KIB, 1), "saved", "all of it was");
	is_str(part(0, 0, 0), "not fetched", "a part that no header names");
	view_coming(out, &m);
	is_str(out, "120 of 960 KiB", "what is begun of the whole counts");
}

static void
test_turned_away(void)
{
	struct tocsin_place p = { .member = "mycert@my",
		.rung = TOCSIN_RUNG_REFUSED,
		.by = "my",
		.reason = "keys-expired" };
	char out[512];

	ok(view_turned_away(out, &p) &&
		strstr(out, "run `tocsin keys publish`") != NULL &&
		strstr(out, "keys of ours") != NULL,
	    "held for our keys in vain: what to do");
	p.reason = "too-large";
	ok(view_turned_away(out, &p) && strstr(out, "larger than") != NULL,
	    "another reason has its own sentence");
	p.by = "mycert@my/night";
	ok(!view_turned_away(out, &p), "a person's refusal is none of these");
	p.by = "my";
	p.reason = "OutOfOffice";
	ok(!view_turned_away(out, &p), "nor is a word that is no code");
	p.reason = "too-large";
	p.rung = TOCSIN_RUNG_DELIVERED;
	ok(!view_turned_away(out, &p), "nor what has come all the same");
}

/* ---- how long after the question ---- */

#define DAY INT64_C(1795244400)

/* Lines are folded at some width; what is said is said all the same. */
static void
unfold(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s == '\n')
			*s = ' ';
		if (*s != ' ' || s[1] != ' ')
			*to++ = *s;
	}
	*to = '\0';
}

/* What view_steps() prints, which prints to stdout. */
static bool
says(const struct tocsin_place *p, const char *text)
{
	char *got = NULL;
	size_t n = 0;
	FILE *real = stdout, *to = open_memstream(&got, &n);
	bool good;

	fflush(real);
	stdout = to;
	view_steps(p);
	stdout = real;
	fclose(to);
	unfold(got);
	good = strstr(got, text) != NULL;
	if (!good)
		diag("%s", got);
	free(got);
	return good;
}

static void
test_steps(void)
{
	const struct tocsin_step step[] = {
		{ .rung = TOCSIN_RUNG_RELAYED, .time = DAY + 1, .by = "my" },
		{ .rung = TOCSIN_RUNG_DELIVERED, .time = DAY + 2, .by = "my" },
		{ .rung = TOCSIN_RUNG_ACCEPTED,
		    .time = DAY + 60,
		    .by = "mycert@my/night",
		    .message = "a" },
		{ .rung = TOCSIN_RUNG_OPENED,
		    .time = DAY + 3720,
		    .by = "mycert@my/day",
		    .message = "b" },
	};
	struct tocsin_step behind = step[0];
	struct tocsin_place p = { .member = "mycert@my",
		.first_asked = DAY,
		.asked = DAY + 3600,
		.nstep = 4,
		.step = step };

	setenv("TZ", "UTC", 1);
	tzset();
	ok(says(&p, ", relayed +1s, delivered +2s, accepted +1m night; asked "
		    "again 2026"),
	    "what came before it was asked again is behind the first question");
	ok(says(&p, "Z, opened +2m day"),
	    "and what came after, behind that one");
	p.asked = DAY;
	ok(says(&p, "accepted +1m night, opened +1h02m day") &&
		!says(&p, "again"),
	    "who was asked once was asked once");
	p.nstep = 1;
	p.step = &behind;
	behind.time = DAY - 1;
	ok(says(&p, "relayed +0s"), "a second is none between two clocks");
	behind.time = DAY - 240;
	ok(says(&p, "relayed +0s (a clock is behind by 4m)"),
	    "four minutes are a clock's fault, and said");
}

static void
test_strings(void)
{
	static const struct {
		const char *s, *want, *says;
	} rows[] = {
		{ "Sit\xc3\xa9", "Sit\xc3\xa9", "a text is itself in JSON" },
		{ "cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd",
		    "of one that was cut within a character the rest is "
		    "there" },
		{ "caf\xe9 \xff!", "caf\xef\xbf\xbd \xef\xbf\xbd!",
		    "and of a program that does not write UTF-8" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd",
		    "what stands for such bytes "
		    "stays" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		    "half of a pair is none" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = view_string(rows[i].s);
		char *line = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);

		ok(line != NULL &&
			strcmp(json_string_value(o), rows[i].want) == 0,
		    "%s", rows[i].says);
		free(line);
		json_decref(o);
	}
	ok(json_is_null(view_string(NULL)), "no string is null");
}

int
main(void)
{
	test_strings();
	test_steps();
	test_parts();
	test_turned_away();
	return tap_done();
}
