/* SPDX-License-Identifier: ISC */
/*
 * part.h - an attachment on its way into a part file, and out of it
 *
 * A part is an age file to a one-time identity that is sealed into the ticket
 * (ticket.h, parts.age). So it needs one stanza however many read it, can be
 * fetched later and piece by piece, and be handed on without sending it again.
 * Inside, the attachment is followed by zeros up to its padded size; its true
 * size is in ticket.json (PROTOCOL.md 8.2, 8.3).
 *
 * Both directions are streams that keep no more than one chunk. They are about
 * 66 KiB, hold keys, and are wiped by their release, which is always right to
 * call. The caller owns every buffer; what is made is appended.
 */
#ifndef TOCSIN_CRYPTO_PART_H
#define TOCSIN_CRYPTO_PART_H

#include "crypto/age.h"
#include "crypto/ticket.h"

#include <sodium.h>

/* The size of the part file; more than TICKET_PART_MAX is too large. */
uint64_t part_size(uint64_t plain_size);

/* A one-time identity, and the content of parts.age that says it. */
void part_identity(uint8_t sk[32], struct buf *parts_age);

/*
 * Sealing. After begin, feed the attachment in pieces of any size, exactly
 * plain_size bytes in all. Then end: it appends padding and last chunk, as much
 * as 64 KiB at a time, and is called until *part is set and it says done.
 *
 *	part_sealer_begin(&s, out, sk, plain_size)
 *	part_sealer_feed(&s, out, piece) ...
 *	do part_sealer_end(&s, out, &part, &done) while (!done)
 *
 * too-large: over the limit; usage: not plain_size bytes.
 */
struct part_sealer {
	struct age_sealer age;
	crypto_hash_sha256_state hash;
	uint64_t size; /* of the file so far */
	uint64_t left; /* of the attachment */
	uint64_t zeros;
	uint8_t chunk[AGE_CHUNK];
	size_t n;
};

MUST_USE enum tocsin_err part_sealer_begin(struct part_sealer *s,
    struct buf *out, const uint8_t sk[32], uint64_t plain_size);
MUST_USE enum tocsin_err part_sealer_feed(
    struct part_sealer *s, struct buf *out, struct span piece);
MUST_USE enum tocsin_err part_sealer_end(struct part_sealer *s, struct buf *out,
    struct ticket_part *part, bool *done);
void part_sealer_release(struct part_sealer *s);

/*
 * Opening: feed the file in pieces of any size. What comes out has been
 * verified chunk by chunk, but is to be used only after part_opener_done():
 * then all of the file was there, it is the part that the header names, and
 * what follows plain_size bytes was zeros.
 *
 *	body-mismatch	not the file that was signed, or damaged on the way
 *	not-recipient	its stanza is not for this identity
 *	malformed	its sender made it wrong, or stated another size
 *
 * Damage in a header can look like either of the last two: compare the hash of
 * the whole file first, if there is the choice.
 */
struct part_opener {
	struct age_opener age;
	crypto_hash_sha256_state hash;
	struct ticket_part part;
	uint8_t sk[32];
	uint64_t fed;  /* bytes of the file */
	uint64_t left; /* bytes of the attachment */
	bool done;
	uint8_t chunk[AGE_CHUNK + AGE_OVERHEAD];
	size_t n;
};

MUST_USE enum tocsin_err part_opener_begin(struct part_opener *o,
    const struct ticket_part *part, const uint8_t sk[32], uint64_t plain_size);
MUST_USE enum tocsin_err part_opener_feed(
    struct part_opener *o, struct buf *plain, struct span piece);
bool part_opener_done(const struct part_opener *o);
void part_opener_release(struct part_opener *o);

#endif
