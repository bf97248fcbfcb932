/* SPDX-License-Identifier: ISC */
#include "client/cli/rows.h"

#include "client/arena.h"
#include "client/cli/view.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/vocab.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct held {
	struct rows rows; /* first */
	struct arena arena;
	size_t room;
};

/* What is being gathered. */
struct load {
	struct tocsin *t;
	const struct rows_filter *filter;
	int64_t now;
	struct held *out;
	struct tocsin_list *coming;
};

const char *const rows_states[] = { "coming", "recalled", "refused", "queued",
	"closed", "posted", "received", NULL };

/* ---- where it stands ---- */

static bool
answered(const struct tocsin_place *p)
{
	return p->rung >= TOCSIN_RUNG_ACCEPTED;
}

static const char *
state_of(const struct row *r)
{
	enum tocsin_rung low = TOCSIN_RUNG_CLOSED;
	bool any = false;
	size_t i;

	if (r->m->coming)
		return "coming";
	if (r->m->refused == TOCSIN_ERECALLED)
		return "recalled";
	if (r->m->refused != TOCSIN_OK)
		return "refused";
	if (r->m->own && r->m->received == 0)
		return "queued";
	if (r->closed)
		return "closed";
	for (i = 0; i < r->nplace; i++)
		if (r->place[i].counts) {
			any = true;
			if (r->place[i].p.rung < low)
				low = r->place[i].p.rung;
		}
	if (!any)
		return r->mine ? "posted" : "received";
	return tocsin_rung_name(low);
}

/*
 * Nobody can have answered what is not here yet; its time runs all the same. Of
 * what is closed no answer is missing.
 */
static void
judge(struct row *r, int64_t now)
{
	size_t i;

	for (i = 0; i < r->nplace; i++)
		if (r->place[i].counts) {
			r->unacked |= !r->closed && !answered(&r->place[i].p);
			r->late |= r->place[i].p.overdue;
		}
	if (r->m->coming && !r->mine) {
		r->unacked = true;
		r->late |= r->m->ackby > 0 && r->m->ackby < now;
	}
	r->state = state_of(r);
}

/* ---- the filter ---- */

/* "mycert@my", or "@my" for all of a nation. */
static bool
is_from(const char *device, const char *typed)
{
	const char *nation = strchr(device, '@');

	if (typed[0] != '@' || nation == NULL)
		return view_same_member(device, typed);
	return view_same_member(nation, typed);
}

static bool
fits(const struct rows_filter *f, const struct row *r)
{
	size_t i;

	for (i = 0; i < f->states.n; i++)
		if (strcmp(f->states.word[i], r->state) == 0)
			break;
	if (f->states.n > 0 && i == f->states.n)
		return false;
	for (i = 0; i < f->senders.n; i++)
		if (is_from(r->m->from, f->senders.word[i]))
			break;
	if (f->senders.n > 0 && i == f->senders.n)
		return false;
	return (!f->mine || r->mine) && (!f->unacked || r->unacked) &&
	       (!f->overdue || r->late) && r->m->time >= f->since &&
	       (f->tlp == NULL || strcmp(f->tlp, r->m->tlp) == 0);
}

void
rows_options(struct opt *out, struct rows_filter *f)
{
	const struct opt opts[ROWS_OPTIONS] = {
		{ "--state", OPT_LIST, &f->states },
		{ "--from", OPT_LIST, &f->senders },
		{ "--tlp", OPT_WORD, &f->tlp },
		{ "--since", OPT_WORD, &f->typed },
		{ "--mine", OPT_FLAG, &f->mine },
		{ "--unacked", OPT_FLAG, &f->unacked },
		{ "--overdue", OPT_FLAG, &f->overdue },
	};

	memcpy(out, opts, sizeof(opts));
}

/* The words that state_of() has. */
static const char *
nearest_state(const char *typed)
{
	struct guess g = guess_of(typed);
	size_t i;

	for (i = 0; rows_states[i] != NULL; i++)
		guess_at(&g, rows_states[i]);
	for (i = 0; i < TOCSIN_RUNG_CLOSED; i++)
		guess_at(&g, tocsin_rung_name((enum tocsin_rung)i));
	return g.best;
}

static bool
good_label(struct rows_filter *f)
{
	const char *typed = f->tlp;

	if (strncasecmp(typed, "TLP:", 4) == 0)
		typed += 4;
	f->tlp = vocab_find(VOCAB_TLP, typed);
	if (f->tlp == NULL)
		cli_usage("--tlp: %s is no label; the nearest is %s", typed,
		    vocab_nearest(VOCAB_TLP, typed));
	return f->tlp != NULL;
}

bool
rows_filter_good(struct rows_filter *f)
{
	const char *near;
	size_t i;

	if (f->tlp != NULL && !good_label(f))
		return false;
	if (f->typed != NULL && !view_past("--since", f->typed, &f->since))
		return false;
	for (i = 0; i < f->states.n; i++) {
		near = nearest_state(f->states.word[i]);
		if (strcmp(near, f->states.word[i]) == 0)
			continue;
		cli_usage("--state: %s is none; the nearest is %s",
		    f->states.word[i], near);
		return false;
	}
	return true;
}

/* ---- copies ---- */

/* NULL stays NULL; what there was no memory for is told by the arena's end. */
static bool
copy_text(struct arena *a, const char **s)
{
	return *s == NULL || (*s = arena_text(a, span_of(*s))) != NULL;
}

static bool
copy_to(struct arena *a, struct tocsin_message *m)
{
	const char **to;
	size_t i, n = 0;

	while (m->to[n] != NULL)
		n++;
	to = arena_array(a, n + 1, sizeof(*to));
	if (to == NULL)
		return false;
	memcpy(to, m->to, n * sizeof(*to));
	m->to = to;
	for (i = 0; i < n; i++)
		if (!copy_text(a, &to[i]))
			return false;
	return true;
}

static bool
copy_parts(struct arena *a, struct tocsin_message *m)
{
	struct tocsin_part *p = arena_array(a, m->nparts, sizeof(*p));
	size_t i;

	if (p == NULL)
		return false;
	if (m->nparts > 0)
		memcpy(p, m->parts, m->nparts * sizeof(*p));
	m->parts = p;
	for (i = 0; i < m->nparts; i++)
		if (!copy_text(a, &p[i].name) || !copy_text(a, &p[i].media))
			return false;
	return true;
}

static struct tocsin_message *
copy_message(struct arena *a, const struct tocsin_message *m)
{
	struct tocsin_message *out = arena_get(a, sizeof(*out));

	if (out == NULL)
		return NULL;
	*out = *m;
	out->text = out->json = NULL;
	if (!copy_text(a, &out->from) || !copy_text(a, &out->exercise) ||
	    !copy_text(a, &out->subject) || !copy_to(a, out) ||
	    !copy_parts(a, out))
		return NULL;
	return out;
}

/* When it wrote its first answer; brokers' words are none. */
static int64_t
first_answer(const struct tocsin_place *p)
{
	size_t i;

	for (i = 0; i < p->nstep; i++)
		if (p->step[i].message != NULL &&
		    p->step[i].rung >= TOCSIN_RUNG_ACCEPTED)
			return p->step[i].time;
	return 0;
}

static bool
copy_places(struct load *l, struct row *r, const struct tocsin_status *s)
{
	struct arena *a = &l->out->arena;
	struct row_place *out = arena_array(a, s->n, sizeof(*out));
	size_t i;

	if (out == NULL)
		return false;
	r->place = out;
	r->nplace = s->n;
	for (i = 0; i < s->n; i++, out++) {
		out->p = s->place[i];
		out->answered = first_answer(&out->p);
		out->counts = r->mine || view_same_member(out->p.member,
					     tocsin_device(l->t));
		out->p.nstep = 0;
		out->p.step = NULL;
		if (!copy_text(a, &out->p.member) ||
		    !copy_text(a, &out->p.by) ||
		    !copy_text(a, &out->p.reason) ||
		    !copy_text(a, &out->p.message))
			return false;
	}
	return true;
}

static bool
copy_status(struct load *l, struct row *r, const struct tocsin_status *s)
{
	size_t i;

	r->closed = s->closed;
	r->escalated = s->escalated;
	for (i = 0; i < s->ndeadline; i++)
		if (s->deadline[i].done == 0) {
			r->clock = s->deadline[i].clock;
			r->due = s->deadline[i].due;
			break;
		}
	return copy_text(&l->out->arena, &r->clock) && copy_places(l, r, s);
}

/* ---- gathering ---- */

static bool
add_coming(struct load *l, struct row *r)
{
	const struct tocsin_message **out;
	size_t i;

	out = arena_array(&l->out->arena, l->coming->n, sizeof(struct row *));
	if (out == NULL)
		return false;
	r->coming = out;
	for (i = 0; i < l->coming->n; i++) {
		if (strcmp(l->coming->message[i]->thread, r->m->thread) != 0)
			continue;
		*out = copy_message(&l->out->arena, l->coming->message[i]);
		if (*out++ == NULL)
			return false;
		r->ncoming++;
	}
	return true;
}

/* What the content says beside what a message has. */
static bool
add_content(struct load *l, struct row *r, const char *json)
{
	struct incident in;
	const char *severity, *outlook;
	bool good;

	if (json == NULL || incident_parse(&in, span_of(json)) != TOCSIN_OK)
		return true;
	severity = in.severity[0] != '\0' ? in.severity : NULL;
	outlook = json_string_value(json_object_get(in.root, "outlook"));
	good = copy_text(&l->out->arena, &severity) &&
	       copy_text(&l->out->arena, &outlook);
	r->severity = severity;
	r->outlook = outlook;
	incident_release(&in);
	return good;
}

/* Of what is damaged the list says so; here it counts, without its time. */
static void
count_messages(struct load *l, struct row *r)
{
	struct desk_message row;
	struct desk_tx *tx = NULL;
	uint8_t thread[ID_LEN];
	uint64_t n = 0;

	if (!id_parse(span_of(r->m->thread), thread) ||
	    begin_read(l->t, &tx) != TOCSIN_OK)
		return;
	while (desk_thread_next(tx, thread, n, &n) == TOCSIN_OK) {
		r->messages++;
		if (desk_get(tx, n, &row) == TOCSIN_OK &&
		    row.arrived > r->latest)
			r->latest = row.arrived;
	}
	desk_end(tx);
}

static enum tocsin_err
keep_row(struct load *l, const struct row *r)
{
	struct held *h = l->out;
	struct row *grown = h->rows.row;

	if (h->rows.n == h->room) {
		h->room = h->room > 0 ? 2 * h->room : 64;
		grown = realloc(grown, h->room * sizeof(*grown));
		if (grown == NULL)
			return fail(TOCSIN_EINTERNAL, "no memory");
		h->rows.row = grown;
	}
	grown[h->rows.n++] = *r;
	return TOCSIN_OK;
}

static enum tocsin_err
gather_one(struct load *l, const struct tocsin_message *m)
{
	struct tocsin_status *s = NULL;
	struct row r = { 0 };
	bool good;

	r.m = copy_message(&l->out->arena, m);
	r.mine = view_same_member(m->from, tocsin_device(l->t));
	if (r.m == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	good = add_content(l, &r, m->json);
	if (good && tocsin_status_of(l->t, m, l->now, &s) == TOCSIN_OK)
		good = copy_status(l, &r, s);
	tocsin_status_free(s);
	if (!good || !add_coming(l, &r))
		return fail(TOCSIN_EINTERNAL, "no memory");
	judge(&r, l->now);
	if (l->filter != NULL && !fits(l->filter, &r))
		return TOCSIN_OK;
	count_messages(l, &r);
	return keep_row(l, &r);
}

enum tocsin_err
rows_load(struct tocsin *t, const struct rows_filter *f, int64_t now,
    struct rows **out)
{
	struct load l = { .t = t, .filter = f, .now = now };
	struct tocsin_list *all = NULL;
	enum tocsin_err err;
	size_t i;

	l.out = calloc(1, sizeof(*l.out));
	if (l.out == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	/* First: what comes whole in between is no news that is missed. */
	err = tocsin_coming(t, &l.coming);
	if (err == TOCSIN_OK)
		err = tocsin_tickets(t, &all);
	for (i = 0; err == TOCSIN_OK && i < all->n; i++)
		err = gather_one(&l, all->message[i]);
	tocsin_list_free(all);
	tocsin_list_free(l.coming);
	if (err == TOCSIN_OK)
		*out = &l.out->rows;
	else
		rows_free(&l.out->rows);
	return err;
}

void
rows_free(struct rows *rows)
{
	struct held *h = (struct held *)(void *)rows;

	if (rows == NULL)
		return;
	arena_release(&h->arena);
	free(h->rows.row);
	free(h);
}
