/* SPDX-License-Identifier: ISC */
#include "client/cli/find.h"

#include "client/cli/letters.h"

#include <string.h>

bool
find_word(struct find *f, const char *typed)
{
	struct buf *b = &f->word[f->n];

	if (f->n == FIND_WORDS)
		return false;
	plain_add(b, span_of(typed));
	if (b->n > 0 && b->p[b->n - 1] == ' ')
		buf_cut(b, b->n - 1);
	if (b->n > 0 && b->p[0] == ' ') {
		memmove(b->p, b->p + 1, b->n - 1);
		buf_cut(b, b->n - 1);
	}
	f->n += b->n > 0;
	return b->n > 0;
}

void
find_release(struct find *f)
{
	size_t i;

	for (i = 0; i < FIND_WORDS; i++)
		buf_release(&f->word[i]);
	buf_release(&f->plain);
	f->n = 0;
}

/* Which words a text has, as bits; and where the first of them stands. */
static unsigned
look(struct find *f, struct span text, struct span *at)
{
	size_t i, first = SIZE_MAX, len = 0;
	const uint8_t *found;
	unsigned had = 0;

	buf_cut(&f->plain, 0);
	plain_add(&f->plain, text);
	for (i = 0; buf_ok(&f->plain) && i < f->n; i++) {
		found = f->plain.n > 0 ? memmem(f->plain.p, f->plain.n,
					     f->word[i].p, f->word[i].n)
				       : NULL;
		if (found == NULL)
			continue;
		had |= 1u << i;
		if ((size_t)(found - f->plain.p) < first) {
			first = (size_t)(found - f->plain.p);
			len = f->word[i].n;
		}
	}
	if (had != 0)
		*at = plain_where(text, first, len);
	return had;
}

enum tocsin_err
find_which(struct find *f, struct span gist, unsigned *words)
{
	struct rd r = rd_init(gist);
	struct gist_message m;
	struct gist_field field;
	struct span at;
	uint32_t i;

	*words = 0;
	while (gist_message(&r, &m))
		for (i = 0; i < m.nfield && gist_field(&r, &field); i++)
			*words |= look(f, field.text, &at);
	return buf_ok(&f->plain) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

enum tocsin_err
find_in(struct find *f, struct span gist, bool *all, struct find_hit *hits,
    size_t max, size_t *n)
{
	struct rd r = rd_init(gist);
	struct find_hit h;
	unsigned had = 0, here;
	uint32_t i;

	*n = 0;
	while (gist_message(&r, &h.m))
		for (i = 0; i < h.m.nfield && gist_field(&r, &h.f); i++) {
			here = look(f, h.f.text, &h.at);
			had |= here;
			if (here != 0 && *n < max)
				hits[*n] = h;
			*n += here != 0;
		}
	*all = had == (1u << f->n) - 1;
	return buf_ok(&f->plain) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}
