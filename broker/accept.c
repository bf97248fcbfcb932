/* SPDX-License-Identifier: ISC */
#include "broker/accept.h"

#include <string.h>

void
accept_all(struct msg_accept *a)
{
	memset(a, 0, sizeof(*a));
	a->part = UINT64_MAX;
	a->body = UINT32_MAX;
}

/* The next word; an empty one if there is none, or two spaces together. */
static struct span
word(const char **at)
{
	size_t n = strcspn(*at, " ");
	struct span w = { (const uint8_t *)*at, n };

	*at += n + ((*at)[n] == ' ' && (*at)[n + 1] != '\0');
	return w;
}

bool
accept_kinds(struct msg_accept *a, const char *words)
{
	enum ticket_kind kind;

	a->kinds_refused = 0;
	if (strcmp(words, "-") == 0)
		return true;
	do {
		if (!ticket_kind_from(&kind, word(&words)))
			return false;
		a->kinds_refused |= (uint16_t)(1 << kind);
	} while (*words != '\0');
	return true;
}

bool
accept_labels(struct msg_accept *a, const char *words)
{
	struct span w;

	a->nlabel = 0;
	if (strcmp(words, "-") == 0)
		return true;
	do {
		w = word(&words);
		if (!name_token(w) || a->nlabel == MSG_LABELS)
			return false;
		memcpy(a->label[a->nlabel], w.p, w.n);
		a->label[a->nlabel++][w.n] = '\0';
	} while (*words != '\0');
	return true;
}

static bool
label_refused(const struct msg_accept *a, struct span label)
{
	size_t i;

	for (i = 0; i < a->nlabel; i++)
		if (span_eq(label, span_of(a->label[i])))
			return true;
	return false;
}

enum tocsin_err
accept_ticket(const struct msg_accept *a, const struct ticket *t)
{
	size_t i;

	if (a->kinds_refused >> t->kind & 1)
		return TOCSIN_EKINDNOTALLOWED;
	for (i = 0; i < t->nlabel; i++)
		if (label_refused(a, t->label[i]))
			return TOCSIN_EPOLICYDENIED;
	return t->body_size > a->body ? TOCSIN_ETOOLARGE : TOCSIN_OK;
}
