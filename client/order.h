/* SPDX-License-Identifier: ISC */
/*
 * order.h - which message of a thread came first
 *
 * Senders' clocks have seconds and are not the same, so a time alone would put
 * an answer before its question, or leave two messages at one time to chance.
 * A message comes after those that it refers to and after the earlier ones of
 * its device; what that leaves open is decided by time, kind and id
 * (PROTOCOL.md 11.3). The order depends on the set of messages only.
 */
#ifndef TOCSIN_CLIENT_ORDER_H
#define TOCSIN_CLIENT_ORDER_H

#include "client/ladder.h"

struct moment {
	int64_t time;	/* not before that of any message before it */
	unsigned depth; /* how many came before it at that time */
};

/* One for each message; the caller frees. EINTERNAL: no memory. */
enum tocsin_err MUST_USE order_moments(
    struct moment **out, const struct ladder_message *m, size_t n);

/* Whether message `a` comes after message `b`; the same is not after itself. */
bool order_after(const struct ladder_message *a, const struct moment *at,
    const struct ladder_message *b, const struct moment *bt);

#endif
