/* SPDX-License-Identifier: ISC */
#include "client/drill/clock.h"

#define VERSION 1

struct drill_clock
drill_clock_start(int64_t now, unsigned speed, int64_t from)
{
	return (struct drill_clock){ .begun = now,
		.since = now,
		.over = from,
		.from = from,
		.speed = speed };
}

int64_t
drill_clock_over(const struct drill_clock *c, int64_t now)
{
	if (c->held || now <= c->since)
		return c->over;
	return c->over + (now - c->since) * (int64_t)c->speed;
}

bool
drill_clock_due(const struct drill_clock *c, int64_t at, int64_t now)
{
	return !c->held && now >= c->since && at <= drill_clock_over(c, now);
}

/* When its time goes on at the earliest. */
static int64_t
from_now(const struct drill_clock *c, int64_t now)
{
	return now > c->begun ? now : c->begun;
}

bool
drill_clock_hold(struct drill_clock *c, int64_t now)
{
	if (c->held)
		return false;
	c->over = drill_clock_over(c, now);
	c->since = from_now(c, now);
	c->held = true;
	return true;
}

bool
drill_clock_go_on(struct drill_clock *c, int64_t now)
{
	if (!c->held)
		return false;
	c->since = from_now(c, now);
	c->held = false;
	return true;
}

int64_t
drill_clock_when(const struct drill_clock *c, int64_t over)
{
	int64_t left = over - c->over, speed = (int64_t)c->speed;

	if (left <= 0)
		return c->since;
	return c->held ? INT64_MAX : c->since + (left + speed - 1) / speed;
}

void
drill_clock_print(struct buf *out, const struct drill_clock *c)
{
	buf_u8(out, VERSION);
	buf_u64(out, (uint64_t)c->begun);
	buf_u64(out, (uint64_t)c->since);
	buf_u64(out, (uint64_t)c->over);
	buf_u64(out, (uint64_t)c->from);
	buf_u32(out, c->speed);
	buf_u8(out, c->held);
}

static bool
sane(uint64_t ms)
{
	return ms < (uint64_t)1 << 48; /* some nine thousand years */
}

enum tocsin_err
drill_clock_parse(struct drill_clock *out, struct span bytes)
{
	struct rd r = rd_init(bytes);
	uint8_t version = rd_u8(&r), held;
	uint64_t begun = rd_u64(&r), since = rd_u64(&r), over = rd_u64(&r);
	uint64_t from = rd_u64(&r);
	uint32_t speed = rd_u32(&r);

	held = rd_u8(&r);
	if (version != VERSION || !rd_done(&r) || !sane(begun) ||
	    !sane(since) || !sane(over) || !sane(from) || speed == 0 ||
	    speed > DRILL_SPEED_MAX || held > 1)
		return TOCSIN_EMALFORMED;
	*out = (struct drill_clock){ .begun = (int64_t)begun,
		.since = (int64_t)since,
		.over = (int64_t)over,
		.from = (int64_t)from,
		.speed = speed,
		.held = held == 1 };
	return TOCSIN_OK;
}
