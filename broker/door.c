/* SPDX-License-Identifier: ISC */
/* The loop of the door: who comes, what is late, and the end. */
#include "broker/door_impl.h"
#include "broker/log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 256,
	ACCEPTS = 64,	 /* new connections of one turn */
	RETRY_MS = 10,	 /* when nng's backlog is full all the same */
	PAUSE_MS = 100,	 /* of accepting, without descriptors */
	CHECK_MS = 5,	 /* has nng read all? Nobody tells us */
	LEAVE_MS = 1000, /* to end in order */
	SLACK = 256,	 /* connections that are closing, beyond the limit */
};

static volatile sig_atomic_t told_to_end;

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- accepting ---- */

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

/* The one that has waited longest for one of n things. */
static struct timer *
oldest_of(struct door *d, const enum wait *kinds, size_t n)
{
	struct timer *t, *oldest = NULL;

	for (; n > 0; n--, kinds++) {
		t = timer_oldest(d, *kinds);
		if (t != NULL && (!oldest || t->since < oldest->since))
			oldest = t;
	}
	return oldest;
}

/*
 * Who goes for a new guest, of those that nobody vouches for; NULL: all of them
 * have keys. An honest one needs its place for a few round trips, until it is
 * vouched for. While nng is slow to greet or to answer, it is we who keep it
 * waiting, and whoever came meanwhile would look younger: so these are spared,
 * unless half of the house is waiting so.
 */
static struct conn *
oldest_stranger(struct door *d)
{
	static const enum wait for_them[] = { W_QUIET, W_HEADER, W_FIRST,
		W_ASKED };
	static const enum wait for_us[] = { W_GREETING, W_ANSWER };
	unsigned spared = d->waiting[W_GREETING] + d->waiting[W_ANSWER];
	const size_t each = sizeof(enum wait);
	struct timer *t = oldest_of(d, for_them, sizeof(for_them) / each);

	if (t == NULL || spared > d->cfg->max_conns / 2) {
		struct timer *waits =
		    oldest_of(d, for_us, sizeof(for_us) / each);

		t = waits != NULL ? waits : t;
	}
	return t != NULL ? t->conn : conn_unvouched(d, W_FRAME);
}

/* Room for one more, if need be by showing out the oldest stranger. */
static bool
make_room(struct door *d)
{
	struct conn *c;

	if (d->conns < d->cfg->max_conns)
		return true;
	c = oldest_stranger(d);
	if (c == NULL)
		return false;
	COUNT(d, evicted)++;
	conn_client_gone(d, c, true);
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
	c->life.conn = c->beside.conn = c->ask.conn = c;
	c->client.fd = fd;
	c->client.in.rules.map = SP_TCP;
	c->broker.fd = -1;
	c->broker.in.rules.map = SP_LOCAL;
	d->conns++;
	COUNT(d, open) = d->conns;
	timer_start(d, &c->life, W_HEADER);
	conn_greet_client(d, c); /* most have come with the connection */
	if (c->phase == P_GREET_CLIENT)
		end_arm(d, &c->client);
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

/* ---- time ---- */

/* clang-format off */
static const struct {
	enum door_counter counter;
	const char *reason;
} lateness[W_COUNT] = {
	[W_HEADER] = { DOOR_late_header, "late-header" },
	[W_FIRST]  = { DOOR_late_first,  "late-first" },
	[W_QUIET]  = { DOOR_late_first,  "quiet" },
	[W_ASKED]  = { DOOR_late_idle,   "idle" },
	[W_ANSWER] = { DOOR_late_idle,   "idle" },
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
		conn_broker_down(d, c, EAGAIN);
		return;
	}
	COUNT(d, broker_deaf)++;
	door_log_broker("door-broker-deaf", conn_broker_path(d, c), 0);
	conn_client_gone(d, c, true);
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
	if (t->wait == W_ASKING) {
		flow_asked(d, c);
		if (c->phase == P_OPEN)
			conn_settle(d, c);
		return;
	}
	if (t->wait == W_GREETING) {
		late_at_broker(d, c);
		return;
	}
	d->count.n[lateness[t->wait].counter]++;
	if (t->wait == W_CLOSE) {
		late_close(d, c);
		return;
	}
	door_log_refusal(c, lateness[t->wait].reason);
	conn_client_gone(d, c, true);
}

/* The oldest that time alone can end. */
static struct timer *
timer_next(struct door *d, enum wait wait)
{
	if (wait == W_OWED || wait == W_SOON || wait == W_TURN ||
	    (wait == W_RETRY && d->greetings >= GREETING_MAX))
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

/* ---- the loop ---- */

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

	if ((events & EPOLLOUT) && end_queued(e) > 0 && !end_flush(e))
		conn_client_gone(d, c, false);
	else if (c->phase == P_GREET_CLIENT)
		conn_greet_client(d, c);
	else if (c->phase == P_OPEN && told && (end_wanted(e) & EPOLLIN))
		flow_pump(d, e);
	else if (hung || (c->phase == P_CLOSING && end_queued(e) == 0))
		conn_client_gone(d, c, false);
	else
		conn_settle(d, c);
}

static void
broker_event(struct door *d, struct conn *c, uint32_t events)
{
	struct end *e = &c->broker;
	bool blocked = end_queued(e) > 0;

	if ((events & EPOLLOUT) && blocked && !end_flush(e)) {
		conn_broker_gone(d, c);
		return;
	}
	if (c->phase == P_OPEN && blocked)
		flow_timer(d, c, 0);
	if (c->phase == P_GREET_BROKER)
		conn_greet_broker(d, c);
	else if (c->phase == P_CLOSING)
		conn_step(d, c);
	else if ((events & ~(uint32_t)EPOLLOUT) && (end_wanted(e) & EPOLLIN))
		flow_pump(d, e);
	else
		conn_settle(d, c);
}

static void
end_event(struct door *d, struct end *e, uint32_t events)
{
	if (e->conn->phase == P_DEAD || e->fd < 0)
		return; /* closed earlier in this turn */
	if (end_is_client(e))
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
	flow_turns(d);
	conn_bury_all(d);
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
			conn_client_gone(d, t->conn, false);
	conn_bury_all(d);
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

	if (d == NULL)
		return NULL;
	d->cfg = cfg;
	d->listen = listen_fd;
	d->control = control_fd;
	d->now = clock_ms();
	timer_lists(d);
	d->limit[W_HEADER] = cfg->header_ms;
	d->limit[W_GREETING] = cfg->header_ms;
	d->limit[W_FIRST] = cfg->first_ms;
	d->limit[W_QUIET] = cfg->idle_ms;
	d->limit[W_ASKED] = cfg->idle_ms;
	d->limit[W_ANSWER] = cfg->idle_ms;
	d->limit[W_IDLE] = cfg->idle_ms;
	d->limit[W_FRAME] = cfg->frame_ms;
	d->limit[W_CLOSE] = cfg->close_ms;
	d->limit[W_STALL] = cfg->stall_ms;
	d->limit[W_RETRY] = RETRY_MS;
	d->limit[W_CHECK] = CHECK_MS;
	d->limit[W_ASKING] = ASKING_MS;

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
