/* SPDX-License-Identifier: ISC */
#include "broker/writer.h"

#include "broker/answers.h"
#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/log.h"
#include "broker/receipts.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENERS 4

/* So much must fit before a full store is said to have room again. */
#define ROOM_BYTES (1024 * 1024)
#define ROOM_LOOK_MS 1000

struct writer {
	struct broker *b;
	struct writer_options opt;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* what follows, up to the blank line */
	pthread_cond_t more;
	struct job *head;
	struct job **tail;
	struct job *later; /* the newest first */
	int64_t later_ms;  /* when the first of them is due */
	size_t jobs;	   /* waiting */
	size_t bytes;
	bool stopping;
	uint64_t commits;
	uint64_t jobs_done;
	size_t nlistener; /* those before it don't change */

	struct batch batch; /* the writer's thread alone */
	bool no_room;	    /* for something, in this run */
	int64_t room_ms;    /* when to look for some, while full */
	struct {
		writer_fn *fn;
		void *arg;
	} listener[LISTENERS];
};

/* ---- a batch: one transaction ---- */

/* What leaves the transaction in doubt, rather than the job refused. */
static bool
spoils(enum tocsin_err err)
{
	return err == TOCSIN_ENOSPACE || err == TOCSIN_EINTERNAL;
}

static enum tocsin_err
batch_begin(struct writer *w)
{
	struct batch *batch = &w->batch;
	enum tocsin_err err = store_begin(w->b->store, &batch->tx);

	if (err)
		return err;
	batch->view = store_tx_view(batch->tx);
	batch->now = clock_now();
	batch->trust = trust_get(w->b->trust);
	batch->full = false;
	batch->trust_changed = false;
	names_clear(&batch->members);
	names_clear(&batch->peers);
	return TOCSIN_OK;
}

static void
batch_abort(struct writer *w)
{
	store_abort(w->batch.tx);
	receipts_drop(w->batch.receipts);
	answers_drop(w->batch.answers);
	trust_put(w->batch.trust);
	w->batch.tx = NULL;
	w->batch.trust = NULL;
}

static enum tocsin_err
apply_all(struct writer *w, struct job *jobs)
{
	struct job *j;

	for (j = jobs; j; j = j->next) {
		j->result = j->apply(j, &w->batch);
		if (spoils(j->result))
			return j->result;
	}
	return receipts_flush(w->batch.receipts, &w->batch);
}

/* It is not known what is on disk: only opening it again will tell. */
static _Noreturn void
give_up(enum tocsin_err err)
{
	log_event(LOG_ERROR, "commit-failed", LOG_ERR(err), LOG_END);
	_exit(1);
}

static enum tocsin_err
batch_try(struct writer *w, struct job *jobs)
{
	enum tocsin_err err = batch_begin(w);

	if (err == TOCSIN_EINTERNAL)
		give_up(err);
	if (err)
		return err;
	err = apply_all(w, jobs);
	w->no_room |= w->batch.full || err == TOCSIN_ENOSPACE;
	if (err) {
		batch_abort(w);
		return err;
	}
	err = store_commit(w->batch.tx);
	w->batch.tx = NULL;
	w->batch.view = NULL;
	if (err == TOCSIN_EINTERNAL)
		give_up(err);
	if (err)
		batch_abort(w);
	return err;
}

static void
tell(struct writer *w, struct job *jobs)
{
	struct job *next;
	size_t i, n;

	answers_keep(w->batch.answers);
	if (w->batch.trust_changed)
		trust_publish(w->b->trust, w->batch.trust);
	else
		trust_put(w->batch.trust);
	w->batch.trust = NULL;
	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->done(jobs, jobs->result);
	}
	pthread_mutex_lock(&w->lock);
	n = w->nlistener;
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < n; i++)
		w->listener[i].fn(w->listener[i].arg, &w->batch);
}

/* One that fails for us, not for what it brought: nobody else would see it. */
static void
refuse(struct writer *w, struct job *job, enum tocsin_err err)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);

	if (err == TOCSIN_EINTERNAL)
		log_limited(&limit, LOG_ERROR, "write-failed", LOG_ERR(err));
	w->no_room |= err == TOCSIN_ENOSPACE;
	job->done(job, err);
}

/* One by one, so that a bad job doesn't cost its neighbours. */
static void
run_singly(struct writer *w, struct job *jobs)
{
	struct job *next;
	enum tocsin_err err;

	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->next = NULL;
		err = batch_try(w, jobs);
		if (err) {
			refuse(w, jobs, err);
			continue;
		}
		broker_count(w->b, BROKER_commits);
		tell(w, jobs);
	}
}

static void
run(struct writer *w, struct job *jobs)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);
	enum tocsin_err err = batch_try(w, jobs);

	if (err == TOCSIN_OK) {
		broker_count(w->b, BROKER_commits);
		tell(w, jobs);
	} else if (jobs->next) {
		log_limited(&limit, LOG_WARN, "batch-again", LOG_ERR(err));
		run_singly(w, jobs);
	} else {
		refuse(w, jobs, err);
	}
}

/* ---- room ---- */

static void
say_room(struct writer *w, bool full)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);
	uint64_t used, most;

	store_usage(w->b->store, &used, &most);
	log_limited(&limit, full ? LOG_ERROR : LOG_WARN,
	    full ? "store-full" : "store-room", LOG_U("used", used),
	    LOG_U("limit", most));
}

/* After a run of jobs, and once a second while the store is full. */
static void
look_for_room(struct writer *w)
{
	if (w->no_room && !w->b->full) {
		w->b->full = true;
		say_room(w, true);
	}
	if (!w->b->full || (!w->no_room && clock_ms() < w->room_ms))
		return;
	if (!w->no_room && store_has_room(w->b->store, ROOM_BYTES)) {
		w->b->full = false;
		answers_forget(w->batch.answers);
		say_room(w, false);
	}
	w->no_room = false;
	w->room_ms = clock_ms() + ROOM_LOOK_MS;
}

/* ---- the queue ---- */

/* At least one job, and as many more as fit into one commit. */
static struct job *
take(struct writer *w)
{
	struct job *first = w->head, **end = &w->head;
	size_t bytes = 0;
	unsigned posts = 0;

	while (*end && (end == &w->head || (posts < w->opt.max_posts &&
					       bytes < w->opt.max_bytes))) {
		bytes += (*end)->weight;
		posts += (*end)->posts;
		w->jobs--;
		end = &(*end)->next;
	}
	w->bytes -= bytes;
	w->head = *end;
	*end = NULL;
	if (!w->head)
		w->tail = &w->head;
	return first;
}

/* What can wait goes along with what can't, or when its time has come. */
static void
move_later(struct writer *w)
{
	struct job *next;

	for (; w->later; w->later = next) {
		next = w->later->next;
		w->later->next = NULL;
		*w->tail = w->later;
		w->tail = &w->later->next;
	}
}

static void
wait_for_jobs(struct writer *w)
{
	int64_t until = w->later ? w->later_ms : INT64_MAX;
	struct timespec t;

	if (w->b->full && w->room_ms < until)
		until = w->room_ms;
	t.tv_sec = until / 1000;
	t.tv_nsec = until % 1000 * 1000000;
	if (until == INT64_MAX)
		pthread_cond_wait(&w->more, &w->lock);
	else if (w->later && clock_ms() >= w->later_ms)
		move_later(w);
	else
		pthread_cond_timedwait(&w->more, &w->lock, &t);
}

static void
refuse_rest(struct job *jobs)
{
	struct job *next;

	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->done(jobs, TOCSIN_EUNAVAILABLE);
	}
}

static void *
writer_main(void *arg)
{
	struct writer *w = arg;
	bool worked = true;
	struct job *jobs;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		if (!w->head && worked) {
			worked = false;
			pthread_mutex_unlock(&w->lock);
			store_prepare(w->b->store);
			pthread_mutex_lock(&w->lock);
			continue;
		}
		if (!w->head) {
			wait_for_jobs(w);
			if (!w->head && w->b->full) {
				pthread_mutex_unlock(&w->lock);
				look_for_room(w);
				pthread_mutex_lock(&w->lock);
			}
			continue;
		}
		worked = true;
		move_later(w);
		jobs = take(w);
		w->commits++;
		pthread_mutex_unlock(&w->lock);
		run(w, jobs);
		look_for_room(w);
		pthread_mutex_lock(&w->lock);
	}
	move_later(w);
	jobs = w->head;
	w->head = NULL;
	w->tail = &w->head;
	pthread_mutex_unlock(&w->lock);
	refuse_rest(jobs);
	return NULL;
}

static enum tocsin_err
room(const struct writer *w, const struct job *job)
{
	if (w->stopping)
		return TOCSIN_EUNAVAILABLE;
	if (w->jobs >= w->opt.queue_jobs ||
	    (w->head && w->bytes + job->weight > w->opt.queue_bytes))
		return TOCSIN_EBUSY;
	return TOCSIN_OK;
}

enum tocsin_err
writer_submit_later(struct writer *w, struct job *job)
{
	enum tocsin_err err;
	bool first = false;

	pthread_mutex_lock(&w->lock);
	err = room(w, job);
	if (!err) {
		first = w->later == NULL;
		if (first)
			w->later_ms = clock_ms() + WRITER_LATER_MS;
		job->next = w->later;
		w->later = job;
		w->jobs++;
		w->bytes += job->weight;
		w->jobs_done++;
	}
	pthread_mutex_unlock(&w->lock);
	if (first)
		pthread_cond_signal(&w->more);
	return err;
}

enum tocsin_err
writer_submit(struct writer *w, struct job *job)
{
	enum tocsin_err err;
	bool idle = false;

	job->next = NULL;
	pthread_mutex_lock(&w->lock);
	err = room(w, job);
	if (!err) {
		idle = w->head == NULL;
		*w->tail = job;
		w->tail = &job->next;
		w->jobs++;
		w->bytes += job->weight;
		w->jobs_done++;
	}
	pthread_mutex_unlock(&w->lock);
	if (idle)
		pthread_cond_signal(&w->more);
	return err;
}

/* A job around a job, whose submitter waits. */
struct call {
	struct job job;
	struct job *inner;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
	enum tocsin_err err;
};

static enum tocsin_err
call_apply(struct job *job, struct batch *batch)
{
	struct call *c = (struct call *)job;

	return c->inner->apply(c->inner, batch);
}

static void
call_done(struct job *job, enum tocsin_err err)
{
	struct call *c = (struct call *)job;

	if (c->inner->done)
		c->inner->done(c->inner, err);
	pthread_mutex_lock(&c->lock);
	c->err = err;
	c->is_done = true;
	pthread_cond_signal(&c->done);
	pthread_mutex_unlock(&c->lock);
}

enum tocsin_err
writer_call(struct writer *w, struct job *job)
{
	struct call c = {
		.job = { .weight = job->weight,
		    .posts = job->posts,
		    .apply = call_apply,
		    .done = call_done },
		.inner = job,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER,
	};
	enum tocsin_err err = writer_submit(w, &c.job);

	if (err)
		return err;
	pthread_mutex_lock(&c.lock);
	while (!c.is_done)
		pthread_cond_wait(&c.done, &c.lock);
	pthread_mutex_unlock(&c.lock);
	return c.err;
}

/* ---- life ---- */

void
writer_listen(struct writer *w, writer_fn *fn, void *arg)
{
	pthread_mutex_lock(&w->lock);
	if (w->nlistener < LISTENERS) {
		w->listener[w->nlistener].fn = fn;
		w->listener[w->nlistener++].arg = arg;
	}
	pthread_mutex_unlock(&w->lock);
}

enum tocsin_err
writer_start(
    struct writer **out, struct broker *b, const struct writer_options *opt)
{
	struct writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return TOCSIN_EINTERNAL;
	w->b = b;
	w->opt = *opt;
	w->tail = &w->head;
	w->batch.b = b;
	w->batch.receipts = receipts_new();
	w->batch.answers = answers_new(store_reserve(b->store));
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->more, &attr);
	pthread_condattr_destroy(&attr);
	if (!w->batch.receipts || !w->batch.answers ||
	    pthread_create(&w->thread, NULL, writer_main, w) != 0) {
		writer_free(w);
		return TOCSIN_EINTERNAL;
	}
	w->running = true;
	*out = w;
	return TOCSIN_OK;
}

void
writer_stop(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void
writer_free(struct writer *w)
{
	if (!w)
		return;
	if (w->running)
		writer_stop(w);
	receipts_free(w->batch.receipts);
	answers_free(w->batch.answers);
	names_release(&w->batch.members);
	names_release(&w->batch.peers);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
writer_stats(struct writer *w, struct writer_stats *out)
{
	pthread_mutex_lock(&w->lock);
	out->commits = w->commits;
	out->jobs = w->jobs_done;
	out->queued = w->jobs;
	pthread_mutex_unlock(&w->lock);
}
