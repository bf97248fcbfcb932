/* SPDX-License-Identifier: ISC */
/*
 * A peer that knows the key and breaks every rule: whatever pieces come, what
 * is given out continues what was given out, and memory stays bounded. Input: a
 * row of pieces of 10 bytes each.
 */
#include "broker/lane.h"
#include "tests/lib/fuzz.h"

#define WINDOW 20000

static uint8_t zeros[RELAY_BYTES_MAX];
static struct lane_pos given[LANE_COUNT];

static bool
piece(struct rd *r, struct relay_piece *p)
{
	struct buf plain = { 0 };
	uint16_t n;
	bool good;

	p->lane = rd_u8(r) % LANE_COUNT;
	p->kind = rd_u8(r) % (RELAY_PART + 1);
	p->item = rd_u8(r);
	p->total = (uint64_t)rd_u16(r) << (rd_u8(r) % 8);
	p->offset = rd_u16(r);
	n = rd_u16(r);
	p->bytes = (struct span){ zeros, n % RELAY_BYTES_MAX };
	p->round = n >> 14;
	if (p->kind == RELAY_HEARTBEAT) {
		p->total = 0;
		p->bytes.n = 0;
	}
	relay_piece_put(&plain, p);
	good = relay_piece_parse(p, buf_span(&plain)) == TOCSIN_OK;
	p->bytes.p = zeros; /* outlives the buffer */
	buf_release(&plain);
	return good && !r->bad;
}

/* What was given out is one step further than what was before. */
static void
check(struct lane_rx *rx, enum lane_got got, struct lane_take *t, uint8_t dice)
{
	struct lane_pos *g = &given[t->lane], to = { t->item, 0 };
	uint64_t n = t->bytes.n;

	MUST(t->item == g->item + 1);
	if (got == LANE_ITEM) {
		n = t->whole.n;
		MUST(n == t->total && t->lane != LANE_BULK);
		buf_release(&t->whole);
	} else if (got == LANE_RANGE) {
		MUST(t->lane == LANE_BULK && n > 0);
		MUST(t->offset == g->offset || t->offset == 0);
		if (t->offset + n < t->total)
			to = (struct lane_pos){ t->item - 1, t->offset + n };
	}
	*g = to;
	if (dice % 8 == 0) {
		lane_rx_reset(rx, t->lane, n);
		*g = rx->lane[t->lane].durable;
	} else {
		lane_rx_durable(rx, t->lane, to, n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rd r = rd_init((struct span){ n > 0 ? data : NULL, n });
	struct msg_cursors none = { 0 };
	struct msg_relay_at at;
	int64_t now = 0;
	struct lane_rx rx;
	unsigned i;

	lane_rx_open(&rx, &none, WINDOW);
	for (i = 0; i < LANE_COUNT; i++)
		given[i] = (struct lane_pos){ 0 }; /* of an earlier run */
	while (r.rest.n > 0 && !r.bad) {
		uint8_t dice = r.rest.p[r.rest.n - 1];
		struct lane_take t = { 0 };
		struct relay_piece p;
		enum lane_got got;

		if (!piece(&r, &p))
			continue;
		got = lane_rx_piece(&rx, &p, &t);
		if (got != LANE_DROPPED && got != LANE_TAKEN)
			check(&rx, got, &t, (uint8_t)(dice + p.item));
		if (lane_rx_news(&rx, 5000, ++now)) {
			at = lane_rx_tell(&rx, now);
			MUST(at.moved || at.missing);
			MUST(!lane_rx_news(&rx, 5000, now));
		}
		for (i = 0; i < LANE_COUNT; i++)
			MUST(rx.lane[i].part.n <= (uint64_t)LANE_HOLD * WINDOW);
	}
	lane_rx_release(&rx);
	return 0;
}
