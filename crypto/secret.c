/* SPDX-License-Identifier: ISC */
#include "crypto/secret.h"

#include <sodium.h>
#include <string.h>

struct secret {
	uint8_t *p; /* sodium_malloc'd, as is this struct */
	size_t n;
};

struct secret *
secret_new(size_t n)
{
	struct secret *s = sodium_malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->n = n;
	s->p = sodium_malloc(n > 0 ? n : 1);
	if (s->p == NULL) {
		sodium_free(s);
		return NULL;
	}
	sodium_memzero(s->p, n);
	return s;
}

struct secret *
secret_of(struct span bytes)
{
	struct secret *s = secret_new(bytes.n);

	if (s != NULL && bytes.n > 0)
		memcpy(s->p, bytes.p, bytes.n);
	return s;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	sodium_free(s->p); /* wipes */
	sodium_free(s);
}

uint8_t *
secret_bytes(struct secret *s)
{
	return s->p;
}

struct span
secret_span(const struct secret *s)
{
	return (struct span){ s->p, s->n };
}

bool
secret_can_lock(void)
{
	uint8_t probe[64];

	if (sodium_mlock(probe, sizeof(probe)) != 0)
		return false;
	return sodium_munlock(probe, sizeof(probe)) == 0;
}
