/* SPDX-License-Identifier: ISC */
#include "client/cli/bot_show.h"

#include "client/bot/gather.h"
#include "client/bot/rehearse.h"
#include "client/cli/print.h"
#include "client/cli/view.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARGIN "    "

/* ---- faults ---- */

void
bot_faults(const char *path, const struct rules_faults *faults, const char *why)
{
	struct buf b = { 0 };
	size_t i;

	if (faults == NULL || faults->n == 0) {
		cli_note("%s", why);
		return;
	}
	for (i = 0; i < faults->n && i < RULES_FAULTS; i++) {
		buf_cut(&b, 0);
		rules_fault_print(&b, path, &faults->fault[i]);
		safe_span(stderr, buf_span(&b), SAFE_LINE);
		putc('\n', stderr);
	}
	buf_release(&b);
	cli_note("%zu fault%s; nothing is done by rules with one", faults->n,
	    faults->n == 1 ? "" : "s");
}

/* Also that it is one, as far as this machine can say. */
static const char *
why_not_run(const char *program)
{
	struct stat st;

	if (stat(program, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "that is no program";
	return access(program, X_OK) != 0 ? "it may not be run" : NULL;
}

void
bot_warn(const char *path, const struct rules *r)
{
	const char *why;
	size_t i;

	if (r->nrule == 0)
		cli_note("%s has no rule: nothing will be done", path);
	for (i = 0; i < r->nhook; i++) {
		why = why_not_run(r->hook[i].argv[0]);
		if (why != NULL)
			cli_note("%s:%u: hook %s cannot run here: %s: %s", path,
			    r->hook[i].line, r->hook[i].name,
			    r->hook[i].argv[0], why);
	}
}

static const char *
scope_word(enum rule_scope s)
{
	static const char *const words[] = { "ticket", "recipient", "us" };

	return words[s];
}

int
bot_checked(struct cli *c, const char *path, const struct rules *r)
{
	size_t i;

	bot_warn(path, r);
	for (i = 0; c->json && i < r->nrule; i++)
		print_json(json_pack("{s:s, s:I, s:s, s:I}", "rule",
		    r->rule[i].name, "line", (json_int_t)r->rule[i].line, "for",
		    scope_word(r->rule[i].scope), "steps",
		    (json_int_t)r->rule[i].nstep));
	if (!c->json) {
		safe_print(stdout, path);
		printf(": %zu rule%s, %zu hook%s, %zu chain%s, %zu "
		       "calendar%s, %zu duty roster%s\n",
		    r->nrule, r->nrule == 1 ? "" : "s", r->nhook,
		    r->nhook == 1 ? "" : "s", r->nchain,
		    r->nchain == 1 ? "" : "s", r->ncalendar,
		    r->ncalendar == 1 ? "" : "s", r->nduty,
		    r->nduty == 1 ? "" : "s");
	}
	return 0;
}

/* ---- what they would have done ---- */

struct line {
	int64_t at;
	json_t *o;
};

struct lines {
	struct actor *a;
	struct line *line;
	size_t n;
	bool failed;
};

static json_t *
text_of(struct actor *a, const struct rehearsed *r)
{
	struct buf b = { 0 };
	json_t *o;

	plan_text(&b, a->rules, r->f, r->t, r->t->action->text, r->at);
	buf_u8(&b, 0);
	o = view_string(buf_ok(&b) ? (const char *)b.p : NULL);
	buf_release(&b);
	return o;
}

static const char *
whom(const struct plan_timer *t)
{
	if (t->target != NULL)
		return t->target;
	return t->place != NULL ? t->place->member : NULL;
}

static void
did(void *arg, const struct rehearsed *r)
{
	struct lines *l = arg;
	struct line *grown = realloc(l->line, (l->n + 1) * sizeof(*grown));

	if (grown == NULL) {
		l->failed = true;
		return;
	}
	l->line = grown;
	grown += l->n++;
	grown->at = r->at;
	grown->o = json_pack(
	    "{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "time",
	    view_time(r->at), "id", r->f->id, "short_id", r->f->short_id,
	    "rule", r->t->rule->name, "do", action_word(r->t->action->kind),
	    "action", r->t->id, "member", view_string(whom(r->t)), "hook",
	    view_string(
		r->t->action->hook != NULL ? r->t->action->hook->name : NULL),
	    "due", view_time(r->t->due), "text", text_of(l->a, r));
}

static int
by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static const char *
member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

static void
print_line(const struct line *l)
{
	print_time(stdout, l->at);
	printf("  %s  %s: %s", member(l->o, "short_id"), member(l->o, "rule"),
	    member(l->o, "do"));
	if (member(l->o, "hook")[0] != '\0')
		printf(" %s", member(l->o, "hook"));
	if (member(l->o, "member")[0] != '\0')
		printf(" %s", member(l->o, "member"));
	printf("\n" MARGIN);
	safe_title(stdout, member(l->o, "text"), 76);
	printf("\n" MARGIN "%s\n", member(l->o, "action"));
}

int
bot_rehearse(struct actor *a, const char *since)
{
	struct lines l = { .a = a };
	struct rehearsal r = { .t = a->t,
		.rules = a->rules,
		.self = a->self,
		.now = cli_now(),
		.did = did,
		.arg = &l };
	enum tocsin_err err;
	size_t i;

	if (!view_past("--since", since != NULL ? since : "30d", &r.since))
		return 2;
	err = rehearse(&r);
	if (l.n > 1)
		qsort(l.line, l.n, sizeof(*l.line), by_time);
	for (i = 0; i < l.n; i++) {
		if (a->c->json)
			print_json(l.line[i].o);
		else
			print_line(&l.line[i]);
		if (!a->c->json)
			json_decref(l.line[i].o);
	}
	free(l.line);
	if (err != TOCSIN_OK)
		return cli_error(a->t, err);
	if (l.failed)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	cli_note("nothing was done: %zu tickets looked at, %zu things would "
		 "have been done",
	    r.tickets, l.n);
	return 0;
}

/* ---- why ---- */

static json_t *
deed_json(const struct deed *d)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "state",
	    deed_state_name(d->state), "attempts", (json_int_t)d->tries,
	    "begun", view_time(d->begun), "ended", view_time(d->ended), "again",
	    view_time(d->state == DEED_FAILED ? d->again : 0), "why",
	    view_string(d->why[0] != '\0' ? d->why : NULL), "output",
	    view_bytes(buf_span(&d->output)));
}

static json_t *
timer_json(struct actor *a, const struct facts *f, const struct plan_timer *t,
    const struct deed *d, int64_t now)
{
	struct buf why = { 0 };
	json_t *o;

	plan_why(&why, a->rules, f, t, now);
	buf_u8(&why, 0);
	o = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:s, s:o, s:o, s:o}",
	    "action", t->id, "rule", t->rule->name, "step",
	    (json_int_t)(t->step - t->rule->step) + 1, "do",
	    action_word(t->action->kind), "member", view_string(whom(t)), "due",
	    view_time(t->due), "state", plan_state_name(t->state), "why",
	    view_string(buf_ok(&why) ? (const char *)why.p : NULL), "done_by",
	    view_string(t->done != NULL ? t->done->by : NULL), "done",
	    view_time(t->done != NULL ? t->done->time : 0));
	json_object_set_new(
	    o, "for", view_string(t->place != NULL ? t->place->member : NULL));
	json_object_set_new(o, "deed", d != NULL ? deed_json(d) : json_null());
	buf_release(&why);
	return o;
}

/* What it wrote may be a stranger's words. */
static void
print_deed(const struct deed *d)
{
	printf("\n%s\n" MARGIN "%s on this device, %u attempt%s", d->id,
	    deed_state_name(d->state), d->tries, d->tries == 1 ? "" : "s");
	if (d->begun != 0) {
		printf(", begun ");
		print_time(stdout, d->begun);
	}
	if (d->ended != 0) {
		printf(", ended ");
		print_time(stdout, d->ended);
	}
	putchar('\n');
	if (d->why[0] != '\0') {
		printf(MARGIN "it failed: ");
		safe_print(stdout, d->why);
		putchar('\n');
	}
	if (d->state == DEED_FAILED) {
		printf(MARGIN "again at ");
		print_time(stdout, d->again);
		putchar('\n');
	}
	if (d->output.n > 0) {
		printf(MARGIN "what it wrote:\n");
		safe_span(stdout, buf_span(&d->output), SAFE_BODY);
		if (d->output.p[d->output.n - 1] != '\n')
			putchar('\n');
	}
}

static void
explain_timer(struct actor *a, const struct facts *f,
    const struct plan_timer *t, int64_t now)
{
	struct deed d;
	bool any = deed_get(a->t, t->id, &d) == TOCSIN_OK;

	if (a->c->json)
		print_json(timer_json(a, f, t, any ? &d : NULL, now));
	else if (any)
		print_deed(&d);
	deed_release(&d);
}

static int
explain(struct actor *a, const struct gathered *g)
{
	const int64_t now = cli_now();
	struct plan plan = { 0 };
	struct buf b = { 0 };
	enum tocsin_err err = plan_make(&plan, a->rules, &g->f, &a->self, now);
	size_t i;

	if (err == TOCSIN_OK && !a->c->json)
		err = plan_explain(&b, a->rules, &g->f, &a->self, now);
	if (err == TOCSIN_OK)
		safe_span(stdout, buf_span(&b), SAFE_BODY);
	for (i = 0; err == TOCSIN_OK && i < plan.n; i++)
		explain_timer(a, &g->f, &plan.timer[i], now);
	plan_release(&plan);
	buf_release(&b);
	return err == TOCSIN_OK ? 0 : cli_fail(err, "no memory");
}

/* What was typed may be a message of the ticket. */
static enum tocsin_err
thread_of(struct tocsin *t, const char *typed, uint8_t thread[ID_LEN])
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = tocsin_get(t, typed, &m);

	if (err == TOCSIN_OK && !id_parse(span_of(m->thread), thread))
		err = fail(TOCSIN_EINTERNAL, "%s is no id", m->thread);
	tocsin_message_free(m);
	return err;
}

int
bot_explain(struct actor *a, const char *typed)
{
	struct gathered g = { 0 };
	uint8_t thread[ID_LEN];
	enum tocsin_err err = thread_of(a->t, typed, thread);
	int status;

	if (err == TOCSIN_OK)
		err = gather_one(&g, a->t, thread, INT64_MAX, a->rules->words,
		    a->rules->claim);
	status = err == TOCSIN_OK ? explain(a, &g) : cli_error(a->t, err);
	gathered_release(&g);
	return status;
}
