/* SPDX-License-Identifier: ISC */
/*
 * cmd.h - the commands of tocsind
 *
 * One table in main.c names them; help is printed from it and tocsind(8) is
 * compared with it. A command gets its options as an array, in the order of its
 * own table: NULL where one was not given, "" for one without a value.
 *
 * stdout is what was asked for, stderr is `tocsind: ...` with the reason in
 * brackets. Exit status: 0 done, 1 refused, 2 called wrongly.
 */
#ifndef TOCSIN_BROKER_CMD_H
#define TOCSIN_BROKER_CMD_H

#include "broker/config.h"
#include "crypto/tocsin_err.h"

#define CMD_OPTIONS 8

struct cmd_option {
	const char *name; /* without the dashes; NULL ends the table */
	const char *arg;  /* NULL: it takes none */
	const char *help;
};

struct cmd {
	const char *name; /* one word, or two */
	int (*run)(const char **opt, int argc, char **argv);
	const struct cmd_option *option;
	const char *args; /* what follows the options; "" for nothing */
	const char *help;
};

int cmd_init(const char **opt, int argc, char **argv);
int cmd_card(const char **opt, int argc, char **argv);
int cmd_run(const char **opt, int argc, char **argv);
int cmd_check(const char **opt, int argc, char **argv);
int cmd_roster_install(const char **opt, int argc, char **argv);
int cmd_status(const char **opt, int argc, char **argv);
int cmd_backup(const char **opt, int argc, char **argv);
int cmd_restore(const char **opt, int argc, char **argv);
int cmd_compact(const char **opt, int argc, char **argv);
int cmd_verify(const char **opt, int argc, char **argv);

/* Their options. */
extern const struct cmd_option init_options[], card_options[], run_options[],
    check_options[], roster_install_options[], status_options[],
    verify_options[], backup_options[];

/* Says what happened on stderr and returns the exit status, never 0. */
int cmd_fail(enum tocsin_err err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The sentence of the reason, and of errno where the system said no. */
int cmd_fail_at(enum tocsin_err err, const char *what);

/* The configuration; 0, or an exit status after it said why. */
int cmd_config(struct config *c, const char *path);

/* The broker's card, from its configuration and keys, on stdout; a status. */
int cmd_print_card(const struct config *c);

/*
 * From root to the user whose the state folder is: whether the files are the
 * broker's can be told with its eyes only, and what root would leave behind in
 * the store it could not open. False: it stays root, errno says why.
 */
MUST_USE bool cmd_become_owner(const struct config *c);

#endif
