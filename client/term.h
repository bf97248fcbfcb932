/* SPDX-License-Identifier: ISC */
/*
 * term.h - until when a message that waits is worth being sent
 *
 * A row of the desk for each message of the outbox that has an end: what a bot
 * says while it alone acts, which another says when its time is over. One that
 * has not left by then never does; it is kept, refused as TIMEOUT. So is one
 * that was written at a time which is still to come, by a clock that was set
 * back since. The row goes when the message leaves the outbox.
 *
 * A process that stops for long between this look and its sending sends it all
 * the same: who reads must know what comes twice (PROTOCOL.md 8.12).
 */
#ifndef TOCSIN_CLIENT_TERM_H
#define TOCSIN_CLIENT_TERM_H

#include "client/desk.h"

#define TERM_SKEW 600 /* seconds that clocks may differ */

enum tocsin_err MUST_USE term_put(
    struct desk_tx *tx, uint64_t number, int64_t from, int64_t until);
enum tocsin_err MUST_USE term_drop(struct desk_tx *tx, uint64_t number);

/* False for one that has no end. */
bool term_over(struct desk_tx *tx, uint64_t number, int64_t now);

#endif
