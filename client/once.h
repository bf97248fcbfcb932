/* SPDX-License-Identifier: ISC */
/*
 * once.h - what a caller has posted under a key of its own
 *
 * Who is killed between posting and remembering that it posted cannot know
 * whether it did. So it gives what it posts a key, the same each time, and the
 * desk remembers which message that became, as values:
 *
 *	once/HASH		the id, and when, of what was posted so
 *	once-at/TIME/HASH	the same keys, in order of time
 *
 * HASH is of the key. The one idea: the key is written in the very change that
 * keeps the message, so neither is there without the other; who asks in a
 * change and finds nothing is the first.
 *
 * A key is remembered for ONCE_DAYS. Each new one takes at most two with it
 * that are older, the oldest first, so a clock that ran ahead for an hour takes
 * few; and a key is small beside the message that it stands for, which stays.
 */
#ifndef TOCSIN_CLIENT_ONCE_H
#define TOCSIN_CLIENT_ONCE_H

#include "client/desk.h"

#define ONCE_KEY_MAX 128
#define ONCE_DAYS 400

/* 1 to ONCE_KEY_MAX bytes of printable ASCII. */
bool once_good(const char *key);

/* The id of what was posted under the key; or NOTFOUND. */
enum tocsin_err MUST_USE once_find(
    struct desk_tx *tx, const char *key, uint8_t id[ID_LEN]);

/* In the change that keeps the message; forgets what is old. */
enum tocsin_err MUST_USE once_put(
    struct desk_tx *tx, const char *key, const uint8_t id[ID_LEN], int64_t now);

#endif
