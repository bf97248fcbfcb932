/* SPDX-License-Identifier: ISC */
#include "broker/patrol.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/log.h"
#include "broker/value.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS 1000 /* a start has better to do */
#define LOOK_MS 60000 /* whether a round is due */
#define SHARE 10      /* one part of this of the time */

struct patrol {
	struct broker *b;
	pthread_t thread;
	bool running;

	/* the thread's */
	struct store_place at;
	int64_t keep_ms; /* when the place is kept next */
	bool more;	 /* the last round was to be followed by another */

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t wake;
	bool stop;
	int64_t began; /* UTC */
	struct patrol_status shown;
};

/* ---- what is kept ---- */

struct keep {
	struct job job;
	const struct store_place *at;
	const struct patrol *p;
};

static enum tocsin_err
keep_apply(struct job *job, struct batch *batch)
{
	const struct keep *k = (const struct keep *)job;
	const struct patrol_status *s = &k->p->shown;
	struct buf round = { 0 }, done = { 0 };
	enum tocsin_err err = TOCSIN_EBUSY;

	buf_u8(&round, s->walking);
	buf_u64(&round, (uint64_t)k->p->began);
	buf_u64(&round, s->bytes);
	buf_u64(&round, s->found);
	buf_u64(&done, (uint64_t)s->done);
	buf_u64(&done, s->done_found);
	if (buf_ok(&round) && buf_ok(&done))
		err = value_put(batch->tx, (struct span){ k->at->p, k->at->n },
		    "patrol/at");
	if (!err)
		err = value_put(batch->tx, buf_span(&round), "patrol/round");
	if (!err)
		err = value_put(batch->tx, buf_span(&done), "patrol/done");
	buf_release(&round);
	buf_release(&done);
	return err;
}

/* Only the thread writes what is shown, so it may be read here. */
static void
keep(struct patrol *p)
{
	struct keep k = { .job = { .weight = 512, .apply = keep_apply },
		.at = &p->at,
		.p = p };

	p->keep_ms = clock_ms() + PATROL_KEEP_MS;
	if (writer_call(p->b->writer, &k.job) != TOCSIN_OK)
		return; /* after a restart it looks twice */
}

static void
load_round(struct patrol *p, struct store_rx *rx)
{
	struct span value;
	struct rd r;

	if (value_get(rx, &value, "patrol/round") != TOCSIN_OK)
		return;
	r = rd_init(value);
	p->shown.walking = rd_u8(&r) == 1;
	p->began = (int64_t)rd_u64(&r);
	p->shown.bytes = rd_u64(&r);
	p->shown.found = rd_u64(&r);
	if (!p->shown.walking || value_get(rx, &value, "patrol/at") ||
	    value.n > sizeof(p->at.p))
		return;
	if (value.n > 0)
		memcpy(p->at.p, value.p, value.n);
	p->at.n = value.n;
}

static void
load(struct patrol *p)
{
	struct store_rx *rx;
	struct span value;
	struct rd r;

	if (store_read(p->b->store, &rx) != TOCSIN_OK)
		return;
	load_round(p, rx);
	if (value_get(rx, &value, "patrol/done") == TOCSIN_OK) {
		r = rd_init(value);
		p->shown.done = (int64_t)rd_u64(&r);
		p->shown.done_found = rd_u64(&r);
	}
	store_read_end(rx);
}

/* ---- rounds ---- */

/* A clock that was ahead, and is right again, is no reason to wait. */
static bool
is_due(const struct patrol *p)
{
	int64_t now = clock_now();

	return p->shown.done == 0 || p->more || now < p->began ||
	       now - p->began >= p->b->conf.check;
}

static void
begin(struct patrol *p)
{
	memset(&p->at, 0, sizeof(p->at));
	pthread_mutex_lock(&p->lock);
	p->began = clock_now();
	p->shown.walking = true;
	p->shown.bytes = p->shown.found = 0;
	pthread_mutex_unlock(&p->lock);
	keep(p);
}

/*
 * The mender keeps STORE_DAMAGED_MAX in mind. Where there is more, another
 * round finds the rest, as long as each finds less than the one before.
 */
static bool
wants_more(const struct patrol *p)
{
	uint64_t found = p->shown.found;

	return found >= STORE_DAMAGED_MAX &&
	       (!p->more || found < p->shown.done_found);
}

static void
end(struct patrol *p)
{
	int64_t now = clock_now();

	p->more = wants_more(p);
	log_event(p->shown.found > 0 ? LOG_WARN : LOG_INFO, "store-checked",
	    LOG_U("bytes", p->shown.bytes), LOG_U("found", p->shown.found),
	    LOG_I("seconds", now - p->began), LOG_END);
	memset(&p->at, 0, sizeof(p->at));
	pthread_mutex_lock(&p->lock);
	p->shown.walking = false;
	p->shown.done = now > 0 ? now : 1;
	p->shown.done_found = p->shown.found;
	pthread_mutex_unlock(&p->lock);
	keep(p);
}

static void
finding(void *arg, const struct store_finding *f)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);
	struct patrol *p = arg;

	pthread_mutex_lock(&p->lock);
	p->shown.found++;
	pthread_mutex_unlock(&p->lock);
	if (f->part)
		log_limited(&limit, LOG_ERROR, "part-damaged",
		    LOG_X("hash", ((struct span){ f->part, 32 })), LOG_END);
	else if (f->fetched)
		log_limited(&limit, LOG_ERROR, "entry-damaged",
		    LOG_U("seq", f->seq), LOG_END);
	else
		log_limited(&limit, LOG_ERROR, "row-damaged",
		    LOG_U("seq", f->seq), LOG_Z("what", f->what),
		    LOG_Z("todo", f->todo), LOG_END);
}

/* One step; how long to pause then. */
static int64_t
step(struct patrol *p)
{
	int64_t before = clock_ms(), took, pause;
	size_t bytes = PATROL_STEP;
	enum tocsin_err err;

	err = store_check(p->b->store, &p->at, &bytes, finding, p);
	if (err && err != TOCSIN_ENOTFOUND)
		return LOOK_MS;
	pthread_mutex_lock(&p->lock);
	p->shown.bytes += bytes;
	pthread_mutex_unlock(&p->lock);
	took = clock_ms() - before;
	if (err) {
		end(p);
		return FIRST_MS;
	}
	if (clock_ms() >= p->keep_ms)
		keep(p);
	pause = (int64_t)bytes * 1000 / PATROL_RATE;
	return pause < (SHARE - 1) * took ? (SHARE - 1) * took : pause;
}

static int64_t
turn(struct patrol *p)
{
	int64_t left;

	if (p->shown.walking)
		return step(p);
	if (is_due(p)) {
		begin(p);
		return 0;
	}
	left = p->b->conf.check - (clock_now() - p->began);
	return left < LOOK_MS / 1000 ? 1000 * left : LOOK_MS;
}

/* ---- life ---- */

/* False: it is to stop. */
static bool
pause_ms(struct patrol *p, int64_t ms)
{
	int64_t at = clock_ms() + ms;
	struct timespec t = { .tv_sec = (time_t)(at / 1000),
		.tv_nsec = (long)(at % 1000) * 1000000 };
	bool stop;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &t) == 0)
		;
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return !stop;
}

static void *
patrol_main(void *arg)
{
	struct patrol *p = arg;
	int64_t wait = FIRST_MS;

	while (pause_ms(p, wait))
		wait = turn(p);
	return NULL;
}

enum tocsin_err
patrol_start(struct patrol **out, struct broker *b)
{
	struct patrol *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		return TOCSIN_EINTERNAL;
	p->b = b;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
	load(p);
	if (b->conf.check > 0 &&
	    pthread_create(&p->thread, NULL, patrol_main, p) != 0) {
		patrol_free(p);
		return TOCSIN_EINTERNAL;
	}
	p->running = b->conf.check > 0;
	*out = p;
	return TOCSIN_OK;
}

void
patrol_stop(struct patrol *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
}

void
patrol_free(struct patrol *p)
{
	if (!p)
		return;
	if (p->running)
		patrol_stop(p);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
patrol_status(struct patrol *p, struct patrol_status *out)
{
	pthread_mutex_lock(&p->lock);
	*out = p->shown;
	pthread_mutex_unlock(&p->lock);
	out->walking = out->walking && p->b->conf.check > 0;
}
