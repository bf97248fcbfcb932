/* SPDX-License-Identifier: ISC */
/*
 * net_peer.h - the sockets that dial other brokers; net.c's other half
 *
 * Per peer a PUB socket for each way and a REQ socket. A call is a context of
 * the REQ socket and a time, of a clock that does not jump (nng's own follow
 * the clock of the day): its answer or the tick after that calls back, and the
 * call is used again when nng has done with it. Nothing is ever cancelled in mid-send or
 * waited for, since nng 1.5 crashes on the one and can hang in the other; so a
 * call that timed out stays until its answer comes or its connection ends.
 * There are no more than NET_CALLS of them, and none is begun while no
 * connection is up.
 */
#ifndef TOCSIN_BROKER_NET_PEER_H
#define TOCSIN_BROKER_NET_PEER_H

#include "broker/net.h"

#define NET_CALLS 64 /* per peer, under way or given up */

struct net_peers;

struct net_peers *net_peers_new(struct broker *b, unsigned pub_buffer);
void net_peers_free(struct net_peers *p);

MUST_USE enum tocsin_err net_peers_set(struct net_peers *p, const char *peer,
    const char *rpc_url, const char *relay_url);
void net_peers_redial(struct net_peers *p, const char *peer, bool all);
void net_peers_publish(
    struct net_peers *p, const char *peer, enum net_way way, struct span frame);
void net_peers_call(struct net_peers *p, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg);
void net_peers_tick(struct net_peers *p, int64_t now_ms);

/* Logs what nng says and makes it a reason of ours. */
MUST_USE enum tocsin_err net_error(const char *what, int rv);

#endif
