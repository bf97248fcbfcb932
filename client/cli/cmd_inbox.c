/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/expiry.h"
#include "client/cli/print.h"
#include "client/cli/rows.h"
#include "client/cli/view.h"

#include <jansson.h>
#include <string.h>

#define STATE_WIDTH 17 /* "delivered OVERDUE" */
#define SUBJECT_COLUMN 40

/* What a broker of theirs did not take, and nobody will send again by itself.
 */
static void
print_turned_away(const struct row *r)
{
	char why[512];
	size_t i;

	for (i = 0; r->mine && i < r->nplace; i++)
		if (view_turned_away(why, &r->place[i].p))
			printf("    %s [%s]\n", why, r->place[i].p.reason);
}

/* What is still to be said of it: why it is not open, what else is coming. */
static void
print_beside(const struct row *r)
{
	char state[64];
	size_t i;

	for (i = 0; i < r->ncoming; i++) {
		const struct tocsin_message *m = r->coming[i];

		view_coming(state, m);
		if (strcmp(m->id, r->m->id) == 0)
			printf("    body still to come, %s\n", state);
		else
			printf("    %s %s from %s still to come, %s\n",
			    m->precedence, m->kind, m->from, state);
	}
	print_turned_away(r);
	if (r->m->refused == TOCSIN_OK ||
	    (r->m->coming && r->m->refused == TOCSIN_EUNAVAILABLE))
		return;
	printf("    %s%s", r->m->coming ? "its header is not verified: " : "",
	    tocsin_err_text(r->m->refused));
	if (view_may_pass(r->m))
		printf("; it is judged again by itself when that has changed");
	putchar('\n');
}

/* Where it stands; what is late stands in the same column on each screen. */
static void
print_state(const struct row *r)
{
	bool refused = r->m->refused != TOCSIN_OK && !r->m->coming &&
		       r->m->refused != TOCSIN_ERECALLED;
	const char *code = refused ? tocsin_err_name(r->m->refused) : "";
	int n = printf("%s%s%s", r->state, refused ? " " : "", code);

	if (r->late)
		n += printf(" %sOVERDUE%s", colour(RED), colour(PLAIN)) -
		     (int)(strlen(colour(RED)) + strlen(colour(PLAIN)));
	printf("%*s", n < STATE_WIDTH ? STATE_WIDTH - n : 0, "");
}

/* What it is, where it stands and whose it is; then when, and its subject. */
static void
print_row(const struct row *r)
{
	print_tlp(stdout, r->m->tlp);
	printf(" %s%s%s  ", colour(BOLD), r->m->short_id, colour(PLAIN));
	print_state(r);
	printf("  %-9s  %s", r->m->precedence, r->m->from);
	if (r->escalated > 0)
		printf("  escalated");
	if (r->m->exercise != NULL)
		printf("  %sEXERCISE%s", colour(AMBER), colour(PLAIN));
	printf("\n    ");
	print_time(stdout, r->m->time);
	if (r->m->subject != NULL)
		printf("  ");
	safe_title(
	    stdout, r->m->subject, title_width(SUBJECT_COLUMN, SIZE_MAX));
	if (r->clock != NULL) {
		printf("\n    %s ", r->clock);
		view_left(r->due, 0);
	}
	if (r->own != NULL)
		printf("\n    ours: %s", r->own);
	putchar('\n');
	print_beside(r);
}

static int
list(struct cli *c, struct tocsin *t, const struct rows_filter *f, bool offline)
{
	struct rows *rows = NULL;
	enum tocsin_err err;
	size_t i;

	if (!offline) {
		err = cli_sync(c, t, 0);
		if (err == TOCSIN_EROSTERUNKNOWN)
			return cli_error(t, err);
		if (err != TOCSIN_OK)
			cli_note("this is what is here; newer tickets may wait "
				 "at the broker: %s [%s]",
			    tocsin_error(t), tocsin_err_name(err));
	}
	err = rows_load(t, f, cli_now(), &rows);
	if (err != TOCSIN_OK)
		return cli_error(t, err);
	for (i = 0; i < rows->n; i++)
		if (c->json)
			print_json(rows_json(&rows->row[i]));
		else
			print_row(&rows->row[i]);
	rows_free(rows);
	return 0;
}

int
cmd_inbox(struct cli *c, int argc, char **argv)
{
	struct rows_filter f = { 0 };
	struct opt opts[ROWS_OPTIONS + 2] = { 0 };
	struct tocsin *t = NULL;
	bool offline = false;
	int status;

	rows_options(opts, &f);
	opts[ROWS_OPTIONS] = (struct opt){ "--offline", OPT_FLAG, &offline };
	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	if (!rows_filter_good(&f))
		return 2;
	status = cli_open(c, &t);
	if (status == 0) {
		status = list(c, t, &f, offline);
		expiry_warn(t, cli_now());
	}
	tocsin_close(t);
	return status;
}
