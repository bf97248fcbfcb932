/* SPDX-License-Identifier: ISC */
#include "client/cli/progress.h"
#include "tests/lib/tap.h"

#include <string.h>

#define KIB ((uint64_t)1024)

static const char *
text(const struct progress *p)
{
	static char out[96];

	progress_text(out, p);
	return out;
}

static void
test_rate(void)
{
	struct progress p = { 0 };

	progress_note(&p, 0, 120 * KIB, 960 * KIB);
	is_str(
	    text(&p), "120 of 960 KiB", "at first nothing is known of a rate");
	progress_note(&p, 500, 130 * KIB, 960 * KIB);
	is_str(text(&p), "130 of 960 KiB", "nor within a second");
	progress_note(&p, 2000, 160 * KIB, 960 * KIB);
	is_str(text(&p), "160 of 960 KiB, 20 KiB/s, 40 s left",
	    "then it is, and what is left follows");
	progress_note(&p, 3000, 960 * KIB, 960 * KIB);
	is_str(text(&p), "960 of 960 KiB", "at the end nothing is left");
}

/* The last seconds count: not what was before a cut, nor what it took. */
static void
test_cut(void)
{
	struct progress p = { 0 };
	int64_t at;

	for (at = 0; at <= 10000; at += 1000)
		progress_note(&p, at, (uint64_t)at * KIB, 100000 * KIB);
	is_str(
	    text(&p), "10000 of 100000 KiB, 1000 KiB/s, 90 s left", "steady");
	for (; at <= 20000; at += 1000)
		progress_note(&p, at, 10000 * KIB, 100000 * KIB);
	is_str(text(&p), "10000 of 100000 KiB, nothing comes now", "a cut");
	for (; at <= 40000; at += 1000)
		progress_note(&p, at,
		    (uint64_t)(10000 + (at - 20000) / 100) * KIB, 100000 * KIB);
	is_str(text(&p), "10200 of 100000 KiB, 10 KiB/s, 2 h 30 min left",
	    "a thin line");
}

static void
test_anew(void)
{
	struct progress p = { 0 };

	progress_note(&p, 0, 0, 100 * KIB);
	progress_note(&p, 2000, 50 * KIB, 100 * KIB);
	progress_note(&p, 3000, 10 * KIB, 100 * KIB);
	is_str(text(&p), "10 of 100 KiB", "what begins again has no rate yet");
	progress_note(&p, 5000, 20 * KIB, 900 * KIB);
	is_str(text(&p), "20 of 900 KiB", "nor has another transfer");
	progress_note(&p, 6000, 20 * KIB + 1, 900 * KIB);
	is_str(text(&p), "20 of 900 KiB, 1 KiB/s, 11 days left",
	    "a byte a second is something");
}

static void
test_things(void)
{
	struct progress p = { .things = true };

	progress_note(&p, 0, 0, 10000);
	progress_note(&p, 2000, 4000, 10000);
	is_str(text(&p), "4000 of 10000, 3 s left",
	    "things are counted one by one");
}

/* A line is for people. */
static void
test_quiet(void)
{
	struct progress p;

	progress_begin(&p);
	p.tty = false;
	progress_show(&p, "x", 1, 2);
	ok(!p.shown, "where no terminal is, nothing is shown");
	progress_wipe(&p);
}

int
main(void)
{
	test_rate();
	test_cut();
	test_anew();
	test_things();
	test_quiet();
	return tap_done();
}
