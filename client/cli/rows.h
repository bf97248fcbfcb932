/* SPDX-License-Identifier: ISC */
/*
 * rows.h - the tickets of a desk, each as one row: where it stands for us
 *
 * What inbox prints a line of, desk a list and board a picture: of each ticket
 * the message that stands for it, a word for its state, whose answer is missing
 * or late, the deadline that comes next, and what is still to come. A row is a
 * fold of all that the desk has of the thread; what depends on the time depends
 * on the `now` that the rows were loaded for.
 *
 *	struct rows_filter f = { .unacked = true };
 *	struct rows *rows = NULL;
 *	enum tocsin_err err = rows_load(t, &f, cli_now(), &rows);
 *
 *	for (i = 0; err == TOCSIN_OK && i < rows->n; i++)
 *		... rows->row[i].m->subject ...
 *	rows_free(rows);
 *
 * All of it belongs to the rows and dies with them; the handle may be used, and
 * change, meanwhile. Strings of others are hostile (print.h).
 */
#ifndef TOCSIN_CLI_ROWS_H
#define TOCSIN_CLI_ROWS_H

#include "client/cli/cli.h"

struct json_t;

/* One recipient of a ticket. */
struct row_place {
	struct tocsin_place p; /* without its steps: nstep is 0 */
	int64_t answered; /* when it first wrote that it accepts, refuses, ...;
			     0: never */
	bool counts;	  /* its answer is one that concerns us: of a ticket of
			     ours each, of another's our own */
};

struct row {
	/* What opened it, or the oldest that is here, or what is coming. Its
	   text and its json are NULL, also where there is some. */
	const struct tocsin_message *m;
	bool mine;	   /* our member opened it */
	const char *state; /* rows_states[], or a rung's name */
	bool late;	   /* an answer that concerns us is overdue */
	bool unacked;	   /* ... or was not given yet, overdue or not */
	bool closed;
	unsigned escalated; /* how often */
	const char *clock; /* the deadline that comes first or was missed, of */
	int64_t due;	   /* those not done; NULL: there is none */
	size_t nplace;
	const struct row_place *place; /* of a nation together */
	size_t ncoming;		       /* bodies that are still to come of it */
	const struct tocsin_message *const *coming;
	const char *own; /* what of ours it names, if that was asked; or NULL */
	size_t messages; /* of the thread, that are here */
	int64_t latest;	 /* when the last of them came here */
	/* As its first message says; or NULL. */
	const char *severity; /* "GB/T 20986:II" */
	const char *outlook;  /* "worsening" */
};

struct rows {
	size_t n;
	struct row *row; /* the newest last, those that are coming behind */
	size_t left; /* tickets that were not opened, for rows_filter.most */
};

/* The states that are no rungs' names; ends with NULL. */
extern const char *const rows_states[];

/* Which rows; all of what is set must hold. */
struct rows_filter {
	struct list states;  /* any of these words; none: all */
	struct list senders; /* any of "mycert@my", "@my"; none: all */
	const char *tlp;     /* "AMBER"; or NULL */
	int64_t since;	     /* of its first message; 0: ever */
	bool mine, unacked, overdue;
	bool own;	   /* networks or domains of ours are in it (own.h) */
	size_t most;	   /* tickets that are opened anew; 0: all */
	const char *typed; /* what --since was given */
};

/*
 * A filter's options, for cli_options(): ROWS_OPTIONS rows of a table, whose
 * end is the caller's. After it has read them, rows_filter_good() makes words
 * of what was typed; false with a sentence: the command returns 2.
 */
#define ROWS_OPTIONS 8
void rows_options(struct opt *out, struct rows_filter *f);
bool rows_filter_good(struct rows_filter *f);
bool rows_filter_judge(struct rows_filter *f, char why[256]); /* silently */

/*
 * NULL for all. *out is set on success only. Fails as the calls of tocsin.h do,
 * with tocsin_error(). Nothing is fetched: sync before.
 */
enum tocsin_err MUST_USE rows_load(struct tocsin *t,
    const struct rows_filter *f, int64_t now, struct rows **out);
void rows_free(struct rows *rows); /* NULL is ok */

/* A row for programs, with the members that tocsin(1) lists for inbox. */
struct json_t *rows_json(const struct row *r);

#endif
