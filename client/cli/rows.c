/* SPDX-License-Identifier: ISC */
#include "client/cli/rows.h"

#include "client/circle.h"
#include "client/cli/view.h"
#include "client/glance.h"
#include "client/own.h"
#include "client/vocab.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct held {
	struct rows rows;	/* first */
	struct glances glances; /* what the rows point to */
	struct arena arena;	/* and what they have beside */
};

/* What is being gathered. */
struct load {
	struct tocsin *t;
	const struct rows_filter *filter;
	int64_t now;
	struct held *out;
	struct tocsin_list *coming;
	struct own own;
	struct gists *gists; /* NULL: nobody asked what is our own */
	struct circles circles;
	struct circle_names senders; /* members and nations */
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
fits(const struct load *l, const struct row *r)
{
	const struct rows_filter *f = l->filter;
	size_t i;

	if (f == NULL)
		return true;

	for (i = 0; i < f->states.n; i++)
		if (strcmp(f->states.word[i], r->state) == 0)
			break;
	if (f->states.n > 0 && i == f->states.n)
		return false;
	for (i = 0; i < l->senders.n; i++)
		if (is_from(r->m->from, l->senders.name[i]))
			break;
	if (f->senders.n > 0 && i == l->senders.n)
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
		{ "--own", OPT_FLAG, &f->own },
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
good_label(struct rows_filter *f, char why[256])
{
	const char *typed = f->tlp;

	if (strncasecmp(typed, "TLP:", 4) == 0)
		typed += 4;
	f->tlp = vocab_find(VOCAB_TLP, typed);
	if (f->tlp == NULL)
		snprintf(why, 256, "tlp: %.64s is no label; the nearest is %s",
		    typed, vocab_nearest(VOCAB_TLP, typed));
	return f->tlp != NULL;
}

bool
rows_filter_judge(struct rows_filter *f, char why[256])
{
	const char *near;
	size_t i;

	if (f->tlp != NULL && !good_label(f, why))
		return false;
	if (f->typed != NULL && !view_past(NULL, f->typed, &f->since)) {
		snprintf(why, 256,
		    "since: %.64s is no time: write 30m, 2h, 3d or "
		    "2026-11-21T03:14:15Z",
		    f->typed);
		return false;
	}
	for (i = 0; i < f->states.n; i++) {
		near = nearest_state(f->states.word[i]);
		if (strcmp(near, f->states.word[i]) == 0)
			continue;
		snprintf(why, 256, "state: %.64s is none; the nearest is %s",
		    f->states.word[i], near);
		return false;
	}
	return true;
}

bool
rows_filter_good(struct rows_filter *f)
{
	char why[256];

	if (rows_filter_judge(f, why))
		return true;
	cli_usage("--%s", why);
	return false;
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

/* ---- gathering ---- */

static bool
add_coming(struct load *l, struct row *r)
{
	const struct tocsin_message **out = NULL;
	size_t i;

	for (i = 0; i < l->coming->n; i++) {
		if (strcmp(l->coming->message[i]->thread, r->m->thread) != 0)
			continue;
		if (out == NULL)
			r->coming = out = arena_array(
			    &l->out->arena, l->coming->n, sizeof(const void *));
		if (out == NULL)
			return false;
		*out = copy_message(&l->out->arena, l->coming->message[i]);
		if (*out++ == NULL)
			return false;
		r->ncoming++;
	}
	return true;
}

static bool
add_places(struct load *l, struct row *r, const struct glance *g)
{
	struct row_place *out =
	    arena_array(&l->out->arena, g->nplace, sizeof(*out));
	size_t i;

	if (out == NULL)
		return false;
	r->place = out;
	r->nplace = g->nplace;
	for (i = 0; i < g->nplace; i++, out++) {
		out->p = g->place[i].p;
		out->p.overdue = glance_overdue(g, &out->p, l->now);
		out->answered = g->place[i].answered;
		out->counts = r->mine || view_same_member(out->p.member,
					     tocsin_device(l->t));
	}
	return true;
}

/* What is not here yet, or cannot be read, may be: it is not left out. */
static bool
is_own(struct load *l, struct row *r)
{
	struct span gist;

	if (l->gists == NULL || r->m->coming)
		return true;
	if (gists_of(l->gists, r->m->thread, &gist) != TOCSIN_OK)
		return true;
	r->own = own_in_gist(&l->own, gist);
	if (!own_looked(&l->own))
		return true;
	return r->own != NULL && copy_text(&l->out->arena, &r->own);
}

static enum tocsin_err
begin_own(struct load *l)
{
	char why[1024];
	enum tocsin_err err = own_load(&l->own, l->t->parts.keys->home, why);

	return err == TOCSIN_OK ? gists_begin(&l->gists, l->t)
				: fail(err, "%s", why);
}

static bool
add(struct load *l, const struct tocsin_message *m, const struct glance *g)
{
	struct row *r = &l->out->rows.row[l->out->rows.n];

	*r = (struct row){ .m = m,
		.mine = view_same_member(m->from, tocsin_device(l->t)) };
	if (g != NULL) {
		r->closed = g->closed;
		r->escalated = g->escalated;
		r->clock = g->clock;
		r->due = g->due;
		r->messages = g->messages;
		r->latest = g->latest;
		r->severity = g->severity;
		r->outlook = g->outlook;
	}
	if ((g != NULL && !add_places(l, r, g)) || !add_coming(l, r))
		return false;
	judge(r, l->now);
	if (fits(l, r) && is_own(l, r))
		l->out->rows.n++;
	return true;
}

static bool
add_all(struct load *l)
{
	struct held *h = l->out;
	const struct tocsin_message *m;
	size_t i, n = h->glances.n + h->glances.coming->n;

	h->rows.row = calloc(n + 1, sizeof(*h->rows.row));
	if (h->rows.row == NULL)
		return false;
	for (i = 0; i < h->glances.n; i++)
		if (!add(l, h->glances.glance[i].m, &h->glances.glance[i]))
			return false;
	for (i = 0; i < h->glances.coming->n; i++) {
		m = copy_message(&h->arena, h->glances.coming->message[i]);
		if (m == NULL || !add(l, m, NULL))
			return false;
	}
	return true;
}

/* ---- whose ---- */

/* What is neither a circle nor a nation, nor anybody's whose tickets we have.
 */
static enum tocsin_err
known_sender(struct load *l, const struct roster *r, const char *typed)
{
	const struct glances *g = &l->out->glances;
	struct guess near = guess_of(typed);
	size_t i;

	if (r == NULL || circle_is_nation(r, typed))
		return TOCSIN_OK;
	for (i = 0; i < g->n; i++)
		if (is_from(g->glance[i].m->from, typed))
			return TOCSIN_OK;
	for (i = 0; i < l->circles.n; i++)
		guess_at(&near, l->circles.circle[i].name);
	for (i = 0; i < r->nmember; i++)
		guess_at(&near, strchr(r->member[i].name, '@'));
	return fail(TOCSIN_EUSAGE,
	    "--from: %s is neither a nation nor a circle; the nearest is %s",
	    typed, near.best != NULL ? near.best : "none");
}

/* `@x` is a circle's members, or all of a nation; circle.h sees to it that it
 * is never both. */
static enum tocsin_err
add_sender(struct load *l, const struct roster *r, const char *typed)
{
	const struct circle *c =
	    typed[0] == '@' ? circles_find(&l->circles, typed) : NULL;
	const char **grown = realloc(l->senders.name,
	    (l->senders.n + (c != NULL ? c->n : 1)) * sizeof(*grown));
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (grown == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	l->senders.name = grown;
	if (c != NULL && circle_is_nation(r, typed))
		return fail(TOCSIN_EUSAGE,
		    "--from: %s is a nation, and a circle in %s: give the "
		    "circle another name",
		    typed, l->circles.file[c->file]);
	for (i = 0; c != NULL && i < c->n; i++)
		grown[l->senders.n++] = c->member[i];
	if (c == NULL)
		grown[l->senders.n++] = typed;
	if (c == NULL && typed[0] == '@')
		err = known_sender(l, r, typed);
	return err;
}

static enum tocsin_err
find_senders(struct load *l)
{
	const struct list *typed = &l->filter->senders;
	enum tocsin_err err = TOCSIN_OK;
	char why[1024];
	size_t i;

	for (i = 0; i < typed->n && typed->word[i][0] != '@'; i++)
		;
	if (i < typed->n)
		err = circles_load(&l->circles, l->t->parts.keys->home, why);
	if (err != TOCSIN_OK)
		return fail(err, "%s", why);
	pthread_mutex_lock(&l->t->lock);
	for (i = 0; err == TOCSIN_OK && i < typed->n; i++)
		err = add_sender(l, l->t->belief.roster, typed->word[i]);
	pthread_mutex_unlock(&l->t->lock);
	return err;
}

enum tocsin_err
rows_load(struct tocsin *t, const struct rows_filter *f, int64_t now,
    struct rows **out)
{
	struct load l = { .t = t, .filter = f, .now = now };
	enum tocsin_err err;

	l.out = calloc(1, sizeof(*l.out));
	if (l.out == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	/* First: what comes whole in between is no news that is missed. */
	err = tocsin_coming(t, &l.coming);
	if (err == TOCSIN_OK)
		err = glances_load_some(
		    t, f != NULL ? f->most : 0, &l.out->glances);
	l.out->rows.left = l.out->glances.left;
	if (err == TOCSIN_OK && f != NULL)
		err = find_senders(&l);
	if (err == TOCSIN_OK && f != NULL && f->own)
		err = begin_own(&l);
	if (err == TOCSIN_OK && !add_all(&l))
		err = fail(TOCSIN_EINTERNAL, "no memory");
	gists_end(l.gists);
	own_release(&l.own);
	circle_names_release(&l.senders);
	circles_release(&l.circles);
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
	glances_release(&h->glances);
	arena_release(&h->arena);
	free(h->rows.row);
	free(h);
}

/* ---- for programs ---- */

static json_t *
next_json(const struct row *r)
{
	return r->clock != NULL ? json_pack("{s:s, s:o}", "clock", r->clock,
				      "due", view_time(r->due))
				: json_null();
}

/* The members that the predicate holds for. */
static json_t *
members(const struct row *r, bool overdue)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < r->nplace; i++) {
		const struct tocsin_place *p = &r->place[i].p;

		if (overdue ? p->overdue : p->rung < TOCSIN_RUNG_ACCEPTED)
			json_array_append_new(list, json_string(p->member));
	}
	return list;
}

json_t *
rows_json(const struct row *r)
{
	static const char *const left_out[] = { "text", "content", "number",
		"answer", "reason", "resolution", "own", "thread", "pap",
		"labels", "deadlines" };
	json_t *o = view_message_json(r->m, NULL);
	size_t i;

	for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		json_object_del(o, left_out[i]);
	json_object_set_new(o, "id", json_string(r->m->thread));
	json_object_set_new(o, "state", json_string(r->state));
	json_object_set_new(o, "mine", json_boolean(r->mine));
	json_object_set_new(o, "unacked", members(r, false));
	json_object_set_new(o, "overdue", members(r, true));
	json_object_set_new(o, "closed", json_boolean(r->closed));
	json_object_set_new(o, "next", next_json(r));
	json_object_set_new(o, "ours", view_string(r->own));
	json_object_set_new(
	    o, "escalated", json_integer((json_int_t)r->escalated));
	return o;
}
