/* SPDX-License-Identifier: ISC */
/*
 * Copies. A copy is what one snapshot sees, written front to back without the
 * pages that are free: so it is smaller than the store, holds nothing of what
 * was erased, and no writer waits for it.
 */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Into a new file of a folder, synced; the name is in the folder too. */
static enum tocsin_err
copy_to(struct store *s, int dir, const char *name, const char **why)
{
	enum tocsin_err err = TOCSIN_OK;
	int fd, rc;

	fd = openat(dir, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return store_fault_errno(why, name);
	rc = ENGINE(mdb_env_copyfd2(s->env, fd, MDB_CP_COMPACT));
	if (rc != 0)
		err = store_fault_mdb(s, why, "copying the store", rc);
	else if (fsync(fd) != 0 || fsync(dir) != 0)
		err = store_fault_errno(why, name);
	if (close(fd) != 0 && !err)
		err = store_fault_errno(why, name);
	if (err)
		(void)unlinkat(dir, name, 0);
	return err;
}

enum tocsin_err
store_copy(struct store *s, const char *dir, const char **why)
{
	enum tocsin_err err;
	int fd;

	if (mkdir(dir, 0700) != 0)
		return store_fault_errno(why, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return store_fault_errno(why, dir);
	err = copy_to(s, fd, STORE_NEW, why);
	if (!err &&
	    (renameat(fd, STORE_NEW, fd, STORE_DATA) != 0 || fsync(fd) != 0))
		err = store_fault_errno(why, STORE_DATA);
	close(fd);
	if (!err)
		err = store_sync_parent(dir, why);
	else
		(void)rmdir(dir);
	return err;
}

/*
 * The lock of the folder is ours, so nobody opens either file meanwhile; the
 * engine's own file is closed before another takes its name.
 */
enum tocsin_err
store_compact(struct store *s, const char **why)
{
	enum tocsin_err err;

	(void)unlinkat(s->dir, STORE_NEW, 0);
	err = copy_to(s, s->dir, STORE_NEW, why);
	if (err)
		return err;
	s->broken = true; /* what is written now would be lost */
	store_close_engine(s);
	if (renameat(s->dir, STORE_NEW, s->dir, STORE_DATA) != 0 ||
	    fsync(s->dir) != 0)
		return store_fault_errno(why, STORE_DATA);
	return TOCSIN_OK;
}
