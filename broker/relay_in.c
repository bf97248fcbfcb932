/* SPDX-License-Identifier: ISC */
#include "broker/relay_in.h"

#include "broker/clock.h"
#include "broker/cursor.h"
#include "broker/intake.h"
#include "broker/item.h"
#include "broker/lane.h"
#include "broker/log.h"
#include "broker/receipts.h"
#include "broker/relay.h"
#include "broker/value.h"
#include "crypto/relay_frame.h"
#include "crypto/ticket.h"
#include "crypto/window.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 50	   /* the writer was busy */
#define RETRY_FULL_MS 1000 /* the disk was full */
#define RETRY_CLOCK_MS 1000
#define RETRY_PART_MS 200  /* the ticket that names a part is not here yet */
#define HOLD_RECEIPT_MS 3000

enum item_state {
	ITEM_WAITS,  /* to be judged, or judged again at retry_at */
	ITEM_JUDGED, /* somebody is at it */
	ITEM_SENT,   /* the writer has it */
};

/* An entry that came whole, or a range of a part. */
struct item {
	struct job job;
	struct item *next;
	struct in_peer *peer;
	unsigned lane;
	uint64_t item;
	uint8_t kind;
	uint64_t total;
	uint64_t offset; /* of a range */
	struct buf bytes;

	enum item_state state;
	int64_t retry_at; /* ms; 0: now */
	int64_t give_up;  /* 0: it did not have to wait yet */
	struct intake *in;
	enum tocsin_err pass; /* judged: it is passed over for that */
	struct intake_refused who;
	uint8_t mark[TALLY_MARK]; /* of an entry, once judged */

	/* set by apply */
	enum tocsin_err passed;
	struct lane_pos reached;
	uint8_t tally[TALLY_HASH];
};

/* The beginning of an entry, on its way to the disk. */
struct keep {
	struct job job;
	struct in_peer *peer;
	unsigned lane;
	uint64_t item;
	uint8_t kind;
	uint64_t total;
	uint64_t from;
	struct buf bytes;
	struct lane_pos reached; /* by apply */
};

struct in_lane {
	struct item *first;
	struct item **last;
	bool busy; /* somebody judges: one at a time, to keep the order */
	struct keep *keep; /* the beginning of an entry goes to disk */
};

/* A broker that sends to us. Once made, it stays. */
struct in_peer {
	struct in_peer *next;
	struct relay_in *in;
	struct trust_who who; /* the nation under the lock, by peer_who() */

	pthread_mutex_t lock; /* what follows */
	bool open;
	uint8_t link[RELAY_LINK];
	uint8_t key[32];
	struct window window;
	struct lane_rx rx;
	uint64_t repeated, unused; /* bytes in vain, since the start */
	uint32_t news;		   /* bytes that the peer wants a word for */
	int64_t tell_at; /* ms: look whether to wake who waits; 0: no need */
	struct in_lane lane[LANE_COUNT];
};

struct relay_in {
	struct broker *b;
	pthread_mutex_t lock; /* the list; before a peer's */
	struct in_peer *peers;
	atomic_uint_fast64_t trust_rounds; /* how often what waits was freed */
};

/* ---- items ---- */

static void
item_free(struct item *it)
{
	if (!it)
		return;
	intake_free(it->in);
	buf_release(&it->bytes);
	free(it);
}

/* A roster can move a broker to another nation; its name is what it is. */
static struct trust_who
peer_who(struct in_peer *p)
{
	struct trust_who who;

	pthread_mutex_lock(&p->lock);
	who = p->who;
	pthread_mutex_unlock(&p->lock);
	return who;
}

/*
 * What may be cured by a roster or announcement that is on its way. A roster
 * may bring another root or receipt key too; a ticket's key comes before it.
 */
static bool
transient(const struct item *it, enum tocsin_err err)
{
	return err == TOCSIN_EROSTERUNKNOWN || err == TOCSIN_ENOTENROLLED ||
	       err == TOCSIN_EKEYSEXPIRED || err == TOCSIN_ECLOCKSKEW ||
	       (err == TOCSIN_EBADSIGNATURE && it->kind != STORE_TICKET);
}

/*
 * Another broker of our nation hands on receipts, and one may overtake, in a
 * faster lane, the ticket that it is about.
 */
static bool
overtakes(const struct item *it, enum tocsin_err err)
{
	struct trust_who who;

	if (err != TOCSIN_ENOTFOUND || it->kind != STORE_RECEIPT)
		return false;
	who = peer_who(it->peer);
	return strcmp(who.nation, it->peer->in->b->conf.nation) == 0;
}

/*
 * What says nothing about the item. Under an expired roster no ticket is good,
 * and if it is our clock that is wrong, all that comes meanwhile would be gone.
 */
static bool
ours(enum tocsin_err err)
{
	return err == TOCSIN_EINTERNAL || err == TOCSIN_EBUSY ||
	       err == TOCSIN_ENOSPACE || err == TOCSIN_EUNAVAILABLE ||
	       err == TOCSIN_EROSTEREXPIRED;
}

/* Another time by our clock, and it may be good; nothing tells us of that. */
static bool
by_clock(enum tocsin_err err)
{
	return err == TOCSIN_ECLOCKSKEW || err == TOCSIN_EKEYSEXPIRED ||
	       err == TOCSIN_EROSTEREXPIRED;
}

static void
log_pass(const struct item *it, enum tocsin_err why)
{
	static struct log_limit limit = LOG_LIMIT(50, 60000);
	struct span id = span_cut(
	    SPAN(it->who.id), 0, it->who.known ? sizeof(it->who.id) : 0);

	log_limited(&limit, LOG_WARN, "relay-refused",
	    LOG_Z("peer", it->peer->who.broker), LOG_U("lane", it->lane),
	    LOG_U("item", it->item), LOG_U("kind", it->kind),
	    LOG_S("from", span_of(it->who.member)), LOG_X("id", id),
	    LOG_ERR(why));
}

/* ---- judging: pure, outside of locks ---- */

/*
 * Whether we take a ticket from abroad. A body that was not shipped, because we
 * said that we don't, is no reason of its own.
 */
static enum tocsin_err
judge_accept(const struct broker *b, const struct item_entry *e)
{
	struct ticket t;
	struct note n;
	enum tocsin_err err = ticket_parse(&t, &n, e->note);

	if (!err)
		err = accept_ticket(&b->conf.accept, &t);
	return !err && e->body.n == 0 ? TOCSIN_EMALFORMED : err;
}

static enum tocsin_err
judge_entry(struct item *it, struct broker *b)
{
	struct trust_who who = peer_who(it->peer);
	struct intake_source src = { .kind = INTAKE_PEER, .who = &who };
	struct item_entry e;
	struct trust *t;
	enum tocsin_err err = item_entry_parse(&e, buf_span(&it->bytes));

	if (err)
		return err;
	tally_mark(it->mark, e.note);
	if (e.gone)
		return TOCSIN_ENOTFOUND;
	if (it->kind < STORE_TICKET || it->kind > STORE_RECEIPT)
		return TOCSIN_EMALFORMED;
	t = trust_get(b->trust);
	err = intake_judge(&it->in, b, t, &src, (enum store_kind)it->kind,
	    e.note, e.body, clock_now(), &it->who);
	trust_put(t);
	if (it->kind == STORE_TICKET &&
	    (!err || (it->who.known && e.body.n == 0)))
		err = judge_accept(b, &e);
	return err;
}

static enum tocsin_err
judge_range(const struct item *it, const struct broker *b)
{
	if (it->kind != RELAY_PART || it->total < ITEM_HASH)
		return TOCSIN_EMALFORMED;
	if (it->offset < ITEM_HASH && it->offset > 0)
		return TOCSIN_EMALFORMED;
	if (it->offset == 0 && it->bytes.n < ITEM_HASH)
		return TOCSIN_EMALFORMED;
	if (it->total == ITEM_HASH)
		return TOCSIN_ENOTFOUND; /* gone; no part is empty */
	if (it->total - ITEM_HASH > b->conf.accept.part)
		return TOCSIN_ETOOLARGE;
	return TOCSIN_OK;
}

/* All before it in its lane are stored, or were passed over. */
static bool
is_first(const struct item *it)
{
	struct in_peer *p = it->peer;
	bool first;

	pthread_mutex_lock(&p->lock);
	first = p->lane[it->lane].first == it;
	pthread_mutex_unlock(&p->lock);
	return first;
}

/* OK: to the writer with it, be it to be passed over. Else it waits. */
static enum tocsin_err
judge(struct item *it, int64_t now_ms)
{
	enum tocsin_err err = it->pass;

	if (err)
		return TOCSIN_OK;
	intake_free(it->in);
	it->in = NULL;
	err = it->lane == LANE_BULK ? judge_range(it, it->peer->in->b)
				    : judge_entry(it, it->peer->in->b);
	if (ours(err))
		return err;
	if (transient(it, err) && it->give_up == 0)
		it->give_up = now_ms + RELAY_HOLD_MS;
	if (overtakes(it, err) && !is_first(it))
		return err; /* what it is about may be on its way to the disk */
	if (overtakes(it, err) && it->give_up == 0)
		it->give_up = now_ms + HOLD_RECEIPT_MS;
	if ((transient(it, err) || overtakes(it, err)) && now_ms < it->give_up)
		return err;
	it->pass = err;
	return TOCSIN_OK;
}

/* ---- applying: in the writer ---- */

/* The sender of a ticket that was good until it met the log. */
static void
name_sender(struct item *it)
{
	struct item_entry e;
	struct ticket t;
	struct note n;

	if (it->who.known || it->kind != STORE_TICKET ||
	    item_entry_parse(&e, buf_span(&it->bytes)) != TOCSIN_OK ||
	    ticket_parse(&t, &n, e.note) != TOCSIN_OK)
		return;
	it->who.known = true;
	memcpy(it->who.id, t.id, ID_LEN);
	memcpy(it->who.member, t.from.p, t.from.n);
	it->who.member[t.from.n] = '\0';
}

static enum tocsin_err
pass_over(struct item *it, struct batch *batch, enum tocsin_err why)
{
	it->passed = why;
	it->reached = (struct lane_pos){ it->item, 0 };
	if (!it->who.known || why == TOCSIN_EDUPLICATE)
		return TOCSIN_OK;
	return receipts_refused(
	    batch->receipts, span_of(it->who.member), it->who.id, why);
}

static enum tocsin_err
apply_entry(struct item *it, struct batch *batch)
{
	enum tocsin_err err;
	uint64_t seq;

	if (it->pass)
		return pass_over(it, batch, it->pass);
	err = intake_apply(it->in, batch, &seq);
	if (err == TOCSIN_OK || err == TOCSIN_EDUPLICATE) {
		it->reached = (struct lane_pos){ it->item, 0 };
		return TOCSIN_OK;
	}
	if (ours(err))
		return err;
	if (transient(it, err)) {
		int64_t now = clock_ms();

		if (it->give_up == 0)
			it->give_up = now + RELAY_HOLD_MS;
		if (now < it->give_up)
			return err;
	}
	name_sender(it);
	return pass_over(it, batch, err);
}

/* A range whose place is ours: write it, or find that there is no need. */
static enum tocsin_err
write_range(struct item *it, struct batch *batch, struct cursor *c)
{
	struct span bytes = buf_span(&it->bytes);
	uint64_t from = it->offset, have;
	struct store_part part;
	enum tocsin_err err;

	if (from == 0) {
		memcpy(c->hash, bytes.p, ITEM_HASH);
		c->kind = RELAY_PART;
		c->total = it->total;
		bytes = span_cut(bytes, ITEM_HASH, bytes.n);
		from = ITEM_HASH;
	}
	err = store_part_stat(batch->view, c->hash, &part);
	if (err)
		return err;
	if (part.total != it->total - ITEM_HASH)
		return TOCSIN_EBODYMISMATCH;
	if (part.have < from - ITEM_HASH) /* it was emptied meanwhile */
		return TOCSIN_EBODYMISMATCH;
	have = part.have;
	if (!part.complete && have < from - ITEM_HASH + bytes.n) {
		bytes = span_cut(
		    bytes, (size_t)(have - (from - ITEM_HASH)), bytes.n);
		err = store_part_write(batch->tx, c->hash, have, bytes, &have);
		if (!err && have == part.total)
			err = intake_part_complete(batch, c->hash);
		if (err)
			return err;
	}
	it->reached = (struct lane_pos){ it->item - 1, ITEM_HASH + have };
	if (part.complete || have == part.total)
		it->reached = (struct lane_pos){ it->item, 0 };
	return TOCSIN_OK;
}

static enum tocsin_err
apply_range(struct item *it, struct batch *batch, struct cursor *c)
{
	enum tocsin_err err = it->pass;

	if (it->offset > c->at.offset)
		return TOCSIN_EBUSY; /* what was before it is not written */
	if (!err)
		err = write_range(it, batch, c);
	if (err == TOCSIN_OK || ours(err))
		return err;
	if (err == TOCSIN_ENOTFOUND && !it->pass) {
		int64_t now = clock_ms();

		if (it->give_up == 0)
			it->give_up = now + RELAY_HOLD_MS;
		if (now < it->give_up)
			return err;
	}
	return pass_over(it, batch, err);
}

/* Also one that is passed over: what was sent is compared, not what it was. */
static void
count_item(struct cursor *c, const struct item *it)
{
	struct tally t = { .n = c->at.item };
	const uint8_t *mark = it->mark;

	if (it->lane == LANE_BULK && it->offset > 0)
		mark = c->hash;
	else if (it->lane == LANE_BULK && it->bytes.n >= TALLY_MARK)
		mark = it->bytes.p;
	memcpy(t.hash, c->tally, sizeof(t.hash));
	tally_add(&t, mark);
	memcpy(c->tally, t.hash, sizeof(c->tally));
}

/* With the cursor in the same transaction, each item is stored once. */
static enum tocsin_err
item_apply(struct job *job, struct batch *batch)
{
	struct item *it = (struct item *)job;
	const char *peer = it->peer->who.broker;
	struct cursor c;
	enum tocsin_err err = cursor_get(&c, batch->view, peer, it->lane);

	it->passed = TOCSIN_OK;
	if (err)
		return err;
	it->reached = c.at;
	memcpy(it->tally, c.tally, sizeof(it->tally));
	if (it->item <= c.at.item)
		return TOCSIN_OK;
	if (it->item > c.at.item + 1)
		return TOCSIN_EBUSY;
	err = it->lane == LANE_BULK ? apply_range(it, batch, &c)
				    : apply_entry(it, batch);
	if (!err && it->lane != LANE_BULK)
		err = cursor_drop(&c, batch->tx); /* it is here as a whole */
	if (err)
		return err;
	if (it->reached.item > c.at.item)
		count_item(&c, it);
	c.at = it->reached;
	memcpy(it->tally, c.tally, sizeof(it->tally));
	return cursor_put(&c, batch->tx, peer, it->lane);
}

/* ---- telling how far we are ---- */

static struct name
link_name(const struct in_peer *p)
{
	struct name link = { .n = RELAY_LINK };

	memcpy(link.bytes, p->link, RELAY_LINK);
	return link;
}

/*
 * After something was taken or stored, under the peer's lock: true if whoever
 * waits is to be woken now. Else *later is set if the relay's thread has to be
 * told that it is to be done in a moment.
 */
static bool
tell_now(struct in_peer *p, int64_t now_ms, bool *later)
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

static void
tell(struct in_peer *p, bool now, bool later, const struct name *link)
{
	if (now)
		parks_wake_one(
		    p->in->b->parks, (struct span){ link->bytes, link->n });
	else if (later)
		relay_poke(p->in->b->relay);
}

/* In the relay's thread; when to look again. */
static int64_t
tell_due(struct in_peer *p, int64_t now_ms)
{
	struct name link;
	bool now = false, later;
	int64_t at;

	pthread_mutex_lock(&p->lock);
	link = link_name(p);
	if (p->tell_at > 0 && p->tell_at <= now_ms) {
		p->tell_at = 0;
		now = tell_now(p, now_ms, &later);
	}
	at = p->tell_at > 0 ? p->tell_at : INT64_MAX;
	pthread_mutex_unlock(&p->lock);
	tell(p, now, false, &link);
	return at;
}

/* ---- beginnings of entries ---- */

/* Nothing to do: the entry is whole already, or the lane elsewhere. */
static enum tocsin_err
keep_apply(struct job *job, struct batch *batch)
{
	struct keep *k = (struct keep *)job;
	const char *peer = k->peer->who.broker;
	struct cursor c;
	enum tocsin_err err = cursor_get(&c, batch->view, peer, k->lane);

	k->reached = c.at;
	if (err || c.at.item != k->item - 1)
		return err;
	err = cursor_begin(&c, batch->tx, peer, k->lane, k->kind, k->total,
	    k->from, buf_span(&k->bytes));
	if (err)
		return err;
	k->reached = c.at;
	return cursor_put(&c, batch->tx, peer, k->lane);
}

static void
keep_free(struct keep *k)
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
	struct keep *k = (struct keep *)job;
	struct in_peer *p = k->peer;

	pthread_mutex_lock(&p->lock);
	p->lane[k->lane].keep = NULL;
	if (!err)
		lane_rx_durable(&p->rx, k->lane, k->reached, 0);
	pthread_mutex_unlock(&p->lock);
	keep_free(k);
}

/* Under the peer's lock: what is to be written now, or NULL. */
static struct keep *
keep_make(struct in_peer *p, unsigned lane)
{
	const struct lane_rx_lane *l = &p->rx.lane[lane];
	struct keep *k;

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
		.apply = keep_apply,
		.done = keep_done };
	if (!buf_ok(&k->bytes)) {
		keep_free(k);
		return NULL;
	}
	p->lane[lane].keep = k;
	return k;
}

static void
keep_send(struct in_peer *p, struct keep *k)
{
	if (!k || writer_submit(p->in->b->writer, &k->job) == TOCSIN_OK)
		return;
	pthread_mutex_lock(&p->lock);
	p->lane[k->lane].keep = NULL;
	pthread_mutex_unlock(&p->lock);
	keep_free(k);
}

/* ---- from the callback to the writer ---- */

static void item_done(struct job *job, enum tocsin_err err);

/* The first item of the lane that can go on now, taken; NULL: none. */
static struct item *
lane_next(struct in_lane *l, int64_t now_ms)
{
	struct item *it = l->first;

	while (it && it->state == ITEM_SENT)
		it = it->next;
	if (!it || it->retry_at > now_ms)
		return NULL;
	it->state = ITEM_JUDGED;
	return it;
}

/* A roster may be behind what is held, where there is no room for it. */
static bool
wants_trust(const struct item *it, enum tocsin_err err)
{
	return err == TOCSIN_EROSTEREXPIRED ||
	       (transient(it, err) && err != TOCSIN_ECLOCKSKEW);
}

static int64_t
retry_after(const struct item *it, enum tocsin_err err, int64_t now_ms)
{
	if (err == TOCSIN_ENOSPACE)
		return now_ms + RETRY_FULL_MS;
	if (by_clock(err) &&
	    (ours(err) || it->give_up > now_ms + RETRY_CLOCK_MS))
		return now_ms + RETRY_CLOCK_MS;
	if (transient(it, err)) /* or when trust changes */
		return it->give_up;
	if (err == TOCSIN_ENOTFOUND)
		return now_ms + RETRY_PART_MS;
	return now_ms + RETRY_MS;
}

/* Judge and hand over; false: it has to wait, and the lane behind it. */
static bool
lane_send(struct in_peer *p, struct item *it, int64_t now_ms)
{
	uint64_t round = atomic_load(&p->in->trust_rounds);
	enum tocsin_err err = judge(it, now_ms);

	if (!err) {
		it->job = (struct job){ .weight = it->bytes.n + 256,
			.posts = it->lane != LANE_BULK,
			.apply = item_apply,
			.done = item_done };
		pthread_mutex_lock(&p->lock);
		it->state = ITEM_SENT;
		pthread_mutex_unlock(&p->lock);
		err = writer_submit(p->in->b->writer, &it->job);
	}
	if (!err)
		return true;
	pthread_mutex_lock(&p->lock);
	it->state = ITEM_WAITS;
	it->retry_at = retry_after(it, err, now_ms);
	if (round != atomic_load(&p->in->trust_rounds))
		it->retry_at = 0; /* judged by what we no longer believe */
	pthread_mutex_unlock(&p->lock);
	if (wants_trust(it, err))
		relay_behind(p->in->b->relay, p->who.broker);
	return false;
}

/* One thread at a time does a lane; whoever comes meanwhile leaves it to it. */
static void
lane_run(struct in_peer *p, unsigned lane)
{
	struct in_lane *l = &p->lane[lane];
	bool waits = false;
	struct item *it;

	pthread_mutex_lock(&p->lock);
	if (l->busy) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	l->busy = true;
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

static void
lane_remove(struct in_lane *l, struct item *it)
{
	struct item **at = &l->first;

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
	struct item *it = (struct item *)job;
	struct in_peer *p = it->peer;
	struct broker *b = p->in->b;
	bool now = false, later = false;
	struct name link;

	if (!err && it->lane != LANE_BULK)
		broker_count(b, BROKER_relay_items_in);
	pthread_mutex_lock(&p->lock);
	link = link_name(p);
	if (err) {
		it->state = ITEM_WAITS;
		it->retry_at = retry_after(it, err, clock_ms());
	} else {
		if (it->reached.item > p->rx.lane[it->lane].durable.item)
			memcpy(p->rx.lane[it->lane].tally, it->tally,
			    sizeof(it->tally));
		lane_rx_durable(&p->rx, it->lane, it->reached, it->bytes.n);
		lane_remove(&p->lane[it->lane], it);
		now = tell_now(p, clock_ms(), &later);
	}
	pthread_mutex_unlock(&p->lock);
	if (err) {
		if (wants_trust(it, err))
			relay_behind(b->relay, p->who.broker);
		relay_poke(b->relay);
		return;
	}
	tell(p, now, later, &link);
	if (it->passed && it->passed != TOCSIN_EDUPLICATE) {
		broker_count(b, BROKER_relay_items_refused);
		log_pass(it, it->passed);
	}
	item_free(it);
}

/* ---- frames ---- */

/* Links are few, and ids are random: it need not be constant in time. */
static struct in_peer *
peer_of_link(struct relay_in *in, const uint8_t link[RELAY_LINK])
{
	struct in_peer *p;
	bool is = false;

	pthread_mutex_lock(&in->lock);
	p = in->peers;
	pthread_mutex_unlock(&in->lock);
	for (; p; p = p->next) { /* nobody leaves the list */
		pthread_mutex_lock(&p->lock);
		is = p->open && memcmp(p->link, link, RELAY_LINK) == 0;
		pthread_mutex_unlock(&p->lock);
		if (is)
			return p;
	}
	return NULL;
}

/* Under the lock. The item that a piece made ready, or NULL. */
static struct item *
item_make(struct in_peer *p, enum lane_got got, struct lane_take *t)
{
	struct item *it = calloc(1, sizeof(*it));

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

/* True if the lane has something to be judged. */
static bool
take_piece(struct in_peer *p, const struct relay_piece *piece)
{
	struct in_lane *l = &p->lane[piece->lane];
	struct lane_take t = { 0 };
	enum lane_got got = lane_rx_piece(&p->rx, piece, &t);
	struct item *it;
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

/* What came in vain: it was here, or something before it is missing. */
static void
count_waste(struct broker *b, struct in_peer *p)
{
	struct lane_rx *rx = &p->rx;

	p->repeated += rx->repeated;
	p->unused += rx->unused;
	count_more(b->count, BROKER_relay_repeated_bytes, rx->repeated);
	count_more(b->count, BROKER_relay_unused_bytes, rx->unused);
	rx->repeated = rx->unused = 0;
}

static void
take_frame(struct broker *b, struct in_peer *p, const struct relay_frame *f)
{
	struct buf plain = { .max = RELAY_FRAME_MAX };
	struct relay_piece piece;
	struct name link = { .n = RELAY_LINK };
	uint8_t key[32];
	bool fresh, ready = false, now = false, later = false;
	struct keep *keep = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(&p->lock);
	fresh = window_check(&p->window, f->counter) == WINDOW_NEW;
	memcpy(key, p->key, sizeof(key));
	pthread_mutex_unlock(&p->lock);
	err = fresh ? relay_frame_open(&piece, &plain, f, key)
		    : TOCSIN_EDUPLICATE;
	sodium_memzero(key, sizeof(key));
	if (err) {
		broker_count(b, BROKER_relay_bad_frames);
		goto out;
	}
	pthread_mutex_lock(&p->lock);
	if (memcmp(p->link, f->link, RELAY_LINK) == 0 &&
	    window_mark(&p->window, f->counter) == WINDOW_NEW) {
		ready = take_piece(p, &piece);
		keep = keep_make(p, piece.lane);
		now = tell_now(p, clock_ms(), &later);
		link = link_name(p);
		count_waste(b, p);
	}
	pthread_mutex_unlock(&p->lock);
	keep_send(p, keep);
	if (ready)
		lane_run(p, piece.lane);
	tell(p, now, later, &link);
out:
	buf_release(&plain);
}

void
relay_frame(struct broker *b, struct span frame)
{
	struct relay_frame f;
	struct in_peer *p = NULL;

	if (b->relay && relay_frame_parse(&f, frame) == TOCSIN_OK)
		p = peer_of_link(relay_receiver(b->relay), f.link);
	if (p)
		take_frame(b, p, &f);
	else
		broker_count(b, BROKER_relay_bad_frames);
}

/* ---- relay.open ---- */

/* One that cannot be read has to come again; its cursor says so then. */
static enum tocsin_err
resume(struct in_peer *p, struct store_rx *rx, unsigned lane,
    const struct cursor *c)
{
	struct buf bytes = { .max = LANE_ITEM_MAX };
	enum tocsin_err err = TOCSIN_OK;

	if (c->at.offset == 0)
		return TOCSIN_OK;
	if (lane != LANE_BULK)
		err = cursor_beginning(c, rx, &bytes);
	if (!err)
		lane_rx_resume(
		    &p->rx, lane, c->kind, c->total, c->at.offset, &bytes);
	buf_release(&bytes);
	return err == TOCSIN_EINTERNAL ? err : TOCSIN_OK;
}

static enum tocsin_err
load_cursors(struct in_peer *p, const char *name)
{
	struct msg_cursors at = { 0 };
	struct cursor c[LANE_COUNT];
	struct store_rx *rx;
	unsigned i;
	enum tocsin_err err = store_read(p->in->b->store, &rx);

	if (err)
		return err;
	for (i = 0; i < LANE_COUNT && !err; i++) {
		err = cursor_get(&c[i], rx, name, i);
		at.item[i] = c[i].at.item;
		at.offset[i] = c[i].at.offset;
	}
	if (!err)
		lane_rx_open(&p->rx, &at, p->in->b->conf.relay_window);
	for (i = 0; i < LANE_COUNT && !err; i++) {
		memcpy(p->rx.lane[i].tally, c[i].tally, sizeof(c[i].tally));
		err = resume(p, rx, i, &c[i]);
	}
	store_read_end(rx);
	return err;
}

static enum tocsin_err
peer_new(struct in_peer **out, struct relay_in *in, const struct trust_who *who)
{
	struct in_peer *p = calloc(1, sizeof(*p));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	unsigned i;

	if (!p)
		return err;
	p->in = in;
	p->who = *who;
	for (i = 0; i < LANE_COUNT; i++)
		p->lane[i].last = &p->lane[i].first;
	err = load_cursors(p, who->broker);
	if (err) {
		free(p);
		return err;
	}
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return TOCSIN_OK;
}

/* Under the list's lock, so that a peer is made once. */
static enum tocsin_err
peer_get(struct in_peer **out, struct relay_in *in, const struct trust_who *who)
{
	struct in_peer *p;
	enum tocsin_err err = TOCSIN_OK;

	pthread_mutex_lock(&in->lock);
	for (p = in->peers; p; p = p->next)
		if (strcmp(p->who.broker, who->broker) == 0)
			break;
	if (p) { /* what still waits is judged as of where it is now */
		pthread_mutex_lock(&p->lock);
		p->who = *who;
		pthread_mutex_unlock(&p->lock);
	} else {
		err = peer_new(&p, in, who);
		if (!err) {
			p->next = in->peers;
			in->peers = p;
		}
	}
	pthread_mutex_unlock(&in->lock);
	*out = p;
	return err;
}

/* A new link instead of the old one; *old is that one, n 0: there was none. */
static enum tocsin_err
link_replace(struct in_peer *p, struct msg_relay *m, struct name *old)
{
	struct broker *b = p->in->b;
	unsigned i;
	enum tocsin_err err;

	randombytes_buf(m->link, sizeof(m->link));
	randombytes_buf(m->key, sizeof(m->key));
	m->window = b->conf.relay_window;
	m->accept = b->conf.accept;
	m->waits = b->conf.parks_per_device < 255
		       ? (uint8_t)b->conf.parks_per_device
		       : 255;
	err = net_subscribe(b->net, m->link);
	if (err)
		return err;
	pthread_mutex_lock(&p->lock);
	if (p->open) {
		old->n = RELAY_LINK;
		memcpy(old->bytes, p->link, RELAY_LINK);
	}
	memcpy(p->link, m->link, sizeof(p->link));
	memcpy(p->key, m->key, sizeof(p->key));
	memset(&p->window, 0, sizeof(p->window));
	p->open = true;
	p->tell_at = 0;
	lane_rx_relink(&p->rx, &m->at, &m->from);
	for (i = 0; i < LANE_COUNT; i++)
		memcpy(m->tally[i], p->rx.lane[i].tally, sizeof(m->tally[i]));
	pthread_mutex_unlock(&p->lock);
	return TOCSIN_OK;
}

/* Whoever is parked on the link hears that it is no more. */
static void
link_drop(struct broker *b, const struct name *link)
{
	if (link->n == 0)
		return;
	net_unsubscribe(b->net, link->bytes);
	parks_wake_one(b->parks, (struct span){ link->bytes, link->n });
}

void
op_relay_open(struct request *r, struct span body)
{
	struct broker *b = r->b;
	struct relay_in *in = relay_receiver(b->relay);
	struct buf reply = { .max = MSG_MAX };
	struct msg_relay m = { 0 };
	struct name old = { 0 };
	struct in_peer *p = NULL;
	char peer[LABEL_MAX + 1];
	enum tocsin_err err = TOCSIN_EMALFORMED;

	if (body.n == 0)
		err = peer_get(&p, in, &r->who);
	if (!err)
		err = link_replace(p, &m, &old);
	if (err) {
		request_refuse(r, err, 1000, NULL);
		return;
	}
	link_drop(b, &old);
	memcpy(peer, r->who.broker, sizeof(peer));
	msg_accept(&reply);
	msg_relay_encode(&reply, &m);
	request_answer(r, &reply);
	buf_release(&reply);
	sodium_memzero(&m, sizeof(m));
	relay_alive(b->relay, peer, false);
}

/* ---- relay.wait ---- */

enum look { LOOK_NONE, LOOK_NEWS, LOOK_GONE };

static enum look
look(struct request *r, const struct msg_relay_wait *m, bool force,
    struct msg_relay_at *at)
{
	struct in_peer *p = peer_of_link(relay_receiver(r->b->relay), m->link);
	enum look seen = LOOK_GONE;
	int64_t now_ms = clock_ms();

	if (!p || strcmp(p->who.broker, r->who.broker) != 0)
		return LOOK_GONE;
	pthread_mutex_lock(&p->lock);
	if (p->open && memcmp(p->link, m->link, RELAY_LINK) == 0) {
		seen = LOOK_NONE;
		p->news = m->bytes;
		if (force || lane_rx_news(&p->rx, m->bytes, now_ms)) {
			*at = lane_rx_tell(&p->rx, now_ms);
			seen = LOOK_NEWS;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return seen;
}

/* True if it was answered; then r is done with. */
static bool
wait_answer(struct request *r, const struct msg_relay_wait *m, bool force)
{
	struct buf reply = { .max = MSG_MAX };
	struct msg_relay_at at;
	enum look seen = look(r, m, force, &at);

	if (seen == LOOK_NONE)
		return false;
	if (seen == LOOK_GONE) {
		request_refuse(r, TOCSIN_ENOTFOUND, 0, NULL);
		return true;
	}
	msg_accept(&reply);
	msg_relay_at_encode(&reply, &at);
	request_answer(r, &reply);
	buf_release(&reply);
	return true;
}

static bool
wait_over(struct request *r, enum park_why why)
{
	struct msg_relay_wait *m = r->state;

	if (why == PARK_GONE) {
		r->state = NULL;
		request_drop(r);
	} else {
		r->state = NULL;
		if (!wait_answer(r, m, why != PARK_WOKEN)) {
			r->state = m;
			return false;
		}
	}
	free(m);
	return true;
}

void
op_relay_wait(struct request *r, struct span body)
{
	uint64_t seen = parks_seen(r->b->parks);
	struct msg_relay_wait *m = malloc(sizeof(*m));
	struct name link = { .n = RELAY_LINK };
	enum tocsin_err err = TOCSIN_EBUSY;

	if (m)
		err = msg_relay_wait_decode(m, body);
	if (err) {
		request_refuse(r, err, 0, NULL);
		free(m);
		return;
	}
	if (wait_answer(r, m, false)) {
		free(m);
		return;
	}
	memcpy(link.bytes, m->link, RELAY_LINK);
	r->state = m;
	request_park(r, span_of(r->who.broker),
	    (struct span){ link.bytes, link.n }, m->wait_ms, seen, wait_over);
}

/* ---- what waits ---- */

static bool
still_peer(struct broker *b, const struct trust *t, const struct in_peer *p)
{
	const struct roster_broker *rb =
	    roster_broker(trust_roster(t), span_of(p->who.broker));

	return rb && strcmp(rb->nation, p->who.nation) == 0 &&
	       strcmp(rb->name, b->conf.name) != 0;
}

static void
peer_recheck(struct in_peer *p, const struct trust *t)
{
	struct name old = { 0 };
	unsigned i;

	pthread_mutex_lock(&p->lock);
	if (p->open && !still_peer(p->in->b, t, p)) {
		p->open = false;
		old.n = RELAY_LINK;
		memcpy(old.bytes, p->link, RELAY_LINK);
		sodium_memzero(p->key, sizeof(p->key));
	}
	for (i = 0; i < LANE_COUNT; i++) {
		struct item *it = p->lane[i].first;

		for (; it; it = it->next)
			if (it->state == ITEM_WAITS)
				it->retry_at = 0;
	}
	pthread_mutex_unlock(&p->lock);
	link_drop(p->in->b, &old);
}

/* When the lane's first that waits is due. */
static int64_t
lane_due(struct in_peer *p, unsigned lane)
{
	struct item *it;
	int64_t at = INT64_MAX;

	pthread_mutex_lock(&p->lock);
	it = p->lane[lane].first;
	while (it && it->state == ITEM_SENT)
		it = it->next;
	if (it && it->state == ITEM_WAITS)
		at = it->retry_at;
	pthread_mutex_unlock(&p->lock);
	return at;
}

int64_t
relay_in_look(struct relay_in *in, bool trust_changed, int64_t now_ms)
{
	struct trust *t = NULL;
	int64_t next = INT64_MAX;
	struct in_peer *p;
	unsigned i;

	if (trust_changed) {
		atomic_fetch_add(&in->trust_rounds, 1);
		t = trust_get(in->b->trust);
	}
	pthread_mutex_lock(&in->lock);
	p = in->peers;
	pthread_mutex_unlock(&in->lock);
	for (; p; p = p->next) {
		int64_t due = tell_due(p, now_ms);

		next = due < next ? due : next;
		if (trust_changed)
			peer_recheck(p, t);
		for (i = 0; i < LANE_COUNT; i++) {
			int64_t at = lane_due(p, i);

			if (at <= now_ms) {
				lane_run(p, i);
				at = lane_due(p, i);
			}
			next = at < next ? at : next;
		}
	}
	trust_put(t);
	return next;
}

void
relay_in_waste(
    struct relay_in *in, const char *peer, uint64_t *repeated, uint64_t *unused)
{
	struct in_peer *p;

	pthread_mutex_lock(&in->lock);
	for (p = in->peers; p && strcmp(p->who.broker, peer) != 0; p = p->next)
		;
	pthread_mutex_unlock(&in->lock);
	*repeated = *unused = 0;
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	*repeated = p->repeated;
	*unused = p->unused;
	pthread_mutex_unlock(&p->lock);
}

/* ---- life ---- */

enum tocsin_err
relay_in_new(struct relay_in **out, struct broker *b)
{
	struct relay_in *in = calloc(1, sizeof(*in));

	if (!in)
		return TOCSIN_EINTERNAL;
	in->b = b;
	pthread_mutex_init(&in->lock, NULL);
	*out = in;
	return TOCSIN_OK;
}

void
relay_in_free(struct relay_in *in)
{
	struct in_peer *p, *next;
	struct item *it, *after;
	unsigned i;

	if (!in)
		return;
	for (p = in->peers; p; p = next) {
		next = p->next;
		for (i = 0; i < LANE_COUNT; i++) {
			keep_free(p->lane[i].keep);
			for (it = p->lane[i].first; it; it = after) {
				after = it->next;
				item_free(it);
			}
		}
		lane_rx_release(&p->rx);
		pthread_mutex_destroy(&p->lock);
		sodium_memzero(p, sizeof(*p));
		free(p);
	}
	pthread_mutex_destroy(&in->lock);
	free(in);
}
