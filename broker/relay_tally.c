/* SPDX-License-Identifier: ISC */
/*
 * The sender's side of tally.h: each answer of the peer says what it has, and
 * that is held against what was queued for it. What agrees may be forgotten; a
 * difference is logged, the peer's count is taken as ours, and what it lacks is
 * looked for (relay_heal.c).
 *
 * Value tally/PEER: 5 x (u64 items, 16 hash), u8 whether to look for what the
 * peer lacks. Without one, the peer's word is taken for a beginning.
 */
#include "broker/log.h"
#include "broker/relay_impl.h"
#include "broker/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- on disk ---- */

static enum tocsin_err
tally_load(struct relay_peer *p, struct store_rx *rx)
{
	struct tally t[LANE_COUNT];
	struct span value = { 0 };
	enum tocsin_err err = value_get(rx, &value, "tally/%s", p->name);
	struct rd r = rd_init(value);
	unsigned i;
	bool heal;

	if (!err && value.n == 0) { /* numbered anew: relay_count.c */
		p->heal.want = true;
		return TOCSIN_ENOTFOUND;
	}
	if (err == TOCSIN_ENOTFOUND)
		return err;
	if (err)
		return err;
	for (i = 0; i < LANE_COUNT; i++) {
		t[i].n = rd_u64(&r);
		rd_copy(&r, t[i].hash, TALLY_HASH);
	}
	heal = rd_u8(&r) != 0;
	if (!rd_done(&r))
		return TOCSIN_ENOTFOUND;
	memcpy(p->tally, t, sizeof(t));
	p->heal.want = p->heal.want || heal;
	return TOCSIN_OK;
}

enum tocsin_err
tally_save(struct store_tx *tx, const char *peer,
    const struct tally t[LANE_COUNT], bool heal)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EBUSY;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		buf_u64(&b, t[i].n);
		buf_add(&b, SPAN(t[i].hash));
	}
	buf_u8(&b, heal);
	if (buf_ok(&b))
		err = value_put(tx, buf_span(&b), "tally/%s", peer);
	buf_release(&b);
	return err;
}

/* ---- marks ---- */

void
tally_note(struct relay_peer *p, unsigned lane, uint64_t n,
    const uint8_t mark[TALLY_MARK])
{
	struct sent_mark *m;

	if (!p->marks[lane])
		p->marks[lane] = calloc(TALLY_MARKS, sizeof(*m));
	if (!p->marks[lane])
		return; /* it is read again then */
	m = &p->marks[lane][n % TALLY_MARKS];
	m->n = n;
	memcpy(m->mark, mark, TALLY_MARK);
}

static enum tocsin_err
mark_of(uint8_t mark[TALLY_MARK], struct relay *r, struct relay_peer *p,
    unsigned lane, uint64_t n)
{
	const struct sent_mark *m = p->marks[lane];
	struct store_rx *rx;
	enum tocsin_err err;

	if (m && m[n % TALLY_MARKS].n == n) {
		memcpy(mark, m[n % TALLY_MARKS].mark, TALLY_MARK);
		return TOCSIN_OK;
	}
	err = store_read(r->b->store, &rx);
	if (err)
		return err;
	err = send_mark(mark, p, rx, lane, n);
	store_read_end(rx);
	return err;
}

/* ---- comparing ---- */

static void
adopt(struct relay_peer *p, unsigned lane, uint64_t item,
    const uint8_t hash[TALLY_HASH])
{
	p->tally[lane].n = item;
	memcpy(p->tally[lane].hash, hash, TALLY_HASH);
	p->tally_dirty = true;
	if (item > 0)
		p->heal.want = true;
}

static enum tocsin_err
compare_lane(struct relay *r, struct relay_peer *p, unsigned lane,
    uint64_t item, const uint8_t hash[TALLY_HASH], int64_t now)
{
	struct tally *t = &p->tally[lane];
	uint8_t mark[TALLY_MARK];
	enum tocsin_err err = TOCSIN_OK;

	if (item < t->n)
		return TOCSIN_OK; /* an answer that a later one overtook */
	while (t->n < item) {
		err = mark_of(mark, r, p, lane, t->n + 1);
		if (err)
			return err;
		tally_add(t, mark);
	}
	p->agreed_at = now;
	if (memcmp(t->hash, hash, TALLY_HASH) == 0)
		return TOCSIN_OK;
	log_limited(&p->differs, LOG_ERROR, "relay-differs",
	    LOG_Z("peer", p->name), LOG_U("lane", lane), LOG_U("item", item));
	broker_count(r->b, BROKER_relay_differs);
	adopt(p, lane, item, hash);
	return TOCSIN_OK;
}

enum tocsin_err
tally_open(struct relay *r, struct relay_peer *p, const struct msg_relay *m,
    int64_t now)
{
	struct store_rx *rx;
	enum tocsin_err err;
	unsigned i;

	p->said_complete = false;
	if (p->tallied) {
		err = TOCSIN_OK;
	} else {
		err = store_read(r->b->store, &rx);
		if (err)
			return err;
		err = tally_load(p, rx);
		store_read_end(rx);
	}
	for (i = 0; i < LANE_COUNT; i++)
		if (err == TOCSIN_ENOTFOUND)
			adopt(p, i, m->at.item[i], m->tally[i]);
		else if (!err)
			err = compare_lane(
			    r, p, i, m->at.item[i], m->tally[i], now);
	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	p->tallied = !err;
	p->agreed_at = now;
	return err;
}

/* All that was queued is there, and both say so. */
static void
say_complete(struct relay_peer *p)
{
	struct tally all = { 0 };
	uint8_t mark[TALLY_MARK] = { 0 };
	uint64_t items = 0;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		const struct lane_tx_lane *l = &p->tx.lane[i];

		if (!l->idle || l->next.offset > 0 ||
		    l->next.item != p->tally[i].n)
			return;
		items += p->tally[i].n;
		memcpy(mark, p->tally[i].hash, TALLY_HASH);
		tally_add(&all, mark);
	}
	p->said_complete = true;
	log_limited(&p->comings, LOG_INFO, "relay-complete",
	    LOG_Z("peer", p->name), LOG_U("items", items),
	    LOG_X("hash", SPAN(all.hash)));
}

enum tocsin_err
tally_answer(struct relay *r, struct relay_peer *p,
    const struct msg_relay_at *m, int64_t now)
{
	enum tocsin_err err = TOCSIN_OK;
	unsigned i;

	for (i = 0; i < LANE_COUNT && !err; i++)
		if (m->moved & 1u << i)
			err = compare_lane(
			    r, p, i, m->at.item[i], m->tally[i], now);
	if (!err && !p->said_complete)
		say_complete(p);
	return err;
}
