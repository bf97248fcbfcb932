/* SPDX-License-Identifier: ISC */
/*
 * dispatch.h - requests: what may be asked by whom, and who answers
 *
 * A request is one message from its arrival to its one answer. net.c makes them
 * and knows how an answer travels; nothing here includes nng. A handler runs in
 * an nng callback: it must not wait. It ends in exactly one of
 * request_answer(), request_refuse(), request_drop() and request_park(), at
 * once or later from another thread, and must not touch the request after that.
 */
#ifndef TOCSIN_BROKER_DISPATCH_H
#define TOCSIN_BROKER_DISPATCH_H

#include "broker/broker.h"
#include "broker/park.h"
#include "broker/session.h"
#include "broker/writer.h"
#include "crypto/msg.h"

struct request {
	struct broker *b;
	struct park park;
	uint32_t pipe; /* the connection it came by */

	/* How it travels; frame.n 0: send nothing. Frees the request for the
	 * next message. */
	void (*send)(struct request *r, struct span frame);

	/* Set while a request is served. */
	struct session *session;
	struct trust *trust; /* as of its arrival */
	struct trust_who who;
	uint64_t nonce;
	struct buf plain; /* the message's bytes */
	uint8_t op;
	void *state; /* the handler's */
};

/* A frame has come in. */
void dispatch_frame(struct request *r, struct span frame);

/*
 * The answer: a whole reply as of msg_accept(). If memory was short for it, who
 * asked is told to ask again: half a reply could be taken for our word.
 */
void request_answer(struct request *r, const struct buf *reply);
void request_refuse(struct request *r, enum tocsin_err code, uint32_t retry_ms,
    const char *detail);

/* Nobody is there any more, or nothing can be said. */
void request_drop(struct request *r);

/* The handlers of op_*.c; `body` is what follows the op, in r->plain. */
typedef void op_fn(struct request *r, struct span body);
op_fn op_post, op_fetch, op_urgent, op_put, op_get, op_announce;
op_fn op_entry_get, op_entry_list;
op_fn op_relay_have; /* relay_heal.c */
op_fn op_roster, op_relay_keys, op_proof, op_checkpoint;

/* The entry, if the link's member may see it: its own, or in its mailbox. */
MUST_USE enum tocsin_err request_find(const struct request *r,
    struct store_rx *rx, const uint8_t id[32], struct store_entry *e);

#endif
