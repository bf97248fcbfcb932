/* SPDX-License-Identifier: ISC */
/*
 * pace.h - how many bytes may be on the way to a peer
 *
 * What waits in queues along the way delays everything that comes after it, so
 * bulk that fills them makes an alarm late; what is too little leaves the line
 * idle. So the window follows what is measured: the rate at which bytes are
 * acknowledged, the best of the last ten round trips, times the shortest round
 * trip of the last twenty seconds and as much again, up to 250 ms, because what
 * the connection below repeats is that late, and 300 ms more. It begins small
 * and doubles every round trip as long as that makes the rate grow.
 *
 * A round trip that was measured through a queue of our own is too long. So
 * every twenty seconds the window shrinks for a moment to less than the line
 * holds: the queue drains, and the round trip is seen as it is.
 *
 * Pure: time comes as an argument, in ms of a clock that does not go back.
 * PROTOCOL.md 6.2.
 */
#ifndef TOCSIN_BROKER_PACE_H
#define TOCSIN_BROKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_START (64u << 10) /* bytes, before anything was measured */
#define PACE_LEAST (8u << 10)
#define PACE_QUEUE 300
#define PACE_PAUSE 1000	 /* ms without a word are a cut */
#define PACE_REPEAT 250	 /* ms that a loss holds up what follows */
#define PACE_ROUNDS 10	 /* round trips that a rate is remembered */
#define PACE_FLAT 3	 /* without growth, then the line is full */
#define PACE_FRESH 20000 /* ms that a shortest round trip is */

/* What has to be known of a piece when it is acknowledged. */
struct pace_stamp {
	int64_t sent;
	int64_t acked_at; /* when the last bytes before it were acknowledged */
	int64_t acked_sent; /* and when those were sent */
	uint64_t acked;	    /* how many bytes that made */
	bool starved;	    /* there was less to send than the window allowed */
};

struct pace {
	uint32_t most;	 /* what the peer grants */
	uint32_t window; /* what may be on the way now */
	uint64_t acked;	 /* bytes, since the beginning */
	int64_t acked_at;
	int64_t acked_sent;
	uint64_t starved_until; /* so many bytes acknowledged */
	uint64_t rate;		/* bytes per second; 0: not measured */
	uint64_t best[PACE_ROUNDS];
	unsigned round;
	uint64_t round_end; /* so many bytes acknowledged */
	bool rising;
	unsigned flat;	  /* round trips in which it did not */
	uint64_t plateau; /* rate when it last grew */
	int64_t rtt;	  /* shortest; 0: not measured */
	int64_t rtt_at;
	int64_t drain_at; /* 0: the queue is not being drained */
	int64_t drain_rtt;
	uint64_t drain_end; /* 0: no piece sent since has arrived */
};

void pace_open(struct pace *p, uint32_t most, int64_t now);

/* A piece leaves; `bytes` are on the way without it. */
struct pace_stamp pace_sent(struct pace *p, uint64_t bytes, int64_t now);

/* There is nothing more to send, and `bytes` are on the way. */
void pace_starved(struct pace *p, uint64_t bytes);

/* `bytes` were acknowledged; the piece sent last of these has that stamp. */
void pace_acked(
    struct pace *p, uint64_t bytes, const struct pace_stamp *s, int64_t now);

/* Into how large pieces to cut, so that a window is several of them. */
uint32_t pace_piece(const struct pace *p, uint32_t most);

#endif
