/* SPDX-License-Identifier: ISC */
/*
 * value.h - small named values of the store, with names that are made up
 *
 * The name is printf's; a name that gets too long is EINTERNAL, since all that
 * goes into one is bounded. A value of the wrong length is EINTERNAL too: we
 * wrote it.
 */
#ifndef TOCSIN_BROKER_VALUE_H
#define TOCSIN_BROKER_VALUE_H

#include "broker/store.h"

MUST_USE enum tocsin_err value_put(struct store_tx *tx, struct span value,
    const char *name, ...) __attribute__((format(printf, 3, 4)));
MUST_USE enum tocsin_err value_put_u64(struct store_tx *tx, uint64_t value,
    const char *name, ...) __attribute__((format(printf, 3, 4)));

/* ENOTFOUND if there is none. The span aliases the map. */
MUST_USE enum tocsin_err value_get(struct store_rx *rx, struct span *value,
    const char *name, ...) __attribute__((format(printf, 3, 4)));

/* 0 and OK if there is none. */
MUST_USE enum tocsin_err value_get_u64(struct store_rx *rx, uint64_t *value,
    const char *name, ...) __attribute__((format(printf, 3, 4)));

#endif
