/* SPDX-License-Identifier: ISC */
/*
 * fed.h - a small federation to test with
 *
 * asean.example: authorities aa, bb, cc with threshold 2; brokers my and sg;
 * members mycert@my and singcert@sg. Every key comes from its name, so a
 * failure repeats. What is made here is made with the printers of crypto/, and
 * tests break it by editing its text.
 */
#ifndef TOCSIN_TESTS_FED_H
#define TOCSIN_TESTS_FED_H

#include "crypto/keys.h"
#include "crypto/receipt.h"

#define FED "asean.example"
#define FED_NOW INT64_C(1795230000) /* 2026-11-21T03:00:00Z */
#define FED_DAY INT64_C(86400)

/* An Ed25519 key of that name, for any role. */
struct signer {
	struct vkey vkey;
	uint8_t sk[64];
};

struct signer signer(const char *name);

/* An X25519 pair, for a link or a recipient. */
void x25519_pair(uint8_t pk[32], uint8_t sk[32], const char *name);

/* The text of the federation's first roster, as fields. Never NULL. */
struct roster *fed_fields(void);

/* The fields of the roster that follows: serial and previous are set. */
struct roster *fed_next(const struct roster *cur);

/* Printed, and signed by the named authorities: NULL ends the list. */
struct buf fed_print(const struct roster *r);
struct buf fed_sign(struct span text, ...) __attribute__((sentinel));

/* The first roster, signed by aa and bb, and parsed. */
struct roster *fed_roster(void);

/*
 * mycert@my's or another member's first announcement: an officer's desk1, a
 * bot, a reader, and two epochs, 2026-11 and 2026-12; unsigned.
 */
struct keys *fed_keys_fields(const char *member);
struct keys *fed_keys(const char *member); /* signed and parsed */

/* A copy of `text` where the first `from` is `to`; fails if there is none. */
struct buf edit(struct span text, const char *from, const char *to);

#endif
