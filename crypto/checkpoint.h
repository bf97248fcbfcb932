/* SPDX-License-Identifier: ISC */
/*
 * checkpoint.h - what a log says it is, signed (C2SP tlog-checkpoint)
 *
 *	my/log
 *	6476701
 *	mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=
 *
 *	— my/log base64(key id, Ed25519 over the text)
 *
 * Origin, number of leaves, root. The log that signs two roots for one size is
 * caught: both texts are the evidence. Witnesses add cosignatures, which hold
 * the time at which they saw it. Extension lines are refused: we write none,
 * and a line that is not understood is not agreed to. PROTOCOL.md 10.
 */
#ifndef TOCSIN_CRYPTO_CHECKPOINT_H
#define TOCSIN_CRYPTO_CHECKPOINT_H

#include "crypto/merkle.h"
#include "crypto/note.h"

#define CHECKPOINT_MAX 1024 /* the text; signatures excluded */

struct checkpoint {
	char origin[KEYNAME_MAX + 1];
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

/* The text, which is what note_parse() gives. Nothing is verified. */
MUST_USE enum tocsin_err checkpoint_parse(
    struct checkpoint *out, struct span text);
void checkpoint_print(struct buf *b, const struct checkpoint *c);

/* The signed note, appended to *out; the key's name is the origin. */
MUST_USE enum tocsin_err checkpoint_sign(
    struct buf *out, const struct checkpoint *c, const uint8_t sk[64]);

/*
 * A signed note, parsed and verified: signed by `log`, whose name is its
 * origin. ENOTFOUND without a line of that key, EBADSIGNATURE, EMALFORMED.
 */
MUST_USE enum tocsin_err checkpoint_open(
    struct checkpoint *out, struct span note, const struct vkey *log);

/*
 * A cosignature (type 0x04): append to *out the note with our line more, made
 * at `time`. The second verifies the line of `witness` and gives its time;
 * errors as for note_verify().
 */
MUST_USE enum tocsin_err checkpoint_cosign(struct buf *out,
    const struct note *n, struct span name, const uint8_t sk[64], int64_t time);
MUST_USE enum tocsin_err checkpoint_cosigned(
    const struct note *n, const struct vkey *witness, int64_t *time);

/*
 * A proof that an entry is in a log, as a file that stands by itself
 * (tlog-proof v1): the index, the hashes and a checkpoint note.
 *
 *	c2sp.org/tlog-proof@v1
 *	index 2
 *	base64 of a hash			a line each
 *
 *	the checkpoint note
 *
 * The parsed one has its hashes inside and its checkpoint aliasing the file.
 * An `extra` line is refused: it would be unsigned. log_proof_open() says that
 * the entry with this id is in the log, and gives the checkpoint that it was
 * proved by.
 */
#define LOG_PROOF_MAX 65536

struct log_proof {
	uint64_t index;
	uint8_t hashes[MERKLE_PROOF_MAX * MERKLE_HASH];
	size_t n; /* bytes of hashes */
	struct span checkpoint;
};

void log_proof_print(
    struct buf *b, uint64_t index, struct span hashes, struct span checkpoint);
MUST_USE enum tocsin_err log_proof_parse(
    struct log_proof *out, struct span file);
MUST_USE enum tocsin_err log_proof_open(struct checkpoint *out,
    struct span file, const uint8_t id[ID_LEN], const struct vkey *log);

#endif
