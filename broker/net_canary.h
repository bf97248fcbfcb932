/* SPDX-License-Identifier: ISC */
/*
 * net_canary.h - whether nng is still alive
 *
 * A peer that is killed while a message is half sent can stick nng's reaper for
 * good: everything seems to run, but no socket and no connection ever ends
 * again, until nothing new can begin. A pair of sockets that is opened, joined
 * and closed in a throw-away thread comes back in milliseconds from a healthy
 * nng, and never from a stuck one. Nothing inside the process helps then: end
 * it, to be restarted.
 */
#ifndef TOCSIN_BROKER_NET_CANARY_H
#define TOCSIN_BROKER_NET_CANARY_H

#include "crypto/wire.h"

/* Sends one out; false if it could not even leave. */
MUST_USE bool net_canary_send(void);

/* All that were sent came back. From the thread that sent them. */
bool net_canary_back(void);

#endif
