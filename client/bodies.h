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
 * The body of that ticket, appended to *out, and verified by its hash.
 * BODYMISMATCH, NOTFOUND and other words of the broker: it will not have it.
 */
enum tocsin_err MUST_USE bodies_get(
    const struct bodies *b, const struct ticket *t, struct buf *out);

#endif
