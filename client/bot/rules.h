/* SPDX-License-Identifier: ISC */
/*
 * rules.h - what a bot shall do by itself, as an officer wrote it down
 *
 * tocsin-rules(5) is the language. rules_parse() reads a file of it into the
 * structs below, or says of each fault where it is, what it is, and what would
 * be right. Nothing half understood is ever kept: with one fault there are no
 * rules.
 *
 * Pure, but for what the caller gives it: rules_parse() asks `io` for the files
 * that a rules file names and for time zones, so that tests and fuzzing need
 * neither. Whose bytes they are does not matter; sizes, depths and counts have
 * bounds, and what is beyond one is a fault.
 *
 * All strings belong to the rules. They are never changed after rules_parse(),
 * so threads may share them.
 */
#ifndef TOCSIN_CLIENT_BOT_RULES_H
#define TOCSIN_CLIENT_BOT_RULES_H

#include "client/arena.h"
#include "client/bot/facts.h"
#include "crypto/buf.h"

#define RULES_FILE_MAX (256 * 1024) /* of rules; rosters: DUTY_FILE_MAX */
#define RULES_NAME 32		    /* of a rule, hook, chain ... */
#define RULES_MAX 200		    /* rules, and of each other section */
#define RULES_STEPS 32		    /* of a rule */
#define RULES_ACTIONS 8		    /* of a step */
#define RULES_TURNS 100		    /* `again` at most so often */
#define RULES_TEXT 2000		    /* bytes of a text */
#define RULES_FAULTS 20		    /* that are told at once */
#define RULES_CLAIM 120		    /* seconds, of a claim; see `claim` */

struct rules_fault {
	char file[256];	 /* "": the rules file; else as it names it */
	unsigned line;	 /* from 1 */
	unsigned column; /* of the byte, from 1 */
	char what[160];
	char instead[160]; /* what would be right; or "" */
};

struct rules_faults {
	size_t n; /* at least 1 when rules_parse() returned EMALFORMED */
	struct rules_fault fault[RULES_FAULTS];
};

/* "duty.rules:12:7: no such word: flsh; did you mean flash?" */
void rules_fault_print(
    struct buf *out, const char *file, const struct rules_fault *f);

struct zone; /* zone.h */

/*
 * What a rules file needs of the world. file() reads a file whose name stands
 * in the rules (relative to the rules file, if it does not begin with '/') of
 * at most `max` bytes; zone() fills in when which offset holds, zone_load()
 * does. Either may be NULL: then there is none.
 */
struct rules_io {
	void *arg;
	enum tocsin_err (*file)(
	    void *arg, const char *name, size_t max, struct buf *out);
	enum tocsin_err (*zone)(void *arg, const char *name, struct zone *out);
	int64_t now; /* calendars are read for some time around it */
};

/* ---- what they say ---- */

/* A program to run: argv[0] is its absolute path. */
struct hook {
	const char *name;
	const char *const *argv; /* NULL-terminated; from argv[1] on templates
				    for plan_text() */
	size_t argc;
	int64_t seconds; /* it may take */
	unsigned line;
};

enum action_kind {
	ACTION_REMIND,	 /* an update to timer.place->member */
	ACTION_NOTIFY,	 /* run `hook` */
	ACTION_ACK,	 /* our receipt of it: "received", never more */
	ACTION_ESCALATE, /* to timer.target, if `chain`; else to `to` */
	ACTION_POST,	 /* `text` to `to` */
	ACTION_RAISE,	 /* to `precedence` */
	ACTIONS
};

struct rule_action {
	enum action_kind kind;
	const char *key;  /* "30m-remind": its name within the rule */
	const char *text; /* a template for plan_text(); or NULL */
	const struct hook *hook;
	const struct chain *chain;
	const char *const *to; /* members and @circles, NULL-terminated */
	const char *precedence;
	unsigned line;
};

/* What a time counts from. Those of a place stand first. */
enum fact_event {
	EVENT_ASKED,
	EVENT_READ, /* when the place opened it */
	EVENT_ANSWERED,
	EVENT_HEARD,
	EVENT_ACKBY,
	EVENT_MOVED, /* to where the place stands */
	EVENT_WRITTEN,
	EVENT_RECEIVED,
	EVENT_OCCURRED,
	EVENT_DETECTED,
	EVENT_REPORTED,
	EVENT_TURNED,
	EVENT_CLOCK, /* what the clock of that name asks for is due */
	EVENTS
};

struct rule_since {
	enum fact_event event;
	const char *clock;
};

struct rule_step {
	struct rule_since since;
	int64_t offset;			/* seconds; < 0: before */
	const struct calendar *working; /* these are counted; NULL: all */
	const struct rule_action *action;
	size_t naction;
	unsigned line;
};

enum rule_scope {
	SCOPE_TICKET,	 /* once for a ticket */
	SCOPE_RECIPIENT, /* for each other member that was asked */
	SCOPE_US,	 /* for our own place, if we were asked */
};

enum rule_late {
	LATE_NEWEST, /* of what is late, the newest step alone */
	LATE_EACH,
	LATE_NEVER,
};

struct rule {
	const char *name;
	enum rule_scope scope;
	const struct cond *when;  /* NULL: always */
	const struct cond *until; /* NULL: until it is closed */
	bool closed_too;	  /* `until never`: goes on after a close */
	const struct rule_step *step;
	size_t nstep;
	int64_t again;	/* the last step anew after so many seconds; or 0 */
	unsigned turns; /* so often at most */
	enum rule_late late;
	int64_t within; /* nothing that should have been before this long */
	unsigned line;
};

struct rules {
	struct rule *rule; /* in the file's order, as all lists */
	size_t nrule;
	struct hook *hook;
	size_t nhook;
	struct chain *chain;
	size_t nchain;
	struct calendar *calendar;
	size_t ncalendar;
	struct duty *duty;
	size_t nduty;
	bool words;    /* some condition asks for facts.word */
	int64_t claim; /* how long who says that it acts keeps others from it */
	int64_t good_until; /* then zones and calendars must be read again */
	struct arena arena;
};

/*
 * EMALFORMED: *faults says why, and *out is empty. EINTERNAL: no memory. The
 * caller releases, after a failure too. `io` is not kept.
 */
enum tocsin_err MUST_USE rules_parse(struct rules *out, struct span text,
    const struct rules_io *io, struct rules_faults *faults);
void rules_release(struct rules *r);

const struct rule *rules_find(const struct rules *r, const char *name);

/* "reminds", "runs a hook", ... for lists; and the word of the language. */
const char *action_word(enum action_kind kind);

#endif
