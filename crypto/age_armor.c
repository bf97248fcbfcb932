/* SPDX-License-Identifier: ISC */
/* Armor: strict PEM with 64 columns, LF or CRLF, and no headers. */
#include "crypto/age.h"

#include <sodium.h>
#include <string.h>

#define COLUMNS 64
#define LINE_BYTES 48

static const char begin_line[] = "-----BEGIN AGE ENCRYPTED FILE-----";
static const char end_line[] = "-----END AGE ENCRYPTED FILE-----";

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whitespace around the armor is allowed, as mail leaves it there. */
static struct span
trim(struct span s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = span_cut(s, 1, SIZE_MAX);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
age_is_armored(struct span text)
{
	text = trim(text);
	return span_is(span_cut(text, 0, strlen(begin_line)), begin_line);
}

void
age_armor(struct buf *out, struct span file)
{
	size_t at;

	buf_addf(out, "%s\n", begin_line);
	for (at = 0; at < file.n; at += LINE_BYTES) {
		buf_base64(out, span_cut(file, at, LINE_BYTES));
		buf_addz(out, "\n");
	}
	buf_addf(out, "%s\n", end_line);
}

/* 1..64 columns of canonical base64; *n bytes. */
static bool
read_columns(uint8_t bytes[LINE_BYTES], size_t *n, struct span line)
{
	return line.n > 0 && line.n <= COLUMNS && span_ascii(line) &&
	       sodium_base642bin(bytes, LINE_BYTES, (const char *)line.p,
		   line.n, NULL, n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
}

static bool
read_lines(struct buf *out, struct rd *r)
{
	uint8_t bytes[LINE_BYTES];
	size_t last = LINE_BYTES, n;
	struct span line;

	for (;;) {
		if (r->rest.n == 0)
			return false;
		line = rd_text_line(r);
		if (span_is(line, end_line))
			return rd_done(r);
		/* Only the last line of all is short. */
		if (last < LINE_BYTES || !read_columns(bytes, &n, line))
			return false;
		buf_add(out, (struct span){ bytes, n });
		last = n;
	}
}

enum tocsin_err
age_dearmor(struct buf *out, struct span text)
{
	struct rd r = rd_init(trim(text));
	size_t before = out->n;

	if (!span_is(rd_text_line(&r), begin_line) || !read_lines(out, &r)) {
		buf_cut(out, before);
		return TOCSIN_EMALFORMED;
	}
	if (!buf_ok(out)) {
		buf_cut(out, before);
		return TOCSIN_EINTERNAL;
	}
	return TOCSIN_OK;
}
