/* SPDX-License-Identifier: ISC */
#include "client/drill/report.h"

#include "client/order.h"

#include <stdlib.h>
#include <string.h>

const char *const drill_state_name[DRILL_STATES] = { "not-sent",
	"not-delivered", "not-opened", "silent", "partly", "answered",
	"not-asked" };
const char *const drill_verdict_name[DRILL_VERDICTS] = { "met", "missed",
	"open" };

/* A message in the order of all. */
struct entry {
	const struct drill_message *m;
	struct moment at;
};

struct fold {
	struct drill_report *out;
	const struct script *script;
	const char *control;
	struct entry *e;
	size_t n;
	const struct ladder_receipt *r;
	size_t nr;
	int64_t now;
	int64_t *took; /* room for the times of all cells */
};

struct drill_cell *
drill_cell(const struct drill_report *r, size_t inject, size_t member)
{
	return &r->cell[inject * r->nmember + member];
}

int64_t
drill_took(
    const struct drill_report *r, size_t inject, const struct drill_step *s)
{
	const struct drill_message *m = r->inject[inject].m;
	int64_t took = m != NULL ? s->time - m->m.time : 0;

	return took > 0 ? took * (int64_t)r->speed : 0;
}

/* ---- what there is, ticket by ticket, in order ---- */

static int
by_thread(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->m->thread, y->m->thread);
}

static int
by_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (order_after(&x->m->m, &x->at, &y->m->m, &y->at))
		return 1;
	return order_after(&y->m->m, &y->at, &x->m->m, &x->at) ? -1 : 0;
}

/* The order is that of one ticket's messages among themselves. */
static bool
order_ticket(struct entry *e, size_t n, struct ladder_message *room)
{
	struct moment *moment = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		room[i] = e[i].m->m;
	if (order_moments(&moment, room, n) != TOCSIN_OK)
		return false;
	for (i = 0; i < n; i++)
		e[i].at = moment[i];
	free(moment);
	qsort(e, n, sizeof(*e), by_order);
	return true;
}

static bool
put_in_order(struct fold *f, const struct drill_message *m, size_t n)
{
	struct ladder_message *room = calloc(n + 1, sizeof(*room));
	bool good = room != NULL;
	size_t i, k;

	f->e = calloc(n + 1, sizeof(*f->e));
	good = good && f->e != NULL;
	for (i = 0; good && i < n; i++)
		f->e[i].m = &m[i];
	if (good && n > 0)
		qsort(f->e, n, sizeof(*f->e), by_thread);
	for (i = 0; good && i < n; i += k) {
		for (k = 1; i + k < n && by_thread(&f->e[i], &f->e[i + k]) == 0;
		     k++)
			;
		good = order_ticket(f->e + i, k, room);
	}
	f->n = good ? n : 0;
	free(room);
	return good;
}

static bool
of_control(const struct fold *f, const struct drill_message *m)
{
	return f->control != NULL && strcmp(m->m.member, f->control) == 0;
}

/* ---- injects ---- */

static struct drill_inject *
find_inject(const struct drill_report *o, const char *name)
{
	size_t i;

	for (i = 0; i < o->ninject; i++)
		if (strcmp(o->inject[i].name, name) == 0)
			return &o->inject[i];
	return NULL;
}

static bool
kind_asks(const char *kind)
{
	return strcmp(kind, "report") == 0 || strcmp(kind, "request") == 0 ||
	       strcmp(kind, "query") == 0;
}

/*
 * Who is the exercise's control, if nobody was named: whose inject our broker
 * had first. When it was written is its writer's word, and a player that would
 * be control could write a time before all others.
 */
static void
find_control(struct fold *f)
{
	const struct drill_message *first = NULL, *m;
	size_t i;

	for (i = 0; f->control == NULL && i < f->n; i++) {
		m = f->e[i].m;
		if (m->tag.inject != NULL &&
		    (first == NULL || m->heard < first->heard ||
			(m->heard == first->heard &&
			    strcmp(m->m.id, first->m.id) < 0)))
			first = m;
	}
	if (first != NULL)
		f->control = first->m.member;
	f->out->control = f->control;
}

static void
add_scripted(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i;

	for (i = 0; f->script != NULL && i < f->script->ninject; i++) {
		const struct script_inject *s = &f->script->inject[i];

		o->inject[o->ninject++] = (struct drill_inject){
			.name = s->name,
			.script = s,
			.at = s->at,
			.asks = script_asks(s),
		};
	}
}

/* Of two messages that say to be the same inject, the first one is. */
static void
add_posted(struct fold *f, const struct drill_message *m)
{
	struct drill_report *o = f->out;
	struct drill_inject *i = find_inject(o, m->tag.inject);
	char hash[ID_TEXT + 1] = "";

	if (i == NULL && o->ninject == DRILL_ROWS)
		return;
	if (i == NULL) {
		i = &o->inject[o->ninject++];
		*i = (struct drill_inject){ .name = m->tag.inject,
			.at = m->tag.at };
	}
	if (i->m != NULL &&
	    (i->m->m.time < m->m.time ||
		(i->m->m.time == m->m.time && strcmp(i->m->m.id, m->m.id) < 0)))
		return;
	i->m = m;
	i->asks = kind_asks(m->m.kind);
	if (f->script == NULL)
		return;
	id_print(hash, f->script->hash);
	i->other = i->script == NULL || m->tag.script == NULL ||
		   strcmp(m->tag.script, hash) != 0;
}

static int
by_at(const void *a, const void *b)
{
	const struct drill_inject *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->script != NULL && y->script != NULL)
		return x->script < y->script ? -1 : x->script > y->script;
	return strcmp(x->name, y->name);
}

static bool
gather_injects(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i, n = f->script != NULL ? f->script->ninject : 0;

	for (i = 0; i < f->n; i++)
		n += f->e[i].m->tag.inject != NULL;
	o->inject = arena_array(&o->arena, n + 1, sizeof(*o->inject));
	if (o->inject == NULL)
		return false;
	add_scripted(f);
	for (i = 0; i < f->n; i++)
		if (f->e[i].m->tag.inject != NULL && of_control(f, f->e[i].m))
			add_posted(f, f->e[i].m);
	if (o->ninject > 0)
		qsort(o->inject, o->ninject, sizeof(*o->inject), by_at);
	return true;
}

/*
 * The end, as far as injects tell: what was left to come after the last one,
 * had nobody held the clock since.
 */
static void
find_span(struct fold *f)
{
	struct drill_report *o = f->out;
	const struct drill_message *last = NULL;
	size_t i;

	o->speed = 1;
	for (i = 0; i < o->ninject; i++) {
		const struct drill_message *m = o->inject[i].m;

		if (m == NULL)
			continue;
		o->speed = m->tag.speed > 0 ? m->tag.speed : 1;
		if (o->begin == 0)
			o->begin = m->m.time - m->tag.at / (int64_t)o->speed;
		last = m;
	}
	if (last == NULL || last->tag.length <= last->tag.at)
		return;
	o->end = last->m.time +
		 (last->tag.length - last->tag.at + (int64_t)o->speed - 1) /
		     (int64_t)o->speed;
	o->over = f->now >= o->end;
}

/* ---- players and nations ---- */

static size_t
find_member(const struct drill_report *o, const char *member)
{
	size_t i;

	for (i = 0; i < o->nmember; i++)
		if (strcmp(o->member[i].member, member) == 0)
			return i;
	return SIZE_MAX;
}

static void
add_member(struct fold *f, const char *member, const char *contact)
{
	struct drill_report *o = f->out;

	if (o->nmember == DRILL_PLAYERS || find_member(o, member) != SIZE_MAX ||
	    (f->control != NULL && strcmp(member, f->control) == 0))
		return;
	o->member[o->nmember++] =
	    (struct drill_member){ .member = member, .contact = contact };
}

static const char *
nation_of(const char *member)
{
	const char *at = strchr(member, '@');

	return at != NULL ? at + 1 : member;
}

static int
by_nation(const void *a, const void *b)
{
	const struct drill_member *x = a, *y = b;
	int c = strcmp(nation_of(x->member), nation_of(y->member));

	return c != 0 ? c : strcmp(x->member, y->member);
}

static bool
gather_members(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i, k;

	o->member = arena_array(&o->arena, DRILL_PLAYERS, sizeof(*o->member));
	o->nation = arena_array(&o->arena, DRILL_PLAYERS, sizeof(*o->nation));
	if (o->member == NULL || o->nation == NULL)
		return false;
	for (i = 0; f->script != NULL && i < f->script->nplayer; i++)
		add_member(f, f->script->player[i].member,
		    f->script->player[i].contact);
	for (i = 0; i < o->ninject; i++)
		for (k = 0;
		     o->inject[i].m != NULL && o->inject[i].m->m.to[k] != NULL;
		     k++)
			add_member(f, o->inject[i].m->m.to[k], NULL);
	if (o->nmember > 0)
		qsort(o->member, o->nmember, sizeof(*o->member), by_nation);
	for (i = 0; i < o->nmember; i++) {
		const char *name = nation_of(o->member[i].member);

		if (o->nnation == 0 ||
		    strcmp(o->nation[o->nnation - 1].name, name) != 0)
			o->nation[o->nnation++].name = name;
		o->member[i].nation = o->nnation - 1;
		o->nation[o->nnation - 1].n++;
	}
	o->cell = arena_array(
	    &o->arena, o->ninject * o->nmember + 1, sizeof(*o->cell));
	f->took = calloc(o->ninject * o->nmember + 1, sizeof(*f->took));
	return o->cell != NULL && f->took != NULL;
}

static void
mark_recipients(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i, k, at;

	for (i = 0; i < o->ninject; i++) {
		const struct drill_inject *in = &o->inject[i];

		for (k = 0; in->script != NULL && k < in->script->n; k++) {
			at = find_member(
			    o, f->script->player[in->script->to[k]].member);
			if (at != SIZE_MAX)
				drill_cell(o, i, at)->meant = true;
		}
		for (k = 0; in->m != NULL && in->m->m.to[k] != NULL; k++) {
			at = find_member(o, in->m->m.to[k]);
			if (at == SIZE_MAX)
				continue;
			drill_cell(o, i, at)->meant = true;
			drill_cell(o, i, at)->sent = true;
		}
	}
}

/* ---- brokers' words ---- */

static bool
is_of(const struct ladder_receipt *r, const char *member)
{
	size_t n = strcspn(r->who, "/");

	return strlen(member) == n && strncmp(r->who, member, n) == 0;
}

static void
take_receipt(const struct fold *f, size_t inject, size_t member,
    const struct ladder_receipt *r)
{
	const struct drill_report *o = f->out;
	const struct drill_message *m = o->inject[inject].m;
	struct drill_cell *c = drill_cell(o, inject, member);
	struct drill_step s = { .time =
				    r->time < m->m.time ? m->m.time : r->time,
		.said = r->time,
		.by = r->by,
		.receipt = r->receipt,
		.clock = r->time + DRILL_CLOCK_OFF < m->m.time };
	struct drill_step *step = r->rung == TOCSIN_RUNG_DELIVERED
				      ? &c->step[DRILL_DELIVERED]
				      : &c->away;

	if (o->end > 0 && s.time > o->end)
		return;
	if (step->time != 0 && step->time <= s.time)
		return;
	*step = s;
	if (r->rung == TOCSIN_RUNG_REFUSED)
		c->reason = r->reason;
}

static void
take_receipts(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i, k, n;

	for (n = 0; n < f->nr; n++) {
		const struct ladder_receipt *r = &f->r[n];

		if (r->erased || (r->rung != TOCSIN_RUNG_DELIVERED &&
				     r->rung != TOCSIN_RUNG_REFUSED))
			continue;
		for (i = 0; i < o->ninject; i++)
			if (o->inject[i].m != NULL &&
			    strcmp(o->inject[i].m->m.id, r->id) == 0)
				break;
		for (k = 0; i < o->ninject && k < o->nmember; k++)
			if (drill_cell(o, i, k)->sent &&
			    (is_of(r, o->member[k].member) ||
				(r->rung == TOCSIN_RUNG_REFUSED &&
				    strcmp(r->who,
					nation_of(o->member[k].member)) == 0)))
				take_receipt(f, i, k, r);
	}
}

/* ---- players' words ---- */

#define M(mark) (1u << (mark))

#define READ (M(DRILL_DELIVERED) | M(DRILL_OPENED))
#define SAYS (READ | M(DRILL_ANSWERED))

struct drill_word
drill_word_of(const struct ladder_message *m)
{
	static const struct {
		const char *kind, *answer; /* NULL: any */
		struct drill_word word;
	} rows[] = {
		{ "ack", "received",
		    { M(DRILL_DELIVERED), TOCSIN_RUNG_DELIVERED } },
		{ "ack", "erased", { 0, TOCSIN_RUNG_POSTED } },
		{ "ack", "opened", { READ, TOCSIN_RUNG_OPENED } },
		{ "ack", "accepted",
		    { SAYS | M(DRILL_ACCEPTED), TOCSIN_RUNG_ACCEPTED } },
		{ "ack", "refused",
		    { SAYS | M(DRILL_REFUSED), TOCSIN_RUNG_REFUSED } },
		{ "ack", "invalid",
		    { SAYS | M(DRILL_REFUSED), TOCSIN_RUNG_INVALID } },
		{ "ack", "deferred", { SAYS, TOCSIN_RUNG_DEFERRED } },
		{ "ack", "in-progress", { SAYS, TOCSIN_RUNG_IN_PROGRESS } },
		{ "result", NULL,
		    { SAYS | M(DRILL_RESULT), TOCSIN_RUNG_RESULT } },
		{ "escalate", NULL,
		    { READ | M(DRILL_ESCALATED), TOCSIN_RUNG_POSTED } },
		{ "close", NULL,
		    { SAYS | M(DRILL_CLOSED), TOCSIN_RUNG_CLOSED } },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(m->kind, rows[i].kind) == 0 &&
		    (rows[i].answer == NULL ||
			(m->answer != NULL &&
			    strcmp(m->answer, rows[i].answer) == 0)))
			return rows[i].word;
	return (struct drill_word){ READ, TOCSIN_RUNG_POSTED };
}

/* The time that counts is our broker's; what the writer says stands beside. */
static struct drill_step
step_of(const struct drill_message *post, const struct drill_message *m)
{
	struct drill_step s = { .time = m->heard > 0 ? m->heard : m->m.time,
		.said = m->m.time,
		.by = m->m.device,
		.message = m->m.id };

	if (s.time < post->m.time)
		s.time = post->m.time;
	s.clock = s.said - s.time > DRILL_CLOCK_OFF ||
		  s.time - s.said > DRILL_CLOCK_OFF;
	return s;
}

static void
set(struct drill_step *step, const struct drill_step *s)
{
	if (step->time == 0 || s->time < step->time)
		*step = *s;
}

static void
take_word(
    struct fold *f, size_t inject, size_t member, const struct drill_message *m)
{
	struct drill_report *o = f->out;
	struct drill_cell *c = drill_cell(o, inject, member);
	struct drill_step s = step_of(o->inject[inject].m, m);
	unsigned marks = drill_word_of(&m->m).marks;
	size_t i;

	if (marks == 0)
		return;
	if (o->end > 0 && s.time > o->end) {
		c->late++;
		return;
	}
	if (s.time > o->member[member].last && (marks & M(DRILL_OPENED)))
		o->member[member].last = s.time;
	for (i = 0; i < DRILL_MARKS; i++)
		if (marks & M(i))
			set(&c->step[i], &s);
}

/* The order of all has the injects of a ticket before what comes after them. */
static bool
take_words(struct fold *f)
{
	struct drill_report *o = f->out;
	bool *seen = calloc(o->ninject + 1, sizeof(*seen));
	size_t i, k, at;

	if (seen == NULL)
		return false;
	for (i = 0; i < f->n; i++) {
		const struct drill_message *m = f->e[i].m;

		at = find_member(o, m->m.member);
		for (k = 0; k < o->ninject; k++) {
			if (o->inject[k].m == m)
				seen[k] = true;
			else if (seen[k] && at != SIZE_MAX &&
				 strcmp(o->inject[k].m->thread, m->thread) ==
				     0 &&
				 drill_cell(o, k, at)->sent)
				take_word(f, k, at, m);
		}
	}
	free(seen);
	return true;
}

/* ---- sums ---- */

static int
by_length(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct drill_times
times_of(int64_t *took, size_t n)
{
	struct drill_times t = { .n = (unsigned)n };

	if (n == 0)
		return t;
	qsort(took, n, sizeof(*took), by_length);
	t.median =
	    n % 2 == 1 ? took[n / 2] : (took[n / 2 - 1] + took[n / 2]) / 2;
	t.p90 = took[(9 * n + 9) / 10 - 1];
	return t;
}

static void
count_cell(struct drill_sum *sum, const struct drill_inject *i,
    const struct drill_cell *c)
{
	bool clock = c->away.clock;
	size_t k;

	sum->meant += c->meant;
	sum->sent += c->sent;
	sum->late += c->late;
	for (k = 0; k < DRILL_MARKS; k++) {
		sum->mark[k] += c->step[k].time != 0;
		clock |= c->step[k].clock;
	}
	sum->clock += clock;
	if (c->sent && i->asks) {
		sum->asked++;
		sum->answer += c->step[DRILL_ANSWERED].time != 0;
	}
}

/* Which cells a sum is of: those of one inject, member or nation, or all. */
struct which {
	size_t inject, member, nation; /* SIZE_MAX: of all */
};

static bool
is_in(const struct drill_report *o, const struct which *w, size_t i, size_t k)
{
	return (w->inject == SIZE_MAX || w->inject == i) &&
	       (w->member == SIZE_MAX || w->member == k) &&
	       (w->nation == SIZE_MAX || w->nation == o->member[k].nation);
}

static void
sum_up(struct fold *f, struct drill_sum *sum, struct which w)
{
	struct drill_report *o = f->out;
	size_t i, k, n, mark;

	for (i = 0; i < o->ninject; i++)
		for (k = 0; k < o->nmember; k++)
			if (is_in(o, &w, i, k))
				count_cell(
				    sum, &o->inject[i], drill_cell(o, i, k));
	for (mark = 0; mark < DRILL_MARKS; mark++) {
		n = 0;
		for (i = 0; i < o->ninject; i++)
			for (k = 0; k < o->nmember; k++) {
				const struct drill_step *s =
				    &drill_cell(o, i, k)->step[mark];

				if (is_in(o, &w, i, k) && s->time != 0 &&
				    (mark != DRILL_ANSWERED ||
					o->inject[i].asks))
					f->took[n++] =
					    s->time - o->inject[i].m->m.time;
			}
		sum->times[mark] = times_of(f->took, n);
	}
}

static enum drill_state
state_of(const struct drill_sum *s)
{
	if (s->meant == 0)
		return DRILL_UNASKED;
	if (s->sent == 0)
		return DRILL_UNSENT;
	if (s->mark[DRILL_DELIVERED] == 0)
		return DRILL_DEAD;
	if (s->mark[DRILL_OPENED] == 0)
		return DRILL_UNREAD;
	if (s->asked == 0)
		return DRILL_UNASKED;
	if (s->answer == 0)
		return DRILL_SILENT;
	return s->answer < s->asked ? DRILL_PARTLY : DRILL_WELL;
}

static int
by_need(const void *a, const void *b)
{
	const struct drill_nation *x = a, *y = b;
	unsigned ox = x->sum.asked - x->sum.answer,
		 oy = y->sum.asked - y->sum.answer;

	if (x->state != y->state)
		return (int)x->state - (int)y->state;
	if (ox != oy)
		return ox > oy ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Members keep the place of their nation, which moves. */
static void
sort_nations(struct drill_report *o)
{
	size_t i, k;

	if (o->nnation > 0)
		qsort(o->nation, o->nnation, sizeof(*o->nation), by_need);
	for (i = 0; i < o->nmember; i++)
		for (k = 0; k < o->nnation; k++)
			if (strcmp(o->nation[k].name,
				nation_of(o->member[i].member)) == 0)
				o->member[i].nation = k;
}

static void
sum_all(struct fold *f)
{
	const struct which all = { SIZE_MAX, SIZE_MAX, SIZE_MAX };
	struct drill_report *o = f->out;
	struct which w;
	size_t i;

	sum_up(f, &o->sum, all);
	for (i = 0; i < o->ninject; i++) {
		w = all;
		w.inject = i;
		sum_up(f, &o->inject[i].sum, w);
	}
	for (i = 0; i < o->nmember; i++) {
		w = all;
		w.member = i;
		sum_up(f, &o->member[i].sum, w);
		o->member[i].state = state_of(&o->member[i].sum);
	}
	for (i = 0; i < o->nnation; i++) {
		w = all;
		w.nation = i;
		sum_up(f, &o->nation[i].sum, w);
		o->nation[i].state = state_of(&o->nation[i].sum);
	}
	sort_nations(o);
}

/* ---- expectations ---- */

/* By when, on the wall; what has no time has until the end. */
static int64_t
limit_of(const struct drill_report *o, const struct drill_inject *i,
    const struct script_expect *e)
{
	int64_t speed = (int64_t)o->speed;

	if (e->within == 0)
		return o->end > 0 ? o->end : INT64_MAX;
	return i->m->m.time + (e->within + speed - 1) / speed;
}

static enum drill_verdict
judge(const struct fold *f, const struct drill_inject *i,
    const struct script_expect *e, const struct drill_step *s)
{
	int64_t limit;

	if (i->m == NULL)
		return DRILL_OPEN;
	limit = limit_of(f->out, i, e);
	if (s->time != 0)
		return s->time <= limit ? DRILL_MET : DRILL_MISSED;
	return f->now > limit || f->out->over ? DRILL_MISSED : DRILL_OPEN;
}

/* Of each the worst of them counts, of any the best. */
static void
judge_expect(struct fold *f, size_t inject, size_t expect)
{
	struct drill_report *o = f->out;
	const struct drill_inject *i = &o->inject[inject];
	const struct script_expect *e = &i->script->expect[expect];
	struct drill_expected *x = &o->expected[o->nexpected++];
	unsigned n[DRILL_VERDICTS] = { 0 };
	size_t k, at;

	*x = (struct drill_expected){ .inject = inject, .expect = expect };
	for (k = 0; k < e->n; k++) {
		struct drill_judged *j = &o->judged[o->njudged];

		at = find_member(o, f->script->player[e->by[k]].member);
		if (at == SIZE_MAX)
			continue;
		*j = (struct drill_judged){ .inject = inject,
			.expect = expect,
			.member = at,
			.step = &drill_cell(o, inject, at)->step[e->mark] };
		j->verdict = judge(f, i, e, j->step);
		n[j->verdict]++;
		o->njudged++;
	}
	x->met = n[DRILL_MET];
	x->of = n[DRILL_MET] + n[DRILL_MISSED] + n[DRILL_OPEN];
	if (e->any)
		x->verdict = n[DRILL_MET] > 0	 ? DRILL_MET
			     : n[DRILL_OPEN] > 0 ? DRILL_OPEN
						 : DRILL_MISSED;
	else
		x->verdict = n[DRILL_MISSED] > 0 ? DRILL_MISSED
			     : n[DRILL_OPEN] > 0 ? DRILL_OPEN
						 : DRILL_MET;
	o->verdict[x->verdict]++;
}

static bool
judge_all(struct fold *f)
{
	struct drill_report *o = f->out;
	size_t i, k, n = 0, rows = 0;

	for (i = 0; i < o->ninject; i++)
		for (k = 0; o->inject[i].script != NULL &&
			    k < o->inject[i].script->nexpect;
		     k++) {
			rows++;
			n += o->inject[i].script->expect[k].n;
		}
	o->judged = arena_array(&o->arena, n + 1, sizeof(*o->judged));
	o->expected = arena_array(&o->arena, rows + 1, sizeof(*o->expected));
	if (o->judged == NULL || o->expected == NULL)
		return false;
	for (i = 0; i < o->ninject; i++)
		for (k = 0; o->inject[i].script != NULL &&
			    k < o->inject[i].script->nexpect;
		     k++)
			judge_expect(f, i, k);
	return true;
}

/* ---- all ---- */

enum tocsin_err
drill_fold(struct drill_report *out, const struct script *script,
    const char *control, const struct drill_message *m, size_t nm,
    const struct ladder_receipt *r, size_t nr, int64_t now)
{
	struct fold f = { .out = out,
		.script = script,
		.control = control,
		.r = r,
		.nr = nr,
		.now = now };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	*out = (struct drill_report){ .speed = 1 };
	if (!put_in_order(&f, m, nm))
		goto out;
	find_control(&f);
	if (!gather_injects(&f))
		goto out;
	find_span(&f);
	if (!gather_members(&f))
		goto out;
	mark_recipients(&f);
	take_receipts(&f);
	if (!take_words(&f))
		goto out;
	sum_all(&f);
	if (judge_all(&f))
		err = out->ninject > 0 ? TOCSIN_OK : TOCSIN_ENOTFOUND;
out:
	free(f.e);
	free(f.took);
	return err;
}

void
drill_report_release(struct drill_report *r)
{
	arena_release(&r->arena);
	*r = (struct drill_report){ .speed = 1 };
}
