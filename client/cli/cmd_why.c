/* SPDX-License-Identifier: ISC */
#include "client/attempt.h"
#include "client/claim.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/handle.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>

/* What is said of a code, or of a message; zeros and NULL: nothing. */
struct why {
	enum tocsin_err reason;
	const char *member; /* who, if it is about one recipient */
	const char *id;
	const char *state;
	int64_t since, tried, next;
};

static json_t *
why_json(const struct why *w)
{
	return json_pack("{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o}",
	    "member", view_string(w->member), "reason",
	    tocsin_err_name(w->reason), "text", tocsin_err_text(w->reason),
	    "code", (int)w->reason, "exit", tocsin_err_exit(w->reason), "id",
	    view_string(w->id), "state", view_string(w->state), "since",
	    view_time(w->since), "tried", view_time(w->tried), "next",
	    view_time(w->next));
}

static void
print_reason(const char *before, enum tocsin_err err)
{
	printf(
	    "%s%s: %s\n", before, tocsin_err_name(err), tocsin_err_text(err));
}

/* ---- a message ---- */

struct asked {
	struct cli *c;
	struct tocsin *t;
	struct tocsin_message *m;
	enum tocsin_err synced; /* what the broker said, or why it did not */
	struct desk_message row;
	bool queued;
	struct attempt last;
	json_t *list; /* what is said goes there; NULL: it is printed */
};

static void
tell(const struct asked *a, const struct why *w)
{
	if (a->list != NULL)
		json_array_append_new(a->list, why_json(w));
	else
		print_json(why_json(w));
}

/* The rows behind it; of what is coming there are none. */
static enum tocsin_err
look(struct asked *a)
{
	struct desk_tx *tx = NULL;
	uint64_t n = a->m->number, first = 0;
	enum tocsin_err err = begin_read(a->t, &tx);

	if (err == TOCSIN_OK && n > 0) {
		err = desk_get(tx, n, &a->row);
		a->queued = desk_outbox_next(tx, n - 1, &first) == TOCSIN_OK &&
			    first == n;
		if (!attempt_get(tx, n, &a->last))
			a->last = (struct attempt){ 0 };
	}
	desk_end(tx);
	return err == TOCSIN_EBODYMISMATCH ? TOCSIN_OK : err;
}

static void
print_when(const char *before, int64_t t, const char *after)
{
	fputs(before, stdout);
	print_time(stdout, t);
	puts(after);
}

/*
 * Without a link that is why; else it is what was said of this very message.
 * Our own try, just now, is the last one then.
 */
static struct why
why_queued(const struct asked *a)
{
	struct why w = { .state = "queued", .since = a->row.arrived };

	w.reason = a->last.at != 0 ? a->last.reason : a->synced;
	w.tried = a->last.at;
	w.next = a->last.next;
	if (a->synced == TOCSIN_EUNAVAILABLE || a->last.at == 0) {
		w.reason = a->synced;
		w.tried = cli_now();
		w.next = 0;
	}
	return w;
}

static void
print_queued(const struct why *w)
{
	print_when("it waits in the outbox since ", w->since,
	    " and is sent by itself");
	print_when("  tried     ", w->tried, "");
	print_reason("  then      ", w->reason);
	if (w->next != 0)
		print_when("  again     ", w->next,
		    " at the latest, while a command of this home runs");
	else
		puts("  again     as soon as there is a connection, while a "
		     "command of this home runs, like `tocsin watch`");
}

static void
print_coming(const struct asked *a)
{
	char part[64];

	view_coming(part, a->m);
	printf("its header is here, its body is still to come: %s\n", part);
	if (claim_held(a->t->parts.keys->home))
		puts("  a process of this home is fetching now");
	else if (a->synced != TOCSIN_OK)
		print_reason("  fetching  ", a->synced);
	if (a->m->refused != TOCSIN_EUNAVAILABLE)
		print_reason("  its header is not verified: ", a->m->refused);
}

/* What is kept and not open. */
static struct why
why_refused(const struct asked *a)
{
	struct why w = { .reason = a->m->refused,
		.state = view_may_pass(a->m) ? "held" : "refused",
		.since = a->row.arrived };

	if (a->m->refused == TOCSIN_ECLOCKSKEW)
		w.next = a->m->time - CLOCK_SKEW;
	return w;
}

static void
print_refused(const struct asked *a, const struct why *w)
{
	print_reason("", w->reason);
	if (w->since > 0)
		print_when(
		    a->m->own ? "  written   " : "  here      ", w->since, "");
	if (strcmp(w->state, "held") != 0)
		return;
	if (w->next != 0)
		print_when("  again     ", w->next, "");
	else
		puts("  again     when a roster or an announcement comes that "
		     "was not here; none is asked of you");
}

/* ---- its recipients ---- */

static void
print_place(const struct asked *a, const struct tocsin_place *p)
{
	struct why w = { .id = a->m->id,
		.member = p->member,
		.state = tocsin_rung_name(p->rung),
		.since = p->since };
	char text[512];
	bool turned_away = view_turned_away(text, p);

	if (turned_away)
		w.reason = view_reason(p->reason);
	if (a->c->json)
		tell(a, &w);
	else if (turned_away)
		printf("  %s [%s]\n", text, p->reason);
	else
		view_place(p);
}

/* What it went to its nation without. */
static void
print_left(const struct asked *a, const struct tocsin_place *p,
    const struct tocsin_left *l)
{
	struct why w = { .id = l->message,
		.member = p->member,
		.state = "without",
		.since = l->time,
		.reason = view_reason(l->reason) };

	if (w.reason == TOCSIN_ERR_COUNT) /* newer than we are */
		w.reason = TOCSIN_EINTERNAL;
	if (a->c->json)
		tell(a, &w);
}

static void
print_places(const struct asked *a)
{
	struct tocsin_status *s = NULL;
	size_t i, k;

	if (tocsin_status(a->t, a->m->id, cli_now(), &s) != TOCSIN_OK)
		return;
	for (i = 0; i < s->n; i++) {
		print_place(a, &s->place[i]);
		for (k = 0; k < s->nleft; k++)
			if (view_is_left_by(&s->left[k], &s->place[i]))
				print_left(a, &s->place[i], &s->left[k]);
	}
	for (i = 0; i < s->nleft && !a->c->json; i++) {
		printf("  ");
		view_left_out(&s->left[i]);
	}
	tocsin_status_free(s);
}

/* ---- all ---- */

static void
explain_open(const struct asked *a, struct why *w)
{
	const struct tocsin_message *m = a->m;

	*w = (struct why){ .state = m->own ? "posted" : "here",
		.since = m->own ? m->received : a->row.arrived };
	if (a->c->json)
		return;
	if (m->own)
		print_when("the broker has it since ", w->since, "");
	else
		print_when(
		    "it is here since ", w->since, "; nobody has refused it");
}

static void
explain_message(const struct asked *a)
{
	struct why w = { 0 };

	if (a->m->coming)
		w = (struct why){ .reason = a->m->refused, .state = "coming" };
	else if (a->m->refused != TOCSIN_OK)
		w = why_refused(a);
	else if (a->queued)
		w = why_queued(a);
	else
		explain_open(a, &w);
	w.id = a->m->id;
	if (a->c->json)
		tell(a, &w);
	else if (a->m->coming)
		print_coming(a);
	else if (a->m->refused != TOCSIN_OK)
		print_refused(a, &w);
	else if (a->queued)
		print_queued(&w);
	if (!a->m->coming && !a->queued && a->m->refused == TOCSIN_OK)
		print_places(a);
}

/* Asked first: what is said is so now, and a connection is tried. */
static int
ask_message(struct cli *c, const char *id)
{
	struct asked a = { .c = c };
	enum tocsin_err err;
	int status = cli_open(c, &a.t);

	if (status != 0)
		return status;
	a.synced = cli_sync(c, a.t, 0);
	err = tocsin_get(a.t, id, &a.m);
	if (err == TOCSIN_OK)
		err = look(&a);
	if (err == TOCSIN_OK)
		explain_message(&a);
	else
		status = cli_error(a.t, err);
	tocsin_message_free(a.m);
	tocsin_close(a.t);
	return status;
}

enum tocsin_err
why_message(struct tocsin *t, const char *id, json_t *list)
{
	struct cli json = { .json = true };
	struct asked a = { .c = &json, .t = t, .list = list };
	enum tocsin_err err;

	a.synced = tocsin_sync(t, 0);
	err = tocsin_get(t, id, &a.m);
	if (err == TOCSIN_OK)
		err = look(&a);
	if (err == TOCSIN_OK)
		explain_message(&a);
	tocsin_message_free(a.m);
	return err;
}

/* ---- a code ---- */

/* A code by its name or number; the table's size for what is none. */
static enum tocsin_err
code_of(const char *typed)
{
	uint64_t n;

	if (num_parse(span_of(typed), &n))
		return n < TOCSIN_ERR_COUNT ? (enum tocsin_err)n
					    : TOCSIN_ERR_COUNT;
	return view_reason(typed);
}

json_t *
why_code(const char *typed)
{
	const struct why w = { .reason = code_of(typed) };

	return w.reason < TOCSIN_ERR_COUNT ? why_json(&w) : NULL;
}

/* A word of letters and '-' without a digit is meant as a code. */
static int
no_such_code(const char *typed)
{
	struct guess g = guess_of(typed);
	uint64_t n;
	int i;

	if (num_parse(span_of(typed), &n))
		return cli_usage("%s is the number of no reason code; they go "
				 "from 0 to %d",
		    typed, TOCSIN_ERR_COUNT - 1);

	for (i = 0; i < TOCSIN_ERR_COUNT; i++)
		guess_at(&g, tocsin_err_name((enum tocsin_err)i));
	return cli_usage("%s is no reason code and no id; the nearest code is "
			 "%s",
	    typed, g.best);
}

int
cmd_why(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct id_prefix prefix;
	enum tocsin_err err;
	const char *word;
	uint8_t id[ID_LEN];

	if (!cli_options(c, argc, argv, none, 1, 1))
		return 2;
	word = c->words[0];
	err = code_of(word);
	if (err < TOCSIN_ERR_COUNT) {
		const struct why w = { .reason = err };

		if (c->json)
			print_json(why_json(&w));
		else
			print_reason("", err);
		return 0;
	}
	if (!id_parse(span_of(word), id) &&
	    shortid_parse(&prefix, span_of(word)) != TOCSIN_OK)
		return no_such_code(word);
	return ask_message(c, word);
}
