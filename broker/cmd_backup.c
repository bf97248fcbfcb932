/* SPDX-License-Identifier: ISC */
/*
 * tocsind backup, restore and compact: copies of the store, and the way back.
 * The keys are not in a backup: who has both is the broker.
 */
#include "broker/cmd.h"
#include "broker/epochs.h"
#include "broker/file.h"
#include "broker/setup.h"
#include "broker/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG };

#define KEPT_MAX 1000 /* stores that were replaced */

const struct cmd_option backup_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

static int
begin(struct config *c, struct setup *setup, const char **opt)
{
	int status = cmd_config(c, opt[CONFIG]);

	if (status == 0)
		setup_init(setup, c);
	return status;
}

static int
failed(enum tocsin_err err, const char *dir, const char *why)
{
	return cmd_fail(err, "%s: %s", dir, why ? why : tocsin_err_text(err));
}

static int
copy(const char *from, const char *to)
{
	const char *why = NULL;
	struct store *s = NULL;
	enum tocsin_err err = store_open_beside(&s, from, &why);

	if (!err)
		err = store_copy(s, to, &why);
	store_close(s);
	return err ? failed(err, from, why) : 0;
}

/* ---- backup ---- */

int
cmd_backup(const char **opt, int argc, char **argv)
{
	struct store_walked w;
	struct setup setup;
	struct config c;
	int status = begin(&c, &setup, opt);

	if (status)
		return status;
	if (argc != 1)
		return cmd_fail(TOCSIN_EUSAGE, "name one folder, a new one");
	if (access(argv[0], F_OK) == 0)
		return cmd_fail(TOCSIN_EDUPLICATE,
		    "%s is there already; name a new folder", argv[0]);
	status = copy(setup.store, argv[0]);
	if (status)
		return status;
	if (verify_store(argv[0], &w) > 0)
		return cmd_fail(TOCSIN_EBODYMISMATCH,
		    "%s is a copy of a damaged store; keep an older one too",
		    argv[0]);
	printf("%s: %" PRIu64 " entries, %" PRIu64
	       " parts, verified\nThe keys are not in it: keep a copy of "
	       "%s/keys elsewhere.\n",
	    argv[0], w.entries, w.parts, c.state);
	return 0;
}

/* ---- restore ---- */

/* What an earlier try has left. */
static void
clear(const char *dir)
{
	static const char *const files[] = { "log.mdb", "log.mdb-lock",
		"log.new", "log.new-lock", "lock" };
	char path[CONFIG_PATH_MAX + 64];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

/* The copy is another epoch; see epochs.h. */
static int
renew(const char *dir, const struct setup *setup)
{
	const char *why = NULL;
	struct store_tx *tx = NULL;
	struct store *s = NULL;
	enum tocsin_err err = store_open(&s, dir, &setup->broker.store, &why);

	if (!err)
		err = store_begin(s, &tx);
	if (!err)
		err = epochs_begin(tx);
	if (!err)
		err = store_commit(tx);
	else
		store_abort(tx);
	store_close(s);
	if (err == TOCSIN_EQUOTA)
		why = "it was restored too often; its log must begin anew";
	return err ? failed(err, dir, why) : 0;
}

/* Whatever is wrong with the old store: nobody may have it open. */
static int
check_idle(const struct config *c, const struct setup *setup)
{
	const char *why = NULL;
	struct store *s = NULL;
	enum tocsin_err err;

	if (access(setup->store, F_OK) != 0)
		return 0;
	err = store_open(&s, setup->store, &setup->broker.store, &why);
	store_close(s);
	if (err == TOCSIN_EBUSY)
		return cmd_fail(err, "%s runs; end it first", c->name);
	return 0;
}

static enum tocsin_err
sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc == 0 ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

/* The old store is kept under a name that is free. */
static int
swap(const struct config *c, const struct setup *setup, const char *fresh)
{
	char kept[CONFIG_PATH_MAX + 32] = "";
	unsigned i;

	errno = 0;
	for (i = 1; i <= KEPT_MAX && access(setup->store, F_OK) == 0; i++) {
		snprintf(kept, sizeof(kept), "%s.before-%u", setup->store, i);
		if (access(kept, F_OK) != 0 && rename(setup->store, kept) != 0)
			return cmd_fail_at(TOCSIN_EINTERNAL, kept);
	}
	if (rename(fresh, setup->store) != 0 || sync_folder(c->state))
		return cmd_fail_at(TOCSIN_EINTERNAL, setup->store);
	(void)unlink(setup->mark); /* it speaks of the old one */
	if (kept[0] != '\0')
		printf("The store that was there is %s.\n", kept);
	return 0;
}

int
cmd_restore(const char **opt, int argc, char **argv)
{
	char fresh[CONFIG_PATH_MAX + 32];
	struct store_walked w;
	struct setup setup;
	struct config c;
	int status = begin(&c, &setup, opt);

	if (status)
		return status;
	if (argc != 1)
		return cmd_fail(TOCSIN_EUSAGE, "name the folder of a backup");
	if (access(argv[0], F_OK) != 0)
		return cmd_fail_at(TOCSIN_ENOTFOUND, argv[0]);
	if (verify_store(argv[0], &w) > 0)
		return cmd_fail(TOCSIN_EBODYMISMATCH,
		    "%s is damaged; nothing was changed", argv[0]);
	status = check_idle(&c, &setup);
	if (status)
		return status;
	snprintf(fresh, sizeof(fresh), "%s.restored", setup.store);
	clear(fresh);
	status = copy(argv[0], fresh);
	if (!status)
		status = renew(fresh, &setup);
	folder_give(fresh, c.state);
	if (!status)
		status = swap(&c, &setup, fresh);
	if (!status)
		printf("%s: %" PRIu64 " entries are back\n", c.name, w.entries);
	return status;
}

/* ---- compact ---- */

static uint64_t
size_of(const char *dir)
{
	char path[CONFIG_PATH_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/log.mdb", dir);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

int
cmd_compact(const char **opt, int argc, char **argv)
{
	const char *why = NULL;
	struct store *s = NULL;
	struct setup setup;
	struct config c;
	uint64_t before;
	enum tocsin_err err;
	int status = begin(&c, &setup, opt);

	(void)argc;
	(void)argv;
	if (status)
		return status;
	before = size_of(setup.store);
	if (access(setup.store, F_OK) != 0)
		return cmd_fail_at(TOCSIN_ENOTFOUND, setup.store);
	err = store_open(&s, setup.store, &setup.broker.store, &why);
	if (err == TOCSIN_EBUSY)
		return cmd_fail(err, "%s runs; end it first", c.name);
	if (!err)
		err = store_compact(s, &why);
	store_close(s);
	folder_give(setup.store, c.state);
	if (err)
		return failed(err, setup.store, why);
	printf("%" PRIu64 " MiB, %" PRIu64 " MiB before\n",
	    size_of(setup.store) >> 20, before >> 20);
	return 0;
}
