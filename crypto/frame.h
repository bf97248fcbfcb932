/* SPDX-License-Identifier: ISC */
/*
 * frame.h - what stands on a link between a client, or broker, and a broker
 *
 * Every body of an nng request or reply is one frame:
 *
 *	u8 version | u8 type | 16 session | u64 nonce | message
 *
 * Types 1 to 3 carry the handshake (noise.h), 4 what is sealed under its keys,
 * 5 a hint that cannot be trusted: the session is gone, or the broker is busy.
 *
 * Requests are numbered by the initiator, from 1; the request inside the finish
 * has number 0. The reply is sealed under the responder's own key with the
 * request's number. There is exactly one reply to a request number, ever (a
 * repeated request gets the same bytes again), so no nonce repeats, and the
 * number says what the reply answers. The 26 bytes before the message are
 * authenticated with it. PROTOCOL.md 4.
 *
 * frame_parse() is pure and decrypts nothing; spans alias its input. What it
 * accepts, frame_put() would write byte for byte.
 */
#ifndef TOCSIN_CRYPTO_FRAME_H
#define TOCSIN_CRYPTO_FRAME_H

#include "crypto/noise.h"

#define FRAME_VERSION 1
#define FRAME_SESSION 16
#define FRAME_HEAD 26
#define FRAME_ERROR_LEN (FRAME_HEAD + 6)
#define FRAME_PLAIN_MAX 61440 /* a request or reply; MSG_MAX */
#define FRAME_MAX (FRAME_HEAD + NOISE_XK3 + FRAME_PLAIN_MAX)

#define LINK_MESSAGES_MAX (UINT64_C(1) << 20) /* the last request number */
#define LINK_SECONDS_MAX 3600

enum frame_type {
	FRAME_HELLO = 1,       /* Noise message 1; no session yet */
	FRAME_HELLO_REPLY = 2, /* Noise message 2; the responder's session */
	FRAME_FINISH = 3,      /* Noise message 3 with the first request */
	FRAME_TRANSPORT = 4,
	FRAME_ERROR = 5,
};

struct frame {
	uint8_t type;
	uint8_t session[FRAME_SESSION];
	uint64_t nonce;
	struct span msg;
	struct span head; /* the FRAME_HEAD bytes before msg */
};

/* What noise_split() gives; tx seals, rx opens. The owner wipes it. */
struct link_keys {
	uint8_t tx[32];
	uint8_t rx[32];
};

/*
 * EUNSUPPORTED for a version or type that we don't know, ETOOLARGE beyond
 * FRAME_MAX, EMALFORMED for the rest: a length that the type cannot have, a
 * session or nonce where there is none, a nonce after the last.
 */
MUST_USE enum tocsin_err frame_parse(struct frame *out, struct span bytes);

/* A frame around bytes that are sealed already: types 1 to 3. */
void frame_put(struct buf *out, enum frame_type type,
    const uint8_t session[FRAME_SESSION], uint64_t nonce, struct span msg);

/*
 * A transport frame. `session` and `nonce` are a request's own, or those of the
 * request that is answered. *out is as before when it fails: ETOOLARGE,
 * EUSAGE (nonce after the last), EINTERNAL.
 */
MUST_USE enum tocsin_err frame_seal(struct buf *out,
    const uint8_t session[FRAME_SESSION], uint64_t nonce, const uint8_t key[32],
    struct span plain);

/* The plaintext of a transport frame, appended to *plain; else EBADSIGNATURE.
 */
MUST_USE enum tocsin_err frame_open(
    struct buf *plain, const struct frame *f, const uint8_t key[32]);

/*
 * The error frame, a hint in clear. It names the session and nonce that it is
 * about, or zeros. Whoever gets one may start a new handshake, and believes
 * nothing else: anybody on the way can make one.
 */
void frame_put_error(struct buf *out, const uint8_t session[FRAME_SESSION],
    uint64_t nonce, enum tocsin_err reason, uint32_t retry_ms);

/* Of a parsed FRAME_ERROR; an unknown code reads as EINTERNAL. */
enum tocsin_err frame_error(const struct frame *f, uint32_t *retry_ms);

#endif
