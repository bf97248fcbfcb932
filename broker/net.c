/* SPDX-License-Identifier: ISC */
#include "broker/net.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/dispatch.h"
#include "broker/log.h"
#include "broker/net_peer.h"
#include "broker/relay_in.h"
#include "crypto/relay_frame.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEND_MS 10000 /* for an answer to get under way */
#define REQUEST_ID 64 /* what nng puts before a frame, and to spare */

/* A context: one request after the other. */
struct context {
	struct request r; /* first: what dispatch gives back is a context */
	struct net *net;
	nng_ctx ctx;
	nng_aio *aio;
	bool open;
	bool sending;
	atomic_int_fast64_t late; /* clock_ms(): then it is given up; 0: not */
};

struct net {
	struct broker *b;
	struct net_options opt;
	char rpc_url[160];
	char relay_url[160];
	nng_socket rep;
	nng_socket sub;
	bool has_rep;
	bool has_sub;
	atomic_bool paused;
	struct context *context;
	nng_aio *sub_aio;
	struct net_peers *peers;
};

enum tocsin_err
net_error(const char *what, int rv)
{
	if (rv == 0)
		return TOCSIN_OK;
	log_event(LOG_ERROR, "net", LOG_Z("what", what),
	    LOG_Z("error", nng_strerror(rv)), LOG_END);
	return rv == NNG_ENOMEM ? TOCSIN_EINTERNAL : TOCSIN_EUNAVAILABLE;
}

/* ---- REP ---- */

static void
receive(struct context *c)
{
	c->sending = false;
	if (!atomic_load(&c->net->paused))
		nng_ctx_recv(c->ctx, c->aio);
}

/* An answer, or none: then the context forgets whom it had to answer. */
static void
context_send(struct request *r, struct span frame)
{
	struct context *c = (struct context *)r;
	nng_msg *msg;

	if (frame.n == 0 || nng_msg_alloc(&msg, frame.n) != 0) {
		receive(c);
		return;
	}
	memcpy(nng_msg_body(msg), frame.p, frame.n);
	c->sending = true;
	nng_aio_set_msg(c->aio, msg);
	atomic_store(&c->late, clock_ms() + SEND_MS);
	nng_ctx_send(c->ctx, c->aio);
}

static void
on_sent(struct context *c, int rv)
{
	if (rv != 0)
		nng_msg_free(nng_aio_get_msg(c->aio));
	atomic_store(&c->late, 0);
	if (rv != NNG_ECLOSED)
		receive(c);
}

static void
on_received(struct context *c, int rv)
{
	nng_msg *msg;

	if (rv == NNG_ECLOSED)
		return;
	if (rv != 0) { /* perhaps give_up(), which came a moment late */
		receive(c);
		return;
	}
	msg = nng_aio_get_msg(c->aio);
	c->r.pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(msg));
	dispatch_frame(
	    &c->r, (struct span){ nng_msg_body(msg), nng_msg_len(msg) });
	nng_msg_free(msg);
}

static void
on_context(void *arg)
{
	struct context *c = arg;
	int rv = nng_aio_result(c->aio);

	if (c->sending)
		on_sent(c, rv);
	else
		on_received(c, rv);
}

/* nng's own time-outs follow the clock of the day, which may jump. */
static void
give_up(struct context *c, int64_t now_ms)
{
	int_fast64_t late = atomic_load(&c->late);

	if (late > 0 && now_ms >= late &&
	    atomic_compare_exchange_strong(&c->late, &late, 0))
		nng_aio_cancel(c->aio);
}

/* In a callback of nng's: only marks. */
static void
on_pipe_gone(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct net *n = arg;

	(void)ev;
	if (n->b->parks)
		parks_pipe_closed(n->b->parks, (uint32_t)nng_pipe_id(pipe));
}

static int
open_contexts(struct net *n)
{
	unsigned i;
	int rv = 0;

	n->context = calloc(n->opt.contexts, sizeof(*n->context));
	if (!n->context)
		return NNG_ENOMEM;
	for (i = 0; i < n->opt.contexts && rv == 0; i++) {
		struct context *c = &n->context[i];

		c->net = n;
		c->r.b = n->b;
		c->r.send = context_send;
		rv = nng_ctx_open(&c->ctx, n->rep);
		c->open = rv == 0;
		if (rv == 0)
			rv = nng_aio_alloc(&c->aio, on_context, c);
	}
	return rv;
}

static int
open_rep(struct net *n)
{
	int rv = nng_rep0_open(&n->rep);

	n->has_rep = rv == 0;
	if (rv == 0)
		rv = nng_socket_set_size(
		    n->rep, NNG_OPT_RECVMAXSZ, FRAME_MAX + REQUEST_ID);
	if (rv == 0)
		rv = nng_pipe_notify(
		    n->rep, NNG_PIPE_EV_REM_POST, on_pipe_gone, n);
	if (rv == 0)
		rv = open_contexts(n);
	return rv;
}

/* ---- SUB ---- */

static void
on_sub(void *arg)
{
	struct net *n = arg;
	int rv = nng_aio_result(n->sub_aio);
	nng_msg *msg;

	if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
		return;
	if (rv == 0) {
		msg = nng_aio_get_msg(n->sub_aio);
		broker_count(n->b, BROKER_relay_frames_in);
		relay_frame(
		    n->b, (struct span){ nng_msg_body(msg), nng_msg_len(msg) });
		nng_msg_free(msg);
	}
	nng_recv_aio(n->sub, n->sub_aio);
}

static int
open_sub(struct net *n)
{
	int rv = nng_sub0_open(&n->sub);

	n->has_sub = rv == 0;
	if (rv == 0)
		rv = nng_socket_set_size(
		    n->sub, NNG_OPT_RECVMAXSZ, RELAY_FRAME_MAX + REQUEST_ID);
	if (rv == 0)
		rv = nng_socket_set_int(
		    n->sub, NNG_OPT_RECVBUF, (int)n->opt.sub_buffer);
	if (rv == 0)
		rv = nng_aio_alloc(&n->sub_aio, on_sub, n);
	return rv;
}

enum tocsin_err
net_subscribe(struct net *n, const uint8_t link[16])
{
	return net_error("subscribe",
	    nng_socket_set(n->sub, NNG_OPT_SUB_SUBSCRIBE, link, 16));
}

void
net_unsubscribe(struct net *n, const uint8_t link[16])
{
	nng_socket_set(n->sub, NNG_OPT_SUB_UNSUBSCRIBE, link, 16);
}

/* ---- life ---- */

/* A folder of ours alone: whoever can reach the sockets passes by the door. */
static enum tocsin_err
make_dir(struct net *n)
{
	struct stat st;

	if (mkdir(n->opt.dir, 0700) != 0 && errno != EEXIST)
		goto fail;
	if (stat(n->opt.dir, &st) != 0)
		goto fail;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0) {
		log_event(LOG_ERROR, "net-dir", LOG_Z("dir", n->opt.dir),
		    LOG_Z("error", "not a folder of mode 0700 of ours"),
		    LOG_END);
		return TOCSIN_EPERMISSIONS;
	}
	snprintf(
	    n->rpc_url, sizeof(n->rpc_url), "ipc://%s/rpc.ipc", n->opt.dir);
	snprintf(n->relay_url, sizeof(n->relay_url), "ipc://%s/relay.ipc",
	    n->opt.dir);
	return TOCSIN_OK;
fail:
	log_event(LOG_ERROR, "net-dir", LOG_Z("dir", n->opt.dir),
	    LOG_ERRNO(errno), LOG_END);
	return TOCSIN_EUNAVAILABLE;
}

enum tocsin_err
net_open(struct net **out, struct broker *b, const struct net_options *opt)
{
	struct net *n = calloc(1, sizeof(*n));
	enum tocsin_err err;

	if (!n)
		return TOCSIN_EINTERNAL;
	n->b = b;
	n->opt = *opt;
	err = make_dir(n);
	if (!err)
		err = net_error("rep", open_rep(n));
	if (!err)
		err = net_error("sub", open_sub(n));
	if (!err) {
		n->peers = net_peers_new(b, opt->pub_buffer);
		err = n->peers ? TOCSIN_OK : TOCSIN_EINTERNAL;
	}
	if (err)
		net_close(n);
	else
		*out = n;
	return err;
}

/* A broker that was killed leaves its sockets; the store's lock says that no
 * other one is alive. */
static int
listen_at(nng_socket s, const char *url)
{
	nng_listener l;
	int rv;

	unlink(url + sizeof("ipc://") - 1);
	rv = nng_listener_create(&l, s, url);
	if (rv == 0)
		rv = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rv == 0)
		rv = nng_listener_start(l, 0);
	return rv;
}

enum tocsin_err
net_listen(struct net *n)
{
	enum tocsin_err err;
	unsigned i;

	for (i = 0; i < n->opt.contexts; i++)
		receive(&n->context[i]);
	nng_recv_aio(n->sub, n->sub_aio);
	err = net_error(n->rpc_url, listen_at(n->rep, n->rpc_url));
	if (!err)
		err = net_error(n->relay_url, listen_at(n->sub, n->relay_url));
	return err;
}

void
net_tick(struct net *n, int64_t now_ms)
{
	unsigned i;

	net_peers_tick(n->peers, now_ms);
	for (i = 0; i < n->opt.contexts; i++)
		give_up(&n->context[i], now_ms);
}

void
net_pause(struct net *n)
{
	atomic_store(&n->paused, true);
}

void
net_close(struct net *n)
{
	unsigned i;

	if (!n)
		return;
	net_pause(n);
	net_peers_free(n->peers);
	if (n->has_rep)
		nng_close(n->rep);
	if (n->has_sub)
		nng_close(n->sub);
	for (i = 0; n->context && i < n->opt.contexts; i++)
		nng_aio_free(n->context[i].aio);
	nng_aio_free(n->sub_aio);
	free(n->context);
	free(n);
}

/* ---- peers ---- */

enum tocsin_err
net_peer(
    struct net *n, const char *peer, const char *rpc_url, const char *relay_url)
{
	return net_peers_set(n->peers, peer, rpc_url, relay_url);
}

void
net_redial(struct net *n, const char *peer, bool all)
{
	net_peers_redial(n->peers, peer, all);
}

void
net_publish(
    struct net *n, const char *peer, enum net_way way, struct span frame)
{
	net_peers_publish(n->peers, peer, way, frame);
}

void
net_call(struct net *n, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	net_peers_call(n->peers, peer, frame, timeout_ms, fn, arg);
}

const char *
net_version(void)
{
	return nng_version();
}
