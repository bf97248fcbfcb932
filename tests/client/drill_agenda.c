/* SPDX-License-Identifier: ISC */
/* What of an exercise is to come, as another terminal sees it. */
#include "client/drill/agenda.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static const char text[] = "[drill]\ntitle = T\nexercise = tabletop\n"
			   "length = 1h\n"
			   "[player mycert@my]\n[player lacert@la]\n"
			   "[inject one]\nat = T+0\nto = all\ntlp = GREEN\n"
			   "subject = First\ntext = x\n"
			   "[inject more]\nat = T+10m\nin = one\nto = "
			   "lacert@la\nkind = update\ntext = y\n"
			   "[inject two]\nat = T+30m\nto = mycert@my\n"
			   "tlp = GREEN\nsubject = Second\ntext = z\n";

#define BEGUN INT64_C(1795244400000)
#define MINUTES(n) (INT64_C(60000) * (n))

static struct buf bytes;
static struct agenda a;

static void
test_kept(void)
{
	struct script_fault f;
	struct script s;
	size_t cut, taken = 0;

	if (script_parse(&s, span_of(text), &f) != TOCSIN_OK)
		abort();
	agenda_print(&bytes, &s);
	script_release(&s);
	for (cut = 0; cut < bytes.n; cut++) {
		uint8_t *copy = xcopy((const char *)bytes.p, cut);

		taken += agenda_parse(&a, (struct span){ copy, cut }) !=
			 TOCSIN_EMALFORMED;
		agenda_release(&a);
		free(copy);
	}
	is_int((long long)taken, 0, "no part of an agenda is one");
	is_int(agenda_parse(&a, buf_span(&bytes)), TOCSIN_OK,
	    "what is kept of a script is read");
	ok(a.n == 3 && a.length == 3600, "with its injects and its length");
	is_str(a.inject[1].name, "more", "in the order of their times");
	is_str(a.inject[1].subject, "First",
	    "each with the subject of its ticket");
	ok(a.inject[1].in == &a.inject[0] && a.inject[1].to == 1 &&
		a.inject[0].to == 2 && a.inject[1].at == 600,
	    "its ticket, its players and its time");
	bytes.p[1 + 8 + 3] = 4; /* one more than there are */
	{
		struct agenda bad;

		is_int(agenda_parse(&bad, buf_span(&bytes)), TOCSIN_EMALFORMED,
		    "one that lacks an inject is none");
		agenda_release(&bad);
	}
}

static const char *
next(const struct drill_clock *c, int64_t now)
{
	const struct agenda_inject *i = agenda_next(&a, c, now);

	return i != NULL ? i->name : "none";
}

static void
test_states(void)
{
	struct drill_clock c = drill_clock_start(BEGUN, 1, 0);

	is_str(next(&c, BEGUN - 5000), "one",
	    "before it begins the first is to come");
	is_str(next(&c, BEGUN + 1000), "one",
	    "and in the second in which it is due");
	is_int(agenda_state(&a.inject[0], &c, BEGUN + 3000), AGENDA_LATE,
	    "then it is late, unless it was posted");
	is_str(next(&c, BEGUN + 3000), "more", "and another one is next");
	a.inject[0].posted = true;
	is_int(agenda_state(&a.inject[0], &c, BEGUN + 3000), AGENDA_POSTED,
	    "what was posted is not late");
	is_int(
	    (long long)agenda_count(&a, AGENDA_LATE, &c, BEGUN + MINUTES(31)),
	    2, "later all are that should have been");
	is_str(next(&c, BEGUN + MINUTES(31)), "none", "and none is to come");
	drill_clock_hold(&c, BEGUN + MINUTES(5));
	is_str(next(&c, BEGUN + MINUTES(60)), "more",
	    "while it is held nothing becomes late");
	c = drill_clock_start(BEGUN, 60, 0);
	is_str(next(&c, BEGUN + 11000), "more",
	    "two seconds are so by the clock, also in what is faster");
	a.inject[0].posted = false;
	c = drill_clock_start(BEGUN, 1, MINUTES(20));
	is_int(agenda_state(&a.inject[0], &c, BEGUN), AGENDA_LEFT_OUT,
	    "what comes before its beginning is left out");
	is_int(agenda_state(&a.inject[1], &c, BEGUN), AGENDA_LEFT_OUT,
	    "as what is in such a ticket");
	is_str(next(&c, BEGUN), "two", "and the next one is the first then");
}

int
main(void)
{
	test_kept();
	test_states();
	agenda_release(&a);
	buf_release(&bytes);
	return tap_done();
}
