/* SPDX-License-Identifier: ISC */
#include "client/cli/view.h"
#include "tests/lib/tap.h"

#include <string.h>

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

int
main(void)
{
	test_parts();
	test_turned_away();
	return tap_done();
}
