/* SPDX-License-Identifier: ISC */
#include "client/bot/gather.h"

#include "client/gist.h"

#include <stdlib.h>
#include <string.h>

struct row {
	uint8_t thread[ID_LEN];
	uint64_t stamp; /* what it was when its facts were made */
	int64_t look;
};

/* Ascending by thread. */
struct table {
	struct row *row;
	size_t n, room;
};

struct gather {
	struct tocsin *t;
	struct table now, next; /* next: while a pass makes it */
	size_t at;		/* of now, how far a pass has come */
	int64_t time;
	struct gather_view v;
	bool failed, words;
	gather_plan *plan;
	void *arg;
};

/* ---- facts of a glance ---- */

static size_t
count(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static struct span
member_of(const char *device)
{
	return span_cut(span_of(device), 0, strcspn(device, "/"));
}

static void
take_message(struct facts *f, const struct glance *g)
{
	const struct tocsin_message *m = g->m;

	*f = (struct facts){ .id = m->thread,
		.short_id = m->short_id,
		.from = m->from,
		.kind = m->kind,
		.precedence = g->precedence ? g->precedence : m->precedence,
		.tlp = m->tlp,
		.exercise = m->exercise,
		.severity = g->severity,
		.classification = g->classification,
		.pap = g->pap,
		.outlook = g->outlook,
		.subject = m->subject,
		.resolution = g->resolution,
		.unopened = m->refused != TOCSIN_OK
				? tocsin_err_name(m->refused)
				: NULL,
		.label = g->labels,
		.nlabel = count(g->labels),
		.to = m->to,
		.nto = count(m->to),
		.sector = g->sectors,
		.nsector = count(g->sectors),
		.written = m->time,
		.received = m->received,
		.occurred = g->occurred,
		.detected = g->detected,
		.reported = g->reported,
		.closed = g->closed,
		.turned = g->turned,
		.escalated = g->escalated };
}

static bool
take_places(
    struct facts *f, struct arena *a, const struct glance *g, struct span us)
{
	struct fact_place *p = arena_array(a, g->nplace + 1, sizeof(*p));
	size_t i;

	f->place = p;
	for (i = 0; p != NULL && i < g->nplace; i++) {
		const struct tocsin_place *from = &g->place[i].p;

		if (from->recalled)
			continue;
		p[f->nplace++] = (struct fact_place){ .member = from->member,
			.ours = span_is(us, from->member),
			.rung = from->rung,
			.since = from->since,
			.asked = from->asked,
			.asked_in = from->message,
			.opened = g->place[i].opened,
			.answered = from->rung >= TOCSIN_RUNG_ACCEPTED
					? from->since
					: 0,
			.heard = from->heard,
			.ackby = from->ackby,
			.reason = from->reason };
	}
	return p != NULL;
}

static bool
take_attachments(struct facts *f, struct arena *a, const struct glance *g)
{
	struct fact_attachment *at =
	    arena_array(a, g->m->nparts + 1, sizeof(*at));
	size_t i;

	f->attachment = at;
	for (i = 0; at != NULL && i < g->m->nparts; i++) {
		const struct tocsin_part *p = &g->m->parts[i];

		if (!p->recalled)
			at[f->nattachment++] =
			    (struct fact_attachment){ p->name, p->media,
				    p->size };
	}
	return at != NULL;
}

/* What rules wrote is no reason for rules: they would answer themselves. */
static bool
is_by_rule(const struct glance *g, const char *id)
{
	size_t i;

	for (i = 0; i < g->nrecord; i++)
		if (strcmp(g->record[i].message, id) == 0)
			return true;
	return false;
}

static size_t
count_words(struct span gist)
{
	struct rd r = rd_init(gist);
	struct gist_message m;
	struct gist_field f;
	size_t n = 0;
	uint32_t i;

	while (gist_message(&r, &m))
		for (i = 0; i < m.nfield && gist_field(&r, &f); i++)
			n++;
	return n;
}

static bool
take_words(struct facts *f, struct arena *a, const struct glance *g)
{
	struct fact_word *w =
	    arena_array(a, count_words(g->words) + 1, sizeof(*w));
	struct rd r = rd_init(g->words);
	struct gist_message m;
	struct gist_field field;
	char id[ID_TEXT + 1];
	uint32_t i;

	f->word = w;
	while (w != NULL && gist_message(&r, &m)) {
		id_print(id, m.id);
		for (i = 0; i < m.nfield && gist_field(&r, &field); i++) {
			if (is_by_rule(g, id))
				continue;
			*w = (struct fact_word){ arena_text(a, field.name),
				arena_text(a, field.text),
				strcmp(id, g->m->id) == 0 };
			if (w->name == NULL || w->text == NULL)
				return false;
			w++;
			f->nword++;
		}
	}
	return f->word != NULL;
}

static int
by_log(const void *a, const void *b)
{
	const struct glance_record *const *x = a, *const *y = b;

	return ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

/*
 * One that our broker does not have is nobody's yet, nor is ours one as long as
 * another may come to light that stands before it.
 */
static bool
is_claim(const struct glance_record *r, const char *device, uint64_t cursor,
    struct span us)
{
	return r->claim && r->at != 0 && span_is(us, r->member) &&
	       (r->at <= cursor || strcmp(r->by, device) != 0);
}

static bool
take_claims(struct facts *f, struct arena *a, const struct gather_view *v,
    const struct glance *g, struct span us)
{
	const char *device = tocsin_device(v->t);
	const struct glance_record **r =
	    arena_array(a, g->nrecord + 1, sizeof(*r));
	struct fact_claim *c = arena_array(a, g->nrecord + 1, sizeof(*c));
	size_t i, n = 0;

	if (r == NULL || c == NULL)
		return false;
	for (i = 0; i < g->nrecord; i++)
		if (is_claim(&g->record[i], device, v->cursor, us))
			r[n++] = &g->record[i];
	if (n > 1)
		qsort(r, n, sizeof(*r), by_log);
	for (i = 0; i < n; i++)
		c[i] = (struct fact_claim){ .id = r[i]->id,
			.by = r[i]->by,
			.until = strcmp(r[i]->by, device) == 0
				     ? r[i]->until - v->claim / 2
				     : r[i]->until + v->claim / 4 };
	f->claim = c;
	f->nclaim = n;
	return true;
}

static bool
take_actions(
    struct facts *f, struct arena *a, const struct glance *g, struct span us)
{
	struct fact_action *d = arena_array(a, g->nrecord + 1, sizeof(*d));
	size_t i;

	f->action = d;
	for (i = 0; d != NULL && i < g->nrecord; i++)
		if (!g->record[i].claim && span_is(us, g->record[i].member))
			d[f->naction++] =
			    (struct fact_action){ .id = g->record[i].id,
				    .by = g->record[i].by,
				    .time = g->record[i].time };
	return d != NULL;
}

static bool
take_deadlines(struct facts *f, struct arena *a, const struct glance *g)
{
	struct fact_deadline *d = arena_array(a, g->ndeadline + 1, sizeof(*d));
	size_t i;

	f->deadline = d;
	f->ndeadline = g->ndeadline;
	for (i = 0; d != NULL && i < g->ndeadline; i++)
		d[i] = (struct fact_deadline){ .clock = g->deadline[i].clock,
			.due = g->deadline[i].due,
			.done = g->deadline[i].done };
	return d != NULL;
}

bool
gather_facts(struct facts *f, struct arena *a, const struct gather_view *v,
    const struct glance *g)
{
	struct span us = member_of(tocsin_device(v->t));
	char *member = arena_text(a, member_of(g->m->from));

	take_message(f, g);
	f->member = member;
	f->mine = member != NULL && span_is(us, member);
	return member != NULL && take_places(f, a, g, us) &&
	       take_attachments(f, a, g) && take_words(f, a, g) &&
	       take_claims(f, a, v, g, us) && take_actions(f, a, g, us) &&
	       take_deadlines(f, a, g);
}

/* ---- passes ---- */

bool
gather_new(struct gather **out, struct tocsin *t, bool words, int64_t claim)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g != NULL) {
		g->t = t;
		g->words = words;
		g->v = (struct gather_view){ .t = t, .claim = claim };
	}
	*out = g;
	return g != NULL;
}

void
gather_free(struct gather *g)
{
	if (g == NULL)
		return;
	free(g->now.row);
	free(g->next.row);
	free(g);
}

static struct row *
add(struct table *t, const uint8_t thread[ID_LEN])
{
	size_t room = t->room > 0 ? 2 * t->room : 64;
	struct row *grown = t->row;

	if (t->n == t->room) {
		grown = realloc(grown, room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		t->row = grown;
		t->room = room;
	}
	memcpy(grown[t->n].thread, thread, ID_LEN);
	return &grown[t->n++];
}

static int
by_thread(const void *a, const void *b)
{
	return memcmp(((const struct row *)a)->thread,
	    ((const struct row *)b)->thread, ID_LEN);
}

static struct row *
find(const struct table *t, const uint8_t thread[ID_LEN])
{
	struct row key;

	memcpy(key.thread, thread, ID_LEN);
	return t->n > 0 ? bsearch(&key, t->row, t->n, sizeof(key), by_thread)
			: NULL;
}

/* Threads come in order, so the old row is the next one, or there is none. */
static bool
wants(void *arg, const uint8_t thread[ID_LEN], uint64_t stamp)
{
	struct gather *g = arg;
	struct row *r = add(&g->next, thread), *old;

	if (r == NULL) {
		g->failed = true;
		return false;
	}
	while (g->at < g->now.n &&
	       memcmp(g->now.row[g->at].thread, thread, ID_LEN) < 0)
		g->at++;
	old = g->at < g->now.n ? &g->now.row[g->at] : NULL;
	r->stamp = stamp;
	r->look = GATHER_NEVER;
	if (old == NULL || memcmp(old->thread, thread, ID_LEN) != 0 ||
	    old->stamp != stamp || old->look <= g->time)
		return true;
	r->look = old->look;
	return false;
}

static bool
take(void *arg, const uint8_t thread[ID_LEN], const struct glance *glance)
{
	struct gather *g = arg;
	struct row *r = find(&g->next, thread);
	struct arena a = { 0 };
	struct facts f;
	bool good = gather_facts(&f, &a, &g->v, glance);

	if (good && r != NULL)
		r->look = g->plan(g->arg, &f);
	arena_release(&a);
	return good;
}

/* Before the facts: they have at least what it says. */
static enum tocsin_err
cursor_of(struct tocsin *t, uint64_t *cursor)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = begin_read(t, &tx);

	if (err == TOCSIN_OK)
		*cursor = desk_u64_get(tx, "cursor");
	desk_end(tx);
	return err;
}

enum tocsin_err
gather_pass(struct gather *g, int64_t now, gather_plan *plan, void *arg)
{
	const struct glance_each each = { g, g->words, wants, take };
	struct table old;
	enum tocsin_err err;

	g->at = 0;
	g->time = now;
	g->plan = plan;
	g->arg = arg;
	g->next.n = 0;
	g->failed = false;
	err = cursor_of(g->t, &g->v.cursor);
	if (err == TOCSIN_OK)
		err = glances_each(g->t, &each);
	if (err == TOCSIN_OK && g->failed)
		err = fail(TOCSIN_EINTERNAL, "no memory");
	if (err != TOCSIN_OK)
		return err;
	old = g->now;
	g->now = g->next;
	g->next = old;
	return TOCSIN_OK;
}

int64_t
gather_next(const struct gather *g)
{
	int64_t next = GATHER_NEVER;
	size_t i;

	for (i = 0; i < g->now.n; i++)
		if (g->now.row[i].look < next)
			next = g->now.row[i].look;
	return next;
}

void
gather_later(struct gather *g, const char *id, int64_t at)
{
	uint8_t thread[ID_LEN];
	struct row *r;

	if (!id_parse(span_of(id), thread))
		return;
	r = find(&g->now, thread);
	if (r != NULL && at < r->look)
		r->look = at;
}

void
gather_anew(struct gather *g)
{
	size_t i;

	for (i = 0; i < g->now.n; i++)
		g->now.row[i].look = 0;
}

size_t
gather_threads(const struct gather *g)
{
	return g->now.n;
}

/* ---- one ---- */

enum tocsin_err
gather_one(struct gathered *out, struct tocsin *t, const uint8_t thread[32],
    int64_t until, bool words, int64_t claim)
{
	struct gather_view v = { .t = t, .claim = claim };
	enum tocsin_err err = cursor_of(t, &v.cursor);

	*out = (struct gathered){ 0 };
	if (err == TOCSIN_OK)
		err = glance_at(t, thread, until, words, &out->glances);
	if (err == TOCSIN_OK &&
	    !gather_facts(&out->f, &out->arena, &v, out->glances.glance))
		err = fail(TOCSIN_EINTERNAL, "no memory");
	return err;
}

void
gathered_release(struct gathered *g)
{
	arena_release(&g->arena);
	glances_release(&g->glances);
}
