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

	for (i = 0; i < LANE_COUNT; i++) {
		tx->lane[i].first = tx->lane[i].last = NONE;
		tx->lane[i].bytes = 0;
	}
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
	l->bytes += f.bytes;
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
	l->bytes -= f->bytes;
	tx->bytes -= f->bytes;
	tx->pieces--;
}

void
lane_tx_open(struct lane_tx *tx, const struct msg_cursors *at,
    const struct msg_cursors *from, uint32_t window, int64_t now)
{
	unsigned i;

	memset(tx, 0, sizeof(*tx));
	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_tx_lane *l = &tx->lane[i];

		l->acked = cursor_of(at, i);
		l->next = cursor_of(from, i);
		if (lane_cmp(l->next, l->acked) < 0)
			l->next = l->acked;
		l->most = l->next;
	}
	if (window > LANE_WINDOW)
		window = LANE_WINDOW;
	if (window < LANE_COUNT + 3)
		window = LANE_COUNT + 3; /* each lane's share is a byte */
	pace_open(&tx->pace, window, now);
	tx->progress = now;
	flights_clear(tx);
}

/* Is nothing of this lane or a more urgent one on the way? */
static bool
is_alone(const struct lane_tx *tx, unsigned lane)
{
	unsigned i = 0;

	while (i <= lane && tx->lane[i].bytes == 0)
		i++;
	return i > lane;
}

/*
 * Of what the peer grants, a lower lane leaves something to the higher ones. So
 * it does of the window; but that may become smaller than what a lower lane has
 * on the way already, which must not keep a higher one from going on.
 */
static uint64_t
room_for(const struct lane_tx *tx, unsigned lane, uint32_t piece)
{
	uint64_t most = (uint64_t)tx->pace.most * (8 - lane) / 8;
	uint64_t n = (uint64_t)tx->pace.window * (12 - lane) / 8;

	if (n < tx->bytes + piece && is_alone(tx, lane))
		n = tx->bytes + piece;
	n = n < most ? n : most;
	return n > tx->bytes ? n - tx->bytes : 0;
}

bool
lane_tx_pick(const struct lane_tx *tx, struct lane_want *want)
{
	uint32_t piece = pace_piece(&tx->pace, RELAY_BYTES_MAX);
	const struct lane_tx_lane *l;
	uint64_t room;
	unsigned i = 0;

	while (i < LANE_COUNT && tx->lane[i].idle)
		i++;
	if (i == LANE_COUNT)
		return false;
	/* What a lane may not fill, no lower one may: looking on is no use. */
	room = room_for(tx, i, piece);
	if (room == 0 || tx->pieces >= LANE_FLIGHTS * (8 - i) / 8)
		return false;
	/* Rather wait for room than cut what is left into crumbs. */
	if (room < piece && tx->bytes > 0)
		return false;
	l = &tx->lane[i];
	want->lane = i;
	want->item = l->next.item + 1;
	want->offset = l->next.offset;
	want->max = room < piece ? (size_t)room : piece;
	return true;
}

void
lane_tx_sent(
    struct lane_tx *tx, unsigned lane, size_t n, uint64_t total, int64_t now)
{
	struct lane_tx_lane *l = &tx->lane[lane];
	struct lane_flight f = { .bytes = (uint32_t)n };

	if (n == 0) {
		l->next.offset = 0;
		if (l->acked.item == l->next.item)
			l->acked.offset = 0;
		return;
	}
	if (tx->pieces == 0) {
		tx->progress = now;
		tx->probes = 0;
	}
	l->next.offset += n;
	if (l->next.offset >= total)
		l->next = (struct lane_pos){ l->next.item + 1, 0 };
	if (lane_cmp(l->next, l->most) > 0)
		l->most = l->next;
	f.end = l->next;
	f.stamp = pace_sent(&tx->pace, tx->bytes, now);
	flight_add(tx, l, f);
}

void
lane_tx_empty(struct lane_tx *tx, unsigned lane)
{
	unsigned i = 0;

	tx->lane[lane].idle = true;
	while (i < LANE_COUNT && tx->lane[i].idle)
		i++;
	if (i == LANE_COUNT)
		pace_starved(&tx->pace, tx->bytes);
}

void
lane_tx_wake(struct lane_tx *tx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		tx->lane[i].idle = false;
}

/* ---- what the receiver says ---- */

static bool
believes(const struct lane_tx_lane *l, unsigned lane, struct lane_pos p)
{
	struct lane_pos most = l->most;

	if (lane == LANE_BULK && most.offset > 0)
		most = (struct lane_pos){ most.item + 1, 0 };
	return lane_cmp(p, most) <= 0;
}

bool
lane_tx_believes(
    const struct lane_tx *tx, const struct msg_relay_at *at, unsigned *lane)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (at->moved & 1u << i &&
		    !believes(&tx->lane[i], i, cursor_of(&at->at, i))) {
			*lane = i;
			return false;
		}
	return true;
}

/* What an answer has acknowledged: bytes, and the piece that was sent last. */
struct news {
	bool moved;
	uint64_t bytes;
	struct pace_stamp last;
};

static void
ack_lane(struct lane_tx *tx, struct lane_tx_lane *l, struct lane_pos p,
    struct news *news)
{
	if (lane_cmp(p, l->acked) <= 0)
		return;
	news->moved = true;
	l->acked = p;
	if (lane_cmp(l->next, p) < 0)
		l->next = p;
	while (l->first != NONE) {
		const struct lane_flight *f = &tx->flight[l->first];

		if (lane_cmp(f->end, p) > 0)
			break;
		if (news->bytes == 0 || f->stamp.sent >= news->last.sent)
			news->last = f->stamp;
		news->bytes += f->bytes;
		flight_drop(tx, l);
	}
}

/* What lies beyond `from` is lost. */
static void
flights_cut(struct lane_tx *tx, struct lane_tx_lane *l, struct lane_pos from)
{
	uint16_t i = l->first, next;

	l->first = l->last = NONE;
	for (; i != NONE; i = next) {
		struct lane_flight *f = &tx->flight[i];

		next = f->next;
		if (lane_cmp(f->end, from) <= 0) {
			f->next = NONE;
			if (l->first == NONE)
				l->first = i;
			else
				tx->flight[l->last].next = i;
			l->last = i;
			continue;
		}
		l->bytes -= f->bytes;
		tx->bytes -= f->bytes;
		tx->pieces--;
		f->next = tx->spare;
		tx->spare = i;
	}
}

/*
 * The receiver may have forgotten bytes of an item that it told us about, but
 * never an item.
 */
static void
go_back(struct lane_tx *tx, struct lane_tx_lane *l, struct lane_pos from)
{
	if (from.item < l->acked.item)
		return;
	if (lane_cmp(from, l->acked) < 0)
		l->acked = from;
	if (lane_cmp(from, l->next) > 0)
		from = l->next;
	flights_cut(tx, l, from);
	l->next = from;
	l->round++;
	l->idle = false;
	tx->repeats++;
}

static void
measure(struct lane_tx *tx, const struct news *news, int64_t now)
{
	int64_t delay = now > news->last.sent ? now - news->last.sent : 1;

	if (tx->srtt == 0)
		tx->srtt = delay;
	else
		tx->srtt += (delay - tx->srtt) / 8;
	pace_acked(&tx->pace, news->bytes, &news->last, now);
}

void
lane_tx_ack(struct lane_tx *tx, const struct msg_relay_at *at, int64_t now)
{
	struct news news = { 0 };
	bool back = false;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (at->moved & 1u << i)
			ack_lane(
			    tx, &tx->lane[i], cursor_of(&at->at, i), &news);
	if (news.bytes > 0)
		measure(tx, &news, now);
	for (i = 0; i < LANE_COUNT; i++)
		if (at->missing & 1u << i &&
		    at->round[i] == tx->lane[i].round) {
			go_back(tx, &tx->lane[i], cursor_of(&at->from, i));
			back = true;
		}
	if (news.moved || back) {
		tx->progress = now;
		tx->probes = 0;
	}
}

uint32_t
lane_tx_news(const struct lane_tx *tx)
{
	uint32_t n = tx->pace.window / 4;

	if (n < LANE_NEWS_MIN)
		return LANE_NEWS_MIN;
	return n < LANE_NEWS_MAX ? n : LANE_NEWS_MAX;
}

/* ---- asking ---- */

void
lane_tx_suspect(struct lane_tx *tx)
{
	tx->suspect = true;
	tx->probes = 0;
}

static int64_t
probe_after(const struct lane_tx *tx)
{
	int64_t wait = tx->srtt > 0 ? 2 * tx->srtt : 5 * LANE_PROBE_MIN;
	unsigned i;

	if (wait < LANE_PROBE_MIN)
		wait = LANE_PROBE_MIN;
	for (i = 0; i < tx->probes && wait < LANE_PROBE_MAX; i++)
		wait *= 2;
	return wait < LANE_PROBE_MAX ? wait : LANE_PROBE_MAX;
}

bool
lane_tx_timer(struct lane_tx *tx, int64_t now)
{
	if (tx->pieces == 0) {
		tx->suspect = false;
		return false;
	}
	if (!tx->suspect && now - tx->progress < probe_after(tx))
		return false;
	tx->suspect = false;
	tx->progress = now; /* from here to the next */
	tx->probes++;
	return true;
}

int64_t
lane_tx_deadline(const struct lane_tx *tx)
{
	if (tx->pieces == 0)
		return INT64_MAX;
	return tx->suspect ? tx->progress : tx->progress + probe_after(tx);
}

struct lane_pos
lane_tx_place(const struct lane_tx *tx, unsigned lane)
{
	return tx->lane[lane].next;
}

/* ---- the receiver ---- */

void
lane_rx_open(
    struct lane_rx *rx, const struct msg_cursors *durable, uint32_t window)
{
	unsigned i;

	memset(rx, 0, sizeof(*rx));
	rx->limit = (uint64_t)window * LANE_HOLD;
	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_rx_lane *l = &rx->lane[i];

		l->durable = cursor_of(durable, i);
		if (i != LANE_BULK) /* until lane_rx_resume() */
			l->durable.offset = 0;
		l->head = l->told = l->durable;
	}
}

void
lane_rx_resume(struct lane_rx *rx, unsigned lane, uint8_t kind, uint64_t total,
    uint64_t offset, struct buf *bytes)
{
	struct lane_rx_lane *l = &rx->lane[lane];

	l->kind = kind;
	l->total = total;
	l->durable.offset = offset;
	l->head = l->told = l->durable;
	if (lane == LANE_BULK)
		return;
	l->part = *bytes;
	*bytes = (struct buf){ 0 };
}

void
lane_rx_release(struct lane_rx *rx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		buf_release(&rx->lane[i].part);
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

void
lane_rx_relink(
    struct lane_rx *rx, struct msg_cursors *at, struct msg_cursors *from)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_rx_lane *l = &rx->lane[i];

		l->gap = LANE_GAP_NONE;
		l->round = 0;
		l->told = reached(rx, i);
		at->item[i] = l->told.item;
		at->offset[i] = l->told.offset;
		from->item[i] = l->head.item;
		from->offset[i] = l->head.offset;
	}
	rx->fresh = 0;
}

/*
 * The pieces behind a lost one do not follow either, and are no news: a gap is
 * told once for each time that the sender went back. What it sent before that
 * may still come.
 */
static enum lane_got
gap(struct lane_rx_lane *l, const struct relay_piece *p)
{
	if (l->gap == LANE_GAP_NONE && p->round == l->round)
		l->gap = LANE_GAP_SEEN;
	return LANE_DROPPED;
}

static void
turn(struct lane_rx_lane *l, uint32_t round)
{
	if ((int32_t)(round - l->round) <= 0)
		return;
	l->round = round;
	l->gap = LANE_GAP_NONE;
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
		l->head.offset = l->durable.offset = 0;
		return LANE_DROPPED;
	}
	l->head.offset += out->bytes.n;
	if (l->head.offset < out->total) {
		rx->fresh += out->bytes.n;
		return LANE_TAKEN;
	}
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

	rx->repeated += skip < p->bytes.n ? skip : p->bytes.n;
	if (skip >= p->bytes.n)
		return LANE_DROPPED;
	*out = (struct lane_take){ .lane = p->lane,
		.item = p->item,
		.kind = p->kind,
		.total = p->total,
		.offset = l->head.offset };
	if (p->lane != LANE_BULK && p->total > LANE_ITEM_MAX) {
		whole(l);
		return LANE_TOOBIG;
	}
	out->bytes = span_cut(p->bytes, (size_t)skip, p->bytes.n);
	/* Not what is being put together: lanes would wait for one another. */
	if (rx->bytes + out->bytes.n > rx->limit)
		return LANE_DROPPED;
	return p->lane == LANE_BULK ? take_range(rx, l, out)
				    : take_bytes(rx, l, out);
}

/* The item is another than the one of which there is a beginning here. */
static bool
changed(const struct lane_rx_lane *l, const struct relay_piece *p)
{
	if (l->head.offset == 0)
		return false;
	if (l->total == 0) /* resumed: only the cursor was kept */
		return p->total <= l->head.offset;
	return p->kind != l->kind || p->total != l->total;
}

static enum lane_got
place(struct lane_rx *rx, struct lane_rx_lane *l, const struct relay_piece *p,
    struct lane_take *out)
{
	if (changed(l, p)) {
		begin(l, p);
		l->durable.offset = 0;
	} else if (l->head.offset == 0) {
		begin(l, p);
	} else if (l->total == 0) {
		l->kind = p->kind;
		l->total = p->total;
	}
	if (p->offset > l->head.offset) {
		rx->unused += p->bytes.n;
		return gap(l, p);
	}
	return take(rx, l, p, out);
}

enum lane_got
lane_rx_piece(
    struct lane_rx *rx, const struct relay_piece *p, struct lane_take *out)
{
	struct lane_rx_lane *l = &rx->lane[p->lane];
	struct lane_pos at = { p->item - 1, p->offset };

	turn(l, p->round);
	if (p->kind == RELAY_HEARTBEAT)
		return lane_cmp(at, l->head) > 0 ? gap(l, p) : LANE_DROPPED;
	if (at.item < l->head.item) {
		rx->repeated += p->bytes.n;
		return LANE_DROPPED;
	}
	if (at.item > l->head.item) {
		rx->unused += p->bytes.n;
		return gap(l, p);
	}
	return place(rx, l, p, out);
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
	rx->fresh += bytes;
	/* The beginning of an entry is of use while it is in hand, too. */
	if (lane != LANE_BULK && pos.offset > 0 &&
	    (l->head.item != pos.item || l->head.offset < pos.offset))
		return;
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
	if (l->head.item != l->durable.item || lane != LANE_BULK)
		l->total = 0;
	if (lane != LANE_BULK)
		l->durable.offset = 0;
	l->head = l->durable;
	l->gap = LANE_GAP_SEEN;
}

static bool
untold(const struct lane_rx *rx)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (lane_cmp(reached(rx, i), rx->lane[i].told) != 0)
			return true;
	return false;
}

bool
lane_rx_news(const struct lane_rx *rx, uint32_t bytes, int64_t now)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (rx->lane[i].gap == LANE_GAP_SEEN)
			return true;
	return (rx->fresh >= bytes || now - rx->told_at >= LANE_DELAY) &&
	       untold(rx);
}

int64_t
lane_rx_due(const struct lane_rx *rx)
{
	return untold(rx) ? rx->told_at + LANE_DELAY : INT64_MAX;
}

bool
lane_rx_lacks(const struct lane_rx *rx, unsigned lane)
{
	const struct lane_rx_lane *l = &rx->lane[lane];

	return l->gap != LANE_GAP_NONE || l->head.offset > 0;
}

bool
lane_rx_keep(const struct lane_rx *rx, unsigned lane)
{
	const struct lane_rx_lane *l = &rx->lane[lane];

	return lane != LANE_BULK && l->head.item == l->durable.item &&
	       l->head.offset >= l->durable.offset + LANE_KEEP;
}

struct msg_relay_at
lane_rx_tell(struct lane_rx *rx, int64_t now)
{
	struct msg_relay_at m = { 0 };
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		struct lane_rx_lane *l = &rx->lane[i];
		struct lane_pos p = reached(rx, i);

		if (lane_cmp(p, l->told) != 0)
			m.moved |= 1u << i;
		l->told = p;
		m.at.item[i] = p.item;
		m.at.offset[i] = p.offset;
		memcpy(m.tally[i], l->tally, sizeof(l->tally));
		if (l->gap != LANE_GAP_SEEN)
			continue;
		m.missing |= 1u << i;
		m.round[i] = l->round;
		m.from.item[i] = l->head.item;
		m.from.offset[i] = l->head.offset;
		l->gap = LANE_GAP_TOLD;
	}
	rx->fresh = 0;
	rx->told_at = now;
	return m;
}
