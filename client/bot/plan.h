/* SPDX-License-Identifier: ISC */
/*
 * plan.h - what is to be done for a ticket, and when
 *
 * The plan of a ticket is a pure fold of (rules, facts, our name, now). Nothing
 * is remembered between two plans: what was done stands in the thread, and so a
 * bot that was killed, a second one, and another machine compute the same.
 *
 * A timer is one action of one step of one rule, for one place, of one arming.
 * What arms it is an event: a question, say, or the last that was heard of a
 * member. A new question, or a word after which the member goes silent again,
 * arms anew, under another id; the same event gives the same id on every
 * machine, for ever. So an id that the thread records as done stays done,
 * whatever the clock says.
 *
 * A timer is due when its time has come, its rule's `when` holds now, and
 * neither `until` nor a close has ended it. The caller does ONE due timer, the
 * first, records it, and makes the plan anew of the new facts; or looks again
 * at plan.look, or when the facts change.
 *
 * A reminder must not ask anew (it is an update, not a request): else it would
 * arm itself.
 */
#ifndef TOCSIN_CLIENT_BOT_PLAN_H
#define TOCSIN_CLIENT_BOT_PLAN_H

#include "client/bot/rules.h"

#define PLAN_ID 128	     /* bytes of an id at most: printable, no space */
#define PLAN_LATE 900	     /* a timer is late when it was due that long ago */
#define PLAN_NEVER INT64_MAX /* in `look`: when the facts change */

enum plan_state {
	PLAN_WAITING,	/* for `due`, or, if that is 0, for its event */
	PLAN_DUE,	/* do it */
	PLAN_CLAIMED,	/* another device of the team says that it does it */
	PLAN_DONE,	/* the thread records it */
	PLAN_CANCELLED, /* answered, closed, or what `until` says */
	PLAN_SKIPPED,	/* too late, or nothing is left to do */
	PLAN_STATES
};

/* Why it is so; plan_why() makes a sentence of it. */
enum plan_reason {
	WHY_TIME,	/* waiting for its time, or it has come */
	WHY_EVENT,	/* waiting: its event has not happened */
	WHY_UNTIL,	/* cancelled by `until` */
	WHY_CLOSED,	/* cancelled by a close */
	WHY_CLOCK_DONE, /* cancelled: the clock's duty is done */
	WHY_NEWER,	/* skipped: late, and a later step has come */
	WHY_LATE,	/* skipped: late, and the rule says never */
	WHY_OVER,	/* skipped: beyond `within` */
	WHY_CHAIN_END,	/* skipped: all of the chain were asked */
	WHY_ALREADY,	/* skipped: that high, or acknowledged already */
	WHY_RECORD,	/* done: the thread says so */
	WHY_CLAIM,	/* another's claim */
	WHY_REASONS
};

struct plan_timer {
	char id[PLAN_ID + 1]; /* "no-answer/30m-remind/1f0c..." */
	const struct rule *rule;
	const struct rule_step *step;
	const struct rule_action *action;
	const struct fact_place *place; /* NULL: the rule is for the ticket */
	const char *target; /* whom an escalation along a chain goes to */
	unsigned turn;	    /* 0; from 1 on those of `again` */
	int64_t armed;	    /* when the event happened, or will */
	int64_t due;	    /* 0: not known */
	enum plan_state state;
	enum plan_reason reason;
	bool ours;			/* we hold the claim */
	const struct fact_action *done; /* if it is */
	const struct fact_claim *claim; /* the one that holds; or NULL */
};

struct plan {
	struct plan_timer *timer; /* by due, then id; unknown times last */
	size_t n, room;
	const struct plan_timer *first; /* that is due; or NULL */
	int64_t look; /* when to make it anew if the facts don't change */
};

/* What is the same for all tickets. */
struct plan_self {
	const char *device; /* ours, "mycert@my/bot" */
	const char *member;
};

/*
 * Timers of rules whose `when` does not hold now are not in the plan; what may
 * make it hold by time alone is in `look`. *p is zeroed or of an earlier plan,
 * whose memory is used again. EINTERNAL: no memory.
 */
enum tocsin_err MUST_USE plan_make(struct plan *p, const struct rules *r,
    const struct facts *f, const struct plan_self *self, int64_t now);
void plan_release(struct plan *p);

/*
 * The template with its fields filled in: of an action's text (or, if that is
 * NULL, the words that its kind has by default) or of a hook's argument.
 */
void plan_text(struct buf *out, const struct rules *r, const struct facts *f,
    const struct plan_timer *t, const char *template, int64_t now);

/* One sentence, without a full stop: "due since 03:14: ...". */
void plan_why(struct buf *out, const struct rules *r, const struct facts *f,
    const struct plan_timer *t, int64_t now);

/*
 * All of it for a person: of each rule whether it is for this ticket, and if
 * not, which condition says so; of each timer when and why, or why not.
 * ASCII and the strings of the facts, which the caller makes safe to print.
 */
enum tocsin_err MUST_USE plan_explain(struct buf *out, const struct rules *r,
    const struct facts *f, const struct plan_self *self, int64_t now);

const char *plan_state_name(enum plan_state s);

#endif
