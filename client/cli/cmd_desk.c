/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/desk_screen.h"
#include "client/cli/expiry.h"
#include "client/handle.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* What we print is UTF-8 wherever we are; how wide it is, the locale knows. */
static void
know_widths(void)
{
	if (setlocale(LC_CTYPE, "") == NULL ||
	    strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* What was told so far, a key that ends or was misused, a screen would hide. */
static void
let_read(void)
{
	int c;

	if (cli_noted() == 0)
		return;
	fputs("Enter goes on to the desk. ", stderr);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
}

static bool
is_queued(struct tocsin *t)
{
	struct desk_tx *tx = NULL;
	uint64_t number;
	bool some = desk_read(t->parts.desk, &tx) == TOCSIN_OK &&
		    desk_outbox_next(tx, 0, &number) == TOCSIN_OK;

	desk_end(tx);
	return some;
}

/* What was said last may leave while we are still here. */
static void
hand_over(struct cli *c, struct tocsin *t)
{
	if (is_queued(t))
		(void)cli_sync(c, t, 0);
	if (is_queued(t))
		cli_note("what was said last is not at the broker yet; it "
			 "waits in the outbox and leaves when tocsin next runs "
			 "and the broker can be reached");
}

static int
run(struct cli *c, struct tocsin *t, bool plain)
{
	struct work w;
	int status = work_begin(&w, t);

	if (status == 0)
		status = plain ? plain_run(&w) : screen_run(&w);
	work_end(&w);
	if (status == 0)
		hand_over(c, t);
	return status;
}

int
cmd_desk(struct cli *c, int argc, char **argv)
{
	bool plain = false;
	const struct opt opts[] = {
		{ "--plain", OPT_FLAG, &plain },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin *t = NULL;
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	if (c->json)
		return cli_usage("a desk is for people: `tocsin inbox --json` "
				 "and `tocsin watch --json` are for programs");
	if (!plain && !screen_can()) {
		plain = true;
		cli_note("this is no terminal for a full screen; the desk is "
			 "in lines, as with --plain");
	}
	status = cli_open(c, &t);
	if (status == 0) {
		expiry_warn(t, cli_now());
		know_widths();
		if (!plain)
			let_read();
		status = run(c, t, plain);
	}
	tocsin_close(t);
	return status;
}
