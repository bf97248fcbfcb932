/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/vocab.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define COLUMN 28 /* where the meanings begin */

static void
print_lists(const struct cli *c)
{
	int v;

	for (v = 0; v < VOCABS; v++) {
		const struct vocabulary *l = vocab_list((enum vocab)v);

		if (c->json)
			print_json(json_pack("{s:s, s:s, s:s}", "list", l->name,
			    "about", l->about, "source", l->source));
		else
			printf("%-12s%s%s%s\n", l->name, l->about,
			    l->source[0] != '\0' ? ": " : "", l->source);
	}
}

static void
print_list(const struct cli *c, enum vocab v)
{
	const struct word *w;

	for (w = vocab_list(v)->words; w->word != NULL; w++)
		if (c->json)
			print_json(json_pack("{s:s, s:s, s:s}", "list",
			    vocab_list(v)->name, "word", w->word, "says",
			    w->says));
		else if (strlen(w->word) < COLUMN - 1)
			printf("%-*s%s\n", COLUMN, w->word, w->says);
		else
			printf("%s\n%*s%s\n", w->word, COLUMN, "", w->says);
	/* The one table that makes a level of two words. */
	if (v == VOCAB_IMPORTANCE || v == VOCAB_LOSS)
		cli_note("`tocsin words level` has the table of both");
}

/* Importance down, loss across, as the standard prints it. */
static void
print_levels(const struct cli *c)
{
	const struct word *i, *l;

	if (!c->json)
		printf("%-22s", "");
	for (l = vocab_list(VOCAB_LOSS)->words; !c->json && l->word; l++)
		printf("%-20s", l->word);
	for (i = vocab_list(VOCAB_IMPORTANCE)->words; i->word != NULL; i++) {
		if (!c->json)
			printf("\n%-22s", i->word);
		for (l = vocab_list(VOCAB_LOSS)->words; l->word; l++) {
			const char *level = vocab_severity_of(i->word, l->word);

			if (c->json)
				print_json(json_pack("{s:s, s:s, s:s}",
				    "importance", i->word, "loss", l->word,
				    "severity", level));
			else
				printf("%-20s", strrchr(level, ':') + 1);
		}
	}
	if (!c->json)
		putchar('\n');
}

static int
no_list(const char *typed)
{
	struct guess g = guess_of(typed);
	int v;

	for (v = 0; v < VOCABS; v++)
		guess_at(&g, vocab_list((enum vocab)v)->name);
	guess_at(&g, "level");
	return cli_usage("there is no list %s; the nearest is %s, and `tocsin "
			 "words` names all",
	    typed, g.best);
}

int
cmd_words(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	int v;

	if (!cli_options(c, argc, argv, none, 0, 1))
		return 2;
	if (c->nword == 0) {
		print_lists(c);
		return 0;
	}
	if (strcmp(c->words[0], "level") == 0) {
		print_levels(c);
		return 0;
	}
	for (v = 0; v < VOCABS; v++)
		if (strcmp(c->words[0], vocab_list((enum vocab)v)->name) == 0) {
			print_list(c, (enum vocab)v);
			return 0;
		}
	return no_list(c->words[0]);
}
