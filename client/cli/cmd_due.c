/* SPDX-License-Identifier: ISC */
/* What must be done by when, of one ticket or of all. */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"
#include "client/glance.h"
#include "client/handle.h"
#include "client/vocab.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A deadline of a clock, or an answer that somebody owes. */
struct duty {
	const struct tocsin_message *m;
	const char *clock;
	const char *text;
	int64_t started, due, done;
};

struct duties {
	struct tocsin *t;
	bool all;
	bool json;    /* print them so */
	json_t *into; /* or add them to this */
	struct duty *duty;
	size_t n;
	bool short_of_memory;
};

static void
add(struct duties *l, const struct duty *d)
{
	struct duty *grown;

	if (d->done != 0 && !l->all)
		return;
	grown = realloc(l->duty, (l->n + 1) * sizeof(*grown));
	if (grown == NULL) {
		l->short_of_memory = true;
		return;
	}
	l->duty = grown;
	grown[l->n++] = *d;
}

/* A word of the table, which a list does not keep for each ticket. */
static const char *
text_of(const struct tocsin *t, const char *clock)
{
	size_t i;

	for (i = 0; i < t->clocks.n; i++)
		if (strcmp(t->clocks.clock[i].name, clock) == 0)
			return t->clocks.clock[i].text;
	return "";
}

static void
add_deadlines(struct duties *l, const struct tocsin_message *m,
    const struct tocsin_deadline *d, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		add(l, &(struct duty){ m, d[i].clock, text_of(l->t, d[i].clock),
			   d[i].started, d[i].due, d[i].done });
}

static void
add_answer(struct duties *l, const struct tocsin_message *m,
    const struct tocsin_place *p)
{
	if (p->ackby > 0 && p->rung <= TOCSIN_RUNG_OPENED && !p->recalled)
		add(l, &(struct duty){
			   m, "answer", p->member, p->asked, p->ackby, 0 });
}

static int
by_due(const void *a, const void *b)
{
	const struct duty *x = a, *y = b;

	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	return strcmp(x->clock, y->clock);
}

static json_t *
duty_json(const struct duty *d)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:I, "
			 "s:b}",
	    "id", d->m->thread, "short_id", d->m->short_id, "tlp", d->m->tlp,
	    "subject", view_string(d->m->subject), "clock", d->clock, "text",
	    view_string(d->text), "started", view_time(d->started), "due",
	    view_time(d->due), "done", view_time(d->done), "left",
	    (json_int_t)(d->due - (d->done ? d->done : cli_now())), "late",
	    (d->done ? d->done : cli_now()) > d->due);
}

static void
print_ticket(const struct tocsin_message *m)
{
	print_tlp(stdout, m->tlp);
	printf(" %s%s%s  ", colour(BOLD), m->short_id, colour(PLAIN));
	safe_title(stdout, m->subject, 46);
	putchar('\n');
}

/* A clock has a text; of an answer that is the member that owes it. */
static void
print_duty(const struct duty *d)
{
	bool answer = strcmp(d->clock, "answer") == 0;

	printf("    ");
	view_left(d->due, d->done);
	printf(", ");
	print_time(stdout, d->due);
	printf("  %s%s", d->clock, answer ? " of " : "\n        ");
	safe_title(stdout, d->text, 72);
	putchar('\n');
}

/* A ticket is named once for those of its deadlines that follow each other. */
static void
tell_duties(const struct duties *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->into != NULL) {
			json_array_append_new(l->into, duty_json(&l->duty[i]));
			continue;
		}
		if (l->json) {
			print_json(duty_json(&l->duty[i]));
			continue;
		}
		if (i == 0 || l->duty[i].m != l->duty[i - 1].m)
			print_ticket(l->duty[i].m);
		print_duty(&l->duty[i]);
	}
}

static enum tocsin_err
tell_all(struct duties *l)
{
	if (l->n > 0)
		qsort(l->duty, l->n, sizeof(*l->duty), by_due);
	tell_duties(l);
	return l->short_of_memory ? fail(TOCSIN_EINTERNAL, "no memory")
				  : TOCSIN_OK;
}

/* Those of one ticket, which is opened for it. */
static enum tocsin_err
list_one(struct duties *l, const char *id)
{
	struct tocsin_list *thread = NULL;
	struct tocsin_status *s = NULL;
	enum tocsin_err err = tocsin_thread(l->t, id, &thread);
	size_t i;

	if (err != TOCSIN_OK)
		return err;
	if (thread->n == 0)
		err = fail(TOCSIN_ENOTFOUND, "no message here has that id");
	if (thread->n > 0 && tocsin_status_of(l->t, thread->message[0],
				 cli_now(), &s) == TOCSIN_OK) {
		add_deadlines(l, thread->message[0], s->deadline, s->ndeadline);
		for (i = 0; !s->closed && i < s->n; i++)
			add_answer(l, thread->message[0], &s->place[i]);
	}
	if (err == TOCSIN_OK)
		err = tell_all(l);
	tocsin_status_free(s);
	tocsin_list_free(thread);
	return err;
}

/* Of all tickets, from what is remembered of them (glance.h). */
static enum tocsin_err
list_all(struct duties *l)
{
	struct glances all;
	enum tocsin_err err = glances_load(l->t, &all);
	size_t i, k;

	for (i = 0; err == TOCSIN_OK && i < all.n; i++) {
		const struct glance *g = &all.glance[i];

		add_deadlines(l, g->m, g->deadline, g->ndeadline);
		for (k = 0; !g->closed && k < g->nplace; k++)
			add_answer(l, g->m, &g->place[k].p);
	}
	if (err == TOCSIN_OK)
		err = tell_all(l);
	glances_release(&all);
	return err;
}

static enum tocsin_err
list(struct duties *l, const char *id)
{
	enum tocsin_err err = id != NULL ? list_one(l, id) : list_all(l);

	free(l->duty);
	return err;
}

enum tocsin_err
due_list(struct tocsin *t, const char *id, bool all, json_t *into)
{
	struct duties l = { .t = t, .all = all, .into = into };

	return list(&l, id);
}

/* ---- words about a clock ---- */

struct saying {
	const char *start, *stop, *done, *at;
};

/* A regime or a clock of the table; else the nearest one is named. */
static enum tocsin_err
in_table(const struct tocsin *t, const char *typed, bool regime)
{
	struct guess g = guess_of(typed);
	size_t i;

	for (i = 0; i < t->clocks.n; i++) {
		const char *name = t->clocks.clock[i].name;
		size_t n = regime ? strcspn(name, "/") : strlen(name);

		if (strlen(typed) == n && strncmp(typed, name, n) == 0)
			return TOCSIN_OK;
		guess_at(&g, name);
	}
	if (g.best == NULL)
		g.best = "none";
	return fail(TOCSIN_EUSAGE,
	    "%s is no %s of the table; the nearest is "
	    "%.*s",
	    typed, regime ? "regime" : "clock",
	    (int)(regime ? strcspn(g.best, "/") : strlen(g.best)), g.best);
}

enum tocsin_err
due_draft(struct tocsin *t, struct tocsin_draft *d, struct due_to *to)
{
	enum tocsin_err err = TOCSIN_OK;

	if (d->clock_start != NULL)
		err = in_table(t, d->clock_start, true);
	if (err == TOCSIN_OK && d->clock_stop != NULL)
		err = in_table(t, d->clock_stop, true);
	if (err == TOCSIN_OK && d->clock_done != NULL)
		err = in_table(t, d->clock_done, false);
	snprintf(to->member, sizeof(to->member), "%s", t->parts.keys->member);
	to->list[0] = to->member;
	to->list[1] = NULL;
	d->kind = "update";
	d->to = to->list;
	return err;
}

static int
say(struct cli *c, struct tocsin *t, struct tocsin_draft *d)
{
	char id[TOCSIN_ID_TEXT];
	struct due_to to;
	enum tocsin_err err = due_draft(t, d, &to);

	if (err != TOCSIN_OK)
		return cli_error(t, err);
	err = tocsin_post(t, d, id);
	if (ask_first(c, t, err))
		err = tocsin_post(t, d, id);
	return err == TOCSIN_OK ? sent(c, t, id, SENT_BUSY) : cli_error(t, err);
}

static int
show(struct cli *c, struct tocsin *t, bool all)
{
	struct duties l = { .t = t, .all = all, .json = c->json };
	enum tocsin_err err;

	(void)cli_sync(c, t, 0);
	err = list(&l, c->nword > 0 ? c->words[0] : NULL);
	return err == TOCSIN_OK ? 0 : cli_error(t, err);
}

int
cmd_due(struct cli *c, int argc, char **argv)
{
	struct tocsin_draft d = { .kind = NULL };
	const char *at = NULL;
	bool all = false;
	const struct opt opts[] = {
		{ "--start", OPT_WORD, &d.clock_start },
		{ "--stop", OPT_WORD, &d.clock_stop },
		{ "--done", OPT_WORD, &d.clock_done },
		{ "--at", OPT_WORD, &at },
		{ "--all", OPT_FLAG, &all },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin *t = NULL;
	int status, n;

	if (!cli_options(c, argc, argv, opts, 0, 1))
		return 2;
	n = (d.clock_start != NULL) + (d.clock_stop != NULL) +
	    (d.clock_done != NULL);
	if (n > 1 || (n == 1 && c->nword == 0) || (n == 0 && at != NULL))
		return cli_usage("say one of --start, --stop and --done, and "
				 "of which ticket");
	if (at != NULL && !view_been("--at", at, &d.clock_at))
		return 2;
	d.thread = n == 1 ? c->words[0] : NULL;
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	if (t->clocks_wrong[0] != '\0')
		cli_note("not all clocks are there: %s", t->clocks_wrong);
	status = n == 1 ? say(c, t, &d) : show(c, t, all);
	tocsin_close(t);
	return status;
}
