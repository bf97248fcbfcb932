/* SPDX-License-Identifier: ISC */
/*
 * sync.h - what moves the desk's contents to and from the broker
 *
 * Threads of a handle. One keeps a link to the broker while there is one to be
 * had (line.h), keeps fetches parked and puts what comes, once verified, into
 * the desk (intake.h); one empties the outbox (outbox.h); and while there are
 * parts to upload, one does that (upload.h). Everything that must survive is in
 * the desk: it may be killed at any moment and goes on from there, and several
 * processes may do the same for one home.
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
	pthread_mutex_t *lock; /* of *belief; taken before a transaction */
	unsigned answer_ms;    /* for how long we wait; 0: 10 s */
	unsigned park_ms;      /* how long a fetch waits; 0: 20 s */
	/* What a desk has to say by itself; from the thread, or NULL. */
	void (*speak)(void *arg);
	void *arg;
};

struct sync;

/* Returns at once. Without a roster in the desk there will be no link. */
enum tocsin_err MUST_USE sync_start(
    struct sync **out, const struct sync_parts *parts);
void sync_stop(struct sync *s); /* waits for the thread; NULL is ok */

/*
 * Wait until all that was in the outbox when it is called has been answered and
 * all that the broker had then is here. Parts that another process of the home
 * uploads are not waited for, unless they are this handle's own. Else, at the
 * end of the time: why there is no link, what the broker refuses, or TIMEOUT.
 */
enum tocsin_err MUST_USE sync_wait(struct sync *s, int timeout_ms);

/* This handle has made that part. */
enum tocsin_err MUST_USE sync_own_part(struct sync *s, const uint8_t hash[32]);

/* Whether nobody listens where the broker should: it may be being restarted. */
bool sync_refused(struct sync *s);

/* OK while there is a link to the broker, else why there is none. */
enum tocsin_err MUST_USE sync_link(struct sync *s);

/* What keeps messages here or at the broker now; OK if nothing does. */
enum tocsin_err MUST_USE sync_trouble(struct sync *s);

/* How much of the part that is being uploaded the broker has; false: none is.
 */
bool sync_uploading(struct sync *s, uint64_t *have, uint64_t *size);

/* One request over the link, from any thread; the answer's fields. */
enum tocsin_err MUST_USE sync_ask(
    struct sync *s, struct span request, int timeout_ms, struct buf *fields);

/*
 * The bytes of a body or part of the ticket `id`, from `offset` to `total`, as
 * fast as the link allows, in their order. What take() answers, unless it is
 * OK, ends it. It goes on over new connections, until nothing has come for
 * patience_ms. UNAVAILABLE: the broker has no more of it, or cannot be reached.
 * From any thread but that of sync.
 */
struct sync_range {
	uint8_t id[32];
	uint8_t hash[32];
	uint64_t offset, total; /* offset goes forward */
	int patience_ms;
	enum tocsin_err (*take)(void *arg, struct span bytes);
	void *arg;
};
enum tocsin_err MUST_USE sync_get(struct sync *s, struct sync_range *r);

/* A refusal that may pass by itself: what it was about is tried again. */
bool sync_passes(enum tocsin_err err);

/* Path of a sealed part in the home, whether it is there or not. */
void sync_spool(char out[768], const char *home, const uint8_t hash[32]);

#endif
