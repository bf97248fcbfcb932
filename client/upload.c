/* SPDX-License-Identifier: ISC */
#include "client/upload.h"

#include "client/backoff.h"
#include "client/outbox.h"
#include "client/puts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 1000

struct upload {
	const struct sync_parts *parts;
	struct line *line;
	struct turn *turn;
	atomic_bool stop;
	pthread_mutex_t lock; /* of the next four */
	bool running;
	bool restart, lost;
	enum tocsin_err trouble;
	uint64_t have, size; /* of the part that is moved; size 0: none */

	/* Of the thread, or while there is none of who calls upload_tend(). */
	pthread_t thread;
	bool started; /* it is to be joined */
	struct turn_wait wait;
	struct backoff again;
	struct puts put;
	uint8_t part[32]; /* zeros: none yet in this pass */
	char path[768];
	bool active; /* a part was chosen */
	bool early;  /* when it was begun, its message was not posted */
	enum tocsin_err failed; /* in this pass over the parts */
};

static void
set_trouble(struct upload *u, enum tocsin_err err)
{
	pthread_mutex_lock(&u->lock);
	u->trouble = err;
	pthread_mutex_unlock(&u->lock);
}

static void
show(struct upload *u)
{
	pthread_mutex_lock(&u->lock);
	u->have = u->active ? u->put.have : 0;
	u->size = u->active ? u->put.total : 0;
	pthread_mutex_unlock(&u->lock);
}

/* ---- a part ---- */

static enum tocsin_err
read_part(void *arg, uint64_t offset, size_t max, struct buf *out)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum tocsin_err err = TOCSIN_OK;
	uint8_t *at;
	ssize_t n;

	if (fd < 0)
		return file_error(errno);
	at = buf_grow(out, max);
	if (at != NULL) {
		n = pread(fd, at, max, (off_t)offset);
		if (n < 0)
			err = file_error(errno);
		buf_cut(out, n > 0 ? (size_t)n : 0);
	} else {
		err = TOCSIN_EINTERNAL;
	}
	close(fd);
	if (err == TOCSIN_OK && out->n == 0) /* shorter than it was */
		err = TOCSIN_EBODYMISMATCH;
	return err;
}

/* The part after `part`. */
static enum tocsin_err
find_next(struct upload *u, uint64_t *size)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = desk_read(u->parts->desk, &tx);

	if (err == TOCSIN_OK)
		err = desk_upload_next(tx, u->part, u->part, size);
	desk_end(tx);
	return err;
}

/* A message that names it is still to be posted, or that cannot be told. */
static bool
is_early(struct upload *u)
{
	struct desk_tx *tx = NULL;
	bool named = true;

	if (desk_read(u->parts->desk, &tx) == TOCSIN_OK &&
	    outbox_names(tx, u->part, &named) != TOCSIN_OK)
		named = true;
	desk_end(tx);
	return named;
}

static void
begin_part(struct upload *u, uint64_t size)
{
	u->early = is_early(u);
	sync_spool(u->path, u->parts->keys->home, u->part);
	puts_begin(&u->put, u->line, 2 * (int)u->parts->answer_ms, u->part,
	    size, read_part, u->path);
	u->active = true;
}

static enum tocsin_err
finished(struct upload *u)
{
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(u->parts->desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_upload_done(tx, u->part);
	if (err != TOCSIN_OK && err != TOCSIN_ENOTFOUND) {
		desk_end(tx);
		return err;
	}
	err = desk_commit(tx);
	if (err == TOCSIN_OK)
		unlink(u->path);
	return err;
}

/*
 * It may be refused only because its message was not there yet; so what counts
 * is whether that was posted when we began, not whether it is by now.
 */
static bool
is_for_good(struct upload *u, enum tocsin_err err)
{
	return !sync_passes(err) && !u->early && !is_early(u);
}

/* True: there may be more to do at once. */
static bool
failed(struct upload *u, enum tocsin_err err, uint32_t retry)
{
	bool theirs = u->put.theirs;

	puts_drop(&u->put);
	set_trouble(u, err);
	if (outbox_hurdle(err)) {
		/* The same part, once more. */
		begin_part(u, u->put.total);
		backoff_more(&u->again, retry, outbox_again_max(err));
		return false;
	}
	u->active = false;
	if (theirs && is_for_good(u, err))
		err = finished(u);
	if (err != TOCSIN_OK)
		u->failed = err;
	return true;
}

/* The end of a pass: what failed in it is tried again, not at once. */
static void
pass_over(struct upload *u)
{
	memset(u->part, 0, sizeof(u->part));
	if (u->failed != TOCSIN_OK)
		backoff_more(&u->again, 0, outbox_again_max(u->failed));
	else
		backoff_reset(&u->again);
	set_trouble(u, u->failed);
	u->failed = TOCSIN_OK;
	u->wait.since = 0;
}

/* True: there may be more to do at once. *over: nothing is left in this pass.
 */
static bool
work(struct upload *u, bool *over)
{
	uint64_t had, size = 0;
	uint32_t retry;
	enum tocsin_err err;

	if (!u->active && find_next(u, &size) != TOCSIN_OK) {
		pass_over(u);
		*over = true;
		return false;
	}
	if (!turn_is_ours(u->turn, &u->wait)) {
		puts_drop(&u->put);
		u->active = false; /* it may be gone when we look again */
		memset(u->part, 0, sizeof(u->part));
		return false;
	}
	if (!u->active)
		begin_part(u, size);
	had = u->put.have;
	err = puts_go(&u->put, &retry);
	if (err == TOCSIN_OK && (u->put.complete || u->put.have > had))
		turn_got_on(u->turn);
	if (err == TOCSIN_OK && u->put.complete) {
		puts_drop(&u->put);
		u->active = false;
		err = finished(u);
	}
	return err == TOCSIN_OK ? !u->active : failed(u, err, retry);
}

/* ---- the thread ---- */

/* What is on the way goes on. */
static void
take_restart(struct upload *u)
{
	pthread_mutex_lock(&u->lock);
	if (u->restart || u->lost)
		backoff_reset(&u->again);
	if (u->lost)
		u->wait.since = 0;
	u->restart = u->lost = false;
	pthread_mutex_unlock(&u->lock);
}

static int
rest(const struct upload *u)
{
	int64_t ms = backoff_sooner(&u->again, IDLE_MS);

	return u->wait.since != 0 && ms > TURN_LOOK_MS ? TURN_LOOK_MS : (int)ms;
}

static void *
run(void *arg)
{
	struct upload *u = arg;
	bool over = false;

	while (!u->stop && !over) {
		uint64_t seen = desk_changes(u->parts->desk);
		bool more = false;

		take_restart(u);
		if (backoff_over(&u->again))
			more = work(u, &over);
		show(u);
		if (!more && !over && !u->stop)
			desk_wait(u->parts->desk, seen, rest(u));
	}
	puts_drop(&u->put);
	pthread_mutex_lock(&u->lock);
	u->running = false;
	pthread_mutex_unlock(&u->lock);
	desk_wake(u->parts->desk); /* more may have come meanwhile */
	return NULL;
}

static void
join(struct upload *u)
{
	if (u->started)
		pthread_join(u->thread, NULL);
	u->started = false;
}

void
upload_tend(struct upload *u, int64_t *rest_ms)
{
	uint8_t hash[32];
	struct desk_tx *tx = NULL;
	uint64_t size;
	bool running, any;

	pthread_mutex_lock(&u->lock);
	running = u->running;
	pthread_mutex_unlock(&u->lock);
	if (running)
		return;
	take_restart(u);
	*rest_ms = backoff_sooner(&u->again, *rest_ms);
	if (!backoff_over(&u->again))
		return;
	any = desk_read(u->parts->desk, &tx) == TOCSIN_OK &&
	      desk_upload_next(tx, NULL, hash, &size) == TOCSIN_OK;
	desk_end(tx);
	if (!any) {
		pass_over(u);
		return;
	}
	join(u);
	u->running = u->started = true;
	if (pthread_create(&u->thread, NULL, run, u) != 0) {
		u->running = u->started = false;
		set_trouble(u, TOCSIN_EINTERNAL);
		backoff_more(&u->again, 0, outbox_again_max(TOCSIN_EINTERNAL));
	}
}

/* ---- what others ask ---- */

void
upload_restart(struct upload *u)
{
	pthread_mutex_lock(&u->lock);
	u->restart = true;
	pthread_mutex_unlock(&u->lock);
	desk_wake(u->parts->desk);
}

void
upload_lost(struct upload *u)
{
	pthread_mutex_lock(&u->lock);
	u->lost = true;
	pthread_mutex_unlock(&u->lock);
	desk_wake(u->parts->desk);
}

enum tocsin_err
upload_trouble(struct upload *u)
{
	enum tocsin_err err;

	pthread_mutex_lock(&u->lock);
	err = u->trouble;
	pthread_mutex_unlock(&u->lock);
	return err;
}

bool
upload_progress(struct upload *u, uint64_t *have, uint64_t *size)
{
	pthread_mutex_lock(&u->lock);
	*have = u->have;
	*size = u->size;
	pthread_mutex_unlock(&u->lock);
	return *size > 0;
}

enum tocsin_err
upload_new(struct upload **out, const struct sync_parts *parts,
    struct line *line, struct turn *turn)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return TOCSIN_EINTERNAL;
	u->parts = parts;
	u->line = line;
	u->turn = turn;
	pthread_mutex_init(&u->lock, NULL);
	*out = u;
	return TOCSIN_OK;
}

void
upload_free(struct upload *u)
{
	if (u == NULL)
		return;
	u->stop = true;
	desk_wake(u->parts->desk);
	join(u);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
