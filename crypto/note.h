/* SPDX-License-Identifier: ISC */
/*
 * note.h - C2SP signed notes: a text and who signed it
 *
 * A note is a text, a blank line, and one line per signature:
 *
 *	asean.example/roster/v1
 *	...
 *
 *	— authority-a base64(key id, 64 bytes of Ed25519 over the text)
 *
 * A key has a name, and an id that is the first four bytes of
 * SHA-256(name || 0x0A || type || public key), so a line cannot be read as
 * another key's. A vkey is the published form of the three: name+id+key.
 *
 * The id of a text is its SHA-256, signature lines excluded: a signer can make
 * many valid lines for one text, and the text stays the same.
 *
 * Lines of keys that we don't know are ignored; a line of a key that we do know
 * and that fails rejects the note. A key has at most one line. Everything here
 * is pure; sodium_init() is the program's business (PROTOCOL.md 7.2).
 */
#ifndef TOCSIN_CRYPTO_NOTE_H
#define TOCSIN_CRYPTO_NOTE_H

#include "crypto/text.h"

#define NOTE_SIGS 64	   /* lines of signatures */
#define NOTE_LINE_MAX 4096 /* bytes of one of them */
#define NOTE_SIG_MAX 72	   /* time and Ed25519 signature of a cosigner */
#define KEYNAME_MAX 95
#define KEYID_LEN 4
#define VKEY_TEXT 160 /* a printed vkey fits, with its NUL */

enum vkey_type {
	VKEY_ED25519 = 0x01,
	VKEY_COSIGNER = 0x04, /* cosignature/v1; see checkpoint.h */
};

struct vkey {
	char name[KEYNAME_MAX + 1];
	uint8_t id[KEYID_LEN];
	uint8_t type;
	uint8_t pk[32];
};

struct note_sig {
	struct span name;
	uint8_t id[KEYID_LEN];
	uint8_t sig[NOTE_SIG_MAX];
	size_t n; /* bytes in sig; 0 if of a length that we don't know */
};

struct note {
	struct span text;  /* with its last LF; what is signed */
	struct span whole; /* with the signature lines */
	struct note_sig sig[NOTE_SIGS];
	size_t nsig;
};

/*
 * name+hexid+base64(type || key). Refuses an id that does not belong, a type
 * but the two above (EUNSUPPORTED), and a key that is not a point of the main
 * subgroup, which could make one signature fit two texts.
 */
MUST_USE enum tocsin_err vkey_parse(struct vkey *out, struct span s);
void vkey_print(struct buf *b, const struct vkey *k);

/* A VKEY_ED25519 of our own; the same checks. */
MUST_USE enum tocsin_err vkey_make(
    struct vkey *out, struct span name, const uint8_t pk[32]);

/* The same key in a witness's role: a VKEY_COSIGNER, with an id of its own. */
MUST_USE enum tocsin_err vkey_make_cosigner(
    struct vkey *out, struct span name, const uint8_t pk[32]);

/* Same name, id, type and key. */
bool vkey_eq(const struct vkey *a, const struct vkey *b);

/*
 * `file` is a whole note with at least one signature line. *out aliases it.
 * Judges the form alone: no signature is verified. A text longer than max_text
 * is ETOOLARGE.
 */
MUST_USE enum tocsin_err note_parse(
    struct note *out, struct span file, size_t max_text);

/* The same, but a text without signatures is a note that has none yet. */
MUST_USE enum tocsin_err note_parse_draft(
    struct note *out, struct span file, size_t max_text);

/*
 * OK; ENOTFOUND if no line is of that key; EBADSIGNATURE if a line of that key
 * fails; EMALFORMED if it has two. Only VKEY_ED25519: else EUNSUPPORTED.
 */
MUST_USE enum tocsin_err note_verify(
    const struct note *n, const struct vkey *key);

/*
 * Append to *out the text, a blank line and our signature line. The secret key
 * is libsodium's 64 bytes, seed and public key. What was signed is verified
 * before it leaves, so that a fault gives no signature rather than a leak of
 * the key (EINTERNAL).
 */
MUST_USE enum tocsin_err note_sign(
    struct buf *out, struct span text, struct span name, const uint8_t sk[64]);

/*
 * Append to *out the note, or draft, with one line more: our own, or one that
 * was made elsewhere (openssl, an HSM) and that verifies. EDUPLICATE if the key
 * has a line already.
 */
MUST_USE enum tocsin_err note_add(struct buf *out, const struct note *n,
    struct span name, const uint8_t sk[64]);
MUST_USE enum tocsin_err note_add_made(struct buf *out, const struct note *n,
    const struct vkey *key, const uint8_t sig[64]);

/* SHA-256 of the text. */
void note_id(uint8_t id[ID_LEN], struct span text);

#endif
