/* SPDX-License-Identifier: ISC */
#include "crypto/buf.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap : 256;
	uint8_t *p;

	if (b->failed || n > SIZE_MAX / 2 - b->n)
		return false;
	if (b->max > 0 && n > b->max - b->n)
		return false;
	if (b->p != NULL && n <= b->cap - b->n)
		return true;
	while (cap < b->n + n)
		cap *= 2;
	p = malloc(cap);
	if (p == NULL)
		return false;
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	if (b->p != NULL)
		sodium_memzero(b->p, b->cap);
	free(b->p);
	b->p = p;
	b->cap = cap;
	return true;
}

void
buf_reserve(struct buf *b, size_t n)
{
	(void)reserve(b, n);
}

uint8_t *
buf_grow(struct buf *b, size_t n)
{
	uint8_t *at;

	if (!reserve(b, n)) {
		b->failed = true;
		return NULL;
	}
	at = b->p + b->n;
	b->n += n;
	return at;
}

void
buf_add(struct buf *b, struct span s)
{
	uint8_t *at = buf_grow(b, s.n);

	if (at != NULL && s.n > 0)
		memcpy(at, s.p, s.n);
}

void
buf_addz(struct buf *b, const char *s)
{
	buf_add(b, span_of(s));
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *at;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	at = n >= 0 ? buf_grow(b, (size_t)n + 1) : NULL;
	if (at == NULL) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n--; /* the NUL */
}

static void
buf_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *at = buf_grow(b, n);

	while (at != NULL && n-- > 0) {
		at[n] = (uint8_t)v;
		v >>= 8;
	}
}

void
buf_u8(struct buf *b, uint8_t v)
{
	buf_be(b, v, 1);
}

void
buf_u16(struct buf *b, uint16_t v)
{
	buf_be(b, v, 2);
}

void
buf_u32(struct buf *b, uint32_t v)
{
	buf_be(b, v, 4);
}

void
buf_u64(struct buf *b, uint64_t v)
{
	buf_be(b, v, 8);
}

void
buf_base64(struct buf *b, struct span s)
{
	size_t n =
	    sodium_base64_ENCODED_LEN(s.n, sodium_base64_VARIANT_ORIGINAL);
	uint8_t *at = buf_grow(b, n);

	if (at == NULL)
		return;
	sodium_bin2base64(
	    (char *)at, n, s.p, s.n, sodium_base64_VARIANT_ORIGINAL);
	b->n--; /* the NUL */
}

bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}

struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

void
buf_cut(struct buf *b, size_t n)
{
	if (n < b->n) {
		sodium_memzero(b->p + n, b->n - n);
		b->n = n;
	}
}

void
buf_release(struct buf *b)
{
	if (b->p != NULL)
		sodium_memzero(b->p, b->cap);
	buf_drop(b);
}

void
buf_drop(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}
