/* SPDX-License-Identifier: ISC */
/*
 * Two brokers that count alike. The items of a lane have numbers that both keep
 * on disk, and after one has lost its store, or has got an old one back, they
 * differ.
 *
 *	ahead	the peer has what was never queued for it. Ours is the old
 *		store: its numbers would be used again for other items, and the
 *		peer would take them for those that it has
 *	behind	the peer asks for what it had acknowledged, and which is
 *		forgotten
 *
 * Either is an alarm, and what is queued is numbered anew from where the peer
 * is. The queued items keep their order, and a peer that had one of them finds
 * a duplicate. That the tallies are not known then makes relay_tally.c take the
 * peer's, and relay_heal.c look for what it lacks.
 *
 * After `tocsind restore` numbers that were used since may be among those that
 * the peer has already: what is queued is numbered anew, once for each peer.
 * counted/PEER says in which epoch (epochs.h) it was.
 *
 * A peer may lie, and say another number each time. Numbering anew is a commit
 * of all that waits for it, so it is done only so often (patience.h), and never
 * from a number that leaves none for what is to come.
 */
#include "broker/clock.h"
#include "broker/log.h"
#include "broker/relay_impl.h"
#include "broker/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- comparing ---- */

enum count { ALIKE, AHEAD, BEHIND, RESTORED };

static enum count
compare_lane(
    struct store_rx *rx, const char *peer, unsigned lane, uint64_t item)
{
	uint64_t last = store_out_last(rx, span_of(peer), lane);
	struct store_out first;
	enum tocsin_err err;

	if (item > last)
		return AHEAD;
	err = store_out_next(rx, span_of(peer), lane, 0, &first);
	if (err == TOCSIN_ENOTFOUND)
		return item < last ? BEHIND : ALIKE;
	return !err && first.n > item + 1 ? BEHIND : ALIKE;
}

static bool
since_restore(const struct broker *b, struct store_rx *rx, const char *peer)
{
	uint64_t epoch = 0;

	return b->epochs.n > 0 &&
	       value_get_u64(rx, &epoch, "counted/%s", peer) == TOCSIN_OK &&
	       epoch != b->epochs.n;
}

static enum count
compare(const struct broker *b, struct store_rx *rx, const char *peer,
    const struct msg_cursors *at)
{
	enum count all = ALIKE, one;
	unsigned i;

	if (since_restore(b, rx, peer))
		return RESTORED;

	for (i = 0; i < LANE_COUNT; i++) {
		one = compare_lane(rx, peer, i, at->item[i]);
		if (one == AHEAD || all == ALIKE)
			all = one;
	}
	return all;
}

/* ---- counting as the peer does ---- */

/* The rows of a lane; a lane has seldom more than a few. */
static enum tocsin_err
rows_load(struct buf *rows, struct store_rx *rx, struct span peer, unsigned i)
{
	struct store_out out = { 0 };
	enum tocsin_err err;

	while ((err = store_out_next(rx, peer, i, out.n, &out)) == TOCSIN_OK)
		buf_add(
		    rows, (struct span){ (const uint8_t *)&out, sizeof(out) });
	if (err != TOCSIN_ENOTFOUND)
		return err;
	return buf_ok(rows) ? TOCSIN_OK : TOCSIN_EBUSY;
}

/*
 * If the peer holds the beginning of an item, which item that was is not known
 * any more: one that is no more (see item_gone()) makes it begin anew.
 */
static enum tocsin_err
renumber_lane(struct batch *batch, struct span peer, unsigned i,
    const struct msg_cursors *at)
{
	struct store_out out = { 0 };
	struct buf rows = { 0 };
	size_t n;
	enum tocsin_err err = rows_load(&rows, batch->view, peer, i);

	if (!err)
		err = store_out_trim(batch->tx, peer, i, UINT64_MAX);
	if (!err)
		err = store_out_restart(batch->tx, peer, i, at->item[i]);
	if (!err && at->offset[i] > 0)
		err = store_out_add(batch->tx, peer, i, &out);
	for (n = 0; !err && n < rows.n; n += sizeof(out)) {
		memcpy(&out, rows.p + n, sizeof(out));
		err = store_out_add(batch->tx, peer, i, &out);
	}
	buf_release(&rows);
	return err;
}

static enum tocsin_err
renumber(struct batch *batch, const char *peer, const struct msg_cursors *at)
{
	enum tocsin_err err = TOCSIN_OK;
	unsigned i;

	for (i = 0; i < LANE_COUNT && !err; i++)
		err = renumber_lane(batch, span_of(peer), i, at);
	if (!err)
		err = value_put_u64(
		    batch->tx, batch->b->epochs.n, "counted/%s", peer);
	if (!err)
		err =
		    value_put(batch->tx, (struct span){ 0 }, "tally/%s", peer);
	names_add(&batch->peers, span_of(peer));
	/* Half of it would be worse than nothing: spoil the transaction. */
	return err && err != TOCSIN_ENOSPACE ? TOCSIN_EINTERNAL : err;
}

/* ---- the relay's thread ---- */

struct differs {
	struct job job;
	char peer[LABEL_MAX + 1];
	struct msg_cursors at;
};

/* The store may have changed since: look again. */
static enum tocsin_err
note_apply(struct job *job, struct batch *batch)
{
	struct differs *n = (struct differs *)job;

	if (compare(batch->b, batch->view, n->peer, &n->at) == ALIKE)
		return TOCSIN_OK;
	return renumber(batch, n->peer, &n->at);
}

/* If it failed, the next link finds the same. */
static void
note_done(struct job *job, enum tocsin_err err)
{
	(void)err;
	free(job);
}

static void
note(struct relay *r, const char *peer, const struct msg_cursors *at)
{
	struct differs *n = calloc(1, sizeof(*n));

	if (!n)
		return;
	n->job = (struct job){
		.weight = 4096, .apply = note_apply, .done = note_done
	};
	memcpy(n->peer, peer, strlen(peer));
	n->at = *at;
	if (writer_submit(r->b->writer, &n->job) != TOCSIN_OK)
		free(n);
}

static void
alarm_of(struct relay_peer *p, bool ahead, unsigned lane, uint64_t item,
    uint64_t last)
{
	log_limited(&p->counts, LOG_ERROR,
	    ahead ? "relay-cursor-ahead" : "relay-cursor-behind",
	    LOG_Z("peer", p->name), LOG_U("lane", lane), LOG_U("item", item),
	    LOG_U("queued", last));
}

static void
say(struct relay_peer *p, struct store_rx *rx, const struct msg_cursors *at)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		enum count c = compare_lane(rx, p->name, i, at->item[i]);

		if (c != ALIKE)
			alarm_of(p, c == AHEAD, i, at->item[i],
			    store_out_last(rx, span_of(p->name), i));
	}
}

static bool
absurd(const struct msg_cursors *at)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (at->item[i] >= LANE_NUMBER_MAX)
			return true;
	return false;
}

/* It has in hand what was queued, at most. */
static enum tocsin_err
judge_hand(
    struct relay_peer *p, struct store_rx *rx, const struct msg_cursors *from)
{
	uint64_t last;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		last = store_out_last(rx, span_of(p->name), i);
		if (from->item[i] <= last)
			continue;
		alarm_of(p, true, i, from->item[i], last);
		return TOCSIN_EMALFORMED;
	}
	return TOCSIN_OK;
}

enum tocsin_err
count_agree(struct relay *r, struct relay_peer *p, const struct msg_cursors *at,
    const struct msg_cursors *from)
{
	enum tocsin_err err = TOCSIN_OK;
	struct store_rx *rx;
	enum count c;

	if (store_read(r->b->store, &rx) != TOCSIN_OK)
		return TOCSIN_EBUSY;
	c = compare(r->b, rx, p->name, at);
	if (c == AHEAD || c == BEHIND)
		say(p, rx, at);
	if (c == ALIKE)
		err = judge_hand(p, rx, from);
	store_read_end(rx);
	if (c == ALIKE)
		return err;
	if (absurd(at))
		return TOCSIN_EMALFORMED;
	if (patience_take(&p->renumbered, clock_ms()))
		note(r, p->name, at);
	return TOCSIN_EBUSY;
}
