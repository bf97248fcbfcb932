/* SPDX-License-Identifier: ISC */
#include "client/cli/picture.h"
#include "client/vocab.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1800000000
#define MINUTE 60
#define HOUR 3600
#define DAY PICTURE_DAY

static struct picture p;

static void
make(const struct picture_ticket *t, size_t n)
{
	picture_release(&p);
	if (picture_make(&p, t, n, NOW) != TOCSIN_OK)
		abort();
}

static const struct picture_nation *
nation(const struct picture_side *s, const char *name)
{
	static const struct picture_nation none = { .longest = -2 };
	size_t i;

	for (i = 0; i < s->nnation; i++)
		if (strcmp(s->nation[i].name, name) == 0)
			return &s->nation[i];
	return &none;
}

static void
is_count(const struct picture_count *c, unsigned open, unsigned waiting,
    unsigned overdue, const char *what)
{
	if (!ok(c->open == open && c->waiting == waiting &&
		    c->overdue == overdue,
		"%s", what))
		diag("%u open, %u waiting, %u overdue", c->open, c->waiting,
		    c->overdue);
}

/* ---- nothing ---- */

static void
test_nothing(void)
{
	make(NULL, 0);
	is_count(&p.live.all, 0, 0, 0, "of no ticket nothing is open");
	is_int(p.live.times.n, 0, "nobody answered");
	is_int((long long)p.live.nnation, 0, "there is no nation");
	is_int(p.tlp, TICKET_CLEAR, "and nothing to be kept back");
}

/* ---- who has not answered ---- */

/*
 * 0 ours, to three members of two nations; one of my answers, vn is late
 * 1 theirs, to us, not late yet
 * 2 all have answered
 * 3 closed an hour ago, though nobody answered
 * 4 turned away by vn's broker
 * 5 taken back from vn
 * 6 of an exercise
 * 7 closed so long ago that it is history
 */
static const struct picture_place places[8][3] = {
	{ { .member = "mycert@my",
	      .asked = NOW - 5 * HOUR,
	      .answered = NOW - 4 * HOUR,
	      .ackby = NOW - 3 * HOUR },
	    { .member = "nacsa@my", .asked = NOW - 5 * HOUR },
	    { .member = "vncert@vn",
		.asked = NOW - 5 * HOUR,
		.ackby = NOW - 1 } },
	{ { .member = "singcert@sg",
	    .asked = NOW - 2 * MINUTE,
	    .ackby = NOW } },
	{ { .member = "mycert@my",
	      .asked = NOW - 9 * DAY,
	      .answered = NOW - 9 * DAY + 30 * MINUTE },
	    { .member = "vncert@vn",
		.asked = NOW - 9 * DAY,
		.answered = NOW - 9 * DAY - 5 } },
	{ { .member = "vncert@vn",
	    .asked = NOW - 2 * DAY,
	    .ackby = NOW - DAY } },
	{ { .member = "vncert@vn",
	    .asked = NOW - 3 * DAY,
	    .ackby = NOW - DAY,
	    .turned_away = true } },
	{ { .member = "vncert@vn",
	      .asked = NOW - 4 * DAY,
	      .ackby = NOW - DAY,
	      .taken_back = true },
	    { .member = "mycert@my",
		.asked = NOW - 4 * DAY,
		.answered = NOW - 4 * DAY + 10 * MINUTE } },
	{ { .member = "mycert@my",
	    .asked = NOW - HOUR,
	    .ackby = NOW - MINUTE } },
	{ { .member = "mycert@my",
	    .asked = NOW - 40 * DAY,
	    .answered = NOW - 39 * DAY } },
};

static const struct picture_ticket tickets[8] = {
	{ .from = "singcert@sg",
	    .opened = NOW - 5 * HOUR,
	    .precedence = TICKET_FLASH,
	    .tlp = TICKET_AMBER,
	    .severity = "GB/T 20986:I",
	    .outlook = "worsening",
	    .escalated = true,
	    .place = places[0],
	    .n = 3 },
	{ .from = "mycert@my",
	    .opened = NOW - 2 * MINUTE,
	    .precedence = TICKET_ROUTINE,
	    .tlp = TICKET_GREEN,
	    .outlook = "no word of the list",
	    .place = places[1],
	    .n = 1 },
	{ .from = "singcert@sg",
	    .opened = NOW - 9 * DAY,
	    .precedence = TICKET_ROUTINE,
	    .tlp = TICKET_GREEN,
	    .outlook = "worsening",
	    .place = places[2],
	    .n = 2 },
	{ .from = "singcert@sg",
	    .opened = NOW - 2 * DAY,
	    .closed = NOW - HOUR,
	    .precedence = TICKET_FLASH,
	    .tlp = TICKET_AMBER_STRICT,
	    .place = places[3],
	    .n = 1 },
	{ .from = "singcert@sg",
	    .opened = NOW - 3 * DAY,
	    .precedence = TICKET_PRIORITY,
	    .tlp = TICKET_CLEAR,
	    .place = places[4],
	    .n = 1 },
	{ .from = "singcert@sg",
	    .opened = NOW - 4 * DAY,
	    .precedence = TICKET_IMMEDIATE,
	    .tlp = TICKET_CLEAR,
	    .place = places[5],
	    .n = 2 },
	{ .from = "singcert@sg",
	    .opened = NOW - HOUR,
	    .precedence = TICKET_FLASH,
	    .tlp = TICKET_GREEN,
	    .exercise = "Tabletop.2026",
	    .place = places[6],
	    .n = 1 },
	{ .from = "singcert@sg",
	    .opened = NOW - 40 * DAY,
	    .closed = NOW - 31 * DAY,
	    .precedence = TICKET_FLASH,
	    .tlp = TICKET_RED,
	    .place = places[7],
	    .n = 1 },
};

static void
test_waiting(void)
{
	const struct picture_nation *my, *vn, *sg;

	make(tickets, 8);
	is_count(&p.live.all, 5, 2, 1,
	    "of five open tickets two wait, and one of them is overdue");
	is_count(&p.live.level[TICKET_FLASH], 1, 1, 1, "which is a flash");
	is_count(&p.live.level[TICKET_IMMEDIATE], 1, 0, 0,
	    "what was taken back waits for nobody");
	is_count(&p.live.level[TICKET_PRIORITY], 1, 0, 0,
	    "nor what was turned away");
	is_count(&p.live.level[TICKET_ROUTINE], 2, 1, 0,
	    "at its very time an answer is not overdue");
	my = nation(&p.live, "my");
	vn = nation(&p.live, "vn");
	sg = nation(&p.live, "sg");
	is_count(&my->all, 3, 1, 0,
	    "two members of a nation are one ticket, which waits for one");
	is_count(&vn->all, 3, 1, 1, "for another nation it is overdue");
	is_int(vn->turned_away, 1, "whose broker turned one away");
	is_int(p.live.turned_away, 1, "as the sum says");
	is_count(&sg->all, 1, 1, 0, "we are asked, too");
	is_int(my->raised, 1, "my raised one");
	is_int(sg->raised, 4, "and sg the other open ones");
	is_int(my->longest, 5 * HOUR, "my's second member waits since then");
	is_int(sg->longest, 2 * MINUTE, "and we for two minutes");
	is_str(p.live.nation[0].name, "vn", "who is overdue stands first");
	is_str(p.live.nation[1].name, "my",
	    "then who is waited for and asked more");
}

static void
test_apart(void)
{
	is_count(
	    &p.exercise.all, 1, 1, 1, "the exercise has figures of its own");
	is_int((long long)p.exercise.nnation, 2, "and nations");
	is_str(p.exercise.name[0], "Tabletop.2026", "and a name");
	is_int((long long)p.live.nname, 0, "which what is real has not");
	is_int(p.tlp, TICKET_AMBER_STRICT,
	    "the label is the narrowest of what counts, also of what is "
	    "closed");
}

static void
test_counts(void)
{
	is_int(p.live.tickets, 6, "what was over a month ago is history");
	is_int(p.live.opened, 2, "two were opened in a day");
	is_int(p.live.ended, 1, "and one was closed");
	is_int(p.live.escalated, 1, "one is escalated");
	is_int(p.live.age[0][TICKET_ROUTINE], 1, "one is younger than an hour");
	is_int(p.live.age[2][TICKET_FLASH], 1, "one of 5 h is within a day");
	is_int(p.live.age[4][TICKET_PRIORITY], 1, "3 d is not less than 3 d");
	is_int(p.live.age[5][TICKET_ROUTINE], 1, "9 d is within a month");
	is_int(p.live.severity[0], 1, "one has the highest severity");
	is_int(p.live.severity_unsaid, 4, "of four it was not said");
	is_int(p.live.outlook[2], 2, "two are worsening");
	is_int(p.live.outlook_other, 1, "a strange word is a strange word");
	is_int(p.live.outlook_unsaid, 2, "and no word is none");
}

static void
test_answers(void)
{
	const struct picture_nation *my = nation(&p.live, "my");
	const struct picture_nation *vn = nation(&p.live, "vn");

	is_int(my->times.n, 3, "my answered three times in a month");
	is_int(my->times.median, 30 * MINUTE, "the middle one after 30 m");
	is_int(my->times.p90, HOUR, "nine of ten within an hour");
	is_int(vn->times.n, 1, "vn once");
	is_int(vn->times.median, 0,
	    "an answer before its question took no time, not less");
	is_int(p.live.times.n, 4, "all of them are four");
	is_int(p.live.times.median, 20 * MINUTE,
	    "whose median is between the two in the middle");
	is_int(nation(&p.live, "sg")->times.n, 0, "sg has not answered");
}

/* ---- times of many ---- */

static void
test_ranks(void)
{
	static const struct {
		unsigned n;
		int64_t median, p90;
	} rows[] = {
		{ 1, 1, 1 },
		{ 2, 1, 2 },
		{ 3, 2, 3 },
		{ 9, 5, 9 },
		{ 10, 5, 9 },
		{ 11, 6, 10 },
		{ 100, 50, 90 },
		{ 101, 51, 91 },
	};
	struct picture_place place[101];
	struct picture_ticket t = {
		.from = "a@sg", .opened = NOW - DAY, .place = place
	};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (k = 0; k < rows[i].n; k++) /* in no order */
			place[k] = (struct picture_place){ .member = "b@my",
				.asked = NOW - DAY,
				.answered =
				    NOW - DAY + 1 +
				    (int64_t)((k * 37 + 5) % rows[i].n) };
		t.n = rows[i].n;
		if (rows[i].n % 37 == 0)
			continue;
		make(&t, 1);
		ok(p.live.times.n == rows[i].n &&
			p.live.times.median == rows[i].median &&
			p.live.times.p90 == rows[i].p90,
		    "of 1 to %u the median is %d, p90 %d", rows[i].n,
		    (int)rows[i].median, (int)rows[i].p90);
	}
	t.opened = place[0].asked = NOW - PICTURE_WINDOW - 1;
	place[0].answered = NOW;
	t.n = 1;
	make(&t, 1);
	is_int(
	    p.live.times.n, 0, "what was asked before the window is left out");
	is_int(p.live.age[6][0], 1, "though it is open, and the oldest");
}

static void
test_names(void)
{
	char name[PICTURE_NAMES + 2][8];
	struct picture_ticket t[PICTURE_NAMES + 2];
	size_t i;

	for (i = 0; i < PICTURE_NAMES + 2; i++) {
		name[i][0] = (char)('a' + (i > 0 ? i - 1 : 0));
		name[i][1] = '\0';
		t[i] = (struct picture_ticket){
			.from = "a@sg", .opened = NOW, .exercise = name[i]
		};
	}
	make(t, PICTURE_NAMES + 1);
	ok(p.exercise.nname == PICTURE_NAMES && !p.exercise.more_names,
	    "each exercise is named once");
	make(t, PICTURE_NAMES + 2);
	ok(p.exercise.nname == PICTURE_NAMES && p.exercise.more_names,
	    "of too many it is said that there are more");
}

/* A vocabulary that grows would lose its last words without a sound. */
static void
test_room(void)
{
	ok(vocab_word(VOCAB_OUTLOOK, 0) != NULL, "there are outlooks");
	for (int v = VOCAB_SEVERITY; v <= VOCAB_OUTLOOK; v++) {
		size_t n = 0;

		while (vocab_word((enum vocab)v, n) != NULL)
			n++;
		ok(n <= PICTURE_WORDS, "there is room for all words of %s",
		    vocab_list((enum vocab)v)->name);
	}
}

int
main(void)
{
	test_nothing();
	test_waiting();
	test_apart();
	test_counts();
	test_answers();
	test_ranks();
	test_names();
	test_room();
	picture_release(&p);
	return tap_done();
}
