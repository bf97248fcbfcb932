/* SPDX-License-Identifier: ISC */
/*
 * sync.h - what moves the desk's contents to and from the broker
 *
 * One thread of a handle. It keeps a link to the broker while there is one to
 * be had, posts what is in the outbox, uploads parts, keeps fetches parked and
 * puts what comes, once verified, into the desk. Everything that must survive
 * is in the desk: it may be killed at any moment and goes on from there.
 *
 * What is refused for now (no network, busy, no space, a roster that is still
 * to come) stays in the outbox; what is refused for good leaves it and is
 * marked. What comes and cannot be trusted is kept too, with the reason, and is
 * never opened.
 */
#ifndef TOCSIN_CLIENT_SYNC_H
#define TOCSIN_CLIENT_SYNC_H

#include "client/belief.h"
#include "client/keystore.h"

#include <pthread.h>

/* What a handle consists of; sync shares it with its owner. */
struct sync_parts {
	struct desk *desk;
	struct keystore *keys;
	struct belief *belief;
	pthread_mutex_t *lock; /* of *belief */
};

struct sync;

/* Returns at once; needs a roster in the desk, else ROSTERUNKNOWN. */
enum tocsin_err MUST_USE sync_start(
    struct sync **out, const struct sync_parts *parts);
void sync_stop(struct sync *s); /* waits for the thread; NULL is ok */

/*
 * Wait until all that was in the outbox when it is called has been answered and
 * all that the broker had then is here. UNAVAILABLE without a link by the end
 * of the time, TIMEOUT, or the broker's refusal of this device.
 */
enum tocsin_err MUST_USE sync_wait(struct sync *s, int timeout_ms);

/* One request over the link, from any thread; the answer's fields. */
enum tocsin_err MUST_USE sync_ask(
    struct sync *s, struct span request, int timeout_ms, struct buf *fields);

/* Path of a sealed part in the home, whether it is there or not. */
void sync_spool(char out[768], const char *home, const uint8_t hash[32]);

#endif
