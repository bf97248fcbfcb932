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

/* Between two messages of the client's. */
static enum wait
between(const struct conn *c)
{
	if (is_vouched(c))
		return W_IDLE;
	return c->owed > 0 ? W_ANSWER : W_ASKED;
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
		timer_start(d, &c->life, between(c));
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
		timer_stop(d, &c->beside);
}

/* Whose timer has run longer; either may be NULL. */
static struct conn *
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

/* ---- turns ---- */

static bool
is_stranger(const struct conn *c)
{
	return c->proto == SP_REQ && !c->vouched;
}

bool
flow_may_read(const struct conn *c)
{
	return !is_stranger(c) || (!c->ask.on && c->owed < OWED_MAX);
}

void
flow_asked(struct door *d, struct conn *c)
{
	if (c->ask.on && c->ask.wait == W_ASKING)
		d->asking--;
	timer_stop(d, &c->ask);
}

static void
asks(struct door *d, struct conn *c)
{
	d->asking++;
	c->asked += c->asked < SOON_MAX;
	timer_start(d, &c->ask, W_ASKING);
}

/* Who has asked often lets those go first who have just come. */
static enum wait
queue_of(const struct conn *c)
{
	return c->asked < SOON_MAX ? W_SOON : W_TURN;
}

static struct timer *
next_turn(struct door *d)
{
	struct timer *t = timer_oldest(d, W_SOON);

	return t != NULL ? t : timer_oldest(d, W_TURN);
}

/* Who comes later waits behind those that wait. */
static bool
has_turn(struct door *d, const struct conn *c)
{
	return !is_stranger(c) || (d->asking < ASKING_MAX &&
				      timer_oldest(d, queue_of(c)) == NULL &&
				      timer_oldest(d, W_SOON) == NULL);
}

/* ---- one read ---- */

/*
 * Of a stranger one request at most, so that the rest waits in the kernel, and
 * with it who sent it. Bytes that were read; 0 if none; -1: the end.
 */
static ssize_t
take(struct door *d, struct end *from, uint64_t *frames, enum flow *flow)
{
	bool single = end_is_client(from) && is_stranger(from->conn);
	ssize_t n, sum = 0;
	struct span in;

	*flow = FLOW_ON;
	do {
		size_t most = single ? sp_missing(&from->in) : READ_MAX;

		n = end_read(d, from, most < READ_MAX ? most : READ_MAX);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return -1;
		sum += n;
		in = (struct span){ d->scratch, (size_t)n };
		*flow = flow_pass(from, end_other(from), &in, frames);
	} while (single && *frames == 0 && *flow == FLOW_ON);
	return sum;
}

static void
count(struct door *d, struct end *from, uint64_t frames, size_t n)
{
	struct conn *c = from->conn;

	flow_owed(c, from, frames);
	if (end_is_client(from)) {
		COUNT(d, frames_in) += frames;
		COUNT(d, bytes_in) += n;
		flow_timer(d, c, frames);
		if (frames > 0 && is_stranger(c))
			asks(d, c);
		return;
	}
	COUNT(d, frames_out) += frames;
	COUNT(d, bytes_out) += n;
	speed_sent(d, c, n);
	if (c->ask.on && (c->vouched || c->ask.wait == W_ASKING) && frames > 0)
		flow_asked(d, c);
	if ((c->life.wait == W_ASKED || c->life.wait == W_ANSWER) &&
	    c->life.wait != between(c))
		timer_start(d, &c->life, between(c));
}

static void
pump(struct door *d, struct end *from)
{
	struct conn *c = from->conn;
	uint64_t frames = 0;
	enum flow flow;
	ssize_t n = take(d, from, &frames, &flow);

	if (n < 0) {
		conn_end_gone(d, from);
		return;
	}
	if (n == 0) {
		end_arm(d, from);
		return;
	}
	count(d, from, frames, (size_t)n);
	if (flow == FLOW_ENDED)
		conn_end_gone(d, end_other(from));
	else if (flow == FLOW_REFUSED)
		flow_refused(d, from);
	if (c->phase != P_DEAD)
		conn_settle(d, c);
}

void
flow_pump(struct door *d, struct end *from)
{
	struct conn *c = from->conn;

	if (!end_is_client(from) || has_turn(d, c)) {
		pump(d, from);
		return;
	}
	timer_start(d, &c->ask, queue_of(c));
	end_arm(d, from);
}

void
flow_turns(struct door *d)
{
	struct timer *t;

	while (d->asking < ASKING_MAX && (t = next_turn(d)) != NULL) {
		struct conn *c = t->conn;

		timer_stop(d, t);
		if (c->phase == P_OPEN && end_queued(&c->broker) == 0 &&
		    flow_may_read(c))
			pump(d, &c->client);
		else if (c->phase == P_OPEN)
			conn_settle(d, c);
	}
}
