/* SPDX-License-Identifier: ISC */
/*
 * memo.h - sealed notes of the desk to itself: what it has opened before
 *
 * The desk keeps messages as they were sent, so that what lies on the disk is
 * open to nobody but who has the keys. What it remembers of opened messages, to
 * show a list without opening all of them anew, must not be less well kept.
 *
 * The one idea: a memo is sealed with a key derived from the secret of the
 * epoch (PROTOCOL.md 6) for which the messages behind it were sealed, of
 * several the oldest. It can be opened as long as they can, by whom they can,
 * and not after the secret is gone. There is no further key to be kept, locked
 * or lost.
 *
 *	u8 n, n bytes the epoch, 24 bytes nonce, XChaCha20-Poly1305
 *
 * What is inside is padded, for a size says something of a subject; `context`
 * must be the same when it is opened: what the memo is of, and what else its
 * content depends on. A memo that does not open, for whatever reason, is made
 * anew: none of this is an error that a user meets.
 */
#ifndef TOCSIN_CLIENT_MEMO_H
#define TOCSIN_CLIENT_MEMO_H

#include "client/keystore.h"
#include "crypto/buf.h"

/* Derived keys, so that opening many derives each once. */
struct memo {
	const struct keystore *keys;
	bool made[KEYSTORE_EPOCHS];
	struct secret *key; /* KEYSTORE_EPOCHS x 32 bytes */
};

/* The keystore must outlive it. EINTERNAL: no memory. */
enum tocsin_err MUST_USE memo_init(struct memo *m, const struct keystore *k);
void memo_release(struct memo *m); /* a zeroed one is ok */

/* Which of the keystore's epochs; -1 if it is not held. */
int memo_epoch(const struct keystore *k, struct span epoch);

/* Appends to *out, which remembers if memory was short. */
void memo_seal(struct buf *out, struct memo *m, size_t epoch,
    struct span context, struct span plain);

/*
 * Opens into *plain, which is emptied first and keeps its memory: a list opens
 * thousands. False: not ours, not of this context, damaged, or no memory.
 */
MUST_USE bool memo_open(
    struct buf *plain, struct memo *m, struct span context, struct span sealed);

#endif
