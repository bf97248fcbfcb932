/* SPDX-License-Identifier: ISC */
/*
 * due.h - what must be reported to whom by when: several clocks side by side
 *
 * A law or a procedure gives so many hours from an event on. A table in a file
 * says which clocks there are (clocks.conf in tocsin(1)); ours is built in, and
 * the operator adds to it or replaces its rows. A clock runs for a ticket if
 * its row says for which it runs by itself, or if an officer started its
 * regime. That, and that something was done, are signed messages of the
 * member's own, which go to nobody else (PROTOCOL.md 8.10); so every desk of
 * the team sees the same, and it is a pure function of the set of them.
 *
 * Pure, but for due_load(). Times are seconds since 1970; months are those of
 * the calendar, in UTC.
 */
#ifndef TOCSIN_CLIENT_DUE_H
#define TOCSIN_CLIENT_DUE_H

#include "client/tocsin.h"
#include "crypto/buf.h"

#define DUE_NAME 64
#define DUE_CLOCKS 128
#define DUE_FILE_MAX (256 * 1024)

enum due_start {
	DUE_OCCURRED,
	DUE_DETECTED,
	DUE_REPORTED,
	DUE_OPENED,
	DUE_RECEIVED,
	DUE_STARTS
};

struct due_clock {
	char name[DUE_NAME + 1]; /* "nis2/early-warning": regime/step */
	char text[128];
	enum due_start start;
	char after[DUE_NAME + 1]; /* starts when that one is done; or "" */
	int64_t seconds;
	unsigned months;
	char precedence[128]; /* runs by itself for these words; or "" */
	char severity[256];
	bool always;
};

struct due_table {
	struct due_clock clock[DUE_CLOCKS];
	size_t n;
};

/* What a fault in a table is, with its line. */
struct due_fault {
	unsigned line;
	char what[160];
};

/* Adds to the table; a row of a known name takes its place. EMALFORMED. */
enum tocsin_err MUST_USE due_parse(
    struct due_table *t, struct span text, struct due_fault *f);

/* The built-in rows as text. */
extern const char due_builtin[];

/*
 * The built-in rows, then /etc/tocsin/clocks.conf and clocks.conf of the home,
 * as far as they are there. A fault leaves what came before it; *file says
 * whose it is.
 */
enum tocsin_err MUST_USE due_load(
    struct due_table *t, const char *home, struct due_fault *f, char file[600]);

/* The same day so many months later, or the last one of that month. */
int64_t due_add_months(int64_t t, unsigned months);

struct due_ticket {
	int64_t start[DUE_STARTS]; /* 0: not said, then the next one counts */
	const char *precedence;
	const char *severity; /* "GB/T 20986:II", or NULL */
};

/* A word of our own member about a clock. */
struct due_mark {
	const char *id;	   /* of the message, to decide between equals */
	int64_t said;	   /* when */
	const char *start; /* a regime that runs from `at` on; or NULL */
	const char *stop;  /* one that does not apply; or NULL */
	const char *done;  /* a clock whose duty was done at `at`; or NULL */
	int64_t at; /* 0: when it was said; of a start, as the row says */
};

/* Those that run, the next first; the caller frees. EINTERNAL: no memory. */
enum tocsin_err MUST_USE due_fold(struct tocsin_deadline **out, size_t *n,
    const struct due_table *t, const struct due_ticket *ticket,
    const struct due_mark *mark, size_t nmark);

#endif
