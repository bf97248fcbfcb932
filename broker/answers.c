/* SPDX-License-Identifier: ISC */
#include "broker/answers.h"

#include "broker/names.h"

#include <stdlib.h>
#include <string.h>

struct share {
	struct share *next;
	struct name member;
	uint64_t used;
	uint64_t taken; /* by the batch at hand */
};

struct answers {
	uint64_t most; /* of a member */
	struct share *first;
};

bool
answers_is(const struct ticket *t, size_t size)
{
	return (t->kind == TICKET_ACK || t->kind == TICKET_CLOSE ||
		   t->kind == TICKET_RECALL) &&
	       t->npart == 0 && size <= ANSWER_MAX;
}

struct answers *
answers_new(uint64_t share)
{
	struct answers *a = calloc(1, sizeof(*a));

	if (a)
		a->most = share / 8 > ANSWERS_LEAST ? share / 8 : ANSWERS_LEAST;
	return a;
}

void
answers_forget(struct answers *a)
{
	struct share *next;

	for (; a && a->first; a->first = next) {
		next = a->first->next;
		free(a->first);
	}
}

void
answers_free(struct answers *a)
{
	answers_forget(a);
	free(a);
}

static struct share *
share_of(struct answers *a, struct span member)
{
	struct share *s;

	for (s = a->first; s; s = s->next)
		if (span_eq(
			(struct span){ s->member.bytes, s->member.n }, member))
			return s;
	s = member.n <= sizeof(s->member.bytes) ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return NULL;
	s->member.n = (uint8_t)member.n;
	memcpy(s->member.bytes, member.p, member.n);
	s->next = a->first;
	a->first = s;
	return s;
}

bool
answers_take(struct answers *a, struct span member, size_t size)
{
	struct share *s = a ? share_of(a, member) : NULL;

	if (!s || s->used + s->taken + size > a->most)
		return false;
	s->taken += size;
	return true;
}

void
answers_keep(struct answers *a)
{
	struct share *s;

	for (s = a->first; s; s = s->next) {
		s->used += s->taken;
		s->taken = 0;
	}
}

void
answers_drop(struct answers *a)
{
	struct share *s;

	for (s = a->first; s; s = s->next)
		s->taken = 0;
}
