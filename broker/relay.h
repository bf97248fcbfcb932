/* SPDX-License-Identifier: ISC */
/*
 * relay.h - sending to the other brokers
 *
 * One thread serves all peers. For each it keeps a link (crypto/link.h) over
 * which it opened a relay link, publishes what the peer's outbox holds as
 * lane.h says, and keeps one relay.wait parked there, whose answer says how far
 * the peer has come. It reads from short snapshots and writes nothing but that
 * acknowledged rows of the outbox are forgotten. Receiving is relay_in.h.
 *
 * Peers are the brokers of the current roster but ourselves that have an
 * address, or fetch because they have none; they come and go with it. One that
 * does not answer is tried again after 0.2 to 10 seconds, sooner when it shows
 * a sign of life. PROTOCOL.md 6.
 *
 * A ticket is sent only if its `to` lines name the peer's nation. Intake fills
 * the outbox by that rule; the relay checks it once more before a byte leaves,
 * and what fails is logged and told to the peer as an item that is gone.
 */
#ifndef TOCSIN_BROKER_RELAY_H
#define TOCSIN_BROKER_RELAY_H

#include "broker/broker.h"
#include "broker/names.h"

struct pulls;
struct relay;

/*
 * After trust was loaded and the writer and net were opened. *out is set before
 * the thread runs; let it be b->relay.
 */
MUST_USE enum tocsin_err relay_start(struct relay **out, struct broker *b);
void relay_stop(struct relay *r); /* joins the thread */
void relay_free(struct relay *r); /* after net_close() */

/*
 * After each commit, with what it touched: peers whose outbox grew; and "*" in
 * `members` tells of a new roster or announcement. From any thread, never
 * waits. It fits writer_listen().
 */
void relay_kick(
    struct relay *r, const struct names *members, const struct names *peers);

/*
 * A sign of life of a peer: the connection for its frames is up (net says so),
 * or it has sent something. What was published before is sent again if it is
 * not acknowledged, since nng dropped it. From any thread, never waits.
 */
void relay_alive(struct relay *r, const char *peer, bool connected);

/*
 * For relay_in.c: what receives; a word to the thread to look at it; and that
 * what a peer sent is held, perhaps for a roster that the peer can be asked
 * for.
 */
struct relay_in *relay_receiver(struct relay *r);
struct pulls *relay_pulls(struct relay *r); /* pull.h */
void relay_poke(struct relay *r);
void relay_behind(struct relay *r, const char *peer);

/* How a peer fares, for status and metrics. */
struct relay_status {
	char peer[LABEL_MAX + 1];
	char nation[NATION_MAX + 1];
	bool up;		/* a relay link is open */
	bool full;		/* it says that it has no room for tickets */
	uint64_t waiting;	/* items in the outbox; counted up to 100000 */
	uint64_t waiting_bytes; /* of the first 10000 */
	int64_t oldest_s;	/* since the oldest of them was taken in */
	uint64_t in_flight;	/* bytes published and not acknowledged */
	uint64_t window;	/* that may be; pace.h */
	uint64_t rate;		/* bytes per second; 0: not measured */
	uint64_t rtt_ms;	/* shortest; 0: not measured */
	uint64_t agreed;     /* items that both counted, and found the same */
	int64_t agreed_ms;   /* since that was compared; -1: never */
	uint64_t repeats;    /* how often a lane went back */
	uint64_t frames_out; /* published, since the start */
	uint64_t bytes_out;
	uint64_t repeated; /* bytes from the peer that were here already */
	uint64_t unused;   /* and that came behind something missing */
	int64_t heard_ms;  /* since the last answer; -1: never */
};

/* Of at most `max` peers, by name; returns how many there are. */
size_t relay_status(struct relay *r, struct relay_status *out, size_t max);

#endif
