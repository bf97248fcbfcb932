/* SPDX-License-Identifier: ISC */
#include "broker/net_peer.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/log.h"
#include "broker/relay.h"
#include "broker/tcp_line.h"
#include "broker/tcp_tune.h"
#include "crypto/frame.h"

#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECONNECT_MIN_MS 300
#define RECONNECT_MAX_MS 1000 /* a peer that is back is waited for */
#define RECV_MAX (FRAME_MAX + 64)

struct call {
	struct call *next; /* in the peer's free list, or all of them */
	struct call *all;
	struct peer *peer;
	nng_ctx ctx;
	nng_aio *aio;
	bool receiving;
	bool told; /* the caller knows, or there is none: under the lock */
	int64_t deadline; /* clock_ms() */
	net_reply_fn *fn;
	void *arg;
};

/* nng does not show its sockets, but says between which addresses they are. */
struct hold {
	int fd; /* -1: not found */
	struct sockaddr_storage local, remote;
};

/* A socket that dials one address. */
struct dial {
	nng_socket s;
	nng_dialer d;
	bool open;
	bool dialling;
	int up; /* connections; this and the next under the peer's lock */
	struct hold hold;
	struct tcp_line line; /* of the way for bulk */
	int64_t look_at;
	char url[URL_MAX + 1];
};

struct peer {
	struct peer *next;
	struct net_peers *in;
	char name[LABEL_MAX + 1];
	struct dial pub[NET_WAYS];
	struct dial req;

	pthread_mutex_t lock;
	struct call *free;
	struct call *calls;
	unsigned ncalls;
};

struct net_peers {
	struct broker *b;
	unsigned pub_buffer;
	pthread_mutex_t lock;
	struct peer *first; /* a peer that was made stays */
};

static struct peer *
find(struct net_peers *p, const char *name)
{
	struct peer *x;

	pthread_mutex_lock(&p->lock);
	for (x = p->first; x && strcmp(x->name, name) != 0; x = x->next)
		;
	pthread_mutex_unlock(&p->lock);
	return x;
}

/* ---- sockets ---- */

static struct sockaddr_storage
address_of(const nng_sockaddr *sa)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

	if (sa->s_family == NNG_AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = sa->s_in.sa_port;
		v4->sin_addr.s_addr = sa->s_in.sa_addr;
	} else if (sa->s_family == NNG_AF_INET6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = sa->s_in6.sa_port;
		memcpy(&v6->sin6_addr, sa->s_in6.sa_addr, 16);
	}
	return ss;
}

static struct hold
hold_of(nng_pipe pipe)
{
	nng_sockaddr local, remote;
	struct hold h = { .fd = -1 };

	if (nng_pipe_get_addr(pipe, NNG_OPT_LOCADDR, &local) != 0 ||
	    nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &remote) != 0)
		return h;
	h.local = address_of(&local);
	h.remote = address_of(&remote);
	if (h.local.ss_family != AF_UNSPEC)
		h.fd = tcp_tune_find(&h.local, &h.remote);
	return h;
}

/* Not yet closed by nng, and another since. */
static bool
holds(const struct hold *h)
{
	return h->fd >= 0 && tcp_tune_is(h->fd, &h->local, &h->remote);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
count_pipe(struct peer *x, struct dial *d, nng_pipe pipe, nng_pipe_ev ev)
{
	bool came = ev == NNG_PIPE_EV_ADD_POST;
	struct hold h = { .fd = -1 };

	if (came)
		h = hold_of(pipe);
	if (h.fd >= 0)
		tcp_tune(h.fd);
	pthread_mutex_lock(&x->lock);
	d->up += came ? 1 : -1;
	if (came) {
		d->hold = h;
		d->look_at = 0;
	}
	if (h.fd >= 0 && d == &x->pub[NET_BULK])
		tcp_line_begin(&d->line, h.fd, now_ms());
	pthread_mutex_unlock(&x->lock);
}

/* Bulk is being sent over it. */
static void
look_after(struct peer *x)
{
	struct dial *d = &x->pub[NET_BULK];
	int64_t now = now_ms();

	pthread_mutex_lock(&x->lock);
	if (d->up > 0 && now >= d->look_at && holds(&d->hold))
		d->look_at = tcp_line_look(&d->line, d->hold.fd, now);
	pthread_mutex_unlock(&x->lock);
}

static void
on_way_pipe(struct peer *x, enum net_way way, nng_pipe pipe, nng_pipe_ev ev)
{
	struct relay *relay = x->in->b->relay;

	count_pipe(x, &x->pub[way], pipe, ev);
	if (relay && ev == NNG_PIPE_EV_ADD_POST)
		relay_alive(relay, x->name, true);
}

static void
on_urgent_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	on_way_pipe(arg, NET_URGENT, pipe, ev);
}

static void
on_bulk_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	on_way_pipe(arg, NET_BULK, pipe, ev);
}

static void
on_req_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct peer *x = arg;
	struct relay *relay = x->in->b->relay;

	count_pipe(x, &x->req, pipe, ev);
	if (relay && ev == NNG_PIPE_EV_ADD_POST)
		relay_alive(relay, x->name, false);
}

static int
notify(nng_socket s, nng_pipe_cb cb, struct peer *x)
{
	int rv = nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, cb, x);

	return rv ? rv : nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, cb, x);
}

static int
set_common(nng_socket s)
{
	int rv;

	rv = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
	if (rv == 0)
		rv = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
	if (rv == 0)
		rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, RECV_MAX);
	return rv;
}

static int
open_pub(struct peer *x, enum net_way way)
{
	static const nng_pipe_cb on_pipe[NET_WAYS] = { on_urgent_pipe,
		on_bulk_pipe };
	struct dial *d = &x->pub[way];
	int rv = nng_pub0_open(&d->s);

	d->open = rv == 0;
	if (rv == 0)
		rv = set_common(d->s);
	if (rv == 0)
		rv = nng_socket_set_int(
		    d->s, NNG_OPT_SENDBUF, (int)x->in->pub_buffer);
	if (rv == 0)
		rv = notify(d->s, on_pipe[way], x);
	return rv;
}

static int
open_req(struct peer *x)
{
	int rv = nng_req0_open(&x->req.s);

	x->req.open = rv == 0;
	if (rv == 0)
		rv = set_common(x->req.s);
	if (rv == 0)
		rv = nng_socket_set_ms(
		    x->req.s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rv == 0)
		rv = notify(x->req.s, on_req_pipe, x);
	return rv;
}

static bool
is_address(const char *url)
{
	return url && url[0] != '\0' && strcmp(url, "-") != 0;
}

static int
dial_start(struct dial *d)
{
	int rv = nng_dialer_create(&d->d, d->s, d->url);

	if (rv == 0 && strncmp(d->url, "tcp", 3) == 0)
		rv = nng_dialer_set_bool(d->d, NNG_OPT_TCP_KEEPALIVE, true);
	if (rv == 0)
		rv = nng_dialer_start(d->d, NNG_FLAG_NONBLOCK);
	d->dialling = rv == 0;
	return rv;
}

static void
dial_stop(struct dial *d)
{
	if (d->dialling)
		nng_dialer_close(d->d);
	d->dialling = false;
}

/* Dial another address than before, or none. */
static int
dial(struct dial *d, const char *url)
{
	if (!is_address(url))
		url = "";
	if (strcmp(d->url, url) == 0)
		return 0;
	dial_stop(d);
	snprintf(d->url, sizeof(d->url), "%s", url);
	return url[0] == '\0' ? 0 : dial_start(d);
}

/* Once more, without waiting for what TCP still tries. */
static void
redial(struct peer *x, struct dial *d, bool all)
{
	struct hold hold;
	int up;

	pthread_mutex_lock(&x->lock);
	up = d->up;
	hold = d->hold;
	pthread_mutex_unlock(&x->lock);
	if (d->url[0] == '\0' || (up > 0 && !all))
		return;
	if (up > 0 && holds(&hold))
		tcp_tune_forget(hold.fd);
	dial_stop(d);
	if (dial_start(d) != 0)
		log_event(
		    LOG_WARN, "relay-redial", LOG_Z("peer", x->name), LOG_END);
}

void
net_peers_redial(struct net_peers *p, const char *name, bool all)
{
	struct peer *x = find(p, name);
	unsigned i;

	if (!x)
		return;
	for (i = 0; i < NET_WAYS; i++)
		if (x->pub[i].open)
			redial(x, &x->pub[i], all);
	if (x->req.open)
		redial(x, &x->req, all);
}

static struct peer *
make(struct net_peers *p, const char *name)
{
	struct peer *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->in = p;
	snprintf(x->name, sizeof(x->name), "%s", name);
	pthread_mutex_init(&x->lock, NULL);
	pthread_mutex_lock(&p->lock);
	x->next = p->first;
	p->first = x;
	pthread_mutex_unlock(&p->lock);
	return x;
}

enum tocsin_err
net_peers_set(struct net_peers *p, const char *name, const char *rpc_url,
    const char *relay_url)
{
	struct peer *x = find(p, name);
	unsigned i;
	int rv = 0;

	if (!x)
		x = make(p, name);
	if (!x)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < NET_WAYS && rv == 0; i++)
		if (!x->pub[i].open)
			rv = open_pub(x, i);
	if (rv == 0 && !x->req.open)
		rv = open_req(x);
	for (i = 0; i < NET_WAYS && rv == 0; i++)
		rv = dial(&x->pub[i], relay_url);
	if (rv == 0)
		rv = dial(&x->req, rpc_url);
	return net_error(name, rv);
}

void
net_peers_publish(
    struct net_peers *p, const char *name, enum net_way way, struct span frame)
{
	struct peer *x = find(p, name);
	nng_msg *msg;

	if (!x || !x->pub[way].open || nng_msg_alloc(&msg, frame.n) != 0)
		return;
	if (way == NET_BULK)
		look_after(x);
	if (frame.n > 0)
		memcpy(nng_msg_body(msg), frame.p, frame.n);
	if (nng_sendmsg(x->pub[way].s, msg, NNG_FLAG_NONBLOCK) != 0)
		nng_msg_free(msg);
	else
		broker_count(p->b, BROKER_relay_frames_out);
}

/* ---- calls ---- */

static void on_call(void *arg);

/* The lock is held. */
static struct call *
take_call(struct peer *x)
{
	struct call *c = x->free;

	if (c) {
		x->free = c->next;
		return c;
	}
	if (x->ncalls == NET_CALLS)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->peer = x;
	c->told = true;
	if (nng_ctx_open(&c->ctx, x->req.s) != 0)
		goto fail;
	if (nng_ctx_set_ms(
		c->ctx, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) != 0 ||
	    nng_aio_alloc(&c->aio, on_call, c) != 0)
		goto fail_ctx;
	c->all = x->calls;
	x->calls = c;
	x->ncalls++;
	return c;
fail_ctx:
	nng_ctx_close(c->ctx);
fail:
	free(c);
	return NULL;
}

/* The first of answer and timer tells the caller. */
static void
tell(struct call *c, enum tocsin_err err, struct span answer)
{
	bool first;

	pthread_mutex_lock(&c->peer->lock);
	first = !c->told;
	c->told = true;
	pthread_mutex_unlock(&c->peer->lock);
	if (first)
		c->fn(c->arg, err, answer);
}

/* Now it can be used again. */
static void
leave(struct call *c)
{
	struct peer *x = c->peer;

	pthread_mutex_lock(&x->lock);
	c->next = x->free;
	x->free = c;
	pthread_mutex_unlock(&x->lock);
}

/* One whose time is over; whom to tell is read under the lock, since the
 * call may be another's as soon as that is over. */
static bool
take_late(struct peer *x, int64_t now_ms, net_reply_fn **fn, void **arg)
{
	struct call *c;

	pthread_mutex_lock(&x->lock);
	for (c = x->calls; c; c = c->all)
		if (!c->told && now_ms >= c->deadline)
			break;
	if (c) {
		c->told = true;
		*fn = c->fn;
		*arg = c->arg;
	}
	pthread_mutex_unlock(&x->lock);
	return c != NULL;
}

void
net_peers_tick(struct net_peers *p, int64_t now_ms)
{
	net_reply_fn *fn;
	struct peer *x;
	void *arg;

	pthread_mutex_lock(&p->lock);
	x = p->first;
	pthread_mutex_unlock(&p->lock);
	for (; x; x = x->next) /* nobody leaves the list */
		while (take_late(x, now_ms, &fn, &arg))
			fn(arg, TOCSIN_ETIMEOUT, (struct span){ 0 });
}

static void
on_answer(struct call *c, int rv)
{
	nng_msg *msg;

	if (rv == 0) {
		msg = nng_aio_get_msg(c->aio);
		tell(c, TOCSIN_OK,
		    (struct span){ nng_msg_body(msg), nng_msg_len(msg) });
		nng_msg_free(msg);
	} else {
		tell(c, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
	}
	leave(c);
}

static void
on_call(void *arg)
{
	struct call *c = arg;
	int rv = nng_aio_result(c->aio);

	if (!c->receiving && rv == 0) {
		c->receiving = true;
		nng_ctx_recv(c->ctx, c->aio);
		return;
	}
	if (!c->receiving)
		nng_msg_free(nng_aio_get_msg(c->aio));
	on_answer(c, rv);
}

static struct call *
begin_call(struct peer *x, unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	struct call *c = NULL;

	pthread_mutex_lock(&x->lock);
	if (x->req.up > 0)
		c = take_call(x);
	if (c) {
		c->fn = fn;
		c->arg = arg;
		c->told = c->receiving = false;
		c->deadline = clock_ms() + timeout_ms;
	}
	pthread_mutex_unlock(&x->lock);
	return c;
}

void
net_peers_call(struct net_peers *p, const char *name, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	struct peer *x = find(p, name);
	struct call *c = NULL;
	nng_msg *msg = NULL;

	if (x && x->req.open && nng_msg_alloc(&msg, frame.n) == 0)
		c = begin_call(x, timeout_ms, fn, arg);
	if (!c) {
		nng_msg_free(msg);
		fn(arg, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
		return;
	}
	memcpy(nng_msg_body(msg), frame.p, frame.n);
	nng_aio_set_msg(c->aio, msg);
	nng_ctx_send(c->ctx, c->aio);
}

/* ---- life ---- */

struct net_peers *
net_peers_new(struct broker *b, unsigned pub_buffer)
{
	struct net_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->b = b;
	p->pub_buffer = pub_buffer;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void
peer_free(struct peer *x)
{
	struct call *c, *next;
	unsigned i;

	for (i = 0; i < NET_WAYS; i++)
		if (x->pub[i].open)
			nng_close(x->pub[i].s);
	if (x->req.open)
		nng_close(x->req.s);
	for (c = x->calls; c; c = next) {
		next = c->all;
		nng_aio_free(c->aio);
		free(c);
	}
	pthread_mutex_destroy(&x->lock);
	free(x);
}

void
net_peers_free(struct net_peers *p)
{
	struct peer *x, *next;

	if (!p)
		return;
	for (x = p->first; x; x = next) {
		next = x->next;
		peer_free(x);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}
