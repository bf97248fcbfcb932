/* SPDX-License-Identifier: ISC */
/*
 * What a shell offers at the Tab key. The scripts are a few lines that ask
 * `tocsin completion for WORD...`, so that one place knows it for all shells:
 * the table of commands, the vocabularies, and for members and tickets the
 * desk, which takes no passphrase and no broker.
 */
#include "client/circle.h"
#include "client/cli/cmds.h"
#include "client/cli/view.h"
#include "client/desk.h"
#include "client/vocab.h"
#include "crypto/shortid.h"

#include <stdio.h>
#include <string.h>

#define RECENT 500 /* messages whose tickets are offered */

/* ---- of this home ---- */

static void
offer(const char *word, const char *typed)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		puts(word);
}

static void
offer_members(const struct belief *b, const char *typed)
{
	size_t i;

	for (i = 0; b->roster != NULL && i < b->roster->nmember; i++)
		if (!b->roster->member[i].suspended)
			offer(b->roster->member[i].name, typed);
}

/* Circles as well: whom it is to may be one. */
static void
offer_circles(const char *home, const char *typed)
{
	struct circles all;
	char why[1024];
	size_t i;

	if (circles_load(&all, home, why) == TOCSIN_OK)
		for (i = 0; i < all.n; i++)
			offer(all.circle[i].name, typed);
	circles_release(&all);
}

/* The newest first; each once for every run of messages is often enough. */
static enum tocsin_err
offer_tickets(struct desk *desk, const char *typed)
{
	uint8_t before[ID_LEN] = { 0 };
	struct desk_message row;
	char brief[TOCSIN_SHORT_TEXT];
	struct desk_tx *tx;
	enum tocsin_err err;
	uint64_t n, least;

	err = desk_read(desk, &tx);
	if (err != TOCSIN_OK)
		return err;
	err = desk_last(tx, &n);
	least = n > RECENT ? n - RECENT : 0;
	for (; err == TOCSIN_OK && n > least; n--) {
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    memcmp(row.thread, before, ID_LEN) == 0)
			continue;
		memcpy(before, row.thread, ID_LEN);
		shortid_print(brief, row.thread);
		offer(brief, typed);
	}
	desk_end(tx);
	return err;
}

enum { MEMBERS = 1, CIRCLES = 2, TICKETS = 4 };

/* Where there is no home there is nothing to offer. */
static void
offer_of_home(struct cli *c, unsigned what, const char *typed)
{
	struct belief belief = { 0 };
	struct desk *desk = NULL;
	struct keystore config;

	if (cli_desk(c, &config, &desk, &belief) == 0) {
		if (what & MEMBERS)
			offer_members(&belief, typed);
		if (what & CIRCLES)
			offer_circles(config.home, typed);
		if (what & TICKETS)
			offer_tickets(desk, typed);
	}
	belief_release(&belief);
	desk_close(desk);
}

/* ---- of the tables ---- */

/* Which words follow an option. */
static const struct {
	const char *option;
	enum vocab v;
} valued[] = {
	{ "--tlp", VOCAB_TLP },
	{ "--precedence", VOCAB_PRECEDENCE },
	{ "--severity", VOCAB_SEVERITY },
	{ "--importance", VOCAB_IMPORTANCE },
	{ "--loss", VOCAB_LOSS },
	{ "--class", VOCAB_RSIT },
	{ "--outlook", VOCAB_OUTLOOK },
	{ "--pap", VOCAB_PAP },
	{ "--sector", VOCAB_SECTOR },
	{ "--refuse", VOCAB_REFUSAL },
	{ "--resolution", VOCAB_RESOLUTION },
	{ "--role", VOCAB_ROLE },
};

/* A word with a space would be two to a shell; its tail is good as well. */
static bool
offer_values(const char *option, const char *typed)
{
	const struct word *w;
	size_t i, n = sizeof(valued) / sizeof(valued[0]);

	for (i = 0; i < n && strcmp(valued[i].option, option) != 0; i++)
		;
	if (i == n)
		return false;
	for (w = vocab_list(valued[i].v)->words; w->word != NULL; w++)
		offer(strchr(w->word, ' ') != NULL ? strrchr(w->word, ':') + 1
						   : w->word,
		    typed);
	return true;
}

static void
offer_lists(const char *typed)
{
	int v;

	for (v = 0; v < VOCABS; v++)
		offer(vocab_list((enum vocab)v)->name, typed);
	offer("level", typed);
}

static void
offer_commands(const char *typed)
{
	const struct cmd *c;

	for (c = cmds; c->name != NULL; c++)
		offer(c->name, typed);
}

/* The words of a usage that somebody would type as they are. */
static void
offer_usage(const char *usage, const char *typed)
{
	char word[64];
	size_t n;

	for (; *usage != '\0'; usage += n + (usage[n] != '\0')) {
		n = strcspn(usage, " []|\n");
		if (n == 0 || n >= sizeof(word) ||
		    (usage[0] != '-' && (usage[0] < 'a' || usage[0] > 'z' ||
					    strchr(usage, '.') == usage + n)))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)n, usage);
		offer(word, typed);
	}
}

/* Whether an option of a usage is followed by a value. */
static bool
takes_value(const char *usage, const char *option)
{
	size_t n = strlen(option);
	const char *at = usage;

	while ((at = strstr(at, option)) != NULL) {
		at += n;
		if (*at == ' ' && at[1] != '[' && at[1] != '-')
			return true;
	}
	return false;
}

static bool
takes_ticket(const struct cmd *c)
{
	return strncmp(c->usage, "ID", 2) == 0 ||
	       strcmp(c->usage, "CODE|ID") == 0;
}

/* Some take several words: is it the last option before these? */
static bool
is_behind(const char *option, int argc, char **argv)
{
	int i = argc - 2;

	while (i > 0 && argv[i][0] != '-')
		i--;
	return i > 0 && strcmp(argv[i], option) == 0;
}

/* A device, which the home would have to be asked for, and then words. */
static bool
offer_may(int argc, char **argv)
{
	const struct word *w = vocab_list(VOCAB_MAY)->words;

	if (argv[argc - 1][0] == '-' || argv[argc - 2][0] == '-' ||
	    (!is_behind("--allow", argc, argv) &&
		!is_behind("--forbid", argc, argv)))
		return false;
	for (; w->word != NULL; w++)
		offer(w->word, argv[argc - 1]);
	return true;
}

/* argv[0] is a command, the last one is to be completed. */
static void
offer_words(struct cli *cli, const struct cmd *c, int argc, char **argv)
{
	const char *typed = argv[argc - 1], *before = argv[argc - 2];

	if (typed[0] != '-' &&
	    (is_behind("--to", argc, argv) || strcmp(before, "--from") == 0 ||
		strcmp(before, "--client") == 0)) {
		offer_of_home(cli, MEMBERS | CIRCLES, typed);
		return;
	}
	if (offer_may(argc, argv))
		return;
	if (before[0] == '-' &&
	    (offer_values(before, typed) || takes_value(c->usage, before) ||
		takes_value(cmds_common, before)))
		return; /* a file, perhaps: the shell's own matter */
	if (strcmp(c->name, "words") == 0)
		offer_lists(typed);
	if (strcmp(c->name, "help") == 0)
		offer_commands(typed);
	if (argc == 2 && typed[0] != '-' && takes_ticket(c))
		offer_of_home(cli, TICKETS, typed);
	if (strcmp(c->name, "circles") == 0)
		offer_of_home(cli, CIRCLES, typed);
	offer_usage(c->usage, typed);
	if (typed[0] == '-')
		offer_usage(cmds_common, typed);
}

static int
complete(struct cli *cli, int argc, char **argv)
{
	const struct cmd *c = cmds;

	if (argc <= 1) {
		offer_commands(argc == 1 ? argv[0] : "");
		return 0;
	}
	while (c->name != NULL && strcmp(c->name, argv[0]) != 0)
		c++;
	if (c->name != NULL)
		offer_words(cli, c, argc, argv);
	return 0;
}

/* ---- the scripts ---- */

static const struct {
	const char *shell;
	const char *script;
} scripts[] = {
	/* bash ends a word at ':', so what stands before it isn't repeated, and
	   begins one at '@'. */
	{ "bash", "# source it, or save it as\n"
		  "# ~/.local/share/bash-completion/completions/tocsin\n"
		  "_tocsin() {\n"
		  "\tlocal line=${COMP_LINE:0:COMP_POINT} words word head=\n"
		  "\tread -ra words <<<\"$line\"\n"
		  "\t[[ $line != *[[:space:]] ]] || words+=('')\n"
		  "\tword=${words[${#words[@]}-1]}\n"
		  "\t[[ $word != *:* ]] || head=${word%\"${word##*:}\"}\n"
		  "\t[[ $COMP_WORDBREAKS != *@* || $word != ?*@* ]] ||\n"
		  "\t\thead=${word%%@*}\n"
		  "\tmapfile -t COMPREPLY < <(\n"
		  "\t\ttocsin completion for \"${words[@]:1}\" 2>/dev/null)\n"
		  "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
		  "}\n"
		  "complete -o default -F _tocsin tocsin\n" },
	{ "zsh",
	    "#compdef tocsin\n"
	    "# source it behind compinit, or save it as _tocsin in $fpath\n"
	    "_tocsin() {\n"
	    "\tlocal -a found\n"
	    "\tfound=(${(f)\"$(tocsin completion for "
	    "\"${(@)words[2,CURRENT]}\" "
	    "2>/dev/null)\"})\n"
	    "\tif (( $#found )); then compadd -a found; else _files; fi\n"
	    "}\n"
	    "if [[ ${funcstack[1]} == _tocsin ]]; then _tocsin; "
	    "else compdef _tocsin tocsin; fi\n" },
	{ "fish", "# save it as ~/.config/fish/completions/tocsin.fish\n"
		  "complete -c tocsin -a '(tocsin completion for "
		  "(commandline -opc)[2..] (commandline -ct) 2>/dev/null)'\n" },
};

int
cmd_completion(struct cli *cli, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	size_t i;

	/* The words of another command are no options of this one. */
	if (argc > 1 && strcmp(argv[1], "for") == 0)
		return complete(cli, argc - 2, argv + 2);
	if (!cli_options(cli, argc, argv, none, 1, 1))
		return 2;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (strcmp(scripts[i].shell, cli->words[0]) == 0) {
			fputs(scripts[i].script, stdout);
			return 0;
		}
	return cli_usage(
	    "%s: there are completions for bash, zsh and fish", cli->words[0]);
}
