/* SPDX-License-Identifier: ISC */
/*
 * mark.h - how far the log was, outside of the store
 *
 * Somebody who copies an old store back by hand takes sequence numbers back
 * with it, and neither devices nor peers could tell. So the broker notes in a
 * small file beside the store, once a minute and at its end, how many entries
 * there are and the root over them; a store that does not continue from there
 * is not run. `tocsind restore` takes the file away.
 *
 * The file is written after what it speaks of is synced, and not synced itself:
 * after a power cut it may be older, or nothing, and then it says less.
 */
#ifndef TOCSIN_BROKER_MARK_H
#define TOCSIN_BROKER_MARK_H

#include "broker/store.h"

void mark_write(const char *path, struct store *s);

/* ECHAINCONFLICT with *why: it is not the log that it was. */
MUST_USE enum tocsin_err mark_check(
    const char *path, struct store *s, const char **why);

#endif
