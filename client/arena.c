/* SPDX-License-Identifier: ISC */
#include "client/arena.h"

#include <sodium.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536

struct arena_chunk {
	struct arena_chunk *before;
	size_t n;
	alignas(max_align_t) uint8_t bytes[];
};

static bool
grow(struct arena *a, size_t n)
{
	size_t size = n > CHUNK ? n : CHUNK;
	struct arena_chunk *c;

	if (size > SIZE_MAX - sizeof(*c))
		return false;
	c = calloc(1, sizeof(*c) + size);
	if (c == NULL)
		return false;
	c->before = a->last;
	c->n = size;
	a->last = c;
	a->left = size;
	return true;
}

void *
arena_get(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	void *out;

	if (n > SIZE_MAX - align)
		return NULL;
	n = n > 0 ? (n + align - 1) / align * align : align;
	if (n > a->left && !grow(a, n))
		return NULL;
	out = a->last->bytes + (a->last->n - a->left);
	a->left -= n;
	return out;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return arena_get(a, count * size);
}

char *
arena_text(struct arena *a, struct span s)
{
	char *out = s.n < SIZE_MAX ? arena_get(a, s.n + 1) : NULL;

	if (out != NULL && s.n > 0)
		memcpy(out, s.p, s.n);
	return out;
}

void
arena_release(struct arena *a)
{
	struct arena_chunk *c;

	while ((c = a->last) != NULL) {
		a->last = c->before;
		sodium_memzero(c->bytes, c->n);
		free(c);
	}
	a->left = 0;
}
