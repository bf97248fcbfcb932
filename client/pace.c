/* SPDX-License-Identifier: ISC */
#include "client/pace.h"

#define SPAN_US 2000000 /* that a measured rate is believed, or twice that */
#define PIECE_US 50000	/* that one piece may take */
#define FAST 1000000	/* bytes/s */
#define HEAD 256	/* of a request around a piece, at most */

uint64_t
pace_rate(const struct pace *p)
{
	return p->best[0] > p->best[1] ? p->best[0] : p->best[1];
}

void
pace_begin(struct pace *p)
{
	*p = (struct pace){ .deep = p->deep,
		.epoch = p->epoch + 1,
		.rtt_us = p->rtt_us,
		.old = true,
		.best = { 0, pace_rate(p) } };
}

size_t
pace_window(const struct pace *p)
{
	const uint64_t rate = pace_rate(p);
	const size_t two = 2 * (pace_piece(p, PACE_PIECE_SLOW) + HEAD);
	uint64_t n, us = (uint64_t)(3 * p->rtt_us + PACE_SLACK_US);

	if (rate == 0)
		return PACE_FIRST;
	if (p->deep)
		us *= 2;
	n = rate > UINT64_C(1) << 32 ? PACE_MOST : rate * us / 1000000;
	if (n > PACE_MOST)
		n = PACE_MOST;
	return n < two ? two : (size_t)n;
}

size_t
pace_piece(const struct pace *p, size_t max)
{
	const uint64_t rate = pace_rate(p);
	uint64_t n =
	    rate > FAST * UINT64_C(1000) ? max : rate * PIECE_US / 1000000;

	if (rate < FAST && n > PACE_PIECE_SLOW)
		n = PACE_PIECE_SLOW;
	if (n < PACE_PIECE_LEAST)
		n = rate == 0 ? PACE_PIECE_SLOW : PACE_PIECE_LEAST;
	return n < max ? (size_t)n : max;
}

bool
pace_room(const struct pace *p, size_t bytes)
{
	return p->out == 0 || p->out + bytes <= pace_window(p);
}

struct pace_mark
pace_sent(struct pace *p, int64_t now_us, size_t bytes)
{
	struct pace_mark m = { .epoch = p->epoch,
		.sent_us = now_us,
		.since_us = p->out > 0 && p->delivered_us > 0 ? p->delivered_us
							      : now_us,
		.from_us = p->out > 0 && p->from_us > 0 ? p->from_us : now_us,
		.delivered = p->delivered,
		.bytes = bytes };

	p->out += bytes;
	m.held = p->out < pace_window(p) / 2;
	return m;
}

void
pace_lost(struct pace *p, const struct pace_mark *m)
{
	if (m->epoch == p->epoch)
		p->out -= m->bytes < p->out ? m->bytes : p->out;
}

/* A rate that we held down says only that the link is at least as fast. */
static void
take_rate(struct pace *p, int64_t now_us, uint64_t rate, bool held)
{
	if (held && (rate <= pace_rate(p) || pace_rate(p) == 0))
		return;
	if (p->turned_us == 0)
		p->turned_us = now_us;
	if (!held && now_us - p->turned_us >= SPAN_US) {
		p->best[1] = p->best[0];
		p->best[0] = 0;
		p->turned_us = now_us;
	}
	if (rate > p->best[0])
		p->best[0] = rate;
}

void
pace_answered(
    struct pace *p, int64_t now_us, const struct pace_mark *m, size_t bytes)
{
	int64_t rtt = now_us - m->sent_us, took = now_us - m->since_us;

	if (m->epoch != p->epoch)
		return;
	pace_lost(p, m);
	p->delivered += bytes;
	p->delivered_us = now_us;
	p->from_us = m->sent_us;
	if (rtt < 1)
		rtt = 1;
	/* The old one stands if the window has room for the new. */
	if (p->rtt_us == 0 || rtt < p->rtt_us ||
	    (p->old && rtt > 3 * p->rtt_us + PACE_SLACK_US))
		p->rtt_us = rtt;
	p->old = false;
	/*
	 * What a loss held up comes in one burst: it is no faster than it was
	 * sent.
	 */
	if (took < m->sent_us - m->from_us)
		took = m->sent_us - m->from_us;
	if (took < rtt)
		took = rtt;
	if (p->delivered > m->delivered)
		take_rate(p, now_us,
		    (p->delivered - m->delivered) * 1000000 / (uint64_t)took,
		    m->held);
}
