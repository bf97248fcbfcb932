/* SPDX-License-Identifier: ISC */
#include "client/bot/act.h"

#include "client/bot/gather.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "crypto/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY (4 + 64 + 1)
#define TITLE 120
#define BUSY 2	     /* seconds, until a slot may be free */
#define RECORD 60    /* until a record that could not be made is tried again */
#define TOLD 600     /* between two lines about the same trouble */
#define LEFT_OVER 30 /* that one has to end when it was killed */

int64_t
act_now(const struct actor *a)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + a->offset) /
	       1000;
}

/* The end of our claim, as the others know it; 0: there is none. */
static int64_t
claim_end(const struct actor *a, const struct plan_timer *t)
{
	return t->ours && t->claim != NULL
		   ? t->claim->until + a->rules->claim / 2
		   : 0;
}

bool
act_in_time(const struct actor *a, const struct plan_timer *t)
{
	int64_t end = claim_end(a, t), takes = 0;

	if (t->action->kind == ACTION_NOTIFY)
		takes = t->action->hook->seconds;
	return end == 0 || act_now(a) + takes <= end;
}

/* ---- saying ---- */

/* A line of --json. */
static void
say_json(const char *event, const char *id, struct span rule, const char *what,
    const char *action, const char *text)
{
	print_json(json_pack("{s:s, s:o, s:s, s:s%, s:s, s:s, s:o}", "event",
	    event, "time", view_time(cli_now()), "id", id, "rule", rule.p,
	    rule.n, "do", what, "action", action, "text", view_string(text)));
	fflush(stdout);
}

void
act_say(struct actor *a, const char *event, const struct facts *f,
    const struct plan_timer *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (a->c->json)
		say_json(event, f->id, span_of(t->rule->name),
		    action_word(t->action->kind), t->id, text);
	cli_note("%s: %s: %s (%s)", f->short_id, t->rule->name, text, t->id);
}

/* ---- messages ---- */

/* Another one after each try that a broker refused. */
static void
key_of(char key[KEY], const char *id, const char *what, uint32_t tries)
{
	crypto_generichash_state h;
	uint8_t hash[32];

	crypto_generichash_init(&h, NULL, 0, sizeof(hash));
	crypto_generichash_update(&h, (const uint8_t *)id, strlen(id) + 1);
	crypto_generichash_update(&h, (const uint8_t *)what, strlen(what) + 1);
	crypto_generichash_update(
	    &h, (const uint8_t *)&tries, sizeof(tries)); /* this home's alone */
	crypto_generichash_final(&h, hash, sizeof(hash));
	memcpy(key, "bot/", 4);
	sodium_bin2hex(key + 4, KEY - 4, hash, sizeof(hash));
}

static size_t
step_of(const struct plan_timer *t)
{
	return (size_t)(t->step - t->rule->step) + 1;
}

/* NULL: no memory. */
static char *
record_json(const struct plan_timer *t, bool failed)
{
	json_t *o = json_pack("{s:{s:s, s:s, s:I}}", "action", "id", t->id,
	    "rule", t->rule->name, "step", (json_int_t)step_of(t));
	json_t *in = json_object_get(o, "action");
	char *text;

	if (t->action->hook != NULL)
		json_object_set_new(
		    in, "hook", json_string(t->action->hook->name));
	if (failed)
		json_object_set_new(in, "failed", json_true());
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

struct said {
	struct actor *a;
	const struct facts *f;
	const struct plan_timer *t;
	int64_t now;
	const char *one[2]; /* a member as a list */
	struct buf text;
	char title[TITLE + 4];
};

/* A roster of names may be in whatever letters; a message is in UTF-8. */
static void
say_text(struct said *s)
{
	struct buf b = { 0 };

	plan_text(&b, s->a->rules, s->f, s->t, s->t->action->text, s->now);
	utf8_mend(&s->text, buf_span(&b));
	buf_u8(&s->text, 0);
	if (!buf_ok(&b))
		s->text.failed = true;
	buf_release(&b);
}

static const char *const *
only(struct said *s, const char *member)
{
	s->one[0] = member;
	return s->one;
}

/* Those who know nothing of the ticket get one of their own, in our words. */
static enum tocsin_err
draft_post(struct said *s, struct tocsin_draft *d)
{
	const struct facts *f = s->f;
	const char *text = (const char *)s->text.p;
	size_t n = strcspn(text, "\n");

	if (!f->mine && strcmp(f->tlp, "GREEN") != 0 &&
	    strcmp(f->tlp, "CLEAR") != 0)
		return fail(TOCSIN_EPOLICYDENIED,
		    "a ticket of another member's with the label %s is not "
		    "told to others by a rule",
		    f->tlp);
	while (n > TITLE || (n > 0 && n == TITLE))
		n--;
	while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	snprintf(s->title, sizeof(s->title), "%.*s", (int)n, text);
	*d = (struct tocsin_draft){ .kind = "report",
		.to = s->t->action->to,
		.tlp = f->tlp,
		.precedence = f->precedence,
		.exercise = f->exercise,
		.subject = s->title,
		.text = text };
	return TOCSIN_OK;
}

static enum tocsin_err
draft_of(struct said *s, struct tocsin_draft *d)
{
	const struct plan_timer *t = s->t;
	const struct rule_action *action = t->action;

	say_text(s);
	if (!buf_ok(&s->text))
		return fail(TOCSIN_EINTERNAL, "no memory");
	*d = (struct tocsin_draft){ .thread = s->f->id,
		.text = (const char *)s->text.p };
	switch (action->kind) {
	case ACTION_REMIND:
		d->kind = "update";
		d->to = only(s, t->place->member);
		break;
	case ACTION_ACK:
		*d = (struct tocsin_draft){
			.thread = s->f->id, .kind = "ack", .answer = "received"
		};
		break;
	case ACTION_ESCALATE:
		d->kind = "escalate";
		d->to = t->target != NULL ? only(s, t->target) : action->to;
		break;
	case ACTION_RAISE:
		d->kind = "update";
		d->precedence = action->precedence;
		break;
	case ACTION_POST:
		return draft_post(s, d);
	case ACTION_NOTIFY:
	case ACTIONS:
		return fail(TOCSIN_EINTERNAL, "that is no message");
	}
	return TOCSIN_OK;
}

/* Whether our broker has refused what was posted under that key. */
static enum tocsin_err
refused(struct actor *a, const char *id)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = tocsin_get(a->t, id, &m);

	if (err == TOCSIN_OK && m->refused == TOCSIN_ETIMEOUT) /* term.h */
		err = fail(m->refused,
		    "it did not reach the broker while this device had it to "
		    "do");
	else if (err == TOCSIN_OK && m->refused != TOCSIN_OK)
		err = fail(m->refused, "the broker refused it: %s",
		    tocsin_err_text(m->refused));
	tocsin_message_free(m);
	return err;
}

/*
 * To the own member alone: what was done elsewhere, or could not be done. One
 * that our broker has refused is no record, so another one is made.
 */
static enum tocsin_err
record(struct actor *a, const char *thread, const struct plan_timer *t,
    bool failed, const char *why)
{
	const char *to[] = { a->self.member, NULL };
	char key[KEY], id[TOCSIN_ID_TEXT], *json = record_json(t, failed);
	struct buf text = { 0 };
	bool repeated = false;
	struct tocsin_draft d = { .kind = "update",
		.thread = thread,
		.to = to,
		.json = json,
		.once = key,
		.repeated = &repeated };
	enum tocsin_err err = fail(TOCSIN_EINTERNAL, "no memory");
	uint32_t n;

	if (failed)
		buf_addf(&text, "The rule %s %s: it was given up: %s",
		    t->rule->name, action_word(t->action->kind), why);
	buf_u8(&text, 0);
	if (failed)
		d.text = (const char *)text.p;
	for (n = 0; json != NULL && buf_ok(&text) && n < DEED_TRIES; n++) {
		key_of(key, t->id, failed ? "failed" : "done", n);
		err = tocsin_post(a->t, &d, id);
		if (err != TOCSIN_OK || !repeated)
			break;
		err = refused(a, id);
		if (err == TOCSIN_OK)
			break;
	}
	free(json);
	buf_release(&text);
	return err;
}

/* True if it is; else it was done all the same, and is not done again. */
static bool
recorded(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t now, int64_t *again)
{
	if (record(a, f->id, t, false, NULL) == TOCSIN_OK)
		return true;
	cli_note("%s: %s: it was done, and that cannot be recorded in the "
		 "ticket: %s; tried again in %d s",
	    f->short_id, t->rule->name, tocsin_error(a->t), RECORD);
	*again = now + RECORD;
	return false;
}

/* ---- failing ---- */

/* A word that does not become another by waiting. */
static bool
for_good(enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_EKINDNOTALLOWED:
	case TOCSIN_EPOLICYDENIED:
	case TOCSIN_EUSAGE:
	case TOCSIN_EEXERCISEMISMATCH:
		return true;
	default:
		return false;
	}
}

static void
give_up(struct actor *a, const struct facts *f, const struct plan_timer *t,
    struct deed *d)
{
	act_say(a, "given-up", f, t, "given up after %u tr%s: %s", d->tries,
	    d->tries == 1 ? "y" : "ies", d->why);
	if (record(a, f->id, t, true, d->why) != TOCSIN_OK)
		cli_note("%s: that cannot be recorded in the ticket: %s",
		    f->short_id, tocsin_error(a->t));
}

/* On the disk, and said. True: it is given up and recorded. */
static bool
failed(struct actor *a, const struct facts *f, const struct plan_timer *t,
    struct deed *d, enum tocsin_err err, int64_t now, int64_t *again)
{
	char why[256];

	snprintf(why, sizeof(why), "%.200s [%s]", tocsin_error(a->t),
	    tocsin_err_name(err));
	a->failed++;
	d->tries++;
	deed_fail(d, now, why);
	if (for_good(err))
		d->state = DEED_GIVEN_UP;
	if (deed_put(a->t, d) != TOCSIN_OK)
		cli_note("%s", tocsin_error(a->t));
	*again = d->again;
	if (d->state == DEED_GIVEN_UP) {
		give_up(a, f, t, d);
		return true;
	}
	act_say(a, "failed", f, t, "not done: %s; tried again in %lld s", why,
	    (long long)(d->again - now));
	return false;
}

static enum tocsin_err
post(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t now, uint32_t tries, char id[TOCSIN_ID_TEXT])
{
	struct said s = { .a = a, .f = f, .t = t, .now = now };
	struct tocsin_draft d;
	char key[KEY], *json = NULL;
	bool repeated = false;
	enum tocsin_err err = draft_of(&s, &d);

	if (err == TOCSIN_OK) {
		key_of(key, t->id, "act", tries);
		json = record_json(t, false);
		d.json = json;
		d.once = key;
		d.repeated = &repeated;
		d.until = claim_end(a, t);
		err = json != NULL ? tocsin_post(a->t, &d, id)
				   : fail(TOCSIN_EINTERNAL, "no memory");
	}
	if (err == TOCSIN_OK && repeated)
		err = refused(a, id);
	free(json);
	buf_release(&s.text);
	return err;
}

static bool
send(struct actor *a, const struct facts *f, const struct plan_timer *t,
    struct deed *d, int64_t now, int64_t *again)
{
	char id[TOCSIN_ID_TEXT], brief[TOCSIN_SHORT_TEXT];
	enum tocsin_err err;

	*again = now + BUSY;
	if (!act_in_time(a, t))
		return false;
	err = post(a, f, t, now, d->tries, id);

	if (err != TOCSIN_OK)
		return failed(a, f, t, d, err, now, again);
	/*
	 * The thread that gave rise to it must know of another one, too. That
	 * is no try of the post, which would have another key then.
	 */
	if (t->action->kind == ACTION_POST && !recorded(a, f, t, now, again))
		return false;
	a->posted++;
	view_short(brief, id);
	act_say(a, "done", f, t, "%s%s%s: %s", action_word(t->action->kind),
	    t->target != NULL  ? " to "
	    : t->place != NULL ? " "
			       : "",
	    t->target != NULL  ? t->target
	    : t->place != NULL ? t->place->member
			       : "",
	    brief);
	return true;
}

/* ---- hooks ---- */

static json_t *
places_json(const struct facts *f)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < f->nplace; i++) {
		const struct fact_place *p = &f->place[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "member",
			p->member, "rung", tocsin_rung_name(p->rung), "since",
			view_time(p->since), "asked", view_time(p->asked),
			"ackby", view_time(p->ackby), "answered",
			view_time(p->answered), "heard", view_time(p->heard)));
	}
	return list;
}

/* A line: what is to be done and why, and the ticket as `watch --json`. */
static bool
input_of(struct actor *a, const struct facts *f, const struct plan_timer *t,
    uint32_t attempt, int64_t now, struct buf *out)
{
	struct tocsin_message *m = NULL;
	struct buf why = { 0 }, text = { 0 };
	json_t *ticket = NULL, *o;
	char *line;

	plan_why(&why, a->rules, f, t, now);
	plan_text(&text, a->rules, f, t, t->action->text, now);
	buf_u8(&why, 0);
	buf_u8(&text, 0);
	if (tocsin_get(a->t, f->id, &m) == TOCSIN_OK)
		ticket = view_event_json(a->t, m);
	tocsin_message_free(m);
	o = json_pack("{s:s, s:I, s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "action",
	    t->id, "attempt", (json_int_t)attempt, "rule", t->rule->name,
	    "step", (json_int_t)step_of(t), "hook", t->action->hook->name,
	    "due", view_time(t->due), "member",
	    view_string(t->place != NULL ? t->place->member : NULL), "places",
	    places_json(f), "ticket", ticket != NULL ? ticket : json_null());
	if (buf_ok(&why) && buf_ok(&text)) {
		json_object_set_new(o, "why", view_string((const char *)why.p));
		json_object_set_new(
		    o, "text", view_string((const char *)text.p));
	}
	line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (line != NULL) {
		buf_addz(out, line);
		buf_addz(out, "\n");
		sodium_memzero(line, strlen(line));
	}
	free(line);
	json_decref(o);
	buf_release(&why);
	buf_release(&text);
	return line != NULL && buf_ok(out);
}

/*
 * One that begins with a field, in the words of whoever wrote the ticket, must
 * not be taken for an option: a blank goes before it.
 */
static void
put_argument(struct buf *out, struct actor *a, const struct facts *f,
    const struct plan_timer *t, const char *template, int64_t now)
{
	struct buf b = { 0 };

	plan_text(&b, a->rules, f, t, template, now);
	if (template[0] == '{' && template[1] != '{' && b.n > 0 &&
	    b.p[0] == '-')
		buf_u8(out, ' ');
	buf_add(out, buf_span(&b));
	if (!buf_ok(&b))
		out->failed = true;
	buf_release(&b);
}

static char **
argv_of(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t now, struct arena *arena)
{
	const struct hook *hook = t->action->hook;
	char **argv = arena_array(arena, hook->argc + 1, sizeof(*argv));
	size_t i;

	for (i = 0; argv != NULL && i < hook->argc; i++) {
		struct buf b = { 0 };

		if (i == 0)
			buf_addz(&b, hook->argv[0]);
		else
			put_argument(&b, a, f, t, hook->argv[i], now);
		argv[i] = buf_ok(&b) ? arena_text(arena, buf_span(&b)) : NULL;
		buf_release(&b);
		if (argv[i] == NULL)
			return NULL;
	}
	return argv;
}

static bool
start(struct actor *a, const struct facts *f, const struct plan_timer *t,
    const struct deed *d, unsigned slot, int64_t now)
{
	const struct hook *hook = t->action->hook;
	struct arena arena = { 0 };
	struct buf input = { 0 };
	struct hook_start s = { .action = t->id,
		.thread = f->id,
		.rule = t->rule->name,
		.seconds = (unsigned)hook->seconds,
		.attempt = d->tries,
		.argv = argv_of(a, f, t, now, &arena) };
	bool good = s.argv != NULL && input_of(a, f, t, d->tries, now, &input);

	s.input = buf_span(&input);
	good = good && hooks_start(a->hooks, slot, &s);
	buf_release(&input);
	arena_release(&arena);
	return good;
}

/*
 * What was begun and has no end: it still runs, or the machine went down. Who
 * has left the group that is killed, or has no number, is waited for in vain,
 * and holds one slot, but not the action.
 */
static bool
still_runs(struct actor *a, const struct plan_timer *t, const struct deed *d,
    int64_t now)
{
	if (hooks_running(a->hooks, t->id))
		return true;
	if (d->state != DEED_BEGUN || !hooks_left(a->hooks, d->slot))
		return false;
	if (now > d->begun + t->action->hook->seconds)
		hooks_end_left(a->hooks, d->slot);
	if (now <= d->begun + t->action->hook->seconds + LEFT_OVER)
		return true;
	cli_note("the hook for %s of an earlier bot does not end, and it is "
		 "begun anew; find the old one with `fuser` on "
		 "readers/bot.*.%u.run in the home",
	    t->id, d->slot);
	return false;
}

/* None of ours runs, and yet there is no room: that does not mend itself. */
static void
tell_no_slot(struct actor *a, int64_t now)
{
	if (hooks_busy(a->hooks) > 0 || now < a->no_slot + TOLD)
		return;
	a->no_slot = now;
	cli_note("no hook is begun: what hooks of an earlier bot have left "
		 "running holds all %d slots; find it with `fuser` on "
		 "readers/bot.*.run in the home, and end it",
	    HOOKS_MAX);
}

static bool
run(struct actor *a, const struct facts *f, const struct plan_timer *t,
    struct deed *d, int64_t now, int64_t *again)
{
	unsigned slot;

	*again = now + BUSY;
	if (d->state == DEED_GOOD)
		return recorded(a, f, t, now, again);
	if (still_runs(a, t, d, now) || !act_in_time(a, t))
		return false;
	slot = hooks_slot(a->hooks);
	if (slot == 0) {
		tell_no_slot(a, now);
		return false;
	}
	d->state = DEED_BEGUN;
	d->slot = slot;
	d->tries++;
	d->begun = now;
	buf_cut(&d->output, 0);
	if (deed_put(a->t, d) != TOCSIN_OK) {
		cli_note("%s", tocsin_error(a->t));
		return false;
	}
	if (!act_in_time(a, t)) { /* it was not begun */
		d->state = DEED_FAILED;
		d->tries--;
		d->again = now;
		if (deed_put(a->t, d) != TOCSIN_OK)
			cli_note("%s", tocsin_error(a->t));
		return false;
	}
	a->begun++;
	if (!start(a, f, t, d, slot, now)) {
		deed_fail(d, now, "it was not started: no memory");
		if (deed_put(a->t, d) != TOCSIN_OK)
			cli_note("%s", tocsin_error(a->t));
		return false;
	}
	act_say(a, "begun", f, t, "the hook %s, attempt %u",
	    t->action->hook->name, d->tries);
	return true;
}

/* The rule may be another one by now; its name begins the id. */
static void
hook_failed(struct actor *a, const struct deed *d, const char *why)
{
	struct span rule = span_cut(span_of(d->id), 0, strcspn(d->id, "/"));

	a->failed++;
	if (a->c->json)
		say_json("failed", d->thread, rule, action_word(ACTION_NOTIFY),
		    d->id, why);
	cli_note(
	    "the hook for %s failed, attempt %u: %s", d->id, d->tries, why);
}

bool
act_reap(struct actor *a, int64_t now)
{
	struct hook_end e;
	struct deed d;
	bool any = false;

	while (hooks_ended(a->hooks, &e)) {
		any = true;
		if (deed_get(a->t, e.action, &d) == TOCSIN_OK) {
			buf_cut(&d.output, 0);
			buf_add(&d.output, buf_span(&e.end.kept));
			d.ended = now;
			d.state = DEED_GOOD;
			if (!e.end.good)
				deed_fail(&d, now, e.end.why);
			if (!e.end.good)
				hook_failed(a, &d, e.end.why);
			if (deed_put(a->t, &d) != TOCSIN_OK)
				cli_note("%s", tocsin_error(a->t));
		}
		deed_release(&d);
		buf_release(&e.end.kept);
	}
	return any;
}

bool
act_has_ended(struct actor *a, const struct plan_timer *t)
{
	struct deed d;
	bool ended = t->action->kind == ACTION_NOTIFY &&
		     deed_get(a->t, t->id, &d) == TOCSIN_OK;

	if (!ended)
		return false;
	ended = d.state == DEED_GOOD;
	deed_release(&d);
	return ended;
}

/* ---- one timer ---- */

bool
act_do(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t now, int64_t *again)
{
	struct deed d;
	enum tocsin_err err = deed_get(a->t, t->id, &d);
	bool done = false;

	*again = now + BUSY;
	if (err == TOCSIN_ENOTFOUND) {
		d = (struct deed){ 0 };
		d.state = DEED_FAILED;
		snprintf(d.id, sizeof(d.id), "%s", t->id);
		snprintf(d.thread, sizeof(d.thread), "%s", f->id);
		err = TOCSIN_OK;
	}
	if (err != TOCSIN_OK) {
		cli_note("%s", tocsin_error(a->t));
	} else if (d.state == DEED_GIVEN_UP) {
		give_up(a, f, t, &d); /* its record did not come about */
		*again = now + 3600;
	} else if (d.state == DEED_FAILED && d.again > now &&
		   d.again <= now + 3600) {
		*again = d.again;
	} else if (t->action->kind == ACTION_NOTIFY) {
		done = run(a, f, t, &d, now, again);
	} else {
		done = send(a, f, t, &d, now, again);
	}
	deed_release(&d);
	return done;
}

enum tocsin_err
act_claim(struct actor *a, const struct facts *f, const struct plan_timer *t,
    int64_t until)
{
	const char *to[] = { a->self.member, NULL };
	char text[TIME_TEXT + 1], id[TOCSIN_ID_TEXT], *json;
	struct tocsin_draft d = {
		.kind = "update", .thread = f->id, .to = to, .until = until
	};
	enum tocsin_err err;
	json_t *o;

	time_print(text, until);
	o = json_pack("{s:{s:s, s:s}}", "claim", "id", t->id, "until", text);
	json = json_dumps(o, JSON_COMPACT);
	d.json = json;
	err = json != NULL ? tocsin_post(a->t, &d, id)
			   : fail(TOCSIN_EINTERNAL, "no memory");
	free(json);
	json_decref(o);
	return err;
}
