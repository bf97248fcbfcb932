/* SPDX-License-Identifier: ISC */
/*
 * net.h - the only part of the broker that includes nng
 *
 *	rpc.ipc     REP, many contexts: requests of devices and peers
 *	relay.ipc   SUB: relay frames from peers
 *	per peer    PUB and REQ sockets that dial the peer's door
 *
 * The listeners are local sockets in a folder of mode 0700, behind the door: no
 * nng 1.5 listener may face strangers. Sockets are made once and closed only
 * when the process ends. Every socket has RECVMAXSZ, and REQ never repeats by
 * itself.
 *
 * Callbacks of this header run in nng's threads and must not wait.
 */
#ifndef TOCSIN_BROKER_NET_H
#define TOCSIN_BROKER_NET_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

struct broker;
struct net;

struct net_options {
	const char *dir;     /* for rpc.ipc and relay.ipc, mode 0700 */
	unsigned contexts;   /* of REP; 1024 */
	unsigned reserve;    /* of them never parked; 128 */
	unsigned sub_buffer; /* messages; at most 8192 */
	unsigned pub_buffer; /* messages; at most 8192 */
};

/*
 * Open the sockets. In the main thread, with all signals blocked: nng's threads
 * inherit that. Frames are taken from net_listen() on.
 */
MUST_USE enum tocsin_err net_open(
    struct net **out, struct broker *b, const struct net_options *opt);
MUST_USE enum tocsin_err net_listen(struct net *n);

/* About once a second: what has taken too long. */
void net_tick(struct net *n, int64_t now_ms);

/* Take no more requests; those in hand may still be answered. */
void net_pause(struct net *n);

/* Closes everything, in tests; a daemon leaves with _exit() instead, because a
 * peer can make nng's close hang. */
void net_close(struct net *n);

/*
 * A peer: where it is dialled. To be called again when its addresses change;
 * "-" or "" is no address. Any thread but nng's.
 */
MUST_USE enum tocsin_err net_peer(struct net *n, const char *peer,
    const char *rpc_url, const char *relay_url);

/*
 * The peer is not to be reached: dial anew what is not connected, because a
 * connection attempt of TCP waits longer and longer too; and with `all` also
 * what is, since nothing comes over it. To be called every few seconds, by the
 * thread that calls net_peer().
 */
void net_redial(struct net *n, const char *peer, bool all);

/*
 * Publish to that peer alone. Never waits; nng may drop it silently. There are
 * two ways to a peer, a connection each: what a bad line loses is repeated by
 * TCP, and all behind it on that connection waits, so what is urgent has its
 * own.
 */
enum net_way { NET_URGENT, NET_BULK, NET_WAYS };
void net_publish(
    struct net *n, const char *peer, enum net_way way, struct span frame);

/*
 * Send a frame to the peer's REP and call back once, with OK and its answer
 * (valid during the callback), or TIMEOUT, or UNAVAILABLE. The time-out frees
 * the caller, not the call: an answer that comes later is dropped.
 */
typedef void net_reply_fn(void *arg, enum tocsin_err err, struct span answer);
void net_call(struct net *n, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg);

/*
 * Take relay frames that begin with this link id; others nng discards. Each is
 * handed to relay_frame().
 */
MUST_USE enum tocsin_err net_subscribe(struct net *n, const uint8_t link[16]);
void net_unsubscribe(struct net *n, const uint8_t link[16]);

/* Of the nng that we run with, for --version. */
const char *net_version(void);

#endif
