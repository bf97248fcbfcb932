/* SPDX-License-Identifier: ISC */
/* Attachments: tocsin_save(). */
#include "client/backoff.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/parts.h"
#include "client/recall.h"
#include "crypto/msg.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* in which nothing came, until we give up */
#define LOOK_MS 50	  /* while another fetches it */

struct fetching {
	struct tocsin *t;
	uint8_t id[ID_LEN];
	struct ticket_part part;
	bool (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	int fd;
	uint64_t have;
	bool stopped;	   /* whoever watches the progress wants no more */
	char partial[800]; /* what is here so far; empty: it is no copy */
};

/* A part of it may fit on the disk; that much is kept. */
static enum tocsin_err
append(void *arg, struct span bytes)
{
	struct fetching *f = arg;
	enum tocsin_err err;

	if (lseek(f->fd, (off_t)f->have, SEEK_SET) < 0)
		return file_error(errno);
	err = file_put(f->fd, bytes, &f->have);
	if (err == TOCSIN_OK && f->progress != NULL &&
	    !f->progress(f->arg, f->have, f->part.size))
		f->stopped = true;
	return f->stopped ? TOCSIN_EUSAGE : err;
}

static enum tocsin_err
fetch_rest(struct fetching *f)
{
	struct sync_range r = { .offset = f->have,
		.total = f->part.size,
		.patience_ms = PATIENCE_MS,
		.take = append,
		.arg = f };
	enum tocsin_err err;

	memcpy(r.id, f->id, sizeof(r.id));
	memcpy(r.hash, f->part.hash, sizeof(r.hash));
	err = sync_get(f->t->sync, &r);
	return f->stopped ? TOCSIN_ETIMEOUT : err;
}

/* Our own part, not yet uploaded, is in the spool as it is. */
static bool
in_spool(struct fetching *f, char path[768])
{
	struct stat st;

	sync_spool(path, f->t->parts.keys->home, f->part.hash);
	return stat(path, &st) == 0 && (uint64_t)st.st_size == f->part.size;
}

/* Whether the name is still that of the file which is open. */
static bool
is_named(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * Another process of this home, or thread, may be at the same part: then it is
 * for that one to fetch, and for us to see it grow. It gives the lock back with
 * all of the file, or, if it ended, with less.
 */
static enum tocsin_err
wait_for_lock(struct fetching *f)
{
	int64_t since = backoff_now();
	uint64_t had = 0;
	struct stat st;

	while (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return TOCSIN_OK; /* no locks there: as it was */
		if (fstat(f->fd, &st) != 0)
			return file_error(errno);
		if ((uint64_t)st.st_size != had)
			since = backoff_now();
		had = (uint64_t)st.st_size;
		if (backoff_now() - since > PATIENCE_MS)
			return TOCSIN_EBUSY;
		if (f->progress != NULL &&
		    !f->progress(f->arg, had, f->part.size))
			return TOCSIN_ETIMEOUT;
		usleep(LOOK_MS * 1000);
	}
	return TOCSIN_OK;
}

static enum tocsin_err
open_once(struct fetching *f)
{
	struct stat st;
	enum tocsin_err err;

	f->fd =
	    open(f->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0)
		return file_error(errno);
	err = wait_for_lock(f);
	if (err != TOCSIN_OK)
		return err;
	if (fstat(f->fd, &st) != 0)
		return file_error(errno);
	f->have = (uint64_t)st.st_size;
	if (f->have > f->part.size && ftruncate(f->fd, 0) == 0)
		f->have = 0;
	return TOCSIN_OK;
}

/* One that was taken away while we waited is of use only if it is whole. */
static enum tocsin_err
open_partial(struct fetching *f)
{
	char folder[640];
	enum tocsin_err err;

	keystore_path(folder, f->t->parts.keys->home, "spool");
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return file_error(errno);
	while ((err = open_once(f)) == TOCSIN_OK && f->have < f->part.size &&
	       !is_named(f->fd, f->partial))
		close(f->fd);
	return err;
}

/* Done with it; what was fetched goes, unless another try can use it. */
static void
fetched_end(struct fetching *f, bool keep)
{
	if (f->fd < 0)
		return;
	if (f->partial[0] != '\0' && !keep && is_named(f->fd, f->partial))
		unlink(f->partial);
	close(f->fd);
	f->fd = -1;
}

/* The sealed part, as a file that is open: f->fd, until fetched_end(). */
static enum tocsin_err
fetch(struct fetching *f)
{
	char path[768];
	enum tocsin_err err;

	f->fd = -1;
	if (in_spool(f, path)) {
		f->fd = open(path, O_RDONLY | O_CLOEXEC);
		return f->fd < 0 ? file_error(errno) : TOCSIN_OK;
	}
	snprintf(f->partial, sizeof(f->partial), "%s.part", path);
	err = open_partial(f);
	if (err == TOCSIN_OK && f->have < f->part.size)
		err = f->t->sync != NULL ? fetch_rest(f) : TOCSIN_EUNAVAILABLE;
	if (err != TOCSIN_OK)
		fetched_end(f, true);
	return err;
}

/* The attachment of that name. */
static const struct incident_attachment *
find(const struct incident *i, const char *name)
{
	size_t n;

	for (n = 0; n < i->nattachment; n++)
		if (strcmp(i->attachment[n].name, name) == 0)
			return &i->attachment[n];
	return NULL;
}

static const struct ticket_part *
part_line(const struct ticket *t, const uint8_t hash[32])
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (memcmp(t->part[i].hash, hash, 32) == 0)
			return &t->part[i];
	return NULL;
}

const char *
save_text(enum tocsin_err err)
{
	if (err == TOCSIN_EUNAVAILABLE)
		return "not all of it is here or at the broker yet; what came "
		       "is kept, try again";
	if (err == TOCSIN_EBUSY)
		return "another command is at it, and gets no further; end "
		       "that one, or try again";
	if (err == TOCSIN_ETOOLARGE)
		return "your broker takes no attachment of that size from "
		       "there, and it will not come; ask the sender for "
		       "smaller ones, or your broker's operator "
		       "(largest-part, part-max)";
	return tocsin_err_text(err);
}

/* For people to see; that it cannot be noted takes nothing from them. */
static void
note_saved(const struct fetching *f)
{
	struct desk_tx *tx = NULL;
	char name[72];

	if (desk_write(f->t->parts.desk, &tx) != TOCSIN_OK)
		return;
	if (desk_u64_put(tx, saved_name(name, f->part.hash),
		(uint64_t)time(NULL)) != TOCSIN_OK)
		desk_end(tx);
	else if (desk_commit(tx) != TOCSIN_OK)
		return;
}

/* Fetched and opened outside of any transaction. */
static enum tocsin_err
save(struct fetching *f, const struct opened *o,
    const struct incident_attachment *a, const char *dir, const char *as)
{
	const struct ticket_part *line = part_line(&o->ticket, a->part);
	char name[201];
	enum tocsin_err err;

	if (line == NULL)
		return fail(TOCSIN_EMALFORMED,
		    "%s: the ticket names no such part", a->name);
	f->part = *line;
	memcpy(f->id, o->row.id, ID_LEN);
	err = fetch(f);
	if (err != TOCSIN_OK)
		return fail(err, "%s: %s", a->name, save_text(err));
	parts_safe_name(name, as != NULL ? as : a->name);
	err = parts_open_file(
	    f->fd, line, o->contents.parts_sk, a->size, dir, name);
	/* After EBODYMISMATCH it begins anew next time. */
	fetched_end(f, err != TOCSIN_OK && err != TOCSIN_EBODYMISMATCH);
	if (err == TOCSIN_EDUPLICATE)
		return fail(TOCSIN_EUSAGE,
		    "%s/%s is there already; it is not replaced", dir, name);
	if (err != TOCSIN_OK)
		return fail(err, "%s/%s: %s", dir, name,
		    err == TOCSIN_EUSAGE ? "the name is too long"
					 : file_text(err));
	note_saved(f);
	return TOCSIN_OK;
}

/* Whether the file is that part, from an earlier try. */
static bool
is_part(int fd, const struct ticket_part *line)
{
	crypto_hash_sha256_state st;
	uint8_t block[65536], hash[32];
	uint64_t size = 0;
	ssize_t n;

	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return false;
	crypto_hash_sha256_init(&st);
	while ((n = read(fd, block, sizeof(block))) > 0) {
		crypto_hash_sha256_update(&st, block, (unsigned long long)n);
		size += (uint64_t)n;
	}
	crypto_hash_sha256_final(&st, hash);
	return n == 0 && size == line->size &&
	       memcmp(hash, line->hash, sizeof(hash)) == 0;
}

static enum tocsin_err
copy_all(int in, int out)
{
	uint8_t block[65536];
	enum tocsin_err err = TOCSIN_OK;
	ssize_t n;

	while (err == TOCSIN_OK && (n = read(in, block, sizeof(block))) != 0)
		if (n > 0)
			err = file_put(
			    out, (struct span){ block, (size_t)n }, NULL);
		else if (errno != EINTR)
			err = file_error(errno);
	if (err == TOCSIN_OK && fsync(out) != 0)
		err = file_error(errno);
	return err;
}

/* Copied, so that what the spool has can go. */
static enum tocsin_err
copy_file(int in, const char *to)
{
	enum tocsin_err err;
	int out;

	if (lseek(in, 0, SEEK_SET) < 0)
		return file_error(errno);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return file_error(errno);
	err = copy_all(in, out);
	if (err != TOCSIN_OK)
		unlink(to);
	close(out);
	return err;
}

static bool
is_part_there(const char *path, const struct ticket_part *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = is_part(fd, line);

	if (fd >= 0)
		close(fd);
	return is;
}

enum tocsin_err
save_sealed(struct tocsin *t, const struct opened *o, const uint8_t hash[32],
    const char *to)
{
	const struct ticket_part *line = part_line(&o->ticket, hash);
	struct fetching f = { .t = t };
	enum tocsin_err err;

	if (line == NULL)
		return TOCSIN_EMALFORMED;
	if (access(to, F_OK) == 0)
		return is_part_there(to, line) ? TOCSIN_OK : TOCSIN_EDUPLICATE;
	f.part = *line;
	memcpy(f.id, o->row.id, ID_LEN);
	err = fetch(&f);
	if (err != TOCSIN_OK)
		return err;
	/* A crash may have left holes in what an earlier try fetched. */
	err = is_part(f.fd, line) ? copy_file(f.fd, to) : TOCSIN_EBODYMISMATCH;
	fetched_end(&f, err != TOCSIN_OK && err != TOCSIN_EBODYMISMATCH);
	return err;
}

static enum tocsin_err
open_for(struct tocsin *t, const char *id, struct opened *o)
{
	struct desk_tx *tx = NULL;
	uint64_t number;
	enum tocsin_err err = begin_read(t, &tx);

	if (err == TOCSIN_OK)
		err = find_message(t, tx, id, &number);
	if (err == TOCSIN_OK)
		err = open_message(t, tx, number, o);
	desk_end(tx);
	if (err == TOCSIN_OK && o->contents.json.n == 0)
		err = fail(o->row.refused, "%s: %s", id,
		    tocsin_err_text(o->row.refused));
	return err;
}

static bool
is_recalled(struct tocsin *t, const struct opened *o,
    const struct incident_attachment *a)
{
	struct desk_tx *tx = NULL;
	bool yes = desk_read(t->parts.desk, &tx) == TOCSIN_OK &&
		   recall_covers_part(tx, &o->ticket, a->part);

	desk_end(tx);
	return yes;
}

enum tocsin_err
tocsin_save(struct tocsin *t, const char *id, const char *name, const char *dir,
    const char *as, bool (*progress)(void *arg, uint64_t done, uint64_t total),
    void *arg)
{
	struct fetching f = { .t = t, .progress = progress, .arg = arg };
	const struct incident_attachment *a;
	struct incident in = { 0 };
	struct opened *o = calloc(1, sizeof(*o));
	enum tocsin_err err;

	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = open_for(t, id, o);
	if (err == TOCSIN_OK &&
	    incident_parse(&in, o->contents.json) != TOCSIN_OK)
		err = fail(
		    TOCSIN_EMALFORMED, "%s: its content is not readable", id);
	if (err == TOCSIN_OK) {
		a = find(&in, name);
		if (a != NULL && is_recalled(t, o, a))
			err = fail(TOCSIN_ERECALLED, "%s: %s", name,
			    tocsin_err_text(TOCSIN_ERECALLED));
		else if (a != NULL)
			err = save(&f, o, a, dir, as);
		else
			err = fail(TOCSIN_ENOTFOUND,
			    "%s has no attachment of the name %s", id, name);
	}
	incident_release(&in);
	opened_release(o);
	free(o);
	return err;
}
