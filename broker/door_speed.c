/* SPDX-License-Identifier: ISC */
/* What the lines of clients are like: tcp_line.h. A source remembers it. */
#include "broker/door_impl.h"

enum {
	SPEED_STEP = 32 * 1024, /* bytes, from one look to the next */
	SPEED_BUSY = 1000,	/* ms that these take one who has much to get */
};

void
speed_begin(struct door *d, struct conn *c)
{
	if (c->proto != SP_REQ)
		return;
	c->line.speed = guest_speed(c->guest, d->now, TCP_LINE_KNOWN_MS);
	c->line.speed_at = (int64_t)d->now;
	c->looked = d->now;
	tcp_line_begin(&c->line, c->client.fd, (int64_t)d->now);
}

/*
 * Who gets little is never fast: that says nothing of the line, and would slow
 * down the connection that comes for much.
 */
static void
note(struct door *d, struct conn *c)
{
	uint64_t known = guest_speed(c->guest, d->now, TCP_LINE_KNOWN_MS);

	if (c->line.speed > 0 && c->line.speed >= known / 2)
		guest_set_speed(c->guest, c->line.speed, d->now);
}

void
speed_sent(struct door *d, struct conn *c, size_t n)
{
	bool busy = d->now - c->looked <= SPEED_BUSY;

	c->sent += n;
	if (c->client.fd < 0)
		return;
	if (!busy)
		tcp_line_little(c->client.fd, n);
	if (c->sent < SPEED_STEP)
		return;
	c->sent = 0;
	c->looked = d->now;
	if (!busy)
		return;
	(void)tcp_line_look(&c->line, c->client.fd, (int64_t)d->now);
	note(d, c);
}
