/* SPDX-License-Identifier: ISC */
#include "client/cli/reading.h"

#include "client/cli/view.h"
#include "client/handle.h"

#include <stdio.h>

static void
print_deadlines(struct tocsin *t, const struct tocsin_message *first)
{
	struct tocsin_status *s = NULL;

	if (tocsin_status(t, first->id, cli_now(), &s) != TOCSIN_OK)
		return;
	if (s->ndeadline > 0)
		putchar('\n');
	view_deadlines(s);
	tocsin_status_free(s);
}

/* Devices of a team that say whose turn it was are no news. */
static bool
is_noise(const struct tocsin_message *m)
{
	int64_t until;

	return view_is_claim(m, &until) && until < cli_now();
}

void
reading_print(struct tocsin *t, const struct tocsin_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (is_noise(l->message[i]))
			continue;
		if (i > 0)
			putchar('\n');
		view_message(l->message[i]);
	}
	if (l->n > 0)
		print_deadlines(t, l->message[0]);
}

static bool
is_bot(const struct tocsin *t)
{
	return t->parts.keys->role == KEYS_BOT;
}

/* A program of ours has said that it has it: once is enough. */
static bool
was_received(const struct tocsin_place *p)
{
	size_t i;

	for (i = 0; i < p->nstep; i++)
		if (p->step[i].rung == TOCSIN_RUNG_DELIVERED &&
		    p->step[i].message != NULL)
			return true;
	return false;
}

/* Whether our member has yet to say that it has seen the ticket. */
static bool
unseen(struct tocsin *t, const struct tocsin_message *first)
{
	struct tocsin_status *s = NULL;
	bool yes = false;
	size_t i;

	if (first->refused != TOCSIN_OK ||
	    view_same_member(first->from, tocsin_device(t)) ||
	    tocsin_status(t, first->id, cli_now(), &s) != TOCSIN_OK)
		return false;
	for (i = 0; i < s->n; i++)
		if (view_same_member(s->place[i].member, tocsin_device(t)))
			yes = s->place[i].rung < TOCSIN_RUNG_OPENED &&
			      !(is_bot(t) && was_received(&s->place[i]));
	tocsin_status_free(s);
	return yes;
}

bool
reading_opened(struct tocsin *t, const struct tocsin_message *first)
{
	char id[TOCSIN_ID_TEXT];

	return unseen(t, first) && tocsin_ack(t, first->id, TOCSIN_OPENED, NULL,
				       NULL, id) == TOCSIN_OK;
}
