/* SPDX-License-Identifier: ISC */
#include "broker/names.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

/* FNV-1a; who fills a set chooses from the roster's names, not at will. */
static size_t
hash(struct span name)
{
	uint64_t h = UINT64_C(14695981039346656037);
	size_t i;

	for (i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

static struct span
span_of_name(const struct name *n)
{
	return (struct span){ n->bytes, n->n };
}

/* Where the name is, or would be. There is always a free slot. */
static struct name *
find(struct name *slot, size_t cap, struct span name)
{
	size_t i = hash(name) & (cap - 1);

	while (slot[i].n > 0 && !span_eq(span_of_name(&slot[i]), name))
		i = (i + 1) & (cap - 1);
	return &slot[i];
}

static bool
grow(struct names *s)
{
	size_t cap = s->cap ? s->cap * 2 : FIRST_CAP;
	struct name *slot = calloc(cap, sizeof(*slot));
	size_t i;

	if (!slot)
		return false;
	for (i = 0; i < s->cap; i++)
		if (s->slot[i].n > 0)
			*find(slot, cap, span_of_name(&s->slot[i])) =
			    s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->cap = cap;
	return true;
}

void
names_add(struct names *s, struct span name)
{
	struct name *at;

	if (name.n == 0)
		return;
	if (name.n > STORE_NAME_MAX || (s->n * 4 >= s->cap * 3 && !grow(s))) {
		s->all = true;
		return;
	}
	at = find(s->slot, s->cap, name);
	if (at->n > 0)
		return;
	at->n = (uint8_t)name.n;
	memcpy(at->bytes, name.p, name.n);
	s->n++;
}

void
names_add_all(struct names *to, const struct names *from)
{
	struct span name;
	size_t at = 0;

	to->all |= from->all;
	while (names_next(from, &at, &name))
		names_add(to, name);
}

bool
names_has(const struct names *s, struct span name)
{
	if (s->all)
		return true;
	return s->n > 0 && name.n > 0 && find(s->slot, s->cap, name)->n > 0;
}

bool
names_next(const struct names *s, size_t *at, struct span *name)
{
	for (; *at < s->cap; ++*at) {
		if (s->slot[*at].n > 0) {
			*name = span_of_name(&s->slot[(*at)++]);
			return true;
		}
	}
	return false;
}

void
names_clear(struct names *s)
{
	if (s->n > 0)
		memset(s->slot, 0, s->cap * sizeof(*s->slot));
	s->n = 0;
	s->all = false;
}

void
names_release(struct names *s)
{
	free(s->slot);
	*s = (struct names){ 0 };
}
