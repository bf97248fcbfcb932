/* SPDX-License-Identifier: ISC */
/*
 * Two brokers that count alike. The items of a lane have numbers that both keep
 * on disk, and after one has lost its store, or has got an old one back, they
 * differ.
 *
 *	ahead	the peer has what was never queued for it. Ours is the old
 *		store: its numbers would be used again for other items, and the
 *		peer would take them for those that it has. That is written
 *		down, since with time our numbers would pass the peer's, and
 *		nothing is sent until an operator has looked
 *	behind	the peer asks for what it had acknowledged, and which is
 *		forgotten. It is told to the operator, and what is queued is
 *		numbered from where the peer is
 *
 * After `tocsind restore` the operator has looked, and numbers that were used
 * since may be among those that the peer has already: what is queued is
 *numbered anew, once for each peer. counted/PEER says in which epoch (epochs.h)
 *it was.
 *
 * Either way the queued items keep their order, and a peer that had one of them
 * finds a duplicate.
 */
#include "broker/log.h"
#include "broker/relay_impl.h"
#include "broker/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the peer said, written down ---- */

/* Nothing: at->item[] are zeros, which nobody can be ahead with. */
static enum tocsin_err
ahead_get(struct msg_cursors *at, struct store_rx *rx, const char *peer)
{
	struct span value = { 0 };
	enum tocsin_err err = value_get(rx, &value, "ahead/%s", peer);
	struct rd r = rd_init(value);
	unsigned i;

	memset(at, 0, sizeof(*at));
	if (err == TOCSIN_ENOTFOUND || (!err && value.n == 0))
		return TOCSIN_ENOTFOUND;
	for (i = 0; i < LANE_COUNT && !err; i++) {
		at->item[i] = rd_u64(&r);
		at->offset[i] = rd_u64(&r);
	}
	if (err)
		return err;
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static enum tocsin_err
ahead_put(const struct msg_cursors *at, struct store_tx *tx, const char *peer)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EBUSY;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		buf_u64(&b, at->item[i]);
		buf_u64(&b, at->offset[i]);
	}
	if (buf_ok(&b))
		err = value_put(tx, buf_span(&b), "ahead/%s", peer);
	buf_release(&b);
	return err;
}

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
		err =
		    value_put(batch->tx, (struct span){ 0 }, "ahead/%s", peer);
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
	struct msg_cursors had;
	enum tocsin_err err = ahead_get(&had, batch->view, n->peer);

	if (since_restore(batch->b, batch->view, n->peer))
		return renumber(batch, n->peer, &n->at);
	if (err != TOCSIN_ENOTFOUND)
		return err;
	switch (compare(batch->b, batch->view, n->peer, &n->at)) {
	case AHEAD:
		return ahead_put(&n->at, batch->tx, n->peer);
	case BEHIND:
	case RESTORED:
		return renumber(batch, n->peer, &n->at);
	case ALIKE:
		break;
	}
	return TOCSIN_OK;
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
say(struct store_rx *rx, const char *peer, const struct msg_cursors *at)
{
	static struct log_limit limit = LOG_LIMIT(10, 600000);
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		enum count c = compare_lane(rx, peer, i, at->item[i]);

		if (c != ALIKE)
			log_limited(&limit, LOG_ERROR,
			    c == AHEAD ? "relay-cursor-ahead"
				       : "relay-cursor-behind",
			    LOG_Z("peer", peer), LOG_U("lane", i),
			    LOG_U("item", at->item[i]),
			    LOG_U("queued",
				store_out_last(rx, span_of(peer), i)));
	}
}

enum tocsin_err
count_agree(struct relay *r, struct relay_peer *p, const struct msg_cursors *at)
{
	static struct log_limit limit = LOG_LIMIT(1, 600000);
	struct msg_cursors had;
	struct store_rx *rx;
	enum count c = ALIKE;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return TOCSIN_EBUSY;
	err = ahead_get(&had, rx, p->name);
	if (since_restore(r->b, rx, p->name))
		err = TOCSIN_ENOTFOUND; /* whatever was before */
	if (err == TOCSIN_ENOTFOUND) {
		c = compare(r->b, rx, p->name, at);
		if (c != RESTORED)
			say(rx, p->name, at);
	} else {
		log_limited(&limit, LOG_ERROR, "relay-barred",
		    LOG_Z("peer", p->name),
		    LOG_Z("see", "tocsind peer resume"));
	}
	store_read_end(rx);
	p->barred = c == AHEAD || err != TOCSIN_ENOTFOUND;
	if (c != ALIKE)
		note(r, p->name, at);
	if (p->barred)
		return TOCSIN_ECHAINCONFLICT;
	return c == ALIKE ? TOCSIN_OK : TOCSIN_EBUSY;
}

/* ---- the operator ---- */

struct resume {
	struct job job;
	char peer[LABEL_MAX + 1];
};

static enum tocsin_err
resume_apply(struct job *job, struct batch *batch)
{
	struct resume *s = (struct resume *)job;
	struct msg_cursors at;
	enum tocsin_err err = ahead_get(&at, batch->view, s->peer);

	return err ? err : renumber(batch, s->peer, &at);
}

enum tocsin_err
relay_resume(struct broker *b, struct span peer)
{
	struct resume s = { .job = { .weight = 4096, .apply = resume_apply } };
	enum tocsin_err err = TOCSIN_EUSAGE;

	if (name_broker(peer)) {
		memcpy(s.peer, peer.p, peer.n);
		err = writer_call(b->writer, &s.job);
	}
	log_event(LOG_INFO, "relay-resume", LOG_S("peer", peer), LOG_ERR(err),
	    LOG_END);
	return err;
}
