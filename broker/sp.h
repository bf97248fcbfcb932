/* SPDX-License-Identifier: ISC */
/*
 * sp.h - the bytes of Scalability Protocols on a stream, seen from outside
 *
 * The door (door.h) speaks SP with strangers so that nng needn't. This is all
 * of SP that it must understand, as pure functions and without nng: the header
 * that opens a connection, and the framing of messages (PROTOCOL.md 3).
 *
 *     header   00 'S' 'P' 00, u16 protocol, 00 00	both sides, at once
 *     message  u64 length, payload			on TCP
 *              01, u64 length, payload			on a local socket
 *
 * So a local frame is a TCP frame with one byte before it, and translating one
 * into the other copies nothing.
 *
 * A reader cuts a stream into frames. It judges a frame at the first byte that
 * condemns it, and gives it out when its last byte is there, never earlier. It
 * holds memory for the bytes that have come, not for those that were announced,
 * and none at all between two frames.
 */
#ifndef TOCSIN_BROKER_SP_H
#define TOCSIN_BROKER_SP_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#include <sys/uio.h>

#define SP_HEADER_LEN 8
#define SP_PREFIX_MAX 9 /* bytes before the payload, at most */

enum sp_proto {
	SP_PUB = 0x20,
	SP_SUB = 0x21,
	SP_REQ = 0x30,
	SP_REP = 0x31,
};

enum sp_map { SP_TCP, SP_LOCAL };

/* What may come on a stream, and how it is framed. */
struct sp_rules {
	enum sp_map map;
	size_t max;   /* bytes of payload; more is TOCSIN_ETOOLARGE */
	bool request; /* payload begins with a plain request id (see below) */
};

/* A whole frame. Spans alias the reader or what was given to it. */
struct sp_frame {
	struct span bytes;   /* with the prefix */
	struct span payload; /* without; n may be 0 */
};

struct sp_reader {
	struct sp_rules rules;
	uint8_t *part; /* a frame that is not whole yet */
	size_t n;
	size_t cap;
	bool given; /* part was given out as a frame */
};

void sp_header(uint8_t out[SP_HEADER_LEN], enum sp_proto proto);

/* The protocol that a header of exactly SP_HEADER_LEN bytes names. */
MUST_USE enum tocsin_err sp_header_decode(uint16_t *proto, struct span header);

/*
 * Judges the frame at the start of `bytes`, however few there are. *total is
 * its length with the prefix, or 0 as long as that is unknown. With `request`,
 * the payload must be 4 bytes or more and its first bit set: a request id, and
 * not the list of hops by which a stranger could address other pipes.
 */
MUST_USE enum tocsin_err sp_judge(
    const struct sp_rules *rules, struct span bytes, size_t *total);

/* A reader starts as { .rules = ... } and ends with sp_release(). */

/*
 * Takes the next whole frame from *in, which shrinks by what was taken, and
 * sets *got. Without one, *got is false and *in holds at most the beginning of
 * a frame, to be given to sp_keep(). Frames stay valid until sp_keep().
 */
MUST_USE enum tocsin_err sp_next(
    struct sp_reader *r, struct span *in, struct sp_frame *frame, bool *got);

/* Keeps what sp_next() left. Fails with TOCSIN_EINTERNAL without memory. */
MUST_USE enum tocsin_err sp_keep(struct sp_reader *r, struct span rest);

/* Bytes of an incomplete frame in hand: 0 between two frames. */
size_t sp_pending(const struct sp_reader *r);

/* Bytes to the end of the frame in hand, or of its prefix; never 0. */
size_t sp_missing(const struct sp_reader *r);

void sp_release(struct sp_reader *r);

/* The frame as `to` wants it, in 1 or 2 pieces; returns how many. */
#define SP_PIECES 2
int sp_pieces(const struct sp_frame *f, enum sp_map from, enum sp_map to,
    struct iovec iov[SP_PIECES]);

#endif
