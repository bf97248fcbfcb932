/* SPDX-License-Identifier: ISC */
/*
 * session.h - links from outside: who is there, and each request once
 *
 * A session is one Noise link (PROTOCOL.md 4). This module knows no network: it
 * takes the bytes of a frame and says either what to answer or what was asked.
 * All of it may be called from any thread.
 *
 * nng repeats requests, so numbers are seen again: a repeat of an answered
 * request gets the identical bytes from a small cache, a repeat of one that is
 * still running `busy`, an older one `timeout`. Nothing is executed twice and
 * no nonce is used twice.
 *
 * Everything that a stranger can make grow is bounded: half-open handshakes
 * (number, time, rate), sessions of one device (the one idle longest ends) and
 * of all, messages and life of a session, bytes of cached answers.
 */
#ifndef TOCSIN_BROKER_SESSION_H
#define TOCSIN_BROKER_SESSION_H

#include "broker/trust.h"
#include "crypto/frame.h"

struct broker;
struct session;
struct sessions;

struct session_limits {
	unsigned half_open;	/* handshakes under way; 4096 */
	unsigned half_open_ms;	/* 10000 */
	unsigned handshakes;	/* per second, 0: no limit */
	unsigned per_device;	/* sessions of one device or broker; 16 */
	unsigned strangers;	/* sessions of unknown keys; 1024 */
	unsigned total;		/* 65536 */
	unsigned cache_replies; /* 64 */
	size_t cache_bytes;	/* 1 MiB, per session */
};

MUST_USE enum tocsin_err sessions_new(
    struct sessions **out, struct broker *b, const struct session_limits *lim);
void sessions_free(struct sessions *s);

struct session_request {
	struct session *session; /* a reference, to be put */
	uint64_t nonce;
	struct buf plain; /* the request; the caller's */
	struct trust_who who;
};

/*
 * Take a frame. True: *got is a request, to be answered with session_reply() or
 * given up with session_abandon(), once. False: *answer holds the frame to send
 * back, a reply of the handshake, a repeated answer or an error.
 */
bool session_receive(struct sessions *s, struct span frame, int64_t now_ms,
    struct session_request *got, struct buf *answer);

/*
 * Seal the answer to request `nonce` and remember it: appends the frame. After
 * a failure (EINTERNAL: memory) a hint is all that can be said. EUSAGE: no
 * such request is running, or it was answered; nothing was sealed.
 */
MUST_USE enum tocsin_err session_reply(
    struct session *s, uint64_t nonce, struct span plain, struct buf *frame);
void session_abandon(struct session *s, uint64_t nonce);

/* Appends the error frame that says `busy` for this request. */
void session_hint(const struct session *s, uint64_t nonce, uint32_t retry_ms,
    struct buf *frame);

struct session *session_hold(struct session *s);
void session_put(struct session *s);

/* The other side's Noise key, which it has proven to hold. */
const uint8_t *session_remote(const struct session *s);

/* After an announcement that lists its key, a stranger is somebody. */
void session_became(struct session *s, const struct trust_who *who);

/*
 * A device's place in its mailbox: the last seq that this link was sent. The
 * lock also keeps two answers from sending the same entries: hold it from
 * reading the place to setting it.
 */
uint64_t session_sent_lock(struct session *s);
void session_sent_unlock(struct session *s, uint64_t sent);

/*
 * How far the device of a link says to be. True: that is news, and no job is on
 * the way yet that will write it down; that job takes the newest value.
 */
bool session_acked(struct session *s, uint64_t acked);
uint64_t session_acked_take(struct session *s);

/* It could not be written down: the same, said again, is news. */
void session_acked_forget(struct session *s);

/* True once it has ended; parked requests of it are then given up. */
bool session_ended(struct session *s);

/* Ends those whose key means somebody else now, or nobody. */
void sessions_recheck(struct sessions *s, const struct trust *t, int64_t now);

/* Ends what is too old or half open for too long; about once a second. */
void sessions_sweep(struct sessions *s, int64_t now_ms);

struct session_stats {
	uint64_t open;
	uint64_t half_open;
};
void sessions_stats(struct sessions *s, struct session_stats *out);

#endif
