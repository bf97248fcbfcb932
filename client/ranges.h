/* SPDX-License-Identifier: ISC */
/*
 * ranges.h - bytes of a body or part, got in pieces
 *
 * Several pieces are asked for at once, as many and as large as keep the link
 * busy (pace.h), and taken in their order. Who takes them keeps them: what is
 * interrupted goes on behind the last byte that was taken.
 */
#ifndef TOCSIN_CLIENT_RANGES_H
#define TOCSIN_CLIENT_RANGES_H

#include "client/line.h"

/*
 * All from r->offset on; see sync.h. NOTFOUND: the broker has no more of it
 * now. BODYMISMATCH: it says another size, or gives more than was asked for.
 */
enum tocsin_err MUST_USE ranges_get(
    struct line *l, struct sync_range *r, int timeout_ms);

#endif
