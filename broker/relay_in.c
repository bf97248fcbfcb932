/* SPDX-License-Identifier: ISC */
#include "broker/relay_in.h"

#include "broker/accept.h"
#include "broker/clock.h"
#include "broker/cursor.h"
#include "broker/in_judge.h"
#include "broker/in_lane.h"
#include "broker/relay.h"
#include "crypto/relay_frame.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

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
	struct in_keep *keep = NULL;
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
		ready = in_lane_take(p, &piece);
		keep = in_keep_make(p, piece.lane);
		now = in_tell_now(p, clock_ms(), &later);
		link = in_link_name(p);
		count_waste(b, p);
	}
	pthread_mutex_unlock(&p->lock);
	in_keep_send(p, keep);
	if (ready)
		in_lane_run(p, piece.lane);
	in_tell(p, now, later, &link);
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

	if (!p)
		return err;
	p->in = in;
	p->who = *who;
	in_lanes_init(p);
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
	m->accept = *in_accept(p);
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
			at->full = r->b->full;
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

	pthread_mutex_lock(&p->lock);
	if (p->open && !still_peer(p->in->b, t, p)) {
		p->open = false;
		old.n = RELAY_LINK;
		memcpy(old.bytes, p->link, RELAY_LINK);
		sodium_memzero(p->key, sizeof(p->key));
	}
	in_lanes_retry(p);
	pthread_mutex_unlock(&p->lock);
	link_drop(p->in->b, &old);
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
		int64_t due = in_tell_due(p, now_ms);

		next = due < next ? due : next;
		if (trust_changed)
			peer_recheck(p, t);
		for (i = 0; i < LANE_COUNT; i++) {
			int64_t at = in_lane_due(p, i);

			if (at <= now_ms) {
				in_lane_run(p, i);
				at = in_lane_due(p, i);
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
	accept_all(&in->home);
	in->home.part = b->conf.part_max;
	pthread_mutex_init(&in->lock, NULL);
	*out = in;
	return TOCSIN_OK;
}

void
relay_in_free(struct relay_in *in)
{
	struct in_peer *p, *next;

	if (!in)
		return;
	for (p = in->peers; p; p = next) {
		next = p->next;
		in_lanes_release(p);
		lane_rx_release(&p->rx);
		pthread_mutex_destroy(&p->lock);
		sodium_memzero(p, sizeof(*p));
		free(p);
	}
	pthread_mutex_destroy(&in->lock);
	free(in);
}
