/* SPDX-License-Identifier: ISC */
/*
 * net.h - the client's way to a broker: a connection that is kept
 *
 * Frames go to a broker's URL and answers come back, several at a time. What is
 * in them is not known here. It speaks the requests of Scalability Protocols
 * over TCP (PROTOCOL.md 3.1), with the socket in its own hands: what is urgent
 * leaves before what waits, little is ever given to the kernel ahead of its
 * time, and a link that is silent is given up and dialled anew twice a second,
 * while one that is only slow is left alone. None of this can be had through
 * nng, which the broker's side of the same wire uses.
 *
 * A struct net is a way of this process to a URL, with a thread. It is made by
 * the first net_get() and kept until the process ends. Nothing is ever repeated
 * here; who asked does.
 *
 * The thread does not survive a fork(): a program forks before it opens its
 * first handle, or execs at once.
 */
#ifndef TOCSIN_CLIENT_NET_H
#define TOCSIN_CLIENT_NET_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

struct net;

/*
 * There are two ways to each URL, a connection each: what takes long has its
 * own, so that nothing else waits behind its bytes, neither here nor in the
 * broker nor for one of them that was lost. That one is dialled when there is
 * something to send and given up when there was nothing for NET_IDLE_MS.
 */
enum net_way { NET_MAIN, NET_BULK, NET_WAYS };
#define NET_IDLE_MS 15000

/* EUSAGE: it is no tcp:// URL. */
enum tocsin_err MUST_USE net_get(
    struct net **out, const char *url, enum net_way way);

/* Whether a connection stands, as far as is known. */
bool net_connected(struct net *n);

/* Whether there is none, and a try to get one was refused: nobody listens. */
bool net_refused(struct net *n);

/* Told of connects and disconnects, in the thread of the net. */
typedef void net_watch_fn(void *arg);
enum tocsin_err MUST_USE net_watch(struct net *n, net_watch_fn *fn, void *arg);
/* After it returns, fn is not running and will not be called again. */
void net_unwatch(struct net *n, net_watch_fn *fn, void *arg);

/*
 * What waits to be sent goes in this order, and in that of the calls within
 * one.
 */
enum net_lane { NET_FIRST, NET_USUAL, NET_LANES };

/*
 * Send a frame. fn is called exactly once, in another thread, and must not
 * wait: OK with the answer's bytes (good during the call), UNAVAILABLE if the
 * connection was lost, TIMEOUT after timeout_ms, BUSY if memory is short.
 */
typedef void net_reply_fn(void *arg, enum tocsin_err err, struct span answer);
void net_call(struct net *n, struct span frame, enum net_lane lane,
    unsigned timeout_ms, net_reply_fn *fn, void *arg);

/* Drop the connection, because nothing comes over it; a new one is dialled. */
void net_reset(struct net *n);

#endif
