/* SPDX-License-Identifier: ISC */
/* The report of an exercise: what counts when, whose clock, and who was silent.
 */
#include "client/cli/drill_report.h"
#include "client/drill/report.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1795482000)

static const char *const both[] = { "excon@sg", "mycert@my", "phcert@ph",
	NULL };
static const char *const back[] = { "excon@sg", NULL };
static const char *const ref_one[] = { "one", NULL };
static const char *const ref_two[] = { "one", "two", NULL };

static struct drill_message
inject(const char *id, const char *name, int64_t at, const char *thread)
{
	return (struct drill_message){
		.m = { .id = id,
		    .member = "excon@sg",
		    .device = "excon@sg/control",
		    .kind = thread == id ? "report" : "request",
		    .time = T0 + at,
		    .to = both,
		    .ref = thread == id ? NULL : ref_one },
		.thread = thread,
		.heard = T0 + at,
		.tag = { .inject = name, .at = at, .length = 3600, .speed = 1 },
	};
}

static struct drill_message
word(const char *id, const char *member, const char *kind, const char *answer,
    int64_t said, int64_t heard, const char *const *ref)
{
	return (struct drill_message){
		.m = { .id = id,
		    .member = member,
		    .device = member,
		    .kind = kind,
		    .answer = answer,
		    .time = T0 + said,
		    .to = back,
		    .ref = ref },
		.thread = "one",
		.heard = T0 + heard,
	};
}

static struct drill_report r;

static void
fold(const struct drill_message *m, size_t n, const struct ladder_receipt *p,
    size_t np, int64_t now)
{
	drill_report_release(&r);
	is_str(tocsin_err_name(
		   drill_fold(&r, NULL, "excon@sg", m, n, p, np, T0 + now)),
	    "ok", "a report is made");
}

static const struct drill_cell *
cell(const char *inject, const char *member)
{
	size_t i, k;

	for (i = 0; i < r.ninject; i++)
		for (k = 0; k < r.nmember; k++)
			if (strcmp(r.inject[i].name, inject) == 0 &&
			    strcmp(r.member[k].member, member) == 0)
				return drill_cell(&r, i, k);
	abort();
}

static int64_t
took(const char *inject, const char *member, enum drill_mark mark)
{
	const struct drill_step *s = &cell(inject, member)->step[mark];

	return s->time != 0 ? s->time - T0 : -1;
}

/* ---- clocks ---- */

static void
test_clocks(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		word("a", "mycert@my", "ack", "opened", 50, 60, ref_one),
		word("b", "mycert@my", "ack", "accepted", -900, 300, ref_one),
		word("c", "phcert@ph", "ack", "accepted", 500, 110, ref_one),
	};
	const struct ladder_receipt p[] = {
		{ .id = "one",
		    .who = "mycert@my/desk",
		    .by = "my desk",
		    .time = T0 - 400,
		    .rung = TOCSIN_RUNG_DELIVERED,
		    .receipt = "r1" },
		{ .id = "one",
		    .who = "phcert@ph/desk",
		    .by = "ph desk",
		    .time = T0 + 20,
		    .rung = TOCSIN_RUNG_DELIVERED,
		    .receipt = "r2" },
		{ .id = "other",
		    .who = "phcert@ph/desk",
		    .by = "ph desk",
		    .time = T0 + 1,
		    .rung = TOCSIN_RUNG_DELIVERED,
		    .receipt = "r3" },
	};
	const struct drill_step *s;

	fold(m, 4, p, 3, 4000);
	is_int(took("first", "mycert@my", DRILL_ACCEPTED), 300,
	    "who signs that it was early has the time at which it was heard");
	s = &cell("first", "mycert@my")->step[DRILL_ACCEPTED];
	ok(s->said == T0 - 900 && s->clock && strcmp(s->message, "b") == 0,
	    "and what it signed stands beside, with its message");
	is_int(took("first", "phcert@ph", DRILL_ACCEPTED), 110,
	    "nor has who is ahead anything of it");
	ok(cell("first", "phcert@ph")->step[DRILL_ACCEPTED].clock,
	    "which is said, too");
	ok(!cell("first", "mycert@my")->step[DRILL_OPENED].clock,
	    "ten seconds are no matter");
	is_int(took("first", "mycert@my", DRILL_DELIVERED), 0,
	    "a delivery is never before the inject");
	ok(cell("first", "mycert@my")->step[DRILL_DELIVERED].clock,
	    "and a broker whose clock is behind is told");
	s = &cell("first", "phcert@ph")->step[DRILL_DELIVERED];
	ok(s->time == T0 + 20 && strcmp(s->receipt, "r2") == 0 && !s->message,
	    "the receipt of that inject counts, by its id");
	is_int(r.sum.clock, 2, "two cells have such clocks");
}

/* ---- the end ---- */

static void
test_end(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		word("a", "mycert@my", "ack", "opened", 3599, 3600, ref_one),
		word("b", "mycert@my", "ack", "accepted", 3600, 3601, ref_one),
	};

	fold(m, 3, NULL, 0, 4000);
	ok(r.over && r.end == T0 + 3600, "the end follows from the inject");
	is_int(took("first", "mycert@my", DRILL_OPENED), 3600,
	    "the last second is in time");
	is_int(took("first", "mycert@my", DRILL_ANSWERED), -1,
	    "what comes after it is in no figure");
	is_int(r.sum.late, 1, "and counted apart");
	is_int(r.sum.answer, 0, "no answer");
	fold(m, 3, NULL, 0, 3000);
	ok(!r.over, "before it the exercise goes on");
	m[0].tag.speed = 60;
	fold(m, 3, NULL, 0, 4000);
	is_int(r.end, T0 + 60, "sixty times as fast it is over in a minute");
}

/* ---- several injects of one ticket ---- */

static void
test_thread(void)
{
	struct drill_message m[] = {
		word("a", "mycert@my", "ack", "accepted", 60, 60, ref_one),
		inject("two", "second", 600, "one"),
		word("b", "mycert@my", "result", NULL, 700, 700, ref_two),
		inject("one", "first", 0, "one"),
		word("c", "phcert@ph", "escalate", NULL, 900, 900, ref_two),
		word("d", "excon@sg", "update", NULL, 950, 950, ref_two),
		word("e", "bncert@bn", "ack", "accepted", 990, 990, ref_one),
	};

	fold(m, 7, NULL, 0, 4000);
	is_int((long long)r.nmember, 2,
	    "players are whom injects are to, and control is none");
	is_int(took("first", "mycert@my", DRILL_ANSWERED), 60,
	    "the first answer counts");
	is_int(took("second", "mycert@my", DRILL_ANSWERED), 700,
	    "for a later inject one that comes after it");
	is_int(took("second", "mycert@my", DRILL_ACCEPTED), -1,
	    "not what was said before");
	is_int(took("first", "mycert@my", DRILL_RESULT), 700,
	    "what comes after both is of both");
	ok(took("first", "phcert@ph", DRILL_ESCALATED) == 900 &&
		took("first", "phcert@ph", DRILL_OPENED) == 900 &&
		took("first", "phcert@ph", DRILL_ANSWERED) == -1,
	    "who escalates has opened it, and not answered");
	is_int(r.sum.asked, 4, "two injects asked two players");
	is_int(r.sum.answer, 2, "one answered both");
	is_int(
	    r.sum.times[DRILL_ANSWERED].median, 80, "the median of 60 and 100");
	is_int(r.sum.times[DRILL_ANSWERED].p90, 100, "nine of ten");
	ok(r.nation[0].state == DRILL_SILENT &&
		strcmp(r.nation[0].name, "ph") == 0 &&
		r.nation[1].state == DRILL_WELL,
	    "the nation without an answer stands first");
}

/* ---- what no person wrote ---- */

static void
test_programs(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		word("a", "mycert@my", "ack", "received", 20, 21, ref_one),
		word("b", "phcert@ph", "ack", "erased", 30, 31, ref_one),
	};
	const struct ladder_receipt p[] = {
		{ .id = "one",
		    .who = "mycert@my/desk",
		    .by = "my desk",
		    .time = T0 + 60,
		    .rung = TOCSIN_RUNG_DELIVERED,
		    .receipt = "r1" },
	};

	fold(m, 3, p, 1, 4000);
	ok(took("first", "mycert@my", DRILL_DELIVERED) == 21 &&
		took("first", "mycert@my", DRILL_OPENED) == -1,
	    "that a program has it says that it was delivered, not opened");
	ok(took("first", "phcert@ph", DRILL_OPENED) == -1 &&
		took("first", "phcert@ph", DRILL_DELIVERED) == -1,
	    "that a device has erased it says nothing of that");
	ok(r.nation[0].state == DRILL_DEAD && r.nation[1].state == DRILL_UNREAD,
	    "so a point of contact where only a program answers has failed");
	ok(r.member[0].last == 0, "and has not said a word");
	is_int(drill_word_of(&m[1].m).rung, TOCSIN_RUNG_DELIVERED,
	    "its proof says so, too");
}

/* ---- what others write of injects ---- */

static void
test_forged(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		inject("two", "first", 300, "two"),
		inject("six", "mine", 100, "six"),
	};

	m[2].m.member = "mycert@my";
	fold(m, 3, NULL, 0, 4000);
	is_int((long long)r.ninject, 1,
	    "a player's inject is none, a second of a name neither");
	ok(r.inject[0].m == &m[0], "the earlier one counts");
	drill_report_release(&r);
	ok(drill_fold(&r, NULL, NULL, m, 0, NULL, 0, T0) == TOCSIN_ENOTFOUND,
	    "of nothing there is no report");
}

static void
test_control(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		inject("two", "first", 0, "two"),
	};

	m[1].m.member = "mycert@my";
	m[1].m.time = T0 - 600;
	m[1].heard = T0 + 60;
	drill_report_release(&r);
	ok(drill_fold(&r, NULL, NULL, m, 2, NULL, 0, T0 + 100) == TOCSIN_OK &&
		strcmp(r.control, "excon@sg") == 0,
	    "a player that writes an earlier time on an inject is not control");
}

/* ---- the page ---- */

#define HOSTILE "<script>alert(1)</script>\x1b]0;x\x07\xe2\x80\xae\"'&"

static void
test_page(void)
{
	struct drill_message m[] = {
		inject("one", "first", 0, "one"),
		word("a", "mycert@my", "ack", "accepted", 60, 60, ref_one),
	};
	const struct drill_about about = { .exercise = "x",
		.federation = "asean.example",
		.member = "excon@sg",
		.tlp = TICKET_AMBER,
		.now = T0 + 4000 };
	struct buf page = { 0 };
	const char *text;

	m[0].subject = HOSTILE;
	fold(m, 2, NULL, 0, 4000);
	ok(drill_page(&page, &r, &about) == TOCSIN_OK, "a page is made");
	buf_u8(&page, '\0');
	text = (const char *)page.p;
	ok(strstr(text, "<script") == NULL && strchr(text, '\x1b') == NULL &&
		strstr(text, "\xe2\x80\xae") == NULL,
	    "and hostile words are only words on it");
	ok(strstr(text, "EXERCISE, NOT REAL") != NULL, "it says what it is");
	ok(strstr(text, "TLP:AMBER</strong>") != NULL, "and its label");
	ok(strstr(text, "1 <span class=\"dim\">of 2</span></b><p class=\"say\">"
			"they stand first") != NULL,
	    "one of two nations was silent");
	ok(strstr(text, "http-equiv=\"refresh\"") == NULL,
	    "it stays what it is");
	buf_release(&page);
}

int
main(void)
{
	test_clocks();
	test_end();
	test_thread();
	test_programs();
	test_forged();
	test_control();
	test_page();
	drill_report_release(&r);
	return tap_done();
}
