/* SPDX-License-Identifier: ISC */
#include "broker/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16384 };

enum tocsin_err
file_error(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return TOCSIN_ENOTFOUND;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP: /* O_NOFOLLOW met a link */
		return TOCSIN_EPERMISSIONS;
	case ENOSPC:
	case EDQUOT:
		return TOCSIN_ENOSPACE;
	case EEXIST:
		return TOCSIN_EDUPLICATE;
	default:
		return TOCSIN_EINTERNAL;
	}
}

/* Nobody else may touch it. */
static bool
is_private(const struct stat *st)
{
	return (st->st_mode & 077) == 0 &&
	       (st->st_uid == geteuid() || st->st_uid == 0);
}

static enum tocsin_err
read_all(int fd, size_t max, struct buf *out)
{
	size_t start = out->n;
	ssize_t n;

	do {
		uint8_t *at = buf_grow(out, CHUNK);

		if (!at)
			return TOCSIN_EINTERNAL;
		n = read(fd, at, CHUNK);
		buf_cut(out, out->n - CHUNK + (n > 0 ? (size_t)n : 0));
		if (out->n - start > max)
			return TOCSIN_ETOOLARGE;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? file_error(errno) : TOCSIN_OK;
}

static enum tocsin_err
read_opened(
    const char *path, int flags, bool private, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	enum tocsin_err err = TOCSIN_EPERMISSIONS;
	struct stat st;

	if (fd < 0)
		return file_error(errno);
	errno = 0;
	if (fstat(fd, &st) == 0 &&
	    (!private || (S_ISREG(st.st_mode) && is_private(&st))))
		err = read_all(fd, max, out);
	close(fd);
	return err;
}

enum tocsin_err
file_read(const char *path, size_t max, struct buf *out)
{
	return read_opened(path, 0, false, max, out);
}

enum tocsin_err
file_read_private(const char *path, size_t max, struct buf *out)
{
	return read_opened(path, O_NOFOLLOW | O_NONBLOCK, true, max, out);
}

/* 0, or errno. */
static int
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : ENOSPC;
		s = span_cut(s, (size_t)n, s.n);
	}
	return fsync(fd) == 0 ? 0 : errno;
}

static int
sync_parent(const char *path)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (!copy)
		return ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* Unlike rename(2), RENAME_NOREPLACE fails when the name is taken. */
static int
take_name(const char *temp, const char *path)
{
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* A file system that can't: a second name does as well. */
	if (link(temp, path) != 0)
		return errno;
	unlink(temp);
	return 0;
}

enum tocsin_err
file_write_new(const char *path, struct span bytes, mode_t mode)
{
	char temp[4096];
	int fd, rc;

	rc = snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	if (rc < 0 || (size_t)rc >= sizeof(temp))
		return TOCSIN_EUSAGE;
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return file_error(errno);
	rc = write_all(fd, bytes);
	if (rc == 0 && fchmod(fd, mode) != 0)
		rc = errno;
	close(fd);
	if (rc == 0)
		rc = take_name(temp, path);
	if (rc != 0)
		unlink(temp);
	else
		rc = sync_parent(path);
	errno = rc;
	return rc == 0 ? TOCSIN_OK : file_error(rc);
}

enum tocsin_err
folder_private(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0) {
		int rc = sync_parent(path);

		return rc == 0 ? TOCSIN_OK : file_error(rc);
	}
	if (errno != EEXIST)
		return file_error(errno);
	if (stat(path, &st) != 0)
		return file_error(errno);
	errno = 0;
	if (!S_ISDIR(st.st_mode) || !is_private(&st))
		return TOCSIN_EPERMISSIONS;
	return TOCSIN_OK;
}

/* A second name of a file is not given away with the first. */
static void
give(int dir, const char *name, const struct stat *to)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1)
		(void)!fchown(fd, to->st_uid, to->st_gid);
	if (fd >= 0)
		close(fd);
}

void
folder_give(const char *dir, const char *like)
{
	struct dirent *e;
	struct stat to;
	DIR *d;

	if (geteuid() != 0 || stat(like, &to) != 0 || to.st_uid == 0)
		return;
	d = opendir(dir);
	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_type == DT_REG)
			give(dirfd(d), e->d_name, &to);
	(void)!fchown(dirfd(d), to.st_uid, to.st_gid);
	closedir(d);
}
