/* SPDX-License-Identifier: ISC */
/*
 * pull.h - what is for brokers that nobody can dial, until they fetch it
 *
 * A broker behind NAT has `-` for its address, so we can neither publish to it
 * nor ask it anything. It can dial us, and does. So it asks `relay.pull` and
 * takes back what we would have sent over connections of our own, in a parked
 * request: frames, and requests, whose answers it brings with its next pulls.
 * The relay above sees no difference: both sorts of peers have the same link,
 * the same cursors and the same checks. PROTOCOL.md 6.4.
 *
 * As a connection, this may lose anything and say nothing. A peer that has not
 * asked for PULL_GONE_MS is one that is not connected: what was for it is
 * dropped, and calls fail. What is kept is bounded, too.
 *
 * Any thread may call, but for pulls_look(), which is for the relay's.
 * pulls_call() and pulls_look() call back, from where they are called too. Who
 * calls from another thread than the relay's wakes that one, since it keeps the
 * time.
 */
#ifndef TOCSIN_BROKER_PULL_H
#define TOCSIN_BROKER_PULL_H

#include "broker/dispatch.h"
#include "broker/net.h"

#define PULL_GONE_MS 16000
#define PULL_QUEUE (2u << 20) /* bytes for one peer; more than any window */

struct pulls;

MUST_USE enum tocsin_err pulls_new(struct pulls **out, struct broker *b);
void pulls_free(struct pulls *p); /* calls that are left fail */

/* This peer fetches, or no more. */
MUST_USE enum tocsin_err pulls_peer(
    struct pulls *p, const char *peer, bool fetches);

/* As net_publish() and net_call(); they go out with pulls_flush(). */
void pulls_publish(
    struct pulls *p, const char *peer, enum net_way way, struct span frame);
void pulls_call(struct pulls *p, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg);
void pulls_flush(struct pulls *p);

/* Calls whose time is over end; when to look again, or INT64_MAX. */
int64_t pulls_look(struct pulls *p, int64_t now_ms);

/* A broker asks for what is its own. */
op_fn op_relay_pull;

#endif
