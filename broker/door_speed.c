/* SPDX-License-Identifier: ISC */
/* What the lines of clients are like: tcp_line.h. A source remembers it. */
#include "broker/door_impl.h"

enum {
	SPEED_STEP = 32 * 1024, /* bytes, from one look to the next */
};

void
speed_begin(struct door *d, struct conn *c)
{
	if (c->proto != SP_REQ)
		return;
	c->line.speed = guest_speed(c->guest, d->now, TCP_LINE_KNOWN_MS);
	c->line.speed_at = (int64_t)d->now;
	tcp_line_begin(&c->line, c->client.fd, (int64_t)d->now);
}

void
speed_sent(struct door *d, struct conn *c, size_t n)
{
	c->sent += n;
	if (c->sent < SPEED_STEP || c->client.fd < 0)
		return;
	c->sent = 0;
	(void)tcp_line_look(&c->line, c->client.fd, (int64_t)d->now);
	guest_set_speed(c->guest, c->line.speed, d->now);
}
