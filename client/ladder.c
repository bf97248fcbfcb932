/* SPDX-License-Identifier: ISC */
#include "client/ladder.h"

#include "client/order.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	const struct ladder_message *m;
	struct moment at;
	bool repeats; /* its member did so before, under the same action */
};

struct place {
	struct tocsin_place p;
	const struct ladder_message *base; /* the first that asked it */
	bool answered;
	struct tocsin_step floor; /* where it stood before it answered */
	struct tocsin_step *step;
	size_t nstep;
};

/* Each message once, in order; each receipt once. */
struct fold {
	struct entry *e;
	size_t n;
	struct ladder_receipt *r;
	size_t nr;
	struct place *place;
	size_t np;
	struct tocsin_holder *holder;
	size_t nholder;
	bool short_of_memory;
};

/* ---- sets in order ---- */

static int
by_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (order_after(x->m, &x->at, y->m, &y->at))
		return 1;
	return order_after(y->m, &y->at, x->m, &x->at) ? -1 : 0;
}

/* Two bots of a team, or one that was killed, do a thing once (8.12). */
static bool
was_done(const struct fold *f, const struct ladder_message *m)
{
	size_t i;

	for (i = 0; m->action != NULL && i < f->n; i++) {
		const struct ladder_message *b = f->e[i].m;

		if (b->action != NULL && strcmp(b->action, m->action) == 0 &&
		    strcmp(b->kind, m->kind) == 0 &&
		    strcmp(b->member, m->member) == 0)
			return true;
	}
	return false;
}

static bool
take_messages(struct fold *f, const struct ladder_message *m, size_t n)
{
	struct moment *moment = NULL;
	size_t i;

	f->e = calloc(n + 1, sizeof(*f->e));
	if (f->e == NULL || order_moments(&moment, m, n) != TOCSIN_OK)
		return false;
	for (i = 0; i < n; i++)
		f->e[i] = (struct entry){ &m[i], moment[i], false };
	free(moment);
	qsort(f->e, n, sizeof(*f->e), by_order);
	for (i = 0; i < n; i++)
		if (f->n == 0 || strcmp(f->e[f->n - 1].m->id, f->e[i].m->id)) {
			f->e[f->n] = f->e[i];
			f->e[f->n].repeats = was_done(f, f->e[i].m);
			f->n++;
		}
	return true;
}

static int
compare(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int
by_content(const void *a, const void *b)
{
	const struct ladder_receipt *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	if (c == 0)
		c = strcmp(x->who, y->who);
	if (c == 0)
		c = (int)x->rung - (int)y->rung;
	if (c == 0)
		c = (int)x->erased - (int)y->erased;
	if (c == 0)
		c = (x->time > y->time) - (x->time < y->time);
	if (c == 0)
		c = compare(x->by, y->by);
	if (c == 0)
		c = compare(x->reason, y->reason);
	if (c == 0)
		c = compare(x->part, y->part);
	return c != 0 ? c : compare(x->receipt, y->receipt);
}

static bool
take_receipts(struct fold *f, const struct ladder_receipt *r, size_t n)
{
	size_t i;

	f->r = calloc(n + 1, sizeof(*f->r));
	if (f->r == NULL)
		return false;
	for (i = 0; i < n; i++)
		f->r[i] = r[i];
	qsort(f->r, n, sizeof(*f->r), by_content);
	for (i = 0; i < n; i++)
		if (f->nr == 0 || by_content(&f->r[f->nr - 1], &f->r[i]) != 0)
			f->r[f->nr++] = f->r[i];
	return true;
}

/* ---- words ---- */

/* Words of an ack; "opened" yields to all others. */
static bool
answer_rung(const char *answer, enum tocsin_rung *out)
{
	static const struct {
		const char *word;
		enum tocsin_rung rung;
	} words[] = {
		{ "opened", TOCSIN_RUNG_OPENED },
		{ "accepted", TOCSIN_RUNG_ACCEPTED },
		{ "deferred", TOCSIN_RUNG_DEFERRED },
		{ "refused", TOCSIN_RUNG_REFUSED },
		{ "invalid", TOCSIN_RUNG_INVALID },
		{ "in-progress", TOCSIN_RUNG_IN_PROGRESS },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (answer != NULL && strcmp(words[i].word, answer) == 0) {
			*out = words[i].rung;
			return true;
		}
	return false;
}

static bool
is(const struct ladder_message *m, const char *kind)
{
	return strcmp(m->kind, kind) == 0;
}

/* Where a message puts its own member: who takes it up again is at work. */
static bool
rung_of(const struct ladder_message *m, enum tocsin_rung *out)
{
	static const struct {
		const char *kind;
		enum tocsin_rung rung;
	} kinds[] = {
		{ "result", TOCSIN_RUNG_RESULT },
		{ "close", TOCSIN_RUNG_CLOSED },
		{ "reopen", TOCSIN_RUNG_IN_PROGRESS },
	};
	size_t i;

	if (is(m, "ack"))
		return answer_rung(m->answer, out);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(m, kinds[i].kind)) {
			*out = kinds[i].rung;
			return true;
		}
	return false;
}

/* An update or a result tells; it does not ask for an answer. */
static bool
asks(const struct ladder_message *m)
{
	static const char *const kinds[] = { "report", "request", "query",
		"escalate", "share" };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(m, kinds[i]))
			return true;
	return false;
}

/* Who asked may say that it is over, or not yet; who was asked, for himself. */
static bool
asked(const struct fold *f, const char *member)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (asks(f->e[i].m) && strcmp(f->e[i].m->member, member) == 0)
			return true;
	return false;
}

static bool
is_to(const struct ladder_message *m, const char *member)
{
	size_t i;

	for (i = 0; m->to[i] != NULL; i++)
		if (strcmp(m->to[i], member) == 0)
			return true;
	return false;
}

static bool
has_word(const char *const *list, const char *word)
{
	size_t i;

	for (i = 0; list != NULL && list[i] != NULL; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

/* ---- recalls ---- */

/* A recall takes back what its own member said: all of it, or parts. */
static bool
touches(const struct ladder_message *recall, const struct ladder_message *m)
{
	return is(recall, "recall") && !is(m, "recall") &&
	       strcmp(recall->member, m->member) == 0 &&
	       has_word(recall->recalls, m->id);
}

static bool
takes_part(const struct ladder_message *recall, const char *part)
{
	return has_word(recall->recalls, part);
}

static bool
is_of_parts(const struct ladder_message *recall, const struct ladder_message *m)
{
	size_t i;

	for (i = 0; m->parts != NULL && m->parts[i] != NULL; i++)
		if (takes_part(recall, m->parts[i]))
			return true;
	return false;
}

bool
ladder_recalls(
    const struct ladder_message *recall, const struct ladder_message *m)
{
	return touches(recall, m) && !is_of_parts(recall, m);
}

static bool
is_recalled(const struct fold *f, const struct ladder_message *m)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (ladder_recalls(f->e[i].m, m))
			return true;
	return false;
}

static struct tocsin_holder *
holder_of(struct fold *f, const struct ladder_message *recall,
    const char *message, const char *who, int64_t since)
{
	struct tocsin_holder *grown;
	size_t i;

	for (i = 0; i < f->nholder; i++)
		if (f->holder[i].recall == recall->id &&
		    strcmp(f->holder[i].message, message) == 0 &&
		    strcmp(f->holder[i].who, who) == 0)
			return &f->holder[i];
	grown = realloc(f->holder, (f->nholder + 1) * sizeof(*grown));
	if (grown == NULL) {
		f->short_of_memory = true;
		return NULL;
	}
	f->holder = grown;
	grown += f->nholder++;
	*grown = (struct tocsin_holder){ .recall = recall->id,
		.message = message,
		.who = who,
		.since = since };
	return grown;
}

static void
tell_erased(struct tocsin_holder *h, int64_t time, const char *by,
    const char *message, const char *receipt)
{
	if (h == NULL || (h->erased != 0 && h->erased <= time))
		return;
	h->erased = time;
	h->by = by;
	h->proof = message;
	h->receipt = receipt;
}

/* The first word of `who` that it erased that part, or all of the message. */
static const struct ladder_receipt *
erased_by(const struct fold *f, const struct ladder_message *m, const char *who,
    const char *part)
{
	const struct ladder_receipt *found = NULL, *r;
	size_t i;

	for (i = 0; i < f->nr; i++) {
		r = &f->r[i];
		if (r->erased && strcmp(r->id, m->id) == 0 &&
		    strcmp(r->who, who) == 0 &&
		    (r->part == NULL || compare(r->part, part) == 0) &&
		    (found == NULL || r->time < found->time))
			found = r;
	}
	return found;
}

/* The last of those that are needed; NULL: one is missing. */
static const struct ladder_receipt *
all_erased_by(const struct fold *f, const struct ladder_message *recall,
    const struct ladder_message *m, const char *who)
{
	const struct ladder_receipt *last = NULL, *r;
	size_t i;

	if (ladder_recalls(recall, m))
		return erased_by(f, m, who, NULL);
	for (i = 0; m->parts[i] != NULL; i++) {
		if (!takes_part(recall, m->parts[i]))
			continue;
		r = erased_by(f, m, who, m->parts[i]);
		if (r == NULL)
			return NULL;
		if (last == NULL || r->time > last->time)
			last = r;
	}
	return last;
}

/* Who had it, by the words of brokers, and which of them has it no more. */
static void
trace_receipts(struct fold *f, const struct ladder_message *recall,
    const struct ladder_message *m)
{
	const struct ladder_receipt *r, *gone;
	struct tocsin_holder *h;
	size_t i;

	for (i = 0; i < f->nr; i++) {
		r = &f->r[i];
		if (strcmp(r->id, m->id) != 0 ||
		    (r->rung == TOCSIN_RUNG_REFUSED && !r->erased))
			continue;
		gone = r->erased ? all_erased_by(f, recall, m, r->who) : NULL;
		h = holder_of(f, recall, m->id, r->who, r->time);
		if (h != NULL && r->time < h->since)
			h->since = r->time;
		if (gone != NULL)
			tell_erased(
			    h, gone->time, gone->by, NULL, gone->receipt);
	}
}

/* Who is known to have had it, and what it said since. */
static void
trace(struct fold *f, const struct ladder_message *recall,
    const struct ladder_message *m)
{
	const struct ladder_message *word;
	size_t i;

	trace_receipts(f, recall, m);
	for (i = 0; i < f->n; i++) {
		word = f->e[i].m;
		if (is(word, "ack") && compare(word->answer, "erased") == 0 &&
		    has_word(word->ref, recall->id))
			tell_erased(holder_of(f, recall, m->id, word->device,
					word->time),
			    word->time, word->device, word->id, NULL);
	}
}

static int
by_holder(const void *a, const void *b)
{
	const struct tocsin_holder *x = a, *y = b;
	int c = strcmp(x->recall, y->recall);

	if (c == 0)
		c = strcmp(x->message, y->message);
	return c != 0 ? c : strcmp(x->who, y->who);
}

static void
find_holders(struct fold *f)
{
	size_t i, k;

	for (k = 0; k < f->n; k++)
		for (i = 0; is(f->e[k].m, "recall") && i < f->n; i++)
			if (touches(f->e[k].m, f->e[i].m))
				trace(f, f->e[k].m, f->e[i].m);
	if (f->nholder > 0)
		qsort(f->holder, f->nholder, sizeof(*f->holder), by_holder);
}

/* ---- places ---- */

static struct place *
find_place(struct fold *f, const char *member)
{
	size_t i;

	for (i = 0; i < f->np; i++)
		if (strcmp(f->place[i].p.member, member) == 0)
			return &f->place[i];
	return NULL;
}

/* Every member that something was addressed to, with its first such message. */
static void
gather(struct fold *f)
{
	size_t i, j;

	for (i = 0; i < f->n; i++) {
		const struct ladder_message *m = f->e[i].m;

		for (j = 0; asks(m) && m->to[j] != NULL; j++)
			if (strcmp(m->to[j], m->member) != 0 &&
			    find_place(f, m->to[j]) == NULL)
				f->place[f->np++] =
				    (struct place){ .p.member = m->to[j],
					    .base = m };
	}
}

static void
stand(struct place *p, const struct tocsin_step *s)
{
	p->p.rung = s->rung;
	p->p.since = s->time;
	p->p.by = s->by;
	p->p.reason = s->reason;
}

static void
keep(struct fold *f, struct place *p, const struct tocsin_step *s)
{
	struct tocsin_step *grown =
	    realloc(p->step, (p->nstep + 1) * sizeof(*grown));

	if (grown == NULL) {
		f->short_of_memory = true;
		return;
	}
	p->step = grown;
	grown[p->nstep++] = *s;
}

static void
sent(struct fold *f, struct place *p)
{
	const struct ladder_message *m = p->base;
	const struct tocsin_step s = { .rung = m->posted ? TOCSIN_RUNG_POSTED
							 : TOCSIN_RUNG_QUEUED,
		.time = m->time,
		.by = m->device,
		.message = m->id };
	const struct tocsin_step no = { .rung = TOCSIN_RUNG_REFUSED,
		.time = m->time,
		.by = "broker",
		.reason = m->reason,
		.message = m->id };

	p->floor = m->refused_here ? no : s;
	p->p.asked = p->p.first_asked = m->time;
	p->p.ackby = m->ackby;
	p->p.message = m->id;
	keep(f, p, &p->floor);
}

/* A broker that stored or refused speaks for all members of its nation. */
static bool
concerns(const struct ladder_receipt *r, const struct place *p)
{
	const char *member = p->p.member, *nation = strchr(member, '@');
	size_t n = strcspn(r->who, "/");

	if (r->erased || strcmp(r->id, p->base->id) != 0)
		return false;
	return (strlen(member) == n && strncmp(r->who, member, n) == 0) ||
	       (nation != NULL && strcmp(r->who, nation + 1) == 0);
}

static void
attested(struct fold *f, struct place *p)
{
	size_t i;

	for (i = 0; i < f->nr; i++) {
		const struct ladder_receipt *r = &f->r[i];
		const struct tocsin_step s = { .rung = r->rung,
			.time = r->time,
			.by = r->by,
			.reason = r->reason,
			.receipt = r->receipt };

		if (!concerns(r, p))
			continue;
		keep(f, p, &s);
		if (r->rung > p->floor.rung ||
		    (r->rung == p->floor.rung && r->time < p->floor.time))
			p->floor = s;
	}
	stand(p, &p->floor);
}

/* The newest answer counts, but one that it was opened never undoes another. */
static void
answered(struct fold *f, struct place *p, const struct ladder_message *m,
    enum tocsin_rung rung)
{
	const struct tocsin_step s = { .rung = rung,
		.time = m->time,
		.by = m->device,
		.reason = m->reason,
		.message = m->id };

	keep(f, p, &s);
	if (rung != TOCSIN_RUNG_OPENED) {
		p->answered = true;
		stand(p, &s);
	} else if (p->floor.rung != TOCSIN_RUNG_OPENED) {
		p->floor = s;
		if (!p->answered)
			stand(p, &s);
	}
}

static bool
is_received(const struct ladder_message *m)
{
	return is(m, "ack") && compare(m->answer, "received") == 0;
}

/* A program has it: as much as a broker's word that a device does, and no more.
 */
static void
received(struct fold *f, struct place *p, const struct ladder_message *m)
{
	const struct tocsin_step s = { .rung = TOCSIN_RUNG_DELIVERED,
		.time = m->time,
		.by = m->device,
		.message = m->id };

	keep(f, p, &s);
	if (p->floor.rung >= TOCSIN_RUNG_DELIVERED)
		return;
	p->floor = s;
	if (!p->answered)
		stand(p, &s);
}

/* What it said before is no answer to that. */
static void
asked_again(struct place *p, const struct ladder_message *m)
{
	p->answered = false;
	p->p.asked = m->time;
	p->p.ackby = m->ackby;
	p->p.message = m->id;
	stand(p, &p->floor);
}

/* Who owes an answer already owes it by the earlier of two deadlines. */
static void
asked_more(struct place *p, const struct ladder_message *m)
{
	int64_t owed = p->answered ? 0 : p->p.ackby;

	if (p->answered || p->p.heard >= p->p.asked)
		asked_again(p, m);
	p->p.ackby =
	    owed > 0 && (m->ackby == 0 || owed < m->ackby) ? owed : m->ackby;
}

static void
climb(struct fold *f, struct place *p)
{
	enum tocsin_rung rung;
	size_t i;

	sent(f, p);
	attested(f, p);
	for (i = 0; i < f->n; i++) {
		const struct ladder_message *m = f->e[i].m;
		bool own = strcmp(m->member, p->p.member) == 0;

		if (own && compare(m->answer, "erased") != 0 && !is_received(m))
			p->p.heard = m->time;
		if (own && is_received(m))
			received(f, p, m);
		else if (own && rung_of(m, &rung))
			answered(f, p, m, rung);
		else if (!own && is(m, "reopen") && is_to(m, p->p.member) &&
			 asked(f, m->member))
			asked_again(p, m);
		else if (!own && m != p->base && is_to(m, p->p.member) &&
			 !f->e[i].repeats &&
			 (is(m, "request") || is(m, "query")))
			asked_more(p, m);
	}
	p->p.recalled = is_recalled(f, p->base);
}

/* ---- all ---- */

static void
judge(struct fold *f, struct ladder *out, int64_t now)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct ladder_message *m = f->e[i].m;

		out->escalated += is(m, "escalate") && !f->e[i].repeats;
		if ((is(m, "close") || is(m, "reopen")) &&
		    asked(f, m->member)) {
			out->turn = m;
			out->closed = is(m, "close");
		}
	}
	for (i = 0; i < f->np; i++) {
		struct tocsin_place *p = &f->place[i].p;

		p->overdue = !out->closed && !p->recalled && p->ackby > 0 &&
			     now > p->ackby && p->rung <= TOCSIN_RUNG_OPENED;
	}
}

static int
by_nation(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = compare(strchr(x->p.member, '@'), strchr(y->p.member, '@'));

	return c != 0 ? c : strcmp(x->p.member, y->p.member);
}

static size_t
count_recipients(const struct ladder_message *m, size_t n)
{
	size_t count = 0, i, j;

	for (i = 0; i < n; i++)
		for (j = 0; m[i].to[j] != NULL; j++)
			count++;
	return count;
}

/* The steps go along with their places. */
static bool
hand_over(struct fold *f, struct ladder *out)
{
	size_t i;

	out->place = calloc(f->np + 1, sizeof(*out->place));
	if (out->place == NULL)
		return false;
	qsort(f->place, f->np, sizeof(*f->place), by_nation);
	for (i = 0; i < f->np; i++) {
		out->place[i] = f->place[i].p;
		out->place[i].step = f->place[i].step;
		out->place[i].nstep = f->place[i].nstep;
		f->place[i].step = NULL;
	}
	out->n = f->np;
	out->holder = f->holder;
	out->nholder = f->nholder;
	f->holder = NULL;
	return true;
}

enum tocsin_err
ladder_fold(struct ladder *out, const struct ladder_message *m, size_t nm,
    const struct ladder_receipt *r, size_t nr, int64_t now)
{
	enum tocsin_err err = TOCSIN_EINTERNAL;
	struct fold f = { 0 };
	size_t i;

	*out = (struct ladder){ 0 };
	f.place = calloc(count_recipients(m, nm) + 1, sizeof(*f.place));
	if (f.place == NULL || !take_messages(&f, m, nm) ||
	    !take_receipts(&f, r, nr))
		goto out;
	gather(&f);
	for (i = 0; i < f.np; i++)
		climb(&f, &f.place[i]);
	find_holders(&f);
	judge(&f, out, now);
	if (!f.short_of_memory && hand_over(&f, out))
		err = TOCSIN_OK;
out:
	for (i = 0; i < f.np; i++)
		free(f.place[i].step);
	free(f.place);
	free(f.holder);
	free(f.e);
	free(f.r);
	return err;
}

void
ladder_release(struct ladder *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->place[i].step);
	free(l->place);
	free(l->holder);
	*l = (struct ladder){ 0 };
}
