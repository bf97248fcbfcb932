/* SPDX-License-Identifier: ISC */
#include "client/net.h"

#include "client/backoff.h"
#include "client/tcp_line.h"
#include "crypto/buf.h"
#include "crypto/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.15; a kernel that does not know the number refuses it. */
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

#define CALLS_MAX 1024 /* requests out at once */
#define ADDRESSES 8
#define TRIES 8 /* connects under way at once */

/* In ms. A connect that hears nothing is tried beside the next one. */
#define CONNECT_STEP 250
#define CONNECT_STEP_LONG 5000 /* when the broker is away for longer */
#define AWAY_LONG 60000
#define REDIAL_MIN 200
#define REDIAL_MAX 5000
#define RESOLVE_STEP 30000
#define RESOLVE_FIRST 2000 /* as long as no address is known */

/*
 * When the kernel gives a connection up: after DEAD_MS in which what we sent,
 * or its own question after IDLE_S of silence, was not acknowledged at all. A
 * slow link acknowledges little by little, and stays.
 */
#define DEAD_MS 4000
#define IDLE_S 2
#define IDLE_EVERY_S 1
#define TRY_MS 1000 /* and how often it tries again (tcp_tune.h) */

/* Bytes that the kernel takes ahead of sending: nothing overtakes them. */
#define UNSENT_MAX 16384
#define UNSENT_BULK 49152

#define HEAD 12 /* u64 length, u32 id, before the frame */
#define ID_FIRST UINT32_C(0x80000000)
#define NEVER INT64_MAX

struct call {
	struct call *next;
	uint32_t id;
	enum net_lane lane;
	net_reply_fn *fn; /* NULL: who called was told, but it is half sent */
	void *arg;
	int64_t deadline;
	size_t sent, n;
	uint8_t bytes[];
};

struct list {
	struct call *first, **end;
};

struct
try {
	int fd;
	int64_t since;
};

struct watcher {
	net_watch_fn *fn;
	void *arg;
};

struct net {
	struct net *next;
	char *url;
	enum net_way way;
	char host[256], port[8];
	int wake;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */

	pthread_cond_t quiet; /* no watcher is being called */
	unsigned calling;
	struct watcher *watcher;
	size_t nwatcher;

	struct list wait[NET_LANES]; /* to be sent */
	struct call *sending;	     /* a part of it is gone */
	struct list out;	     /* waits for an answer */
	uint32_t last_id;
	unsigned ncall;
	bool reset; /* somebody wants the connection to end */

	int fd; /* -1: none */
	bool greeted;
	bool lively;   /* a message has come over it */
	bool refused;  /* the last try was */
	struct buf in; /* the thread's alone */
	struct try try[TRIES];
	struct sockaddr_storage address[ADDRESSES];
	socklen_t address_len[ADDRESSES];
	unsigned naddress, ntry;
	bool resolving;
	int64_t resolved_at, down_at, dial_at;
	int64_t used_at; /* when it had a call */
	bool wanted;	 /* it was in use when it was lost */
	int64_t look_at;
	struct tcp_line line; /* of the way for what takes long */
	uint32_t redial;      /* ms, the last pause */
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct net *all;

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
wake(struct net *n)
{
	const uint64_t one = 1;

	while (write(n->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- lists of calls; the lock is held ---- */

static void
list_init(struct list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void
list_add(struct list *l, struct call *c)
{
	c->next = NULL;
	*l->end = c;
	l->end = &c->next;
}

static void
list_remove(struct list *l, struct call **at)
{
	struct call *c = *at;

	*at = c->next;
	if (c->next == NULL)
		l->end = at;
	c->next = NULL;
}

static struct call *
list_take(struct list *l)
{
	struct call *c = l->first;

	if (c != NULL)
		list_remove(l, &l->first);
	return c;
}

/* ---- telling; the lock is held, and given up meanwhile ---- */

static void
tell(struct net *n, struct call *c, enum tocsin_err err, struct span answer)
{
	n->ncall--;
	pthread_mutex_unlock(&n->lock);
	if (c->fn != NULL)
		c->fn(c->arg, err, answer);
	free(c);
	pthread_mutex_lock(&n->lock);
}

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

/* A call of the list that is late; NULL: none. *next: when one will be. */
static struct call *
late(struct list *l, int64_t now, int64_t *next)
{
	struct call **at, *c;

	for (at = &l->first; (c = *at) != NULL; at = &c->next) {
		if (c->deadline <= now) {
			list_remove(l, at);
			return c;
		}
		if (c->deadline < *next)
			*next = c->deadline;
	}
	return NULL;
}

/* Half a message can't be taken back: its caller is told, the rest is sent. */
static void
tell_late_half(struct net *n, int64_t now, int64_t *next)
{
	struct call *c = n->sending;
	net_reply_fn *fn;

	if (c == NULL || c->fn == NULL)
		return;
	if (c->deadline > now) {
		if (c->deadline < *next)
			*next = c->deadline;
		return;
	}
	fn = c->fn;
	c->fn = NULL;
	pthread_mutex_unlock(&n->lock);
	fn(c->arg, TOCSIN_ETIMEOUT, (struct span){ 0 });
	pthread_mutex_lock(&n->lock);
}

/* Tells those who are late; when the next one will be. */
static int64_t
tell_late(struct net *n, int64_t now)
{
	int64_t next = NEVER;
	struct call *c;
	unsigned lane;

	tell_late_half(n, now, &next);
	while ((c = late(&n->out, now, &next)) != NULL)
		tell(n, c, TOCSIN_ETIMEOUT, (struct span){ 0 });
	for (lane = 0; lane < NET_LANES; lane++)
		while ((c = late(&n->wait[lane], now, &next)) != NULL)
			tell(n, c, TOCSIN_ETIMEOUT, (struct span){ 0 });
	return next;
}

/* ---- names ---- */

struct resolving {
	struct net *n;
	char host[256], port[8];
};

static void
take_addresses(struct net *n, const struct addrinfo *found)
{
	const struct addrinfo *a;

	n->naddress = 0;
	for (a = found; a != NULL && n->naddress < ADDRESSES; a = a->ai_next) {
		memcpy(&n->address[n->naddress], a->ai_addr, a->ai_addrlen);
		n->address_len[n->naddress++] = a->ai_addrlen;
	}
}

/* In a thread of its own: a name server may be long in answering. */
static void *
resolve(void *arg)
{
	struct resolving *r = arg;
	const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct net *n = r->n;
	int rc = getaddrinfo(r->host, r->port, &hints, &found);

	pthread_mutex_lock(&n->lock);
	if (rc == 0) /* else what was known may still be right */
		take_addresses(n, found);
	n->resolving = false;
	n->resolved_at = backoff_now();
	pthread_mutex_unlock(&n->lock);
	if (rc == 0)
		freeaddrinfo(found);
	wake(n);
	free(r);
	return NULL;
}

static void
begin_resolving(struct net *n)
{
	struct resolving *r = calloc(1, sizeof(*r));
	pthread_t t;

	n->resolved_at = backoff_now();
	if (r == NULL)
		return;
	r->n = n;
	memcpy(r->host, n->host, sizeof(r->host));
	memcpy(r->port, n->port, sizeof(r->port));
	if (pthread_create(&t, NULL, resolve, r) != 0) {
		free(r);
		return;
	}
	pthread_detach(t);
	n->resolving = true;
}

/* Numbers need nobody. */
static bool
take_number(struct net *n)
{
	const struct addrinfo hints = { .ai_flags =
					    AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	if (getaddrinfo(n->host, n->port, &hints, &found) != 0)
		return false;
	take_addresses(n, found);
	freeaddrinfo(found);
	n->resolved_at = NEVER; /* for good */
	return true;
}

/* ---- connecting ---- */

static void
set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* BBR, where it is allowed, because losses of a thin link mean nothing. */
static void
set_options(int fd, enum net_way way)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, IDLE_EVERY_S);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_MS);
	set_int(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, TRY_MS);
	set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
	    way == NET_BULK ? UNSENT_BULK : UNSENT_MAX);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
}

static void
close_tries(struct net *n)
{
	unsigned i;

	for (i = 0; i < TRIES; i++) {
		if (n->try[i].fd >= 0)
			close(n->try[i].fd);
		n->try[i].fd = -1;
	}
}

/* The next pause after a try that failed at once; half of it is chance. */
static void
redial_later(struct net *n, int64_t now)
{
	uint32_t ms = n->redial * 2;

	if (ms < REDIAL_MIN)
		ms = REDIAL_MIN;
	if (ms > REDIAL_MAX)
		ms = REDIAL_MAX;
	n->redial = ms;
	n->dial_at = now + ms / 2 + randombytes_uniform(ms / 2 + 1);
}

static void
connected(struct net *n, int fd)
{
	static const uint8_t head[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };

	close_tries(n);
	n->refused = false;
	/* The first bytes of a connection always find room. */
	if (send(fd, head, sizeof(head), MSG_NOSIGNAL) != sizeof(head)) {
		close(fd);
		redial_later(n, backoff_now());
		return;
	}
	n->fd = fd;
	n->wanted = false;
	n->look_at = 0;
	if (n->way == NET_BULK)
		tcp_line_begin(&n->line, fd, backoff_now());
	n->greeted = n->lively = false;
	n->reset = false;
	buf_cut(&n->in, 0);
	call_watchers(n);
}

/* Nobody listens at one address: the others are asked before a pause. */
static void
try_failed(struct net *n, int error, int64_t now)
{
	n->refused = error == ECONNREFUSED;
	if (n->naddress > 0 && n->ntry % n->naddress != 0)
		n->dial_at = now;
	else
		redial_later(n, now);
}

static void
begin_try(struct net *n, int64_t now)
{
	unsigned which = n->ntry++ % n->naddress, i, oldest = 0;
	const struct sockaddr *a =
	    (const struct sockaddr *)(const void *)&n->address[which];
	int fd =
	    socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	n->dial_at = now + (now - n->down_at < AWAY_LONG ? CONNECT_STEP
							 : CONNECT_STEP_LONG);
	if (fd < 0)
		return;
	set_options(fd, n->way);
	if (connect(fd, a, n->address_len[which]) == 0) {
		connected(n, fd);
		return;
	}
	if (errno != EINPROGRESS) {
		try_failed(n, errno, now);
		close(fd);
		return;
	}
	for (i = 1; i < TRIES; i++)
		if (n->try[oldest].fd >= 0 &&
		    (n->try[i].fd < 0 ||
			n->try[i].since < n->try[oldest].since))
			oldest = i;
	if (n->try[oldest].fd >= 0)
		close(n->try[oldest].fd);
	n->try[oldest] = (struct try){ fd, now };
}

static void
try_ended(struct net *n, unsigned i)
{
	int error = 0, fd = n->try[i].fd;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	n->try[i].fd = -1;
	if (error == 0) {
		connected(n, fd);
	} else {
		close(fd);
		try_failed(n, error, backoff_now());
	}
}

/* ---- a connection ---- */

static struct call *
next_to_send(struct net *n)
{
	struct call *c = NULL;
	unsigned lane;

	for (lane = 0; c == NULL && lane < NET_LANES; lane++)
		c = list_take(&n->wait[lane]);
	return c;
}

/* What was out is answered by nobody; what was not sent waits for the next. */
static void
hang_up(struct net *n)
{
	struct list lost = n->out;
	struct call *c;

	if (n->way == NET_BULK)
		tcp_line_end(&n->line, n->fd, backoff_now());
	n->wanted = n->ncall > 0;
	close(n->fd);
	n->fd = -1;
	n->reset = false;
	n->down_at = n->dial_at = backoff_now();
	if (!n->lively) /* one that ends at once is not dialled in a loop */
		redial_later(n, n->down_at);
	if (lost.first == NULL)
		list_init(&lost);
	list_init(&n->out);
	if (n->sending != NULL) {
		list_add(&lost, n->sending);
		n->sending = NULL;
	}
	/* Who sends much asks first what has come: it would cross twice. */
	while (n->way == NET_BULK && (c = next_to_send(n)) != NULL)
		list_add(&lost, c);
	while ((c = list_take(&lost)) != NULL)
		tell(n, c, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
	call_watchers(n);
}

static bool
has_to_send(const struct net *n)
{
	unsigned lane;

	for (lane = 0; lane < NET_LANES; lane++)
		if (n->wait[lane].first != NULL)
			return true;
	return n->sending != NULL;
}

/* False: it is over. */
static bool
write_some(struct net *n)
{
	struct call *c;
	ssize_t put;

	for (;;) {
		if (n->sending == NULL)
			n->sending = next_to_send(n);
		c = n->sending;
		if (c == NULL)
			return true;
		put = send(n->fd, c->bytes + c->sent, c->n - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)put;
		if (c->sent < c->n)
			return true; /* it has enough for now */
		n->sending = NULL;
		if (n->way == NET_MAIN)
			tcp_line_little(n->fd, c->n);
		if (c->fn != NULL)
			list_add(&n->out, c);
		else
			tell(n, c, TOCSIN_ETIMEOUT, (struct span){ 0 });
	}
}

static void
take_message(struct net *n, struct span payload)
{
	struct rd r = rd_init(payload);
	uint32_t id = rd_u32(&r);
	struct call **at;

	n->lively = true;
	n->redial = 0;
	for (at = &n->out.first; *at != NULL; at = &(*at)->next)
		if ((*at)->id == id) {
			struct call *c = *at;

			list_remove(&n->out, at);
			tell(n, c, TOCSIN_OK, rd_rest(&r));
			return;
		}
}

/* All whole messages of what has come; false: it is no broker. */
static bool
take_messages(struct net *n)
{
	static const uint8_t head[8] = { 0, 'S', 'P', 0, 0, 0x31, 0, 0 };
	struct rd r = rd_init(buf_span(&n->in));
	struct span rest = r.rest;
	struct span payload;
	uint64_t len;

	if (!n->greeted && rest.n >= sizeof(head)) {
		if (!span_eq(rd_span(&r, sizeof(head)), SPAN(head)))
			return false;
		n->greeted = true;
		rest = r.rest;
	}
	while (n->greeted && rest.n >= 8) {
		len = rd_u64(&r);
		if (len < 4 || len > FRAME_MAX + 4)
			return false;
		if (r.rest.n < len)
			break;
		payload = rd_span(&r, (size_t)len);
		rest = r.rest;
		take_message(n, payload);
	}
	if (rest.n > 0)
		memmove(n->in.p, rest.p, rest.n);
	buf_cut(&n->in, rest.n);
	return true;
}

/* False: it is over. */
static bool
read_some(struct net *n)
{
	size_t had = n->in.n;
	uint8_t *room = buf_grow(&n->in, 65536);
	ssize_t got;

	if (room == NULL)
		return false;
	got = recv(n->fd, room, 65536, MSG_DONTWAIT);
	buf_cut(&n->in, had + (got > 0 ? (size_t)got : 0));
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	return got > 0 && take_messages(n);
}

/* ---- the thread ---- */

/*
 * The connection for what takes long: who lost it in the middle of something
 * wants it again, and finds it there.
 */
static bool
needed(struct net *n, int64_t now)
{
	if (n->wanted && now - n->down_at >= AWAY_LONG)
		n->wanted = false;
	return n->way == NET_MAIN || n->ncall > 0 || n->wanted;
}

/* As long as it sends much. */
static int64_t
look(struct net *n, int64_t now)
{
	if (n->ncall == 0 || n->way == NET_MAIN)
		return NEVER;
	if (now >= n->look_at)
		n->look_at = tcp_line_look(&n->line, n->fd, now);
	return n->look_at;
}

/* When there is something to do about the connection that stands. */
static int64_t
keep(struct net *n, int64_t now)
{
	if (n->ncall > 0)
		n->used_at = now;
	if (n->way == NET_MAIN)
		return NEVER;
	if (now - n->used_at >= NET_IDLE_MS) {
		hang_up(n);
		return now;
	}
	return sooner(n->used_at + NET_IDLE_MS, look(n, now));
}

/* And about one that is to be made. */
static int64_t
dial(struct net *n, int64_t now)
{
	const int64_t step = n->naddress > 0 ? RESOLVE_STEP : RESOLVE_FIRST;

	if (!needed(n, now))
		return NEVER;
	if (!n->resolving && n->resolved_at != NEVER &&
	    now - n->resolved_at >= step)
		begin_resolving(n);
	if (n->naddress == 0)
		return n->resolving ? NEVER : n->resolved_at + step;
	if (now >= n->dial_at)
		begin_try(n, now);
	return n->fd >= 0 ? now : n->dial_at;
}

static nfds_t
poll_list(const struct net *n, struct pollfd *p)
{
	nfds_t k = 0;
	unsigned i;

	p[k++] = (struct pollfd){ n->wake, POLLIN, 0 };
	if (n->fd >= 0)
		p[k++] = (struct pollfd){ n->fd,
			(short)(has_to_send(n) ? POLLIN | POLLOUT : POLLIN),
			0 };
	for (i = 0; n->fd < 0 && i < TRIES; i++)
		if (n->try[i].fd >= 0)
			p[k++] = (struct pollfd){ n->try[i].fd, POLLOUT, 0 };
	return k;
}

static void
on_events(struct net *n, const struct pollfd *p, nfds_t k)
{
	uint64_t drop;
	bool good = true;
	unsigned i;
	nfds_t at;

	if (p[0].revents != 0 && read(n->wake, &drop, sizeof(drop)) < 0)
		drop = 0; /* somebody else's wake-up: nothing to do */
	if (n->fd >= 0) {
		for (at = 1; at < k; at++) {
			if (p[at].fd != n->fd)
				continue;
			if (p[at].revents & ~POLLOUT)
				good = read_some(n);
		}
		if (good && !n->reset)
			good = write_some(n);
		if (!good || n->reset)
			hang_up(n);
		return;
	}
	for (at = 1; at < k && n->fd < 0; at++)
		for (i = 0; p[at].revents != 0 && i < TRIES && n->fd < 0; i++)
			if (n->try[i].fd == p[at].fd)
				try_ended(n, i);
}

static void *
run(void *arg)
{
	struct net *n = arg;
	struct pollfd p[TRIES + 2];
	int64_t now, next, then;
	nfds_t k;

	pthread_mutex_lock(&n->lock);
	for (;;) {
		now = backoff_now();
		next = tell_late(n, now);
		then = n->fd >= 0 ? keep(n, now) : dial(n, now);
		next = sooner(then, next);
		now = backoff_now();
		k = poll_list(n, p);
		pthread_mutex_unlock(&n->lock);
		then = next <= now ? 0 : next - now;
		(void)poll(p, k,
		    next == NEVER ? -1 : (int)(then < 60000 ? then : 60000));
		pthread_mutex_lock(&n->lock);
		on_events(n, p, k);
	}
	return NULL;
}

/* ---- what others call ---- */

static struct call *
call_new(struct span frame)
{
	struct call *c = calloc(1, sizeof(*c) + HEAD + frame.n);
	unsigned i;

	if (c == NULL)
		return NULL;
	c->n = HEAD + frame.n;
	for (i = 0; i < 8; i++)
		c->bytes[i] =
		    (uint8_t)((uint64_t)(frame.n + 4) >> (56 - 8 * i));
	if (frame.n > 0)
		memcpy(c->bytes + HEAD, frame.p, frame.n);
	return c;
}

static bool
enqueue(struct net *n, struct call *c)
{
	unsigned i;
	bool room;

	pthread_mutex_lock(&n->lock);
	room = n->ncall < CALLS_MAX;
	if (room) {
		n->ncall++;
		c->id = ID_FIRST | ++n->last_id;
		for (i = 0; i < 4; i++)
			c->bytes[8 + i] = (uint8_t)(c->id >> (24 - 8 * i));
		list_add(&n->wait[c->lane], c);
	}
	pthread_mutex_unlock(&n->lock);
	return room;
}

void
net_call(struct net *n, struct span frame, enum net_lane lane,
    unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	struct call *c;

	if (frame.n > FRAME_MAX) { /* the broker would cut the connection */
		fn(arg, TOCSIN_ETOOLARGE, (struct span){ 0 });
		return;
	}
	c = call_new(frame);
	if (c != NULL) {
		c->lane = lane;
		c->fn = fn;
		c->arg = arg;
		c->deadline = backoff_now() + timeout_ms;
	}
	if (c == NULL || !enqueue(n, c)) {
		free(c);
		fn(arg, TOCSIN_EBUSY, (struct span){ 0 });
		return;
	}
	wake(n);
}

bool
net_connected(struct net *n)
{
	bool up;

	pthread_mutex_lock(&n->lock);
	up = n->fd >= 0 && !n->reset;
	pthread_mutex_unlock(&n->lock);
	return up;
}

bool
net_refused(struct net *n)
{
	bool refused;

	pthread_mutex_lock(&n->lock);
	refused = n->fd < 0 && n->refused;
	pthread_mutex_unlock(&n->lock);
	return refused;
}

void
net_reset(struct net *n)
{
	pthread_mutex_lock(&n->lock);
	n->reset = n->fd >= 0;
	pthread_mutex_unlock(&n->lock);
	wake(n);
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

/* ---- one for each URL ---- */

/* tcp://HOST:PORT, with an IPv6 address in brackets. */
static bool
take_url(struct net *n, const char *url)
{
	static const char scheme[] = "tcp://";
	const char *host = url + strlen(scheme), *colon = strrchr(url, ':');
	size_t len;

	if (strncmp(url, scheme, strlen(scheme)) != 0 || colon < host)
		return false;
	len = (size_t)(colon - host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(n->host) || strlen(colon + 1) == 0 ||
	    strlen(colon + 1) >= sizeof(n->port) ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	memcpy(n->host, host, len);
	snprintf(n->port, sizeof(n->port), "%s", colon + 1);
	return true;
}

static void
init_state(struct net *n)
{
	unsigned i;

	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->quiet, NULL);
	for (i = 0; i < NET_LANES; i++)
		list_init(&n->wait[i]);
	list_init(&n->out);
	for (i = 0; i < TRIES; i++)
		n->try[i].fd = -1;
	n->fd = -1;
	n->down_at = backoff_now();
	n->resolved_at = n->down_at - RESOLVE_STEP;
}

static enum tocsin_err
make(struct net **out, const char *url, enum net_way way)
{
	struct net *n = calloc(1, sizeof(*n));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (n == NULL || (n->url = strdup(url)) == NULL)
		goto out;
	if (!take_url(n, url)) {
		err = TOCSIN_EUSAGE;
		goto out;
	}
	n->way = way;
	init_state(n);
	(void)take_number(n);
	n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->wake < 0)
		goto out;
	if (pthread_create(&n->thread, NULL, run, n) != 0) {
		close(n->wake);
		goto out;
	}
	*out = n;
	return TOCSIN_OK;
out:
	if (n != NULL)
		free(n->url);
	free(n);
	return err;
}

enum tocsin_err
net_get(struct net **out, const char *url, enum net_way way)
{
	enum tocsin_err err = TOCSIN_OK;
	struct net *n;

	pthread_mutex_lock(&all_lock);
	for (n = all; n != NULL; n = n->next)
		if (n->way == way && strcmp(n->url, url) == 0)
			break;
	if (n == NULL) {
		err = make(&n, url, way);
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
