/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_feed.h"

#include "client/backoff.h"
#include "client/handle.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 500    /* at the link */
#define AGAIN_MS 20000 /* what is late by now was not when they were read */
#define PAUSE_MS 200
#define PAUSE_TIMES 4
#define FIRST 256 /* tickets that are opened before any are shown */

struct feed {
	struct tocsin *t;
	pthread_t thread;
	atomic_bool stop;
	int fd;

	pthread_mutex_t lock; /* of the next two */
	struct rows *rows;    /* not taken yet */
	struct feed_state state;

	/* Of the thread. */
	uint64_t seen;
	size_t most; /* 0: all are in the cache */
	int64_t read_at, pause_ms;
};

static void
signal_news(struct feed *f)
{
	const uint64_t one = 1;

	(void)!write(f->fd, &one, sizeof(one));
}

/* ---- the link and the outbox ---- */

static size_t
count_queued(struct desk *d)
{
	struct desk_tx *tx = NULL;
	uint64_t number = 0;
	size_t n = 0;

	if (desk_read(d, &tx) == TOCSIN_OK)
		while (desk_outbox_next(tx, number, &number) == TOCSIN_OK)
			n++;
	desk_end(tx);
	return n;
}

static void
look(struct feed *f)
{
	struct sync *sync = f->t->sync;
	enum tocsin_err link =
	    sync != NULL ? sync_link(sync) : TOCSIN_EROSTERUNKNOWN;
	size_t queued = count_queued(f->t->parts.desk);
	enum tocsin_err held = TOCSIN_OK;
	struct feed_state *s = &f->state;
	bool news;

	if (queued > 0 && link == TOCSIN_OK)
		held = sync_trouble(sync);

	pthread_mutex_lock(&f->lock);
	news = s->link != link || s->held != held || s->queued != queued;
	if ((s->link == TOCSIN_OK) != (link == TOCSIN_OK))
		s->since = cli_now();
	s->link = link;
	s->held = held;
	s->queued = queued;
	s->linked |= link == TOCSIN_OK;
	pthread_mutex_unlock(&f->lock);
	if (news)
		signal_news(f);
}

/* ---- the rows ---- */

static void
read_rows(struct feed *f)
{
	const struct rows_filter some = { .most = f->most };
	int64_t began = backoff_now();
	struct rows *rows = NULL, *old;
	enum tocsin_err err;

	f->seen = desk_changes(f->t->parts.desk);
	err = rows_load(f->t, &some, cli_now(), &rows);
	f->most = err == TOCSIN_OK && rows->left > 0 ? f->most * 2 : 0;
	pthread_mutex_lock(&f->lock);
	old = f->rows;
	if (err == TOCSIN_OK)
		f->rows = rows;
	else
		old = NULL;
	snprintf(f->state.trouble, sizeof(f->state.trouble), "%s",
	    err == TOCSIN_OK ? "" : tocsin_error(f->t));
	pthread_mutex_unlock(&f->lock);
	rows_free(old);
	f->read_at = backoff_now();
	f->pause_ms = (f->read_at - began) * PAUSE_TIMES;
	if (f->pause_ms < PAUSE_MS)
		f->pause_ms = PAUSE_MS;
	signal_news(f);
}

static bool
is_time(const struct feed *f)
{
	int64_t passed = backoff_now() - f->read_at;

	if (f->read_at == 0 || f->most > 0)
		return true;
	return passed >= f->pause_ms &&
	       (passed >= AGAIN_MS ||
		   desk_changes(f->t->parts.desk) != f->seen);
}

/* Until something changes, or it is time to look at the link. */
static void
rest(const struct feed *f)
{
	struct desk *d = f->t->parts.desk;
	uint64_t now = desk_changes(d);
	int64_t left = f->read_at + f->pause_ms - backoff_now();

	if (now != f->seen && left > 0)
		desk_wait(d, now, left < LOOK_MS ? (int)left : LOOK_MS);
	else if (now == f->seen)
		desk_wait(d, now, LOOK_MS);
}

static void *
run(void *arg)
{
	struct feed *f = arg;

	while (!f->stop) {
		look(f);
		if (is_time(f))
			read_rows(f);
		if (f->most == 0)
			rest(f);
	}
	return NULL;
}

/* ---- begin, take, end ---- */

struct feed *
feed_start(struct tocsin *t)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->t = t;
	f->most = FIRST;
	t->opening = NULL; /* the terminal is ours */
	f->state.link = TOCSIN_EUNAVAILABLE;
	f->state.since = cli_now();
	pthread_mutex_init(&f->lock, NULL);
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->fd >= 0 && pthread_create(&f->thread, NULL, run, f) == 0)
		return f;
	if (f->fd >= 0)
		close(f->fd);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

void
feed_stop(struct feed *f)
{
	if (f == NULL)
		return;
	f->stop = true;
	desk_wake(f->t->parts.desk);
	pthread_join(f->thread, NULL);
	rows_free(f->rows);
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int
feed_fd(const struct feed *f)
{
	return f->fd;
}

void
feed_take(struct feed *f, struct rows **rows, struct feed_state *state)
{
	uint64_t count;

	(void)!read(f->fd, &count, sizeof(count));
	pthread_mutex_lock(&f->lock);
	*rows = f->rows;
	f->rows = NULL;
	*state = f->state;
	pthread_mutex_unlock(&f->lock);
}
