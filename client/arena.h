/* SPDX-License-Identifier: ISC */
/*
 * arena.h - memory for many small things that die together
 *
 * What was opened for a list is wiped when the list goes: arena_release()
 * overwrites all that was handed out. A zeroed struct is an empty arena.
 */
#ifndef TOCSIN_CLIENT_ARENA_H
#define TOCSIN_CLIENT_ARENA_H

#include "crypto/wire.h"

struct arena {
	struct arena_chunk *last;
	size_t left; /* of the last chunk */
};

/* Zeroed and aligned for anything; NULL: no memory. */
void *arena_get(struct arena *a, size_t n);

/* `count` of `size`; NULL also if that is more than there can be. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy with a NUL; NULL: no memory. */
char *arena_text(struct arena *a, struct span s);

void arena_release(struct arena *a);

#endif
