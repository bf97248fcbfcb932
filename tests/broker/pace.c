/* SPDX-License-Identifier: ISC */
/*
 * The window over simulated lines, from 0.1 to 1000 Mbit/s: bulk fills the
 * line, and a flash ticket does not wait behind it. Virtual time, in steps of a
 * millisecond; no bytes are moved.
 */
#include "broker/pace.h"
#include "broker/lane.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE 65536
#define FLASHES 200
#define ENDLESS (UINT64_C(1) << 40)

/*
 * A line, and the connections over it: one for what is urgent and one for bulk.
 * What is put into a connection leaves in order, at the rate of the line that
 * they share. TCP lets no more than a round trip wait in the line's own queue.
 */
enum way { URGENT, BULK, WAYS };

struct line {
	uint64_t rate; /* bytes per second */
	int64_t delay; /* ms each way */
	int64_t loss;  /* ms by which one piece in 50 is late: repeated below */
	double free_at; /* ms */
	struct way_queue {
		struct {
			struct relay_piece p;
			double at; /* 0: has not left yet */
		} queue[QUEUE];
		unsigned first, n, left; /* of n, those that have left */
		double last;
	} way[WAYS];
};

/* A relay.wait: on the way there, parked, or with its answer on the way. */
struct wait {
	enum { GOING, PARKED, BACK } state;
	int64_t at;
	struct msg_relay_at answer;
};

struct world {
	struct line line;
	struct lane_tx tx;
	struct lane_rx rx;
	struct wait wait[3];
	int64_t now;
	uint64_t arrived;
	int64_t posted[FLASHES + 1]; /* by item */
	int64_t took[FLASHES + 1];
	unsigned flashes, landed;
};

static uint64_t dice = 1;

static uint64_t
rnd(uint64_t n)
{
	dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (dice >> 33) % n;
}

static void
line_put(struct world *w, const struct relay_piece *p)
{
	struct way_queue *q =
	    &w->line.way[p->lane == LANE_FLASH ? URGENT : BULK];

	if (q->n == QUEUE)
		abort();
	q->queue[(q->first + q->n++) % QUEUE].p = *p;
}

static void
leave(struct world *w, struct way_queue *q)
{
	struct line *l = &w->line;
	unsigned i = (q->first + q->left++) % QUEUE;
	double at = l->free_at > (double)w->now ? l->free_at : (double)w->now;

	at += (double)(q->queue[i].p.bytes.n + 150) * 1000 / (double)l->rate;
	l->free_at = at;
	at += (double)l->delay;
	if (l->loss > 0 && rnd(50) == 0)
		at += (double)l->loss;
	if (at < q->last)
		at = q->last;
	q->queue[i].at = q->last = at;
}

static void
line_step(struct world *w)
{
	struct line *l = &w->line;
	double most = (double)(w->now + 2 * l->delay);
	unsigned i;

	for (i = 0; i < WAYS; i++)
		while (l->way[i].left < l->way[i].n && l->free_at <= most)
			leave(w, &l->way[i]);
}

static void
pump(struct world *w)
{
	static uint8_t zeros[RELAY_BYTES_MAX];
	struct lane_want want;

	while (lane_tx_pick(&w->tx, &want)) {
		struct relay_piece p = { .lane = (uint8_t)want.lane,
			.item = want.item,
			.kind =
			    want.lane == LANE_BULK ? RELAY_PART : RELAY_TICKET,
			.offset = want.offset,
			.total = want.lane == LANE_BULK ? ENDLESS : 6000,
			.round = w->tx.lane[want.lane].round };

		if (want.lane != LANE_BULK &&
		    (want.lane != LANE_FLASH || want.item > w->flashes)) {
			lane_tx_empty(&w->tx, want.lane);
			continue;
		}
		p.bytes = (struct span){ zeros, want.max };
		if (p.bytes.n > p.total - p.offset)
			p.bytes.n = p.total - p.offset;
		lane_tx_sent(&w->tx, want.lane, p.bytes.n, p.total, w->now);
		line_put(w, &p);
	}
}

/* All is on disk at once. */
static void
receive(struct world *w, const struct relay_piece *p)
{
	struct lane_take t;
	enum lane_got got = lane_rx_piece(&w->rx, p, &t);
	struct lane_pos pos;

	w->arrived += p->bytes.n;
	if (got == LANE_ITEM) {
		w->took[t.item] = w->now - w->posted[t.item];
		w->landed++;
		pos = (struct lane_pos){ t.item, 0 };
		lane_rx_durable(&w->rx, t.lane, pos, t.whole.n);
		buf_release(&t.whole);
	} else if (got == LANE_RANGE) {
		pos = (struct lane_pos){ 0, t.offset + t.bytes.n };
		lane_rx_durable(&w->rx, t.lane, pos, t.bytes.n);
	}
}

static void
arrive(struct world *w, struct way_queue *q)
{
	while (q->left > 0 && q->queue[q->first].at <= (double)w->now) {
		receive(w, &q->queue[q->first].p);
		q->first = (q->first + 1) % QUEUE;
		q->n--;
		q->left--;
	}
}

static void
wait_step(struct world *w, struct wait *x)
{
	if (x->state == GOING && x->at <= w->now)
		x->state = PARKED;
	if (x->state == PARKED &&
	    lane_rx_news(&w->rx, lane_tx_news(&w->tx), w->now)) {
		x->answer = lane_rx_tell(&w->rx, w->now);
		x->state = BACK;
		x->at = w->now + w->line.delay;
	}
	if (x->state == BACK && x->at <= w->now) {
		lane_tx_ack(&w->tx, &x->answer, w->now);
		x->state = GOING;
		x->at = w->now + w->line.delay;
	}
}

static void
step(struct world *w)
{
	unsigned i;

	w->now++;
	for (i = 0; i < WAYS; i++)
		arrive(w, &w->line.way[i]);
	for (i = 0; i < 3; i++)
		wait_step(w, &w->wait[i]);
	pump(w);
	line_step(w);
}

static void
post_flash(struct world *w)
{
	if (w->flashes == FLASHES)
		return;
	w->posted[++w->flashes] = w->now;
	lane_tx_wake(&w->tx);
}

static void
world_init(struct world *w, uint64_t kbit, int64_t delay, int64_t loss)
{
	struct msg_cursors none = { 0 };

	memset(w, 0, sizeof(*w));
	w->line.rate = kbit * 125;
	w->line.delay = delay;
	w->line.loss = loss;
	w->now = 1000;
	lane_tx_open(&w->tx, &none, &none, LANE_WINDOW, w->now);
	lane_rx_open(&w->rx, &none, LANE_WINDOW);
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct kind {
	uint64_t kbit;
	int64_t delay, loss;
	unsigned least;	  /* per cent of the line, or of what a window allows */
	int64_t flash_ms; /* p95, with the delay of the line */
};

static const struct kind kinds[] = {
	{ 100, 20, 0, 85, 900 },
	{ 100, 300, 0, 85, 1600 },
	{ 1000, 100, 0, 90, 500 },
	{ 3000, 100, 0, 90, 450 },
	{ 3000, 100, 250, 85, 500 },
	{ 3000, 300, 0, 85, 950 },
	{ 10000, 50, 0, 90, 220 },
	{ 100000, 5, 0, 90, 50 },
	{ 1000000, 1, 0, 80, 20 },
};

static void
test_line(const struct kind *k)
{
	static struct world w;
	uint64_t most, line = k->kbit * 125, window;
	int64_t end = 61000, every = 60000000 / (int64_t)line;
	int64_t p95;

	world_init(&w, k->kbit, k->delay, k->loss);
	while (w.now < 11000)
		step(&w);
	w.arrived = 0;
	while (w.now < end) {
		if (w.now % (every < 250 ? 250 : every) == 0)
			post_flash(&w);
		step(&w);
	}
	/* Half of the window is bulk's, once in a round trip. */
	window = LANE_WINDOW / 2 * 1000 / (uint64_t)(2 * k->delay);
	most = line < window ? line : window;
	qsort(w.took + 1, w.landed, sizeof(w.took[0]), by_size);
	p95 = w.took[w.landed * 95 / 100];
	diag("%llu kbit/s, %lld ms: %llu %% of it, flash p50 %lld ms, p95 %lld "
	     "ms, window %u, rtt %lld ms, rate %llu kbit/s",
	    (unsigned long long)k->kbit, (long long)k->delay,
	    (unsigned long long)(w.arrived * 100 / (line * 50)),
	    (long long)w.took[w.landed / 2], (long long)p95, w.tx.pace.window,
	    (long long)w.tx.pace.rtt,
	    (unsigned long long)(w.tx.pace.rate / 125));
	ok(w.arrived >= most * 50 * k->least / 100,
	    "%llu kbit/s, %lld ms each way%s: bulk takes what there is",
	    (unsigned long long)k->kbit, (long long)k->delay,
	    k->loss ? ", with losses" : "");
	ok(w.landed + 5 >= w.flashes && p95 > 0 && p95 <= k->flash_ms,
	    "and flash is there within %lld ms", (long long)k->flash_ms);
	lane_rx_release(&w.rx);
}

/* The line gets three times slower, then five times faster. */
static void
test_change(void)
{
	static struct world w;
	uint64_t before;

	world_init(&w, 3000, 100, 0);
	while (w.now < 20000)
		step(&w);
	w.line.rate /= 3;
	while (w.now < 80000)
		step(&w);
	ok(w.tx.pace.window < 110000, "a slower line gets a smaller window");
	w.line.rate *= 5;
	while (w.now < 100000)
		step(&w);
	before = w.arrived;
	while (w.now < 110000)
		step(&w);
	ok(w.arrived - before > w.line.rate * 10 * 85 / 100,
	    "and a faster one is filled");
	lane_rx_release(&w.rx);
}

/* Nothing crosses for ten seconds; then what was on the way does. */
static void
test_cut(void)
{
	static struct world w;
	struct way_queue *bulk = &w.line.way[BULK];
	unsigned i;

	world_init(&w, 3000, 100, 0);
	while (w.now < 30000)
		step(&w);
	for (i = 0; i < bulk->left; i++)
		bulk->queue[(bulk->first + i) % QUEUE].at += 10000;
	bulk->last += 10000;
	w.line.free_at += 10000;
	while (w.now < 45000)
		step(&w);
	ok(w.tx.pace.window < 320000 && w.tx.pace.window > 80000,
	    "after a cut the window is what it was: %u", w.tx.pace.window);
	is_int((long long)w.rx.repeated, 0, "and nothing came twice");
	lane_rx_release(&w.rx);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_line(&kinds[i]);
	test_change();
	test_cut();
	return tap_done();
}
