/* SPDX-License-Identifier: ISC */
#include "client/parts.h"

#include "client/keyfile.h"
#include "client/sync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536
#define NEW_PART ".new." /* what is being sealed */

/* Write what was made, and make room. */
static enum tocsin_err
emit(int fd, struct buf *b)
{
	enum tocsin_err err =
	    buf_ok(b) ? file_put(fd, buf_span(b), NULL) : TOCSIN_EINTERNAL;

	buf_cut(b, 0);
	return err;
}

/* The next piece of a file; empty at its end. */
static enum tocsin_err
piece(int fd, uint8_t *room, struct span *out)
{
	ssize_t n;

	do
		n = read(fd, room, PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return file_error(errno);
	*out = (struct span){ room, (size_t)n };
	return TOCSIN_OK;
}

static enum tocsin_err
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum tocsin_err err = TOCSIN_OK;

	if (fd < 0 || fsync(fd) != 0)
		err = file_error(errno);
	if (fd >= 0)
		close(fd);
	return err;
}

/* ---- sealing ---- */

struct sealing {
	int in, out;
	struct part_sealer sealer;
	struct buf made;
	uint8_t room[PIECE];
};

static enum tocsin_err
open_input(struct sealing *s, const char *path, uint64_t *size)
{
	struct stat st;

	/* What is no file, a pipe for one, is not waited for. */
	s->in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->in < 0 || fstat(s->in, &st) != 0)
		return file_error(errno);
	if (!S_ISREG(st.st_mode))
		return TOCSIN_EUSAGE;
	if ((uint64_t)st.st_size > PARTS_FILE_MAX)
		return TOCSIN_ETOOLARGE;
	*size = (uint64_t)st.st_size;
	return TOCSIN_OK;
}

/* A file that grows or shrinks while it is read is not what was meant. */
static enum tocsin_err
seal_all(struct sealing *s, const uint8_t sk[32], uint64_t size,
    struct ticket_part *out)
{
	struct span got = { 0 };
	bool done = false;
	enum tocsin_err err;

	err = part_sealer_begin(&s->sealer, &s->made, sk, size);
	while (err == TOCSIN_OK) {
		err = piece(s->in, s->room, &got);
		if (err != TOCSIN_OK || got.n == 0)
			break;
		err = part_sealer_feed(&s->sealer, &s->made, got);
		if (err == TOCSIN_EUSAGE)
			err = TOCSIN_EBUSY;
		if (err == TOCSIN_OK)
			err = emit(s->out, &s->made);
	}
	while (err == TOCSIN_OK && !done) {
		err = part_sealer_end(&s->sealer, &s->made, out, &done);
		if (err == TOCSIN_EUSAGE)
			err = TOCSIN_EBUSY;
		if (err == TOCSIN_OK)
			err = emit(s->out, &s->made);
	}
	if (err == TOCSIN_OK && fsync(s->out) != 0)
		err = file_error(errno);
	return err;
}

static enum tocsin_err
make_spool(const char *home, char temp[768])
{
	snprintf(temp, 768, "%s/spool", home);
	if (mkdir(temp, 0700) != 0 && errno != EEXIST)
		return file_error(errno);
	snprintf(temp, 768, "%s/spool/" NEW_PART "XXXXXX", home);
	return TOCSIN_OK;
}

static enum tocsin_err
take_name(const char *home, const char *temp, const uint8_t hash[32])
{
	char path[768], spool[640];

	sync_spool(path, home, hash);
	if (rename(temp, path) != 0)
		return file_error(errno);
	snprintf(spool, sizeof(spool), "%s/spool", home);
	return sync_folder(spool);
}

enum tocsin_err
parts_seal(const char *home, const char *path, const uint8_t sk[32],
    struct ticket_part *out, uint64_t *plain_size)
{
	struct sealing *s = calloc(1, sizeof(*s));
	char temp[768];
	enum tocsin_err err;

	if (s == NULL)
		return TOCSIN_EINTERNAL;
	s->in = s->out = -1;
	err = open_input(s, path, plain_size);
	if (err == TOCSIN_OK)
		err = make_spool(home, temp);
	if (err == TOCSIN_OK && (s->out = mkostemp(temp, O_CLOEXEC)) < 0)
		err = file_error(errno);
	if (err == TOCSIN_OK)
		err = seal_all(s, sk, *plain_size, out);
	if (err == TOCSIN_OK)
		err = take_name(home, temp, out->hash);
	if (err != TOCSIN_OK && s->out >= 0)
		unlink(temp);
	if (s->in >= 0)
		close(s->in);
	if (s->out >= 0)
		close(s->out);
	part_sealer_release(&s->sealer);
	buf_release(&s->made);
	sodium_memzero(s, sizeof(*s));
	free(s);
	return err;
}

/* ---- sweeping ---- */

struct sweeping {
	int64_t now;
	bool (*wanted)(void *arg, const uint8_t hash[32]);
	void *arg;
};

/* How old the file must be to be removed; 0: it is not. */
static int64_t
stale_after(const struct sweeping *s, const char *name)
{
	uint8_t hash[32];
	const char *end;
	size_t n;

	if (strncmp(name, NEW_PART, strlen(NEW_PART)) == 0)
		return PARTS_STALE_S;
	if (sodium_hex2bin(
		hash, sizeof(hash), name, strlen(name), NULL, &n, &end) != 0 ||
	    n != sizeof(hash))
		return 0;
	if (strcmp(end, ".part") == 0)
		return PARTS_DOWNLOAD_S;
	return *end == '\0' && !s->wanted(s->arg, hash) ? PARTS_STALE_S : 0;
}

void
parts_sweep(const char *home, int64_t now,
    bool (*wanted)(void *arg, const uint8_t hash[32]), void *arg)
{
	const struct sweeping s = { now, wanted, arg };
	const struct dirent *e;
	char path[640];
	struct stat st;
	int64_t age;
	DIR *d;

	snprintf(path, sizeof(path), "%s/spool", home);
	d = opendir(path);
	if (d == NULL) /* nothing was ever in it */
		return;
	while ((e = readdir(d)) != NULL) {
		age = stale_after(&s, e->d_name);
		if (age > 0 &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    S_ISREG(st.st_mode) && now - (int64_t)st.st_mtime > age)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
}

/* ---- opening ---- */

struct opening {
	int in, out;
	struct part_opener opener;
	struct buf plain;
	uint8_t room[PIECE];
};

static enum tocsin_err
open_all(struct opening *o, const struct ticket_part *part,
    const uint8_t sk[32], uint64_t plain_size)
{
	struct span got = { 0 };
	enum tocsin_err err;

	err = part_opener_begin(&o->opener, part, sk, plain_size);
	while (err == TOCSIN_OK) {
		err = piece(o->in, o->room, &got);
		if (err != TOCSIN_OK || got.n == 0)
			break;
		err = part_opener_feed(&o->opener, &o->plain, got);
		if (err == TOCSIN_OK)
			err = emit(o->out, &o->plain);
	}
	if (err == TOCSIN_OK && !part_opener_done(&o->opener))
		err = TOCSIN_EBODYMISMATCH;
	if (err == TOCSIN_OK && fsync(o->out) != 0)
		err = file_error(errno);
	return err;
}

enum tocsin_err
parts_open_file(int from, const struct ticket_part *part, const uint8_t sk[32],
    uint64_t plain_size, const char *dir, const char *name)
{
	struct opening *o = calloc(1, sizeof(*o));
	char temp[4096], path[4096];
	enum tocsin_err err = TOCSIN_OK;
	int rc;

	if (o == NULL)
		return TOCSIN_EINTERNAL;
	o->in = from;
	o->out = -1;
	if (snprintf(temp, sizeof(temp), "%s/.tocsin.XXXXXX", dir) >=
		(int)sizeof(temp) ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		(int)sizeof(path))
		err = TOCSIN_EUSAGE; /* cut off, it would be another file's */
	if (err == TOCSIN_OK && lseek(from, 0, SEEK_SET) < 0)
		err = file_error(errno);
	if (err == TOCSIN_OK && (o->out = mkostemp(temp, O_CLOEXEC)) < 0)
		err = file_error(errno);
	if (err == TOCSIN_OK)
		err = open_all(o, part, sk, plain_size);
	if (err == TOCSIN_OK && (rc = file_take_name(temp, path, false)) != 0)
		err = file_error(rc);
	if (o->out >= 0) {
		unlink(temp);
		close(o->out);
	}
	if (err == TOCSIN_OK)
		err = sync_folder(dir);
	part_opener_release(&o->opener);
	buf_release(&o->plain);
	sodium_memzero(o, sizeof(*o));
	free(o);
	return err;
}

enum tocsin_err
parts_open(const char *from, const struct ticket_part *part,
    const uint8_t sk[32], uint64_t plain_size, const char *dir,
    const char *name)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	enum tocsin_err err;

	if (fd < 0)
		return file_error(errno);
	err = parts_open_file(fd, part, sk, plain_size, dir, name);
	close(fd);
	return err;
}

void
parts_safe_name(char out[201], const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t n = 0;

	if (slash != NULL)
		name = slash + 1;
	slash = strrchr(name, '\\');
	if (slash != NULL)
		name = slash + 1;
	while (*name == '.' || *name == '-' || *name == ' ')
		name++;
	for (; *name != '\0' && n < 200; name++) {
		unsigned char c = (unsigned char)*name;

		/* Beyond ASCII a name may hide its true extension. */
		out[n++] = c < 0x20 || c >= 0x7f ? '_' : (char)c;
	}
	out[n] = '\0';
	if (n == 0)
		memcpy(out, "attachment", sizeof("attachment"));
}
