/* SPDX-License-Identifier: ISC */
#include "client/net.h"

#include "crypto/frame.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS_MAX 1024	  /* requests out at once */
#define RECONNECT_MIN 200 /* ms; the limit also tames nng's back-off */
#define RECONNECT_MAX 5000
#define RESET_MS 2000 /* in which nng gets rid of a connection, or never */
#define NEVER INT64_MAX

enum slot_state { IDLE, SENDING, RECEIVING };

struct hose;

/*
 * One nng context. Its call ends for the caller when it is answered or late;
 * the slot itself is busy until nng is done with it, because cancelling a
 * receive while the request is being sent crashes nng 1.5.
 */
struct slot {
	struct slot *next;
	struct hose *hose;
	nng_ctx ctx;
	nng_aio *aio;
	enum slot_state state;
	net_reply_fn *fn; /* NULL: the caller was told already */
	void *arg;
	int64_t deadline;
};

/* A socket that dials, with its contexts. Nothing of it is ever freed. */
struct hose {
	struct net *net;
	nng_socket sock;
	nng_dialer dialer;
	nng_pipe pipe; /* id 0: not connected */
	int gone;      /* id of the last pipe that was removed */
	struct slot *slots;
	size_t nslot;
};

struct watcher {
	net_watch_fn *fn;
	void *arg;
};

struct net {
	struct net *next;
	char *url;
	pthread_mutex_t lock; /* of all below, hose and slots included */
	pthread_cond_t quiet; /* no watcher is being called */
	pthread_cond_t sooner;
	unsigned calling;
	struct watcher *watcher;
	size_t nwatcher;
	struct hose *hose;
	int64_t reset_at; /* the pipe has to be gone by then */
	int64_t wake_at;  /* when the timer looks next */
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

/* ---- calls ---- */

/* Takes the caller out of a slot, so that it is told once. */
static void
tell(struct slot *s, enum tocsin_err err, struct span answer)
{
	struct net *n = s->hose->net;
	net_reply_fn *fn;
	void *arg;

	pthread_mutex_lock(&n->lock);
	fn = s->fn;
	arg = s->arg;
	s->fn = NULL;
	pthread_mutex_unlock(&n->lock);
	if (fn != NULL)
		fn(arg, err, answer);
}

static void
set_state(struct slot *s, enum slot_state state)
{
	pthread_mutex_lock(&s->hose->net->lock);
	s->state = state;
	pthread_mutex_unlock(&s->hose->net->lock);
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

static struct slot *
slot_new(struct hose *h)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (s == NULL || nng_ctx_open(&s->ctx, h->sock) != 0) {
		free(s);
		return NULL;
	}
	s->hose = h;
	if (nng_ctx_set_ms(
		s->ctx, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) != 0 ||
	    nng_aio_alloc(&s->aio, slot_done, s) != 0) {
		nng_ctx_close(s->ctx);
		free(s);
		return NULL;
	}
	s->next = h->slots;
	h->slots = s;
	h->nslot++;
	return s;
}

/* A slot for a call, with the lock held. */
static struct slot *
free_slot(struct hose *h)
{
	struct slot *s;

	for (s = h->slots; s != NULL; s = s->next)
		if (s->state == IDLE && s->fn == NULL)
			return s;
	return h->nslot < SLOTS_MAX ? slot_new(h) : NULL;
}

static struct slot *
claim(struct net *n, net_reply_fn *fn, void *arg, unsigned timeout_ms)
{
	struct slot *s;

	pthread_mutex_lock(&n->lock);
	s = free_slot(n->hose);
	if (s != NULL) {
		s->state = SENDING;
		s->fn = fn;
		s->arg = arg;
		s->deadline = now_ms() + timeout_ms;
		if (s->deadline < n->wake_at) {
			n->wake_at = s->deadline;
			pthread_cond_signal(&n->sooner);
		}
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

/* ---- connections ---- */

/* With the lock held, which is given up meanwhile. */
static void
call_watchers(struct net *n)
{
	size_t i;

	n->calling++;
	for (i = 0; i < n->nwatcher; i++) {
		struct watcher w = n->watcher[i];

		pthread_mutex_unlock(&n->lock);
		w.fn(w.arg);
		pthread_mutex_lock(&n->lock);
	}
	if (--n->calling == 0)
		pthread_cond_broadcast(&n->quiet);
}

/* nng may tell of an end before it is through telling of the begin. */
static void
pipe_changed(nng_pipe p, nng_pipe_ev ev, void *arg)
{
	struct hose *h = arg;
	struct net *n = h->net;
	int id = nng_pipe_id(p);

	pthread_mutex_lock(&n->lock);
	if (ev == NNG_PIPE_EV_REM_POST) {
		h->gone = id;
		if (nng_pipe_id(h->pipe) == id)
			h->pipe = (nng_pipe)NNG_PIPE_INITIALIZER;
	} else if (id != h->gone) {
		h->pipe = p;
	}
	if (n->hose == h) {
		n->reset_at = NEVER;
		call_watchers(n);
	}
	pthread_mutex_unlock(&n->lock);
}

static bool
is_up(const struct hose *h)
{
	return nng_pipe_id(h->pipe) > 0;
}

bool
net_connected(struct net *n)
{
	bool up;

	pthread_mutex_lock(&n->lock);
	up = is_up(n->hose) && n->reset_at == NEVER;
	pthread_mutex_unlock(&n->lock);
	return up;
}

/* nng tells of a dialer's failures in its statistics only. */
static uint64_t
count_refused(nng_dialer d)
{
	nng_stat *all_stats = NULL, *s;
	uint64_t n = 0;

	if (nng_stats_get(&all_stats) != 0)
		return 0;
	s = nng_stat_find_dialer(all_stats, d);
	for (s = s != NULL ? nng_stat_child(s) : NULL; s != NULL;
	     s = nng_stat_next(s))
		if (strcmp(nng_stat_name(s), "refused") == 0)
			n = nng_stat_value(s);
	nng_stats_free(all_stats);
	return n;
}

bool
net_refused(struct net *n)
{
	nng_dialer d;
	bool up;

	pthread_mutex_lock(&n->lock);
	up = is_up(n->hose);
	d = n->hose->dialer;
	pthread_mutex_unlock(&n->lock);
	return !up && count_refused(d) > 0;
}

enum tocsin_err
net_watch(struct net *n, net_watch_fn *fn, void *arg)
{
	struct watcher *grown;

	pthread_mutex_lock(&n->lock);
	while (n->calling > 0) /* it walks the list */
		pthread_cond_wait(&n->quiet, &n->lock);
	grown = realloc(n->watcher, (n->nwatcher + 1) * sizeof(*n->watcher));
	if (grown != NULL) {
		n->watcher = grown;
		n->watcher[n->nwatcher++] = (struct watcher){ fn, arg };
	}
	pthread_mutex_unlock(&n->lock);
	return grown != NULL ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

void
net_unwatch(struct net *n, net_watch_fn *fn, void *arg)
{
	size_t i;

	pthread_mutex_lock(&n->lock);
	while (n->calling > 0)
		pthread_cond_wait(&n->quiet, &n->lock);
	for (i = 0; i < n->nwatcher; i++)
		if (n->watcher[i].fn == fn && n->watcher[i].arg == arg)
			n->watcher[i--] = n->watcher[--n->nwatcher];
	pthread_mutex_unlock(&n->lock);
}

void
net_reset(struct net *n)
{
	nng_pipe p;
	bool close;

	pthread_mutex_lock(&n->lock);
	p = n->hose->pipe;
	close = is_up(n->hose) && n->reset_at == NEVER;
	if (close) {
		n->reset_at = now_ms() + RESET_MS;
		pthread_cond_signal(&n->sooner);
	}
	pthread_mutex_unlock(&n->lock);
	if (close)
		nng_pipe_close(p);
}

/* ---- sockets ---- */

static int
set_options(struct hose *h)
{
	int rc;

	rc = nng_socket_set_ms(
	    h->sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rc == 0)
		rc = nng_socket_set_size(
		    h->sock, NNG_OPT_RECVMAXSZ, FRAME_MAX + 64);
	if (rc == 0)
		rc = nng_socket_set_ms(
		    h->sock, NNG_OPT_RECONNMINT, RECONNECT_MIN);
	if (rc == 0)
		rc = nng_socket_set_ms(
		    h->sock, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
	if (rc == 0)
		rc = nng_pipe_notify(
		    h->sock, NNG_PIPE_EV_ADD_POST, pipe_changed, h);
	if (rc == 0)
		rc = nng_pipe_notify(
		    h->sock, NNG_PIPE_EV_REM_POST, pipe_changed, h);
	return rc;
}

static int
dial(struct hose *h)
{
	nng_dialer d;
	int rc = nng_dialer_create(&d, h->sock, h->net->url);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&h->net->lock);
	h->dialer = d;
	pthread_mutex_unlock(&h->net->lock);
	(void)nng_dialer_set_bool(d, NNG_OPT_TCP_KEEPALIVE, true);
	(void)nng_dialer_set_bool(d, NNG_OPT_TCP_NODELAY, true);
	return nng_dialer_start(d, NNG_FLAG_NONBLOCK);
}

/* One that has a socket stays, even if it is of no use: closing may hang. */
static int
hose_new(struct hose **out, struct net *n)
{
	struct hose *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return NNG_ENOMEM;
	h->net = n;
	rc = nng_req0_open(&h->sock);
	if (rc != 0) {
		free(h);
		return rc;
	}
	*out = h;
	return set_options(h);
}

/* nng does not let go of the pipe: all that waits there has waited for nothing.
 */
static void
replace_hose(struct net *n)
{
	struct hose *old = n->hose, *h = NULL;
	struct slot *s;
	bool good;

	n->reset_at = now_ms() + RESET_MS; /* try again if this fails */
	pthread_mutex_unlock(&n->lock);
	good = hose_new(&h, n) == 0;
	pthread_mutex_lock(&n->lock);
	if (!good || n->reset_at == NEVER) /* it is gone after all */
		return;
	n->hose = h;
	n->reset_at = NEVER;
	for (s = old->slots; s != NULL; s = s->next) {
		pthread_mutex_unlock(&n->lock);
		tell(s, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	(void)dial(h); /* its events take the lock */
	pthread_mutex_lock(&n->lock);
}

/* ---- the timer ---- */

/* Tells those who are late; when the next one will be. */
static int64_t
tell_late(struct net *n)
{
	int64_t now = now_ms(), next = NEVER;
	struct slot *s;

	for (s = n->hose->slots; s != NULL; s = s->next) {
		net_reply_fn *fn = s->fn;

		if (fn == NULL)
			continue;
		if (s->deadline > now) {
			next = s->deadline < next ? s->deadline : next;
			continue;
		}
		s->fn = NULL;
		pthread_mutex_unlock(&n->lock);
		fn(s->arg, TOCSIN_ETIMEOUT, (struct span){ 0 });
		pthread_mutex_lock(&n->lock);
	}
	return next;
}

static void
wait_until(struct net *n, int64_t ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };

	if (ms < n->wake_at)
		n->wake_at = ms;
	if (n->wake_at == NEVER)
		pthread_cond_wait(&n->sooner, &n->lock);
	else if (n->wake_at == ms) /* else a call came that is due sooner */
		pthread_cond_timedwait(&n->sooner, &n->lock, &t);
}

static void *
keep_time(void *arg)
{
	struct net *n = arg;
	int64_t next;

	pthread_mutex_lock(&n->lock);
	for (;;) {
		n->wake_at = NEVER; /* what is claimed from now on lowers it */
		next = tell_late(n);
		if (n->reset_at <= now_ms())
			replace_hose(n);
		else
			wait_until(n, next < n->reset_at ? next : n->reset_at);
	}
	return NULL;
}

/* ---- one for each URL ---- */

static void
init_locks(struct net *n)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->quiet, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&n->sooner, &attr);
	pthread_condattr_destroy(&attr);
}

static enum tocsin_err
make(struct net **out, const char *url)
{
	struct net *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL || (n->url = strdup(url)) == NULL) {
		free(n);
		return TOCSIN_EINTERNAL;
	}
	n->reset_at = n->wake_at = NEVER;
	init_locks(n);
	/* From here on the socket exists for good, and so does its struct. */
	if (hose_new(&n->hose, n) != 0 ||
	    pthread_create(&n->timer, NULL, keep_time, n) != 0)
		return TOCSIN_EINTERNAL;
	rc = dial(n->hose);
	if (rc == NNG_EINVAL || rc == NNG_ENOTSUP || rc == NNG_EADDRINVAL)
		return TOCSIN_EUSAGE;
	*out = n;
	return rc == 0 ? TOCSIN_OK : TOCSIN_EINTERNAL;
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
