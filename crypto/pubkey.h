/* SPDX-License-Identifier: ISC */
/*
 * pubkey.h - which public keys may be used, and one key, one role
 *
 * A key that is listed twice lets one holder speak in two roles, or be counted
 * twice. A key set collects every public key of a document and finds the
 * doubles. Ed25519 keys are compared as the X25519 points that they map to, so
 * one secret behind a signing key and a link key is seen too.
 *
 * keyset_release() frees. A set that ran out of memory is EINTERNAL: whoever
 * brought the keys has done nothing wrong.
 */
#ifndef TOCSIN_CRYPTO_PUBKEY_H
#define TOCSIN_CRYPTO_PUBKEY_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

/* On the main subgroup and in its one encoding. */
bool pubkey_ed25519_ok(const uint8_t pk[32]);

/* In its one encoding, and not of low order. */
bool pubkey_x25519_ok(const uint8_t pk[32]);

struct keyset {
	struct buf points;
	bool bad;
};

void keyset_ed25519(struct keyset *s, const uint8_t pk[32]);
void keyset_x25519(struct keyset *s, const uint8_t pk[32]);

/* Sorts; EMALFORMED if a key is there twice, or is no key. */
enum tocsin_err MUST_USE keyset_distinct(struct keyset *s);
void keyset_release(struct keyset *s);

#endif
