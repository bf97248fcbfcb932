/* SPDX-License-Identifier: ISC */
/* The circles of this home, and whether they can be used as they are. */
#include "client/circle.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/desk.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>

struct listing {
	struct cli *c;
	struct circles all;
	struct belief belief;
	size_t told;
};

static json_t *
members_json(const struct circle *c)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < c->n; i++)
		json_array_append_new(list, json_string(c->member[i]));
	return list;
}

static void
print_members(const struct circle *c)
{
	size_t i, column = SIZE_MAX / 2;

	for (i = 0; i < c->n; i++) {
		if (column + 1 + strlen(c->member[i]) > 78) {
			printf("%s    ", i > 0 ? "\n" : "");
			column = 4;
		}
		column += (size_t)printf("%s ", c->member[i]);
	}
	puts(c->n > 0 ? "" : "    nobody");
}

static void
print_circle(struct listing *l, const struct circle *c)
{
	char why[1024];
	enum tocsin_err err = circle_check(&l->all, c, l->belief.roster, why);

	l->told++;
	if (l->c->json) {
		print_json(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "circle",
		    c->name, "text",
		    c->text[0] != '\0' ? view_string(c->text) : json_null(),
		    "members", members_json(c), "file",
		    view_string(l->all.file[c->file]), "reason",
		    err != TOCSIN_OK ? json_string(tocsin_err_name(err))
				     : json_null(),
		    "why", view_string(err != TOCSIN_OK ? why : NULL)));
		return;
	}
	printf("%s%s%s", colour(BOLD), c->name, colour(PLAIN));
	if (c->text[0] != '\0')
		printf("  ");
	safe_title(stdout, c->text, 60);
	putchar('\n');
	print_members(c);
	if (err != TOCSIN_OK) {
		printf("    %snot used%s: ", colour(AMBER), colour(PLAIN));
		safe_print(stdout, why);
		putchar('\n');
	}
}

static int
list(struct listing *l, const char *one)
{
	struct guess g = guess_of(one != NULL ? one : "");
	size_t i;

	for (i = 0; i < l->all.n; i++) {
		guess_at(&g, l->all.circle[i].name);
		if (one == NULL || strcmp(one, l->all.circle[i].name) == 0)
			print_circle(l, &l->all.circle[i]);
	}
	if (l->told > 0)
		return 0;
	if (one != NULL && g.best != NULL)
		return cli_usage(
		    "there is no circle %s; the nearest is %s", one, g.best);
	if (one != NULL)
		return cli_usage("there is no circle %s, nor any other", one);
	if (!l->c->json)
		cli_note("there are no circles; %s would name them",
		    l->all.file[CIRCLE_FILES - 1]);
	return 0;
}

int
cmd_circles(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct listing l = { .c = c };
	struct keystore config;
	struct desk *desk = NULL;
	enum tocsin_err err;
	char why[1024];
	int status;

	if (!cli_options(c, argc, argv, none, 0, 1))
		return 2;
	status = cli_desk(c, &config, &desk, &l.belief);
	if (status == 0) {
		err = circles_load(&l.all, config.home, why);
		status = err == TOCSIN_OK ? list(&l, c->words[0])
					  : cli_fail(err, "%s", why);
	}
	circles_release(&l.all);
	belief_release(&l.belief);
	desk_close(desk);
	return status;
}
