/* SPDX-License-Identifier: ISC */
/*
 * Three desks write to one another at random, and messages come late, in any
 * order or never. After each step the rows of a survey say the same as the
 * status of each ticket. SEED= repeats, STEPS= makes it longer.
 */
#include "client/cli/survey.h"
#include "client/coming.h"
#include "client/intake.h"
#include "crypto/receipt.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESKS 3
#define THREADS 12
#define LATER 64 /* messages on their way */
#define LINES 64

static struct fixture f;
static struct tocsin *desk[DESKS];
static const char *const member[DESKS] = { "singcert@sg", "mycert@my",
	"lacert@la" };
static struct survey survey[DESKS], headers;
static uint64_t cursor;
static char thread[THREADS][TOCSIN_ID_TEXT];
static size_t nthread;
static struct way {
	char id[TOCSIN_ID_TEXT];
	int from, to;
} way[LATER];
static size_t nway;
static uint64_t state;

static unsigned
dice(unsigned n) /* xorshift */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static void
give(struct tocsin *to, uint8_t kind, struct span note, struct span body)
{
	home_give(&to->parts, &f, &cursor, kind, note, body);
}

static bool
has(struct tocsin *t, const char *id, struct desk_message *row,
    struct desk_tx *tx)
{
	uint8_t raw[ID_LEN];
	uint64_t n;

	(void)t;
	return id_parse(span_of(id), raw) &&
	       desk_find(tx, raw, &n) == TOCSIN_OK &&
	       desk_get(tx, n, row) == TOCSIN_OK;
}

static void
deliver(const struct way *w)
{
	struct desk_message row;
	struct desk_tx *tx;

	if (desk_read(desk[w->from]->parts.desk, &tx) != TOCSIN_OK)
		abort();
	if (has(desk[w->from], w->id, &row, tx))
		give(desk[w->to], 1, row.note, row.body);
	desk_end(tx);
}

static bool
is_for(int from, const char *id, int to)
{
	struct ticket *t = malloc(sizeof(*t));
	struct desk_message row;
	struct desk_tx *tx;
	struct note note;
	bool good;

	if (t == NULL || desk_read(desk[from]->parts.desk, &tx) != TOCSIN_OK)
		abort();
	good = has(desk[from], id, &row, tx) &&
	       ticket_parse(t, &note, row.note) == TOCSIN_OK &&
	       ticket_to_find(t, span_of(member[to])) >= 0;
	desk_end(tx);
	free(t);
	return good;
}

/* As brokers do, to those that it names; now and then it is lost. */
static void
send_on(int from, const char *id)
{
	int to;

	for (to = 0; to < DESKS; to++)
		if (to != from && nway < LATER && dice(8) > 0 &&
		    is_for(from, id, to)) {
			way[nway] = (struct way){ .from = from, .to = to };
			memcpy(way[nway++].id, id, TOCSIN_ID_TEXT);
		}
}

static void
arrive(void)
{
	size_t i;

	if (nway == 0)
		return;
	i = dice((unsigned)nway);
	deliver(&way[i]);
	if (dice(4) > 0) /* or it comes twice */
		way[i] = way[--nway];
}

/* One of the others' brokers turns a ticket of Singapore's away. */
static void
turn_away(const char *id)
{
	static struct receipt r;
	struct buf out = { 0 };
	const char *broker = dice(2) ? "my" : "la";
	char name[16];
	uint8_t raw[ID_LEN], sk[64];

	if (!id_parse(span_of(id), raw))
		abort();
	snprintf(name, sizeof(name), "%s/sign", broker);
	fixture_sign_key(sk, name);
	receipt_init(&r, FX_FEDERATION, broker, f.now);
	if (!receipt_refused(&r, raw, TOCSIN_EREVOKED) ||
	    receipt_sign(&out, &r, sk) != TOCSIN_OK)
		abort();
	give(desk[0], 4, buf_span(&out), (struct span){ 0 });
	buf_release(&out);
}

static void
open_ticket(int by)
{
	static const char *const levels[] = { "flash", "immediate", "priority",
		"routine" };
	const char *to[3] = { NULL };
	struct tocsin_draft d = { .kind = dice(2) ? "report" : "request",
		.tlp = dice(2) ? "AMBER" : "CLEAR",
		.to = to,
		.precedence = levels[dice(4)],
		.severity = dice(2) ? "II" : NULL,
		.outlook = dice(2) ? "stable" : NULL,
		.subject = "Beacons",
		.ackby = dice(2) ? f.now + (int64_t)dice(100) : 0 };

	to[0] = member[(by + 1 + (int)dice(2)) % DESKS];
	if (dice(2))
		to[1] = member[(by + 1) % DESKS];
	if (to[1] != NULL && strcmp(to[0], to[1]) == 0)
		to[1] = NULL;
	if (nthread < THREADS &&
	    tocsin_post(desk[by], &d, thread[nthread]) == TOCSIN_OK)
		send_on(by, thread[nthread++]);
}

static void
say(int by, const char *in)
{
	static const char *const kinds[] = { "ack", "ack", "ack", "ack",
		"update", "result", "request", "escalate", "share", "close",
		"reopen", "recall" };
	static const char *const answers[] = { "opened", "opened", "accepted",
		"deferred", "invalid", "in-progress" };
	const char *to[2] = { member[dice(DESKS)], NULL };
	struct tocsin_draft d = { .kind = kinds[dice(12)],
		.thread = in,
		.ackby = dice(3) ? 0 : f.now + (int64_t)dice(100) };
	char id[TOCSIN_ID_TEXT];

	if (strcmp(d.kind, "ack") == 0)
		d.answer = answers[dice(6)];
	if (strcmp(d.kind, "escalate") == 0 || strcmp(d.kind, "share") == 0)
		d.to = to;
	if (strcmp(d.kind, "update") == 0)
		d.outlook = "worsening";
	if (tocsin_post(desk[by], &d, id) == TOCSIN_OK)
		send_on(by, id);
}

/* ---- both as text ---- */

struct lines {
	char line[LINES][1024];
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
put_place(char *line, const char *who, int64_t asked, bool answered,
    int64_t ackby, bool away, bool back)
{
	char text[160];

	snprintf(text, sizeof(text), " %s %lld%s %lld%s%s", who,
	    (long long)asked, answered ? " answered" : "", (long long)ackby,
	    away ? " away" : "", back ? " back" : "");
	strncat(line, text, 1023 - strlen(line));
}

/* Whether it is over is not asked of one that was taken back, even in part. */
static void
put_head(char *line, const char *from, int64_t time, const char *precedence,
    const char *exercise, bool closed, bool escalated, bool back)
{
	snprintf(line, 1024, "%.*s %lld %s %s%s%s:", (int)strcspn(from, "/"),
	    from, (long long)time, precedence,
	    exercise != NULL ? exercise : "live",
	    back     ? ""
	    : closed ? " closed"
		     : " open",
	    escalated ? " escalated" : "");
}

static void
of_survey(struct lines *l, const struct survey *s)
{
	size_t i, k;

	l->n = 0;
	for (i = 0; i < s->n && l->n < LINES; i++) {
		const struct picture_ticket *t = &s->ticket[i];
		bool back = false;

		for (k = 0; k < t->n; k++)
			back |= t->place[k].taken_back;
		put_head(l->line[l->n], t->from, t->opened,
		    ticket_precedence_name(t->precedence), t->exercise,
		    t->closed != 0, t->escalated, back);
		for (k = 0; k < t->n; k++)
			put_place(l->line[l->n], t->place[k].member,
			    t->place[k].asked, t->place[k].answered != 0,
			    t->place[k].ackby, t->place[k].turned_away,
			    t->place[k].taken_back);
		l->n++;
	}
	qsort(l->line, l->n, sizeof(l->line[0]), by_text);
}

static void
put_status(
    char *line, const struct tocsin_message *m, const struct tocsin_status *s)
{
	bool back = false;
	size_t k;

	for (k = 0; k < s->n; k++)
		back |= s->place[k].recalled;
	put_head(line, m->from, m->time, m->precedence, m->exercise, s->closed,
	    s->escalated > 0, back);
	for (k = 0; k < s->n; k++) {
		const struct tocsin_place *p = &s->place[k];
		bool away = p->rung == TOCSIN_RUNG_REFUSED &&
			    strchr(p->by, '/') == NULL;

		put_place(line, p->member, p->asked,
		    p->rung >= TOCSIN_RUNG_ACCEPTED && !away, p->ackby, away,
		    p->recalled);
	}
}

static void
of_status(struct lines *l, struct tocsin *t)
{
	struct tocsin_list *all = NULL;
	struct tocsin_status *s = NULL;
	size_t i;

	l->n = 0;
	if (tocsin_tickets(t, &all) != TOCSIN_OK)
		abort();
	for (i = 0; i < all->n && l->n < LINES; i++) {
		const struct tocsin_message *m = all->message[i];

		if (m->refused != TOCSIN_OK && m->refused != TOCSIN_ERECALLED &&
		    !m->own)
			continue;
		if (tocsin_status_of(t, m, f.now, &s) != TOCSIN_OK)
			abort();
		put_status(l->line[l->n++], m, s);
		tocsin_status_free(s);
	}
	tocsin_list_free(all);
	qsort(l->line, l->n, sizeof(l->line[0]), by_text);
}

/* All the same line for line; from headers but for who has only opened it. */
static bool
same(struct lines *a, struct lines *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->line[i], b->line[i]) != 0)
			break;
	if (i == a->n && i == b->n)
		return true;
	diag("survey: %s", i < a->n ? a->line[i] : "nothing");
	diag("status: %s", i < b->n ? b->line[i] : "nothing");
	return false;
}

static bool
is_subset(const struct survey *inside, const struct survey *outside)
{
	size_t i, k;

	if (inside->n != outside->n)
		return false;
	for (i = 0; i < inside->n; i++) {
		const struct picture_ticket *a = &inside->ticket[i],
					    *b = &outside->ticket[i];

		if (a->n != b->n || (a->closed != 0) != (b->closed != 0) ||
		    a->tlp != b->tlp)
			return false;
		for (k = 0; k < a->n; k++)
			if (a->place[k].answered != 0 &&
			    b->place[k].answered == 0)
				return false;
	}
	return true;
}

static bool
compare(int who)
{
	static struct lines a, b;

	if (survey_take(&survey[who], desk[who]->parts.desk, desk[who],
		f.now) != TOCSIN_OK ||
	    survey_take(&headers, desk[who]->parts.desk, NULL, f.now) !=
		TOCSIN_OK)
		abort();
	of_survey(&a, &survey[who]);
	of_status(&b, desk[who]);
	return same(&a, &b) && is_subset(&survey[who], &headers);
}

static void
step(void)
{
	int by = (int)dice(DESKS);

	f.now += dice(20);
	switch (dice(8)) {
	case 0:
		open_ticket(by);
		break;
	case 1:
	case 2:
	case 3:
		if (nthread > 0)
			say(by, thread[dice((unsigned)nthread)]);
		break;
	case 4:
		if (nthread > 0 && dice(3) == 0)
			turn_away(thread[dice((unsigned)nthread)]);
		break;
	default:
		arrive();
	}
}

static void
test_random(unsigned steps)
{
	unsigned i, bad = 0;
	size_t most = 0;
	int who;

	for (i = 0; i < steps && bad == 0; i++) {
		step();
		who = (int)(i % DESKS);
		bad += !compare(who);
		most = survey[who].n > most ? survey[who].n : most;
	}
	for (who = 0; bad == 0 && who < DESKS; who++)
		bad += !compare(who);
	ok(bad == 0, "after each of %u steps rows and status are one (SEED=%s)",
	    i, getenv("SEED") != NULL ? getenv("SEED") : "1");
	ok(most >= 4, "and there were tickets to compare (%zu)", most);
}

/* ---- what is inside, and what is not yet here ---- */

static void
test_words(void)
{
	char id[TOCSIN_ID_TEXT];
	struct tocsin_draft d = { .kind = "report",
		.to = (const char *const[]){ member[1], NULL },
		.tlp = "GREEN",
		.severity = "III",
		.outlook = "worsening",
		.subject = "x",
		.json = "{\"note\":\"kept\"}" };
	const struct picture_ticket *t = NULL;
	size_t i;

	f.now += 100000;
	if (tocsin_post(desk[0], &d, id) != TOCSIN_OK ||
	    tocsin_post(desk[0],
		&(struct tocsin_draft){ .kind = "update",
		    .thread = id,
		    .tlp = "AMBER",
		    .outlook = "improving" },
		id) != TOCSIN_OK)
		abort();
	if (survey_take(&survey[0], desk[0]->parts.desk, desk[0], f.now) !=
	    TOCSIN_OK)
		abort();
	for (i = 0; i < survey[0].n; i++)
		if (t == NULL || survey[0].ticket[i].opened > t->opened)
			t = &survey[0].ticket[i];
	ok(t != NULL && t->severity != NULL &&
		strcmp(t->severity, "GB/T 20986:III") == 0,
	    "the severity is that of the first who says one");
	ok(t != NULL && t->outlook != NULL &&
		strcmp(t->outlook, "improving") == 0,
	    "the outlook that of the last");
	ok(t != NULL && t->tlp == TICKET_AMBER,
	    "the label the narrowest of the thread");
	ok(survey[0].queued > 0, "what waits in the outbox is counted");
}

static void
test_coming(void)
{
	static const char *const to[] = { "singcert@sg", NULL };
	const struct tocsin_draft d = { .kind = "report",
		.to = to,
		.tlp = "GREEN",
		.subject = "x",
		.ackby = f.now + 1 };
	char id[TOCSIN_ID_TEXT];
	struct coming c = { .seq = 999999 };
	struct desk_message row;
	struct desk_tx *tx, *wtx;
	size_t before;

	if (survey_take(&headers, desk[0]->parts.desk, NULL, f.now) !=
		TOCSIN_OK ||
	    tocsin_post(desk[1], &d, id) != TOCSIN_OK ||
	    desk_read(desk[1]->parts.desk, &tx) != TOCSIN_OK ||
	    !has(desk[1], id, &row, tx))
		abort();
	before = headers.n;
	memcpy(c.id, row.id, ID_LEN);
	memcpy(c.thread, row.thread, ID_LEN);
	c.note = row.note;
	c.posted = c.arrived = f.now;
	if (desk_write(desk[0]->parts.desk, &wtx) != TOCSIN_OK ||
	    coming_put(wtx, &c) != TOCSIN_OK || desk_commit(wtx) != TOCSIN_OK)
		abort();
	desk_end(tx);
	if (survey_take(&headers, desk[0]->parts.desk, NULL, f.now) !=
	    TOCSIN_OK)
		abort();
	is_int((long long)headers.n, (long long)before + 1,
	    "a ticket whose body is still to come is one");
}

int
main(void)
{
	const char *seed = getenv("SEED"), *steps = getenv("STEPS");
	char dir[512], device[64];
	int i;

	state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	state = state * 0x9e3779b97f4a7c15u + 1;
	fixture_init(&f, "sg my la");
	for (i = 0; i < DESKS; i++) {
		snprintf(device, sizeof(device), "%s/desk1", member[i]);
		home_make(dir, &f, device, HOME_NOBODY);
		if (tocsin_open(&desk[i], dir, NULL) != TOCSIN_OK)
			abort();
	}
	test_random(steps != NULL ? (unsigned)strtoul(steps, NULL, 0) : 150);
	test_words();
	test_coming();
	survey_release(&headers);
	for (i = 0; i < DESKS; i++) {
		survey_release(&survey[i]);
		tocsin_close(desk[i]);
	}
	fixture_release(&f);
	return tap_done();
}
