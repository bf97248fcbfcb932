/* SPDX-License-Identifier: ISC */
#include "client/bodies.h"

#include "client/keyfile.h"
#include "client/keystore.h"
#include "client/ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct getting {
	const struct bodies *b;
	struct buf *out;
	size_t begin; /* of the body in *out */
	int fd;
};

static enum tocsin_err
take(void *arg, struct span bytes)
{
	struct getting *g = arg;
	enum tocsin_err err = file_put(g->fd, bytes, NULL);

	buf_add(g->out, bytes);
	if (err == TOCSIN_OK && !buf_ok(g->out))
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK && !g->b->meanwhile(g->b->arg))
		err = TOCSIN_EUNAVAILABLE;
	return err;
}

/* What an earlier try has left. */
static enum tocsin_err
take_partial(struct getting *g, uint64_t size)
{
	uint8_t block[16384];
	ssize_t n;

	while ((n = read(g->fd, block, sizeof(block))) > 0)
		buf_add(g->out, (struct span){ block, (size_t)n });
	if (n < 0)
		return file_error(errno);
	if (!buf_ok(g->out))
		return TOCSIN_EINTERNAL;
	if (g->out->n - g->begin <= size)
		return TOCSIN_OK;
	buf_cut(g->out, g->begin);
	if (ftruncate(g->fd, 0) != 0 || lseek(g->fd, 0, SEEK_SET) != 0)
		return file_error(errno);
	return TOCSIN_OK;
}

static enum tocsin_err
get_rest(struct getting *g, const struct ticket *t)
{
	struct sync_range r = { .offset = g->out->n - g->begin,
		.total = t->body_size,
		.take = take,
		.arg = g };
	uint8_t hash[32];
	enum tocsin_err err;

	memcpy(r.id, t->id, sizeof(r.id));
	memcpy(r.hash, t->body_hash, sizeof(r.hash));
	err = ranges_get(g->b->line, &r, g->b->timeout_ms);
	if (err != TOCSIN_OK)
		return err;
	crypto_hash_sha256(hash, g->out->p + g->begin, g->out->n - g->begin);
	return memcmp(hash, t->body_hash, sizeof(hash)) == 0
		   ? TOCSIN_OK
		   : TOCSIN_EBODYMISMATCH;
}

static void
partial_path(char path[800], const char *home, const uint8_t hash[32])
{
	char whole[768];

	sync_spool(whole, home, hash);
	snprintf(path, 800, "%s.part", whole);
}

static enum tocsin_err
open_partial(char path[800], const char *home, const uint8_t hash[32], int *fd)
{
	char folder[640];

	keystore_path(folder, home, "spool");
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return file_error(errno);
	partial_path(path, home, hash);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? file_error(errno) : TOCSIN_OK;
}

enum tocsin_err
bodies_get(const struct bodies *b, const struct ticket *t, struct buf *out)
{
	struct getting g = { b, out, out->n, -1 };
	enum tocsin_err err;
	char path[800];
	bool resumed;

	err = open_partial(path, b->home, t->body_hash, &g.fd);
	if (err == TOCSIN_OK)
		err = take_partial(&g, t->body_size);
	if (err != TOCSIN_OK)
		goto out;
	resumed = out->n > g.begin;
	err = get_rest(&g, t);
	if (err == TOCSIN_EBODYMISMATCH && resumed) {
		/* A crash may have left holes: once more, from the start. */
		buf_cut(out, g.begin);
		err = ftruncate(g.fd, 0) == 0 && lseek(g.fd, 0, SEEK_SET) == 0
			  ? get_rest(&g, t)
			  : file_error(errno);
	}
	if (err == TOCSIN_EBODYMISMATCH)
		unlink(path);
out:
	if (g.fd >= 0)
		close(g.fd);
	if (err != TOCSIN_OK)
		buf_cut(out, g.begin);
	return err;
}

void
bodies_forget(const char *home, const uint8_t hash[32])
{
	char path[800];

	partial_path(path, home, hash);
	unlink(path);
}

/* A part that is to be uploaded lies there whole, under its own name. */
uint64_t
bodies_here(const char *home, const uint8_t hash[32], uint64_t size)
{
	char path[800];
	struct stat st;
	uint64_t here;

	sync_spool(path, home, hash);
	if (stat(path, &st) != 0) {
		partial_path(path, home, hash);
		if (stat(path, &st) != 0)
			return 0;
	}
	here = (uint64_t)st.st_size;
	return here < size ? here : size;
}
