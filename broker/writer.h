/* SPDX-License-Identifier: ISC */
/*
 * writer.h - the one thread that commits
 *
 * Whoever wants to change the store hands in a job. The writer takes what has
 * gathered, applies it in one transaction, commits, which syncs, and only then
 * tells the jobs how they fared: while one commit syncs, the next batch forms
 * by itself.
 *
 *	submit -> [queue] -> apply of each, one transaction -> commit
 *				-> done of each -> listeners
 *
 * apply() runs in the writer's thread. It checks first and writes then, so that
 * a job that is refused leaves nothing behind; what it returns is handed to
 * done(). TOCSIN_ENOSPACE and TOCSIN_EINTERNAL say that the transaction is
 * spoilt: the batch is then done again job by job, so apply() may run twice and
 * must keep its effects in the transaction, in the batch, or in the job.
 *
 * done() runs in the writer's thread after the commit, or after it is certain
 * that the job changes nothing. The job is the submitter's again then. It may
 * submit, and must not wait.
 *
 * A commit that fails otherwise than for space leaves unknown what is on disk:
 * the process ends at once and is restarted, since the log is the truth.
 *
 * When something found no room the broker is full, b->full. The writer looks
 * for room once a second then, so nobody has to ask for it to be noticed.
 */
#ifndef TOCSIN_BROKER_WRITER_H
#define TOCSIN_BROKER_WRITER_H

#include "broker/names.h"
#include "broker/store.h"

struct answers;
struct broker;
struct receipts;
struct trust;
struct writer;

/* What the jobs of one commit share. */
struct batch {
	struct broker *b;
	struct store_tx *tx;
	struct store_rx *view; /* the transaction as it stands */
	int64_t now;	       /* seconds of UTC */
	struct trust *trust;   /* with what this batch changed; see trust.h */
	struct receipts *receipts;
	struct answers *answers;
	bool full; /* something of it found no room but in the reserve */
	bool trust_changed;
	struct names members; /* whose mailbox grew; "*" is everybody's */
	struct names peers;   /* whose outbox grew */
};

struct job {
	struct job *next; /* the writer's while it has the job */
	size_t weight;	  /* bytes that it will write, about */
	unsigned posts;	  /* entries that it will append, about */
	enum tocsin_err (*apply)(struct job *, struct batch *);
	void (*done)(struct job *, enum tocsin_err);
	enum tocsin_err result; /* the writer's */
};

struct writer_options {
	size_t queue_jobs;  /* waiting at most; beyond, TOCSIN_EBUSY */
	size_t queue_bytes; /* the same, by weight */
	unsigned max_posts; /* of one commit; 200 */
	size_t max_bytes;   /* of one commit; 1 MiB */
};

MUST_USE enum tocsin_err writer_start(
    struct writer **out, struct broker *b, const struct writer_options *opt);

/* From any thread, never waits. TOCSIN_EBUSY, or TOCSIN_EUNAVAILABLE once
 * stopping; then the job stays the caller's and done() is not called. */
MUST_USE enum tocsin_err writer_submit(struct writer *w, struct job *job);

/*
 * The same for what is not urgent: it goes with the next commit, or has one of
 * its own after WRITER_LATER_MS.
 */
#define WRITER_LATER_MS 50
MUST_USE enum tocsin_err writer_submit_later(struct writer *w, struct job *job);

/* The same, and wait until it is done; never from an nng callback. */
MUST_USE enum tocsin_err writer_call(struct writer *w, struct job *job);

/*
 * Called in the writer's thread after each commit, when the done() of its jobs
 * have run: what it touched is in the batch, and its transaction is over. Must
 * not wait.
 */
typedef void writer_fn(void *arg, const struct batch *batch);
void writer_listen(struct writer *w, writer_fn *fn, void *arg);

/*
 * Refuse new jobs, finish the commit that is under way, answer what is queued
 * with TOCSIN_EUNAVAILABLE and join the thread.
 */
void writer_stop(struct writer *w);
void writer_free(struct writer *w);

struct writer_stats {
	uint64_t commits; /* begun */
	uint64_t jobs;	  /* taken into the queue */
	uint64_t queued;  /* now */
};
void writer_stats(struct writer *w, struct writer_stats *out);

#endif
