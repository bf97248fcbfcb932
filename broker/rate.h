/* SPDX-License-Identifier: ISC */
/*
 * rate.h - how much a member may post
 *
 * A bucket of tokens per member: it holds `burst` and gains `rate` a second. A
 * post of n envelopes takes n, or is told when to come back. One device that
 * runs wild then costs its own member, nobody else.
 */
#ifndef TOCSIN_BROKER_RATE_H
#define TOCSIN_BROKER_RATE_H

#include "crypto/wire.h"

struct rates;

/* rate 0: no limit. NULL: memory. */
struct rates *rates_new(unsigned rate, unsigned burst);
void rates_free(struct rates *r);

/*
 * Call with names of the roster only: each keeps a bucket for good. More than
 * `burst` at once is taken from a full bucket.
 */
bool rate_take(struct rates *r, struct span member, size_t n, int64_t now_ms,
    uint32_t *retry_ms);

#endif
