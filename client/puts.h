/* SPDX-License-Identifier: ISC */
/*
 * puts.h - bytes of a body or part, put in pieces
 *
 * The other direction of ranges.h. The broker is asked how much it has, and
 * gets the rest in its order, with as many pieces on the way as keep the link
 * busy (pace.h). Nothing is remembered but on its side: what was interrupted is
 * begun again with puts_begin(), and goes on behind the last byte that came.
 *
 *	puts_begin(&p, ...);
 *	while ((err = puts_go(&p, &retry)) == TOCSIN_OK && !p.complete)
 *		wait for a change of the desk, which each answer makes;
 *	puts_drop(&p);
 *
 * One thread at a time.
 */
#ifndef TOCSIN_CLIENT_PUTS_H
#define TOCSIN_CLIENT_PUTS_H

#include "client/line.h"

#define PUTS_MAX 64 /* on the way at once */

/* Up to `max` bytes from `offset` on, appended to *out; one at least. */
typedef enum tocsin_err puts_read_fn(
    void *arg, uint64_t offset, size_t max, struct buf *out);

struct puts {
	uint64_t total;
	uint64_t have; /* at the broker, as far as we know */
	bool complete;
	bool theirs; /* the last error is the broker's word */

	struct line *line;
	int timeout_ms;
	uint8_t hash[32];
	puts_read_fn *read;
	void *arg;
	bool asked;	/* we know `have` */
	uint64_t next;	/* what to send */
	uint64_t began; /* `have` when we began to */
	bool gap; /* something on the way was of no use: begin at `have` */
	struct {
		struct call *call;
		uint64_t end; /* the offset behind it */
	} out[PUTS_MAX];      /* a ring, oldest first */
	unsigned first, n;
};

void puts_begin(struct puts *p, struct line *line, int timeout_ms,
    const uint8_t hash[32], uint64_t total, puts_read_fn *read, void *arg);

/*
 * Takes what was answered and sends what there is room for; does not wait. An
 * error ends it. BUSY: the broker has taken nothing. What read() says, too.
 */
enum tocsin_err MUST_USE puts_go(struct puts *p, uint32_t *retry_ms);

/* Leaves what is on the way to itself. { 0 } is ok. */
void puts_drop(struct puts *p);

#endif
