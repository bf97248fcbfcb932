/* SPDX-License-Identifier: ISC */
#include "crypto/wire.h"

#include <string.h>

struct rd
rd_init(struct span bytes)
{
	return (struct rd){ .rest = bytes };
}

struct span
rd_span(struct rd *r, size_t n)
{
	struct span got = { r->rest.p, n };

	if (r->bad || n > r->rest.n) {
		r->bad = true;
		return (struct span){ 0 };
	}
	if (n > 0) /* NULL + 0 is undefined in C17 */
		r->rest.p += n;
	r->rest.n -= n;
	return got;
}

static uint64_t
rd_be(struct rd *r, size_t n)
{
	struct span s = rd_span(r, n);
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)rd_be(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return rd_be(r, 8);
}

void
rd_copy(struct rd *r, void *out, size_t n)
{
	struct span s = rd_span(r, n);

	memset(out, 0, n);
	if (s.n > 0)
		memcpy(out, s.p, s.n);
}

struct span
rd_rest(struct rd *r)
{
	return rd_span(r, r->bad ? 0 : r->rest.n);
}

static size_t
line_length(const struct rd *r)
{
	const uint8_t *lf =
	    r->rest.n > 0 ? memchr(r->rest.p, '\n', r->rest.n) : NULL;

	return lf != NULL ? (size_t)(lf - r->rest.p) : r->rest.n;
}

struct span
rd_line(struct rd *r)
{
	struct span line = rd_span(r, line_length(r));

	rd_u8(r);
	return r->bad ? (struct span){ 0 } : line;
}

struct span
rd_text_line(struct rd *r)
{
	struct span line = rd_span(r, line_length(r));

	if (r->rest.n > 0) {
		rd_u8(r);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
	}
	return line;
}

bool
rd_done(const struct rd *r)
{
	return !r->bad && r->rest.n == 0;
}

struct span
span_of(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

struct span
span_cut(struct span s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return (struct span){ n > 0 ? s.p + from : NULL, n };
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && span_cmp(a, b) == 0;
}

bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_of(s));
}

bool
span_ascii(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] > 0x7f)
			return false;
	return true;
}
