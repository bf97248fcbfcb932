/* SPDX-License-Identifier: ISC */
/*
 * broker/writer.h, with a disk that takes time. What broker/writer.c does
 * between two waits is done here in three events: jobs are applied; after the
 * disk's time the transaction is committed, or it is not, for want of space;
 * a moment later the jobs hear of it. In between others read, and the broker
 * may die at each step.
 */
#include "broker/clock.h"
#include "broker/receipts.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define LISTENERS 4

struct writer {
	struct broker *b;
	struct node *node;
	struct writer_options opt;
	struct job *head, **tail;
	struct job *later;
	size_t jobs, bytes;
	bool scheduled; /* a commit begins soon */
	bool busy;	/* one is under way */
	bool stopping;
	struct job *taken; /* applied, or committed and not told yet */
	struct batch batch;
	struct writer_stats stats;
	size_t nlistener;
	struct {
		writer_fn *fn;
		void *arg;
	} listener[LISTENERS];
};

static void begin(void *arg);

static void
schedule(struct writer *wr)
{
	if (wr->scheduled || wr->busy || !wr->head)
		return;
	wr->scheduled = true;
	sim_soon(wr->node, begin, wr);
}

static enum tocsin_err
batch_begin(struct writer *wr)
{
	struct batch *batch = &wr->batch;
	enum tocsin_err err = store_begin(wr->b->store, &batch->tx);

	if (err)
		return err;
	batch->view = store_tx_view(batch->tx);
	batch->now = clock_now();
	batch->trust = trust_get(wr->b->trust);
	batch->trust_changed = false;
	names_clear(&batch->members);
	names_clear(&batch->peers);
	return TOCSIN_OK;
}

static void
batch_abort(struct writer *wr)
{
	store_abort(wr->batch.tx);
	receipts_drop(wr->batch.receipts);
	trust_put(wr->batch.trust);
	wr->batch.tx = NULL;
	wr->batch.trust = NULL;
}

static enum tocsin_err
batch_apply(struct writer *wr, struct job *jobs)
{
	enum tocsin_err err = batch_begin(wr);
	struct job *j;

	if (err)
		return err;
	for (j = jobs; j && !err; j = j->next) {
		j->result = j->apply(j, &wr->batch);
		if (j->result == TOCSIN_ENOSPACE ||
		    j->result == TOCSIN_EINTERNAL)
			err = j->result;
	}
	if (!err)
		err = receipts_flush(wr->batch.receipts, &wr->batch);
	if (err == TOCSIN_EINTERNAL)
		broke("a job spoilt its transaction: internal");
	if (err)
		batch_abort(wr);
	return err;
}

/* One that was applied: what comes after it is in the log, or is not. */
static enum tocsin_err
batch_commit(struct writer *wr)
{
	enum tocsin_err err;

	if (sim_us < wr->node->full_until) {
		batch_abort(wr);
		return TOCSIN_ENOSPACE;
	}
	if (mutant == LYING_DISK && chance(50)) {
		store_abort(wr->batch.tx);
		err = TOCSIN_OK;
	} else {
		err = store_commit(wr->batch.tx);
	}
	wr->batch.tx = NULL;
	wr->batch.view = NULL;
	stats.commits++;
	wr->stats.commits++;
	if (err)
		broke("a commit failed: %s", tocsin_err_name(err));
	else
		check_commit(wr->node);
	return err;
}

static void
tell(struct writer *wr, struct job *jobs)
{
	struct job *next;
	size_t i;

	if (wr->batch.trust_changed)
		trust_publish(wr->b->trust, wr->batch.trust);
	else
		trust_put(wr->batch.trust);
	wr->batch.trust = NULL;
	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->done(jobs, jobs->result);
	}
	for (i = 0; i < wr->nlistener; i++)
		wr->listener[i].fn(wr->listener[i].arg, &wr->batch);
}

/* ---- the three events ---- */

static struct job *
take(struct writer *wr)
{
	struct job *first = wr->head, **end = &wr->head;
	size_t bytes = 0;
	unsigned posts = 0;

	while (*end && (end == &wr->head || (posts < wr->opt.max_posts &&
						bytes < wr->opt.max_bytes))) {
		bytes += (*end)->weight;
		posts += (*end)->posts;
		wr->jobs--;
		end = &(*end)->next;
	}
	wr->bytes -= bytes;
	wr->head = *end;
	*end = NULL;
	if (!wr->head)
		wr->tail = &wr->head;
	return first;
}

static void
move_later(struct writer *wr)
{
	struct job *next;

	for (; wr->later; wr->later = next) {
		next = wr->later->next;
		wr->later->next = NULL;
		*wr->tail = wr->later;
		wr->tail = &wr->later->next;
	}
}

static void
told(void *arg)
{
	struct writer *wr = arg;
	struct job *jobs = wr->taken;

	wr->taken = NULL;
	wr->busy = false;
	tell(wr, jobs);
	schedule(wr);
}

/* One by one, so that a bad job doesn't cost its neighbours. */
static void
singly(struct writer *wr)
{
	struct job *jobs = wr->taken, *next;
	enum tocsin_err err;

	wr->taken = NULL;
	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->next = NULL;
		err = batch_apply(wr, jobs);
		if (!err)
			err = batch_commit(wr);
		if (err)
			jobs->done(jobs, err);
		else
			tell(wr, jobs);
	}
	schedule(wr);
}

static void
fail_or_retry(struct writer *wr, enum tocsin_err err)
{
	struct job *job = wr->taken;

	wr->busy = false;
	trace("commit: %s", tocsin_err_name(err));
	if (job && job->next) {
		singly(wr);
		return;
	}
	wr->taken = NULL;
	if (job)
		job->done(job, err);
	schedule(wr);
}

static void
commit(void *arg)
{
	struct writer *wr = arg;
	bool crash = !w.healed && chance(w.crash_at_commit);
	bool after = rnd(2) == 0;
	enum tocsin_err err;

	if (crash && !after) {
		node_crash(wr->node, "before a commit");
		return;
	}
	err = batch_commit(wr);
	if (crash && !err) {
		node_crash(wr->node, "after a commit");
		return;
	}
	if (err)
		fail_or_retry(wr, err);
	else
		sim_soon(wr->node, told, wr);
}

static void
answer_early(struct writer *wr)
{
	struct job *jobs = wr->taken, *next;

	wr->taken = NULL;
	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->done(jobs, jobs->result);
	}
}

static void
begin(void *arg)
{
	struct writer *wr = arg;
	int64_t takes = w.disk / 2 + (int64_t)rnd((uint64_t)w.disk);
	enum tocsin_err err;

	wr->scheduled = false;
	if (wr->busy || !wr->head)
		return;
	wr->busy = true;
	move_later(wr);
	wr->taken = take(wr);
	err = batch_apply(wr, wr->taken);
	if (err) {
		fail_or_retry(wr, err);
		return;
	}
	if (mutant == ANSWER_EARLY && sim_us > SECOND)
		answer_early(wr);
	if (sim_us < wr->node->slow_until)
		takes = takes > 8 * MS ? 800 * MS : 100 * takes;
	sim_at(sim_us + takes, wr->node, commit, NULL, wr);
}

static void
later_due(void *arg)
{
	struct writer *wr = arg;

	move_later(wr);
	schedule(wr);
}

/* ---- writer.h ---- */

static enum tocsin_err
room(const struct writer *wr, const struct job *job)
{
	if (wr->stopping)
		return TOCSIN_EUNAVAILABLE;
	if (wr->jobs >= wr->opt.queue_jobs ||
	    (wr->head && wr->bytes + job->weight > wr->opt.queue_bytes))
		return TOCSIN_EBUSY;
	return TOCSIN_OK;
}

static void
count(struct writer *wr, const struct job *job)
{
	wr->jobs++;
	wr->bytes += job->weight;
	wr->stats.jobs++;
}

enum tocsin_err
writer_submit(struct writer *wr, struct job *job)
{
	enum tocsin_err err = room(wr, job);

	if (err)
		return err;
	job->next = NULL;
	*wr->tail = job;
	wr->tail = &job->next;
	count(wr, job);
	schedule(wr);
	return TOCSIN_OK;
}

enum tocsin_err
writer_submit_later(struct writer *wr, struct job *job)
{
	enum tocsin_err err = room(wr, job);

	if (err)
		return err;
	if (!wr->later)
		sim_at(sim_us + WRITER_LATER_MS * MS, wr->node, later_due, NULL,
		    wr);
	job->next = wr->later;
	wr->later = job;
	count(wr, job);
	return TOCSIN_OK;
}

bool
vwriter_idle(struct writer *wr)
{
	return !wr->busy && !wr->head;
}

/* For the operator, who asks when nothing else is under way. */
enum tocsin_err
writer_call(struct writer *wr, struct job *job)
{
	enum tocsin_err err;

	MUST(vwriter_idle(wr));
	job->next = NULL;
	err = batch_apply(wr, job);
	if (!err)
		err = batch_commit(wr);
	if (err)
		return err;
	tell(wr, NULL);
	err = job->result;
	if (job->done)
		job->done(job, err);
	return err;
}

void
writer_listen(struct writer *wr, writer_fn *fn, void *arg)
{
	MUST(wr->nlistener < LISTENERS);
	wr->listener[wr->nlistener].fn = fn;
	wr->listener[wr->nlistener++].arg = arg;
}

enum tocsin_err
writer_start(
    struct writer **out, struct broker *b, const struct writer_options *opt)
{
	struct writer *wr = calloc(1, sizeof(*wr));

	MUST(wr && sim_node);
	wr->b = b;
	wr->node = sim_node;
	wr->opt = *opt;
	wr->tail = &wr->head;
	wr->batch.b = b;
	wr->batch.receipts = receipts_new();
	MUST(wr->batch.receipts);
	*out = wr;
	return TOCSIN_OK;
}

static void
refuse(struct job *jobs)
{
	struct job *next;

	for (; jobs; jobs = next) {
		next = jobs->next;
		jobs->done(jobs, TOCSIN_EUNAVAILABLE);
	}
}

/* Only ever the end of a broker that died: nobody hears the answers. */
void
writer_stop(struct writer *wr)
{
	struct job *jobs = wr->taken;

	wr->stopping = true;
	if (wr->batch.tx)
		batch_abort(wr);
	trust_put(wr->batch.trust);
	wr->batch.trust = NULL;
	wr->taken = NULL;
	refuse(jobs);
	move_later(wr);
	jobs = wr->head;
	wr->head = NULL;
	refuse(jobs);
}

void
writer_free(struct writer *wr)
{
	if (!wr)
		return;
	receipts_free(wr->batch.receipts);
	names_release(&wr->batch.members);
	names_release(&wr->batch.peers);
	free(wr);
}

void
writer_stats(struct writer *wr, struct writer_stats *out)
{
	*out = wr->stats;
	out->queued = wr->jobs;
}
