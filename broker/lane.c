/* SPDX-License-Identifier: ISC */
#include "broker/lane.h"

#include <string.h>

#define NONE LANE_FLIGHTS

int
lane_cmp(struct lane_pos a, struct lane_pos b)
{
	if (a.item != b.item)
		return a.item < b.item ? -1 : 1;
	if (a.offset != b.offset)
		return a.offset < b.offset ? -1 : 1;
	return 0;
}

static struct lane_pos
cursor_of(const struct msg_cursors *c, unsigned lane)
{
	return (struct lane_pos){ c->item[lane], c->offset[lane] };
}

/* ---- the sender ---- */

static void
flights_clear(struct lane_tx *tx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		tx->lane[i].first = tx->lane[i].last = NONE;
	for (i = 0; i < LANE_FLIGHTS; i++)
		tx->flight[i].next = (uint16_t)(i + 1);
	tx->spare = 0;
	tx->bytes = 0;
	tx->pieces = 0;
}

static void
flight_add(struct lane_tx *tx, struct lane_tx_lane *l, struct lane_flight f)
{
	uint16_t i = tx->spare;

	tx->spare = tx->flight[i].next;
	f.next = NONE;
	tx->flight[i] = f;
	if (l->first == NONE)
		l->first = i;
	else
		tx->flight[l->last].next = i;
	l->last = i;
	tx->bytes += f.bytes;
	tx->pieces++;
}

static void
flight_drop(struct lane_tx *tx, struct lane_tx_lane *l)
{
	uint16_t i = l->first;
	struct lane_flight *f = &tx->flight[i];

	l->first = f->next;
	if (l->first == NONE)
		l->last = NONE;
	f->next = tx->spare;
	tx->spare = i;
	tx->bytes -= f->bytes;
	tx->pieces--;
}

void
lane_tx_open(struct lane_tx *tx, const struct msg_cursors *at, uint32_t window,
    int64_t now)
{
	unsigned i;

	memset(tx, 0, sizeof(*tx));
	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_pos p = cursor_of(at, i);

		tx->lane[i].acked = tx->lane[i].next = tx->lane[i].high = p;
	}
	tx->window = window < LANE_WINDOW ? window : LANE_WINDOW;
	if (tx->window < LANE_COUNT + 3)
		tx->window = LANE_COUNT + 3; /* each lane's share is a byte */
	tx->rto = LANE_RTO_MIN;
	tx->progress = now;
	flights_clear(tx);
}

bool
lane_tx_pick(const struct lane_tx *tx, struct lane_want *want)
{
	const struct lane_tx_lane *l;
	uint64_t share, room;
	unsigned i = 0;

	while (i < LANE_COUNT && tx->lane[i].idle)
		i++;
	if (i == LANE_COUNT)
		return false;
	/* What a lane may not fill, no lower one may: looking on is no use. */
	share = (uint64_t)tx->window * (8 - i) / 8;
	room = share > tx->bytes ? share - tx->bytes : 0;
	if (room == 0 || tx->pieces >= LANE_FLIGHTS * (8 - i) / 8)
		return false;
	/* Rather wait for room than cut what is left into crumbs. */
	if (room < RELAY_BYTES_MAX && tx->bytes > 0)
		return false;
	l = &tx->lane[i];
	want->lane = i;
	want->item = l->next.item + 1;
	want->offset = l->next.offset;
	want->max = room < RELAY_BYTES_MAX ? (size_t)room : RELAY_BYTES_MAX;
	return true;
}

void
lane_tx_sent(
    struct lane_tx *tx, unsigned lane, size_t n, uint64_t total, int64_t now)
{
	struct lane_tx_lane *l = &tx->lane[lane];
	struct lane_flight f = { .sent = now, .bytes = (uint32_t)n };

	if (n == 0) {
		l->next.offset = 0;
		if (l->acked.item == l->next.item)
			l->acked.offset = 0;
		return;
	}
	if (tx->pieces == 0) {
		tx->progress = now;
		tx->probed = false;
	}
	l->next.offset += n;
	if (l->next.offset >= total)
		l->next = (struct lane_pos){ l->next.item + 1, 0 };
	f.end = l->next;
	f.again = lane_cmp(l->next, l->high) <= 0;
	if (!f.again)
		l->high = l->next;
	flight_add(tx, l, f);
}

void
lane_tx_empty(struct lane_tx *tx, unsigned lane)
{
	tx->lane[lane].idle = true;
}

void
lane_tx_wake(struct lane_tx *tx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		tx->lane[i].idle = false;
}

/* RFC 6298, with a floor that a slow disk at the other end does not reach. */
static void
measure(struct lane_tx *tx, int64_t delay)
{
	int64_t off = tx->srtt - delay;

	if (!tx->started) {
		tx->started = true;
		tx->srtt = delay;
		tx->rttvar = delay / 2;
		return;
	}
	tx->rttvar += ((off < 0 ? -off : off) - tx->rttvar) / 4;
	tx->srtt += (delay - tx->srtt) / 8;
}

static int64_t
timeout_of(const struct lane_tx *tx)
{
	int64_t rto = tx->srtt + 4 * tx->rttvar;

	if (rto < LANE_RTO_MIN)
		return LANE_RTO_MIN;
	return rto < LANE_RTO_MAX ? rto : LANE_RTO_MAX;
}

/* True if that moved the lane. */
static bool
ack_lane(struct lane_tx *tx, struct lane_tx_lane *l, struct lane_pos p,
    bool back, int64_t now)
{
	if (back && p.item == l->acked.item && p.offset < l->acked.offset)
		l->acked = p;
	if (lane_cmp(p, l->acked) <= 0)
		return false;
	l->acked = p;
	if (lane_cmp(l->next, p) < 0)
		l->next = p;
	if (lane_cmp(l->high, p) < 0)
		l->high = p;
	while (l->first != NONE) {
		const struct lane_flight *f = &tx->flight[l->first];

		if (lane_cmp(f->end, p) > 0)
			break;
		if (!f->again)
			measure(tx, now - f->sent);
		flight_drop(tx, l);
	}
	return true;
}

void
lane_tx_ack(struct lane_tx *tx, const struct msg_relay_at *at, int64_t now)
{
	bool moved = false;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (ack_lane(tx, &tx->lane[i], cursor_of(&at->at, i),
			at->repeat, now))
			moved = true;
	if (moved) {
		tx->progress = now;
		tx->probed = false;
		tx->rto = timeout_of(tx);
	}
	if (at->repeat)
		lane_tx_rewind(tx, now);
}

void
lane_tx_rewind(struct lane_tx *tx, int64_t now)
{
	unsigned i;

	flights_clear(tx);
	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_tx_lane *l = &tx->lane[i];

		if (lane_cmp(l->next, l->acked) != 0)
			l->idle = false;
		l->next = l->acked;
	}
	tx->progress = now;
	tx->probed = false;
	tx->repeats++;
}

static int64_t
probe_after(const struct lane_tx *tx)
{
	int64_t wait = tx->started ? 2 * tx->srtt : LANE_RTO_MIN / 4;

	return wait < LANE_PROBE_MIN ? LANE_PROBE_MIN : wait;
}

enum lane_due
lane_tx_timer(struct lane_tx *tx, int64_t now)
{
	if (tx->pieces == 0)
		return LANE_NOTHING;
	if (now - tx->progress >= tx->rto) {
		tx->rto =
		    tx->rto < LANE_RTO_MAX / 2 ? tx->rto * 2 : LANE_RTO_MAX;
		lane_tx_rewind(tx, now);
		return LANE_AGAIN;
	}
	if (!tx->probed && now - tx->progress >= probe_after(tx)) {
		tx->probed = true;
		return LANE_PROBE;
	}
	return LANE_NOTHING;
}

int64_t
lane_tx_deadline(const struct lane_tx *tx)
{
	int64_t wait = tx->rto;

	if (tx->pieces == 0)
		return INT64_MAX;
	if (!tx->probed && probe_after(tx) < wait)
		wait = probe_after(tx);
	return tx->progress + wait;
}

uint64_t
lane_tx_begun(const struct lane_tx *tx, unsigned lane)
{
	const struct lane_tx_lane *l = &tx->lane[lane];

	return l->next.item + (l->next.offset > 0);
}

/* ---- the receiver ---- */

void
lane_rx_open(
    struct lane_rx *rx, const struct msg_cursors *durable, uint32_t window)
{
	unsigned i;

	memset(rx, 0, sizeof(*rx));
	rx->limit = (uint64_t)window * LANE_HOLD;
	rx->news = window / 4 < LANE_NEWS ? window / 4 : LANE_NEWS;
	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_rx_lane *l = &rx->lane[i];

		l->durable = cursor_of(durable, i);
		if (i != LANE_BULK) /* nothing of a partial entry is kept */
			l->durable.offset = 0;
		l->head = l->durable;
	}
}

void
lane_rx_release(struct lane_rx *rx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		buf_release(&rx->lane[i].part);
}

void
lane_rx_relink(struct lane_rx *rx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		rx->lane[i].gap = LANE_GAP_NONE;
		rx->lane[i].last = (struct lane_pos){ 0 };
	}
}

/*
 * The pieces behind a lost one do not follow either, and are no news. But a
 * piece that lies before the last one shows that the sender went back; if there
 * is still a gap, then what it sent was lost again.
 */
static enum lane_got
gap(struct lane_rx_lane *l, bool anew)
{
	if (l->gap == LANE_GAP_NONE || anew)
		l->gap = LANE_GAP_SEEN;
	return LANE_DROPPED;
}

static enum lane_got
heartbeat(struct lane_rx_lane *l, uint64_t begun)
{
	if (begun > l->head.item && begun - l->head.item > (l->head.offset > 0))
		return gap(l, true);
	return LANE_DROPPED;
}

/* An item begins, or begins again because the sender's has changed. */
static void
begin(struct lane_rx_lane *l, const struct relay_piece *p)
{
	l->head.offset = 0;
	l->kind = p->kind;
	l->total = p->total;
	buf_release(&l->part);
}

static void
whole(struct lane_rx_lane *l)
{
	l->head = (struct lane_pos){ l->head.item + 1, 0 };
	l->total = 0;
}

static uint64_t
in_memory(const struct lane_rx *rx)
{
	uint64_t n = rx->bytes;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		n += rx->lane[i].part.n;
	return n;
}

/* Bytes that continue the head: of a part they are given out as they are. */
static enum lane_got
take_range(struct lane_rx *rx, struct lane_rx_lane *l, struct lane_take *out)
{
	rx->bytes += out->bytes.n;
	l->head.offset += out->bytes.n;
	if (l->head.offset == out->total)
		whole(l);
	return LANE_RANGE;
}

static enum lane_got
take_bytes(struct lane_rx *rx, struct lane_rx_lane *l, struct lane_take *out)
{
	buf_add(&l->part, out->bytes);
	if (!buf_ok(&l->part)) {
		buf_release(&l->part);
		l->head.offset = 0;
		return LANE_DROPPED;
	}
	l->head.offset += out->bytes.n;
	if (l->head.offset < out->total)
		return LANE_TAKEN;
	out->whole = l->part;
	l->part = (struct buf){ 0 };
	rx->bytes += out->whole.n;
	whole(l);
	return LANE_ITEM;
}

static enum lane_got
take(struct lane_rx *rx, struct lane_rx_lane *l, const struct relay_piece *p,
    struct lane_take *out)
{
	uint64_t skip = l->head.offset - p->offset;

	if (skip >= p->bytes.n)
		return LANE_DROPPED;
	*out = (struct lane_take){ .lane = p->lane,
		.item = p->item,
		.kind = p->kind,
		.total = p->total,
		.offset = l->head.offset };
	l->gap = LANE_GAP_NONE;
	if (p->lane != LANE_BULK && p->total > LANE_ITEM_MAX) {
		whole(l);
		return LANE_TOOBIG;
	}
	out->bytes = span_cut(p->bytes, (size_t)skip, p->bytes.n);
	if (in_memory(rx) + out->bytes.n > rx->limit)
		return LANE_DROPPED;
	return p->lane == LANE_BULK ? take_range(rx, l, out)
				    : take_bytes(rx, l, out);
}

enum lane_got
lane_rx_piece(
    struct lane_rx *rx, const struct relay_piece *p, struct lane_take *out)
{
	struct lane_rx_lane *l = &rx->lane[p->lane];
	struct lane_pos at = { p->item - 1, p->offset };
	bool back = lane_cmp(at, l->last) < 0;

	if (p->kind == RELAY_HEARTBEAT)
		return heartbeat(l, p->item);
	l->last = at;
	if (p->item <= l->head.item)
		return LANE_DROPPED;
	if (at.item > l->head.item)
		return gap(l, back);
	if (p->offset == 0 && l->head.offset > 0 && l->total > 0 &&
	    (p->kind != l->kind || p->total != l->total))
		begin(l, p);
	if (p->offset > l->head.offset)
		return gap(l, back);
	if (l->head.offset == 0)
		begin(l, p);
	if (l->total == 0) { /* resumed: only the cursor was kept */
		l->kind = p->kind;
		l->total = p->total;
	}
	if (p->kind != l->kind || p->total != l->total)
		return gap(l, back);
	return take(rx, l, p, out);
}

static void
forget(struct lane_rx *rx, uint64_t bytes)
{
	rx->bytes -= bytes < rx->bytes ? bytes : rx->bytes;
}

void
lane_rx_durable(
    struct lane_rx *rx, unsigned lane, struct lane_pos pos, uint64_t bytes)
{
	struct lane_rx_lane *l = &rx->lane[lane];

	forget(rx, bytes);
	if (lane_cmp(pos, l->durable) > 0)
		l->durable = pos;
	if (lane_cmp(l->head, pos) >= 0)
		return;
	/* The caller had more than came: a part that another peer sent. */
	if (l->head.item != pos.item)
		l->total = 0;
	l->head = pos;
	buf_release(&l->part);
}

void
lane_rx_reset(struct lane_rx *rx, unsigned lane, uint64_t bytes)
{
	struct lane_rx_lane *l = &rx->lane[lane];

	forget(rx, bytes);
	buf_release(&l->part);
	if (l->head.item != l->durable.item)
		l->total = 0;
	l->head = l->durable;
	l->gap = LANE_GAP_SEEN;
}

/* Of a partial entry we tell what is in memory: it lasts as long as we do. */
static struct lane_pos
reached(const struct lane_rx *rx, unsigned lane)
{
	const struct lane_rx_lane *l = &rx->lane[lane];
	struct lane_pos p = l->durable;

	if (lane != LANE_BULK && l->head.item == p.item)
		p.offset = l->head.offset;
	return p;
}

bool
lane_rx_wants(const struct lane_rx *rx, unsigned lane)
{
	const struct lane_rx_lane *l = &rx->lane[lane];

	return l->gap == LANE_GAP_SEEN ||
	       (lane != LANE_BULK && l->head.offset > 0);
}

bool
lane_rx_news(const struct lane_rx *rx, const struct msg_cursors *known)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_pos at = reached(rx, i), was = cursor_of(known, i);
		uint64_t least = i == LANE_BULK ? 1 : rx->news;

		if (rx->lane[i].gap == LANE_GAP_SEEN || at.item != was.item)
			return true;
		if (at.offset > was.offset && at.offset - was.offset >= least)
			return true;
	}
	return false;
}

struct msg_relay_at
lane_rx_tell(struct lane_rx *rx)
{
	struct msg_relay_at m = { 0 };
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_rx_lane *l = &rx->lane[i];
		struct lane_pos p = reached(rx, i);

		m.at.item[i] = p.item;
		m.at.offset[i] = p.offset;
		if (l->gap == LANE_GAP_SEEN) {
			m.repeat = true;
			l->gap = LANE_GAP_TOLD;
		}
	}
	return m;
}
