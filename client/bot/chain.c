/* SPDX-License-Identifier: ISC */
#include "client/bot/chain.h"

#include <string.h>

/* Where the row of a member goes on behind it; row->n + 1: it is not in it. */
static size_t
place_in(const struct chain_row *row, const char *member)
{
	size_t i;

	if (strcmp(row->member, member) == 0)
		return 0;
	for (i = 0; i < row->n; i++)
		if (strcmp(row->link[i], member) == 0)
			return i + 1;
	return row->n + 1;
}

static const struct chain_row *
row_of(const struct chain *c, const char *member, size_t *from)
{
	const struct chain_row *within = NULL, *other = NULL;
	size_t i, at, within_at = 0;

	for (i = 0; i < c->nrow; i++) {
		at = place_in(&c->row[i], member);
		if (at == 0) {
			*from = 0;
			return &c->row[i];
		}
		if (at <= c->row[i].n && within == NULL) {
			within = &c->row[i];
			within_at = at;
		}
		if (strcmp(c->row[i].member, "*") == 0)
			other = &c->row[i];
	}
	*from = within != NULL ? within_at : 0;
	return within != NULL ? within : other;
}

const char *
chain_next(const struct chain *c, const char *member,
    bool (*asked)(void *arg, const char *member), void *arg)
{
	size_t i;
	const struct chain_row *row = row_of(c, member, &i);

	for (; row != NULL && i < row->n; i++)
		if (strcmp(row->link[i], member) != 0 &&
		    !asked(arg, row->link[i]))
			return row->link[i];
	return NULL;
}
