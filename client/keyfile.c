/* SPDX-License-Identifier: ISC */
#include "client/keyfile.h"

#include "crypto/age.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum tocsin_err
file_error(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return TOCSIN_ENOTFOUND;
	case EACCES:
	case EPERM:
	case ELOOP: /* O_NOFOLLOW met a link */
	case EROFS:
		return TOCSIN_EPERMISSIONS;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return TOCSIN_ENOSPACE;
	case EEXIST:
		return TOCSIN_EDUPLICATE;
	case EISDIR:
		return TOCSIN_EUSAGE;
	default:
		return TOCSIN_EINTERNAL;
	}
}

const char *
file_text(enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_ENOTFOUND:
		return "no such file or folder";
	case TOCSIN_EPERMISSIONS:
		return "it may not be read or written by this user";
	case TOCSIN_EDUPLICATE:
		return "it is there already; it is not replaced";
	case TOCSIN_EUSAGE:
		return "it is not a file";
	default:
		return tocsin_err_text(err);
	}
}

static enum tocsin_err
read_all(int fd, size_t max, struct buf *out)
{
	size_t start = out->n;
	ssize_t n;

	do {
		uint8_t *at = buf_grow(out, 16384);

		if (at == NULL)
			return TOCSIN_EINTERNAL;
		n = read(fd, at, 16384);
		buf_cut(out, out->n - 16384 + (n > 0 ? (size_t)n : 0));
		if (out->n - start > max)
			return TOCSIN_ETOOLARGE;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? file_error(errno) : TOCSIN_OK;
}

enum tocsin_err
file_read(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum tocsin_err err;

	if (fd < 0)
		return file_error(errno);
	err = read_all(fd, max, out);
	close(fd);
	return err;
}

/*
 * A credential that systemd hands over through an access list belongs to root
 * and shows the list's mask as 0440: its group is root's, which has nothing
 * that root has not.
 */
static mode_t
others(const struct stat *st)
{
	bool given = st->st_uid == 0 && st->st_gid == 0 && geteuid() != 0;

	return given ? 037 : 077;
}

static bool
is_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & others(&st)) == 0 &&
	       (st.st_uid == geteuid() || st.st_uid == 0);
}

static enum tocsin_err
read_private(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum tocsin_err err = TOCSIN_EPERMISSIONS;

	if (fd < 0)
		return file_error(errno);
	if (is_private(fd))
		err = read_all(fd, KEYFILE_MAX, out);
	close(fd);
	return err;
}

static enum tocsin_err
unlock(struct span armored, const char *passphrase, struct buf *text)
{
	struct buf file = { 0 };
	enum tocsin_err err = TOCSIN_EPASSPHRASE;

	if (passphrase != NULL) {
		err = age_dearmor(&file, armored);
		if (err == TOCSIN_OK)
			err = age_open_scrypt(
			    text, buf_span(&file), span_of(passphrase));
	}
	buf_release(&file);
	return err;
}

enum tocsin_err
keyfile_read(const char *path, const char *passphrase, struct buf *text)
{
	struct buf raw = { 0 };
	enum tocsin_err err = read_private(path, &raw);

	if (err == TOCSIN_OK && age_is_armored(buf_span(&raw)))
		err = unlock(buf_span(&raw), passphrase, text);
	else if (err == TOCSIN_OK)
		buf_add(text, buf_span(&raw));
	if (err == TOCSIN_OK && !buf_ok(text))
		err = TOCSIN_EINTERNAL;
	buf_release(&raw);
	return err;
}

bool
keyfile_locked(const char *path)
{
	struct buf raw = { 0 };
	bool locked = read_private(path, &raw) == TOCSIN_OK &&
		      age_is_armored(buf_span(&raw));

	buf_release(&raw);
	return locked;
}

/* 0 or an errno. */
static int
put_all(int fd, struct span s, uint64_t *done)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : ENOSPC;
		if (done != NULL)
			*done += (uint64_t)n;
		s = span_cut(s, (size_t)n, s.n);
	}
	return 0;
}

enum tocsin_err
file_put(int fd, struct span bytes, uint64_t *done)
{
	int rc = put_all(fd, bytes, done);

	return rc == 0 ? TOCSIN_OK : file_error(rc);
}

static int
sync_parent(const char *path)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (copy == NULL)
		return ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* FAT and some network file systems know none. */
static bool
is_without_links(int code)
{
	return code == EPERM || code == EOPNOTSUPP || code == ENOSYS ||
	       code == EMLINK;
}

/*
 * link() does not replace, and the name has the whole file at once. Without
 * links the name is taken by an empty file first, which is ours to replace.
 */
int
file_take_name(const char *temp, const char *path, bool replace)
{
	int fd, rc;

	if (!replace && link(temp, path) == 0) {
		unlink(temp);
		return 0;
	}
	if (!replace) {
		if (!is_without_links(errno))
			return errno;
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno;
		close(fd);
	}
	if (rename(temp, path) == 0)
		return 0;
	rc = errno;
	if (!replace)
		unlink(path);
	return rc;
}

static enum tocsin_err
write_file(const char *path, struct span bytes, bool replace, mode_t mode)
{
	char temp[4096];
	int fd, rc;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >=
	    (int)sizeof(temp))
		return TOCSIN_EUSAGE;
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return file_error(errno);
	rc = put_all(fd, bytes, NULL);
	if (rc == 0 && fsync(fd) != 0)
		rc = errno;
	if (rc == 0 && fchmod(fd, mode) != 0)
		rc = errno;
	close(fd);
	if (rc == 0)
		rc = file_take_name(temp, path, replace);
	if (rc != 0)
		unlink(temp);
	else
		rc = sync_parent(path);
	return rc == 0 ? TOCSIN_OK : file_error(rc);
}

enum tocsin_err
file_write(const char *path, struct span bytes, bool replace)
{
	return write_file(path, bytes, replace, 0644);
}

static enum tocsin_err
lock(struct span text, const char *passphrase, struct buf *armored)
{
	struct buf file = { 0 };
	enum tocsin_err err;

	err = age_seal_scrypt(
	    &file, text, span_of(passphrase), AGE_SCRYPT_DEFAULT);
	if (err == TOCSIN_OK)
		age_armor(armored, buf_span(&file));
	if (err == TOCSIN_OK && !buf_ok(armored))
		err = TOCSIN_EINTERNAL;
	buf_release(&file);
	return err;
}

enum tocsin_err
keyfile_write(
    const char *path, struct span text, const char *passphrase, bool replace)
{
	struct buf armored = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	if (passphrase != NULL)
		err = lock(text, passphrase, &armored);
	if (err == TOCSIN_OK)
		err = write_file(path,
		    passphrase != NULL ? buf_span(&armored) : text, replace,
		    0600);
	buf_release(&armored);
	return err;
}
