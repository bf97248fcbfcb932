/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/export.h"

#include <jansson.h>
#include <string.h>

/* Those that are coming stand last. */
static bool
is_coming(const struct tocsin_list *l)
{
	return l->n > 0 && l->message[l->n - 1]->coming;
}

/* It may have come since, or lie at the broker. */
static enum tocsin_err
get_thread(struct cli *c, struct tocsin *t, struct tocsin_list **out)
{
	const char *id = c->words[0];
	enum tocsin_err err = tocsin_thread(t, id, out);

	if (err == TOCSIN_OK && (*out)->n == 0) { /* a full id, not here */
		tocsin_list_free(*out);
		*out = NULL;
		err = TOCSIN_ENOTFOUND;
	}
	if (err == TOCSIN_ENOTFOUND || (err == TOCSIN_OK && is_coming(*out))) {
		if (err == TOCSIN_OK)
			tocsin_list_free(*out);
		*out = NULL;
		(void)cli_sync(c, t, 0);
		err = tocsin_thread(t, id, out);
	}
	return err;
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
			yes = s->place[i].rung < TOCSIN_RUNG_OPENED;
	tocsin_status_free(s);
	return yes;
}

/* A reader may not say so, and says nothing; nor is it a failure. */
static void
say_opened(struct cli *c, struct tocsin *t, const struct tocsin_message *first)
{
	char id[TOCSIN_ID_TEXT];

	if (!unseen(t, first))
		return;
	if (tocsin_ack(t, first->id, TOCSIN_OPENED, NULL, NULL, id) ==
	    TOCSIN_OK)
		(void)cli_sync(c, t, 0);
}

static void
print_thread(const struct cli *c, const struct tocsin_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (c->json) {
			print_json(view_message_json(l->message[i]));
			continue;
		}
		if (i > 0)
			putchar('\n');
		view_message(l->message[i]);
	}
}

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

/* The message that the id names, as files, besides. */
static int export(struct tocsin *t, const char *id, const char *dir)
{
	enum tocsin_err err = export_message(t, id, dir);

	return err == TOCSIN_OK ? 0 : cli_error(t, err);
}

int
cmd_show(struct cli *c, int argc, char **argv)
{
	bool silent = false;
	const char *dir = NULL;
	const struct opt opts[] = {
		{ "--export", OPT_WORD, &dir },
		{ "--no-receipt", OPT_FLAG, &silent },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin_list *l = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	err = get_thread(c, t, &l);
	if (err == TOCSIN_OK && l->n > 0) {
		print_thread(c, l);
		if (!c->json)
			print_deadlines(t, l->message[0]);
		fflush(stdout);
		if (dir != NULL)
			status = export(t, c->words[0], dir);
		if (!silent && !ferror(stdout))
			say_opened(c, t, l->message[0]);
	} else {
		status =
		    cli_fail(err == TOCSIN_OK ? TOCSIN_ENOTFOUND : err, "%s",
			err == TOCSIN_OK ? "no message here has that id"
					 : tocsin_error(t));
	}
	tocsin_list_free(l);
	tocsin_close(t);
	return status;
}
