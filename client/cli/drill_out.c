/* SPDX-License-Identifier: ISC */
/* The report of an exercise: in words, for programs, and its proof. */
#include "client/cli/drill.h"
#include "client/cli/drill_report.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/proof.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct reporting {
	struct cli *c;
	const char *exercise, *proof, *file;
	struct script s;
	bool scripted;
	struct tocsin *t;
	struct drill_data data;
	struct drill_report r;
};

/* ---- JSON ---- */

static json_t *
step_json(
    const struct drill_report *r, size_t inject, const struct drill_step *s)
{
	if (s->time == 0)
		return json_null();
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:b}", "time",
	    view_time(s->time), "took", (json_int_t)drill_took(r, inject, s),
	    "said", view_time(s->said), "by", view_string(s->by), "message",
	    view_string(s->message), "receipt", view_string(s->receipt),
	    "clock", s->clock);
}

static json_t *
cell_json(const struct drill_report *r, size_t inject, size_t member)
{
	const struct drill_cell *c = drill_cell(r, inject, member);
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:I}", "inject",
	    r->inject[inject].name, "member", r->member[member].member, "sent",
	    c->sent, "asked", c->sent && r->inject[inject].asks, "late",
	    (json_int_t)c->late);
	size_t i;

	for (i = 0; i < DRILL_MARKS; i++)
		json_object_set_new(
		    o, drill_mark_name[i], step_json(r, inject, &c->step[i]));
	json_object_set_new(o, "turned_away", step_json(r, inject, &c->away));
	json_object_set_new(o, "reason", view_string(c->reason));
	return o;
}

static json_t *
sum_json(const struct drill_report *r, const struct drill_sum *s)
{
	json_t *o =
	    json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "meant", (int)s->meant,
		"sent", (int)s->sent, "asked", (int)s->asked, "answer",
		(int)s->answer, "late", (int)s->late, "clock", (int)s->clock);
	size_t i;

	for (i = 0; i < DRILL_MARKS; i++) {
		const struct drill_times *t = &s->times[i];
		json_t *median =
		    t->n > 0 ? json_integer(t->median * r->speed) : json_null();
		json_t *p90 =
		    t->n > 0 ? json_integer(t->p90 * r->speed) : json_null();

		json_object_set_new(o, drill_mark_name[i],
		    json_pack("{s:i, s:i, s:o, s:o}", "n", (int)s->mark[i],
			"times", (int)t->n, "median", median, "p90", p90));
	}
	return o;
}

static json_t *
inject_json(const struct drill_report *r, const struct drill_inject *i)
{
	const struct drill_message *m = i->m;

	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
	    "inject", i->name, "at", (json_int_t)i->at, "id",
	    view_string(m != NULL ? m->m.id : NULL), "thread",
	    view_string(m != NULL ? m->thread : NULL), "time",
	    view_time(m != NULL ? m->m.time : 0), "subject",
	    view_string(m != NULL	    ? m->subject
			: i->script != NULL ? i->script->subject
					    : NULL),
	    "kind",
	    view_string(m != NULL	    ? m->m.kind
			: i->script != NULL ? i->script->kind
					    : NULL),
	    "asks", i->asks, "other_script", i->other, "sum",
	    sum_json(r, &i->sum));
}

static json_t *
judged_json(const struct drill_report *r, const struct drill_judged *j)
{
	const struct script_inject *i = r->inject[j->inject].script;
	const struct script_expect *e = &i->expect[j->expect];

	return json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:o}", "inject",
	    i->name, "member", r->member[j->member].member, "what",
	    drill_mark_name[e->mark], "within",
	    e->within > 0 ? json_integer(e->within) : json_null(), "any",
	    e->any, "verdict", drill_verdict_name[j->verdict], "step",
	    step_json(r, j->inject, j->step));
}

static json_t *
expected_json(const struct drill_report *r, const struct drill_expected *x)
{
	const struct script_inject *i = r->inject[x->inject].script;
	const struct script_expect *e = &i->expect[x->expect];

	return json_pack("{s:s, s:s, s:o, s:b, s:s, s:i, s:i}", "inject",
	    i->name, "what", drill_mark_name[e->mark], "within",
	    e->within > 0 ? json_integer(e->within) : json_null(), "any",
	    e->any, "verdict", drill_verdict_name[x->verdict], "met",
	    (int)x->met, "of", (int)x->of);
}

static json_t *
members_json(const struct drill_report *r)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < r->nmember; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "member",
			      r->member[i].member, "nation",
			      r->nation[r->member[i].nation].name, "contact",
			      view_string(r->member[i].contact), "state",
			      drill_state_name[r->member[i].state], "last",
			      view_time(r->member[i].last), "sum",
			      sum_json(r, &r->member[i].sum)));
	return list;
}

static json_t *
nations_json(const struct drill_report *r)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < r->nnation; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:i, s:s, s:o}", "nation",
			      r->nation[i].name, "members", (int)r->nation[i].n,
			      "state", drill_state_name[r->nation[i].state],
			      "sum", sum_json(r, &r->nation[i].sum)));
	return list;
}

json_t *
drill_json(const struct drill_report *r, const struct drill_about *a)
{
	json_t *injects = json_array(), *cells = json_array(),
	       *expected = json_array(), *judged = json_array(), *o;
	size_t i, k;

	for (i = 0; i < r->ninject; i++) {
		json_array_append_new(injects, inject_json(r, &r->inject[i]));
		for (k = 0; k < r->nmember; k++)
			if (drill_cell(r, i, k)->meant)
				json_array_append_new(
				    cells, cell_json(r, i, k));
	}
	for (i = 0; i < r->nexpected; i++)
		json_array_append_new(
		    expected, expected_json(r, &r->expected[i]));
	for (i = 0; i < r->njudged; i++)
		json_array_append_new(judged, judged_json(r, &r->judged[i]));
	o = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:i, s:b, s:o, s:i, s:s}",
	    "exercise", a->exercise, "title",
	    view_string(a->script != NULL ? a->script->title : NULL),
	    "federation", a->federation, "control", view_string(r->control),
	    "begin", view_time(r->begin), "end", view_time(r->end), "speed",
	    (int)r->speed, "over", r->over, "at", view_time(a->now), "left_out",
	    (int)a->left_out, "tlp", ticket_tlp_name(a->tlp));
	json_object_set_new(o, "nations", nations_json(r));
	json_object_set_new(o, "members", members_json(r));
	json_object_set_new(o, "injects", injects);
	json_object_set_new(o, "cells", cells);
	json_object_set_new(o, "expected", expected);
	json_object_set_new(o, "judged", judged);
	json_object_set_new(o, "sum", sum_json(r, &r->sum));
	return o;
}

/* ---- words ---- */

static const char *const state_says[DRILL_STATES] = {
	"NOTHING COULD BE SENT TO IT",
	"NOTHING WAS DELIVERED",
	"NOTHING WAS OPENED",
	"SILENT: opened, never answered",
	"partly",
	"",
	"was not asked",
};

static enum colour
state_colour(enum drill_state s)
{
	return s <= DRILL_SILENT ? RED : s == DRILL_PARTLY ? AMBER : PLAIN;
}

/* "12m", or a dash; as wide as its column. */
static void
print_took(const struct drill_report *r, int64_t seconds, bool known)
{
	char text[24] = "T+-";

	if (known)
		script_at(text, seconds * (int64_t)r->speed);
	printf(" %8s", known && seconds == 0 ? "0s" : text + 2);
}

static void
print_sum(const struct drill_report *r, const struct drill_sum *s)
{
	const struct drill_times *t = &s->times[DRILL_ANSWERED];

	printf(" %4u %6u %6u %6u  %3u of %-3u %6u", s->sent,
	    s->mark[DRILL_DELIVERED], s->mark[DRILL_OPENED],
	    s->mark[DRILL_ACCEPTED], s->answer, s->asked,
	    s->mark[DRILL_CLOSED]);
	print_took(r, t->median, t->n > 0);
	print_took(r, t->p90, t->n > 0);
}

static void
print_says(enum drill_state s)
{
	printf("  %s%s%s\n", colour(state_colour(s)), state_says[s],
	    colour(PLAIN));
}

static void
print_heads(const char *what)
{
	printf("\n%-22s %4s %6s %6s %6s  %-10s %6s %8s %8s\n", what, "sent",
	    "deliv.", "opened", "accept", "answered", "closed", "median",
	    "9 of 10");
}

/* The same figures of each nation, where that is not its one player. */
static void
print_nations(const struct drill_report *r)
{
	size_t i;

	if (r->nnation == r->nmember)
		return;
	print_heads("nation");
	for (i = 0; i < r->nnation; i++) {
		safe_cell(stdout, r->nation[i].name, 22);
		print_sum(r, &r->nation[i].sum);
		print_says(r->nation[i].state);
	}
}

/* Calls print() of each player, by nations, the worst first. */
static void
each_member(const struct drill_report *r,
    void (*print)(const struct drill_report *r, const struct drill_member *m))
{
	size_t i, k;

	for (i = 0; i < r->nnation; i++)
		for (k = 0; k < r->nmember; k++)
			if (r->member[k].nation == i)
				print(r, &r->member[k]);
}

static void
print_member(const struct drill_report *r, const struct drill_member *m)
{
	safe_cell(stdout, m->member, 22);
	print_sum(r, &m->sum);
	print_says(m->state);
}

static void
print_members(const struct drill_report *r)
{
	print_heads("player");
	each_member(r, print_member);
	safe_cell(stdout, "all", 22);
	print_sum(r, &r->sum);
	putchar('\n');
}

static const enum drill_mark timed[] = { DRILL_DELIVERED, DRILL_OPENED,
	DRILL_ACCEPTED, DRILL_ANSWERED, DRILL_RESULT, DRILL_CLOSED };

static void
print_medians(const struct drill_report *r, const struct drill_sum *s)
{
	size_t i;

	for (i = 0; i < sizeof(timed) / sizeof(timed[0]); i++) {
		putchar(' ');
		print_took(
		    r, s->times[timed[i]].median, s->times[timed[i]].n > 0);
	}
	putchar('\n');
}

static void
print_member_times(const struct drill_report *r, const struct drill_member *m)
{
	safe_cell(stdout, m->member, 22);
	print_medians(r, &m->sum);
}

static void
print_times(const struct drill_report *r)
{
	size_t i;

	printf("\n%-22s", "median time to");
	for (i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
		printf(" %9s", drill_mark_name[timed[i]]);
	putchar('\n');
	each_member(r, print_member_times);
	safe_cell(stdout, "all", 22);
	print_medians(r, &r->sum);
}

static void
print_injects(const struct drill_report *r)
{
	char at[24];
	size_t i;

	print_heads("time     inject");
	for (i = 0; i < r->ninject; i++) {
		const struct drill_inject *in = &r->inject[i];

		script_at(at, in->at);
		printf("%-8s ", at);
		safe_cell(stdout, in->name, 13);
		if (in->m == NULL)
			printf(" was not posted");
		else
			print_sum(r, &in->sum);
		printf("%s\n", in->other ? "  (of another script)" : "");
	}
}

/* Those in such a state, with how they are reached; false: there are none. */
static bool
print_those(const struct drill_report *r, const char *head,
    enum drill_state from, enum drill_state to)
{
	size_t i, n = 0;

	for (i = 0; i < r->nmember; i++) {
		const struct drill_member *m = &r->member[i];

		if (m->state < from || m->state > to)
			continue;
		if (n++ == 0)
			printf("\n%s\n", head);
		printf("  ");
		safe_cell(stdout, m->member, 20);
		printf("  %s", state_says[m->state]);
		if (m->contact != NULL) {
			printf("\n      ");
			safe_print(stdout, m->contact);
		}
		putchar('\n');
	}
	return n > 0;
}

static void
print_contacts(const struct drill_report *r)
{
	if (!print_those(
		r, "points of contact that failed", DRILL_UNSENT, DRILL_UNREAD))
		printf("\nevery point of contact opened something\n");
	(void)print_those(
	    r, "silent, though somebody was there", DRILL_SILENT, DRILL_SILENT);
}

/* Who reads no further has this. */
static void
print_brief(const struct drill_report *r)
{
	const struct drill_times *t = &r->sum.times[DRILL_ANSWERED];
	unsigned n[DRILL_STATES] = { 0 };
	char took[24];
	size_t i;

	for (i = 0; i < r->nmember; i++)
		n[r->member[i].state]++;
	printf("  of %zu players %u answered all that asked them, %u some of "
	       "it, %u nothing;\n  %u could not be reached",
	    r->nmember, n[DRILL_WELL], n[DRILL_PARTLY], n[DRILL_SILENT],
	    n[DRILL_UNSENT] + n[DRILL_DEAD] + n[DRILL_UNREAD]);
	if (t->n > 0) {
		script_at(took, t->median * (int64_t)r->speed);
		printf("; the median answer took %s",
		    t->median > 0 ? took + 2 : "0s");
	}
	if (r->nexpected > 0)
		printf(";\n  %u of %zu expectations were met",
		    r->verdict[DRILL_MET], r->nexpected);
	putchar('\n');
}

static void
print_judged(const struct drill_report *r, const struct drill_judged *j)
{
	char took[24];

	printf("      ");
	safe_cell(stdout, r->member[j->member].member, 20);
	if (j->step->time == 0) {
		printf("  not at all\n");
		return;
	}
	script_at(took, drill_took(r, j->inject, j->step));
	printf("  after %s\n", took + 2);
}

static void
print_expected(const struct drill_report *r)
{
	char within[24];
	size_t i, k;

	if (r->nexpected == 0)
		return;
	printf("\nexpected: %u met, %u missed, %u open\n",
	    r->verdict[DRILL_MET], r->verdict[DRILL_MISSED],
	    r->verdict[DRILL_OPEN]);
	for (i = 0; i < r->nexpected; i++) {
		const struct drill_expected *x = &r->expected[i];
		const struct script_inject *in = r->inject[x->inject].script;
		const struct script_expect *e = &in->expect[x->expect];

		if (x->verdict != DRILL_MISSED)
			continue;
		script_at(within, e->within);
		printf("  missed  %s: %s%s%s; %u of %u %s%s\n", in->name,
		    drill_mark_name[e->mark], e->within > 0 ? " within " : "",
		    e->within > 0 ? within + 2 : "", x->met, x->of,
		    x->met == 1 ? "has" : "have",
		    e->any ? ", any of whom would do" : "");
		for (k = 0; k < r->njudged; k++)
			if (r->judged[k].inject == x->inject &&
			    r->judged[k].expect == x->expect &&
			    r->judged[k].verdict == DRILL_MISSED)
				print_judged(r, &r->judged[k]);
	}
}

void
drill_print(const struct drill_report *r, const struct drill_about *a)
{
	size_t i, posted = 0;

	for (i = 0; i < r->ninject; i++)
		posted += r->inject[i].m != NULL;
	printf("%sEXERCISE %s, NOT REAL%s", colour(BOLD), a->exercise,
	    colour(PLAIN));
	if (a->script != NULL) {
		printf(": ");
		safe_print(stdout, a->script->title);
	}
	printf("\n  ");
	print_tlp(stdout, ticket_tlp_name(a->tlp));
	printf(" held by ");
	safe_print(stdout, r->control);
	printf("; %zu of %zu injects, %zu player%s of %zu nation%s\n", posted,
	    r->ninject, r->nmember, r->nmember == 1 ? "" : "s", r->nnation,
	    r->nnation == 1 ? "" : "s");
	if (r->begin > 0) {
		printf("  from ");
		print_time(stdout, r->begin);
	}
	if (r->end > 0) {
		printf(r->over ? " to " : ", and goes on until ");
		print_time(stdout, r->end);
	}
	if (r->speed > 1)
		printf(";\n  %u times as fast, and times are those of the "
		       "exercise",
		    r->speed);
	putchar('\n');
	print_brief(r);
	print_nations(r);
	print_members(r);
	print_times(r);
	print_injects(r);
	print_contacts(r);
	print_expected(r);
	if (r->sum.late > 0)
		printf("\n%u word%s came after the end, and %s in no figure\n",
		    r->sum.late, r->sum.late == 1 ? "" : "s",
		    r->sum.late == 1 ? "is" : "are");
	if (r->sum.clock > 0)
		printf("\n%u figure%s by clocks that are more than %d s apart: "
		       "what counts is when our broker\nhad it; --json has "
		       "both\n",
		    r->sum.clock, r->sum.clock == 1 ? "" : "s",
		    DRILL_CLOCK_OFF);
}

/* ---- proof: the evidence of each inject, as `tocsin status --proof` ---- */

struct proving {
	const struct drill_report *r;
	const struct drill_data *data;
	struct tocsin_place *place;
	struct tocsin_step *step;
	size_t nplace, nstep;
};

static bool
has_step(const struct tocsin_place *p, const char *message)
{
	size_t i;

	for (i = 0; i < p->nstep; i++)
		if (p->step[i].message != NULL &&
		    strcmp(p->step[i].message, message) == 0)
			return true;
	return false;
}

static void
prove_receipt(struct proving *v, enum tocsin_rung rung,
    const struct drill_step *s, const char *reason)
{
	struct tocsin_place *p = &v->place[v->nplace - 1];

	if (s->time == 0 || s->receipt == NULL)
		return;
	v->step[v->nstep++] = (struct tocsin_step){ .rung = rung,
		.time = s->said,
		.by = s->by,
		.reason = reason,
		.receipt = s->receipt };
	p->nstep++;
}

static void
prove_word(struct proving *v, const char *id)
{
	struct tocsin_place *p = &v->place[v->nplace - 1];
	size_t i;

	for (i = 0; i < v->data->n; i++) {
		const struct ladder_message *m = &v->data->message[i].m;

		if (strcmp(m->id, id) != 0)
			continue;
		v->step[v->nstep++] =
		    (struct tocsin_step){ .rung = drill_word_of(m).rung,
			    .time = m->time,
			    .by = m->device,
			    .message = m->id };
		p->nstep++;
		return;
	}
}

/* The inject, what brokers said of it, and each word once. */
static void
prove_cell(struct proving *v, size_t inject, size_t member)
{
	const struct drill_cell *c = drill_cell(v->r, inject, member);
	struct tocsin_place *p = &v->place[v->nplace++];
	size_t i;

	p->member = v->r->member[member].member;
	p->step = &v->step[v->nstep];
	prove_word(v, v->r->inject[inject].m->m.id);
	prove_receipt(v, TOCSIN_RUNG_REFUSED, &c->away, c->reason);
	prove_receipt(
	    v, TOCSIN_RUNG_DELIVERED, &c->step[DRILL_DELIVERED], NULL);
	for (i = 0; i < DRILL_MARKS; i++)
		if (c->step[i].time != 0 && c->step[i].message != NULL &&
		    !has_step(p, c->step[i].message))
			prove_word(v, c->step[i].message);
}

static enum tocsin_err
prove_inject(
    struct tocsin *t, const struct reporting *from, size_t at, const char *dir)
{
	const struct drill_report *r = &from->r;
	struct proving v = { .r = r, .data = &from->data };
	struct tocsin_status s = { .n = 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	char path[1024];
	size_t i;

	v.place = calloc(r->nmember + 1, sizeof(*v.place));
	v.step = calloc(r->nmember * (DRILL_MARKS + 3) + 1, sizeof(*v.step));
	if (v.place == NULL || v.step == NULL)
		goto out;
	for (i = 0; i < r->nmember; i++)
		if (drill_cell(r, at, i)->sent)
			prove_cell(&v, at, i);
	snprintf(s.id, sizeof(s.id), "%s", r->inject[at].m->thread);
	s.place = v.place;
	s.n = v.nplace;
	snprintf(path, sizeof(path), "%s/%s", dir, r->inject[at].name);
	err = proof_export(t, &s, path, NULL);
out:
	free(v.place);
	free(v.step);
	return err;
}

static int
prove(struct tocsin *t, const struct reporting *from, const char *dir)
{
	const struct drill_report *r = &from->r;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return cli_usage("%s: %s", dir, strerror(errno));
	for (i = 0; err == TOCSIN_OK && i < r->ninject; i++)
		if (r->inject[i].m != NULL)
			err = prove_inject(t, from, i, dir);
	return err == TOCSIN_OK ? 0 : cli_error(t, err);
}

/* ---- the command ---- */

/* A home is of one exercise. */
static int
check_exercise(struct reporting *p)
{
	const char *of = p->t->parts.keys->exercise;

	if (of[0] == '\0')
		return cli_usage("this home is live and has no part in an "
				 "exercise: ask in one that `tocsin init "
				 "--exercise` made");
	if (p->scripted && strcmp(of, p->s.exercise) != 0)
		return cli_usage("this home is of the exercise %s, and the "
				 "script of %s",
		    of, p->s.exercise);
	p->exercise = of;
	return 0;
}

static int
show(struct reporting *p)
{
	const struct drill_about about = { .exercise = p->exercise,
		.federation = p->t->parts.keys->federation,
		.member = p->t->parts.keys->member,
		.script = p->scripted ? &p->s : NULL,
		.tlp = p->data.tlp,
		.left_out = p->data.left_out,
		.now = cli_now() };
	struct buf page = { 0 };
	int status = 0;

	if (p->file != NULL) {
		status = drill_page(&page, &p->r, &about) == TOCSIN_OK
			     ? cli_write(p->file, buf_span(&page), true)
			     : cli_fail(TOCSIN_EINTERNAL, "no memory");
		buf_release(&page);
	}
	if (status == 0 && p->proof != NULL)
		status = prove(p->t, p, p->proof);
	if (status == 0 && p->c->json)
		print_json(drill_json(&p->r, &about));
	else if (status == 0)
		drill_print(&p->r, &about);
	return status;
}

static int
report(struct reporting *p)
{
	enum tocsin_err err, synced = cli_sync(p->c, p->t, 0);
	int status = check_exercise(p);

	if (status != 0)
		return status;
	err = drill_data_load(&p->data, p->t, p->exercise);
	if (err != TOCSIN_OK)
		return cli_error(p->t, err);
	err = drill_fold(&p->r, p->scripted ? &p->s : NULL,
	    p->data.ours ? p->t->parts.keys->member : NULL, p->data.message,
	    p->data.n, p->data.receipt, p->data.nreceipt, cli_now());
	if (err == TOCSIN_ENOTFOUND || p->r.control == NULL)
		return cli_fail(TOCSIN_ENOTFOUND,
		    "no inject of %s is here: they say so of themselves, and "
		    "only `tocsin drill run` posts such",
		    p->exercise);
	if (err != TOCSIN_OK)
		return cli_fail(err, "no memory");
	if (synced != TOCSIN_OK)
		cli_note("this is what is known here; the broker may know more "
			 "[%s]",
		    tocsin_err_name(synced));
	return show(p);
}

int
drill_report(struct cli *c, int argc, char **argv)
{
	struct reporting p = { .c = c };
	const struct opt opts[] = {
		{ "--proof", OPT_WORD, &p.proof },
		{ "-o", OPT_WORD, &p.file },
		{ NULL, OPT_FLAG, NULL },
	};
	int status = 0;

	if (!cli_options(c, argc, argv, opts, 0, 1))
		return 2;
	if (c->nword > 0) {
		status = drill_load(c, c->words[0], &p.s);
		p.scripted = status == 0;
	}
	if (status == 0)
		status = cli_open(c, &p.t);
	if (status == 0)
		status = report(&p);
	drill_report_release(&p.r);
	drill_data_release(&p.data);
	tocsin_close(p.t);
	script_release(&p.s);
	return status;
}
