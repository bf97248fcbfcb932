/* SPDX-License-Identifier: ISC */
/*
 * report.h - who had what when, and who did not: an exercise in figures
 *
 * A pure fold of signed messages and of brokers' signed receipts; a script adds
 * who was to get what, and what was expected. Each figure keeps the id of what
 * it stands on, so nobody can improve one and not be asked for it.
 *
 * Two times are known of what a player writes: when it says that it wrote, and
 * when the broker that we read from had it. The second one counts, and the
 * first stands beside it: so all players are measured by one clock, none can
 * be early by a clock that is slow, and none is earlier than what it signed but
 * where `clock` says so. A delivery has the time of the receipt of the player's
 * broker, and is never before the inject. What comes after the end is in no
 * figure; it is counted apart.
 *
 * A word belongs to each inject of its ticket that it comes after
 * (PROTOCOL.md 11.3): who answers the last of three has answered them all.
 *
 * Seconds are those of clocks on the wall; those of the exercise are `speed`
 * times as many.
 */
#ifndef TOCSIN_CLIENT_DRILL_REPORT_H
#define TOCSIN_CLIENT_DRILL_REPORT_H

#include "client/drill/script.h"
#include "client/ladder.h"

#define DRILL_CLOCK_OFF \
	60 /* seconds between two clocks that are worth a word */
#define DRILL_PLAYERS 1000
#define DRILL_ROWS 1000 /* injects */

/* What a message says of itself if it is an inject (PROTOCOL.md 8.13). */
struct drill_tag {
	const char *inject; /* its name; NULL: it is none */
	int64_t at, length; /* seconds of the exercise */
	unsigned speed;
	const char *script; /* SHA-256 of the script that it is from */
};

struct drill_message {
	struct ladder_message m; /* `to`, `ref` and all */
	const char *thread;
	const char *subject; /* or NULL */
	int64_t heard;	     /* when our broker had it */
	struct drill_tag tag;
};

/* What a cell or a sum says of one mark. */
struct drill_step {
	int64_t time; /* 0: it did not come so far */
	int64_t said; /* what was signed, by whose clock it ever was */
	const char *by;
	const char *message, *receipt; /* what it stands on: one of the two */
	bool clock;		       /* the clocks do not agree */
};

/* One inject and one player. */
struct drill_cell {
	bool meant; /* by the script, or by the message */
	bool sent;
	struct drill_step step[DRILL_MARKS];
	struct drill_step away; /* a broker turned it away, */
	const char *reason;	/* for that */
	unsigned late;		/* words that came after the end */
};

struct drill_times {
	unsigned n;
	int64_t median, p90; /* seconds */
};

/* Of the cells of a player, a nation, an inject or all. */
struct drill_sum {
	unsigned meant, sent;
	unsigned mark[DRILL_MARKS];
	unsigned asked;	 /* sent, and an answer was asked for */
	unsigned answer; /* of these, answered */
	unsigned late;
	unsigned clock; /* figures by clocks that do not agree */
	struct drill_times times[DRILL_MARKS];
};

/* The worst first: a reader looks for that. */
enum drill_state {
	DRILL_UNSENT,  /* nothing could be sent to it */
	DRILL_DEAD,    /* nothing was delivered */
	DRILL_UNREAD,  /* delivered, never opened */
	DRILL_SILENT,  /* opened, never answered */
	DRILL_PARTLY,  /* answered some of what asked */
	DRILL_WELL,    /* answered all of it */
	DRILL_UNASKED, /* nothing asked it */
	DRILL_STATES
};
extern const char *const drill_state_name[DRILL_STATES];

struct drill_member {
	const char *member;
	const char *contact; /* the script's; or NULL */
	size_t nation;	     /* its place */
	struct drill_sum sum;
	enum drill_state state;
	int64_t last; /* its last word that counts; 0: none */
};

struct drill_nation {
	const char *name;
	size_t n; /* members */
	struct drill_sum sum;
	enum drill_state state;
};

struct drill_inject {
	const char *name;
	const struct script_inject *script; /* or NULL */
	const struct drill_message *m;	    /* NULL: it was not posted */
	int64_t at;
	bool asks;
	bool other; /* posted from another script than this one */
	struct drill_sum sum;
};

enum drill_verdict { DRILL_MET, DRILL_MISSED, DRILL_OPEN, DRILL_VERDICTS };
extern const char *const drill_verdict_name[DRILL_VERDICTS];

/* One expectation and one player that it is of. */
struct drill_judged {
	size_t inject, expect, member; /* places */
	enum drill_verdict verdict;
	const struct drill_step *step; /* of the mark, in time or not */
};

/* One expectation: of each, or of any. */
struct drill_expected {
	size_t inject, expect;
	enum drill_verdict verdict;
	unsigned met, of;
};

struct drill_report {
	const char *control; /* the member */
	unsigned speed;
	int64_t begin, end; /* as injects say; 0: there is none yet */
	bool over;
	size_t ninject, nmember, nnation, njudged, nexpected;
	struct drill_inject *inject; /* by time */
	struct drill_member *member; /* by nation, then name */
	struct drill_nation *nation; /* the worst first */
	struct drill_cell *cell;     /* inject * nmember + member */
	struct drill_judged *judged;
	struct drill_expected *expected;
	unsigned verdict[DRILL_VERDICTS]; /* of expected */
	struct drill_sum sum;
	struct arena arena;
};

/*
 * What `messages` say of the exercise that `control` holds; `script` may be
 * NULL, else it outlives *out, as the messages do. ENOTFOUND: there is no
 * inject among them and no script. EINTERNAL: no memory. The caller releases.
 */
enum tocsin_err MUST_USE drill_fold(struct drill_report *out,
    const struct script *script, const char *control,
    const struct drill_message *m, size_t nm, const struct ladder_receipt *r,
    size_t nr, int64_t now);
void drill_report_release(struct drill_report *r);

struct drill_cell *drill_cell(
    const struct drill_report *r, size_t inject, size_t member);

/*
 * What a player's message says of where it stands: marks, 1 << a drill_mark,
 * and its rung as `tocsin verify` reads it (POSTED: it is no answer). Whoever
 * writes has opened the ticket, but for what a device says by itself: that a
 * program received it, which is delivery and no more, and that it was erased.
 */
struct drill_word {
	unsigned marks;
	enum tocsin_rung rung;
};
struct drill_word drill_word_of(const struct ladder_message *m);

/* How long after its inject; in seconds of the exercise. */
int64_t drill_took(
    const struct drill_report *r, size_t inject, const struct drill_step *s);

#endif
