/* SPDX-License-Identifier: ISC */
/* The tocsin program: its commands, and help about them. */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int cmd_help(struct cli *c, int argc, char **argv);

#define POST_OPTIONS                                                         \
	"[--attach FILE]... [--severity LEVEL] [--importance I] [--loss L] " \
	"[--class RSIT] [--outlook O] [--pap P] [--sector S]... "            \
	"[--precedence P] [--ackby 30m|TIME] [--label L]... "                \
	"[--exercise NAME] [--kind KIND] [--occurred 30m|TIME] "             \
	"[--detected 30m|TIME] [--reported 30m|TIME]"

/* Order and wording of tocsin(1); tests/cli/help.t compares the two. */
/* clang-format off */
const struct cmd cmds[] = {
	{ "post", cmd_post,
	    "--to M... --tlp T --subject S [--text FILE|-] "
	    POST_OPTIONS,
	    "send a ticket" },
	{ "import", cmd_import,
	    "FILE\n"
	    "FILE|FOLDER... --to M... [--as FORMAT] [--tlp T] [--subject S] "
	    "[--text FILE|-] " POST_OPTIONS,
	    "send a ticket made of another tool's report" },
	{ "export", cmd_export,
	    "ID --as stix|misp|iodef|iodef-json|xarf|idea|markdown "
	    "[--for me|organisation|clients|community|public] [-o FILE]\n"
	    "ID --as bundle [--attachments] [-o FILE]",
	    "write a ticket for another tool" },
	{ "inbox", cmd_inbox, 
	    "[--unacked] [--overdue] [--mine] [--own] [--state STATE]... "
	    "[--from M]... [--tlp T] [--since 3d|TIME] [--offline]",
	    "list the tickets, newest last" },
	{ "find", cmd_find,
	    "WORD... [--unacked] [--overdue] [--mine] [--own] "
	    "[--state STATE]... "
	    "[--from M]... [--tlp T] [--since 3d|TIME]",
	    "search what was said in the tickets" },
	{ "desk", cmd_desk, "[--plain]",
	    "the tickets on a full screen, a key for each answer" },
	{ "show", cmd_show, "ID [--no-receipt] [--export DIR]",
	    "show a ticket and what was said about it" },
	{ "watch", cmd_watch,
	    "[-n N] [--reader|--cursor NAME] [--from-start|--since 3d|TIME] "
	    "[--own] [--headers] [--commit] [--window N] "
	    "[--heartbeat SECONDS]\n"
	    "[-n N] [--reader|--cursor NAME] [--from-start|--since 3d|TIME] "
	    "[--own] [--apply] "
	    "[--exec-timeout SECONDS] [--attempts N] "
	    "--exec COMMAND [ARGUMENT...]\n"
	    "[--reader NAME] --aside|--retry ID",
	    "print messages as they come, or have each handled" },
	{ "bot", cmd_bot,
	    "RULES [--name NAME] [--once]\n"
	    "RULES --check\n"
	    "RULES --dry-run [--since 30d|TIME]\n"
	    "RULES --explain ID",
	    "remind, escalate and run programs by rules" },
	{ "do", cmd_do, "",
	    "do what a program asks, a JSON object a line" },
	{ "save", cmd_save, "ID NAME [-o DIR]",
	    "save an attachment" },
	{ "ack", cmd_ack,
	    "ID --accept|--defer|--refuse REASON|--invalid|--in-progress|"
	    "--received "
	    "[-m TEXT]",
	    "answer a ticket" },
	{ "note", cmd_say, "ID -m TEXT [--to M...] [--attach FILE]...",
	    "add to a ticket" },
	{ "request", cmd_say,
	    "ID -m TEXT [--to M...] [--attach FILE]... [--ackby 30m|TIME]",
	    "ask for help with a ticket" },
	{ "query", cmd_say,
	    "ID -m TEXT [--to M...] [--attach FILE]... [--ackby 30m|TIME]",
	    "ask what others know about a ticket" },
	{ "result", cmd_say, "ID -m TEXT [--attach FILE]...",
	    "say what came out of a request or query" },
	{ "escalate", cmd_say,
	    "ID --to M... [--client M]... [-m TEXT] [--ackby 30m|TIME]",
	    "bring a ticket before others" },
	{ "share", cmd_say,
	    "ID --to M... [--client M]... [-m TEXT] [--tlp T] "
	    "[--ackby 30m|TIME]",
	    "give a ticket to further members" },
	{ "ask", cmd_permit, "ID [--to M...] [--tlp T] [-m TEXT]",
	    "ask an author to let us show more" },
	{ "permit", cmd_permit, "ID [--to M...] [--tlp T] [-m TEXT]",
	    "let others show what we wrote" },
	{ "relabel", cmd_permit, "ID --tlp T [-m TEXT]",
	    "change the label of what we wrote" },
	{ "recall", cmd_say, "ID [--attachment NAME]... [-m TEXT]",
	    "take back what we have sent" },
	{ "close", cmd_say, "ID [--resolution WORD] [-m TEXT]",
	    "end a ticket" },
	{ "reopen", cmd_say, "ID [-m TEXT] [--ackby 30m|TIME]",
	    "take a ticket up again" },
	{ "status", cmd_status, "ID [--proof DIR [--disclose ID]...]",
	    "who has a ticket, and who has answered" },
	{ "verify", cmd_verify, "DIR|FILE [--fingerprint DIGITS]",
	    "check a proof or a bundle, without a home" },
	{ "due", cmd_due,
	    "[ID] [--all]\n"
	    "ID --start REGIME|--stop REGIME|--done CLOCK [--at 30m|TIME]",
	    "what must be done by when" },
	{ "board", cmd_board,
	    "[--metadata] [--offline] [-o FILE]\n"
	    "[--metadata] [--offline] --serve [ADDRESS:PORT]",
	    "draw the situation for a screen on the wall" },
	{ "drill", cmd_drill,
	    "check SCRIPT\n"
	    "run SCRIPT [--speed N] [--from INJECT]\n"
	    "pause|resume|status\n"
	    "report [SCRIPT] [--proof DIR] [-o FILE]",
	    "hold an exercise, and report who answered" },
	{ "why", cmd_why, "CODE|ID",
	    "explain a reason code, or why a message is where it is" },
	{ "words", cmd_words, "[LIST]",
	    "list the words that a ticket can have, and what they mean" },
	{ "circles", cmd_circles, "[CIRCLE]",
	    "list the named groups that this home knows" },
	{ "init", cmd_init,
	    "--federation F --member M --device D "
	    "[--role officer|bot|reader] --broker URL "
	    "[--exercise NAME] [--passphrase|--no-passphrase] [--join]",
	    "make a home: a device's keys and desk" },
	{ "unlock", cmd_unlock, "[--for 8h|TIME]",
	    "ask for the passphrase once a shift" },
	{ "lock", cmd_lock, "",
	    "end that" },
	{ "trust", cmd_trust, "R... [--fingerprint DIGITS]",
	    "take the first roster, or later ones" },
	{ "keys", cmd_keys,
	    "publish [--card FILE]... [--remove DEVICE]... "
	    "[--allow DEVICE WORD...]... [--forbid DEVICE WORD...]... "
	    "[--days N] "
	    "[--root FILE] [--new-epochs]\n"
	    "show [M] [--offline]",
	    "announce the member's keys, or show anybody's" },
	{ "authority", cmd_authority,
	    "new FILE --name N [--passphrase|--no-passphrase]",
	    "make the key of an authority" },
	{ "roster", cmd_roster,
	    "new [--from R] [--federation F] [--threshold K] "
	    "[--authority VKEY]... [--card FILE]... [--remove NAME]... "
	    "[--suspend M]... [--restore M]... [--revoke VKEY]... "
	    "[--reason TOKEN] [--days N] [-o FILE]\n"
	    "sign --key FILE R [-o FILE]\n"
	    "verify R [--previous R0]\n"
	    "show [R]",
	    "make, sign and check who belongs" },
	{ "completion", cmd_completion, "bash|zsh|fish",
	    "print the completions for a shell" },
	{ "help", cmd_help, "[COMMAND]",
	    "list the commands, or show one" },
	{ NULL, NULL, NULL, NULL },
};
/* clang-format on */

const char cmds_common[] =
    "[--home DIR] [--json] [--wait SECONDS] [--passphrase-file FILE]";

static const struct cmd *
find(const char *name)
{
	const struct cmd *c;

	for (c = cmds; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int
unknown(const char *typed)
{
	struct guess g = guess_of(typed);
	const struct cmd *c;

	for (c = cmds; c->name != NULL; c++)
		guess_at(&g, c->name);
	return cli_usage("there is no command %s; the nearest is %s, and "
			 "`tocsin help` lists all",
	    typed, g.best);
}

/* ---- help ---- */

/* One line of usage, broken between its options. */
static void
print_usage(FILE *to, const char *name, const char *usage, size_t n)
{
	size_t column = 7 + strlen(name), i = 0;

	fprintf(to, "tocsin %s", name);
	while (i < n) {
		size_t word = 0;
		int depth = 0;

		while (i + word < n && (usage[i + word] != ' ' || depth > 0)) {
			depth += usage[i + word] == '[';
			depth -= usage[i + word] == ']';
			word++;
		}
		if (column + 1 + word > 78) {
			fputs("\n\t", to);
			column = 7;
		}
		fprintf(to, " %.*s", (int)word, usage + i);
		column += 1 + word;
		i += word + 1;
	}
	putc('\n', to);
}

static void
print_usages(FILE *to, const struct cmd *c)
{
	const char *line = c->usage;

	while (line != NULL) {
		const char *lf = strchr(line, '\n');

		print_usage(to, c->name, line,
		    lf != NULL ? (size_t)(lf - line) : strlen(line));
		line = lf != NULL ? lf + 1 : NULL;
	}
}

static void
print_help(FILE *to)
{
	const struct cmd *c;

	fputs("usage: tocsin COMMAND ...\n\n", to);
	for (c = cmds; c->name != NULL; c++)
		fprintf(to, "  %-12s%s\n", c->name, c->help);
	fprintf(to,
	    "\nAll take %s.\n"
	    "`tocsin help COMMAND` shows one; tocsin(1) says more.\n",
	    cmds_common);
}

static void
print_one(const struct cmd *c)
{
	print_usages(stdout, c);
	printf("\n%s\n\nAll take %s.\n", c->help, cmds_common);
}

static int
cmd_help(struct cli *cli, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	const struct cmd *c;

	if (!cli_options(cli, argc, argv, none, 0, 1))
		return 2;
	if (cli->nword == 0) {
		print_help(stdout);
		return 0;
	}
	c = find(cli->words[0]);
	if (c == NULL)
		return unknown(cli->words[0]);
	print_one(c);
	return 0;
}

/* ---- main ---- */

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cli cli = { .command = cmd->name };
	int status = cmd->run(&cli, argc, argv);

	cli_release(&cli);
	/* Output that didn't arrive is a failure, whatever run() said. */
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	if (print_lost() && status == 0)
		status = cli_fail(TOCSIN_EINTERNAL,
		    "something could not be written as JSON: a name that is "
		    "not UTF-8, or no memory");
	return status;
}

/* `tocsin roster new --help`; behind an option it may be somebody's word. */
static bool
asks_for_help(int argc, char **argv)
{
	int i = 2;

	while (i < argc && argv[i][0] != '-')
		i++;
	return i == argc - 1 &&
	       (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0);
}

/*
 * A file that is opened gets the lowest number that is free. Whoever closed one
 * of the first three would read or write our database through it.
 */
static void
standard_files(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY);
}

int
main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };
	const struct cmd *cmd;

	standard_files();
	setrlimit(RLIMIT_CORE, &none); /* there are keys in it */
	setlocale(LC_TIME, "C");
	colours_init();
	if (sodium_init() < 0)
		return cli_fail(TOCSIN_EINTERNAL, "no randomness");
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("tocsin %s\n", TOCSIN_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	cmd = find(argv[1]);
	if (cmd == NULL)
		return unknown(argv[1]);
	if (asks_for_help(argc, argv)) {
		print_one(cmd);
		return 0;
	}
	return run(cmd, argc - 1, argv + 1);
}
