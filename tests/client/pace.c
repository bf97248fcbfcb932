/* SPDX-License-Identifier: ISC */
#include "client/pace.h"
#include "tests/lib/tap.h"

#include <string.h>

#define MAX 57328
#define OUT 4096

/*
 * A link with a rate, a delay and a queue; pieces of the size that the pace
 * wants are asked for as long as it lets us. Time is the test's.
 */
struct world {
	struct pace p;
	int64_t now, idle_at;
	uint64_t rate; /* bytes/s */
	int64_t rtt;
	struct pace_mark mark[OUT];
	int64_t due[OUT];
	size_t size[OUT];
	size_t first, n;
	int64_t worst; /* time that something spent in the queue */
	uint64_t crossed;
};

static void
ask(struct world *w)
{
	size_t piece = pace_piece(&w->p, MAX), at;

	while (w->n < OUT && pace_room(&w->p, piece)) {
		at = (w->first + w->n++) % OUT;
		w->mark[at] = pace_sent(&w->p, w->now, piece);
		if (w->idle_at < w->now)
			w->idle_at = w->now;
		if (w->idle_at - w->now > w->worst)
			w->worst = w->idle_at - w->now;
		w->idle_at += (int64_t)(piece * 1000000 / w->rate);
		w->due[at] = w->idle_at + w->rtt;
		w->size[at] = piece;
	}
}

/* Asks and is answered for so long. */
static void
run(struct world *w, int64_t us)
{
	int64_t end = w->now + us;

	w->worst = 0;
	w->crossed = 0;
	for (;;) {
		ask(w);
		if (w->due[w->first] > end)
			break;
		w->now = w->due[w->first];
		w->crossed += w->size[w->first];
		pace_answered(
		    &w->p, w->now, &w->mark[w->first], w->size[w->first]);
		w->first = (w->first + 1) % OUT;
		w->n--;
	}
	w->now = end;
}

static struct world
world(uint64_t rate, int64_t rtt)
{
	return (struct world){ .now = 1000000, .rate = rate, .rtt = rtt };
}

static void
test_thin(void)
{
	struct world w = world(375000, 200000);

	run(&w, 3000000);
	run(&w, 10000000);
	ok(w.crossed >= 375000 * 10 * 95 / 100,
	    "3 Mbit/s and 200 ms are used to 95 %% (%llu bytes in 10 s)",
	    (unsigned long long)w.crossed);
	ok(w.worst <= 2 * 200000 + PACE_SLACK_US + 50000,
	    "no more waits than a loss of two round trips uses up (%lld us)",
	    (long long)w.worst);
	ok(pace_piece(&w.p, MAX) <= PACE_PIECE_SLOW,
	    "pieces are of 16 KiB at most");
}

static void
test_thinner(void)
{
	struct world w = world(8000, 600000);

	run(&w, 30000000);
	run(&w, 20000000);
	ok(w.crossed >= 8000 * 20 * 9 / 10, "64 kbit/s are used to 90 %%");
	ok(pace_piece(&w.p, MAX) == PACE_PIECE_LEAST,
	    "with pieces as small as may be");
}

static void
test_wide(void)
{
	struct world w = world(400000000, 200);

	run(&w, 200000);
	run(&w, 1000000);
	ok(w.crossed >= 380000000, "a fast link is not slowed down");
	is_int((long long)pace_piece(&w.p, MAX), MAX,
	    "and gets pieces as large as may be");
	ok(pace_window(&w.p) <= PACE_MOST, "in a window that has an end");
}

static void
test_follows(void)
{
	struct world w = world(1000000, 100000);

	run(&w, 5000000);
	w.rate = 100000;
	run(&w, 20000000);
	run(&w, 10000000);
	ok(w.worst <= 2 * 100000 + PACE_SLACK_US + 200000,
	    "a link that becomes slower gets less (queue of %lld us)",
	    (long long)w.worst);
	w.rate = 1000000;
	run(&w, 10000000);
	run(&w, 10000000);
	ok(w.crossed >= 9500000, "and more again when it is faster");
}

/* Who asks now and then says nothing about the link. */
static void
test_held(void)
{
	struct world w = world(375000, 200000);
	struct pace_mark m;
	uint64_t rate;
	int i;

	run(&w, 10000000);
	rate = pace_rate(&w.p);
	w.p.out = 0;
	for (i = 0; i < 20; i++) {
		w.now += 1000000;
		m = pace_sent(&w.p, w.now, 1000);
		w.now += 200000;
		pace_answered(&w.p, w.now, &m, 1000);
	}
	ok(pace_rate(&w.p) == rate, "small things do not make a link slow");
}

static void
test_epoch(void)
{
	struct pace p = { 0 };
	struct pace_mark m = pace_sent(&p, 5, 10000);

	ok(pace_room(&p, PACE_FIRST - 10000) &&
		!pace_room(&p, PACE_FIRST - 9999),
	    "while nothing is known little is on the way");
	pace_begin(&p);
	ok(p.out == 0 && pace_room(&p, MAX),
	    "of a new connection nothing is known, and one piece may go");
	pace_answered(&p, 10, &m, 10000);
	ok(p.out == 0 && pace_rate(&p) == 0,
	    "what belongs to the old one is not counted");
	p.deep = true;
	pace_begin(&p);
	ok(p.deep, "but where it waits stays known");
	m = pace_sent(&p, 20, 3000);
	pace_lost(&p, &m);
	ok(p.out == 0 && p.delivered == 0, "what is given up gives its room");
}

/* A cut: all that was on the way is lost, and there is another connection. */
static void
cut(struct world *w)
{
	pace_begin(&w->p);
	w->first = w->n = 0;
	w->idle_at = w->now += 10000000;
}

static void
test_again(void)
{
	struct world w = world(375000, 200000), thin = world(37500, 200000);

	run(&thin, 20000000);
	run(&thin, 10000000);
	run(&w, 10000000);
	cut(&w);
	run(&w, 1000000);
	ok(w.crossed >= 375000 * 3 / 4,
	    "over a new connection the line is filled at once (%llu bytes)",
	    (unsigned long long)w.crossed);
	cut(&w);
	w.rate = 37500;
	run(&w, 20000000);
	run(&w, 10000000);
	ok(w.worst <= thin.worst + 100000,
	    "and one that is thinner than the last is seen to be (%lld us)",
	    (long long)w.worst);
	cut(&w);
	w.rate = 375000;
	w.rtt = 800000;
	run(&w, 10000000);
	run(&w, 10000000);
	ok(w.crossed >= 375000 * 10 * 95 / 100,
	    "as is one that is longer (%llu bytes)",
	    (unsigned long long)w.crossed);
}

int
main(void)
{
	test_thin();
	test_thinner();
	test_wide();
	test_follows();
	test_held();
	test_epoch();
	test_again();
	return tap_done();
}
