/* SPDX-License-Identifier: ISC */
#include "client/net.h"

#include "crypto/frame.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS 32 /* requests out at once */
#define WATCHERS 16
#define RECONNECT_MIN 200 /* ms; the limit also tames nng's back-off */
#define RECONNECT_MAX 5000
#define TICK_MS 100

enum slot_state { IDLE, SENDING, RECEIVING };

/*
 * One nng context. Its call ends for the caller when it is answered or late;
 * the slot itself is busy until nng is done with it, because cancelling a
 * receive while the request is being sent crashes nng 1.5.
 */
struct slot {
	struct net *net;
	nng_ctx ctx;
	nng_aio *aio;
	enum slot_state state;
	net_reply_fn *fn; /* NULL: the caller was told already */
	void *arg;
	int64_t deadline;
};

struct watcher {
	net_watch_fn *fn;
	void *arg;
};

struct net {
	struct net *next;
	char *url;
	nng_socket sock;
	nng_dialer dialer;
	pthread_mutex_t lock;
	pthread_cond_t quiet; /* no watcher is being called */
	unsigned pipes;
	nng_pipe pipe;
	unsigned calling;
	struct watcher watcher[WATCHERS];
	struct slot slot[SLOTS];
	pthread_t timer;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct net *all;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes the caller out of a slot, so that it is told once. */
static void
tell(struct slot *s, enum tocsin_err err, struct span answer)
{
	net_reply_fn *fn;
	void *arg;

	pthread_mutex_lock(&s->net->lock);
	fn = s->fn;
	arg = s->arg;
	s->fn = NULL;
	pthread_mutex_unlock(&s->net->lock);
	if (fn != NULL)
		fn(arg, err, answer);
}

static void
set_state(struct slot *s, enum slot_state state)
{
	pthread_mutex_lock(&s->net->lock);
	s->state = state;
	pthread_mutex_unlock(&s->net->lock);
}

static void
sent(struct slot *s)
{
	if (nng_aio_result(s->aio) == 0) {
		set_state(s, RECEIVING);
		nng_ctx_recv(s->ctx, s->aio);
		return;
	}
	nng_msg_free(nng_aio_get_msg(s->aio));
	nng_aio_set_msg(s->aio, NULL);
	tell(s, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
	set_state(s, IDLE);
}

static void
received(struct slot *s)
{
	nng_msg *m;

	if (nng_aio_result(s->aio) != 0) {
		tell(s, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
	} else {
		m = nng_aio_get_msg(s->aio);
		nng_aio_set_msg(s->aio, NULL);
		tell(s, TOCSIN_OK,
		    (struct span){ nng_msg_body(m), nng_msg_len(m) });
		nng_msg_free(m);
	}
	set_state(s, IDLE);
}

static void
slot_done(void *arg)
{
	struct slot *s = arg;

	if (s->state == SENDING)
		sent(s);
	else
		received(s);
}

static void *
watch_deadlines(void *arg)
{
	const struct timespec tick = { 0, TICK_MS * 1000000L };
	struct net *n = arg;
	size_t i;

	for (;;) {
		int64_t now = now_ms();

		for (i = 0; i < SLOTS; i++) {
			struct slot *s = &n->slot[i];
			bool late;

			pthread_mutex_lock(&n->lock);
			late = s->fn != NULL && s->deadline <= now;
			pthread_mutex_unlock(&n->lock);
			if (late)
				tell(s, TOCSIN_ETIMEOUT, (struct span){ 0 });
		}
		nanosleep(&tick, NULL);
	}
	return NULL;
}

static void
pipe_changed(nng_pipe p, nng_pipe_ev ev, void *arg)
{
	struct watcher copy[WATCHERS];
	struct net *n = arg;
	size_t i;

	pthread_mutex_lock(&n->lock);
	if (ev == NNG_PIPE_EV_ADD_POST) {
		n->pipes++;
		n->pipe = p;
	} else if (n->pipes > 0) {
		n->pipes--;
	}
	n->calling++;
	memcpy(copy, n->watcher, sizeof(copy));
	pthread_mutex_unlock(&n->lock);
	for (i = 0; i < WATCHERS; i++)
		if (copy[i].fn != NULL)
			copy[i].fn(copy[i].arg);
	pthread_mutex_lock(&n->lock);
	if (--n->calling == 0)
		pthread_cond_broadcast(&n->quiet);
	pthread_mutex_unlock(&n->lock);
}

bool
net_connected(struct net *n)
{
	bool up;

	pthread_mutex_lock(&n->lock);
	up = n->pipes > 0;
	pthread_mutex_unlock(&n->lock);
	return up;
}

void
net_watch(struct net *n, net_watch_fn *fn, void *arg)
{
	size_t i;

	pthread_mutex_lock(&n->lock);
	for (i = 0; i < WATCHERS; i++)
		if (n->watcher[i].fn == NULL) {
			n->watcher[i] = (struct watcher){ fn, arg };
			break;
		}
	pthread_mutex_unlock(&n->lock);
}

void
net_unwatch(struct net *n, net_watch_fn *fn, void *arg)
{
	size_t i;

	pthread_mutex_lock(&n->lock);
	for (i = 0; i < WATCHERS; i++)
		if (n->watcher[i].fn == fn && n->watcher[i].arg == arg)
			n->watcher[i] = (struct watcher){ 0 };
	while (n->calling > 0)
		pthread_cond_wait(&n->quiet, &n->lock);
	pthread_mutex_unlock(&n->lock);
}

static struct slot *
claim(struct net *n, net_reply_fn *fn, void *arg, unsigned timeout_ms)
{
	struct slot *s = NULL;
	size_t i;

	pthread_mutex_lock(&n->lock);
	for (i = 0; i < SLOTS && s == NULL; i++)
		if (n->slot[i].state == IDLE && n->slot[i].fn == NULL)
			s = &n->slot[i];
	if (s != NULL) {
		s->state = SENDING;
		s->fn = fn;
		s->arg = arg;
		s->deadline = now_ms() + timeout_ms;
	}
	pthread_mutex_unlock(&n->lock);
	return s;
}

void
net_call(struct net *n, struct span frame, unsigned timeout_ms,
    net_reply_fn *fn, void *arg)
{
	nng_msg *m = NULL;
	struct slot *s;

	if (frame.n > FRAME_MAX) { /* the broker would cut the connection */
		fn(arg, TOCSIN_ETOOLARGE, (struct span){ 0 });
		return;
	}
	if (nng_msg_alloc(&m, 0) != 0 ||
	    nng_msg_append(m, frame.p, frame.n) != 0 ||
	    (s = claim(n, fn, arg, timeout_ms)) == NULL) {
		nng_msg_free(m);
		fn(arg, TOCSIN_EBUSY, (struct span){ 0 });
		return;
	}
	nng_aio_set_msg(s->aio, m);
	nng_ctx_send(s->ctx, s->aio);
}

void
net_reset(struct net *n)
{
	nng_pipe p;
	bool up;

	pthread_mutex_lock(&n->lock);
	up = n->pipes > 0;
	p = n->pipe;
	pthread_mutex_unlock(&n->lock);
	if (up)
		nng_pipe_close(p);
}

static int
open_slots(struct net *n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < SLOTS; i++) {
		struct slot *s = &n->slot[i];

		s->net = n;
		rc = nng_ctx_open(&s->ctx, n->sock);
		if (rc == 0)
			rc = nng_ctx_set_ms(s->ctx, NNG_OPT_REQ_RESENDTIME,
			    NNG_DURATION_INFINITE);
		if (rc == 0)
			rc = nng_aio_alloc(&s->aio, slot_done, s);
	}
	return rc;
}

static int
set_options(struct net *n)
{
	int rc;

	rc = nng_socket_set_ms(
	    n->sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rc == 0)
		rc = nng_socket_set_size(
		    n->sock, NNG_OPT_RECVMAXSZ, FRAME_MAX + 64);
	if (rc == 0)
		rc = nng_socket_set_ms(
		    n->sock, NNG_OPT_RECONNMINT, RECONNECT_MIN);
	if (rc == 0)
		rc = nng_socket_set_ms(
		    n->sock, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
	if (rc == 0)
		rc = nng_pipe_notify(
		    n->sock, NNG_PIPE_EV_ADD_POST, pipe_changed, n);
	if (rc == 0)
		rc = nng_pipe_notify(
		    n->sock, NNG_PIPE_EV_REM_POST, pipe_changed, n);
	return rc;
}

static enum tocsin_err
dial(struct net *n)
{
	int rc;

	rc = nng_dialer_create(&n->dialer, n->sock, n->url);
	if (rc == 0) {
		(void)nng_dialer_set_bool(
		    n->dialer, NNG_OPT_TCP_KEEPALIVE, true);
		(void)nng_dialer_set_bool(n->dialer, NNG_OPT_TCP_NODELAY, true);
		rc = nng_dialer_start(n->dialer, NNG_FLAG_NONBLOCK);
	}
	if (rc == NNG_EINVAL || rc == NNG_ENOTSUP || rc == NNG_EADDRINVAL)
		return TOCSIN_EUSAGE;
	return rc == 0 ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static enum tocsin_err
make(struct net **out, const char *url)
{
	struct net *n = calloc(1, sizeof(*n));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (n == NULL || (n->url = strdup(url)) == NULL ||
	    nng_req0_open(&n->sock) != 0)
		goto fail;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->quiet, NULL);
	/* From here on the socket exists for good, and so does its struct. */
	if (set_options(n) != 0 || open_slots(n) != 0 ||
	    pthread_create(&n->timer, NULL, watch_deadlines, n) != 0)
		return TOCSIN_EINTERNAL;
	err = dial(n);
	if (err == TOCSIN_OK)
		*out = n;
	return err;
fail:
	if (n != NULL)
		free(n->url);
	free(n);
	return err;
}

enum tocsin_err
net_get(struct net **out, const char *url)
{
	enum tocsin_err err = TOCSIN_OK;
	struct net *n;

	pthread_mutex_lock(&all_lock);
	for (n = all; n != NULL && strcmp(n->url, url) != 0; n = n->next)
		;
	if (n == NULL) {
		err = make(&n, url);
		if (err == TOCSIN_OK) {
			n->next = all;
			all = n;
		}
	}
	if (err == TOCSIN_OK)
		*out = n;
	pthread_mutex_unlock(&all_lock);
	return err;
}
