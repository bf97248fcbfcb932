/* SPDX-License-Identifier: ISC */
/* Who has it: tocsin_status(), tocsin_status_of() and tocsin_refresh(). */
#include "client/due.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/ladder.h"
#include "client/memo.h"
#include "client/permit.h"
#include "crypto/receipt.h"

#include <stdlib.h>
#include <string.h>

/* What a message comes after; `ref` aliases `id`. */
struct links {
	uint64_t seq;
	char id[TICKET_REFS_MAX + 1][ID_TEXT + 1];
	const char *ref[TICKET_REFS_MAX + 2];
	const char *recalls[TICKET_REFS_MAX + 1]; /* of a recall */
	char part_id[TICKET_PARTS_MAX][ID_TEXT + 1];
	const char *part[TICKET_PARTS_MAX + 1];
	int epoch;   /* for which of ours it is sealed; -1: for none */
	uint64_t at; /* in the broker's log; 0: not there yet */
	const char *const *labels; /* of its header; or NULL */
};

/* The thread's messages and receipts, as the ladder wants them. */
struct evidence {
	const struct tocsin_message *given; /* the caller's; or NULL */
	int64_t until;			    /* what came later is left out */
	struct tocsin_list list;
	struct incident *incident; /* one per message */
	struct ladder_message *message;
	struct links **links; /* one per message */
	struct ladder_receipt *receipt;
	size_t nreceipt;
	char **strings;
	size_t nstring;
};

struct status {
	struct tocsin_status s;
	struct evidence e; /* what the places' strings belong to */
	struct ladder ladder;
	struct tocsin_deadline *deadline;
	struct tocsin_left *left;
};

static void
links_free(struct links *l)
{
	if (l != NULL)
		free((void *)(uintptr_t)l->labels);
	free(l);
}

/* Message n, opened unless the caller did so. */
static enum tocsin_err
take_message(struct tocsin *t, struct desk_tx *tx, uint64_t n,
    const struct evidence *e, struct tocsin_message **out)
{
	if (e->given == NULL || e->given->number != n)
		return message_of(t, tx, n, out);
	*out = (struct tocsin_message *)(uintptr_t)e->given;
	return TOCSIN_OK;
}

static void
put_back(const struct evidence *e, struct tocsin_message *m)
{
	if (m != e->given)
		tocsin_message_free(m);
}

static void
evidence_release(struct evidence *e)
{
	size_t i;

	for (i = 0; i < e->list.n; i++) {
		if (e->incident != NULL)
			incident_release(&e->incident[i]);
		put_back(e, e->list.message[i]);
		links_free(e->links[i]);
	}
	for (i = 0; i < e->nstring; i++)
		free(e->strings[i]);
	free(e->strings);
	free(e->list.message);
	free(e->incident);
	free(e->message);
	free(e->links);
	free(e->receipt);
}

static const char *
keep(struct evidence *e, struct span s)
{
	char **grown =
	    realloc(e->strings, (e->nstring + 1) * sizeof(*e->strings));
	char *copy;

	if (grown == NULL)
		return NULL;
	e->strings = grown;
	copy = strndup(s.n > 0 ? (const char *)s.p : "", s.n);
	if (copy != NULL)
		e->strings[e->nstring++] = copy;
	return copy;
}

static enum tocsin_rung
rung_of(uint8_t kind)
{
	switch ((enum receipt_kind)kind) {
	case RECEIPT_DELIVERED:
		return TOCSIN_RUNG_DELIVERED;
	case RECEIPT_REFUSED:
		return TOCSIN_RUNG_REFUSED;
	case RECEIPT_STORED:
	case RECEIPT_ERASED: /* it had it */
	case RECEIPT_WITHOUT:
		break;
	}
	return TOCSIN_RUNG_RELAYED;
}

static bool
keep_receipt(struct evidence *e, struct ladder_receipt *r, struct span id)
{
	char text[ID_TEXT + 1];

	if (id.n != ID_LEN)
		return true;
	id_print(text, id.p);
	r->receipt = keep(e, span_of(text));
	return r->receipt != NULL;
}

/* A row that one part was erased names it behind who did so. */
static bool
keep_erased(struct evidence *e, struct ladder_receipt *r, struct span who)
{
	size_t n = 0;

	while (n < who.n && who.p[n] != ' ')
		n++;
	r->erased = true;
	r->who = keep(e, span_cut(who, 0, n));
	if (n < who.n)
		r->part = keep(e, span_cut(who, n + 1, who.n));
	return r->who != NULL && (n == who.n || r->part != NULL);
}

static enum tocsin_err
add_receipts(struct evidence *e, struct desk_tx *tx, const uint8_t id[ID_LEN],
    const char *id_text)
{
	struct desk_place p;
	enum tocsin_err err;
	size_t i;

	for (i = 0; (err = desk_place_get(tx, id, i, &p)) == TOCSIN_OK; i++) {
		struct ladder_receipt *r;

		/* An attachment left out is in the message. */
		if (p.kind == RECEIPT_WITHOUT || p.time > e->until)
			continue;
		r = realloc(
		    e->receipt, (e->nreceipt + 1) * sizeof(*e->receipt));
		if (r == NULL)
			return TOCSIN_EINTERNAL;
		e->receipt = r;
		r += e->nreceipt++;
		*r = (struct ladder_receipt){ .id = id_text,
			.by = keep(e, p.by),
			.reason = p.reason.n > 0 ? keep(e, p.reason) : NULL,
			.time = p.time,
			.rung = rung_of(p.kind) };
		if (p.kind == RECEIPT_ERASED) {
			if (!keep_erased(e, r, p.who))
				return TOCSIN_EINTERNAL;
		} else {
			r->who = keep(e, p.who);
		}
		if (r->who == NULL || r->by == NULL ||
		    !keep_receipt(e, r, p.receipt))
			return TOCSIN_EINTERNAL;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* That a message of somebody else's is here needs no broker's word. */
static enum tocsin_err
add_arrival(struct evidence *e, const struct keystore *k,
    const struct desk_message *row, const struct tocsin_message *m)
{
	size_t n = strlen(k->member);
	struct ladder_receipt *r;

	if (strncmp(m->from, k->member, n) == 0 && m->from[n] == '/')
		return TOCSIN_OK;
	r = realloc(e->receipt, (e->nreceipt + 1) * sizeof(*e->receipt));
	if (r == NULL)
		return TOCSIN_EINTERNAL;
	e->receipt = r;
	r[e->nreceipt++] = (struct ladder_receipt){ .id = m->id,
		.who = k->member,
		.by = k->device,
		.time = row->arrived,
		.rung = TOCSIN_RUNG_DELIVERED };
	return TOCSIN_OK;
}

static enum tocsin_err
describe(struct evidence *e, size_t i)
{
	const struct tocsin_message *m = e->list.message[i];
	struct ladder_message *out = &e->message[i];
	const char *slash = strchr(m->from, '/');

	*out = (struct ladder_message){ .id = m->id,
		.device = m->from,
		.kind = m->kind,
		.time = m->time,
		.ackby = m->ackby,
		.to = m->to,
		.posted = m->received != 0,
		.refused_here = m->own && m->refused != TOCSIN_OK,
		.seq = e->links[i]->seq,
		.ref = e->links[i]->ref,
		.recalls = e->links[i]->recalls,
		.parts = e->links[i]->part };
	out->member =
	    keep(e, span_cut(span_of(m->from), 0,
			slash != NULL ? (size_t)(slash - m->from) : SIZE_MAX));
	if (out->member == NULL)
		return TOCSIN_EINTERNAL;
	if (m->json != NULL &&
	    incident_parse(&e->incident[i], span_of(m->json)) == TOCSIN_OK) {
		out->answer = e->incident[i].answer;
		out->reason = e->incident[i].reason != NULL
				  ? e->incident[i].reason
				  : e->incident[i].resolution;
		out->action = e->incident[i].action;
	}
	if (out->refused_here)
		out->reason = tocsin_err_name(m->refused);
	return TOCSIN_OK;
}

/* They must outlive the row. */
static bool
keep_labels(struct evidence *e, struct links *l, const struct ticket *t)
{
	const char **list;
	size_t i;

	if (t->nlabel == 0)
		return true;
	list = calloc(t->nlabel + 1, sizeof(*list));
	if (list == NULL)
		return false;
	l->labels = list;
	for (i = 0; i < t->nlabel; i++)
		if ((list[i] = keep(e, t->label[i])) == NULL)
			return false;
	return true;
}

/* Where it stands in its device's chain, and what it refers to. */
static enum tocsin_err
read_links(struct evidence *e, struct links **out, const struct keystore *k,
    const struct desk_message *row)
{
	struct ticket *t = malloc(sizeof(*t));
	struct links *l = calloc(1, sizeof(*l));
	struct note note;
	bool good = true;
	size_t i, n = 0;
	int at;

	if (t == NULL || l == NULL) {
		free(t);
		free(l);
		return TOCSIN_EINTERNAL;
	}
	l->epoch = -1;
	l->at = row->seq;
	if (ticket_parse(t, &note, row->note) == TOCSIN_OK) {
		l->seq = t->seq;
		at = ticket_to_find(t, span_of(k->member));
		if (at >= 0)
			l->epoch = memo_epoch(k, t->to[at].epoch);
		for (i = 0; i < t->nref; i++)
			id_print(l->id[n++], t->ref[i]);
		if (t->has_thread)
			id_print(l->id[n++], t->thread);
		for (i = 0; i < t->npart; i++) {
			id_print(l->part_id[i], t->part[i].hash);
			l->part[i] = l->part_id[i];
		}
		good = keep_labels(e, l, t);
	}
	for (i = 0; i < n; i++)
		l->ref[i] = l->id[i];
	for (i = 0; n > 0 && t->kind == TICKET_RECALL && i < t->nref; i++)
		l->recalls[i] = l->id[i];
	free(t);
	if (!good) {
		links_free(l);
		return TOCSIN_EINTERNAL;
	}
	*out = l;
	return TOCSIN_OK;
}

static bool
grow(struct evidence *e)
{
	void *message = realloc(
	    e->list.message, (e->list.n + 1) * sizeof(*e->list.message));
	void *links;

	if (message == NULL)
		return false;
	e->list.message = message;
	links = realloc(e->links, (e->list.n + 1) * sizeof(*e->links));
	if (links == NULL)
		return false;
	e->links = links;
	return true;
}

/* What was refused proves nothing, unless it is our own or was good before. */
static bool
counts(const struct tocsin_message *m)
{
	return m->refused == TOCSIN_OK || m->refused == TOCSIN_ERECALLED ||
	       m->own;
}

static enum tocsin_err
add_message(
    struct tocsin *t, struct desk_tx *tx, uint64_t n, struct evidence *e)
{
	struct tocsin_message *m = NULL;
	struct desk_message row;
	enum tocsin_err err;

	if (!grow(e))
		return TOCSIN_EINTERNAL;
	err = take_message(t, tx, n, e, &m);
	if (err != TOCSIN_OK || !counts(m)) {
		put_back(e, m);
		return err;
	}
	err = desk_get(tx, n, &row);
	if (err == TOCSIN_OK)
		err = read_links(e, &e->links[e->list.n], t->parts.keys, &row);
	if (err != TOCSIN_OK) {
		put_back(e, m);
		return err;
	}
	e->list.message[e->list.n++] = m;
	err = add_receipts(e, tx, row.id, m->id);
	return err == TOCSIN_OK ? add_arrival(e, t->parts.keys, &row, m) : err;
}

int64_t
status_known(const struct desk_message *row)
{
	return row->posted != 0 ? row->posted : row->arrived;
}

/* What is damaged counts as known: add_message() says so. */
static bool
is_known(struct desk_tx *tx, uint64_t n, int64_t until)
{
	struct desk_message row;

	return until == INT64_MAX || desk_get(tx, n, &row) != TOCSIN_OK ||
	       status_known(&row) <= until;
}

static enum tocsin_err
collect(struct tocsin *t, struct desk_tx *tx, const uint8_t thread[ID_LEN],
    struct evidence *e)
{
	enum tocsin_err err = TOCSIN_OK;
	uint64_t n = 0;
	size_t i;

	while ((err = desk_thread_next(tx, thread, n, &n)) == TOCSIN_OK) {
		if (!is_known(tx, n, e->until))
			continue;
		err = add_message(t, tx, n, e);
		if (err != TOCSIN_OK) /* listed, and not there: damaged */
			return err == TOCSIN_ENOTFOUND ? TOCSIN_EBODYMISMATCH
						       : err;
	}
	if (err != TOCSIN_ENOTFOUND)
		return err;
	err = TOCSIN_OK;
	e->incident = calloc(e->list.n + 1, sizeof(*e->incident));
	e->message = calloc(e->list.n + 1, sizeof(*e->message));
	if (e->incident == NULL || e->message == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; err == TOCSIN_OK && i < e->list.n; i++)
		err = describe(e, i);
	return err;
}

static enum tocsin_err
find_thread(struct tocsin *t, struct desk_tx *tx, const char *typed,
    uint8_t thread[ID_LEN])
{
	struct desk_message row;
	uint64_t n;
	enum tocsin_err err = find_message(t, tx, typed, &n);

	if (err != TOCSIN_OK)
		return err;
	err = desk_get(tx, n, &row);
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	memcpy(thread, row.thread, ID_LEN);
	return TOCSIN_OK;
}

void
tocsin_status_free(struct tocsin_status *s)
{
	struct status *own = (struct status *)(void *)s;

	if (s == NULL)
		return;
	ladder_release(&own->ladder);
	free(own->deadline);
	free(own->left);
	evidence_release(&own->e);
	free(own);
}

/*
 * An answer is expected by the time of what opened the thread, or else of the
 * oldest that is here; later ones don't move it.
 */
static int64_t
deadline(const struct evidence *e, const char *thread)
{
	const struct tocsin_message *first = NULL;
	size_t i;

	for (i = 0; i < e->list.n; i++) {
		const struct tocsin_message *m = e->list.message[i];

		if (strcmp(m->id, thread) == 0)
			return m->ackby;
		if (first == NULL || m->time < first->time)
			first = m;
	}
	return first != NULL ? first->ackby : 0;
}

/* The message that opened it, or the oldest that is here. */
static size_t
first_of(const struct evidence *e, const char *thread)
{
	const struct tocsin_message *m = e->list.message[0];
	size_t i, first = 0;

	for (i = 0; i < e->list.n; i++)
		if (strcmp(e->list.message[i]->id, thread) == 0 ||
		    (strcmp(m->id, thread) != 0 &&
			e->list.message[i]->time < m->time)) {
			m = e->list.message[i];
			first = i;
		}
	return first;
}

static void
describe_ticket(const struct evidence *e, size_t first,
    const struct desk_message *row, struct due_ticket *out)
{
	const struct tocsin_message *m = e->list.message[first];

	*out = (struct due_ticket){ .precedence = m->precedence,
		.severity = e->incident[first].severity };
	out->start[DUE_OCCURRED] = e->incident[first].occurred;
	out->start[DUE_DETECTED] = e->incident[first].detected;
	out->start[DUE_REPORTED] = e->incident[first].reported;
	out->start[DUE_OPENED] = m->time;
	out->start[DUE_RECEIVED] = row->arrived;
}

/* What our own member said of clocks; another's word starts none of ours. */
static size_t
gather_marks(const struct evidence *e, const char *member, struct due_mark *out)
{
	size_t i, n = 0;

	for (i = 0; i < e->list.n; i++) {
		const struct incident *in = &e->incident[i];

		if (strcmp(e->message[i].member, member) == 0 &&
		    (in->clock_start || in->clock_stop || in->clock_done))
			out[n++] = (struct due_mark){ .id = e->message[i].id,
				.said = e->message[i].time,
				.start = in->clock_start,
				.stop = in->clock_stop,
				.done = in->clock_done,
				.at = in->clock_at };
	}
	return n;
}

static enum tocsin_err
fold_deadlines(struct tocsin *t, struct desk_tx *tx, struct status *s,
    const uint8_t thread[ID_LEN])
{
	struct due_mark *mark = calloc(s->e.list.n + 1, sizeof(*mark));
	struct desk_message row = { 0 };
	struct due_ticket ticket;
	enum tocsin_err err = TOCSIN_OK;
	size_t first;
	uint64_t n;

	if (mark == NULL)
		return TOCSIN_EINTERNAL;
	if (desk_thread_next(tx, thread, 0, &n) == TOCSIN_OK &&
	    desk_get(tx, n, &row) != TOCSIN_OK)
		row.arrived = 0;
	if (s->e.list.n > 0) {
		first = first_of(&s->e, s->s.id);
		s->s.pap = s->e.incident[first].pap;
		describe_ticket(&s->e, first, &row, &ticket);
		n = gather_marks(&s->e, t->parts.keys->member, mark);
		err = due_fold(&s->deadline, &s->s.ndeadline, &t->clocks,
		    &ticket, mark, n);
	}
	s->s.deadline = s->deadline;
	free(mark);
	return err;
}

static enum tocsin_err
fold(struct status *s, int64_t now)
{
	struct ladder *l = &s->ladder;
	enum tocsin_err err = ladder_fold(
	    l, s->e.message, s->e.list.n, s->e.receipt, s->e.nreceipt, now);

	s->s.ackby = deadline(&s->e, s->s.id);
	s->s.closed = l->closed;
	s->s.escalated = l->escalated;
	s->s.n = l->n;
	s->s.place = l->place;
	s->s.nholder = l->nholder;
	s->s.holder = l->holder;
	if (l->turn != NULL) {
		s->s.turned_by = l->turn->device;
		s->s.turned = l->turn->time;
		s->s.turned_in = l->turn->id;
		s->s.resolution = l->closed ? l->turn->reason : NULL;
	}
	return err;
}

/* Of all messages; they keep the strings. */
static enum tocsin_err
gather_left(struct status *s)
{
	const struct tocsin_message *m;
	size_t i, k, j, n = 0;

	for (i = 0; i < s->e.list.n; i++)
		for (k = 0; k < s->e.list.message[i]->nparts; k++)
			n += s->e.list.message[i]->parts[k].nleft;
	s->left = calloc(n + 1, sizeof(*s->left));
	if (s->left == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < s->e.list.n; i++)
		for (m = s->e.list.message[i], k = 0; k < m->nparts; k++)
			for (j = 0; j < m->parts[k].nleft; j++)
				s->left[s->s.nleft++] = m->parts[k].left[j];
	s->s.left = s->left;
	return TOCSIN_OK;
}

static enum tocsin_err
fold_within(struct tocsin *t, struct desk_tx *tx, const uint8_t thread[ID_LEN],
    const struct tocsin_message *given, int64_t until, int64_t now,
    struct tocsin_status **out)
{
	struct status *s = calloc(1, sizeof(*s));
	enum tocsin_err err;

	if (s == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	s->e.given = given;
	s->e.until = until;
	id_print(s->s.id, thread);
	err = collect(t, tx, thread, &s->e);
	if (err == TOCSIN_OK)
		err = fold(s, now);
	if (err == TOCSIN_OK)
		err = fold_deadlines(t, tx, s, thread);
	if (err == TOCSIN_OK)
		err = gather_left(s);
	if (err != TOCSIN_OK) {
		fail(err, "%s: %s", s->s.id, tocsin_err_text(err));
		tocsin_status_free(&s->s);
	} else {
		*out = &s->s;
	}
	return err;
}

enum tocsin_err
status_fold(struct tocsin *t, struct desk_tx *tx, const uint8_t thread[ID_LEN],
    const struct tocsin_message *given, int64_t now, struct tocsin_status **out)
{
	return fold_within(t, tx, thread, given, INT64_MAX, now, out);
}

enum tocsin_err
status_fold_until(struct tocsin *t, struct desk_tx *tx,
    const uint8_t thread[ID_LEN], const struct tocsin_message *given,
    int64_t until, struct tocsin_status **out)
{
	return fold_within(t, tx, thread, given, until, 0, out);
}

bool
status_behind(const struct tocsin_status *s, size_t i, struct behind *out)
{
	const struct evidence *e = &((const struct status *)(const void *)s)->e;

	if (i >= e->list.n)
		return false;
	*out = (struct behind){ .m = e->list.message[i],
		.in = &e->incident[i],
		.ladder = &e->message[i],
		.epoch = e->links[i]->epoch,
		.at = e->links[i]->at,
		.labels = e->links[i]->labels };
	return true;
}

static enum tocsin_err
status_of(struct tocsin *t, const char *id, const struct tocsin_message *given,
    int64_t now, struct tocsin_status **out)
{
	struct desk_tx *tx = NULL;
	uint8_t thread[ID_LEN];
	enum tocsin_err err = begin_read(t, &tx);

	if (err == TOCSIN_OK)
		err = find_thread(t, tx, id, thread);
	if (err == TOCSIN_OK)
		err = status_fold(t, tx, thread, given, now, out);
	desk_end(tx);
	return err;
}

enum tocsin_err
tocsin_status(
    struct tocsin *t, const char *id, int64_t now, struct tocsin_status **out)
{
	return status_of(t, id, NULL, now, out);
}

enum tocsin_err
tocsin_status_of(struct tocsin *t, const struct tocsin_message *m, int64_t now,
    struct tocsin_status **out)
{
	return status_of(t, m->id, m, now, out);
}

enum tocsin_err
tocsin_refresh(struct tocsin *t, struct tocsin_message *m, int64_t now,
    struct tocsin_status **out)
{
	struct desk_tx *tx = NULL;
	uint8_t thread[ID_LEN];
	bool touched;
	enum tocsin_err err = begin_read(t, &tx);

	if (err == TOCSIN_OK)
		err = find_thread(t, tx, m->id, thread);
	if (err == TOCSIN_OK)
		err = status_fold(t, tx, thread, m, now, out);
	if (err == TOCSIN_OK) {
		err = permits_touch(t, tx, *out, m, &touched);
		if (err != TOCSIN_OK) {
			fail(err, "%s: %s", m->id, tocsin_err_text(err));
			tocsin_status_free(*out);
			*out = NULL;
		}
	}
	desk_end(tx);
	return err;
}

const char *
tocsin_rung_name(enum tocsin_rung rung)
{
	static const char *const names[] = { "queued", "posted", "relayed",
		"delivered", "opened", "accepted", "deferred", "refused",
		"invalid", "in-progress", "result", "closed" };

	return (unsigned)rung <= TOCSIN_RUNG_CLOSED ? names[rung] : "unknown";
}
