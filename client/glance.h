/* SPDX-License-Identifier: ISC */
/*
 * glance.h - what a list shows of each thread, without opening it again
 *
 * Where a thread stands is a fold of all its messages, and each must be opened
 * and judged for that: a desk of 10,000 tickets would take a minute to list. So
 * the result is kept beside them, sealed (memo.h), until a change of the thread
 * makes the desk forget it (desk.h); then the next list folds that one thread
 * anew. It is a memory and nothing else: what is absent, damaged, of another
 * version, or of another table of clocks is folded, and says the same.
 *
 * A glance has nothing that depends on the time: places are never overdue in
 * it; glance_overdue() says whether one is.
 *
 * What does change without a change of the thread is read each time: how much
 * of an attachment is here, and what is coming.
 */
#ifndef TOCSIN_CLIENT_GLANCE_H
#define TOCSIN_CLIENT_GLANCE_H

#include "client/arena.h"
#include "client/handle.h"

struct glance_place {
	struct tocsin_place p; /* without its steps, and not overdue */
	int64_t answered;      /* when it first wrote an answer; or 0 */
	int64_t opened;	       /* when a person or bot of it first did; or 0 */
};

/* What a rule of our team did, or says it will do (PROTOCOL.md 8.12). */
struct glance_record {
	const char *id;	    /* of the action */
	const char *by;	    /* device */
	const char *member; /* its */
	const char *message;
	int64_t time;
	uint64_t at;   /* in our broker's log; 0: not there yet */
	bool claim;    /* else it is an action that was done */
	int64_t until; /* of a claim */
};

/* Strings, and what *m points to, are in the arena that was given. */
struct glance {
	struct tocsin_message *m; /* what stands for the thread: without text
				     and json */
	bool closed;
	unsigned escalated;
	const char *clock; /* the deadline that comes first; or NULL */
	int64_t due;
	size_t nplace;
	struct glance_place *place;
	size_t messages; /* that are here */
	int64_t latest;	 /* when the last came */
	const char *severity, *outlook;

	/* For rules; each ends with NULL, or is NULL. */
	const char *classification, *pap; /* "malicious-code:c2-server" */
	const char *const *labels, *const *sectors;
	const char *precedence; /* the highest that a message of it has */
	int64_t occurred, detected, reported;
	int64_t turned; /* when it was closed or reopened last; or 0 */
	size_t ndeadline;
	struct tocsin_deadline *deadline; /* the next first, without text */
	size_t nrecord;
	struct glance_record *record; /* of our own member, as they came */
	const char *resolution;	      /* of the close that counts; or NULL */

	struct span words; /* its gist (gist.h), if that was asked for */
};

bool glance_overdue(
    const struct glance *g, const struct tocsin_place *p, int64_t now);

/*
 * All threads in the order of tocsin_tickets(), a row of its own for each
 * damaged message among them, and apart the tickets that are coming. What had
 * to be folded is kept, as far as the disk and other processes let it.
 */
struct glances {
	size_t n, room;
	struct glance *glance;
	size_t left;
	struct tocsin_list *coming;
	struct arena arena;
};
/* The caller releases, after a failure too. */
enum tocsin_err MUST_USE glances_load(struct tocsin *t, struct glances *out);

/*
 * The same, but no more than `most` threads are folded that are not
 * remembered, if it is not 0; out->left says how many are not there for that.
 * They are in one that is loaded after it.
 */
enum tocsin_err MUST_USE glances_load_some(
    struct tocsin *t, size_t most, struct glances *out);
void glances_release(struct glances *g);

/*
 * Thread by thread, without all of them in memory at once: wants() is asked of
 * each, in the order of their ids, with a number that is another one after each
 * change; what it wants is folded, if it is not remembered, and given to
 * take(), in any order. The glance dies when take() returns, which may not
 * write to the desk. Either returns false to end it all, with EINTERNAL.
 */
struct glance_each {
	void *arg;
	bool words; /* each with its gist */
	bool (*wants)(void *arg, const uint8_t thread[32], uint64_t stamp);
	bool (*take)(
	    void *arg, const uint8_t thread[32], const struct glance *g);
};
enum tocsin_err MUST_USE glances_each(
    struct tocsin *t, const struct glance_each *each);

/*
 * One thread, as it stood at a time: of the messages that had come to our
 * broker by then, INT64_MAX: of all. NOTFOUND: there was none. *out has it
 * first, with its gist if `words`, and is released by the caller.
 */
enum tocsin_err MUST_USE glance_at(struct tocsin *t, const uint8_t thread[32],
    int64_t until, bool words, struct glances *out);

/* ---- their words ---- */

/* Reads threads' gists (gist.h) in one snapshot of the desk. */
struct gists;
enum tocsin_err MUST_USE gists_begin(struct gists **out, struct tocsin *t);
void gists_end(struct gists *g); /* NULL is ok */

/* Of a thread; dies with the next one. Folds it if there is none. */
enum tocsin_err MUST_USE gists_of(
    struct gists *g, const char *thread, struct span *out);

#endif
