/* SPDX-License-Identifier: ISC */
/*
 * net.h - the only part of the client that includes nng
 *
 * Frames go to a broker's URL and answers come back, several at a time. What is
 * in them is not known here.
 *
 * A struct net is the one way of this process to a URL, a REQ socket. It is
 * made by the first net_get() and kept until the process ends: nng 1.5 may hang
 * when a socket is closed, and a broker that is asked once is asked again. nng
 * never repeats a request here; who asked does.
 *
 * nng makes threads that do not survive a fork(): a program forks before it
 * opens its first handle, or execs at once.
 */
#ifndef TOCSIN_CLIENT_NET_H
#define TOCSIN_CLIENT_NET_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

struct net;

enum tocsin_err MUST_USE net_get(struct net **out, const char *url);

/* Whether a connection stands, as far as is known. */
bool net_connected(struct net *n);

/* Whether there is none, and a try to get one was refused: nobody listens. */
bool net_refused(struct net *n);

/* Told of connects and disconnects, in one of nng's threads. */
typedef void net_watch_fn(void *arg);
enum tocsin_err MUST_USE net_watch(struct net *n, net_watch_fn *fn, void *arg);
/* After it returns, fn is not running and will not be called again. */
void net_unwatch(struct net *n, net_watch_fn *fn, void *arg);

/*
 * Send a frame. fn is called exactly once, in another thread, and must not
 * wait: OK with the answer's bytes (good during the call), UNAVAILABLE if the
 * connection was lost, TIMEOUT after timeout_ms, BUSY if memory is short.
 */
typedef void net_reply_fn(void *arg, enum tocsin_err err, struct span answer);
void net_call(struct net *n, struct span frame, unsigned timeout_ms,
    net_reply_fn *fn, void *arg);

/*
 * Drop the connection, because nothing comes over it; a new one is dialled. If
 * nng does not get rid of it (1.5 can't where half a message is on the way), it
 * is left to itself with its socket, and another socket dials.
 */
void net_reset(struct net *n);

#endif
