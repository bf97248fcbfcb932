/* SPDX-License-Identifier: ISC */
/* tocsind verify: everything that is in the store, running or not. */
#include "broker/cmd.h"
#include "broker/file.h"
#include "broker/repair.h"
#include "broker/setup.h"
#include "broker/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIG, STORE, REPAIR };

const struct cmd_option verify_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ "store", "folder", "another store than the broker's: a backup" },
	{ "repair", NULL, "make anew what follows from the log" },
	{ 0 },
};

static void
print_clean(const struct store_walked *w)
{
	char root[ID_TEXT + 1];

	id_print(root, w->root);
	printf("%" PRIu64 " entries, %" PRIu64 " rows, %" PRIu64
	       " parts: no problem found\nroot %s\n",
	    w->entries, w->rows, w->parts, root);
}

static int
repair_here(const struct config *c, const struct setup *setup)
{
	const char *why = NULL;
	unsigned n = 0;
	enum tocsin_err err = repair_store(&setup->broker, &n, &why);

	folder_give(setup->store, c->state);
	if (err == TOCSIN_EBUSY && n == 0)
		return cmd_fail(err, "%s runs; end it first", c->name);
	if (err)
		return cmd_fail(err, "%s: %s", setup->store,
		    why ? why : tocsin_err_text(err));
	printf("%u repair%s\n", n, n == 1 ? "" : "s");
	return fflush(stdout) == 0 ? 0 : 1;
}

/* Of a store whose pages are damaged the engine may end the process. */
static int
repair(const struct config *c, const struct setup *setup)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return cmd_fail_at(TOCSIN_EINTERNAL, "fork");
	if (pid == 0)
		_exit(repair_here(c, setup));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return cmd_fail(TOCSIN_EBODYMISMATCH,
		    "%s: the engine's own pages are damaged: it fell over "
		    "them; restore the newest backup: tocsind restore",
		    setup->store);
	return WEXITSTATUS(status);
}

int
cmd_verify(const char **opt, int argc, char **argv)
{
	struct store_walked walked;
	struct setup setup;
	struct config c;
	const char *dir = opt[STORE];
	unsigned n;
	int status;

	(void)argc;
	(void)argv;
	if (dir && opt[REPAIR])
		return cmd_fail(TOCSIN_EUSAGE,
		    "the broker's own store is repaired, without --store");
	if (!dir) {
		status = cmd_config(&c, opt[CONFIG]);
		if (status)
			return status;
		setup_init(&setup, &c);
		dir = setup.store;
	}
	if (access(dir, F_OK) != 0)
		return cmd_fail_at(TOCSIN_ENOTFOUND, dir);
	status = opt[REPAIR] ? repair(&c, &setup) : 0;
	if (status)
		return status;
	n = verify_store(dir, &walked);
	if (n == 0)
		print_clean(&walked);
	else
		printf("%u problem%s found\n", n, n == 1 ? "" : "s");
	return n > 0;
}
