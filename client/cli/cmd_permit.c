/* SPDX-License-Identifier: ISC */
/* Who may know more: ask its author, permit it, or change the label. */
#include "client/cli/cmds.h"
#include "client/cli/sent.h"
#include "client/permit.h"

#include <string.h>

struct permitting {
	struct cli *c;
	const char *command;
	struct list to;
	const char *tlp, *text;
};

static enum tocsin_err
send(const struct permitting *p, struct tocsin *t, char id[TOCSIN_ID_TEXT])
{
	const char *of = p->c->words[0];

	if (strcmp(p->command, "ask") == 0)
		return permit_ask(t, of, p->to.word, p->tlp, p->text, id);
	if (strcmp(p->command, "permit") == 0)
		return permit_grant(t, of, p->to.word, p->tlp, p->text, id);
	return permit_relabel(t, of, p->tlp, p->text, id);
}

static int
run(struct permitting *p)
{
	struct tocsin *t = NULL;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	int status = cli_open(p->c, &t);

	if (status != 0)
		return status;
	say_circles(t, p->to.word);
	err = send(p, t, id);
	if (ask_first(p->c, t, err))
		err = send(p, t, id);
	status =
	    err == TOCSIN_OK ? sent(p->c, t, id, SENT_BUSY) : cli_error(t, err);
	tocsin_close(t);
	return status;
}

int
cmd_permit(struct cli *c, int argc, char **argv)
{
	struct permitting p = { .c = c, .command = argv[0] };
	bool relabel = strcmp(argv[0], "relabel") == 0;
	const struct opt opts[] = {
		{ "-m", OPT_WORD, &p.text },
		{ "--tlp", OPT_WORD, &p.tlp },
		{ relabel ? NULL : "--to", OPT_MANY, &p.to },
		{ NULL, OPT_FLAG, NULL },
	};

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (relabel && p.tlp == NULL)
		return cli_usage("say the label that it has from now on: "
				 "--tlp AMBER");
	if (strcmp(argv[0], "ask") == 0 && p.tlp == NULL && p.to.n == 0)
		return cli_usage("say what you want to be let do: --to "
				 "lacert@la, to show it; --tlp GREEN");
	return run(&p);
}
