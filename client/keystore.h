/* SPDX-License-Identifier: ISC */
/*
 * keystore.h - who this device is, and its secrets
 *
 * A home holds, besides the desk:
 *
 *	config			what is not secret: names and the broker's URL
 *	keys/device.key		signs messages and opens links
 *	keys/recipient.txt	the member's age identities, one per epoch: what
 *				`age -d -i` needs in an emergency
 *	keys/exercise-NAME.txt	the same of an exercise, to be handed to its
 *				homes, where it is keys/recipient.txt
 *	keys/root.key		the member's root key, which signs its key
 *				announcements and nothing else; better kept on a
 *				stick than here
 *
 * A member's devices share recipient.txt; each has a device.key of its own.
 * A home is live or of one exercise, for good: its keys open nothing else.
 * Secrets live in locked memory and die with the keystore. The formats are in
 * PROTOCOL.md 7.8.
 */
#ifndef TOCSIN_CLIENT_KEYSTORE_H
#define TOCSIN_CLIENT_KEYSTORE_H

#include "client/keyfile.h"
#include "crypto/card.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

#define KEYSTORE_EPOCHS 256 /* identities kept: 21 years of months */

struct keystore {
	char home[512];
	char federation[FEDERATION_MAX + 1];
	char member[MEMBER_MAX + 1];
	char label[LABEL_MAX + 1];   /* night */
	char device[DEVICE_MAX + 1]; /* mycert@my/night */
	enum keys_role role;
	char broker[URL_MAX + 1];
	char exercise[EXERCISE_MAX + 1]; /* empty: live */
	struct secret *sign;		 /* Ed25519 secret key, 64 bytes */
	struct secret *noise;		 /* X25519, 32 bytes */
	struct secret *epochs; /* nepoch x 32 bytes, as in recipient.txt */
	char epoch[KEYSTORE_EPOCHS][TOKEN_MAX + 1];
	size_t nepoch;
	char ring[96]; /* the file of these, "keys/recipient.txt" */
};

/* $TOCSIN_HOME, or tocsin below the user's data folder; given wins. */
enum tocsin_err MUST_USE keystore_home(char out[512], const char *given);

/* What the files of a new home begin with. */
struct keystore_new {
	const char *federation;
	const char *member;
	const char *label;
	enum keys_role role;
	const char *broker;
	const char *exercise;	/* NULL: live */
	const char *passphrase; /* NULL: files are not locked */
	bool join; /* a further device: no root key, no epochs of its own */
};

/*
 * Make a home. EDUPLICATE if there is one: nothing is replaced. One that was
 * begun and not finished is finished, with the keys that it has; EDUPLICATE if
 * they are of another name. The root key's VKEY is in the card; a joining
 * device's card has none of it.
 */
enum tocsin_err MUST_USE keystore_create(
    const char *home, const struct keystore_new *what, struct keystore **out);

enum tocsin_err MUST_USE keystore_open(
    const char *home, const char *passphrase, struct keystore **out);
void keystore_close(struct keystore *k);

/* Which file of a home keystore_open() stumbled over. */
const char *keystore_faulty(const char *home, const char *passphrase);

/* What is not secret of a home: the names, the role and the broker. */
enum tocsin_err MUST_USE keystore_config(
    const char *home, struct keystore *out);

/* Whether opening it needs a passphrase. */
bool keystore_locked(const char *home);

/* The device's line for an announcement. */
enum tocsin_err MUST_USE keystore_device(
    const struct keystore *k, struct keys_device *out);

/* The secret of an epoch; NULL if it is not held. */
const uint8_t *keystore_epoch(const struct keystore *k, struct span epoch);

/* Make and save the identity of an epoch, unless it is held. TOOLARGE: full. */
enum tocsin_err MUST_USE keystore_make_epoch(
    struct keystore *k, const char *epoch, const char *passphrase);

/*
 * The identities of an exercise that this home is not of, which it makes for
 * others: what keystore_epoch() and keystore_make_epoch() know then is in
 * keys/exercise-NAME.txt. It has no device.
 */
enum tocsin_err MUST_USE keystore_exercise(const struct keystore *k,
    const char *exercise, const char *passphrase, struct keystore **out);

/*
 * The root key from `path` (NULL: keys/root.key): its Ed25519 secret key, which
 * the caller frees, and its public VKEY.
 */
enum tocsin_err MUST_USE keystore_root(const struct keystore *k,
    const char *path, const char *passphrase, struct secret **sk,
    struct vkey *vkey);

/* A file in the home. */
void keystore_path(char out[640], const char *home, const char *name);

/* ---- authorities: a key file of their own, no home ---- */

enum tocsin_err MUST_USE authority_create(const char *path, const char *name,
    const char *passphrase, struct vkey *out);
enum tocsin_err MUST_USE authority_open(const char *path,
    const char *passphrase, struct secret **sk, struct vkey *vkey);

#endif
