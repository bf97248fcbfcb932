/* SPDX-License-Identifier: ISC */
/*
 * age.h - sealing to X25519 keys and passphrases, as age v1 files
 *
 * What we seal, Debian's `age -d` opens, and the other way round (C2SP age.md;
 * PROTOCOL.md 8). A file is a text header with one stanza per recipient, each
 * wrapping the same file key, then a nonce, then chunks of 64 KiB. It hides the
 * content from all but the recipients and says nothing about who made it: any
 * recipient can make another file with the same header. Who made it is the
 * business of a signature over the file's hash.
 *
 * One-shot calls take and give whole files. They append to a buffer of the
 * caller's, and give out no plaintext before the last chunk has verified: after
 * a failure the buffer is as it was. Streaming calls, further down, keep one
 * chunk in memory; what they give out is verified chunk by chunk, so the caller
 * must not act on it before the last.
 *
 * Reasons:
 *	malformed	    not an age v1 header, a payload or armor cut short
 *	unsupported	    another version; a scrypt that needs over 1 GiB
 *	not-recipient	    no stanza that is tried opens with the key given
 *	recipient-mismatch  not the stanzas that the rules ask for
 *	passphrase	    the wrong one
 *	body-mismatch	    a header or chunk that was altered
 *	too-large	    a header over AGE_HEADER_MAX or AGE_STANZAS_MAX
 *	internal	    memory was short, or the buffer's max reached
 *	usage		    arguments that make no sense
 *
 * sodium_init() comes first. Nothing here logs, blocks or exits; only the
 * scrypt calls take long (1 s and 256 MiB at work factor 18).
 */
#ifndef TOCSIN_CRYPTO_AGE_H
#define TOCSIN_CRYPTO_AGE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define AGE_KEY 32	/* an X25519 key, secret or public */
#define AGE_CHUNK 65536 /* plaintext of every chunk but the last */
#define AGE_OVERHEAD 16 /* what sealing adds to a chunk */
#define AGE_NONCE 16	/* between header and chunks */
#define AGE_STANZAS_MAX 300
#define AGE_HEADER_MAX 65536 /* header and nonce */
#define AGE_SCRYPT_DEFAULT 18
#define AGE_SCRYPT_MAX 20

/* ---- keys and their text forms ---- */

#define AGE_RECIPIENT_TEXT 62 /* age1..., without a NUL */
#define AGE_IDENTITY_TEXT 74  /* AGE-SECRET-KEY-1... */

void age_keygen(uint8_t sk[AGE_KEY], uint8_t pk[AGE_KEY]);
void age_public(uint8_t pk[AGE_KEY], const uint8_t sk[AGE_KEY]);

void age_recipient_print(
    char out[AGE_RECIPIENT_TEXT + 1], const uint8_t pk[AGE_KEY]);
MUST_USE enum tocsin_err age_recipient_parse(
    uint8_t pk[AGE_KEY], struct span text);
void age_identity_print(
    char out[AGE_IDENTITY_TEXT + 1], const uint8_t sk[AGE_KEY]);
MUST_USE enum tocsin_err age_identity_parse(
    uint8_t sk[AGE_KEY], struct span text);

/*
 * The identities of a file as age-keygen writes it: one a line, blank lines and
 * lines that begin with # are skipped, LF or CRLF. *n is how many, 1..max.
 * not-found: none; too-large: more than max; malformed: anything else in it.
 * On failure sks is wiped.
 */
MUST_USE enum tocsin_err age_identity_file(
    uint8_t (*sks)[AGE_KEY], size_t max, size_t *n, struct span text);

/* ---- sizes ---- */

/* The whole file for that much plaintext and so many X25519 stanzas. */
uint64_t age_sealed_size(uint64_t plain_size, size_t nrecipients);

/* The same without header and nonce; and back. False: there is no such file. */
uint64_t age_payload_size(uint64_t plain_size);
MUST_USE bool age_plain_size(uint64_t *plain_size, uint64_t payload_size);

/* ---- whole files ---- */

/*
 * One stanza per key, in the order given. malformed: a key that is no point of
 * use; such a recipient could not open it, and everybody else could.
 */
MUST_USE enum tocsin_err age_seal(struct buf *out,
    const uint8_t (*recipients)[AGE_KEY], size_t n, struct span plain);

/* What a reader demands of a file; NULL or { 0 } demands nothing. */
struct age_rules {
	size_t hint; /* which stanza is ours, from 0: it is tried first */

	/*
	 * If not 0: there are exactly so many stanzas, all of them X25519, else
	 * recipient-mismatch; and the one at `hint` is ours, else
	 * not-recipient. No other is tried, so that opening costs the same
	 * however many there are.
	 */
	size_t exact_stanzas;
};

MUST_USE enum tocsin_err age_open(struct buf *plain, struct span file,
    const uint8_t sk[AGE_KEY], const struct age_rules *rules);

/*
 * The key of one file, by which anybody can open that file and no other: how a
 * recipient shows a third party what was sealed to it. The header's MAC is made
 * with it, so a file opens under one such key only. Reasons as of age_open().
 */
#define AGE_FILE_KEY 16
MUST_USE enum tocsin_err age_file_key(uint8_t fk[AGE_FILE_KEY],
    struct span file, const uint8_t sk[AGE_KEY], const struct age_rules *rules);
MUST_USE enum tocsin_err age_open_file_key(
    struct buf *plain, struct span file, const uint8_t fk[AGE_FILE_KEY]);

/*
 * What can be said of a file without a key: its header's grammar, its stanzas
 * against rules->exact_stanzas, and that its size is one that a payload can
 * have. malformed, unsupported, too-large, recipient-mismatch.
 */
MUST_USE enum tocsin_err age_check(
    struct span file, const struct age_rules *rules);

/* ---- passphrases: key files at rest ---- */

/* work_factor is the logarithm of scrypt's N, 1..AGE_SCRYPT_MAX. */
MUST_USE enum tocsin_err age_seal_scrypt(struct buf *out, struct span plain,
    struct span passphrase, unsigned work_factor);
MUST_USE enum tocsin_err age_open_scrypt(
    struct buf *plain, struct span file, struct span passphrase);

/* ---- streams: attachments, in constant memory ---- */

/*
 * Sealing: begin once, then a chunk for every AGE_CHUNK bytes, the last one
 * with `last`, which is empty only if there was no other. Each call appends
 * what it made. Both are wiped by their release, which is always right to call.
 *
 *	age_sealer_begin(&s, out, recipients, n)
 *	age_sealer_chunk(&s, out, plain, last) ...
 *	age_sealer_release(&s)
 */
struct age_stream {
	uint8_t key[32];
	uint64_t counter;
	bool open; /* begun, and the last chunk not yet seen */
};

struct age_sealer {
	struct age_stream stream;
};

MUST_USE enum tocsin_err age_sealer_begin(struct age_sealer *s, struct buf *out,
    const uint8_t (*recipients)[AGE_KEY], size_t n);
MUST_USE enum tocsin_err age_sealer_chunk(
    struct age_sealer *s, struct buf *out, struct span plain, bool last);
void age_sealer_release(struct age_sealer *s);

/*
 * Opening: gather bytes from the start of the file until age_header_size()
 * knows the length, give exactly those to begin, then the chunks, each of
 * AGE_CHUNK + AGE_OVERHEAD bytes but the last. Chunk i begins at the header's
 * length + i * (AGE_CHUNK + AGE_OVERHEAD). Which one is last the caller knows
 * from the file's size. age_opener_done() says that the last has verified.
 */
struct age_opener {
	struct age_stream stream;
	bool done;
};

/* Length of header and nonce; 0 while `start` holds too little to say. */
MUST_USE enum tocsin_err age_header_size(struct span start, size_t *n);

MUST_USE enum tocsin_err age_opener_begin(struct age_opener *o,
    struct span header, const uint8_t sk[AGE_KEY],
    const struct age_rules *rules);
MUST_USE enum tocsin_err age_opener_chunk(
    struct age_opener *o, struct buf *plain, struct span sealed, bool last);
bool age_opener_done(const struct age_opener *o);
void age_opener_release(struct age_opener *o);

/* ---- armor: a file as text, for mail and paper ---- */

bool age_is_armored(struct span text);
void age_armor(struct buf *out, struct span file);
MUST_USE enum tocsin_err age_dearmor(struct buf *out, struct span text);

#endif
