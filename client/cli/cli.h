/* SPDX-License-Identifier: ISC */
/*
 * cli.h - what the commands of tocsin have in common
 *
 * A command is a function of the table in main.c. It says in a table of its own
 * which options it takes, and cli_options() reads them, with those that all
 * commands take, in any place. It prints data on stdout, and each failure goes
 * through cli_fail() or cli_error(): one line on stderr,
 *
 *	tocsin: a sentence [reason]
 *
 * which gives the exit status: 0 done, 1 refused or failed, 2 called wrongly.
 */
#ifndef TOCSIN_CLI_CLI_H
#define TOCSIN_CLI_CLI_H

#include "client/belief.h"
#include "client/keystore.h"
#include "client/tocsin.h"

#define CLI_WAIT 5 /* seconds that a command waits for the broker */

struct cli {
	const char *command;	     /* of the table */
	const char *home;	     /* as given; NULL: the default */
	const char *passphrase_file; /* NULL: none given */
	bool json;
	bool wait_given;
	unsigned wait; /* seconds */
	char **words;  /* what is not an option; NULL-terminated */
	size_t nword;

	bool warned; /* of conflicts: once is enough */
	bool marked; /* it was said that the home is of an exercise */
	char passphrase[1024];
	bool has_passphrase;

	void **owned; /* what cli_options() made; cli_release() frees it */
	size_t nowned;
};

struct cmd {
	const char *name;
	int (*run)(struct cli *c, int argc, char **argv);
	const char *usage; /* what follows the name */
	const char *help;  /* one line */
};

extern const struct cmd cmds[];	 /* ends with a NULL name */
extern const char cmds_common[]; /* the usage that all have */

/* ---- options ---- */

enum opt_kind {
	OPT_FLAG, /* bool */
	OPT_WORD, /* const char *, once */
	OPT_LIST, /* struct list: repeated */
	OPT_MANY, /* struct list: repeated, and several words each time */
};

struct list {
	const char **word; /* NULL-terminated, or NULL */
	size_t n;
};

struct opt {
	const char *name; /* "--to" or "-m" */
	enum opt_kind kind;
	void *out;
};

/*
 * Reads argv[1...]; `opts` ends with a NULL name, and there are at least `min`
 * and at most `max` words besides. False: it has said what is wrong, and the
 * command returns 2. What it puts into lists lives as long as *c.
 */
bool cli_options(struct cli *c, int argc, char **argv, const struct opt *opts,
    size_t min, size_t max);

void cli_release(struct cli *c); /* wipes the passphrase */

/*
 * The words after the first choose: `roster sign ...` runs the row "sign" with
 * "roster sign" as its name. Ends with a NULL name.
 */
struct sub {
	const char *name;
	int (*run)(struct cli *c, int argc, char **argv);
};
int cli_sub(struct cli *c, int argc, char **argv, const struct sub *subs);

/* A number within bounds, or false with a sentence. */
bool cli_number(const char *option, const char *typed, unsigned least,
    unsigned most, unsigned *out);

/* ---- failing ---- */

/* Says it and gives the exit status. */
int cli_fail(enum tocsin_err err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For a call of the library that failed. */
int cli_error(const struct tocsin *t, enum tocsin_err err);

/* A line on stderr that is no failure. */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned cli_noted(void); /* how many there were */

/* ---- homes, files and passphrases ---- */

/* The folder, or false with a sentence. */
bool cli_home(const struct cli *c, char out[512]);

/* Open the home's handle, asking for the passphrase if need be; 0 or status. */
int cli_open(struct cli *c, struct tocsin **out);

/* Whether cli_open() would not have to ask for a passphrase. */
bool cli_unlocked(struct cli *c);

/*
 * The desk and what it believes, without a key: no passphrase is needed. Sets
 * *config if not NULL. After a failure both are still to be released.
 */
int cli_desk(struct cli *c, struct keystore *config, struct desk **desk,
    struct belief *belief);

/*
 * The passphrase of what exists, or one for what is made, which is asked twice.
 * NULL and a status if there is none to be had. `what` is named when asking.
 */
int cli_passphrase(
    struct cli *c, const char *what, bool fresh, const char **out);

/* For what is made: none with `without`, else a passphrase. */
int cli_new_passphrase(
    struct cli *c, const char *what, bool without, const char **out);

/* A whole file; its failure is said, and leaves nothing in *out. */
int cli_read(const char *path, size_t max, struct buf *out);

/* To a new file, or to stdout for NULL. */
int cli_write(const char *path, struct span bytes, bool replace);

/*
 * Exchange with the broker for at most c->wait seconds. If the user named no
 * time and there is a link, go on for up to `busy` seconds: an attachment takes
 * as long as it takes. Who has nothing to hand over, `busy` 0, and named no
 * time gives up after a second if nobody listens at the broker's address.
 */
enum tocsin_err cli_sync(struct cli *c, struct tocsin *t, unsigned busy);

int64_t cli_now(void);

#endif
