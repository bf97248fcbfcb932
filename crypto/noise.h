/* SPDX-License-Identifier: ISC */
/*
 * noise.h - the handshake of a link: Noise_XK_25519_ChaChaPoly_SHA256
 *
 * Bytes in, bytes out, state in between. The initiator knows the responder's
 * key beforehand, from the roster; the responder learns the initiator's from
 * message 3, where no earlier observer and no impostor of the responder sees
 * it. Message 3 also carries the first request, so that the answer comes in the
 * second round trip.
 *
 *	initiator			responder
 *	noise_write -> e, es ->		noise_read
 *	noise_read  <- e, ee <-		noise_write
 *	noise_write -> s, se ->		noise_read, noise_remote
 *	noise_split			noise_split
 *
 * The state is a value. After any failure it is wiped and answers EUSAGE: a
 * handshake that failed is never continued. Whoever called noise_init_*() calls
 * noise_release(), which wipes; it is harmless on { 0 } and when repeated.
 * Nothing is written to `out` by a call that fails. PROTOCOL.md 4.2.
 *
 * EMALFORMED: too short, or a key of low order. EBADSIGNATURE: it was not made
 * by the holder of the keys that we expect, or was altered. ETOOLARGE: a
 * payload that would not fit. EUSAGE: not our turn. EINTERNAL: memory.
 */
#ifndef TOCSIN_CRYPTO_NOISE_H
#define TOCSIN_CRYPTO_NOISE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define NOISE_KEY 32
#define NOISE_TAG 16
#define NOISE_MAX 65535 /* bytes of one message; Noise's own limit */

/* Bytes of messages 1 to 3 with an empty payload. */
#define NOISE_XK1 (NOISE_KEY + NOISE_TAG)
#define NOISE_XK2 (NOISE_KEY + NOISE_TAG)
#define NOISE_XK3 (NOISE_KEY + NOISE_TAG + NOISE_TAG)

struct noise {
	uint8_t ck[32]; /* chaining key */
	uint8_t h[32];	/* hash of all that was said */
	uint8_t k[32];	/* of the current message */
	uint64_t n;
	uint8_t s[NOISE_KEY]; /* our static secret */
	uint8_t e[NOISE_KEY]; /* our ephemeral secret */
	uint8_t rs[NOISE_KEY];
	uint8_t re[NOISE_KEY];
	uint8_t done; /* messages so far */
	bool initiator;
	bool e_fixed;
	bool live;
};

/* EMALFORMED if a key is of low order, which no honest one is. */
MUST_USE enum tocsin_err noise_init_initiator(struct noise *x,
    const uint8_t sk[NOISE_KEY], const uint8_t responder[NOISE_KEY],
    struct span prologue);
MUST_USE enum tocsin_err noise_init_responder(
    struct noise *x, const uint8_t sk[NOISE_KEY], struct span prologue);

/* For test vectors only: the ephemeral secret that is otherwise random. */
void noise_fix_ephemeral(struct noise *x, const uint8_t e[NOISE_KEY]);

/* Our next message with its payload, appended to *out. */
MUST_USE enum tocsin_err noise_write(
    struct noise *x, struct buf *out, struct span payload);

/* Their next message; its payload is appended to *payload. */
MUST_USE enum tocsin_err noise_read(
    struct noise *x, struct buf *payload, struct span msg);

/* All three messages are through. */
bool noise_done(const struct noise *x);

/*
 * Who is there: the other's static key. Proven when noise_done(); NULL to a
 * responder before that.
 */
const uint8_t *noise_remote(const struct noise *x);

/* The hash of the handshake, the same on both sides and unique to it. */
void noise_hash(const struct noise *x, uint8_t h[32]);

/* The two keys of the link, seen from this side. Once, then it is wiped. */
MUST_USE enum tocsin_err noise_split(
    struct noise *x, uint8_t tx[NOISE_KEY], uint8_t rx[NOISE_KEY]);

void noise_release(struct noise *x);

/* FEDERATION/noise/v1 LF broker LF genesis: what both must mean the same by. */
void noise_prologue(struct buf *out, struct span federation, struct span broker,
    const uint8_t genesis[32]);

/*
 * Transport messages, with the caller's own nonces: Noise's ChaChaPoly with an
 * explicit nonce. One pair of key and nonce is used for one message, ever.
 * Failures as above; *out is left as it was.
 */
MUST_USE enum tocsin_err noise_seal(struct buf *out, const uint8_t key[32],
    uint64_t nonce, struct span ad, struct span plain);
MUST_USE enum tocsin_err noise_open(struct buf *out, const uint8_t key[32],
    uint64_t nonce, struct span ad, struct span sealed);

#endif
