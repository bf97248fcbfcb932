/* SPDX-License-Identifier: ISC */
/*
 * relay_in_impl.h - what relay_in.c, in_lane, in_judge and in_apply share
 *
 * A peer that sends to us, and what came of it. relay_in.c has the peers and
 * their links; in_lane.h has the items, which are in a lane of their peer from
 * the last byte of them until the writer is done with them:
 *
 *	nng's callback		a piece; an item is whole, or a range is here
 *	that or relay's thread	in_judge(), in the order of the lane
 *	writer's thread		in_item_apply(), then the item's end
 *
 * So an item is touched by one thread at a time, and its `state`, `no_room`,
 * `held`, `retry_at` and `next` under the peer's lock. Lock order: the list of
 * peers, a peer.
 */
#ifndef TOCSIN_BROKER_RELAY_IN_IMPL_H
#define TOCSIN_BROKER_RELAY_IN_IMPL_H

#include "broker/intake.h"
#include "broker/lane.h"
#include "broker/relay_in.h"
#include "broker/tally.h"
#include "crypto/window.h"

#include <pthread.h>
#include <stdatomic.h>

enum item_state {
	ITEM_WAITS,  /* to be judged, or judged again at retry_at */
	ITEM_JUDGED, /* somebody is at it */
	ITEM_SENT,   /* the writer has it */
};

/* An entry that came whole, or a range of a part. */
struct in_item {
	struct job job;
	struct in_item *next;
	struct in_peer *peer;
	unsigned lane;
	uint64_t item;
	uint8_t kind;
	uint64_t total;
	uint64_t offset; /* of a range */
	struct buf bytes;

	enum item_state state;
	bool no_room;	  /* when it was tried last; see in_early.h */
	bool held;	  /* it may be good later; the same */
	bool early;	  /* it is stored, and its turn is still to come */
	bool ordinary;	  /* it was looked at: nothing to be early with */
	int64_t retry_at; /* ms; 0: now */
	int64_t give_up;  /* 0: it did not have to wait yet */
	struct intake *in;
	enum tocsin_err pass; /* judged: it is passed over for that */
	struct intake_refused who;
	uint8_t mark[TALLY_MARK]; /* of an entry, once judged */

	/* set by apply */
	enum tocsin_err passed;
	struct lane_pos reached;
	uint8_t tally[TALLY_HASH];
};

/* The beginning of an entry, on its way to the disk. */
struct in_keep {
	struct job job;
	struct in_peer *peer;
	unsigned lane;
	uint64_t item;
	uint8_t kind;
	uint64_t total;
	uint64_t from;
	struct buf bytes;
	struct lane_pos reached; /* by apply */
};

struct in_lane {
	struct in_item *first;
	struct in_item **last;
	bool busy; /* somebody judges: one at a time, to keep the order */
	struct in_keep *keep; /* the beginning of an entry goes to disk */
};

#define IN_UNWANTED 1024
struct in_unwanted {
	uint8_t hash[IN_UNWANTED][32];
	unsigned n; /* noted so far; the oldest make room */
};

/* A broker that sends to us. Once made, it stays. */
struct in_peer {
	struct in_peer *next;
	struct relay_in *in;
	struct trust_who who; /* the nation under the lock, by in_judge() */

	pthread_mutex_t lock; /* what follows */
	bool open;
	uint8_t link[RELAY_LINK];
	uint8_t key[32];
	struct window window;
	struct lane_rx rx;
	uint64_t repeated, unused; /* bytes in vain, since the start */
	uint32_t news;		   /* bytes that the peer wants a word for */
	int64_t tell_at; /* ms: look whether to wake who waits; 0: no need */
	struct in_lane lane[LANE_COUNT];
	struct in_unwanted unwanted; /* see in_unwanted.h */
};

struct relay_in {
	struct broker *b;
	pthread_mutex_t lock; /* the list; before a peer's */
	struct in_peer *peers;
	struct msg_accept home; /* what we take of brokers of our nation */
	atomic_uint_fast64_t trust_rounds; /* how often what waits was freed */
};

#endif
