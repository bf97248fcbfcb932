/* SPDX-License-Identifier: ISC */
/*
 * When nobody can dial us: over our link to each peer, relay.pull is always
 * parked there. What an answer brings is treated as if it had come over
 * connections of the peer's: a frame as one that was published, a request as
 * one that was sent, and its answer goes back with the next pull.
 */
#include "broker/log.h"
#include "broker/relay_impl.h"

#include <stdlib.h>

#define PULL_WAIT_MS 10000
#define PULL_STEADY 2 /* parked there, so that one is there while one comes */
#define REFUSED_MS 10000
#define REQUESTS 128 /* of one peer at once, as over a link of its own */

struct reply {
	struct reply *next;
	uint64_t call;
	struct buf frame;
};

/* A request of a peer; it is its own place in memory until it is answered. */
struct fetched {
	struct request r; /* first */
	struct relay *relay;
	struct relay_peer *peer;
	struct reply *reply;
};

static void
reply_free(struct reply *x)
{
	buf_release(&x->frame);
	free(x);
}

/* In any thread. An empty frame, or one that no pull could carry: none. */
static void
fetched_send(struct request *request, struct span frame)
{
	struct fetched *f = (struct fetched *)request;
	struct reply *x = f->reply;
	struct fetch *q = &f->peer->fetch;
	struct relay *r = f->relay;

	bool none;

	free(f);
	buf_add(&x->frame, frame);
	none = frame.n == 0 || !buf_ok(&x->frame);
	pthread_mutex_lock(&r->lock);
	if (none) {
		q->nreplies--;
	} else {
		*q->last = x;
		q->last = &x->next;
		r->replied = true;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	if (none)
		reply_free(x);
}

/* What is more than the bound is as lost on the way. */
static bool
admit(struct relay *r, struct fetch *q)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = q->nreplies < REQUESTS;
	if (room)
		q->nreplies++;
	pthread_mutex_unlock(&r->lock);
	return room;
}

static void
fetched_request(
    struct relay *r, struct relay_peer *p, const struct msg_parcel *m)
{
	struct fetched *f = calloc(1, sizeof(*f));
	struct reply *x = calloc(1, sizeof(*x));

	if (!f || !x || !admit(r, &p->fetch)) {
		free(f);
		free(x);
		return;
	}
	x->call = m->call;
	x->frame.max = MSG_MAX - 64; /* with what is around it in a pull */
	f->r.b = r->b;
	f->r.send = fetched_send;
	f->relay = r;
	f->peer = p;
	f->reply = x;
	dispatch_frame(&f->r, m->bytes);
}

/* ---- asking ---- */

static unsigned
pulls_out(const struct relay_peer *p)
{
	unsigned i, n = 0;

	for (i = PEER_PULL; i < PEER_ASKED; i++)
		n += p->asked[i].call != 0;
	return n;
}

/* As many answers as fit. */
static void
take_replies(struct relay *r, struct relay_peer *p, struct buf *parcels)
{
	struct fetch *q = &p->fetch;
	struct reply *x;

	pthread_mutex_lock(&r->lock);
	while ((x = q->first) &&
	       x->frame.n + MSG_PARCEL_HEAD <= MSG_MAX - 32 - parcels->n) {
		struct msg_parcel m = { x->call, buf_span(&x->frame) };

		msg_parcel_encode(parcels, &m);
		q->nreplies--;
		q->first = x->next;
		if (!q->first)
			q->last = &q->first;
		reply_free(x);
	}
	pthread_mutex_unlock(&r->lock);
}

/* The first is answered at once: it says how many may be parked. */
static void
pull(struct relay *r, struct relay_peer *p, int64_t now)
{
	struct msg_pull m = { .wait_ms = p->fetch.fresh ? 0 : PULL_WAIT_MS,
		.bytes = MSG_MAX,
		.fresh = p->fetch.fresh };
	struct buf request = { .max = MSG_MAX }, parcels = { 0 };
	unsigned slot = PEER_PULL;

	while (p->asked[slot].call != 0)
		slot++;
	take_replies(r, p, &parcels);
	m.parcels = buf_span(&parcels);
	msg_pull_encode(&request, &m);
	p->fetch.fresh = false;
	link_ask_in(r, p, slot, buf_span(&request), now);
	buf_release(&request);
	buf_release(&parcels);
}

static bool
has_replies(struct relay *r, const struct relay_peer *p)
{
	bool has;

	pthread_mutex_lock(&r->lock);
	has = p->fetch.first != NULL;
	pthread_mutex_unlock(&r->lock);
	return has;
}

/* One more than may be parked ends the oldest: an answer need not wait. */
static bool
wants(struct relay *r, const struct relay_peer *p)
{
	unsigned out = pulls_out(p), may = p->fetch.pulls;

	if (may == 0)
		return out == 0;
	if (out < PULL_STEADY && out < may)
		return true;
	return out <= may && out < PEER_PULLS && has_replies(r, p);
}

static void
held_drop(struct fetch *q)
{
	unsigned i;

	for (i = 0; i < PEER_PULLS; i++) {
		q->held[i].number = 0;
		buf_release(&q->held[i].parcels);
	}
}

void
fetch_open(struct relay_peer *p)
{
	held_drop(&p->fetch);
	p->fetch.number = 0;
	p->fetch.fresh = true;
	p->fetch.pulls = 0;
	p->fetch.again = 0;
}

void
fetch_step(struct relay *r, struct relay_peer *p, int64_t now)
{
	if (!r->outbound || p->pulled || now < p->fetch.again)
		return;
	while (p->state == PEER_UP && wants(r, p))
		pull(r, p, now);
}

int64_t
fetch_at(const struct relay *r, const struct relay_peer *p)
{
	return r->outbound && p->fetch.again > 0 && pulls_out(p) == 0
		   ? p->fetch.again
		   : INT64_MAX;
}

/* ---- answers ---- */

static bool
refused(enum tocsin_err err)
{
	return err == TOCSIN_ENOTFOUND || err == TOCSIN_EUNSUPPORTED;
}

/* Its roster may be older than ours; if it is the link, a wait says so. */
static void
pause_pulls(struct relay_peer *p, enum tocsin_err err, int64_t now)
{
	static struct log_limit limit = LOG_LIMIT(10, 600000);

	fetch_open(p);
	p->fetch.again = now + REFUSED_MS;
	log_limited(&limit, LOG_WARN, "relay-not-fetched",
	    LOG_Z("peer", p->name), LOG_ERR(err));
}

static void
take_parcels(struct relay *r, struct relay_peer *p, struct span parcels)
{
	struct msg_parcel one;

	while (msg_parcel_take(&one, &parcels))
		if (one.call == 0)
			relay_frame(r->b, one.bytes);
		else
			fetched_request(r, p, &one);
}

static bool
hold(struct fetch *q, const struct msg_pulled *m)
{
	struct held *h = q->held, *end = h + PEER_PULLS;

	while (h < end && h->number > 0)
		h++;
	if (h == end)
		return false;
	buf_add(&h->parcels, m->parcels);
	if (!buf_ok(&h->parcels)) {
		buf_release(&h->parcels);
		return false;
	}
	h->number = m->number;
	return true;
}

/* The one that is next now, if it is here. */
static bool
take_held(struct relay *r, struct relay_peer *p)
{
	struct fetch *q = &p->fetch;
	unsigned i;

	for (i = 0; i < PEER_PULLS; i++)
		if (q->held[i].number == q->number + 1) {
			q->held[i].number = 0;
			q->number++;
			take_parcels(r, p, buf_span(&q->held[i].parcels));
			buf_release(&q->held[i].parcels);
			return true;
		}
	return false;
}

/* In the order in which they were given out, whatever came first. */
static enum tocsin_err
take_answer(struct relay *r, struct relay_peer *p, const struct msg_pulled *m)
{
	if (m->number == 0 || m->number <= p->fetch.number)
		return TOCSIN_OK;
	if (m->number != p->fetch.number + 1)
		return hold(&p->fetch, m) ? TOCSIN_OK : TOCSIN_EBUSY;
	p->fetch.number++;
	take_parcels(r, p, m->parcels);
	while (take_held(r, p))
		;
	return TOCSIN_OK;
}

void
fetch_answered(struct relay *r, struct relay_peer *p, enum tocsin_err err,
    struct span fields, int64_t now)
{
	struct msg_pulled m;

	if (refused(err)) {
		pause_pulls(p, err, now);
		return;
	}
	if (!err)
		err = msg_pulled_decode(&m, fields);
	if (!err) {
		p->fetch.pulls = m.pulls > 0 ? m.pulls : 1;
		err = take_answer(r, p, &m);
	}
	if (err)
		link_down(p, err, now);
}

void
fetch_release(struct relay_peer *p)
{
	struct reply *x, *next;

	held_drop(&p->fetch);
	for (x = p->fetch.first; x; x = next) {
		next = x->next;
		reply_free(x);
	}
}
