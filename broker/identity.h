/* SPDX-License-Identifier: ISC */
/*
 * identity.h - the three keys of a broker
 *
 *	keys/noise.key	X25519, answers links; NOISEKEY of the roster
 *	keys/log.key	Ed25519 of NAME/log, signs checkpoints
 *	keys/sign.key	Ed25519 of NAME/sign, signs receipts
 *
 * One key, one role. A key file is three lines in the grammar of the signed
 * texts, private as file.h says:
 *
 *	tocsin-broker-key/v1
 *	name my/log
 *	key BASE64		32 bytes: the seed, or the X25519 secret
 *
 * The name is checked, so a file in the wrong place is not used. Secrets live
 * in locked memory and die with the identity. identity_open() verifies that
 * each secret makes the public key it hands out; that these are the roster's is
 * for the caller to compare. sodium_init() first.
 */
#ifndef TOCSIN_BROKER_IDENTITY_H
#define TOCSIN_BROKER_IDENTITY_H

#include "crypto/card.h"
#include "crypto/secret.h"

struct identity {
	char name[LABEL_MAX + 1];
	struct secret *noise; /* 32 bytes */
	struct secret *log;   /* 64 bytes, libsodium's: seed and public key */
	struct secret *sign;
	uint8_t noise_pk[32];
	struct vkey log_key;
	struct vkey sign_key;
};

/*
 * In the folder `keys`. Making leaves what is there alone: EDUPLICATE. *why, a
 * buffer of IDENTITY_WHY bytes, becomes the path that the error is about.
 */
#define IDENTITY_WHY 512
MUST_USE enum tocsin_err identity_create(
    const char *keys, const char *name, char why[IDENTITY_WHY]);
MUST_USE enum tocsin_err identity_open(struct identity *out, const char *keys,
    const char *name, char why[IDENTITY_WHY]);

/* { 0 } is fine, and so is twice. */
void identity_release(struct identity *id);

/* What is published of it; addresses and nation are the caller's. */
void identity_broker(struct roster_broker *out, const struct identity *id);

/* Whether the roster lists these very keys for this name. */
bool identity_is(const struct identity *id, const struct roster_broker *b);

#endif
