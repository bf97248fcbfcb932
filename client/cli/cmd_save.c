/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/progress.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool
has_part(const struct tocsin_message *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->nparts; i++)
		if (strcmp(m->parts[i].name, name) == 0)
			return true;
	return false;
}

/*
 * The id may be of the ticket, and the attachment came with a later message:
 * the newest of that name is meant, unless the id is of one that has it.
 */
static enum tocsin_err
find_message(struct saving *s, const char *typed, char id[TOCSIN_ID_TEXT])
{
	struct tocsin_message *m = NULL;
	struct tocsin_list *l = NULL;
	enum tocsin_err err = tocsin_get(s->t, typed, &m);
	size_t i;

	if (err != TOCSIN_OK)
		return err;
	memcpy(id, m->id, TOCSIN_ID_TEXT);
	if (!has_part(m, s->name))
		err = tocsin_thread(s->t, id, &l);
	for (i = 0; l != NULL && i < l->n; i++)
		if (has_part(l->message[i], s->name))
			memcpy(id, l->message[i]->id, TOCSIN_ID_TEXT);
	tocsin_list_free(l);
	tocsin_message_free(m);
	return err;
}

static int
save(struct saving *s)
{
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;

	progress_begin(&s->progress);
	/* A link takes a moment; without one what is here will do. */
	(void)cli_sync(s->c, s->t, 0);
	err = find_message(s, s->c->words[0], id);
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
	struct stat st;
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
	if (stat(s.dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return cli_fail(TOCSIN_ENOTFOUND, "%s: no such folder", s.dir);
	status = cli_open(c, &s.t);
	if (status == 0)
		status = save(&s);
	tocsin_close(s.t);
	return status;
}
