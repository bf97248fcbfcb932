/* SPDX-License-Identifier: ISC */
#include "client/cli/ready.h"

#include "client/once.h"

static bool
was_said(struct tocsin *t, const char *key)
{
	struct desk_tx *tx = NULL;
	uint8_t id[ID_LEN];
	bool found;

	if (key == NULL || !once_good(key) || begin_read(t, &tx) != TOCSIN_OK)
		return false;
	found = once_find(tx, key, id) == TOCSIN_OK;
	desk_end(tx);
	return found;
}

static enum tocsin_err
permission(struct permit_draft *p, struct tocsin *t, const struct action *a)
{
	const struct tocsin_draft *d = &a->draft;

	if (a->word == ACTION_ASK)
		return permit_ask_draft(
		    p, t, d->thread, d->to, d->tlp, d->text);
	if (a->word == ACTION_PERMIT)
		return permit_grant_draft(
		    p, t, d->thread, d->to, d->tlp, d->text);
	return permit_relabel_draft(p, t, d->thread, d->tlp, d->text);
}

enum tocsin_err
ready_make(struct ready *out, struct tocsin *t, const struct action *a)
{
	enum tocsin_err err;

	out->draft = a->draft;
	out->permit.json = NULL;
	if (was_said(t, a->draft.once))
		return TOCSIN_OK;
	switch (a->word) {
	case ACTION_ASK:
	case ACTION_PERMIT:
	case ACTION_RELABEL:
		err = permission(&out->permit, t, a);
		if (err == TOCSIN_OK)
			out->draft = out->permit.draft;
		out->draft.once = a->draft.once;
		return err;
	case ACTION_DUE:
		return due_draft(t, &out->draft, &out->own);
	default:
		return TOCSIN_OK;
	}
}

void
ready_release(struct ready *r)
{
	permit_draft_release(&r->permit);
}
