/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/age.h"

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text without spaces around it, with LF for CRLF, and one at its end. */
static struct buf
plain_lines(struct span text)
{
	struct buf b = { 0 };
	size_t i;

	while (text.n > 0 && is_space(text.p[0]))
		text = span_cut(text, 1, SIZE_MAX);
	while (text.n > 0 && is_space(text.p[text.n - 1]))
		text.n--;
	for (i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || text.p[i + 1] != '\n')
			buf_u8(&b, text.p[i]);
	buf_addz(&b, "\n");
	return b;
}

/* One armor per file, but for what plain_lines() takes away. */
static void
decode(struct span text)
{
	struct buf file = { 0 }, again = { 0 }, lines;

	if (age_dearmor(&file, text) == TOCSIN_OK) {
		MUST(age_is_armored(text));
		age_armor(&again, buf_span(&file));
		lines = plain_lines(text);
		MUST(span_eq(buf_span(&again), buf_span(&lines)));
		buf_release(&lines);
	} else
		MUST(file.n == 0);
	buf_release(&file);
	buf_release(&again);
}

static void
encode(struct span file)
{
	struct buf text = { 0 }, again = { 0 };

	age_armor(&text, file);
	MUST(age_dearmor(&again, buf_span(&text)) == TOCSIN_OK);
	MUST(span_eq(buf_span(&again), file));
	buf_release(&text);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	decode((struct span){ data, n });
	encode((struct span){ data, n });
	return 0;
}
