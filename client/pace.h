/* SPDX-License-Identifier: ISC */
/*
 * pace.h - how much may be on the way at once
 *
 * No more is on the way than keeps the link busy: the rate at which answers
 * come, times three of the shortest round trip, since one that was lost takes
 * another two, and a little. Both are measured, the rate as the highest of the
 * last seconds that was not held down by ourselves; so the window follows a
 * link that becomes faster or slower, and what a cut makes cross again stays
 * small.
 *
 * One pace is for one direction, over one connection after the other;
 * pace_begin() with each new one. What was measured over the last one holds for
 * a moment, because what ended it was seldom that the link became another; and
 * who begins small over each one stands still for seconds after each cut. Times
 * are microseconds of any steady clock. Nothing here waits, locks or asks for
 * the time.
 */
#ifndef TOCSIN_CLIENT_PACE_H
#define TOCSIN_CLIENT_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_SLACK_US 100000	/* of queue that is allowed */
#define PACE_FIRST 32768	/* bytes on the way while nothing is known */
#define PACE_MOST (1024 * 1024) /* and at most */
#define PACE_PIECE_LEAST 4096
#define PACE_PIECE_SLOW 16384 /* at most, below 1 MB/s */

struct pace {
	bool deep; /* nothing else waits behind it: twice as much may, for the
		      pauses of both ends */
	unsigned epoch;
	int64_t rtt_us;	   /* the shortest; 0: not known */
	bool old;	   /* that is of the connection before */
	uint64_t best[2];  /* bytes/s, of this span of time and the last */
	int64_t turned_us; /* when the span began */
	uint64_t delivered;
	int64_t delivered_us;
	int64_t from_us; /* when what was last delivered had been sent */
	size_t out;	 /* bytes on the way */
};

/* What is remembered of each thing on the way. */
struct pace_mark {
	unsigned epoch;
	int64_t sent_us;
	int64_t since_us; /* the last delivery before it was sent */
	int64_t from_us;  /* when that had been sent */
	uint64_t delivered;
	size_t bytes; /* that it takes of the window */
	bool held;    /* we sent less than we might */
};

/* A new connection: nothing is on the way. { 0 } is begun, nothing known. */
void pace_begin(struct pace *p);

/* Whether one more thing of that size may be sent; the first always may. */
bool pace_room(const struct pace *p, size_t bytes);

struct pace_mark pace_sent(struct pace *p, int64_t now_us, size_t bytes);

/* It was answered; `bytes` of it have crossed. Or it was given up. */
void pace_answered(
    struct pace *p, int64_t now_us, const struct pace_mark *m, size_t bytes);
void pace_lost(struct pace *p, const struct pace_mark *m);

uint64_t pace_rate(const struct pace *p); /* bytes/s; 0: not known */
size_t pace_window(const struct pace *p);

/* How large a piece should be, so that none holds up the link for long. */
size_t pace_piece(const struct pace *p, size_t max);

#endif
