/* SPDX-License-Identifier: ISC */
/*
 * relay_in.h - receiving from the other brokers
 *
 * A peer opens a relay link: it gets a link id to publish under, a key, and the
 * cursors that say how far we are. Its frames are opened, put together and
 * judged in the callback that brings them; the writer stores each entry
 * together with the lane's cursor and our receipt, so whatever happens we are
 * either before an item or after it. What we reached is told in the answer to
 * the peer's parked relay.wait.
 *
 * Here are the links. What comes over them goes on in in_lane.h (in order, one
 * that has to wait stops its lane), in_judge.h (whether to believe it, and how
 * long to wait for that) and in_apply.h (what is written). PROTOCOL.md 6.
 */
#ifndef TOCSIN_BROKER_RELAY_IN_H
#define TOCSIN_BROKER_RELAY_IN_H

#include "broker/dispatch.h"

struct relay_in; /* one per broker; struct relay owns it */

#define RELAY_HOLD_MS 30000

MUST_USE enum tocsin_err relay_in_new(struct relay_in **out, struct broker *b);
void relay_in_free(struct relay_in *in);

/* Handlers; the dispatch table lets brokers alone come here. */
op_fn op_relay_open, op_relay_wait;

/*
 * A frame that nng brought. In one thread at a time, in the order in which nng
 * gave them; never waits.
 */
void relay_frame(struct broker *b, struct span frame);

/*
 * Look again at what waits: trust has changed, or the time has come. Returns
 * when to call again, in ms of clock_ms(), or INT64_MAX.
 */
int64_t relay_in_look(struct relay_in *in, bool trust_changed, int64_t now_ms);

/* Bytes from a peer that came in vain, since the start. */
void relay_in_waste(struct relay_in *in, const char *peer, uint64_t *repeated,
    uint64_t *unused);

#endif
