/* SPDX-License-Identifier: ISC */
/*
 * rawpull.h - the answering side of a broker that fetches, made by hand
 *
 * A broker that nobody can dial is asked and sent to within the answers to its
 * own relay.pull (PROTOCOL.md 6.4). This is such a one, without rules: over a
 * rawlink it pulls, one pull at a time, shakes hands with who comes, and gives
 * each request and each frame to its owner, who answers as he likes: now, later
 * or never, with any bytes.
 *
 * A struct rawpull starts as zeros but for what is said to be set; it is
 * released with rawpull_close(), the rawlink by who opened it.
 */
#ifndef TOCSIN_TESTS_RAWPULL_H
#define TOCSIN_TESTS_RAWPULL_H

#include "tests/fault/rawlink.h"

#define RAWPULL_SESSIONS 32 /* the newest */

/* A request, until it is answered. */
struct rawpull_call {
	uint64_t call;
	uint8_t session[FRAME_SESSION];
	uint64_t number;
};

struct rawpull_session {
	uint8_t id[FRAME_SESSION];
	struct noise noise;
	struct link_keys keys;
	bool live;
};

struct rawpull {
	/* set by the owner */
	struct rawlink *link;
	const uint8_t *sk;    /* our Noise key */
	struct span prologue; /* of links to us */
	void (*request)(const struct rawpull_call *c, struct span request);
	void (*frame)(struct span frame);
	bool fresh; /* the next pull is the first of a connection */

	struct rawpull_session session[RAWPULL_SESSIONS];
	unsigned next;	    /* place of the next session */
	struct buf parcels; /* that the next pull brings */
	unsigned long handshakes;
};

/* One pull, parked for at most that long, and what came with its answer. */
enum tocsin_err rawpull_turn(struct rawpull *p, uint32_t wait_ms);

/* A reply to a request, as it will be sealed; it goes with the next pull. */
void rawpull_answer(
    struct rawpull *p, const struct rawpull_call *c, struct span reply);

/* Any bytes as the answer to any call. */
void rawpull_bring(struct rawpull *p, uint64_t call, struct span bytes);

void rawpull_close(struct rawpull *p);

#endif
