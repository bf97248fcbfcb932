/* SPDX-License-Identifier: ISC */
/*
 * Both ends of a relay link under virtual time, over a network that loses,
 * doubles and reorders, with ends that forget all but what is durable.
 */
#include "broker/lane.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 40 /* per lane, at most */
#define NET 4096 /* pieces on the way */
#define WINDOW 100000

static uint64_t seed;

static uint64_t
rnd(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (seed >> 33) % n;
}

struct wire {
	struct relay_piece p;
	int64_t at;
	size_t n;
};

struct world {
	/* what is to be sent */
	unsigned queued[LANE_COUNT];
	unsigned total[LANE_COUNT];
	size_t size[LANE_COUNT][ITEMS + 1];
	/* the sender */
	struct lane_tx tx;
	bool up;
	/* between */
	struct wire net[NET];
	unsigned nnet;
	unsigned loss, twice, mixed; /* percent */
	unsigned restarts;	     /* per 10000 steps */
	int64_t delay;
	/* the receiver */
	struct lane_rx rx;
	struct lane_pos disk[LANE_COUNT];
	uint64_t commits; /* out of which the next is due at: */
	struct {
		unsigned lane;
		struct lane_pos pos;
		uint64_t bytes;
		int64_t at;
	} job[NET];
	unsigned njob;
	int64_t now;
	/* what went wrong */
	unsigned bad_order, bad_bytes, bad_window, bad_lane, bad_word;
	uint64_t sent, pieces;
};

static uint8_t
byte_of(unsigned lane, uint64_t item, uint64_t i)
{
	return (uint8_t)(lane * 71 + item * 31 + i * 7 + (i >> 8));
}

static void
world_init(struct world *w, uint64_t s)
{
	struct msg_cursors none = { 0 };
	unsigned l, i;

	memset(w, 0, sizeof(*w));
	seed = s;
	for (l = 0; l < LANE_COUNT; l++) {
		w->total[l] = (unsigned)rnd(ITEMS);
		for (i = 1; i <= w->total[l]; i++)
			w->size[l][i] = 1 + rnd(rnd(4) == 0 ? 150000 : 3000);
	}
	lane_rx_open(&w->rx, &none, WINDOW);
	w->delay = 1 + (int64_t)rnd(200);
}

/* ---- between ---- */

static void
net_put(struct world *w, const struct relay_piece *p)
{
	struct wire *x = &w->net[w->nnet];

	if (w->nnet == NET || rnd(100) < w->loss)
		return;
	x->p = *p;
	x->p.bytes.p = xcopy(p->bytes.p, p->bytes.n);
	x->at = w->now + w->delay;
	if (rnd(100) < w->mixed)
		x->at += (int64_t)rnd(100);
	w->nnet++;
}

static void
net_drop_all(struct world *w)
{
	while (w->nnet > 0)
		free((void *)(uintptr_t)w->net[--w->nnet].p.bytes.p);
}

/* ---- the receiver ---- */

static void
commit_later(struct world *w, unsigned lane, struct lane_pos pos, uint64_t n)
{
	if (w->njob == NET)
		abort();
	w->job[w->njob].lane = lane;
	w->job[w->njob].pos = pos;
	w->job[w->njob].bytes = n;
	w->job[w->njob].at = w->now + 1 + (int64_t)rnd(5);
	if (w->njob > 0 && w->job[w->njob].at < w->job[w->njob - 1].at)
		w->job[w->njob].at = w->job[w->njob - 1].at;
	w->njob++;
}

static void
check_bytes(
    struct world *w, unsigned lane, uint64_t item, uint64_t from, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] != byte_of(lane, item, from + i))
			break;
	w->bad_bytes += i < s.n;
}

static void
receive(struct world *w, const struct relay_piece *p)
{
	struct lane_take t;
	struct lane_pos pos = { 0 };
	uint64_t n = 0;

	switch (lane_rx_piece(&w->rx, p, &t)) {
	case LANE_ITEM:
		check_bytes(w, t.lane, t.item, 0, buf_span(&t.whole));
		w->bad_bytes += t.whole.n != w->size[t.lane][t.item];
		n = t.whole.n;
		buf_release(&t.whole);
		pos.item = t.item;
		break;
	case LANE_RANGE:
		check_bytes(w, t.lane, t.item, t.offset, t.bytes);
		n = t.bytes.n;
		pos = (struct lane_pos){ t.item - 1, t.offset + n };
		if (pos.offset == t.total)
			pos = (struct lane_pos){ t.item, 0 };
		break;
	default:
		return;
	}
	commit_later(w, t.lane, pos, n);
}

/* One commit: everything in order, nothing twice. */
static void
commit(struct world *w)
{
	unsigned i, k = 0;

	while (k < w->njob && w->job[k].at <= w->now) {
		struct lane_pos *d = &w->disk[w->job[k].lane];
		struct lane_pos p = w->job[k].pos;

		if (p.item > d->item + 1 || lane_cmp(p, *d) <= 0)
			w->bad_order++;
		*d = p;
		lane_rx_durable(&w->rx, w->job[k].lane, p, w->job[k].bytes);
		k++;
	}
	w->njob -= k;
	for (i = 0; i < w->njob; i++)
		w->job[i] = w->job[i + k];
}

static void
receiver_restarts(struct world *w)
{
	struct msg_cursors at;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		at.item[i] = w->disk[i].item;
		at.offset[i] = w->disk[i].offset;
	}
	lane_rx_release(&w->rx);
	lane_rx_open(&w->rx, &at, WINDOW);
	w->njob = 0;
	w->up = false; /* it does not know the link any more */
}

/* ---- the sender ---- */

static void
check_window(struct world *w, unsigned lane)
{
	if (w->tx.bytes > WINDOW * (8 - lane) / 8)
		w->bad_window++;
}

static void
pump(struct world *w)
{
	static uint8_t bytes[RELAY_BYTES_MAX];
	struct lane_want want;
	unsigned i;
	size_t n;

	while (lane_tx_pick(&w->tx, &want)) {
		struct relay_piece p = { .lane = (uint8_t)want.lane,
			.item = want.item,
			.offset = want.offset,
			.round = w->tx.lane[want.lane].round };

		if (want.item > w->queued[want.lane]) {
			lane_tx_empty(&w->tx, want.lane);
			continue;
		}
		for (i = 0; i < want.lane; i++)
			if (w->tx.lane[i].next.item < w->queued[i])
				w->bad_lane++;
		p.total = w->size[want.lane][want.item];
		n = (size_t)(p.total - want.offset);
		n = n < want.max ? n : want.max;
		for (i = 0; i < n; i++)
			bytes[i] =
			    byte_of(want.lane, want.item, want.offset + i);
		p.kind = want.lane == LANE_BULK ? RELAY_PART : RELAY_TICKET;
		p.bytes = (struct span){ bytes, n };
		lane_tx_sent(&w->tx, want.lane, n, p.total, w->now);
		check_window(w, want.lane);
		w->sent += n;
		w->pieces++;
		net_put(w, &p);
		if (rnd(100) < w->twice)
			net_put(w, &p);
	}
}

static void
probe(struct world *w)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_pos at = lane_tx_place(&w->tx, i);
		struct relay_piece p = { .lane = (uint8_t)i,
			.item = at.item + 1,
			.offset = at.offset,
			.round = w->tx.lane[i].round };

		net_put(w, &p);
	}
}

static void
open_link(struct world *w)
{
	struct msg_cursors at, from;

	lane_rx_relink(&w->rx, &at, &from);
	lane_tx_open(&w->tx, &at, &from, WINDOW, w->now);
	w->up = true;
	net_drop_all(w); /* of another link: not for this one */
}

/* The parked request; its answers arrive at once and are never lost. */
static void
acknowledge(struct world *w)
{
	struct msg_relay_at at;
	unsigned lane;

	if (!w->up || !lane_rx_news(&w->rx, lane_tx_news(&w->tx), w->now))
		return;
	at = lane_rx_tell(&w->rx, w->now);
	w->bad_word += !lane_tx_believes(&w->tx, &at, &lane);
	lane_tx_ack(&w->tx, &at, w->now);
}

static bool
finished(const struct world *w)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (w->disk[i].item < w->total[i])
			return false;
	return true;
}

static void
step(struct world *w)
{
	unsigned i;

	w->now++;
	for (i = 0; i < LANE_COUNT; i++)
		if (w->queued[i] < w->total[i] && rnd(20) == 0) {
			w->queued[i]++;
			lane_tx_wake(&w->tx);
		}
	if (rnd(10000) < w->restarts)
		receiver_restarts(w);
	if (rnd(10000) < w->restarts)
		w->up = false; /* the sender has restarted */
	if (rnd(10000) < w->restarts)
		net_drop_all(w);
	if (!w->up && rnd(50) == 0)
		open_link(w);
	if (w->up && lane_tx_deadline(&w->tx) <= w->now &&
	    lane_tx_timer(&w->tx, w->now))
		probe(w);
	if (w->up)
		pump(w);
	for (i = 0; i < w->nnet;) {
		struct wire x = w->net[i];

		if (x.at > w->now) {
			i++;
			continue;
		}
		memmove(
		    w->net + i, w->net + i + 1, (w->nnet - i - 1) * sizeof(x));
		w->nnet--;
		receive(w, &x.p);
		free((void *)(uintptr_t)x.p.bytes.p);
	}
	commit(w);
	acknowledge(w);
}

struct kind {
	const char *name;
	unsigned loss, twice, mixed, restarts, worlds;
};

static const struct kind kinds[] = {
	{ "a good network", 0, 0, 0, 0, 10 },
	{ "loss", 10, 0, 0, 0, 20 },
	{ "doubling", 0, 30, 0, 0, 10 },
	{ "reordering", 0, 5, 20, 0, 10 },
	{ "restarts of both ends", 0, 0, 0, 20, 20 },
	{ "everything at once", 15, 15, 10, 10, 30 },
};

static void
test_kind(const struct kind *k)
{
	static struct world w;
	unsigned i, done = 0, wrong = 0, order = 0, window = 0, lane = 0;
	unsigned word = 0;
	uint64_t from = 20261121, stuck = 0;

	if (getenv("SEED") != NULL)
		from = strtoull(getenv("SEED"), NULL, 10);
	for (i = 0; i < k->worlds; i++) {
		world_init(&w, from + i);
		w.loss = k->loss;
		w.twice = k->twice;
		w.mixed = k->mixed;
		w.restarts = k->restarts;
		while (!finished(&w) && w.now < 300000)
			step(&w);
		done += finished(&w);
		if (!finished(&w))
			stuck = from + i;
		wrong += w.bad_bytes;
		order += w.bad_order;
		window += w.bad_window;
		lane += w.bad_lane;
		word += w.bad_word;
		net_drop_all(&w);
		lane_rx_release(&w.rx);
	}
	is_int(done, k->worlds, "with %s, everything arrives", k->name);
	if (stuck != 0)
		diag("SEED=%llu", (unsigned long long)stuck);
	is_int(wrong, 0, "with %s, with its own bytes", k->name);
	is_int(order, 0, "with %s, once and in the order of its lane", k->name);
	is_int(window, 0, "with %s, the window is never exceeded", k->name);
	is_int(lane, 0, "with %s, no lane overtakes a higher one", k->name);
	is_int(word, 0, "with %s, an honest word is believed", k->name);
}

/* ---- the corners ---- */

static struct relay_piece
piece(unsigned lane, uint64_t item, uint64_t total, uint64_t offset, size_t n)
{
	static uint8_t zeros[RELAY_BYTES_MAX];
	struct relay_piece p = { .lane = (uint8_t)lane,
		.item = item,
		.kind = lane == LANE_BULK ? RELAY_PART : RELAY_TICKET,
		.total = total,
		.offset = offset,
		.bytes = { zeros, n } };

	return p;
}

static enum lane_got
put(struct lane_rx *rx, struct relay_piece p)
{
	struct lane_take t;
	enum lane_got got = lane_rx_piece(rx, &p, &t);

	if (got == LANE_ITEM)
		buf_release(&t.whole);
	return got;
}

static struct relay_piece
in_round(uint32_t round, struct relay_piece p)
{
	p.round = round;
	return p;
}

static struct relay_piece
heartbeat(unsigned lane, uint64_t item, uint64_t offset)
{
	return (struct relay_piece){
		.lane = (uint8_t)lane, .item = item, .offset = offset
	};
}

static bool
asks_again(struct lane_rx *rx)
{
	return lane_rx_tell(rx, 0).missing != 0;
}

static void
test_gaps(void)
{
	struct msg_cursors none = { 0 };
	struct msg_relay_at at;
	struct lane_rx rx;

	lane_rx_open(&rx, &none, 1 << 20);
	ok(!lane_rx_news(&rx, 1, 1000), "a new receiver has nothing to tell");
	put(&rx, piece(0, 2, 10, 0, 10));
	ok(lane_rx_news(&rx, 1000, 0), "an item too far is news");
	ok(asks_again(&rx), "and asks for what is missing");
	put(&rx, piece(0, 3, 10, 0, 10));
	put(&rx, heartbeat(0, 4, 0));
	ok(!asks_again(&rx), "the items behind it ask no more");
	put(&rx, in_round(1, piece(0, 2, 10, 0, 10)));
	at = lane_rx_tell(&rx, 0);
	ok(at.missing == 1 && at.round[0] == 1,
	    "until the sender has gone back in vain");
	put(&rx, piece(0, 3, 10, 0, 10));
	ok(!asks_again(&rx), "what it sent before that is no gap");
	is_int(put(&rx, piece(0, 1, 10, 0, 10)), LANE_ITEM,
	    "but of use if it is what is missing");
	put(&rx, in_round(2, piece(0, 2, 30, 0, 10)));
	put(&rx, in_round(2, piece(0, 2, 30, 20, 10)));
	at = lane_rx_tell(&rx, 0);
	ok(at.missing == 1 && at.from.item[0] == 1 && at.from.offset[0] == 10,
	    "a gap within an item is one too: from the byte on");
	ok(at.moved == 0 && at.at.item[0] == 0, "though nothing is safe yet");
	lane_rx_release(&rx);

	lane_rx_open(&rx, &none, 1 << 20);
	put(&rx, heartbeat(1, 2, 0));
	ok(asks_again(&rx), "a heartbeat shows a loss at the end");
	put(&rx, in_round(1, piece(1, 1, 20, 0, 10)));
	put(&rx, in_round(1, heartbeat(1, 1, 10)));
	ok(!asks_again(&rx), "and none where there is none");
	put(&rx, in_round(1, heartbeat(1, 1, 11)));
	ok(asks_again(&rx), "also if it is a byte");
	lane_rx_release(&rx);
}

static void
test_telling(void)
{
	struct msg_cursors none = { 0 }, from;
	struct lane_rx rx;

	lane_rx_open(&rx, &none, 1 << 20);
	put(&rx, piece(2, 1, 9000, 0, 1000));
	(void)lane_rx_tell(&rx, 1000);
	ok(lane_rx_due(&rx) == INT64_MAX, "what was told needs no more words");
	put(&rx, piece(2, 1, 9000, 1000, 1000));
	ok(!lane_rx_news(&rx, 2000, 1049) && lane_rx_due(&rx) == 1050 &&
		lane_rx_news(&rx, 2000, 1050),
	    "little is told after 50 ms");
	put(&rx, piece(2, 1, 9000, 2000, 1000));
	ok(lane_rx_news(&rx, 2000, 1001), "much at once");
	put(&rx, piece(4, 1, 9000, 0, 1000));
	lane_rx_relink(&rx, &none, &from);
	ok(none.offset[2] == 3000 && none.offset[4] == 0 &&
		from.offset[4] == 1000,
	    "a new link hears what is safe, and what need not be sent");
	put(&rx, piece(2, 1, 9000, 2500, 1000));
	put(&rx, piece(4, 1, 9000, 0, 900));
	is_int((int)rx.repeated, 1400, "what comes twice is counted");
	lane_rx_release(&rx);
}

static void
test_receiver(void)
{
	struct msg_cursors at = { .item = { 3, 0, 0, 0, 7 },
		.offset = { 5, 0, 0, 0, 50 } };
	struct lane_rx rx;
	uint64_t n;

	lane_rx_open(&rx, &at, 1 << 20);
	is_int(put(&rx, piece(0, 4, 20, 5, 15)), LANE_DROPPED,
	    "of an entry that was partly here, nothing is left");
	is_int(put(&rx, piece(4, 8, 100, 40, 30)), LANE_RANGE,
	    "a part goes on where it was, also from an overlapping piece");
	is_int((int)rx.lane[4].head.offset, 70, "by the bytes that are new");
	is_int(put(&rx, piece(4, 8, 99, 70, 10)), LANE_DROPPED,
	    "a piece of another total is not used");
	ok((lane_rx_tell(&rx, 0).missing & 16) != 0 &&
		rx.lane[4].head.offset == 0,
	    "but shows that the item must begin anew");
	is_int(put(&rx, piece(4, 8, 32, 0, 32)), LANE_RANGE, "as it does");
	is_int((int)rx.lane[4].head.item, 8, "and then it is whole");
	is_int(put(&rx, piece(0, 4, LANE_ITEM_MAX + 1, 0, 10)), LANE_TOOBIG,
	    "what is too big to hold is passed over");
	is_int(put(&rx, piece(0, 5, 10, 0, 10)), LANE_ITEM,
	    "and the next one is taken");
	lane_rx_durable(&rx, 4, (struct lane_pos){ 9, 0 }, 0);
	is_int((int)rx.lane[4].head.item, 9,
	    "the caller may have more than came by this lane");
	lane_rx_reset(&rx, 0, 10);
	is_int((int)rx.lane[0].head.item, 3, "what was dropped is asked for");
	ok(asks_again(&rx), "at once");
	lane_rx_release(&rx);

	lane_rx_open(&rx, &at, 250);
	is_int(put(&rx, piece(0, 4, 5000, 0, 800)), LANE_TAKEN, "bytes fit");
	is_int(put(&rx, piece(1, 1, 5000, 0, 4000)), LANE_DROPPED,
	    "a piece of more than four windows does not");
	is_int(put(&rx, piece(1, 1, 800, 0, 800)), LANE_ITEM,
	    "a lane does not wait for what another has begun");
	is_int(put(&rx, piece(2, 1, 800, 0, 800)), LANE_DROPPED,
	    "what is not safe yet is bounded over all lanes");
	lane_rx_durable(&rx, 1, (struct lane_pos){ 1, 0 }, 800);
	is_int(put(&rx, piece(2, 1, 800, 0, 800)), LANE_ITEM,
	    "and what is safe makes room");
	lane_rx_durable(&rx, 2, (struct lane_pos){ 1, 0 }, 800);
	for (n = 800; n < 5000; n += 600)
		put(&rx, piece(0, 4, 5000, n, 600));
	is_int((int)rx.lane[0].head.item, 4,
	    "an item may be larger than four windows");
	lane_rx_release(&rx);
}

static void
test_sender(void)
{
	static struct lane_tx tx;
	struct msg_cursors none = { 0 };
	struct msg_relay_at at = { 0 };
	struct lane_want want;
	unsigned lane;

	lane_tx_open(&tx, &none, &none, 80000, 0);
	for (lane = 0; lane < 4; lane++)
		lane_tx_empty(&tx, lane);
	while (lane_tx_pick(&tx, &want))
		lane_tx_sent(&tx, want.lane, want.max, 1 << 20, 0);
	ok(tx.bytes <= 40000, "bulk takes half of what is granted");
	lane_tx_wake(&tx);
	ok(lane_tx_pick(&tx, &want) && want.lane == 0,
	    "so that flash finds room");

	at.moved = 16;
	at.at.item[4] = 1;
	lane_tx_ack(&tx, &at, 1);
	for (lane = 0; lane < 4; lane++)
		lane_tx_empty(&tx, lane);
	ok(tx.bytes == 0 && lane_tx_pick(&tx, &want) && want.item == 2 &&
		want.offset == 0,
	    "what the peer had already is not sent");
	is_int(lane_tx_deadline(&tx) == INT64_MAX, 1,
	    "with nothing on the way there is nothing to wait for");
}

/* What B holds of a lower lane is not acknowledged before the higher one is. */
static void
test_held(void)
{
	static struct lane_tx tx;
	struct msg_cursors none = { 0 };
	struct lane_want want;
	unsigned lane;

	lane_tx_open(&tx, &none, &none, LANE_WINDOW, 0);
	for (lane = 0; lane < 4; lane++)
		lane_tx_empty(&tx, lane);
	while (lane_tx_pick(&tx, &want))
		lane_tx_sent(&tx, want.lane, want.max, 1 << 20, 0);
	tx.pace.window = PACE_LEAST;
	ok(tx.bytes > tx.pace.window, "the window is less than bulk's share");
	lane_tx_wake(&tx);
	for (lane = 0; lane < 3; lane++)
		lane_tx_empty(&tx, lane);
	ok(lane_tx_pick(&tx, &want) && want.lane == 3 && want.max >= 1024,
	    "a ticket of routine need not wait for a part that waits for it");
	lane_tx_sent(&tx, 3, want.max, 1 << 20, 0);
	ok(!lane_tx_pick(&tx, &want), "one frame of it");
	lane_tx_wake(&tx);
	ok(lane_tx_pick(&tx, &want) && want.lane == 0, "and so a flash");
}

static bool
believed(const struct lane_tx *tx, unsigned lane, uint64_t item, uint64_t n)
{
	struct msg_relay_at at = { .moved = (uint8_t)(1u << lane) };
	unsigned which = LANE_COUNT;
	bool is;

	at.at.item[lane] = item;
	at.at.offset[lane] = n;
	is = lane_tx_believes(tx, &at, &which);
	return is || which != lane;
}

/* A peer that says it has what it was never sent. */
static void
test_believing(void)
{
	static struct lane_tx tx;
	struct msg_cursors at = { { 7 }, { 0 } }, from = { { 8 }, { 10 } };
	struct msg_relay_at back = { .missing = 1 };

	lane_tx_open(&tx, &at, &from, 80000, 0);
	ok(believed(&tx, 0, 8, 10), "it may have what it has in hand");
	ok(!believed(&tx, 0, 8, 11), "and not a byte more");
	ok(!believed(&tx, 0, UINT64_MAX, 0) && !believed(&tx, 0, 9, 0),
	    "nor an item, nor all that there may be");
	lane_tx_sent(&tx, 0, 90, 100, 0);
	lane_tx_sent(&tx, 0, 50, 100, 0);
	ok(believed(&tx, 0, 9, 50) && !believed(&tx, 0, 9, 51),
	    "what was sent it may have got");
	back.from.item[0] = 8;
	lane_tx_ack(&tx, &back, 1);
	ok(tx.lane[0].next.offset == 0 && believed(&tx, 0, 9, 50),
	    "also when we went back since");
	ok(!believed(&tx, LANE_BULK, 1, 0), "a part that it was not sent");
	lane_tx_sent(&tx, LANE_BULK, 50, 1000, 1);
	ok(believed(&tx, LANE_BULK, 0, 999) && believed(&tx, LANE_BULK, 1, 0),
	    "one that begins it may have already, or not want");
	ok(!believed(&tx, LANE_BULK, 1, 1), "and not the next");
}

static void
test_asking(void)
{
	static struct lane_tx tx;
	struct msg_cursors none = { 0 };
	struct msg_relay_at at = { 0 };
	struct lane_want want;

	lane_tx_open(&tx, &none, &none, 80000, 0);
	lane_tx_sent(&tx, 0, 100, 100, 0);
	ok(!lane_tx_timer(&tx, 10), "10 ms are no reason to ask");
	ok(lane_tx_timer(&tx, 300), "300 ms are");
	ok(!lane_tx_timer(&tx, 400) && lane_tx_deadline(&tx) == 800,
	    "once; then after twice as long");
	ok(lane_tx_pick(&tx, &want) && want.item == 2 && tx.repeats == 0,
	    "but nothing is sent again for that");
	lane_tx_suspect(&tx);
	ok(lane_tx_timer(&tx, 401), "over a new connection it asks at once");
	lane_tx_sent(&tx, 0, 50, 100, 401);
	lane_tx_sent(&tx, 0, 50, 100, 402);
	at.missing = 1;
	at.from.item[0] = 1;
	at.from.offset[0] = 50;
	lane_tx_ack(&tx, &at, 500);
	ok(lane_tx_pick(&tx, &want) && want.item == 2 && want.offset == 50 &&
		tx.bytes == 150,
	    "what is missing is sent again, and not what is in hand");
	lane_tx_sent(&tx, 0, 50, 100, 500);
	lane_tx_ack(&tx, &at, 501);
	is_int((int)tx.lane[0].next.item, 2, "once, whoever says so again");
	at.round[0] = 1;
	at.from.item[0] = 0;
	at.from.offset[0] = 7;
	at.moved = 1;
	at.at.item[0] = 1;
	lane_tx_ack(&tx, &at, 502);
	is_int((int)tx.lane[0].round, 1,
	    "an item that was acknowledged is never missing");
	lane_tx_sent(&tx, 1, 50, 100, 1300);
	lane_tx_sent(&tx, 1, 0, 20, 3000);
	ok(tx.lane[1].next.offset == 0, "an item that shrank begins anew");
}

static void
test_many_small(void)
{
	static struct lane_tx tx;
	struct msg_cursors none = { 0 };
	struct msg_relay_at at = { 0 };
	struct lane_want want;
	unsigned n = 0;

	lane_tx_open(&tx, &none, &none, LANE_WINDOW, 0);
	while (lane_tx_pick(&tx, &want)) {
		lane_tx_sent(&tx, want.lane, 1, 1, 0);
		n++;
	}
	is_int(n, LANE_FLIGHTS, "tiny items are bounded by number");
	at.moved = 1;
	at.at.item[0] = n;
	lane_tx_ack(&tx, &at, 5);
	is_int(tx.pieces, 0, "acknowledged all at once, nothing is on the way");
	n = 0;
	while (lane_tx_pick(&tx, &want)) {
		lane_tx_sent(&tx, want.lane, 1, 1, 9);
		n++;
	}
	is_int(n, LANE_FLIGHTS, "and every place is free again");
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(&kinds[i]);
	test_gaps();
	test_telling();
	test_receiver();
	test_sender();
	test_held();
	test_believing();
	test_asking();
	test_many_small();
	return tap_done();
}
