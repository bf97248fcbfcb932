/* SPDX-License-Identifier: ISC */
/*
 * rawlink.h - a link that is made by hand, over a plain socket
 *
 * For who has valid keys and does with them what no program of ours would: asks
 * without waiting for answers, sends the same bytes again, never reads. One TCP
 * connection from 127.0.0.2 to a broker's port on 127.0.0.1, SP's framing, one
 * link (crypto/link.h). Everything blocks, up to RAWLINK_PATIENCE_MS.
 *
 * A struct rawlink starts as { .fd = -1 }, may be opened again after
 * rawlink_close(), and holds keys until then.
 */
#ifndef TOCSIN_TESTS_RAWLINK_H
#define TOCSIN_TESTS_RAWLINK_H

#include "crypto/link.h"
#include "crypto/msg.h"

#define RAWLINK_PATIENCE_MS 20000

/* Which broker, and who asks. */
struct rawlink_who {
	uint16_t port;
	const uint8_t *sk;   /* Noise, 32 bytes */
	const uint8_t *peer; /* the broker's */
	struct span prologue;
};

struct rawlink {
	int fd;
	struct link link;
	struct buf last; /* the newest request's bytes as they were sent */
};

/*
 * Connect, greet, shake hands; the first request is MSG_HELLO. What it says is
 * the broker's word, or EUNAVAILABLE: the connection ended, ETIMEOUT: nothing
 * came.
 */
enum tocsin_err rawlink_open(struct rawlink *l, const struct rawlink_who *who);
void rawlink_close(struct rawlink *l);

/* One request; its fields are put into *fields (may be NULL). */
enum tocsin_err rawlink_ask(
    struct rawlink *l, struct span request, struct buf *fields);

/* Sends without waiting; the number says later which one an answer is to. */
enum tocsin_err rawlink_send(
    struct rawlink *l, struct span request, uint64_t *number);
/* Whatever answer comes next. */
enum tocsin_err rawlink_next(
    struct rawlink *l, uint64_t *number, struct buf *fields);

/* The same bytes as the last request once more. */
enum tocsin_err rawlink_again(struct rawlink *l);

/* A connection of its own that greets and says nothing, -1 if it can't. */
int rawlink_dial(uint16_t port, uint8_t proto);
bool rawlink_put(int fd, struct span bytes);

#endif
