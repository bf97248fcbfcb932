/* SPDX-License-Identifier: ISC */
#include "client/cli/picture.h"

#include "client/vocab.h"

#include <stdlib.h>
#include <string.h>

#define HOUR 3600

const struct picture_age picture_age[PICTURE_AGES] = {
	{ HOUR, "<1h" },
	{ 4 * HOUR, "1-4h" },
	{ PICTURE_DAY, "4-24h" },
	{ 3 * PICTURE_DAY, "1-3d" },
	{ 7 * PICTURE_DAY, "3-7d" },
	{ 30 * PICTURE_DAY, "7-30d" },
	{ 0, ">30d" },
};

/* One answer and how long it took. */
struct answer {
	const struct picture_nation *nation;
	int64_t took;
};

/* A side while it is being made. */
struct making {
	struct picture_side *side;
	int64_t now;
	size_t room; /* for nations */
	struct answer *answer;
	size_t nanswer, answer_room;
	bool short_of_memory;
};

/* ---- nations ---- */

static struct picture_nation *
nation_of(struct making *m, const char *member)
{
	struct picture_side *s = m->side;
	const char *at = strchr(member, '@');
	const char *name = at != NULL ? at + 1 : member;
	size_t i;

	for (i = 0; i < s->nnation; i++)
		if (strncmp(s->nation[i].name, name, NATION_MAX) == 0)
			return &s->nation[i];
	if (s->nnation == m->room) { /* counted before: cannot be */
		m->short_of_memory = true;
		return NULL;
	}
	s->nation[s->nnation].longest = -1;
	strncpy(s->nation[s->nnation].name, name, NATION_MAX);
	return &s->nation[s->nnation++];
}

/* Pointers to nations are kept, so there is room for all from the start. */
static bool
make_room(struct making *m, const struct picture_ticket *t, size_t n)
{
	size_t i, places = 0;

	for (i = 0; i < n; i++)
		places += t[i].n;
	m->room = n + places;
	m->answer_room = places;
	m->side->nation = calloc(m->room + 1, sizeof(*m->side->nation));
	m->answer = calloc(places + 1, sizeof(*m->answer));
	return m->side->nation != NULL && m->answer != NULL;
}

/* ---- one ticket ---- */

/* What it is for one nation, or for all of them. */
struct standing {
	bool asked, waiting, overdue, turned_away;
	int64_t since; /* of what waits the longest; 0: nothing does */
};

static void
look_at_place(struct standing *s, const struct picture_place *p, int64_t now)
{
	if (p->taken_back)
		return;
	s->asked = true;
	s->turned_away |= p->turned_away;
	if (p->answered != 0 || p->turned_away)
		return;
	s->waiting = true;
	s->overdue |= p->ackby > 0 && now > p->ackby;
	if (s->since == 0 || p->asked < s->since)
		s->since = p->asked;
}

static void
count(struct picture_count *c, const struct standing *s)
{
	c->open++;
	c->waiting += s->waiting;
	c->overdue += s->overdue;
}

static bool
same_nation(const char *a, const char *b)
{
	const char *x = strchr(a, '@'), *y = strchr(b, '@');

	return strcmp(x != NULL ? x : a, y != NULL ? y : b) == 0;
}

/* The members of one nation are one standing; the first of them counts it. */
static void
count_nation(struct making *m, const struct picture_ticket *t, size_t first)
{
	struct standing s = { .since = 0 };
	struct picture_nation *nation;
	size_t i;

	for (i = 0; i < first; i++)
		if (same_nation(t->place[i].member, t->place[first].member))
			return;
	for (i = first; i < t->n; i++)
		if (same_nation(t->place[i].member, t->place[first].member))
			look_at_place(&s, &t->place[i], m->now);
	nation = s.asked ? nation_of(m, t->place[first].member) : NULL;
	if (nation == NULL)
		return;
	count(&nation->all, &s);
	count(&nation->level[t->precedence], &s);
	nation->turned_away += s.turned_away;
	if (s.since != 0 && m->now - s.since > nation->longest)
		nation->longest = m->now > s.since ? m->now - s.since : 0;
}

static size_t
age_of(int64_t seconds)
{
	size_t i;

	for (i = 0; picture_age[i].below != 0; i++)
		if (seconds < picture_age[i].below)
			break;
	return i;
}

static void
count_word(unsigned *counts, unsigned *other, unsigned *unsaid, enum vocab v,
    const char *word)
{
	size_t i;

	if (word == NULL) {
		++*unsaid;
		return;
	}
	for (i = 0; i < PICTURE_WORDS && vocab_word(v, i) != NULL; i++)
		if (strcmp(vocab_word(v, i), word) == 0) {
			counts[i]++;
			return;
		}
	++*other;
}

static void
count_open(struct making *m, const struct picture_ticket *t)
{
	struct picture_side *s = m->side;
	struct standing all = { .since = 0 };
	struct picture_nation *raised = nation_of(m, t->from);
	size_t i;

	for (i = 0; i < t->n; i++) {
		look_at_place(&all, &t->place[i], m->now);
		count_nation(m, t, i);
	}
	if (raised != NULL)
		raised->raised++;
	count(&s->all, &all);
	count(&s->level[t->precedence], &all);
	s->escalated += t->escalated;
	s->turned_away += all.turned_away;
	s->age[age_of(m->now - t->opened)][t->precedence]++;
	count_word(s->severity, &s->severity_other, &s->severity_unsaid,
	    VOCAB_SEVERITY, t->severity);
	count_word(s->outlook, &s->outlook_other, &s->outlook_unsaid,
	    VOCAB_OUTLOOK, t->outlook);
}

/* Clocks of two nations differ: an answer may seem to precede its question. */
static void
note_answers(struct making *m, const struct picture_ticket *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct picture_place *p = &t->place[i];
		struct picture_nation *nation;

		if (p->answered == 0 || p->asked < m->now - PICTURE_WINDOW)
			continue;
		nation = nation_of(m, p->member);
		if (nation == NULL)
			return;
		m->answer[m->nanswer++] = (struct answer){ nation,
			p->answered > p->asked ? p->answered - p->asked : 0 };
	}
}

static void
note_name(struct picture_side *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nname; i++)
		if (strcmp(s->name[i], name) == 0)
			return;
	if (s->nname < PICTURE_NAMES)
		s->name[s->nname++] = name;
	else
		s->more_names = true;
}

static void
count_ticket(struct making *m, const struct picture_ticket *t)
{
	m->side->tickets++;
	m->side->opened += t->opened > m->now - PICTURE_DAY;
	m->side->ended += t->closed > m->now - PICTURE_DAY;
	if (t->exercise != NULL)
		note_name(m->side, t->exercise);
	if (t->closed == 0)
		count_open(m, t);
	note_answers(m, t);
}

/* ---- times ---- */

static int
by_time(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	return (x->took > y->took) - (x->took < y->took);
}

static int
by_nation_and_time(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	if (x->nation != y->nation)
		return x->nation < y->nation ? -1 : 1;
	return by_time(a, b);
}

static struct picture_times
times_of(const struct answer *a, size_t n)
{
	struct picture_times t = { .n = (unsigned)n };

	if (n == 0)
		return t;
	t.median = n % 2 == 1 ? a[n / 2].took
			      : (a[n / 2 - 1].took + a[n / 2].took) / 2;
	t.p90 = a[(9 * n + 9) / 10 - 1].took;
	return t;
}

static void
measure(struct making *m)
{
	struct picture_side *s = m->side;
	size_t i, k;

	if (m->nanswer == 0)
		return;
	qsort(m->answer, m->nanswer, sizeof(*m->answer), by_time);
	s->times = times_of(m->answer, m->nanswer);
	qsort(m->answer, m->nanswer, sizeof(*m->answer), by_nation_and_time);
	for (i = 0; i < m->nanswer; i = k) {
		for (k = i; k < m->nanswer &&
			    m->answer[k].nation == m->answer[i].nation;
		     k++)
			;
		s->nation[m->answer[i].nation - s->nation].times =
		    times_of(m->answer + i, k - i);
	}
}

/* ---- all ---- */

static bool
is_shown(const struct picture_ticket *t, int64_t now)
{
	return t->closed == 0 || t->closed >= now - PICTURE_WINDOW;
}

static int
more(unsigned a, unsigned b)
{
	return (a < b) - (a > b);
}

/* What needs somebody's eye stands first; a name decides between equals. */
static int
by_need(const void *a, const void *b)
{
	const struct picture_nation *x = a, *y = b;
	int c = more(x->all.overdue, y->all.overdue);

	if (c == 0)
		c = more(x->all.waiting, y->all.waiting);
	if (c == 0)
		c = more(x->all.open, y->all.open);
	return c != 0 ? c : strcmp(x->name, y->name);
}

static bool
make_side(struct picture_side *s, const struct picture_ticket *t, size_t n,
    bool exercise, int64_t now)
{
	struct making m = { .side = s, .now = now };
	bool good = make_room(&m, t, n);
	size_t i;

	for (i = 0; good && i < n; i++)
		if ((t[i].exercise != NULL) == exercise && is_shown(&t[i], now))
			count_ticket(&m, &t[i]);
	if (good) {
		measure(&m);
		qsort(s->nation, s->nnation, sizeof(*s->nation), by_need);
	}
	free(m.answer);
	return good && !m.short_of_memory;
}

enum tocsin_err
picture_make(struct picture *out, const struct picture_ticket *ticket, size_t n,
    int64_t now)
{
	size_t i;

	*out = (struct picture){ .at = now, .tlp = TICKET_CLEAR };
	for (i = 0; i < n; i++)
		if (is_shown(&ticket[i], now) && ticket[i].tlp < out->tlp)
			out->tlp = ticket[i].tlp;
	if (!make_side(&out->live, ticket, n, false, now) ||
	    !make_side(&out->exercise, ticket, n, true, now))
		return TOCSIN_EINTERNAL;
	return TOCSIN_OK;
}

void
picture_release(struct picture *p)
{
	free(p->live.nation);
	free(p->exercise.nation);
	p->live = p->exercise = (struct picture_side){ 0 };
}
