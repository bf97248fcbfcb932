/* SPDX-License-Identifier: ISC */
#include "broker/cmd.h"
#include "broker/door.h"
#include "broker/net.h"
#include "broker/store.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Order and wording of tocsind(8); tests/system/manual.t compares the two. */
/* clang-format off */
static const struct cmd cmds[] = {
	{ "init", cmd_init, init_options, "",
	    "make a broker: folder, keys and configuration" },
	{ "card", cmd_card, card_options, "",
	    "print the broker's card once more" },
	{ "run", cmd_run, run_options, "",
	    "run it in the foreground" },
	{ "check", cmd_check, check_options, "",
	    "look for what is wrong with configuration, keys and store" },
	{ "roster install", cmd_roster_install, roster_install_options,
	    "file ...",
	    "take rosters, in their order, running or not" },
	{ "status", cmd_status, status_options, "",
	    "how a running broker fares" },
	{ "verify", cmd_verify, verify_options, "",
	    "walk everything in the store, running or not" },
	{ "backup", cmd_backup, backup_options, "folder",
	    "copy the store to a new folder, running or not" },
	{ "restore", cmd_restore, backup_options, "folder",
	    "put a backup in the place of the store" },
	{ "compact", cmd_compact, backup_options, "",
	    "give back what is free inside the store" },
};
/* clang-format on */

enum { CMDS = sizeof(cmds) / sizeof(cmds[0]) };

static void
print_command(FILE *to, const struct cmd *c)
{
	const struct cmd_option *o;
	char left[64];

	fprintf(to, "usage: tocsind %s [options]%s%s\n%s\n\n", c->name,
	    c->args[0] ? " " : "", c->args, c->help);
	for (o = c->option; o->name; o++) {
		snprintf(left, sizeof(left), "--%s%s%s", o->name,
		    o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(to, "  %-24s %s\n", left, o->help);
	}
	fprintf(to, "  %-24s %s\n", "--help", "this text");
}

static void
print_help(FILE *to)
{
	const struct cmd *c;

	fprintf(to, "usage: tocsind command [options]\n\n");
	for (c = cmds; c < cmds + CMDS; c++)
		fprintf(to, "  %-16s %s\n", c->name, c->help);
	fprintf(to, "\ntocsind COMMAND --help tells the options of a command,\n"
		    "tocsind --version what it is made of. See tocsind(8).\n");
}

static void
print_version(void)
{
	printf("tocsind " TOCSIN_VERSION "\nnng %s\n%s\nlibsodium %s\n",
	    net_version(), store_engine(), sodium_version_string());
}

/* How many words of argv are this command's name; 0: it is another. */
static int
words(const struct cmd *c, int argc, char **argv)
{
	const char *space = strchr(c->name, ' ');
	size_t n = space ? (size_t)(space - c->name) : strlen(c->name);

	if (argc < 1 || strlen(argv[0]) != n ||
	    strncmp(argv[0], c->name, n) != 0)
		return 0;
	if (!space)
		return 1;
	return argc >= 2 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static const struct cmd *
find(int argc, char **argv, int *n)
{
	const struct cmd *c;

	for (c = cmds; c < cmds + CMDS; c++) {
		*n = words(c, argc, argv);
		if (*n > 0)
			return c;
	}
	return NULL;
}

/* argv[0] is the last word of the name. */
static int
run(const struct cmd *c, int argc, char **argv)
{
	struct option table[CMD_OPTIONS + 2] = { 0 };
	const char *value[CMD_OPTIONS] = { 0 };
	int n, i;

	for (n = 0; c->option[n].name; n++) {
		table[n].name = c->option[n].name;
		table[n].has_arg = c->option[n].arg != NULL;
		table[n].val = n;
	}
	table[n].name = "help";
	table[n].val = n;
	opterr = 0;
	while ((i = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (i == n) {
			print_command(stdout, c);
			return 0;
		}
		if (i < 0 || i > n)
			return cmd_fail(TOCSIN_EUSAGE,
			    "%s: unknown option, or one without its value; "
			    "see tocsind %s --help",
			    argv[optind - 1], c->name);
		value[i] = optarg ? optarg : "";
	}
	if ((c->args[0] == '\0') != (optind == argc)) {
		print_command(stderr, c);
		return 2;
	}
	return c->run(value, argc - optind, argv + optind);
}

static int
start(int argc, char **argv)
{
	const struct cmd *c;
	int n;

	if (argc < 1) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
	    strcmp(argv[0], "-h") == 0) {
		c = find(argc - 1, argv + 1, &n);
		if (c)
			print_command(stdout, c);
		else
			print_help(stdout);
		return c || argc == 1 ? 0 : 2;
	}
	if (strcmp(argv[0], "--version") == 0) {
		print_version();
		return 0;
	}
	c = find(argc, argv, &n);
	if (!c)
		return cmd_fail(TOCSIN_EUSAGE,
		    "there is no command %s; see tocsind help", argv[0]);
	return run(c, argc - n + 1, argv + n - 1);
}

/*
 * A file that is opened gets the lowest number that is free. Whoever closed one
 * of the first three would read or write the store through it.
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
	int status;

	/* The small process before the port; see door.h. */
	if (argc > 1 && strcmp(argv[1], "door") == 0)
		return door_main(argc - 1, argv + 1);
	standard_files();
	if (sodium_init() < 0)
		return cmd_fail(TOCSIN_EINTERNAL, "libsodium does not start");
	status = start(argc - 1, argv + 1);

	/* Output that didn't arrive is a failure, whatever was done. */
	if (fflush(stdout) != 0 || ferror(stdout))
		return cmd_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	return status;
}
