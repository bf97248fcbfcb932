/* SPDX-License-Identifier: ISC */
/* The life of a connection: greetings, its end, and what nng must get then. */
#include "broker/door_impl.h"

#include "broker/log.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	QUIET_MS = 50,	  /* no answer for so long: those left are parked */
	DRAIN_READS = 64, /* of what nobody will get, in one turn */
};

/* Events that strangers can cause: a few lines a minute. */
void
door_log_refusal(struct conn *c, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);
	char text[SOURCE_TEXT_MAX];

	log_limited(&limit, LOG_INFO, "door-refused",
	    LOG_Z("peer", source_text(guest_source(c->guest), text)),
	    LOG_Z("reason", reason), LOG_END);
}

void
door_log_broker(const char *event, const char *path, int error)
{
	static struct log_limit limit = LOG_LIMIT(5, 60000);

	log_limited(&limit, LOG_ERROR, event, LOG_Z("path", path),
	    error ? LOG_ERRNO(error) : LOG_END, LOG_END);
}

/* ---- the end of one ---- */

void
conn_account(struct door *d, struct conn *c)
{
	size_t held = c->client.in.cap + c->broker.in.cap + c->client.out.n +
		      c->broker.out.n;

	COUNT(d, held) += held - c->held;
	c->held = held;
}

void
conn_bury(struct door *d, struct conn *c)
{
	if (c->phase == P_DEAD)
		return;
	assert(c->client.fd < 0 && c->broker.fd < 0);
	timer_stop(d, &c->life);
	timer_stop(d, &c->beside);
	flow_asked(d, c);
	guests_leave(d->guests, c->guest, d->now);
	conn_account(d, c);
	c->phase = P_DEAD;
	c->dead = d->dead;
	d->dead = c;
	d->conns--;
	COUNT(d, open) = d->conns;
}

void
conn_bury_all(struct door *d)
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
void
conn_client_gone(struct door *d, struct conn *c, bool reset)
{
	end_close(&c->client, reset);
	timer_stop(d, &c->beside);
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
void
conn_broker_gone(struct door *d, struct conn *c)
{
	if (c->phase == P_GREET_BROKER)
		greeting_over(d);
	end_close(&c->broker, false);
	if (c->client.fd >= 0 && end_queued(&c->client) > 0) {
		c->phase = P_CLOSING;
		timer_stop(d, &c->beside);
		timer_start(d, &c->life, W_CLOSE);
		end_arm(d, &c->client);
		return;
	}
	end_close(&c->client, false);
	conn_bury(d, c);
}

void
conn_end_gone(struct door *d, struct end *e)
{
	if (end_is_client(e))
		conn_client_gone(d, e->conn, false);
	else
		conn_broker_gone(d, e->conn);
}

void
conn_refuse(
    struct door *d, struct conn *c, uint64_t *counter, const char *reason)
{
	++*counter;
	door_log_refusal(c, reason);
	conn_client_gone(d, c, true);
}

/* nng has read every byte that we gave it. */
static bool
all_read(const struct end *e)
{
	int unread = 0;

	return end_queued(e) == 0 && ioctl(e->fd, SIOCOUTQ, &unread) == 0 &&
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
		n = end_read(d, &c->broker, READ_MAX);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		c->quiet = d->now;
		frames = 0;
		in = (struct span){ d->scratch, (size_t)n };
		if (flow_pass(&c->broker, &c->client, &in, &frames) != FLOW_ON)
			return false;
		flow_owed(c, &c->broker, frames);
	}
	return true;
}

/*
 * Without its client: nng gets the end of what it was given, we read what it
 * answers, and leave when nothing is under way either way. A request that it
 * has parked would be answered in half a minute only. We don't wait for that:
 * it is by our leaving that the park ends.
 */
void
conn_step(struct door *d, struct conn *c)
{
	if (!drain(d, c)) {
		conn_broker_gone(d, c);
		return;
	}
	if (may_leave(d, c)) {
		end_close(&c->broker, false);
		conn_bury(d, c);
		return;
	}
	timer_start(d, &c->beside, W_CHECK);
	conn_account(d, c);
	end_arm(d, &c->broker);
}

/* ---- greetings ---- */

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

const char *
conn_broker_path(const struct door *d, const struct conn *c)
{
	return c->proto == SP_REQ ? d->cfg->rpc : d->cfg->relay;
}

void
conn_broker_down(struct door *d, struct conn *c, int error)
{
	COUNT(d, broker_down)++;
	door_log_broker("door-broker-down", conn_broker_path(d, c), error);
	conn_client_gone(d, c, true);
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

void
conn_connect(struct door *d, struct conn *c)
{
	int fd = -1;

	c->phase = P_CONNECT;
	if (d->greetings < GREETING_MAX) {
		fd = broker_connect(conn_broker_path(d, c));
		if (fd < 0 && errno != EAGAIN) {
			conn_broker_down(d, c, errno);
			return;
		}
	}
	if (fd < 0) {
		timer_start(d, &c->beside, W_RETRY);
		end_arm(d, &c->client);
		return;
	}
	timer_stop(d, &c->beside);
	c->broker.fd = fd;
	c->phase = P_GREET_BROKER;
	c->greeting_n = 0;
	d->greetings++;
	if (!greeting_write(fd, c->proto)) {
		conn_broker_gone(d, c);
		return;
	}
	end_arm(d, &c->client);
	end_arm(d, &c->broker);
}

void
conn_greet_client(struct door *d, struct conn *c)
{
	bool gone;

	if (!greeting_read(c, &c->client, &gone)) {
		if (gone)
			conn_client_gone(d, c, false);
		return;
	}
	if (sp_header_decode(&c->proto, SPAN(c->greeting)) != TOCSIN_OK ||
	    (c->proto != SP_REQ && c->proto != SP_PUB) ||
	    *conn_broker_path(d, c) == '\0') {
		conn_refuse(d, c, &COUNT(d, refused_header), "header");
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
	timer_start(d, &c->life, W_GREETING);
	conn_connect(d, c);
}

void
conn_greet_broker(struct door *d, struct conn *c)
{
	uint16_t peer = c->proto == SP_REQ ? SP_REP : SP_SUB, got;
	bool gone;

	if (!greeting_read(c, &c->broker, &gone)) {
		if (gone) {
			COUNT(d, broker_down)++;
			conn_broker_gone(d, c);
		}
		return;
	}
	greeting_over(d);
	c->phase = P_OPEN;
	if (sp_header_decode(&got, SPAN(c->greeting)) != TOCSIN_OK ||
	    got != peer) {
		conn_broker_down(d, c, EPROTO);
		return;
	}
	COUNT(d, greeted)++;
	if (c->client.fd < 0 || !greeting_write(c->client.fd, peer)) {
		conn_client_gone(d, c, false);
		return;
	}
	speed_begin(d, c);
	timer_start(d, &c->life, c->proto == SP_REQ ? W_FIRST : W_QUIET);
	conn_settle(d, c);
}
