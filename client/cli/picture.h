/* SPDX-License-Identifier: ISC */
/*
 * picture.h - the situation in figures
 *
 * Of tickets, as rows of values, the figures that a room of people looks at:
 * what is open, what waits for an answer and what is overdue, per nation and
 * precedence; how old it is; how fast nations answer. Exercises are counted
 * apart and never among the others. Pure: rows and a time in, figures out.
 *
 * Tickets are counted, not messages and not members. A ticket
 *
 *	is open		until who asked closes it, or takes it back;
 *	waits		if it is open and somebody that it asked has not
 *			answered;
 *	is overdue	if it waits for somebody whose time is over.
 *
 * What was closed before the last PICTURE_WINDOW seconds is history, and in no
 * figure.
 *
 * For a nation the same is asked of its own members alone, so a ticket may wait
 * for one nation and not for another. Who opened a ticket does not ask itself.
 * What a nation's broker turned away waits for nobody: no answer will come. It
 * is counted as turned away.
 *
 * An answer's time runs from when it was last asked for (a ticket that is taken
 * up again asks anew) to the first answer after that. The figures are of what
 * was asked in the last PICTURE_WINDOW seconds, of closed tickets too. The
 * median of an even number is the mean of the two in the middle, rounded down;
 * p90 is the nearest rank: nine of ten took no longer. Who has not answered yet
 * is in neither; that is what `longest` is for.
 */
#ifndef TOCSIN_CLI_PICTURE_H
#define TOCSIN_CLI_PICTURE_H

#include "crypto/ticket.h"

#define PICTURE_DAY 86400
#define PICTURE_WINDOW (30 * PICTURE_DAY)
#define PICTURE_WORDS 40 /* more than any vocabulary here has */
#define PICTURE_NAMES 4	 /* of exercises that are named */

/* One member that a ticket asks. */
struct picture_place {
	const char *member; /* mycert@my */
	int64_t asked;
	int64_t answered; /* 0: not yet */
	int64_t ackby;	  /* 0: no time was named */
	bool turned_away; /* by a broker, so that it never came there */
	bool taken_back;  /* nothing is expected any more */
};

/* Words are those of vocab.h, or NULL; they are not looked into. */
struct picture_ticket {
	const char *from; /* member */
	int64_t opened;
	int64_t closed; /* 0: open */
	enum ticket_precedence precedence;
	enum ticket_tlp tlp;  /* the narrowest of its messages */
	const char *exercise; /* its name; NULL: live */
	const char *severity; /* "GB/T 20986:II"; NULL: not said */
	const char *outlook;  /* "worsening"; NULL: not said */
	bool escalated;
	const struct picture_place *place;
	size_t n;
};

struct picture_count {
	unsigned open, waiting, overdue;
};

/* How long answers took, in seconds; of none if n is 0. */
struct picture_times {
	unsigned n;
	int64_t median, p90;
};

struct picture_nation {
	char name[NATION_MAX + 1];
	struct picture_count all; /* of tickets that ask it */
	struct picture_count level[TICKET_PRECEDENCES];
	unsigned raised;      /* open tickets that its members opened */
	unsigned turned_away; /* open ones that its broker turned away */
	int64_t longest;      /* for how long the oldest waits; -1: none does */
	struct picture_times times;
};

/* Open tickets that are younger than .. each; the last has all others. */
#define PICTURE_AGES 7
extern const struct picture_age {
	int64_t below; /* seconds; 0: no limit */
	const char *says;
} picture_age[PICTURE_AGES];

/* Live tickets, or those of exercises. */
struct picture_side {
	unsigned tickets; /* that are in the figures, open or closed */
	struct picture_count all;
	struct picture_count level[TICKET_PRECEDENCES];
	unsigned escalated;	/* open ones */
	unsigned turned_away;	/* open ones, by any broker */
	unsigned opened, ended; /* in the last day */
	unsigned age[PICTURE_AGES][TICKET_PRECEDENCES];
	/* Open ones by the words of vocab.h, in its order; then others. */
	unsigned severity[PICTURE_WORDS];
	unsigned severity_other, severity_unsaid;
	unsigned outlook[PICTURE_WORDS];
	unsigned outlook_other, outlook_unsaid;
	struct picture_times times;
	struct picture_nation *nation; /* those with an overdue ticket first,
					  then those that are waited for */
	size_t nnation;
	const char *name[PICTURE_NAMES]; /* of exercises: the rows' strings */
	size_t nname;
	bool more_names;
};

struct picture {
	int64_t at;
	struct picture_side live, exercise;
	enum ticket_tlp tlp; /* the narrowest of all that is counted; of
				nothing, CLEAR */
};

/* EINTERNAL: no memory. The caller releases, after a failure too. */
enum tocsin_err MUST_USE picture_make(struct picture *out,
    const struct picture_ticket *ticket, size_t n, int64_t now);
void picture_release(struct picture *p);

#endif
