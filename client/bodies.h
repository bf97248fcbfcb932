/* SPDX-License-Identifier: ISC */
/*
 * bodies.h - bodies that did not fit into a page of fetch
 *
 * Such a body comes in ranges, over the connection for what takes long. What
 * has come is kept in the home's spool, as HASH.part, so that a cut, a crash or
 * a week later it goes on behind the last byte. Between ranges others may work:
 * a flash does not wait for the end of it.
 */
#ifndef TOCSIN_CLIENT_BODIES_H
#define TOCSIN_CLIENT_BODIES_H

#include "client/line.h"
#include "crypto/ticket.h"

struct bodies {
	struct line *line;
	const char *home;
	int timeout_ms; /* of one range */
	/* Called between ranges; false: give up, UNAVAILABLE. */
	bool (*meanwhile)(void *arg);
	void *arg;
};

/*
 * The body of that ticket, appended to *out, and verified by its hash. What the
 * spool has of it stays until bodies_forget(): when it is in the desk.
 * BODYMISMATCH, NOTFOUND and other words of the broker: it will not have it.
 */
enum tocsin_err MUST_USE bodies_get(
    const struct bodies *b, const struct ticket *t, struct buf *out);
void bodies_forget(const char *home, const uint8_t hash[32]);

/* How many bytes of a body or part of that size the spool has, so far. */
uint64_t bodies_here(const char *home, const uint8_t hash[32], uint64_t size);

#endif
