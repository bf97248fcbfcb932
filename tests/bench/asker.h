/* SPDX-License-Identifier: ISC */
/*
 * asker.h - a link with many requests in flight, as fast as they can be made
 *
 * What the client library does carefully this does quickly: one REQ socket, W
 * contexts, one Noise link. Each context asks again from its own callback, so
 * that W requests are always out.
 */
#ifndef TOCSIN_TESTS_ASKER_H
#define TOCSIN_TESTS_ASKER_H

#include "client/belief.h"
#include "client/keystore.h"
#include "crypto/msg.h"

struct asker;

/* A home with a roster; connects and shakes hands, or ends the program. */
struct asker *asker_open(const char *home, unsigned width);

const struct keystore *asker_keys(const struct asker *a);
const struct belief *asker_belief(const struct asker *a);

/*
 * The next request of context i into *request; false: no more from it. And its
 * answer's fields. Called in nng's threads, one context never twice at once.
 */
struct asker_work {
	bool (*next)(void *arg, unsigned i, struct buf *request);
	void (*answer)(void *arg, unsigned i, struct span fields);
	void *arg;
};

/* Runs until every context has said that there is no more. */
void asker_run(struct asker *a, const struct asker_work *work);

double now_us(void);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
