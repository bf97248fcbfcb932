/* SPDX-License-Identifier: ISC */
/*
 * link.h - the side of a link that asks
 *
 * A client and a broker that dials another one speak the same way: hello, the
 * answer, finish with the first request inside, then sealed requests, each with
 * a number of its own. This is that side without the network: bytes to send,
 * bytes received, state in between. The answering side is the broker's
 * session.h.
 *
 *	link_hello()   -> frame, send it
 *	link_finish()  <- the answer; -> frame with request 0, send it
 *	link_answer()  <- the answer to request 0
 *	link_ask()     -> frame with request n, send it; link_answer() <- ...
 *
 * A frame that got no answer may be sent again, byte for byte; the broker does
 * not do it twice. When an answer is TOCSIN_ENOTFOUND the broker has lost the
 * session, and when link_spent() it is used up: begin a new one, ask again.
 *
 * A struct link holds keys: wipe it. It is not safe for two threads at once.
 */
#ifndef TOCSIN_CRYPTO_LINK_H
#define TOCSIN_CRYPTO_LINK_H

#include "crypto/frame.h"

struct link {
	struct noise noise;
	struct link_keys keys;
	uint8_t session[FRAME_SESSION];
	uint64_t next; /* number of the next request; 0: no session yet */
};

/* Appends the hello. `peer` is the broker's Noise key. */
MUST_USE enum tocsin_err link_hello(struct link *l, const uint8_t sk[32],
    const uint8_t peer[32], struct span prologue, struct buf *frame);

/*
 * Takes the answer to the hello and appends the finish, which carries the first
 * request; its number is 0. EBADSIGNATURE: it is not the broker that we mean,
 * or it has another genesis or name. On failure the link is wiped.
 */
MUST_USE enum tocsin_err link_finish(
    struct link *l, struct span answer, struct span request, struct buf *frame);

/* Appends the next request's frame. EUNAVAILABLE without a session. */
MUST_USE enum tocsin_err link_ask(
    struct link *l, struct span request, struct buf *frame, uint64_t *number);

/*
 * The reply in the answer to request `number`. If the broker sent no reply but
 * an error frame, its reason is returned and *retry_ms set; it is a hint that
 * anybody on the way could forge.
 */
MUST_USE enum tocsin_err link_answer(const struct link *l, uint64_t number,
    struct span answer, struct buf *reply, uint32_t *retry_ms);

/* True if it is used up or was never made. */
bool link_spent(const struct link *l);

void link_wipe(struct link *l);

#endif
