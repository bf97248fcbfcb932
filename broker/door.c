/* SPDX-License-Identifier: ISC */
/*
 * The loop of the door. Three rules keep nng alive behind it:
 *
 *   - who connects to nng greets it and reads its greeting, come what may: nng
 *     ends a listener whose peer is gone in the middle of that. So a greeting
 *     that nng owes us is waited for without a deadline, and at most
 *     GREETING_MAX of them are open at once;
 *   - nng gets whole messages. What it was given the beginning of, it gets the
 *     end of, whether or not the sender is still there;
 *   - what nng has begun to send is read to its end before we leave it, and
 *     we leave it only when it has read all that we gave it: nng 1.5 that
 *     closes a pipe between two pieces of a message waits for the rest for
 *     ever, in the one thread that frees pipes.
 */
#include "broker/door.h"
#include "broker/guests.h"
#include "broker/log.h"
#include "broker/sp.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_MAX = 128 * 1024, /* bytes of one read */
	PIECES = 512,	       /* of one write */
	EVENTS = 256,
	ACCEPTS = 64,	   /* new connections of one turn */
	GREETING_MAX = 64, /* below nng's backlog of 128 */
	RETRY_MS = 10,	   /* when that is full all the same */
	PAUSE_MS = 100,	   /* of accepting, without descriptors */
	CHECK_MS = 5,	   /* has nng read all? Nobody tells us */
	QUIET_MS = 50,	   /* no answer for so long: those left are parked */
	LEAVE_MS = 1000,   /* to end in order */
	DRAIN_READS = 64,  /* of what nobody will get, in one turn */
	SLACK = 256,	   /* connections that are closing, beyond the limit */
};

struct list {
	struct list *prev;
	struct list *next;
};

/*
 * What a connection waits for. Every kind has one duration, so a list in the
 * order of beginning is in the order of ending, too: no heap.
 */
enum wait {
	W_HEADER, /* greetings */
	W_FIRST,
	W_QUIET, /* W_FIRST of a relay, which may have nothing to say */
	W_IDLE,
	W_FRAME,
	W_CLOSE,
	W_OWED,	 /* nng's greeting, the client being gone: for ever */
	W_STALL, /* this and the next beside one of the above */
	W_RETRY,
	W_CHECK,
	W_COUNT
};

struct timer {
	struct list at; /* in the list of `wait`; first, so it is the timer */
	uint64_t since;
	enum wait wait;
	bool on;
	struct conn *conn;
};

enum phase {
	P_GREET_CLIENT,
	P_CONNECT, /* waiting for a turn at nng */
	P_GREET_BROKER,
	P_OPEN,
	P_CLOSING, /* one end is gone, the other is served to its end */
	P_DEAD	   /* freed at the end of the turn */
};

/* Bytes that the kernel did not take yet. */
struct queue {
	uint8_t *p;
	size_t n;
	size_t off;
};

struct end {
	struct conn *conn;
	int fd;		/* -1: gone */
	uint32_t armed; /* what epoll watches, if it does */
	bool watched;
	struct sp_reader in;
	struct queue out;
};

struct conn {
	struct end client;
	struct end broker;
	struct timer life;
	struct timer beside;
	enum phase phase;
	bool known; /* has sent a whole message */
	uint8_t greeting_n;
	uint8_t greeting[SP_HEADER_LEN];
	uint16_t proto; /* of the client */
	uint32_t owed;	/* requests that nng has not answered */
	uint64_t quiet; /* closing: when nng was last heard */
	struct guest *guest;
	size_t held;	   /* as counted in the door's sum */
	struct conn *dead; /* the next to be freed */
};

struct door {
	const struct door_config *cfg;
	int epoll;
	int listen;
	int control;
	bool leaving;
	uint64_t now;
	uint64_t paused_until; /* 0: accepting */
	unsigned conns;	       /* with either end */
	unsigned greetings;    /* that nng owes us */
	struct list waits[W_COUNT];
	uint64_t limit[W_COUNT];
	struct conn *dead;
	struct guests *guests;
	struct door_counters count;
	uint8_t scratch[READ_MAX];
};

static volatile sig_atomic_t told_to_end;

static void conn_step(struct door *d, struct conn *c);

#define COUNT(d, name) ((d)->count.n[DOOR_##name])

/* Lists and timers. */

static void
list_init(struct list *l)
{
	l->prev = l->next = l;
}

static void
list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

static void
list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static void
timer_stop(struct timer *t)
{
	if (t->on)
		list_remove(&t->at);
	t->on = false;
}

static void
timer_start(struct door *d, struct timer *t, enum wait wait)
{
	timer_stop(t);
	t->wait = wait;
	t->since = d->now;
	t->on = true;
	list_append(&d->waits[wait], &t->at);
}

static struct timer *
timer_oldest(struct door *d, enum wait wait)
{
	struct list *head = &d->waits[wait];

	static_assert(offsetof(struct timer, at) == 0, "a cast finds it");
	return head->next == head ? NULL : (struct timer *)head->next;
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Events that strangers can cause: a few lines a minute. */
static void
log_refusal(struct conn *c, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);
	char text[SOURCE_TEXT_MAX];

	log_limited(&limit, LOG_INFO, "door-refused",
	    LOG_Z("peer", source_text(guest_source(c->guest), text)),
	    LOG_Z("reason", reason), LOG_END);
}

static void
log_broker(const char *event, const char *path, int error)
{
	static struct log_limit limit = LOG_LIMIT(5, 60000);

	log_limited(&limit, LOG_ERROR, event, LOG_Z("path", path),
	    error ? LOG_ERRNO(error) : LOG_END, LOG_END);
}

/* Ends. */

static struct end *
other(struct end *e)
{
	return e == &e->conn->client ? &e->conn->broker : &e->conn->client;
}

static bool
is_client(const struct end *e)
{
	return e == &e->conn->client;
}

static size_t
queued(const struct end *e)
{
	return e->out.n - e->out.off;
}

static void
queue_release(struct queue *q)
{
	free(q->p);
	*q = (struct queue){ 0 };
}

static bool
queue_add(struct queue *q, struct span s)
{
	uint8_t *p = realloc(q->p, q->n + s.n);

	if (p == NULL)
		return false;
	memcpy(p + q->n, s.p, s.n);
	q->p = p;
	q->n += s.n;
	return true;
}

static uint32_t
wanted(const struct end *e)
{
	const struct conn *c = e->conn;
	uint32_t out = queued(e) > 0 ? EPOLLOUT : 0;
	bool in = false;

	switch (c->phase) {
	case P_GREET_CLIENT:
		in = is_client(e);
		break;
	case P_GREET_BROKER:
		in = !is_client(e);
		break;
	case P_OPEN: /* who doesn't take answers isn't asked for more */
		in = queued(is_client(e) ? &c->broker : &c->client) == 0;
		break;
	case P_CLOSING:
		in = !is_client(e);
		break;
	case P_CONNECT:
	case P_DEAD:
		break;
	}
	return out | (in ? EPOLLIN : 0);
}

/*
 * A client of whom we want nothing is still watched, since the kernel tells of
 * a reset in any case. nng is not: its hang-up would be told again and again
 * while we are not ready to read what stands before it.
 */
static void
arm(struct door *d, struct end *e)
{
	struct epoll_event ev = { .events = wanted(e), .data.ptr = e };
	bool watch = e->fd >= 0 && (ev.events != 0 || is_client(e));

	if (e->fd < 0 || (watch == e->watched && ev.events == e->armed))
		return;
	epoll_ctl(d->epoll,
	    !watch	 ? EPOLL_CTL_DEL
	    : e->watched ? EPOLL_CTL_MOD
			 : EPOLL_CTL_ADD,
	    e->fd, &ev);
	e->watched = watch;
	e->armed = ev.events;
}

static void
end_close(struct end *e, bool reset)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (e->fd >= 0) {
		if (reset)
			setsockopt(
			    e->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(e->fd);
	}
	e->fd = -1;
	e->watched = false;
	e->armed = 0;
	sp_release(&e->in);
	queue_release(&e->out);
}

/* Connections. */

static void
conn_account(struct door *d, struct conn *c)
{
	size_t held = c->client.in.cap + c->broker.in.cap + c->client.out.n +
		      c->broker.out.n;

	COUNT(d, held) += held - c->held;
	c->held = held;
}

static void
conn_bury(struct door *d, struct conn *c)
{
	if (c->phase == P_DEAD)
		return;
	assert(c->client.fd < 0 && c->broker.fd < 0);
	timer_stop(&c->life);
	timer_stop(&c->beside);
	guests_leave(d->guests, c->guest, d->now);
	conn_account(d, c);
	c->phase = P_DEAD;
	c->dead = d->dead;
	d->dead = c;
	d->conns--;
	COUNT(d, open) = d->conns;
}

static void
bury_all(struct door *d)
{
	struct conn *c;

	while ((c = d->dead) != NULL) {
		d->dead = c->dead;
		free(c);
	}
}

static void
greeting_over(struct door *d)
{
	struct timer *next;

	d->greetings--;
	next = timer_oldest(d, W_RETRY);
	if (next != NULL) /* due at once, in this turn or the next */
		next->since = 0;
}

/* The client is gone, or is shown out. nng gets what it must get. */
static void
client_gone(struct door *d, struct conn *c, bool reset)
{
	end_close(&c->client, reset);
	timer_stop(&c->beside);
	switch (c->phase) {
	case P_GREET_CLIENT:
	case P_CONNECT:
		conn_bury(d, c);
		break;
	case P_GREET_BROKER:
		timer_start(d, &c->life, W_OWED);
		break;
	case P_OPEN:
		c->phase = P_CLOSING;
		c->quiet = d->now;
		timer_start(d, &c->life, W_CLOSE);
		conn_step(d, c);
		break;
	case P_CLOSING: /* the broker was gone before */
		if (c->broker.fd < 0)
			conn_bury(d, c);
		break;
	case P_DEAD:
		break;
	}
}

/* nng is gone. The client gets the whole messages that are in hand. */
static void
broker_gone(struct door *d, struct conn *c)
{
	if (c->phase == P_GREET_BROKER)
		greeting_over(d);
	end_close(&c->broker, false);
	if (c->client.fd >= 0 && queued(&c->client) > 0) {
		c->phase = P_CLOSING;
		timer_stop(&c->beside);
		timer_start(d, &c->life, W_CLOSE);
		arm(d, &c->client);
		return;
	}
	end_close(&c->client, false);
	conn_bury(d, c);
}

static void
end_gone(struct door *d, struct end *e)
{
	if (is_client(e))
		client_gone(d, e->conn, false);
	else
		broker_gone(d, e->conn);
}

static void
refuse(struct door *d, struct conn *c, uint64_t *counter, const char *reason)
{
	++*counter;
	log_refusal(c, reason);
	client_gone(d, c, true);
}

/* Writing. */

/* Skips what was written; returns the number of pieces that are left. */
static int
pieces_skip(struct iovec **iov, int n, size_t written)
{
	while (n > 0 && written >= (*iov)->iov_len) {
		written -= (*iov)->iov_len;
		++*iov;
		n--;
	}
	if (n > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + written;
		(*iov)->iov_len -= written;
	}
	return n;
}

/* To the kernel at once, if it takes it, or else behind what is queued. */
static bool
end_write(struct end *e, struct iovec *iov, int n)
{
	ssize_t written = 0;

	if (queued(e) == 0) {
		do
			written = writev(e->fd, iov, n);
		while (written < 0 && errno == EINTR);
		if (written < 0 && errno != EAGAIN)
			return false;
	}
	n = pieces_skip(&iov, n, written > 0 ? (size_t)written : 0);
	for (; n > 0; n--, iov++)
		if (!queue_add(
			&e->out, (struct span){ iov->iov_base, iov->iov_len }))
			return false;
	return true;
}

static bool
end_flush(struct end *e)
{
	struct queue *q = &e->out;
	ssize_t n;

	do
		n = write(e->fd, q->p + q->off, q->n - q->off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	q->off += (size_t)n;
	if (q->off == q->n)
		queue_release(q);
	return true;
}

/* Reading. */

enum flow { FLOW_ON, FLOW_ENDED, FLOW_REFUSED };

/* All whole frames of `in`, in as few writes as may be. */
static enum flow
pass_frames(struct end *from, struct end *to, struct span *in, uint64_t *frames)
{
	struct iovec iov[PIECES];
	enum tocsin_err err;
	struct sp_frame f;
	bool got = true, ended = false;
	int n;

	while (got) {
		for (n = 0; n + SP_PIECES <= PIECES;) {
			err = sp_next(&from->in, in, &f, &got);
			if (err != TOCSIN_OK || !got)
				break;
			++*frames;
			if (to->fd >= 0 && !ended)
				n += sp_pieces(&f, from->in.rules.map,
				    to->in.rules.map, iov + n);
		}
		if (n > 0 && !end_write(to, iov, n))
			ended = true; /* read on: `from` may live */
		if (err != TOCSIN_OK)
			return FLOW_REFUSED;
	}
	if (sp_keep(&from->in, *in) != TOCSIN_OK)
		return FLOW_REFUSED;
	return ended ? FLOW_ENDED : FLOW_ON;
}

/* A message begun, a message ended: which deadline runs now? */
static void
client_timer(struct door *d, struct conn *c, uint64_t frames)
{
	bool inside = sp_pending(&c->client.in) > 0;

	if (frames > 0)
		c->known = true;
	if (!c->known)
		return; /* W_FIRST goes on, however much of it has come */
	if (!inside || queued(&c->broker) > 0)
		timer_start(d, &c->life, W_IDLE);
	else if (frames > 0 || c->life.wait != W_FRAME)
		timer_start(d, &c->life, W_FRAME);
}

static void
stall_timer(struct door *d, struct conn *c)
{
	bool stalled = c->phase == P_OPEN && queued(&c->client) > 0;

	if (stalled && !c->beside.on)
		timer_start(d, &c->beside, W_STALL);
	else if (!stalled && c->beside.wait == W_STALL)
		timer_stop(&c->beside);
}

static struct conn *
older(struct timer *a, struct timer *b)
{
	if (a == NULL || (b != NULL && b->since < a->since))
		a = b;
	return a != NULL ? a->conn : NULL;
}

/* Too much in hand: whoever has been in the middle of something longest. */
static void
shed(struct door *d, struct conn *c)
{
	struct conn *victim;

	while (COUNT(d, held) > d->cfg->max_held && c->phase == P_OPEN) {
		victim =
		    older(timer_oldest(d, W_FRAME), timer_oldest(d, W_STALL));
		if (victim == NULL || !c->known)
			victim = c;
		refuse(d, victim, &COUNT(d, refused_full), "held");
		conn_account(d, victim);
	}
}

/* The deadlines, the sums and the watch, after something has moved. */
static void
conn_settle(struct door *d, struct conn *c)
{
	conn_account(d, c);
	if (c->phase == P_OPEN)
		shed(d, c);
	if (c->phase == P_DEAD)
		return;
	stall_timer(d, c);
	arm(d, &c->client);
	arm(d, &c->broker);
}

/* `frames` of them went to nng, or came from there. */
static void
count_owed(struct conn *c, const struct end *from, uint64_t frames)
{
	if (c->proto != SP_REQ)
		return; /* SUB doesn't answer */
	if (is_client(from))
		c->owed += (uint32_t)frames;
	else
		c->owed -= frames < c->owed ? (uint32_t)frames : c->owed;
}

static ssize_t
end_read(struct door *d, struct end *e)
{
	ssize_t n;

	do
		n = read(e->fd, d->scratch, sizeof(d->scratch));
	while (n < 0 && errno == EINTR);
	return n;
}

static void
flow_refused(struct door *d, struct end *from)
{
	if (is_client(from)) {
		refuse(d, from->conn, &COUNT(d, refused_frame), "message");
		return;
	}
	/* nng sends what we can't pass: the limits differ. Say so. */
	log_broker("door-broker-message", "", 0);
	COUNT(d, refused_frame)++;
	client_gone(d, from->conn, true);
	if (from->fd >= 0)
		broker_gone(d, from->conn);
}

/* One read from one end, what is whole of it to the other. */
static void
pump(struct door *d, struct end *from)
{
	struct conn *c = from->conn;
	struct end *to = other(from);
	uint64_t frames = 0;
	enum flow flow;
	struct span in;
	ssize_t n;

	n = end_read(d, from);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_gone(d, from);
		return;
	}
	in = (struct span){ d->scratch, (size_t)n };
	flow = pass_frames(from, to, &in, &frames);
	count_owed(c, from, frames);
	if (is_client(from)) {
		COUNT(d, frames_in) += frames;
		COUNT(d, bytes_in) += (uint64_t)n;
		client_timer(d, c, frames);
	} else {
		COUNT(d, frames_out) += frames;
		COUNT(d, bytes_out) += (uint64_t)n;
	}
	if (flow == FLOW_ENDED)
		end_gone(d, to);
	else if (flow == FLOW_REFUSED)
		flow_refused(d, from);
	if (c->phase != P_DEAD)
		conn_settle(d, c);
}

/* Closing. */

/* nng has read every byte that we gave it. */
static bool
all_read(const struct end *e)
{
	int unread = 0;

	return queued(e) == 0 && ioctl(e->fd, SIOCOUTQ, &unread) == 0 &&
	       unread == 0;
}

static bool
may_leave(const struct door *d, const struct conn *c)
{
	return all_read(&c->broker) && sp_pending(&c->broker.in) == 0 &&
	       (c->owed == 0 || d->now - c->quiet >= QUIET_MS);
}

/* Reads what nobody will get. False: nng has ended the connection. */
static bool
drain(struct door *d, struct conn *c)
{
	uint64_t frames;
	struct span in;
	ssize_t n;
	int i;

	for (i = 0; i < DRAIN_READS; i++) {
		n = end_read(d, &c->broker);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		c->quiet = d->now;
		frames = 0;
		in = (struct span){ d->scratch, (size_t)n };
		if (pass_frames(&c->broker, &c->client, &in, &frames) !=
		    FLOW_ON)
			return false;
		count_owed(c, &c->broker, frames);
	}
	return true;
}

/*
 * Without its client: nng gets the end of what it was given, we read what it
 * answers, and leave when nothing is under way either way. A request that it
 * has parked would be answered in half a minute only. We don't wait for that:
 * it is by our leaving that the park ends.
 */
static void
conn_step(struct door *d, struct conn *c)
{
	if (!drain(d, c)) {
		broker_gone(d, c);
		return;
	}
	if (may_leave(d, c)) {
		end_close(&c->broker, false);
		conn_bury(d, c);
		return;
	}
	timer_start(d, &c->beside, W_CHECK);
	conn_account(d, c);
	arm(d, &c->broker);
}

/* Greetings. */

/* True when all of it is there; *gone when it never will be. */
static bool
greeting_read(struct conn *c, struct end *e, bool *gone)
{
	size_t want = (size_t)(SP_HEADER_LEN - c->greeting_n);
	ssize_t n;

	do
		n = read(e->fd, c->greeting + c->greeting_n, want);
	while (n < 0 && errno == EINTR);
	*gone = n == 0 || (n < 0 && errno != EAGAIN);
	if (n > 0)
		c->greeting_n = (uint8_t)(c->greeting_n + n);
	return c->greeting_n == SP_HEADER_LEN;
}

static bool
greeting_write(int fd, uint16_t proto)
{
	uint8_t h[SP_HEADER_LEN];

	sp_header(h, (enum sp_proto)proto);
	return send(fd, h, sizeof(h), MSG_NOSIGNAL) == sizeof(h);
}

static const char *
broker_path(const struct door *d, const struct conn *c)
{
	return c->proto == SP_REQ ? d->cfg->rpc : d->cfg->relay;
}

static void
broker_down(struct door *d, struct conn *c, int error)
{
	COUNT(d, broker_down)++;
	log_broker("door-broker-down", broker_path(d, c), error);
	client_gone(d, c, true);
}

/* Returns a descriptor, or -1 with errno; EAGAIN: the backlog is full. */
static int
broker_connect(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, kept;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	kept = errno;
	close(fd);
	errno = kept;
	return -1;
}

static void
conn_connect(struct door *d, struct conn *c)
{
	int fd = -1;

	c->phase = P_CONNECT;
	if (d->greetings < GREETING_MAX) {
		fd = broker_connect(broker_path(d, c));
		if (fd < 0 && errno != EAGAIN) {
			broker_down(d, c, errno);
			return;
		}
	}
	if (fd < 0) {
		timer_start(d, &c->beside, W_RETRY);
		arm(d, &c->client);
		return;
	}
	timer_stop(&c->beside);
	c->broker.fd = fd;
	c->phase = P_GREET_BROKER;
	c->greeting_n = 0;
	d->greetings++;
	if (!greeting_write(fd, c->proto)) {
		broker_gone(d, c);
		return;
	}
	arm(d, &c->client);
	arm(d, &c->broker);
}

static void
greet_client(struct door *d, struct conn *c)
{
	bool gone;

	if (!greeting_read(c, &c->client, &gone)) {
		if (gone)
			client_gone(d, c, false);
		return;
	}
	if (sp_header_decode(&c->proto, SPAN(c->greeting)) != TOCSIN_OK ||
	    (c->proto != SP_REQ && c->proto != SP_PUB) ||
	    *broker_path(d, c) == '\0') {
		refuse(d, c, &COUNT(d, refused_header), "header");
		return;
	}
	c->client.in.rules = (struct sp_rules){
		.map = SP_TCP,
		.max = c->proto == SP_REQ ? d->cfg->max_rpc : d->cfg->max_relay,
		.request = c->proto == SP_REQ,
	};
	/* SUB has nothing to say. */
	c->broker.in.rules = (struct sp_rules){
		.map = SP_LOCAL,
		.max = c->proto == SP_REQ ? d->cfg->max_rpc : 0,
		.request = c->proto == SP_REQ,
	};
	conn_connect(d, c);
}

static void
greet_broker(struct door *d, struct conn *c)
{
	uint16_t peer = c->proto == SP_REQ ? SP_REP : SP_SUB, got;
	bool gone;

	if (!greeting_read(c, &c->broker, &gone)) {
		if (gone) {
			COUNT(d, broker_down)++;
			broker_gone(d, c);
		}
		return;
	}
	greeting_over(d);
	c->phase = P_OPEN;
	if (sp_header_decode(&got, SPAN(c->greeting)) != TOCSIN_OK ||
	    got != peer) {
		broker_down(d, c, EPROTO);
		return;
	}
	COUNT(d, greeted)++;
	if (c->client.fd < 0 || !greeting_write(c->client.fd, peer)) {
		client_gone(d, c, false);
		return;
	}
	timer_start(d, &c->life, c->proto == SP_REQ ? W_FIRST : W_QUIET);
	conn_settle(d, c);
}

/* Accepting. */

static void
pause_accepting(struct door *d, int error)
{
	static struct log_limit limit = LOG_LIMIT(2, 60000);

	epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->listen, NULL);
	d->paused_until = d->now + PAUSE_MS;
	COUNT(d, no_fds)++;
	log_limited(&limit, LOG_WARN, "door-paused", LOG_ERRNO(error), LOG_END);
}

static void
resume_accepting(struct door *d)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &d->listen };

	d->paused_until = 0;
	epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->listen, &ev);
}

/* Room for one more, if need be by showing out the oldest stranger. */
static bool
make_room(struct door *d)
{
	struct conn *c;

	if (d->conns < d->cfg->max_conns)
		return true;
	c = older(timer_oldest(d, W_HEADER), timer_oldest(d, W_FIRST));
	if (c == NULL)
		c = older(timer_oldest(d, W_QUIET), NULL);
	if (c == NULL)
		return false;
	COUNT(d, evicted)++;
	client_gone(d, c, true);
	return d->conns < d->cfg->max_conns + SLACK;
}

static void
turn_away(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void
conn_new(struct door *d, int fd, struct guest *guest)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		guests_leave(d->guests, guest, d->now);
		turn_away(fd);
		return;
	}
	c->guest = guest;
	c->client.conn = c->broker.conn = c;
	c->life.conn = c->beside.conn = c;
	c->client.fd = fd;
	c->client.in.rules.map = SP_TCP;
	c->broker.fd = -1;
	c->broker.in.rules.map = SP_LOCAL;
	d->conns++;
	COUNT(d, open) = d->conns;
	timer_start(d, &c->life, W_HEADER);
	greet_client(d, c); /* most have come with the connection */
	if (c->phase == P_GREET_CLIENT)
		arm(d, &c->client);
}

static void
welcome(struct door *d, int fd, const struct sockaddr_storage *addr)
{
	struct guest *guest;

	COUNT(d, accepted)++;
	switch (guests_enter(d->guests, source_of(addr), d->now, &guest)) {
	case GUEST_TOO_MANY:
		COUNT(d, refused_source)++;
		turn_away(fd);
		return;
	case GUEST_TOO_FAST:
		COUNT(d, refused_rate)++;
		turn_away(fd);
		return;
	case GUEST_WELCOME:
		break;
	}
	if (!make_room(d)) {
		COUNT(d, refused_full)++;
		guests_leave(d->guests, guest, d->now);
		turn_away(fd);
		return;
	}
	conn_new(d, fd, guest);
}

static void
accept_some(struct door *d)
{
	struct sockaddr_storage addr;
	socklen_t n;
	int fd, i;

	for (i = 0; i < ACCEPTS; i++) {
		n = sizeof(addr);
		fd = accept4(d->listen, (struct sockaddr *)&addr, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(d, fd, &addr);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			pause_accepting(d, errno);
			return;
		}
		/* The rest are troubles of that one connection. */
	}
}

/* Time. */

/* clang-format off */
static const struct {
	enum door_counter counter;
	const char *reason;
} lateness[W_COUNT] = {
	[W_HEADER] = { DOOR_late_header, "late-header" },
	[W_FIRST]  = { DOOR_late_first,  "late-first" },
	[W_QUIET]  = { DOOR_late_first,  "quiet" },
	[W_IDLE]   = { DOOR_late_idle,   "idle" },
	[W_FRAME]  = { DOOR_late_frame,  "late-message" },
	[W_CLOSE]  = { DOOR_late_close,  NULL },
	[W_STALL]  = { DOOR_late_stall,  "stalled" },
};
/* clang-format on */

/* A client whose greeting waits for nng is not to blame. */
static void
late_at_broker(struct door *d, struct conn *c)
{
	if (c->phase == P_CONNECT && d->greetings < GREETING_MAX) {
		broker_down(d, c, EAGAIN);
		return;
	}
	COUNT(d, broker_deaf)++;
	log_broker("door-broker-deaf", broker_path(d, c), 0);
	client_gone(d, c, true);
}

static void
late_close(struct door *d, struct conn *c)
{
	end_close(&c->client, true);
	end_close(&c->broker, false);
	conn_bury(d, c);
}

static void
expire(struct door *d, struct timer *t)
{
	struct conn *c = t->conn;

	if (t->wait == W_RETRY) {
		conn_connect(d, c);
		return;
	}
	if (t->wait == W_CHECK) {
		conn_step(d, c);
		return;
	}
	if (t->wait == W_HEADER && c->phase != P_GREET_CLIENT) {
		late_at_broker(d, c);
		return;
	}
	d->count.n[lateness[t->wait].counter]++;
	if (t->wait == W_CLOSE) {
		late_close(d, c);
		return;
	}
	log_refusal(c, lateness[t->wait].reason);
	client_gone(d, c, true);
}

/* The oldest that time alone can end. */
static struct timer *
timer_next(struct door *d, enum wait wait)
{
	if (wait == W_OWED || (wait == W_RETRY && d->greetings >= GREETING_MAX))
		return NULL;
	return timer_oldest(d, wait);
}

static void
expire_all(struct door *d)
{
	struct timer *t;
	int w;

	for (w = 0; w < W_COUNT; w++)
		while ((t = timer_next(d, w)) != NULL &&
		       d->now >= t->since + d->limit[w])
			expire(d, t);
	if (d->paused_until != 0 && d->now >= d->paused_until)
		resume_accepting(d);
}

/* How long nothing needs doing, in ms; -1 for ever. */
static int
patience(struct door *d)
{
	uint64_t until = d->paused_until ? d->paused_until : UINT64_MAX;
	struct timer *t;
	int w;

	for (w = 0; w < W_COUNT; w++) {
		t = timer_next(d, w);
		if (t != NULL && t->since + d->limit[w] < until)
			until = t->since + d->limit[w];
	}
	if (until == UINT64_MAX)
		return -1;
	if (until <= d->now)
		return 0;
	return until - d->now < INT_MAX ? (int)(until - d->now) : INT_MAX;
}

/* The loop. */

/* Our parent asks for the counters, or is gone. */
static void
control_event(struct door *d)
{
	char asked;
	ssize_t n = recv(d->control, &asked, 1, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		d->leaving = true;
	else if (n > 0)
		send(d->control, &d->count, sizeof(d->count),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
client_event(struct door *d, struct conn *c, uint32_t events)
{
	struct end *e = &c->client;
	bool told = events & (EPOLLIN | EPOLLHUP | EPOLLERR);
	bool hung = events & (EPOLLHUP | EPOLLERR);

	if ((events & EPOLLOUT) && queued(e) > 0 && !end_flush(e))
		client_gone(d, c, false);
	else if (c->phase == P_GREET_CLIENT)
		greet_client(d, c);
	else if (c->phase == P_OPEN && told && (wanted(e) & EPOLLIN))
		pump(d, e);
	else if (hung || (c->phase == P_CLOSING && queued(e) == 0))
		client_gone(d, c, false);
	else
		conn_settle(d, c);
}

static void
broker_event(struct door *d, struct conn *c, uint32_t events)
{
	struct end *e = &c->broker;
	bool blocked = queued(e) > 0;

	if ((events & EPOLLOUT) && blocked && !end_flush(e)) {
		broker_gone(d, c);
		return;
	}
	if (c->phase == P_OPEN && blocked)
		client_timer(d, c, 0);
	if (c->phase == P_GREET_BROKER)
		greet_broker(d, c);
	else if (c->phase == P_CLOSING)
		conn_step(d, c);
	else if ((events & ~(uint32_t)EPOLLOUT) && (wanted(e) & EPOLLIN))
		pump(d, e);
	else
		conn_settle(d, c);
}

static void
end_event(struct door *d, struct end *e, uint32_t events)
{
	if (e->conn->phase == P_DEAD || e->fd < 0)
		return; /* closed earlier in this turn */
	if (is_client(e))
		client_event(d, e->conn, events);
	else
		broker_event(d, e->conn, events);
}

static void
turn(struct door *d, int timeout)
{
	struct epoll_event ev[EVENTS];
	sigset_t none;
	int i, n;

	sigemptyset(&none);
	n = epoll_pwait(d->epoll, ev, EVENTS, timeout, &none);
	d->now = clock_ms();
	if (told_to_end)
		d->leaving = true;
	for (i = 0; i < n; i++)
		if (ev[i].data.ptr == &d->listen)
			accept_some(d);
		else if (ev[i].data.ptr == &d->control)
			control_event(d);
		else
			end_event(d, ev[i].data.ptr, ev[i].events);
	expire_all(d);
	bury_all(d);
}

/* Shows everybody out and leaves nng in order, but not for ever. */
static void
leave(struct door *d)
{
	uint64_t until = d->now + LEAVE_MS;
	struct timer *t;
	int w;

	/* Our parent has the socket, too, so that closing it changes nothing.
	 */
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->listen, NULL);
	close(d->listen);
	d->paused_until = 0;
	for (w = 0; w < W_CLOSE; w++)
		while ((t = timer_oldest(d, w)) != NULL)
			client_gone(d, t->conn, false);
	bury_all(d);
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->control, NULL);
	while (d->conns > 0 && d->now < until)
		turn(d, CHECK_MS);
}

static void
on_signal(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static void
take_signals(void)
{
	struct sigaction end = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL); /* but for epoll_pwait() */
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static struct door *
door_new(const struct door_config *cfg, int listen_fd, int control_fd)
{
	struct door *d = calloc(1, sizeof(*d));
	struct guest_limits limits = { cfg->max_conns * 4, cfg->max_source,
		cfg->rate, cfg->burst };
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t seed = 0;
	int w;

	if (d == NULL)
		return NULL;
	d->cfg = cfg;
	d->listen = listen_fd;
	d->control = control_fd;
	d->now = clock_ms();
	for (w = 0; w < W_COUNT; w++)
		list_init(&d->waits[w]);
	d->limit[W_HEADER] = cfg->header_ms;
	d->limit[W_FIRST] = cfg->first_ms;
	d->limit[W_QUIET] = cfg->idle_ms;
	d->limit[W_IDLE] = cfg->idle_ms;
	d->limit[W_FRAME] = cfg->frame_ms;
	d->limit[W_CLOSE] = cfg->close_ms;
	d->limit[W_STALL] = cfg->stall_ms;
	d->limit[W_RETRY] = RETRY_MS;
	d->limit[W_CHECK] = CHECK_MS;

	/* Without a random seed, collisions could be chosen: no more. */
	(void)!getrandom(&seed, sizeof(seed), 0);
	d->guests = guests_new(&limits, seed);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	ev.data.ptr = &d->control;
	if (d->guests == NULL || d->epoll < 0 ||
	    epoll_ctl(d->epoll, EPOLL_CTL_ADD, control_fd, &ev) != 0) {
		guests_free(d->guests);
		free(d);
		return NULL;
	}
	resume_accepting(d);
	return d;
}

int
door_run(const struct door_config *cfg, int listen_fd, int control_fd)
{
	struct door *d;

	take_signals();
	d = door_new(cfg, listen_fd, control_fd);
	if (d == NULL) {
		log_event(LOG_ERROR, "door-failed", LOG_ERRNO(errno), LOG_END);
		return 1;
	}
	log_event(LOG_INFO, "door-open", LOG_U("port", door_port(listen_fd)),
	    LOG_U("connections", cfg->max_conns), LOG_END);
	while (!d->leaving)
		turn(d, patience(d));
	leave(d);
	log_event(LOG_INFO, "door-closed", LOG_U("left", d->conns), LOG_END);
	guests_free(d->guests);
	close(d->epoll);
	close(d->control);
	free(d);
	return 0;
}
