/* SPDX-License-Identifier: ISC */
#include "client/bot/cond.h"

#include "client/bot/cond_field.h"
#include "client/vocab.h"
#include "crypto/text.h"

#include <string.h>
#include <strings.h>

#define VALUE_SHOWN 120 /* bytes of a value, when it is said why */
#define VALUES_SHOWN 8

/* ---- events ---- */

static const char *const events[EVENTS] = { [EVENT_ASKED] = "asked",
	[EVENT_READ] = "read",
	[EVENT_ANSWERED] = "answered",
	[EVENT_HEARD] = "heard",
	[EVENT_ACKBY] = "ackby",
	[EVENT_MOVED] = "moved",
	[EVENT_WRITTEN] = "written",
	[EVENT_RECEIVED] = "received",
	[EVENT_OCCURRED] = "occurred",
	[EVENT_DETECTED] = "detected",
	[EVENT_REPORTED] = "reported",
	[EVENT_TURNED] = "turned",
	[EVENT_CLOCK] = "clock" };

const char *
event_name(enum fact_event e)
{
	return events[e];
}

bool
event_of_place(enum fact_event e)
{
	return e <= EVENT_MOVED;
}

const struct fact_deadline *
clock_of(const struct facts *f, const char *clock)
{
	size_t i;

	for (i = 0; i < f->ndeadline; i++)
		if (strcmp(f->deadline[i].clock, clock) == 0)
			return &f->deadline[i];
	return NULL;
}

static int64_t
place_time(enum fact_event e, const struct fact_place *p)
{
	switch (e) {
	case EVENT_ASKED:
		return p->asked;
	case EVENT_READ:
		return p->opened;
	case EVENT_ANSWERED:
		return p->answered;
	case EVENT_HEARD:
		return p->heard;
	case EVENT_ACKBY:
		return p->ackby;
	default:
		return p->since;
	}
}

int64_t
event_time(const struct rule_since *since, const struct facts *f,
    const struct fact_place *place)
{
	const struct fact_deadline *d;

	if (event_of_place(since->event))
		return place != NULL ? place_time(since->event, place) : 0;
	switch (since->event) {
	case EVENT_WRITTEN:
		return f->written;
	case EVENT_RECEIVED:
		return f->received;
	case EVENT_OCCURRED:
		return f->occurred;
	case EVENT_DETECTED:
		return f->detected;
	case EVENT_REPORTED:
		return f->reported;
	case EVENT_TURNED:
		return f->turned;
	case EVENT_CLOCK:
		d = clock_of(f, since->clock);
		return d != NULL ? d->due : 0;
	default:
		return 0;
	}
}

/* ---- tests ---- */

bool
name_matches(const char *pattern, const char *name)
{
	const char *at;

	if (name == NULL)
		return false;
	if (pattern[0] == '*') {
		at = strchr(name, '@');
		pattern += 1;
		return at != NULL &&
		       strncmp(at, pattern, strlen(pattern)) == 0 &&
		       (at[strlen(pattern)] == '\0' ||
			   at[strlen(pattern)] == '/');
	}
	return strcmp(pattern, name) == 0;
}

static const char *
attachment_at(const struct facts *f, enum field what, size_t i)
{
	if (i >= f->nattachment)
		return NULL;
	return what == FIELD_ATTACHMENT_TYPE ? f->attachment[i].media
					     : f->attachment[i].name;
}

/* The i-th value that the ticket has of it; NULL: no more. */
static const char *
value_at(const struct cond_field *field, const struct cond_env *env, size_t i)
{
	const struct facts *f = env->f;
	const struct fact_place *p = env->place;

	switch (field->what) {
	case FIELD_LABEL:
		return i < f->nlabel ? f->label[i] : NULL;
	case FIELD_TO:
		return i < f->nto ? f->to[i] : NULL;
	case FIELD_SECTOR:
		return i < f->nsector ? f->sector[i] : NULL;
	case FIELD_FROM: /* is the device, and its member */
		return i == 0 ? f->member : i == 1 ? f->from : NULL;
	case FIELD_ID: /* as it is typed, and in full */
		return i == 0 ? f->short_id : i == 1 ? f->id : NULL;
	case FIELD_ATTACHMENTS:
	case FIELD_ATTACHMENT_NAME:
	case FIELD_ATTACHMENT_TYPE:
	case FIELD_ATTACHMENT_SIZE:
		return attachment_at(f, field->what, i);
	default:
		break;
	}
	if (i > 0)
		return NULL;
	switch (field->what) {
	case FIELD_SEVERITY:
		return f->severity;
	case FIELD_CLASS:
		return f->classification;
	case FIELD_OUTLOOK:
		return f->outlook;
	case FIELD_PAP:
		return f->pap;
	case FIELD_TLP:
		return f->tlp;
	case FIELD_PRECEDENCE:
		return f->precedence;
	case FIELD_KIND:
		return f->kind;
	case FIELD_SUBJECT:
		return f->subject;
	case FIELD_RESOLUTION:
		return f->resolution;
	case FIELD_UNOPENED:
		return f->unopened;
	case FIELD_EXERCISE:
		return f->exercise;
	case FIELD_NATION:
		return f->member != NULL ? strchr(f->member, '@') : NULL;
	case FIELD_RECIPIENT:
		return p != NULL ? p->member : NULL;
	case FIELD_REASON:
		return p != NULL ? p->reason : NULL;
	case FIELD_STATE:
		return p != NULL ? tocsin_rung_name(p->rung) : NULL;
	default:
		return NULL;
	}
}

/* Whether a string of a message is one that the condition asks for. */
static bool
asks_for(const struct cond *c, const struct fact_word *w)
{
	if (c->field->what == FIELD_WORDS)
		return true;
	if (!w->opening)
		return false;
	switch (c->field->what) {
	case FIELD_TEXT:
		return strcmp(w->name, "text") == 0;
	case FIELD_INDICATOR:
		return strcmp(w->name, "indicators") == 0;
	case FIELD_REFERENCE:
		return strcmp(w->name, "references") == 0;
	default:
		return strcmp(w->name, c->name) == 0;
	}
}

/* The value behind the place *at, which moves on; NULL: no more. */
static const char *
value_next(const struct cond *c, const struct cond_env *env, size_t *at)
{
	if (!field_of_words(c->field->what))
		return value_at(c->field, env, (*at)++);
	while (*at < env->f->nword) {
		const struct fact_word *w = &env->f->word[(*at)++];

		if (asks_for(c, w))
			return w->text;
	}
	return NULL;
}

/* "malicious-code" is all of its types, too. */
static bool
class_is(const char *want, const char *have)
{
	size_t n = strlen(want);

	return strncmp(want, have, n) == 0 &&
	       (have[n] == '\0' || (have[n] == ':' && !strchr(want, ':')));
}

/* "image/png", and "image/" of "image/" and a star */
static bool
type_is(const char *want, const char *have)
{
	size_t n = strlen(want);

	if (n > 1 && want[n - 1] == '*' && want[n - 2] == '/')
		return strncasecmp(want, have, n - 1) == 0;
	return strcasecmp(want, have) == 0;
}

static bool
equal(const struct cond_field *field, const char *want, const char *have)
{
	switch (field->what) {
	case FIELD_CLASS:
		return class_is(want, have);
	case FIELD_FROM:
	case FIELD_TO:
	case FIELD_RECIPIENT:
		return name_matches(want, have);
	case FIELD_ATTACHMENT_TYPE:
		return type_is(want, have);
	case FIELD_NATION: /* of "@sg" */
		return strcmp(want, have + 1) == 0;
	default:
		return strcmp(want, have) == 0;
	}
}

static bool
is_one_of(const struct cond *c, const struct cond_env *env)
{
	const char *have;
	size_t at = 0, k;

	while ((have = value_next(c, env, &at)) != NULL)
		for (k = 0; k < c->nvalue; k++)
			if (equal(c->field, c->value[k], have))
				return true;
	return false;
}

static bool
same_scale(const char *a, const char *b)
{
	size_t n = strcspn(a, ":");

	return strcspn(b, ":") == n && strncmp(a, b, n) == 0;
}

/* < 0: below, by the order of the list, which begins with the most. */
static bool
compare(const struct cond *c, const struct cond_env *env, int *out)
{
	const char *have = value_at(c->field, env, 0);
	enum vocab v = c->field->vocab;
	size_t at, want;

	if (c->field->what == FIELD_STATE) {
		*out = env->place != NULL
			   ? (int)env->place->rung - (int)c->number
			   : -1;
		return env->place != NULL;
	}
	if (have == NULL || vocab_find(v, have) == NULL ||
	    (v == VOCAB_SEVERITY && !same_scale(have, c->value[0])))
		return false;
	at = vocab_place(v, have);
	want = vocab_place(v, c->value[0]);
	*out = at == want ? 0 : at < want ? 1 : -1;
	return true;
}

static bool
has_text(const struct cond *c, const struct cond_env *env)
{
	const char *have;
	size_t at = 0, k;

	while ((have = value_next(c, env, &at)) != NULL)
		for (k = 0; k < c->nvalue; k++)
			if (strcasestr(have, c->value[k]) != NULL)
				return true;
	return false;
}

static bool
has_size(const struct cond *c, const struct facts *f)
{
	const uint64_t limit = (uint64_t)c->number;
	size_t i;

	for (i = 0; i < f->nattachment; i++)
		if (c->cmp == CMP_OVER ? f->attachment[i].size > limit
				       : f->attachment[i].size < limit)
			return true;
	return false;
}

static struct spell
always(bool holds)
{
	return (struct spell){ holds, NEVER };
}

/* Has `at` come? */
static struct spell
from_then(int64_t at, int64_t now)
{
	return (struct spell){ now >= at, now >= at ? NEVER : at };
}

static struct spell
opposite(struct spell s)
{
	s.holds = !s.holds;
	return s;
}

/* "heard over 2h ago" */
static struct spell
test_event(const struct cond *c, const struct cond_env *env)
{
	int64_t t = event_time(&c->since, env->f, env->place);
	struct spell over;

	if (c->cmp == CMP_KNOWN || t == 0)
		return always(c->cmp == CMP_KNOWN && t != 0);
	over = from_then(t + c->number, env->now);
	return c->cmp == CMP_OVER ? over : opposite(over);
}

/* "clock nis2/early-warning under 4h left" */
static struct spell
test_clock(const struct cond *c, const struct cond_env *env)
{
	const struct fact_deadline *d = clock_of(env->f, c->since.clock);
	struct spell under;

	if (d == NULL)
		return always(false);
	if (c->cmp == CMP_DONE || d->done != 0)
		return always(c->cmp == CMP_DONE && d->done != 0);
	if (c->cmp == CMP_RUNNING)
		return always(true);
	under = from_then(
	    d->due + (c->cmp == CMP_MISSED ? 1 : -c->number), env->now);
	return c->cmp == CMP_OVER ? opposite(under) : under;
}

struct asking {
	const struct cond *c;
	bool found;
};

static void
is_wanted(void *arg, const char *who)
{
	struct asking *a = arg;
	size_t i;

	for (i = 0; i < a->c->nvalue; i++)
		if (strcmp(a->c->value[i], who) == 0)
			a->found = true;
}

static struct spell
test_duty(const struct cond *c, const struct cond_env *env)
{
	struct asking a = { c, false };
	struct spell s = duty_at(c->duty, env->now, is_wanted, &a);

	if (c->cmp != CMP_KNOWN)
		s.holds = a.found;
	return s;
}

static bool
flag(const struct cond *c, const struct cond_env *env)
{
	switch (c->field->what) {
	case FIELD_MINE:
		return env->f->mine;
	case FIELD_CLOSED:
		return env->f->closed;
	case FIELD_EXERCISE:
		return env->f->exercise != NULL;
	case FIELD_UNOPENED:
		return env->f->unopened != NULL;
	default: /* FIELD_DONE, "answered" */
		return env->place != NULL &&
		       env->place->rung > TOCSIN_RUNG_OPENED;
	}
}

/* Of what is counted. */
static int64_t
count_of(const struct cond *c, const struct facts *f)
{
	return c->field->what == FIELD_ESCALATED ? (int64_t)f->escalated
						 : (int64_t)f->nattachment;
}

static struct spell
test_words(const struct cond *c, const struct cond_env *env)
{
	int64_t count = count_of(c, env->f);
	size_t at = 0;
	int order = 0;

	switch (c->cmp) {
	case CMP_HOLDS:
		return always(flag(c, env));
	case CMP_HAS:
		return always(has_text(c, env));
	case CMP_LEAST:
	case CMP_MOST:
		if (field_counts(c->field->what))
			order = (count > c->number) - (count < c->number);
		else if (!compare(c, env, &order))
			return always(false);
		return always(c->cmp == CMP_LEAST ? order >= 0 : order <= 0);
	case CMP_KNOWN:
		return always(value_next(c, env, &at) != NULL);
	default:
		if (field_counts(c->field->what))
			return always(count == c->number);
		return always(is_one_of(c, env));
	}
}

static struct spell
test(const struct cond *c, const struct cond_env *env)
{
	switch (c->field->what) {
	case FIELD_EVENT:
		return test_event(c, env);
	case FIELD_CLOCK:
		return test_clock(c, env);
	case FIELD_WORKING:
		return calendar_works(c->calendar, env->now);
	case FIELD_HOLIDAY:
		return calendar_holiday(c->calendar, env->now);
	case FIELD_DUTY:
		return test_duty(c, env);
	case FIELD_ATTACHMENT_SIZE:
		return always(has_size(c, env->f));
	default:
		return test_words(c, env);
	}
}

/* ---- the tree ---- */

/*
 * Of two: `and` is false as long as one of them is, so it changes when the
 * later of two false ones may; while both hold, when the first of them may.
 * `or` is the same with the words exchanged.
 */
static struct verdict
both(struct verdict a, struct verdict b, bool deciding)
{
	if (a.holds == deciding && b.holds == deciding)
		return a.until >= b.until ? a : b;
	if (a.holds == deciding)
		return a;
	if (b.holds == deciding)
		return b;
	return a.until <= b.until ? a : b;
}

static struct verdict
quantify(const struct cond *c, const struct cond_env *env)
{
	bool some = c->kind == COND_SOME, first = true;
	struct verdict all = { !some, NEVER, NULL, NULL };
	struct cond_env of = *env;
	size_t i;

	for (i = 0; i < env->f->nplace; i++) {
		struct verdict v;

		of.place = &env->f->place[i];
		if (of.place->ours)
			continue;
		v = cond_judge(c->a, &of);
		all = first ? v : both(all, v, some);
		first = false;
	}
	return all;
}

struct verdict
cond_judge(const struct cond *c, const struct cond_env *env)
{
	struct verdict v = { true, NEVER, c, env->place };
	struct spell s;

	if (c == NULL)
		return v;
	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		return both(cond_judge(c->a, env), cond_judge(c->b, env),
		    c->kind == COND_OR);
	case COND_NOT:
		v = cond_judge(c->a, env);
		v.holds = !v.holds;
		return v;
	case COND_SOME:
	case COND_EVERY:
		v = quantify(c, env);
		v.because = v.because != NULL ? v.because : c;
		return v;
	case COND_TEST:
		s = test(c, env);
		v.holds = s.holds != c->negated;
		v.until = s.until;
		break;
	}
	return v;
}

/* ---- why ---- */

static void
put_time(struct buf *out, int64_t t)
{
	if (t == 0)
		buf_addz(out, "not known");
	else
		text_put_time(out, t);
}

static void
put_name(void *arg, const char *who)
{
	buf_addf(arg, " %s", who);
}

void
cond_value(struct buf *out, const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0' && i < VALUE_SHOWN; i++)
		buf_u8(out, (uint8_t)s[i] < ' ' ? ' ' : (uint8_t)s[i]);
	if (s[i] != '\0')
		buf_addz(out, "...");
}

static void
put_values(struct buf *out, const struct cond *c, const struct cond_env *env)
{
	size_t at = 0, i;
	const char *have = value_next(c, env, &at);

	if (c->field->what == FIELD_NATION && have != NULL)
		have++;
	if (have == NULL) {
		buf_addz(out, "it is not given");
		return;
	}
	buf_addz(out, "it is ");
	cond_value(out, have);
	for (i = 1; (have = value_next(c, env, &at)) != NULL; i++) {
		buf_addz(out, ", ");
		if (i == VALUES_SHOWN) {
			buf_addz(out, "and others");
			break;
		}
		cond_value(out, have);
	}
}

/* "it is accepted since 2026-11-21T03:14:15Z" */
static void
put_place(struct buf *out, const struct fact_place *p)
{
	if (p == NULL)
		return;
	buf_addf(out, "it is %s", tocsin_rung_name(p->rung));
	if (p->since != 0) {
		buf_addz(out, " since ");
		put_time(out, p->since);
	}
}

static void
put_sizes(struct buf *out, const struct facts *f)
{
	size_t i;

	if (f->nattachment == 0)
		buf_addz(out, "it has none");
	for (i = 0; i < f->nattachment && i < VALUES_SHOWN; i++)
		buf_addf(out, "%s%llu bytes", i == 0 ? "" : ", ",
		    (unsigned long long)f->attachment[i].size);
	if (i < f->nattachment)
		buf_addz(out, ", and others");
}

static void
put_actual(struct buf *out, const struct cond *c, const struct cond_env *env)
{
	const struct fact_deadline *d;

	switch (c->field->what) {
	case FIELD_EVENT:
		put_time(out, event_time(&c->since, env->f, env->place));
		return;
	case FIELD_CLOCK:
		d = clock_of(env->f, c->since.clock);
		if (d == NULL) {
			buf_addz(out, "it does not run");
			return;
		}
		buf_addz(out, d->done != 0 ? "done " : "due ");
		put_time(out, d->done != 0 ? d->done : d->due);
		return;
	case FIELD_DONE:
		put_place(out, env->place);
		return;
	case FIELD_DUTY:
		buf_addz(out, "on duty:");
		if (!duty_at(c->duty, env->now, put_name, out).holds)
			buf_addz(out, " nobody");
		return;
	case FIELD_ESCALATED:
		buf_addf(out, "%u times", env->f->escalated);
		return;
	case FIELD_ATTACHMENTS:
		buf_addf(out, "it has %zu", env->f->nattachment);
		return;
	case FIELD_ATTACHMENT_SIZE:
		put_sizes(out, env->f);
		return;
	case FIELD_TEXT: /* they are long */
	case FIELD_WORDS:
		buf_addz(out, test(c, env).holds ? "yes" : "no");
		return;
	default:
		if (c->cmp == CMP_HOLDS)
			buf_addz(out, test(c, env).holds ? "yes" : "no");
		else
			put_values(out, c, env);
	}
}

void
cond_why(struct buf *out, const struct verdict *v, const struct cond_env *env)
{
	struct cond_env of = *env;
	const struct cond *c = v->because;

	if (c == NULL)
		return;
	if (c->kind != COND_TEST) {
		buf_addz(out, "nobody else was asked");
		return;
	}
	of.place = v->place;
	buf_addf(out, "`%s`", c->text);
	if (of.place != NULL && env->place == NULL)
		buf_addf(out, " of %s", of.place->member);
	buf_addz(out, ": ");
	put_actual(out, c, &of);
}
