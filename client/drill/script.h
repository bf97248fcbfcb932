/* SPDX-License-Identifier: ISC */
/*
 * script.h - what happens when in an exercise, as its control has written it
 *
 * A readable file: who plays and how they are reached, and the injects, each
 * with its time after the start, whom it is for, what it says and what control
 * expects of it (tocsin(1), DRILL SCRIPTS). Lines are `key = value` in sections
 * that begin with a line in brackets; a text goes on in indented lines.
 *
 *	[drill]
 *	title = Tabletop 2026
 *	exercise = tabletop-2026
 *	length = 4h
 *
 *	[player mycert@my]
 *	contact = duty officer, +60 0000 0000
 *
 *	[inject phishing]
 *	at = T+5m
 *	to = all
 *	tlp = GREEN
 *	subject = Mails in the name of the ministry
 *	ackby = 30m
 *	expect = accepted within 30m
 *	text =
 *		Since this morning ...
 *
 * script_parse() is pure: it knows no clock and opens no file. A fault has its
 * line, and the right word where there is a near one. What is taken is whole:
 * all names are of players, all times within the length, injects in the order
 * of their times. Times are seconds after the start.
 */
#ifndef TOCSIN_CLIENT_DRILL_SCRIPT_H
#define TOCSIN_CLIENT_DRILL_SCRIPT_H

#include "client/arena.h"
#include "crypto/ticket.h"

#define SCRIPT_FILE_MAX ((size_t)512 * 1024)
#define SCRIPT_PLAYERS 200 /* and control is to each inject too */
#define SCRIPT_INJECTS 256
#define SCRIPT_EXPECTS 8
#define SCRIPT_FILES 8
#define SCRIPT_TITLE 160
#define SCRIPT_TEXT (64 * 1024)
#define SCRIPT_LENGTH (60 * 86400)

/* How far a player comes with an inject, as control sees it. */
enum drill_mark {
	DRILL_DELIVERED, /* its broker says that a device has it */
	DRILL_OPENED,	 /* it said so, or anything else */
	DRILL_ACCEPTED,
	DRILL_REFUSED,
	DRILL_ANSWERED, /* accepted, refused, deferred, at work, a result */
	DRILL_RESULT,
	DRILL_ESCALATED,
	DRILL_CLOSED,
	DRILL_MARKS
};
extern const char *const drill_mark_name[DRILL_MARKS];

struct script_player {
	const char *member;  /* mycert@my */
	const char *name;    /* of the team; NULL: none is given */
	const char *contact; /* how it is reached; or NULL */
	unsigned line;
};

struct script_expect {
	enum drill_mark mark;
	int64_t within; /* seconds after the inject; 0: until the end */
	bool any;	/* one of `by` suffices; else each of them */
	size_t n;
	const size_t *by; /* places in the list of players, ascending */
	unsigned line;
};

/* Strings that are not given are NULL; what has a default has it. */
struct script_inject {
	const char *name;
	int64_t at;
	const char *kind;
	const struct script_inject *in; /* in whose ticket; NULL: its own */
	size_t n;
	const size_t *to; /* places in the list of players, ascending */
	const char *tlp, *precedence, *severity, *classification;
	int64_t ackby; /* seconds after it; 0: no answer is asked for */
	const char *subject, *text;
	size_t nfile;
	const char *file[SCRIPT_FILES];
	size_t nexpect;
	struct script_expect expect[SCRIPT_EXPECTS];
	const char *note; /* for control alone */
	unsigned line;

	/* While it is read: names as they were typed. */
	const char *typed_in, *typed_to, *typed_by[SCRIPT_EXPECTS];
	unsigned line_in, line_to;
};

struct script {
	const char *title, *exercise;
	int64_t start;	/* 1970; 0: when control says so */
	int64_t length; /* seconds */
	size_t nplayer;
	struct script_player *player;
	size_t ninject;
	struct script_inject *inject; /* by time, then as they stand there */
	uint8_t hash[32];	      /* SHA-256 of the file */
	struct arena arena;
};

struct script_fault {
	unsigned line; /* 0: the script as a whole */
	char what[240];
};

/* EMALFORMED with *f, EINTERNAL. The caller releases, after a failure too. */
enum tocsin_err MUST_USE script_parse(
    struct script *out, struct span file, struct script_fault *f);
void script_release(struct script *s);

/* The place of a player in the list; SIZE_MAX: none has that name. */
size_t script_player(const struct script *s, struct span member);

/* The inject of that name, or NULL. */
const struct script_inject *script_inject(
    const struct script *s, const char *name);

/* Whether an answer is asked for: no update asks, nor does a close. */
bool script_asks(const struct script_inject *i);

/* "T+1h05m" of 3900; "T+0". */
void script_at(char out[24], int64_t seconds);

/* "1h30m", "45s"; false: it is none. Not more than SCRIPT_LENGTH. */
bool script_span(struct span typed, int64_t *out);

#endif
