/* SPDX-License-Identifier: ISC */
#include "client/bot/plan.h"

#include "client/bot/chain.h"
#include "client/bot/cond.h"
#include "client/vocab.h"
#include "crypto/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_TEXT 32 /* hexadecimal digits of an id */
#define KEY_SHOWN 60
#define CLAIM_LONGER (3600 + 600) /* a program's hour, and clocks */

struct folding {
	struct plan *p;
	const struct rules *r;
	const struct facts *f;
	const struct plan_self *self;
	int64_t now;
	bool no_memory;
};

/* One rule for one place: what its steps share. */
struct applied {
	const struct rule *rule;
	const struct fact_place *place;
	bool ended; /* by `until` */
};

static void
look_at(struct plan *p, int64_t t)
{
	if (t < p->look)
		p->look = t;
}

/* ---- ids ---- */

static void
hash_text(crypto_hash_sha256_state *st, const char *s)
{
	struct span all = span_of(s != NULL ? s : "");

	sha256_update(st, all);
	sha256_update(st, SPAN(((uint8_t[1]){ 0 })));
}

static void
hash_number(crypto_hash_sha256_state *st, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)v);
	hash_text(st, text);
}

/*
 * What happened once, by a name that is the same on every machine: the message
 * that asked, or the time that stands in a signed message. When a ticket came
 * in, or a clock's time, may differ between two machines; of these there is one
 * for a ticket, so the name of the event is enough.
 */
static void
hash_arming(crypto_hash_sha256_state *st, const struct rule_since *since,
    const struct facts *f, const struct fact_place *p)
{
	hash_text(st, event_name(since->event));
	hash_text(st, since->clock);
	if (event_of_place(since->event)) {
		hash_text(st, p->asked_in);
		if (p->asked_in == NULL)
			hash_number(st, p->asked);
	}
	switch (since->event) {
	case EVENT_READ:
	case EVENT_ANSWERED:
	case EVENT_HEARD:
	case EVENT_ACKBY:
	case EVENT_TURNED:
		hash_number(st, event_time(since, f, p));
		break;
	case EVENT_MOVED: /* its time may be a broker's word */
		hash_text(st, tocsin_rung_name(p->rung));
		break;
	default:
		break;
	}
}

/* "RULE/KEY/HASH" */
static void
name_timer(struct plan_timer *t, const struct facts *f)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	hash_text(&st, "tocsin-action/v1");
	hash_text(&st, f->id);
	hash_text(&st, t->rule->name);
	hash_text(&st, t->action->key);
	hash_text(&st, t->place != NULL ? t->place->member : NULL);
	hash_number(&st, t->turn);
	hash_arming(&st, &t->step->since, f, t->place);
	crypto_hash_sha256_final(&st, hash);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(t->id, sizeof(t->id), "%s/%.*s/%.*s", t->rule->name, KEY_SHOWN,
	    t->action->key, HASH_TEXT, hex);
}

/* ---- times ---- */

/* When a step comes, `turn` times again; 0: its event has not happened. */
static int64_t
due_of(const struct rule *rule, const struct rule_step *s, int64_t armed,
    unsigned turn)
{
	int64_t after = s->offset + (int64_t)turn * rule->again;

	if (armed == 0)
		return 0;
	if (s->working != NULL)
		return calendar_add(s->working, armed, after);
	return armed + after;
}

/* ---- states ---- */

static const struct fact_action *
record_of(const struct facts *f, const char *id)
{
	size_t i;

	for (i = 0; i < f->naction; i++)
		if (strcmp(f->action[i].id, id) == 0)
			return &f->action[i];
	return NULL;
}

/* One that lasts for longer than any can is of a clock that was wrong. */
static const struct fact_claim *
claim_of(const struct folding *c, const char *id)
{
	const struct fact_claim *p = c->f->claim;
	int64_t longest = c->r->claim * 5 / 4 + CLAIM_LONGER;
	size_t i;

	for (i = 0; i < c->f->nclaim; i++)
		if (p[i].until > c->now && p[i].until <= c->now + longest &&
		    strcmp(p[i].id, id) == 0)
			return &p[i];
	return NULL;
}

/* Is there nothing left that this action could do? */
static bool
is_idle(const struct facts *f, const struct rule_action *a)
{
	bool asked = false;
	size_t i;

	if (a->kind == ACTION_RAISE)
		return f->precedence != NULL &&
		       vocab_place(VOCAB_PRECEDENCE, f->precedence) <=
			   vocab_place(VOCAB_PRECEDENCE, a->precedence);
	if (a->kind != ACTION_ACK)
		return false;
	for (i = 0; i < f->nplace; i++)
		asked |=
		    f->place[i].ours && f->place[i].rung < TOCSIN_RUNG_OPENED;
	return !asked;
}

static bool
was_asked(const struct folding *c, const char *member)
{
	const struct facts *f = c->f;
	size_t i;

	if (strcmp(member, c->self->member) == 0 ||
	    (f->member != NULL && strcmp(member, f->member) == 0))
		return true;
	for (i = 0; i < f->nplace; i++)
		if (strcmp(f->place[i].member, member) == 0)
			return true;
	return false;
}

static bool
asked_by_facts(void *arg, const char *member)
{
	return was_asked(arg, member);
}

/* Of a step that has come: did it do anything, or is there what it can do? */
static bool
means_something(const struct folding *c, const struct applied *a,
    const struct rule_step *s, unsigned turn)
{
	struct plan_timer t = {
		.rule = a->rule, .step = s, .place = a->place, .turn = turn
	};
	struct folding asking = *c;
	size_t i;

	for (i = 0; i < s->naction; i++) {
		t.action = &s->action[i];
		name_timer(&t, c->f);
		if (record_of(c->f, t.id) != NULL)
			return true;
		if (t.action->chain != NULL
			? chain_next(t.action->chain, a->place->member,
			      asked_by_facts, &asking) != NULL
			: !is_idle(c->f, t.action))
			return true;
	}
	return false;
}

/*
 * Has a later step, or turn, of the rule come, too? One that can do nothing any
 * more takes no other's place: else nothing at all would be done.
 */
static bool
newer_has_come(const struct folding *c, const struct applied *a,
    const struct plan_timer *t)
{
	const struct rule *rule = a->rule;
	const struct rule_step *last = &rule->step[rule->nstep - 1];
	size_t i;

	for (i = 0; i < rule->nstep; i++) {
		const struct rule_step *s = &rule->step[i];
		int64_t due =
		    due_of(rule, s, event_time(&s->since, c->f, a->place), 0);

		if (due > t->due && due <= c->now &&
		    means_something(c, a, s, 0))
			return true;
	}
	return t->step == last && t->turn < rule->turns &&
	       due_of(rule, last, t->armed, t->turn + 1) <= c->now &&
	       means_something(c, a, last, t->turn + 1);
}

static enum plan_state
set(struct plan_timer *t, enum plan_state state, enum plan_reason reason)
{
	t->reason = reason;
	return t->state = state;
}

static enum plan_state
judge_late(
    const struct folding *c, const struct applied *a, struct plan_timer *t)
{
	int64_t late = c->now - t->due;

	if (late > a->rule->within)
		return set(t, PLAN_SKIPPED, WHY_OVER);
	if (late > PLAN_LATE && a->rule->late == LATE_NEVER)
		return set(t, PLAN_SKIPPED, WHY_LATE);
	if (late > PLAN_LATE && a->rule->late == LATE_NEWEST &&
	    newer_has_come(c, a, t))
		return set(t, PLAN_SKIPPED, WHY_NEWER);
	if (is_idle(c->f, t->action))
		return set(t, PLAN_SKIPPED, WHY_ALREADY);
	t->claim = claim_of(c, t->id);
	t->ours =
	    t->claim != NULL && strcmp(t->claim->by, c->self->device) == 0;
	if (t->claim == NULL || t->ours)
		return set(t, PLAN_DUE, WHY_TIME);
	look_at(c->p, t->claim->until);
	return set(t, PLAN_CLAIMED, WHY_CLAIM);
}

static enum plan_state
judge(const struct folding *c, const struct applied *a, struct plan_timer *t)
{
	const struct fact_deadline *d =
	    t->step->since.event == EVENT_CLOCK
		? clock_of(c->f, t->step->since.clock)
		: NULL;

	t->done = record_of(c->f, t->id);
	if (t->done != NULL)
		return set(t, PLAN_DONE, WHY_RECORD);
	if (c->f->closed && !a->rule->closed_too)
		return set(t, PLAN_CANCELLED, WHY_CLOSED);
	if (a->ended)
		return set(t, PLAN_CANCELLED, WHY_UNTIL);
	if (d != NULL && d->done != 0)
		return set(t, PLAN_CANCELLED, WHY_CLOCK_DONE);
	if (t->armed == 0)
		return set(t, PLAN_WAITING, WHY_EVENT);
	if (t->due > c->now) {
		look_at(c->p, t->due);
		return set(t, PLAN_WAITING, WHY_TIME);
	}
	return judge_late(c, a, t);
}

/* ---- timers ---- */

static struct plan_timer *
new_timer(struct folding *c)
{
	struct plan *p = c->p;

	if (p->n == p->room) {
		size_t room = p->room > 0 ? p->room * 2 : 16;
		struct plan_timer *grown =
		    realloc(p->timer, room * sizeof(*grown));

		if (grown == NULL) {
			c->no_memory = true;
			return NULL;
		}
		p->timer = grown;
		p->room = room;
	}
	return &p->timer[p->n++];
}

/* The actions of a step, this time; how many of them are not done. */
static size_t
add_step(struct folding *c, const struct applied *a, const struct rule_step *s,
    unsigned turn)
{
	int64_t armed = event_time(&s->since, c->f, a->place);
	size_t i, left = 0;

	for (i = 0; i < s->naction; i++) {
		struct plan_timer *t = new_timer(c);

		if (t == NULL)
			break;
		*t = (struct plan_timer){ .rule = a->rule,
			.step = s,
			.action = &s->action[i],
			.place = a->place,
			.turn = turn,
			.armed = armed,
			.due = due_of(a->rule, s, armed, turn) };
		name_timer(t, c->f);
		left += judge(c, a, t) != PLAN_DONE;
	}
	return left;
}

/*
 * The last step again: those that have come, and the next. Of many that have
 * come long ago only the last few can matter; the others are not made. One that
 * is done before its time, by a clock that went back, is not the next.
 */
static void
add_turns(struct folding *c, const struct applied *a)
{
	const struct rule *rule = a->rule;
	const struct rule_step *last = &rule->step[rule->nstep - 1];
	int64_t armed = event_time(&last->since, c->f, a->place);
	unsigned turn;

	for (turn = 1; armed != 0 && turn <= rule->turns; turn++) {
		int64_t due = due_of(rule, last, armed, turn);
		bool matters = rule->late == LATE_EACH ||
			       c->now - due <= PLAN_LATE ||
			       turn == rule->turns ||
			       due_of(rule, last, armed, turn + 1) > c->now;

		if (matters && add_step(c, a, last, turn) > 0 && due > c->now)
			break;
	}
}

static void
apply(struct folding *c, const struct rule *rule, const struct fact_place *p)
{
	const struct cond_env env = { c->f, p, c->now };
	struct verdict when = cond_judge(rule->when, &env), until;
	struct applied a = { rule, p, false };
	size_t i;

	look_at(c->p, when.until);
	if (!when.holds)
		return;
	if (rule->until != NULL) {
		until = cond_judge(rule->until, &env);
		look_at(c->p, until.until);
		a.ended = until.holds;
	}
	for (i = 0; i < rule->nstep; i++)
		add_step(c, &a, &rule->step[i], 0);
	if (rule->turns > 0)
		add_turns(c, &a);
}

static void
apply_each(struct folding *c, const struct rule *rule)
{
	size_t i;

	if (rule->scope == SCOPE_TICKET) {
		apply(c, rule, NULL);
		return;
	}
	for (i = 0; i < c->f->nplace; i++)
		if (c->f->place[i].ours == (rule->scope == SCOPE_US))
			apply(c, rule, &c->f->place[i]);
}

static int
by_due(const void *a, const void *b)
{
	const struct plan_timer *x = a, *y = b;

	if ((x->due == 0) != (y->due == 0))
		return x->due == 0 ? 1 : -1;
	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* ---- whom an escalation goes to ---- */

struct asking {
	const struct folding *c;
	const struct plan_timer *before; /* timers up to it are decided */
};

static bool
asked_by_plan(void *arg, const char *member)
{
	const struct asking *a = arg;
	const struct plan_timer *t;

	if (was_asked(a->c, member))
		return true;
	for (t = a->c->p->timer; t < a->before; t++)
		if (t->target != NULL && strcmp(t->target, member) == 0 &&
		    (t->state == PLAN_DUE || t->state == PLAN_CLAIMED))
			return true;
	return false;
}

/* In the order in which they will be done: two don't ask the same member. */
static void
aim(struct folding *c)
{
	struct plan_timer *t = c->p->timer;
	size_t i;

	for (i = 0; i < c->p->n; i++, t++) {
		struct asking a = { c, t };

		if (t->action->chain == NULL || t->state > PLAN_CLAIMED)
			continue;
		t->target = chain_next(
		    t->action->chain, t->place->member, asked_by_plan, &a);
		if (t->target == NULL &&
		    (t->state == PLAN_DUE || t->state == PLAN_CLAIMED))
			set(t, PLAN_SKIPPED, WHY_CHAIN_END);
	}
}

/* ---- the plan ---- */

/* Of an exercise in a live home, or the other way round: no rule's matter. */
static bool
is_of_home(const struct facts *f)
{
	return f->unopened == NULL ||
	       strcmp(f->unopened, tocsin_err_name(TOCSIN_EEXERCISEMISMATCH)) !=
		   0;
}

enum tocsin_err
plan_make(struct plan *p, const struct rules *r, const struct facts *f,
    const struct plan_self *self, int64_t now)
{
	struct folding c = { p, r, f, self, now, false };
	size_t i;

	p->n = 0;
	p->first = NULL;
	p->look = NEVER;
	for (i = 0; is_of_home(f) && i < r->nrule; i++)
		apply_each(&c, &r->rule[i]);
	if (c.no_memory)
		return TOCSIN_EINTERNAL;
	if (p->n > 1)
		qsort(p->timer, p->n, sizeof(*p->timer), by_due);
	aim(&c);
	for (i = 0; i < p->n && p->first == NULL; i++)
		if (p->timer[i].state == PLAN_DUE)
			p->first = &p->timer[i];
	look_at(p, r->good_until);
	return TOCSIN_OK;
}

void
plan_release(struct plan *p)
{
	free(p->timer);
	*p = (struct plan){ .look = NEVER };
}

const char *
plan_state_name(enum plan_state s)
{
	static const char *const names[PLAN_STATES] = {
		[PLAN_WAITING] = "waiting",
		[PLAN_DUE] = "due",
		[PLAN_CLAIMED] = "claimed",
		[PLAN_DONE] = "done",
		[PLAN_CANCELLED] = "cancelled",
		[PLAN_SKIPPED] = "skipped",
	};

	return (unsigned)s < PLAN_STATES ? names[s] : "?";
}
