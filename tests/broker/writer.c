/* SPDX-License-Identifier: ISC */
#include "broker/writer.h"

#include "broker/log.h"
#include "broker/value.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fixture fed;
static struct broker *sg;
static struct writer *w;

/* ---- jobs that say what happened to them ---- */

struct test_job {
	struct job job;
	enum tocsin_err says; /* apply's answer */
	unsigned spoils;      /* so many times TOCSIN_EINTERNAL before that */
	const char *name;     /* writes this value, if it says OK */
	unsigned applied;
	bool done;
	enum tocsin_err result;
	unsigned order; /* of its done() */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool gate_open = true;
static bool gate_reached;
static unsigned orders;
static unsigned commits_seen;

static enum tocsin_err
apply(struct job *job, struct batch *batch)
{
	struct test_job *t = (struct test_job *)job;

	t->applied++;
	if (t->applied <= t->spoils)
		return TOCSIN_EINTERNAL;
	if (t->says == TOCSIN_OK && t->name) {
		names_add(&batch->members, span_of(t->name));
		return value_put_u64(batch->tx, t->applied, "%s", t->name);
	}
	return t->says;
}

static void
done(struct job *job, enum tocsin_err err)
{
	struct test_job *t = (struct test_job *)job;

	pthread_mutex_lock(&lock);
	t->done = true;
	t->result = err;
	t->order = ++orders;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

/* Holds the writer until the gate is opened, so that a batch can form. */
static enum tocsin_err
gate(struct job *job, struct batch *batch)
{
	(void)job;
	(void)batch;
	pthread_mutex_lock(&lock);
	gate_reached = true;
	pthread_cond_broadcast(&moved);
	while (!gate_open)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
	return TOCSIN_OK;
}

static struct test_job gate_job;

static void
close_gate(void)
{
	gate_open = gate_reached = false;
	gate_job = (struct test_job){
		.job = { .apply = gate, .done = done },
	};
	if (writer_submit(w, &gate_job.job))
		abort();
	pthread_mutex_lock(&lock);
	while (!gate_reached)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static void
open_gate(void)
{
	pthread_mutex_lock(&lock);
	gate_open = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void
await(struct test_job *t)
{
	pthread_mutex_lock(&lock);
	while (!t->done)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static void
set(struct test_job *t, const char *name, enum tocsin_err says, unsigned spoils)
{
	*t = (struct test_job){
		.job = { .apply = apply, .done = done, .weight = 10 },
		.says = says,
		.spoils = spoils,
		.name = name,
	};
}

static uint64_t
stored(const char *name)
{
	struct store_rx *rx;
	uint64_t v;

	if (store_read(sg->store, &rx) || value_get_u64(rx, &v, "%s", name))
		abort();
	store_read_end(rx);
	return v;
}

static void
listen(void *arg, const struct batch *batch)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	commits_seen += names_has(&batch->members, span_of("t/one")) &&
			names_has(&batch->members, span_of("t/three"));
	pthread_mutex_unlock(&lock);
}

/* ---- tests ---- */

static void
test_batch(void)
{
	struct writer_stats before, after;
	struct test_job j[3];

	close_gate();
	writer_stats(w, &before);
	set(&j[0], "t/one", TOCSIN_OK, 0);
	set(&j[1], "t/two", TOCSIN_EQUOTA, 0);
	set(&j[2], "t/three", TOCSIN_OK, 0);
	for (int i = 0; i < 3; i++)
		if (writer_submit(w, &j[i].job))
			abort();
	open_gate();
	for (int i = 0; i < 3; i++)
		await(&j[i]);
	ok(j[0].result == TOCSIN_OK && j[2].result == TOCSIN_OK,
	    "jobs of a batch are done");
	is_int(j[1].result, TOCSIN_EQUOTA, "one that is refused hears why");
	ok(stored("t/one") && stored("t/three") && !stored("t/two"),
	    "what they wrote is there, and nothing of the refused one");
	ok(j[0].order < j[1].order && j[1].order < j[2].order,
	    "they hear it in their order");
	set(&j[0], NULL, TOCSIN_OK, 0);
	if (writer_call(w, &j[0].job))
		abort();
	writer_stats(w, &after);
	is_int((long long)(after.commits - before.commits), 2,
	    "what gathers during a commit is one commit");
	is_int(commits_seen, 1, "listeners hear what it touched");
}

static void
test_spoilt(void)
{
	struct test_job j[3];
	char said[1000] = "";
	int out[2];

	if (pipe(out) != 0)
		abort();
	log_open(out[1], LOG_ERROR);
	close_gate();
	set(&j[0], "s/one", TOCSIN_OK, 0);
	set(&j[1], "s/two", TOCSIN_OK, 99);
	set(&j[2], "s/three", TOCSIN_OK, 0);
	for (int i = 0; i < 3; i++)
		if (writer_submit(w, &j[i].job))
			abort();
	open_gate();
	for (int i = 0; i < 3; i++)
		await(&j[i]);
	log_open(2, LOG_ERROR);
	close(out[1]);
	is_int(j[1].result, TOCSIN_EINTERNAL,
	    "a job that spoils its transaction fails");
	ok(read(out[0], said, sizeof(said) - 1) > 0 &&
		strstr(said, "event=write-failed") != NULL &&
		strstr(said, "internal") != NULL,
	    "and the log says so, for who sent it can only wait");
	close(out[0]);
	ok(j[0].result == TOCSIN_OK && j[2].result == TOCSIN_OK &&
		stored("s/one") == 2 && stored("s/three") == 1,
	    "and its neighbours are done again without it");
	close_gate();
	set(&j[0], "s/again", TOCSIN_OK, 1);
	set(&j[1], NULL, TOCSIN_OK, 0);
	if (writer_submit(w, &j[0].job) || writer_submit(w, &j[1].job))
		abort();
	open_gate();
	await(&j[0]);
	await(&j[1]);
	ok(j[0].result == TOCSIN_OK && stored("s/again") == 2,
	    "one that spoils it once has its second try");
}

static void
test_later(void)
{
	struct test_job later, now;

	close_gate();
	set(&later, "l/later", TOCSIN_OK, 0);
	set(&now, "l/now", TOCSIN_OK, 0);
	if (writer_submit_later(w, &later.job) || writer_submit(w, &now.job))
		abort();
	open_gate();
	await(&now);
	await(&later);
	ok(stored("l/later") == 1 && later.order == now.order + 1,
	    "what can wait goes along with the next commit");
	set(&later, "l/alone", TOCSIN_OK, 0);
	if (writer_submit_later(w, &later.job))
		abort();
	await(&later);
	ok(stored("l/alone") == 1, "or has one of its own in the end");
}

static void
test_full(void)
{
	const struct writer_options *o = &sg->conf.writer;
	struct test_job *j = calloc(o->queue_jobs + 1, sizeof(*j)), heavy;
	size_t i;

	close_gate();
	for (i = 0; i <= o->queue_jobs; i++) {
		set(&j[i], NULL, TOCSIN_OK, 0);
		if (writer_submit(w, &j[i].job) != TOCSIN_OK)
			break;
	}
	is_int((long long)i, (long long)o->queue_jobs,
	    "the queue has an end: then it is busy");
	open_gate();
	while (i-- > 0)
		await(&j[i]);
	free(j);
	j = calloc(2, sizeof(*j));
	close_gate();
	set(&j[0], NULL, TOCSIN_OK, 0);
	set(&heavy, NULL, TOCSIN_OK, 0);
	heavy.job.weight = o->queue_bytes;
	is_int(writer_submit(w, &j[0].job), TOCSIN_OK, "bytes count too:");
	is_int(writer_submit(w, &heavy.job), TOCSIN_EBUSY,
	    "too many of them in the queue, and it is busy");
	open_gate();
	await(&j[0]);
	free(j);
}

static void
test_stop(void)
{
	struct test_job j;

	writer_stop(w);
	set(&j, NULL, TOCSIN_OK, 0);
	is_int(writer_submit(w, &j.job), TOCSIN_EUNAVAILABLE,
	    "a writer that was stopped takes nothing");
	ok(!j.done, "and leaves the job to its owner");
}

int
main(void)
{
	log_open(2, LOG_ERROR);
	fixture_init(&fed, "sg");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	w = sg->writer;
	writer_listen(w, listen, NULL);
	test_batch();
	test_spoilt();
	test_later();
	test_full();
	test_stop();
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}
