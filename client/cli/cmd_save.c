/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/progress.h"
#include "client/cli/saving.h"

#include <jansson.h>

struct saving {
	struct cli *c;
	struct tocsin *t;
	const char *name, *dir;
	struct progress progress;
};

static bool
progress(void *arg, uint64_t done, uint64_t total)
{
	struct saving *s = arg;

	progress_show(&s->progress, s->name, done, total);
	return true;
}

static int
save(struct saving *s)
{
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;

	progress_begin(&s->progress);
	/* A link takes a moment; without one what is here will do. */
	(void)cli_sync(s->c, s->t, 0);
	err = saving_find(s->t, s->c->words[0], s->name, id);
	if (err == TOCSIN_OK)
		err = tocsin_save(s->t, id, s->name, s->dir, NULL, progress, s);
	progress_wipe(&s->progress);
	if (err != TOCSIN_OK)
		return cli_error(s->t, err);
	if (s->c->json)
		print_json(json_pack("{s:s, s:s, s:s}", "id", id, "name",
		    s->name, "folder", s->dir));
	return 0;
}

int
cmd_save(struct cli *c, int argc, char **argv)
{
	struct saving s = { .c = c };
	const struct opt opts[] = {
		{ "-o", OPT_WORD, &s.dir },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 2, 2))
		return 2;
	s.name = c->words[1];
	if (s.dir == NULL)
		s.dir = ".";
	if (!saving_folder(s.dir))
		return cli_fail(TOCSIN_ENOTFOUND, "%s: no such folder", s.dir);
	status = cli_open(c, &s.t);
	if (status == 0)
		status = save(&s);
	tocsin_close(s.t);
	return status;
}
