/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"

#include <jansson.h>

static void
print_status(struct tocsin *t, const struct tocsin_status *s)
{
	struct tocsin_message *m = NULL;
	char brief[TOCSIN_SHORT_TEXT];
	size_t i;

	view_short(brief, s->id);
	if (tocsin_get(t, s->id, &m) == TOCSIN_OK) {
		print_tlp(stdout, m->tlp);
		printf(" %s%s%s  ", colour(BOLD), brief, colour(PLAIN));
		safe_title(stdout, m->subject, 60);
		putchar('\n');
	}
	tocsin_message_free(m);
	if (s->ackby > 0) {
		printf("  an answer is expected by ");
		print_time(stdout, s->ackby);
		putchar('\n');
	}
	for (i = 0; i < s->n; i++)
		view_place(&s->place[i]);
	if (s->escalated > 0)
		printf("  escalated %u time%s\n", s->escalated,
		    s->escalated > 1 ? "s" : "");
	if (s->closed)
		printf("  closed\n");
}

static void
print_places(const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		print_json(view_place_json(s, &s->place[i]));
}

int
cmd_status(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct tocsin_status *s = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err, synced;
	int status;

	if (!cli_options(c, argc, argv, none, 1, 1))
		return 2;
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	synced = cli_sync(c, t, 0);
	err = tocsin_status(t, c->words[0], cli_now(), &s);
	if (err != TOCSIN_OK) {
		status = cli_error(t, err);
	} else {
		if (synced != TOCSIN_OK)
			cli_note("this is what is known here; the broker may "
				 "know more [%s]",
			    tocsin_err_name(synced));
		if (c->json)
			print_places(s);
		else
			print_status(t, s);
	}
	tocsin_status_free(s);
	tocsin_close(t);
	return status;
}
