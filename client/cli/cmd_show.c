/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/reading.h"
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

static void
print_thread(const struct cli *c, struct tocsin *t, const struct tocsin_list *l)
{
	struct tocsin_status *s = NULL;
	size_t i;

	if (!c->json)
		reading_print(t, l);
	else if (tocsin_status_of(t, l->message[0], cli_now(), &s) != TOCSIN_OK)
		s = NULL;
	for (i = 0; c->json && i < l->n; i++)
		print_json(view_message_json(l->message[i], s));
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
		print_thread(c, t, l);
		fflush(stdout);
		if (dir != NULL)
			status = export(t, c->words[0], dir);
		if (!silent && !ferror(stdout) &&
		    reading_opened(t, l->message[0]))
			(void)cli_sync(c, t, 0);
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
