/* SPDX-License-Identifier: ISC */
/*
 * relay_frame.h - pieces of items, published from one broker to another
 *
 * nng may lose, and never reorders within a connection, what is published, so
 * each frame says all about itself: which item of which lane, and which bytes
 * of it. The receiver uses what continues its cursor and drops the rest.
 *
 *	16 link id | u64 counter | sealed( u8 lane | u32 round | u64 item
 *	    | u8 kind | u64 total | u64 offset | bytes )
 *
 * The link id is the topic that the receiver subscribes to, and it comes with
 * the key from relay.open. The counter is the AEAD's nonce: the sender counts
 * every frame it publishes on the link, also a repeated piece, and never uses a
 * number twice; the receiver judges it with window.h. PROTOCOL.md 6.1.
 *
 * The round counts how often the sender went back in the lane, so that a gap is
 * told once for each time.
 *
 * A heartbeat shows that the link lives, and what was lost at the end: `item`
 * and `offset` are where the sender would go on in that lane; there are no
 * bytes, and `total` is 0.
 */
#ifndef TOCSIN_CRYPTO_RELAY_FRAME_H
#define TOCSIN_CRYPTO_RELAY_FRAME_H

#include "crypto/noise.h"

#define RELAY_LINK 16
#define RELAY_HEAD (RELAY_LINK + 8)
#define RELAY_PIECE_HEAD 30
#define RELAY_FRAME_MAX 16384
#define RELAY_BYTES_MAX \
	(RELAY_FRAME_MAX - RELAY_HEAD - RELAY_PIECE_HEAD - NOISE_TAG)

enum relay_lane {
	LANE_FLASH,
	LANE_IMMEDIATE,
	LANE_PRIORITY,
	LANE_ROUTINE,
	LANE_BULK,
	LANE_COUNT
};

enum relay_kind {
	RELAY_HEARTBEAT = 0,
	RELAY_TICKET = 1,
	RELAY_ROSTER = 2,
	RELAY_KEYS = 3,
	RELAY_RECEIPT = 4,
	RELAY_PART = 5,
};

struct relay_frame {
	uint8_t link[RELAY_LINK];
	uint64_t counter;
	struct span head; /* RELAY_HEAD bytes, authenticated */
	struct span sealed;
};

struct relay_piece {
	uint8_t lane;
	uint64_t item; /* from 1 in each lane */
	uint8_t kind;
	uint64_t total;	 /* bytes of the item, at least 1 */
	uint64_t offset; /* of the first of these bytes */
	struct span bytes;
	uint32_t round; /* how often the sender went back in this lane */
};

/* EMALFORMED or ETOOLARGE; decrypts nothing, *out aliases `bytes`. */
MUST_USE enum tocsin_err relay_frame_parse(
    struct relay_frame *out, struct span bytes);

/*
 * The plaintext is appended to *plain and *out aliases it, so it is valid until
 * *plain changes. EBADSIGNATURE; or, from a peer that breaks the rules,
 * EMALFORMED and EUNSUPPORTED (an unknown lane or kind). Then *plain is as
 * before.
 */
MUST_USE enum tocsin_err relay_frame_open(struct relay_piece *out,
    struct buf *plain, const struct relay_frame *f, const uint8_t key[32]);

/* EUSAGE for a piece that relay_frame_open() would refuse. */
MUST_USE enum tocsin_err relay_frame_seal(struct buf *out,
    const uint8_t link[RELAY_LINK], uint64_t counter, const uint8_t key[32],
    const struct relay_piece *piece);

/* The plaintext alone, which seal and open go through. */
MUST_USE enum tocsin_err relay_piece_parse(
    struct relay_piece *out, struct span plain);
void relay_piece_put(struct buf *out, const struct relay_piece *piece);

#endif
