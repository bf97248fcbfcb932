/* SPDX-License-Identifier: ISC */
/* Whole messages from one end to the other, and the deadlines meanwhile. */
#include "broker/door_impl.h"

#include "crypto/frame.h"

#include <errno.h>

enum {
	PIECES = 512,	/* of one write */
	REQUEST_ID = 4, /* bytes of nng's before a frame */
	SOME = 64,	/* who have waited longest, to choose among */
};

/*
 * The broker has opened what this client asked: a sealed answer is for who has
 * the keys of a session. All else it says, it says to anybody.
 */
static bool
vouches(const struct end *from, struct span payload)
{
	return !end_is_client(from) && payload.n > REQUEST_ID + 1 &&
	       payload.p[REQUEST_ID + 1] == FRAME_TRANSPORT;
}

static void
conn_vouch(struct conn *c)
{
	c->vouched = true;
	guest_vouch(c->guest);
}

/* All whole frames of `in`, in as few writes as may be. */
enum flow
flow_pass(struct end *from, struct end *to, struct span *in, uint64_t *frames)
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
			if (vouches(from, f.payload))
				conn_vouch(from->conn);
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

/* A relay link is never answered: who else is at its source speaks for it. */
static bool
is_vouched(const struct conn *c)
{
	return c->vouched || (c->proto == SP_PUB && guest_vouched(c->guest));
}

struct conn *
conn_unvouched(struct door *d, enum wait wait)
{
	struct list *head = &d->waits[wait], *at = head->next;
	int i;

	for (i = 0; i < SOME && at != head; i++, at = at->next) {
		/* `at` is the first of a timer. */
		struct conn *c = ((struct timer *)at)->conn;

		if (!is_vouched(c))
			return c;
	}
	return NULL;
}

/* A message begun, a message ended: which deadline runs now? */
void
flow_timer(struct door *d, struct conn *c, uint64_t frames)
{
	bool inside = sp_pending(&c->client.in) > 0;

	if (frames > 0)
		c->known = true;
	if (!c->known)
		return; /* W_FIRST goes on, however much of it has come */
	if (!inside || end_queued(&c->broker) > 0)
		timer_start(d, &c->life, is_vouched(c) ? W_IDLE : W_ASKED);
	else if (frames > 0 || c->life.wait != W_FRAME)
		timer_start(d, &c->life, W_FRAME);
}

static void
stall_timer(struct door *d, struct conn *c)
{
	bool stalled = c->phase == P_OPEN && end_queued(&c->client) > 0;

	if (stalled && !c->beside.on)
		timer_start(d, &c->beside, W_STALL);
	else if (!stalled && c->beside.wait == W_STALL)
		timer_stop(&c->beside);
}

struct conn *
conn_older(struct timer *a, struct timer *b)
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
		victim = conn_older(
		    timer_oldest(d, W_FRAME), timer_oldest(d, W_STALL));
		if (victim == NULL || !c->known)
			victim = c;
		conn_refuse(d, victim, &COUNT(d, refused_full), "held");
		conn_account(d, victim);
	}
}

/* The deadlines, the sums and the watch, after something has moved. */
void
conn_settle(struct door *d, struct conn *c)
{
	conn_account(d, c);
	if (c->phase == P_OPEN)
		shed(d, c);
	if (c->phase == P_DEAD)
		return;
	stall_timer(d, c);
	end_arm(d, &c->client);
	end_arm(d, &c->broker);
}

/* `frames` of them went to nng, or came from there. */
void
flow_owed(struct conn *c, const struct end *from, uint64_t frames)
{
	if (c->proto != SP_REQ)
		return; /* SUB doesn't answer */
	if (end_is_client(from))
		c->owed += (uint32_t)frames;
	else
		c->owed -= frames < c->owed ? (uint32_t)frames : c->owed;
}

static void
flow_refused(struct door *d, struct end *from)
{
	if (end_is_client(from)) {
		conn_refuse(d, from->conn, &COUNT(d, refused_frame), "message");
		return;
	}
	/* nng sends what we can't pass: the limits differ. Say so. */
	door_log_broker("door-broker-message", "", 0);
	COUNT(d, refused_frame)++;
	conn_client_gone(d, from->conn, true);
	if (from->fd >= 0)
		conn_broker_gone(d, from->conn);
}

/* One read from one end, what is whole of it to the other. */
void
flow_pump(struct door *d, struct end *from)
{
	struct conn *c = from->conn;
	struct end *to = end_other(from);
	uint64_t frames = 0;
	enum flow flow;
	struct span in;
	ssize_t n;

	n = end_read(d, from);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_end_gone(d, from);
		return;
	}
	in = (struct span){ d->scratch, (size_t)n };
	flow = flow_pass(from, to, &in, &frames);
	flow_owed(c, from, frames);
	if (end_is_client(from)) {
		COUNT(d, frames_in) += frames;
		COUNT(d, bytes_in) += (uint64_t)n;
		flow_timer(d, c, frames);
	} else {
		COUNT(d, frames_out) += frames;
		COUNT(d, bytes_out) += (uint64_t)n;
		if (c->vouched && c->life.wait == W_ASKED)
			timer_start(d, &c->life, W_IDLE);
	}
	if (flow == FLOW_ENDED)
		conn_end_gone(d, to);
	else if (flow == FLOW_REFUSED)
		flow_refused(d, from);
	if (c->phase != P_DEAD)
		conn_settle(d, c);
}
