/* SPDX-License-Identifier: ISC */
#include "broker/pace.h"

#include <string.h>

#define PIECE_LEAST 2048

void
pace_open(struct pace *p, uint32_t most, int64_t now)
{
	memset(p, 0, sizeof(*p));
	p->most = most;
	p->window = most < PACE_START ? most : PACE_START;
	p->acked_at = p->acked_sent = p->rtt_at = now;
	p->rising = true;
}

struct pace_stamp
pace_sent(struct pace *p, uint64_t bytes, int64_t now)
{
	/* A pause before this piece says nothing about the line. */
	if (bytes == 0)
		p->acked_at = p->acked_sent = now;
	return (struct pace_stamp){ .sent = now,
		.acked_at = p->acked_at,
		.acked_sent = p->acked_sent,
		.acked = p->acked,
		.starved = p->acked < p->starved_until };
}

void
pace_starved(struct pace *p, uint64_t bytes)
{
	p->starved_until = p->acked + bytes + 1;
}

uint32_t
pace_piece(const struct pace *p, uint32_t most)
{
	uint32_t n = p->window / 8;

	if (n < PIECE_LEAST)
		n = PIECE_LEAST;
	return n < most ? n : most;
}

static uint32_t
within(const struct pace *p, uint64_t window)
{
	if (window < PACE_LEAST)
		window = PACE_LEAST;
	return window < p->most ? (uint32_t)window : p->most;
}

/*
 * What the connection below repeats arrives a round trip later, and what is
 * behind it no sooner. On a long line that is hidden by its length.
 */
static int64_t
slack(const struct pace *p)
{
	int64_t repeat = p->rtt < PACE_REPEAT ? p->rtt : PACE_REPEAT;

	return (repeat > p->rtt / 4 ? repeat : p->rtt / 4) + PACE_QUEUE;
}

/* A long time to send, or to hear of it, each make a rate that is too high. */
static uint64_t
rate_of(const struct pace *p, const struct pace_stamp *s, int64_t now)
{
	int64_t took = now - s->acked_at, sending = s->sent - s->acked_sent;

	if (took < sending)
		took = sending;
	return (p->acked - s->acked) * 1000 / (uint64_t)(took > 0 ? took : 1);
}

static void
remember(struct pace *p, uint64_t rate)
{
	unsigned i;

	if (rate > p->best[p->round])
		p->best[p->round] = rate;
	p->rate = 0;
	for (i = 0; i < PACE_ROUNDS; i++)
		if (p->best[i] > p->rate)
			p->rate = p->best[i];
}

/* Once a round trip: has more on the way brought more across? */
static void
rise(struct pace *p, int64_t rtt)
{
	uint64_t twice = (uint64_t)p->window * 2;

	if (p->rate >= p->plateau + p->plateau / 4) {
		p->plateau = p->rate;
		p->flat = 0;
		p->window = within(p, twice);
	} else if (++p->flat == PACE_FLAT) {
		p->rising = false;
	}
	if (rtt > 2 * p->rtt + 2 * (int64_t)PACE_QUEUE)
		p->rising = false;
}

static void
measure_rate(
    struct pace *p, const struct pace_stamp *s, int64_t rtt, int64_t now)
{
	uint64_t rate = rate_of(p, s, now);
	bool turn = s->acked >= p->round_end;

	/* What was not there to be sent did not show how fast the line is. */
	if (s->starved) {
		if (rate > p->rate)
			remember(p, rate);
		return;
	}
	if (turn) {
		p->round_end = p->acked;
		p->round = (p->round + 1) % PACE_ROUNDS;
		p->best[p->round] = 0;
	}
	remember(p, rate);
	if (turn && p->rising)
		rise(p, rtt);
}

/*
 * The first piece that left after the window shrank has found a shorter queue,
 * those of the round trip after it none. A cut in just this moment must not
 * make us believe in a line as long as that.
 */
static void
drain(struct pace *p, const struct pace_stamp *s, int64_t rtt, int64_t now)
{
	if (s->sent <= p->drain_at)
		return;
	if (rtt < p->drain_rtt)
		p->drain_rtt = rtt;
	if (p->drain_end == 0)
		p->drain_end = p->acked;
	else if (s->acked >= p->drain_end) {
		p->rtt = p->drain_rtt < 2 * p->rtt + 50 ? p->drain_rtt
							: 2 * p->rtt + 50;
		p->rtt_at = now;
		p->drain_at = 0;
	}
}

static void
measure_rtt(
    struct pace *p, const struct pace_stamp *s, int64_t rtt, int64_t now)
{
	if (p->rtt == 0 || rtt <= p->rtt) {
		p->rtt = rtt;
		p->rtt_at = now;
		p->drain_at = 0;
	} else if (p->drain_at > 0) {
		drain(p, s, rtt, now);
	} else if (now - p->rtt_at >= PACE_FRESH && !s->starved) {
		p->drain_at = now;
		p->drain_rtt = INT64_MAX;
		p->drain_end = 0;
	}
}

void
pace_acked(
    struct pace *p, uint64_t bytes, const struct pace_stamp *s, int64_t now)
{
	int64_t rtt = now > s->sent ? now - s->sent : 1;
	int64_t pause = now - p->acked_at;
	uint64_t window;

	/* While nothing arrives, what is known does not get old. */
	if (pause > PACE_PAUSE)
		p->rtt_at += pause;
	p->acked += bytes;
	p->acked_at = now;
	if (s->sent > p->acked_sent)
		p->acked_sent = s->sent;
	measure_rtt(p, s, rtt, now);
	measure_rate(p, s, rtt, now);
	if (p->drain_at > 0)
		window = p->rate * (uint64_t)p->rtt / 1000 * 3 / 4;
	else
		window = p->rate * (uint64_t)(p->rtt + slack(p)) / 1000;
	if (p->rising && window < p->window)
		window = p->window;
	p->window = within(p, window);
}
