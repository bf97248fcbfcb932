/* SPDX-License-Identifier: ISC */
/* [rule NAME] of a rules file. */
#include "client/bot/rules_read.h"

#include "client/vocab.h"

#include <stdio.h>
#include <string.h>

#define WITHIN_DEFAULT (7 * INT64_C(86400))
#define AGAIN_LEAST 300 /* seconds: nobody reads more than that */

/* ---- what it is for ---- */

static bool
read_for(struct reader *r)
{
	struct lex *l = &r->lex;

	if (r->rule->nstep > 0)
		return lex_fault_at(l, &l->t, "above the first step",
		    "a `for` below steps of the rule");
	if (lex_take(l, "us")) {
		r->rule->scope = SCOPE_US;
		return true;
	}
	if (lex_take(l, "each") && lex_take(l, "recipient")) {
		r->rule->scope = SCOPE_RECIPIENT;
		return true;
	}
	r->rule->scope = SCOPE_RECIPIENT; /* no more faults that follow */
	return lex_unknown(l, &l->t, "whom a rule is for",
	    "for each recipient, for us; or leave it out");
}

static bool
read_when(struct reader *r)
{
	if (r->rule->when != NULL)
		return lex_fault_at(&r->lex, &r->lex.t,
		    "one `when`, with `and` in it", "a second `when`");
	r->rule->when = cond_read(&r->cond);
	return r->rule->when != NULL;
}

static bool
read_until(struct reader *r)
{
	if (r->has_until)
		return lex_fault_at(&r->lex, &r->lex.t,
		    "one `until`, with `or` in it", "a second `until`");
	r->has_until = true;
	if (lex_take(&r->lex, "never")) {
		r->rule->closed_too = true;
		return true;
	}
	r->rule->until = cond_read(&r->cond);
	return r->rule->until != NULL;
}

static bool
read_since(struct reader *r)
{
	r->has_since = true;
	return since_read(&r->cond, &r->since);
}

/* again every 4h at most 6 times */
static bool
read_again(struct reader *r)
{
	struct lex *l = &r->lex;
	struct lex_token t;
	int64_t turns;

	if (!lex_take(l, "every"))
		return lex_unknown(
		    l, &l->t, "`every`", "again every 4h at most 6 times");
	t = l->t;
	if (!duration_read(l, &r->rule->again))
		return false;
	if (r->rule->again < AGAIN_LEAST)
		return lex_fault_at(
		    l, &t, "5m or more", "too often to be read");
	if (!lex_take(l, "at") || !lex_take(l, "most"))
		return lex_unknown(
		    l, &l->t, "how often", "again every 4h at most 6 times");
	if (!count_read(l, RULES_TURNS, "how often", &turns))
		return false;
	r->rule->turns = (unsigned)turns;
	lex_take(l, "times");
	return true;
}

/* late newest within 7d */
static bool
read_late(struct reader *r)
{
	static const char *const words[] = { [LATE_NEWEST] = "newest",
		[LATE_EACH] = "each",
		[LATE_NEVER] = "never" };
	struct lex *l = &r->lex;
	unsigned i;

	for (i = 0; i < 3; i++)
		if (lex_take(l, words[i]))
			break;
	if (i == 3)
		return lex_unknown(l, &l->t, "what becomes of late steps",
		    "late newest, late each, late never");
	r->rule->late = (enum rule_late)i;
	return !lex_take(l, "within") || duration_read(l, &r->rule->within);
}

/* ---- actions ---- */

static bool
text_read(struct reader *r, struct rule_action *a)
{
	struct lex_token t = r->lex.t;

	if (t.kind != LEX_TEXT)
		return true;
	a->text = lex_text(&r->lex, &t);
	lex_next(&r->lex);
	return a->text != NULL &&
	       template_check(r, &t, a->text, r->rule->scope != SCOPE_TICKET);
}

static const char *
hook_name(const void *arg, size_t i)
{
	const struct rules *r = arg;

	return i < r->nhook ? r->hook[i].name : NULL;
}

static bool
hook_find(struct reader *r, struct rule_action *a)
{
	int i = lex_choose(&r->lex, hook_name, r->rules,
	    "a [hook ...] of this file",
	    "a section [hook NAME] that says what is run");

	a->hook = i >= 0 ? &r->rules->hook[i] : NULL;
	return i >= 0;
}

static const char *
chain_name(const void *arg, size_t i)
{
	const struct rules *r = arg;

	return i < r->nchain ? r->chain[i].name : NULL;
}

static bool
chain_find(struct reader *r, struct rule_action *a)
{
	int i = lex_choose(&r->lex, chain_name, r->rules,
	    "a [chain ...] of this file", "a section [chain NAME] of members");

	a->chain = i >= 0 ? &r->rules->chain[i] : NULL;
	return i >= 0;
}

/* What only makes sense with somebody to whom it happens. */
static bool
needs_recipient(struct reader *r, const struct lex_token *t)
{
	if (r->rule->scope != SCOPE_TICKET)
		return true;
	return lex_fault_at(&r->lex, t,
	    "`for each recipient`, above the steps of the rule",
	    "%.*s: but of whom?", (int)(t->s.n > 40 ? 40 : t->s.n),
	    (const char *)t->s.p);
}

static bool
escalate_read(struct reader *r, struct rule_action *a)
{
	struct lex *l = &r->lex;
	struct lex_token t = l->t;

	if (lex_take(l, "along"))
		return needs_recipient(r, &t) && chain_find(r, a) &&
		       text_read(r, a);
	if (lex_take(l, "to"))
		return member_list_read(r, &a->to) && text_read(r, a);
	return lex_unknown(l, &l->t, "whom to escalate to",
	    "escalate along CHAIN, escalate to lead@id");
}

static bool
post_read(struct reader *r, struct rule_action *a)
{
	struct lex *l = &r->lex;

	if (!lex_take(l, "to"))
		return lex_unknown(
		    l, &l->t, "whom to post to", "post to @asean \"...\"");
	if (!member_list_read(r, &a->to))
		return false;
	if (l->t.kind != LEX_TEXT)
		return lex_unknown(l, &l->t, "the text of a post", "\"...\"");
	return text_read(r, a);
}

static const char *
precedence_name(const void *arg, size_t i)
{
	(void)arg;
	return vocab_word(VOCAB_PRECEDENCE, i);
}

static bool
raise_read(struct reader *r, struct rule_action *a)
{
	int i;

	lex_take(&r->lex, "to");
	i = lex_choose(&r->lex, precedence_name, NULL, "a precedence", NULL);
	if (i < 0)
		return false;
	a->precedence = vocab_word(VOCAB_PRECEDENCE, (size_t)i);
	return text_read(r, a);
}

static bool
remind_read(struct reader *r, struct rule_action *a)
{
	return text_read(r, a);
}

static bool
ack_read(struct reader *r, struct rule_action *a)
{
	(void)r;
	(void)a;
	return true;
}

static const struct {
	const char *word;
	bool (*read)(struct reader *r, struct rule_action *a);
} actions[ACTIONS] = {
	[ACTION_REMIND] = { "remind", remind_read },
	[ACTION_NOTIFY] = { "notify", hook_find },
	[ACTION_ACK] = { "acknowledge", ack_read },
	[ACTION_ESCALATE] = { "escalate", escalate_read },
	[ACTION_POST] = { "post", post_read },
	[ACTION_RAISE] = { "raise", raise_read },
};

const char *
action_word(enum action_kind kind)
{
	return actions[kind].word;
}

static const char *
name_of_action(const void *arg, size_t i)
{
	(void)arg;
	return i < ACTIONS ? actions[i].word : NULL;
}

static bool
action_read(struct reader *r, struct rule_action *a)
{
	struct lex_token t = r->lex.t;
	int i = lex_choose(&r->lex, name_of_action, NULL, "an action", NULL);

	if (i < 0)
		return false;
	a->kind = (enum action_kind)i;
	a->line = t.line;
	if (a->kind == ACTION_REMIND && !needs_recipient(r, &t))
		return false;
	return actions[i].read(r, a);
}

/* ---- steps ---- */

static bool
step_actions(struct reader *r, struct rule_step *s)
{
	struct lex *l = &r->lex;
	struct rule_action *a = reader_memory(r, RULES_ACTIONS, sizeof(*a));

	if (a == NULL)
		return false;
	s->action = a;
	if (!lex_take_kind(l, LEX_COLON))
		return lex_unknown(
		    l, &l->t, "the end of a step's time", ": and an action");
	do {
		if (s->naction == RULES_ACTIONS)
			return lex_fault_at(l, &l->t, "another line",
			    "more than %u actions of a step", RULES_ACTIONS);
		if (!action_read(r, &a[s->naction]))
			return false;
		s->naction++;
	} while (lex_take(l, "and"));
	return true;
}

static struct rule_step *
new_step(struct reader *r)
{
	struct rule *rule = r->rule;

	if (r->step == NULL) {
		r->step = reader_memory(r, RULES_STEPS, sizeof(*r->step));
		rule->step = r->step;
	}
	if (r->step == NULL)
		return NULL;
	if (rule->nstep == RULES_STEPS) {
		lex_fault_at(&r->lex, &r->lex.t, "another rule",
		    "more than %u steps of a rule", RULES_STEPS);
		return NULL;
	}
	r->step[rule->nstep] = (struct rule_step){
		.since = { .event = EVENTS },
		.line = r->lex.t.line,
	};
	return &r->step[rule->nstep++];
}

/* after 4h working my since heard: ... */
static bool
read_after(struct reader *r)
{
	struct rule_step *s = new_step(r);
	struct lex *l = &r->lex;

	if (s == NULL || !duration_read(l, &s->offset))
		return false;
	if (lex_take(l, "working")) {
		s->working = calendar_read(&r->cond);
		if (s->working == NULL)
			return false;
	}
	if (lex_take(l, "since") && !since_read(&r->cond, &s->since))
		return false;
	return step_actions(r, s);
}

/* at once: ... */
static bool
read_at(struct reader *r)
{
	struct rule_step *s = new_step(r);
	struct lex *l = &r->lex;

	if (s == NULL)
		return false;
	if (!lex_take(l, "once"))
		return lex_unknown(l, &l->t, "a time", "at once:, after 15m:");
	if (lex_take(l, "working")) {
		s->working = calendar_read(&r->cond);
		if (s->working == NULL)
			return false;
	}
	return step_actions(r, s);
}

/* 4h before nis2/early-warning: ... */
bool
rule_before(struct reader *r)
{
	struct rule_step *s = new_step(r);
	struct lex *l = &r->lex;

	if (s == NULL || !duration_read(l, &s->offset))
		return false;
	s->offset = -s->offset;
	if (!lex_take(l, "before"))
		return lex_unknown(l, &l->t, "`before`",
		    "after 4h: ..., 4h before ackby: ...");
	return since_read(&r->cond, &s->since) && step_actions(r, s);
}

const struct statement rule_statements[] = {
	{ "for", read_for },
	{ "when", read_when },
	{ "until", read_until },
	{ "since", read_since },
	{ "after", read_after },
	{ "at", read_at },
	{ "again", read_again },
	{ "late", read_late },
	{ NULL, NULL },
};

/* ---- the end ---- */

/*
 * An action's name within its rule: what it does when. It is part of its id, so
 * it says nothing of where it stands in the file; who adds a step above makes
 * nothing happen a second time.
 */
static const char *
key_of(struct reader *r, const struct rule_step *s, const struct rule_action *a)
{
	struct buf b = { .max = 512 };
	char *key;

	duration_print(&b, s->offset < 0 ? -s->offset : s->offset);
	buf_addf(
	    &b, "%s-%s", s->offset < 0 ? "-before" : "", actions[a->kind].word);
	if (s->since.event != r->since.event || s->since.event == EVENT_CLOCK)
		buf_addf(&b, "-%s",
		    s->since.event == EVENT_CLOCK ? s->since.clock
						  : event_name(s->since.event));
	if (s->working != NULL)
		buf_addf(&b, "-%s", s->working->name);
	if (a->hook != NULL)
		buf_addf(&b, "-%s", a->hook->name);
	if (a->chain != NULL)
		buf_addf(&b, "-%s", a->chain->name);
	if (a->to != NULL)
		buf_addf(&b, "-%s", a->to[0]);
	if (a->precedence != NULL)
		buf_addf(&b, "-%s", a->precedence);
	key = buf_ok(&b) ? arena_text(r->lex.arena, buf_span(&b)) : NULL;
	r->lex.no_memory |= key == NULL;
	buf_release(&b);
	return key != NULL ? key : "";
}

static bool
is_twice(const struct rule *rule, const struct rule_action *a)
{
	size_t i, k;

	for (i = 0; i < rule->nstep; i++)
		for (k = 0; k < rule->step[i].naction; k++) {
			const struct rule_action *b = &rule->step[i].action[k];

			if (b == a)
				return false;
			if (strcmp(b->key, a->key) == 0)
				return true;
		}
	return false;
}

static bool
at_line(struct reader *r, unsigned line, const char *instead, const char *what)
{
	struct lex_token t = { .kind = LEX_WORD, .line = line, .column = 1 };

	return lex_fault_at(&r->lex, &t, instead, "%s", what);
}

static bool
finish_steps(struct reader *r)
{
	struct rule *rule = r->rule;
	size_t i, k;

	for (i = 0; i < rule->nstep; i++) {
		struct rule_step *s = &r->step[i];

		if (s->since.event == EVENTS)
			s->since = r->since;
		for (k = 0; k < s->naction; k++) {
			struct rule_action *a =
			    (struct rule_action *)(uintptr_t)&s->action[k];

			a->key = key_of(r, s, a);
			if (is_twice(rule, a))
				return at_line(r, a->line,
				    "another time, or one of the two",
				    "the same action at the same time twice");
		}
	}
	return true;
}

/* What ends it if the file doesn't say: an answer, or what follows one. */
static void
default_until(struct reader *r)
{
	bool after_answer =
	    r->since.event == EVENT_HEARD || r->since.event == EVENT_ANSWERED;
	struct lex before = r->lex;

	if (r->has_until || r->rule->scope == SCOPE_TICKET)
		return;
	r->lex = lex_init(
	    span_of(after_answer ? "state at least result" : "answered"), "",
	    before.faults, before.arena);
	lex_next(&r->lex);
	r->rule->until = cond_read(&r->cond);
	before.no_memory |= r->lex.no_memory;
	r->lex = before;
}

bool
rule_end(struct reader *r)
{
	struct rule *rule = r->rule;
	struct lex_token of = r->cond.needs_place;

	if (!r->has_since)
		r->since.event =
		    rule->scope == SCOPE_TICKET ? EVENT_WRITTEN : EVENT_ASKED;
	if (rule->within == 0)
		rule->within = WITHIN_DEFAULT;
	default_until(r);
	if (rule->scope == SCOPE_TICKET && of.s.n > 0)
		return lex_fault_at(&r->lex, &of,
		    "`for each recipient` in the rule, or some recipient "
		    "( ... )",
		    "`%.*s` is of a recipient",
		    (int)(of.s.n > 40 ? 40 : of.s.n), (const char *)of.s.p);
	if (rule->nstep == 0)
		return lex_fault_at(&r->lex, &r->head, "after 15m: remind",
		    "a rule that does nothing");
	return finish_steps(r);
}
