/* SPDX-License-Identifier: ISC */
/* A plan in words: texts of messages, and why a timer is what it is. */
#include "client/bot/cond.h"
#include "client/bot/plan.h"
#include "client/bot/rules_read.h"
#include "crypto/text.h"

#include <string.h>

#define FIELD_MOST 500 /* bytes of what a field says */

/* ---- templates ---- */

static const char *const default_texts[ACTIONS] = {
	[ACTION_REMIND] =
	    "{member}: {short_id} has waited for you for {since}.",
	[ACTION_NOTIFY] = "{short_id}: rule {rule}, {member}",
	[ACTION_ACK] = "{short_id} has reached us.",
	[ACTION_ESCALATE] = "{short_id} has waited for {member} for {since}.",
	[ACTION_POST] = "{short_id}",
	[ACTION_RAISE] =
	    "{short_id} has waited for {since}: it is more urgent.",
};

/* Of a rule for the ticket there is nobody to name. */
static const char *const ticket_texts[ACTIONS] = {
	[ACTION_REMIND] = "{short_id}",
	[ACTION_NOTIFY] = "{short_id}: rule {rule}",
	[ACTION_ACK] = "{short_id} has reached us.",
	[ACTION_ESCALATE] = "{short_id} has waited for {since}.",
	[ACTION_POST] = "{short_id}",
	[ACTION_RAISE] =
	    "{short_id} has waited for {since}: it is more urgent.",
};

struct saying {
	struct buf *out;
	const struct rules *r;
	const struct facts *f;
	const struct plan_timer *t;
	int64_t now;
	bool some;
};

/* As a person says it: the two largest units, no seconds beyond a minute. */
static void
put_span(struct buf *out, int64_t seconds)
{
	int64_t s = seconds < 0 ? -seconds : seconds;

	if (s >= 86400)
		s -= s % 3600;
	else if (s >= 60)
		s -= s % 60;
	duration_print(out, s);
}

static void
put_time(struct buf *out, int64_t t)
{
	if (t == 0)
		buf_addz(out, "-");
	else if (t == NEVER)
		buf_addz(out, "never");
	else
		text_put_time(out, t);
}

static void
put_who(void *arg, const char *who)
{
	struct saying *s = arg;

	buf_addf(s->out, "%s%s", s->some ? ", " : "", who);
	s->some = true;
}

static void
put_duty(struct saying *s, struct span name)
{
	size_t i;

	s->some = false;
	for (i = 0; i < s->r->nduty; i++)
		if (span_is(name, s->r->duty[i].name))
			duty_at(&s->r->duty[i], s->now, put_who, s);
	if (!s->some)
		buf_addz(s->out, "nobody");
}

static const char *
field_text(const struct saying *s, enum text_field field)
{
	const struct fact_place *p = s->t->place;

	switch (field) {
	case TEXT_SHORT_ID:
		return s->f->short_id;
	case TEXT_ID:
		return s->f->id;
	case TEXT_SUBJECT:
		return s->f->subject;
	case TEXT_FROM:
		return s->f->member;
	case TEXT_SEVERITY:
		return s->f->severity;
	case TEXT_CLASS:
		return s->f->classification;
	case TEXT_PRECEDENCE:
		return s->f->precedence;
	case TEXT_TLP:
		return s->f->tlp;
	case TEXT_EXERCISE:
		return s->f->exercise;
	case TEXT_RULE:
		return s->t->rule->name;
	case TEXT_MEMBER:
		return p != NULL ? p->member : NULL;
	case TEXT_STATE:
		return p != NULL ? tocsin_rung_name(p->rung) : NULL;
	case TEXT_TARGET:
		return s->t->target;
	default:
		return NULL;
	}
}

/* What a stranger wrote may be long; a program's argument may not. */
static void
put_text(struct buf *out, const char *text)
{
	size_t n = strnlen(text, FIELD_MOST + 1);
	bool cut = n > FIELD_MOST;

	for (n -= cut; cut && n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
		;
	buf_add(out, (struct span){ (const uint8_t *)text, n });
	if (cut)
		buf_addz(out, "...");
}

static void
put_field(struct saying *s, enum text_field field, struct span arg)
{
	const char *text;

	switch (field) {
	case TEXT_SINCE:
		put_span(s->out, s->now - s->t->armed);
		return;
	case TEXT_ARMED:
		put_time(s->out, s->t->armed);
		return;
	case TEXT_DUE:
		put_time(s->out, s->t->due);
		return;
	case TEXT_TURN:
		buf_addf(s->out, "%u", s->t->turn);
		return;
	case TEXT_DUTY:
		put_duty(s, arg);
		return;
	default:
		text = field_text(s, field);
		put_text(s->out, text != NULL ? text : "-");
	}
}

void
plan_text(struct buf *out, const struct rules *r, const struct facts *f,
    const struct plan_timer *t, const char *template, int64_t now)
{
	struct saying s = { out, r, f, t, now, false };
	struct span name, arg;
	size_t i = 0;

	if (template == NULL)
		template = t->place != NULL ? default_texts[t->action->kind]
					    : ticket_texts[t->action->kind];
	while (template[i] != '\0') {
		if (template[i] != '{') {
			buf_u8(out, (uint8_t) template[i++]);
		} else if (template[i + 1] == '{') {
			buf_u8(out, '{');
			i += 2;
		} else {
			enum text_field field =
			    text_field_at(template, &i, &name, &arg);

			put_field(&s, field, arg);
		}
	}
}

/* ---- why ---- */

static const char *const event_words[EVENTS] = {
	[EVENT_ASKED] = "%s was asked",
	[EVENT_READ] = "%s opened it",
	[EVENT_ANSWERED] = "%s answered",
	[EVENT_HEARD] = "%s was last heard of",
	[EVENT_ACKBY] = "an answer of %s is expected",
	[EVENT_MOVED] = "%s came to its state",
	[EVENT_WRITTEN] = "it was written",
	[EVENT_RECEIVED] = "it was received",
	[EVENT_OCCURRED] = "it happened",
	[EVENT_DETECTED] = "it was detected",
	[EVENT_REPORTED] = "it was reported",
	[EVENT_TURNED] = "it was closed or reopened",
	[EVENT_CLOCK] = "%s is due",
};

/* The words of an event with whom or what it is about. */
static void
put_event(struct buf *out, const struct plan_timer *t)
{
	const char *words = event_words[t->step->since.event];
	const char *whom = t->step->since.event == EVENT_CLOCK
			       ? t->step->since.clock
			   : t->place != NULL ? t->place->member
					      : "";
	const char *mark = strstr(words, "%s");

	if (mark == NULL) {
		buf_addz(out, words);
		return;
	}
	buf_addf(out, "%.*s%s%s", (int)(mark - words), words, whom, mark + 2);
}

/* "30m after mycert@my was asked, 2026-11-21T03:14:15Z" */
static void
put_when(struct buf *out, const struct plan_timer *t)
{
	int64_t offset = t->step->offset + (int64_t)t->turn * t->rule->again;

	if (offset != 0)
		put_span(out, offset);
	if (t->step->working != NULL)
		buf_addf(out, "%sworking time of %s",
		    offset != 0 ? " of " : "in ", t->step->working->name);
	buf_addz(out, offset < 0 ? " before " : offset > 0 ? " after " : "");
	buf_addz(out, offset == 0
			  ? (t->step->working != NULL ? ", when " : "when ")
			  : "");
	put_event(out, t);
	if (t->armed != 0) {
		buf_addz(out, ", ");
		put_time(out, t->armed);
	}
}

static void
put_waiting(struct buf *out, const struct plan_timer *t, int64_t now)
{
	if (t->reason == WHY_EVENT) {
		buf_addz(out, "waits for its event: ");
		put_when(out, t);
		return;
	}
	buf_addz(out, "waits until ");
	put_time(out, t->due);
	if (t->due != NEVER) {
		buf_addz(out, ", for ");
		put_span(out, t->due - now);
	}
	buf_addz(out, ": ");
	put_when(out, t);
}

static void
put_cancelled(struct buf *out, const struct facts *f,
    const struct plan_timer *t, int64_t now)
{
	const struct cond_env env = { f, t->place, now };
	struct verdict v;

	buf_addz(out, "cancelled: ");
	if (t->reason == WHY_CLOSED) {
		buf_addz(out, "the ticket is closed");
	} else if (t->reason == WHY_CLOCK_DONE) {
		buf_addf(out, "%s is done", t->step->since.clock);
	} else {
		v = cond_judge(t->rule->until, &env);
		cond_why(out, &v, &env);
	}
}

static const char *const skip_words[WHY_REASONS] = {
	[WHY_NEWER] = "it is late, and a later step has come",
	[WHY_LATE] = "it is late, and the rule does nothing late",
	[WHY_OVER] = "it should have been done longer ago than the rule acts",
	[WHY_CHAIN_END] = "everybody of the chain was asked",
	[WHY_ALREADY] = "nothing is left to do: that is so already",
};

void
plan_why(struct buf *out, const struct rules *r, const struct facts *f,
    const struct plan_timer *t, int64_t now)
{
	(void)r;
	switch (t->state) {
	case PLAN_WAITING:
		put_waiting(out, t, now);
		break;
	case PLAN_DUE:
		buf_addz(out, "due since ");
		put_time(out, t->due);
		buf_addz(out, ": ");
		put_when(out, t);
		break;
	case PLAN_CLAIMED:
		buf_addf(out, "%s does it, and has until ", t->claim->by);
		put_time(out, t->claim->until);
		break;
	case PLAN_DONE:
		buf_addf(out, "done by %s at ", t->done->by);
		put_time(out, t->done->time);
		break;
	case PLAN_CANCELLED:
		put_cancelled(out, f, t, now);
		break;
	default:
		buf_addf(out, "skipped: %s", skip_words[t->reason]);
		if (t->due != 0) {
			buf_addz(out, "; it was for ");
			put_time(out, t->due);
		}
	}
}

/* ---- all of it ---- */

static void
put_action(struct buf *out, const struct plan_timer *t)
{
	const struct rule_action *a = t->action;
	size_t i;

	buf_addz(out, action_word(a->kind));
	if (a->hook != NULL)
		buf_addf(out, " %s", a->hook->name);
	if (a->precedence != NULL)
		buf_addf(out, " %s", a->precedence);
	if (a->chain != NULL)
		buf_addf(out, " along %s", a->chain->name);
	if (t->target != NULL)
		buf_addf(out, ", now to %s", t->target);
	for (i = 0; a->to != NULL && a->to[i] != NULL; i++)
		buf_addf(out, "%s %s", i == 0 ? " to" : ",", a->to[i]);
	if (t->turn > 0)
		buf_addf(out, ", again (%u of %u)", t->turn, t->rule->turns);
}

static void
put_timers(struct buf *out, const struct plan *p, const struct rules *r,
    const struct facts *f, const struct rule *rule,
    const struct fact_place *place, int64_t now)
{
	bool some = false;
	size_t i;

	for (i = 0; i < p->n; i++) {
		const struct plan_timer *t = &p->timer[i];

		if (t->rule != rule || t->place != place)
			continue;
		buf_addz(out, some ? "  " : "\n  ");
		some = true;
		put_action(out, t);
		buf_addz(out, "\n    ");
		plan_why(out, r, f, t, now);
		buf_addf(out, "\n    %s\n", t->id);
	}
	if (!some)
		buf_addz(out, "\n");
}

/* All that it would have done was ended by the same, and nothing was done. */
static bool
is_over(const struct plan *p, const struct rule *rule,
    const struct fact_place *place)
{
	const struct plan_timer *first = NULL;
	size_t i;

	for (i = 0; i < p->n; i++) {
		const struct plan_timer *t = &p->timer[i];

		if (t->rule != rule || t->place != place)
			continue;
		first = first != NULL ? first : t;
		if (t->state != PLAN_CANCELLED || t->reason != first->reason ||
		    t->reason == WHY_CLOCK_DONE)
			return false;
	}
	return first != NULL;
}

static void
put_over(struct buf *out, const struct plan *p, const struct facts *f,
    const struct rule *rule, const struct fact_place *place, int64_t now)
{
	const struct plan_timer *t = p->timer;

	while (t->rule != rule || t->place != place)
		t++;
	buf_addz(out, ": ");
	put_cancelled(out, f, t, now);
	buf_addz(out, "\n");
}

/* What an officer asks first: what ticket it is, and what comes next. */
static void
put_head(
    struct buf *out, const struct plan *p, const struct facts *f, int64_t now)
{
	const struct plan_timer *next = NULL;
	unsigned n[PLAN_STATES] = { 0 };
	unsigned s;
	size_t i;

	if (f->exercise != NULL)
		buf_addf(out, "EXERCISE %s, ", f->exercise);
	buf_addf(out, "%s, %s, TLP:%s, of %s: ", f->short_id, f->precedence,
	    f->tlp, f->member);
	cond_value(out, f->subject != NULL ? f->subject : "-");
	for (i = 0; i < p->n; i++) {
		const struct plan_timer *t = &p->timer[i];

		n[t->state]++;
		if (next == NULL && t->due != 0 && t->due != NEVER &&
		    (t->state == PLAN_DUE || t->state == PLAN_WAITING))
			next = t;
	}
	buf_addz(out, "\n");
	put_time(out, now);
	for (s = 0; s < PLAN_STATES; s++)
		if (n[s] > 0)
			buf_addf(out, ", %u %s", n[s],
			    plan_state_name((enum plan_state)s));
	buf_addz(out, "\n");
	if (next == NULL) {
		buf_addz(out, "next: nothing that has a time\n\n");
		return;
	}
	buf_addz(out, next->state == PLAN_DUE ? "next, now: " : "next, in ");
	if (next->state == PLAN_WAITING) {
		put_span(out, next->due - now);
		buf_addz(out, ": ");
	}
	buf_addf(out, "%s: ", next->rule->name);
	put_action(out, next);
	if (next->place != NULL)
		buf_addf(out, ", for %s", next->place->member);
	buf_addz(out, "\n\n");
}

static void
explain_rule(struct buf *out, const struct plan *p, const struct rules *r,
    const struct facts *f, const struct rule *rule,
    const struct fact_place *place, int64_t now)
{
	const struct cond_env env = { f, place, now };
	struct verdict v = cond_judge(rule->when, &env);

	buf_addf(out, "rule %s, line %u", rule->name, rule->line);
	if (place != NULL)
		buf_addf(out, ", for %s", place->member);
	if (v.holds) {
		if (is_over(p, rule, place))
			put_over(out, p, f, rule, place, now);
		else
			put_timers(out, p, r, f, rule, place, now);
		return;
	}
	buf_addz(out, ": not now: ");
	cond_why(out, &v, &env);
	if (v.until != NEVER) {
		buf_addz(out, "; that may change at ");
		put_time(out, v.until);
	}
	buf_addz(out, "\n");
}

enum tocsin_err
plan_explain(struct buf *out, const struct rules *r, const struct facts *f,
    const struct plan_self *self, int64_t now)
{
	struct plan p = { 0 };
	enum tocsin_err err = plan_make(&p, r, f, self, now);
	size_t i, k, n;

	if (err == TOCSIN_OK)
		put_head(out, &p, f, now);
	for (i = 0; err == TOCSIN_OK && i < r->nrule; i++) {
		const struct rule *rule = &r->rule[i];

		if (rule->scope == SCOPE_TICKET) {
			explain_rule(out, &p, r, f, rule, NULL, now);
			continue;
		}
		for (k = 0, n = 0; k < f->nplace; k++)
			if (f->place[k].ours == (rule->scope == SCOPE_US)) {
				explain_rule(
				    out, &p, r, f, rule, &f->place[k], now);
				n++;
			}
		if (n == 0)
			buf_addf(out, "rule %s, line %u: %s\n", rule->name,
			    rule->line,
			    rule->scope == SCOPE_US ? "we were not asked"
						    : "nobody else was asked");
	}
	if (err == TOCSIN_OK) {
		buf_addz(out, "looks again ");
		if (p.look == NEVER) {
			buf_addz(out, "when something comes in\n");
		} else {
			buf_addz(out, "when something comes in, and at ");
			put_time(out, p.look);
			buf_addz(out, "\n");
		}
	}
	plan_release(&p);
	return err == TOCSIN_OK && !buf_ok(out) ? TOCSIN_EINTERNAL : err;
}
