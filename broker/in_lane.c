/* SPDX-License-Identifier: ISC */
#include "broker/in_lane.h"

#include "broker/clock.h"
#include "broker/in_apply.h"
#include "broker/in_early.h"
#include "broker/in_judge.h"
#include "broker/in_unwanted.h"
#include "broker/log.h"
#include "broker/relay.h"

#include <stdlib.h>
#include <string.h>

/* ---- telling how far we are ---- */

struct name
in_link_name(const struct in_peer *p)
{
	struct name link = { .n = RELAY_LINK };

	memcpy(link.bytes, p->link, RELAY_LINK);
	return link;
}

bool
in_tell_now(struct in_peer *p, int64_t now_ms, bool *later)
{
	int64_t at;

	*later = false;
	if (lane_rx_news(&p->rx, p->news, now_ms))
		return true;
	at = lane_rx_due(&p->rx);
	if (p->tell_at == 0 && at != INT64_MAX) {
		p->tell_at = at;
		*later = true;
	}
	return false;
}

void
in_tell(struct in_peer *p, bool now, bool later, const struct name *link)
{
	if (now)
		parks_wake_one(
		    p->in->b->parks, (struct span){ link->bytes, link->n });
	else if (later)
		relay_poke(p->in->b->relay);
}

int64_t
in_tell_due(struct in_peer *p, int64_t now_ms)
{
	struct name link;
	bool now = false, later;
	int64_t at;

	pthread_mutex_lock(&p->lock);
	link = in_link_name(p);
	if (p->tell_at > 0 && p->tell_at <= now_ms) {
		p->tell_at = 0;
		now = in_tell_now(p, now_ms, &later);
	}
	at = p->tell_at > 0 ? p->tell_at : INT64_MAX;
	pthread_mutex_unlock(&p->lock);
	in_tell(p, now, false, &link);
	return at;
}

/* ---- beginnings of entries ---- */

static void
keep_free(struct in_keep *k)
{
	if (!k)
		return;
	buf_release(&k->bytes);
	free(k);
}

/* If it failed, the next bytes bring it about again. */
static void
keep_done(struct job *job, enum tocsin_err err)
{
	struct in_keep *k = (struct in_keep *)job;
	struct in_peer *p = k->peer;

	pthread_mutex_lock(&p->lock);
	p->lane[k->lane].keep = NULL;
	if (!err)
		lane_rx_durable(&p->rx, k->lane, k->reached, 0);
	pthread_mutex_unlock(&p->lock);
	keep_free(k);
}

struct in_keep *
in_keep_make(struct in_peer *p, unsigned lane)
{
	const struct lane_rx_lane *l = &p->rx.lane[lane];
	struct in_keep *k;

	if (p->lane[lane].keep || !lane_rx_keep(&p->rx, lane))
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->peer = p;
	k->lane = lane;
	k->item = l->head.item + 1;
	k->kind = l->kind;
	k->total = l->total;
	k->from = l->durable.offset;
	buf_add(&k->bytes,
	    span_cut(buf_span(&l->part), (size_t)k->from, l->part.n));
	k->job = (struct job){ .weight = k->bytes.n + 256,
		.apply = in_keep_apply,
		.done = keep_done };
	if (!buf_ok(&k->bytes)) {
		keep_free(k);
		return NULL;
	}
	p->lane[lane].keep = k;
	return k;
}

void
in_keep_send(struct in_peer *p, struct in_keep *k)
{
	if (!k || writer_submit(p->in->b->writer, &k->job) == TOCSIN_OK)
		return;
	pthread_mutex_lock(&p->lock);
	p->lane[k->lane].keep = NULL;
	pthread_mutex_unlock(&p->lock);
	keep_free(k);
}

/* ---- the end of an item ---- */

static void
item_free(struct in_item *it)
{
	if (!it)
		return;
	intake_free(it->in);
	buf_release(&it->bytes);
	free(it);
}

static void
log_pass(const struct in_item *it, enum tocsin_err why)
{
	static struct log_limit limit = LOG_LIMIT(50, 60000);
	struct span id = span_cut(
	    SPAN(it->who.id), 0, it->who.known ? sizeof(it->who.id) : 0);

	log_limited(&limit, LOG_WARN, "relay-refused",
	    LOG_Z("peer", it->peer->who.broker), LOG_U("lane", it->lane),
	    LOG_U("item", it->item), LOG_U("kind", it->kind),
	    LOG_S("from", span_of(it->who.member)),
	    LOG_Z("exercise", it->who.exercise), LOG_X("id", id), LOG_ERR(why));
}

static void
lane_remove(struct in_lane *l, struct in_item *it)
{
	struct in_item **at = &l->first;

	while (*at != it)
		at = &(*at)->next;
	*at = it->next;
	if (l->last == &it->next)
		l->last = at;
}

/* In the writer's thread, after the commit. */
static void
item_done(struct job *job, enum tocsin_err err)
{
	struct in_item *it = (struct in_item *)job;
	struct in_peer *p = it->peer;
	struct broker *b = p->in->b;
	bool now = false, later = false, went_on = false;
	struct name link;

	if (!err && it->lane != LANE_BULK)
		broker_count(b, BROKER_relay_items_in);
	pthread_mutex_lock(&p->lock);
	link = in_link_name(p);
	if (err) {
		it->state = ITEM_WAITS;
		it->no_room = err == TOCSIN_ENOSPACE;
		it->retry_at = in_retry_after(it, err, clock_ms());
	} else {
		went_on = it->no_room;
		if (it->reached.item > p->rx.lane[it->lane].durable.item)
			memcpy(p->rx.lane[it->lane].tally, it->tally,
			    sizeof(it->tally));
		lane_rx_durable(&p->rx, it->lane, it->reached, it->bytes.n);
		lane_remove(&p->lane[it->lane], it);
		now = in_tell_now(p, clock_ms(), &later);
	}
	pthread_mutex_unlock(&p->lock);
	if (err) {
		if (in_wants_trust(it, err))
			relay_behind(b->relay, p->who.broker);
		relay_poke(b->relay);
		return;
	}
	in_tell(p, now, later, &link);
	if (went_on) /* those behind it waited */
		relay_poke(b->relay);
	if (it->passed && it->passed != TOCSIN_EDUPLICATE) {
		broker_count(b, BROKER_relay_items_refused);
		in_unwanted_note(it);
		log_pass(it, it->passed);
	}
	item_free(it);
}

/* ---- from its piece to the writer ---- */

/* Under the lock. The item that a piece made ready, or NULL. */
static struct in_item *
item_make(struct in_peer *p, enum lane_got got, struct lane_take *t)
{
	struct in_item *it = calloc(1, sizeof(*it));

	if (it) {
		it->peer = p;
		it->lane = t->lane;
		it->item = t->item;
		it->kind = t->kind;
		it->total = t->total;
		it->offset = t->offset;
	}
	if (it && got == LANE_ITEM)
		it->bytes = t->whole;
	else if (it && got == LANE_RANGE)
		buf_add(&it->bytes, t->bytes);
	else if (it)
		it->pass = TOCSIN_ETOOLARGE;
	if (it && buf_ok(&it->bytes))
		return it;
	if (got == LANE_ITEM && !it)
		buf_release(&t->whole);
	item_free(it);
	return NULL;
}

bool
in_lane_take(struct in_peer *p, const struct relay_piece *piece)
{
	struct in_lane *l = &p->lane[piece->lane];
	struct lane_take t = { 0 };
	enum lane_got got = lane_rx_piece(&p->rx, piece, &t);
	struct in_item *it;
	size_t n;

	if (got == LANE_DROPPED || got == LANE_TAKEN)
		return false;
	n = got == LANE_ITEM ? t.whole.n : t.bytes.n;
	it = item_make(p, got, &t);
	if (!it) { /* no memory: as if it had not come */
		lane_rx_reset(&p->rx, t.lane, n);
		return false;
	}
	*l->last = it;
	l->last = &it->next;
	return true;
}

/*
 * The first that the writer does not have. One that has found no room goes
 * alone, since those behind it would only be sent in vain.
 */
static struct in_item *
lane_front(struct in_lane *l)
{
	struct in_item *it = l->first;

	while (it && it->state == ITEM_SENT && !it->no_room)
		it = it->next;
	return it && it->state == ITEM_WAITS ? it : NULL;
}

/* The first item of the lane that can go on now, taken; NULL: none. */
static struct in_item *
lane_next(struct in_lane *l, int64_t now_ms)
{
	struct in_item *it = lane_front(l);

	if (!it || it->retry_at > now_ms)
		return NULL;
	it->state = ITEM_JUDGED;
	return it;
}

/* Judge and hand over; false: it has to wait, and the lane behind it. */
static bool
lane_send(struct in_peer *p, struct in_item *it, int64_t now_ms)
{
	uint64_t round = atomic_load(&p->in->trust_rounds);
	enum tocsin_err err = in_judge(it, now_ms);

	if (!err) {
		it->job = (struct job){ .weight = it->bytes.n + 256,
			.posts = it->lane != LANE_BULK,
			.apply = in_item_apply,
			.done = item_done };
		pthread_mutex_lock(&p->lock);
		it->state = ITEM_SENT;
		it->held = false;
		pthread_mutex_unlock(&p->lock);
		err = writer_submit(p->in->b->writer, &it->job);
	}
	if (!err)
		return true;
	pthread_mutex_lock(&p->lock);
	it->state = ITEM_WAITS;
	it->held = in_transient(it, err);
	it->retry_at = in_retry_after(it, err, now_ms);
	if (round != atomic_load(&p->in->trust_rounds))
		it->retry_at = 0; /* judged by what we no longer believe */
	pthread_mutex_unlock(&p->lock);
	if (in_wants_trust(it, err))
		relay_behind(p->in->b->relay, p->who.broker);
	return false;
}

void
in_lane_run(struct in_peer *p, unsigned lane)
{
	struct in_lane *l = &p->lane[lane];
	bool waits = false;
	struct in_item *it;

	pthread_mutex_lock(&p->lock);
	if (l->busy) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	l->busy = true;
	pthread_mutex_unlock(&p->lock);
	in_early_run(p, lane);
	pthread_mutex_lock(&p->lock);
	while ((it = lane_next(l, clock_ms()))) {
		pthread_mutex_unlock(&p->lock);
		if (!lane_send(p, it, clock_ms()))
			waits = true;
		pthread_mutex_lock(&p->lock);
	}
	l->busy = false;
	pthread_mutex_unlock(&p->lock);
	if (waits)
		relay_poke(p->in->b->relay);
}

int64_t
in_lane_due(struct in_peer *p, unsigned lane)
{
	struct in_item *it;
	int64_t at = INT64_MAX;

	pthread_mutex_lock(&p->lock);
	it = lane_front(&p->lane[lane]);
	if (it)
		at = it->retry_at;
	pthread_mutex_unlock(&p->lock);
	return at;
}

void
in_lanes_retry(struct in_peer *p)
{
	struct in_item *it;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		for (it = p->lane[i].first; it; it = it->next)
			if (it->state == ITEM_WAITS)
				it->retry_at = 0;
}

bool
in_lanes_lack(struct in_peer *p)
{
	bool lack = false;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < LANE_BULK && !lack; i++)
		lack = p->lane[i].first || lane_rx_lacks(&p->rx, i);
	pthread_mutex_unlock(&p->lock);
	return lack;
}

/* ---- life ---- */

void
in_lanes_init(struct in_peer *p)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		p->lane[i].last = &p->lane[i].first;
}

void
in_lanes_release(struct in_peer *p)
{
	struct in_item *it, *next;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		keep_free(p->lane[i].keep);
		for (it = p->lane[i].first; it; it = next) {
			next = it->next;
			item_free(it);
		}
	}
}
