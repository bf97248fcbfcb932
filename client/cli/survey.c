/* SPDX-License-Identifier: ISC */
#include "client/cli/survey.h"

#include "client/coming.h"
#include "client/incident.h"
#include "client/order.h"
#include "client/vocab.h"
#include "crypto/receipt.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory that goes all at once ---- */

#define BLOCK 65536

struct survey_block {
	struct survey_block *next;
	size_t used, size;
	max_align_t bytes[];
};

static void *
take(struct survey *s, size_t n)
{
	struct survey_block *b = s->block;
	size_t size = n > BLOCK ? n : BLOCK;

	n += -n % sizeof(max_align_t);
	if (b == NULL || n > b->size - b->used) {
		b = calloc(1, sizeof(*b) + size + sizeof(max_align_t));
		if (b == NULL)
			return NULL;
		b->size = size + sizeof(max_align_t);
		b->next = s->block;
		s->block = b;
	}
	b->used += n;
	return (uint8_t *)b->bytes + b->used - n;
}

static const char *
keep(struct survey *s, struct span text)
{
	char *copy = take(s, text.n + 1);

	if (copy != NULL && text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

static void
clear(struct survey *s)
{
	struct survey_block *b;

	while ((b = s->block) != NULL) {
		s->block = b->next;
		free(b);
	}
	free(s->ticket);
	s->ticket = NULL;
	s->n = 0;
	s->queued = s->left_out = 0;
	s->newest = 0;
}

void
survey_release(struct survey *s)
{
	clear(s);
	free(s->words);
	*s = (struct survey){ .n = 0 };
}

/* ---- messages ---- */

struct record {
	uint64_t number; /* 0: only its header is here */
	uint8_t id[ID_LEN], thread[ID_LEN];
	enum ticket_kind kind;
	enum ticket_precedence precedence;
	enum ticket_tlp tlp;
	const char *exercise;
	bool recalled;
	struct ladder_message m;
	struct moment at;
};

/* A survey while it is taken. */
struct taking {
	struct survey *s;
	struct desk_tx *tx;
	struct tocsin *t; /* NULL: headers alone */
	int64_t now;
	struct record *record;
	size_t n, room;
	struct ladder_message *message; /* of one thread */
	struct ladder_receipt *receipt;
	size_t nreceipt, receipt_room;
};

static struct record *
new_record(struct taking *k)
{
	struct record *grown;

	if (k->n == k->room) {
		k->room = k->room * 2 + 64;
		grown = realloc(k->record, k->room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		k->record = grown;
	}
	memset(&k->record[k->n], 0, sizeof(*k->record));
	return &k->record[k->n];
}

static const char *
keep_id(struct survey *s, const uint8_t id[ID_LEN])
{
	char text[ID_TEXT + 1];

	id_print(text, id);
	return keep(s, span_of(text));
}

/* Its thread and what it refers to; a recall takes back the latter. */
static bool
keep_refs(struct survey *s, struct ladder_message *m, const struct ticket *t)
{
	const char **ref = take(s, (t->nref + 2) * sizeof(*ref));
	const char **recalls = take(s, (t->nref + 1) * sizeof(*recalls));
	size_t i;

	if (ref == NULL || recalls == NULL)
		return false;
	for (i = 0; i < t->nref; i++)
		if ((recalls[i] = ref[i] = keep_id(s, t->ref[i])) == NULL)
			return false;
	if (t->has_thread && (ref[i] = keep_id(s, t->thread)) == NULL)
		return false;
	m->ref = ref;
	if (t->kind == TICKET_RECALL)
		m->recalls = recalls;
	return true;
}

static bool
keep_names(struct survey *s, struct record *r, const struct ticket *t)
{
	struct span device = { t->from.p, t->from.n + 1 + t->device.n };
	const char **to = take(s, (t->nto + 1) * sizeof(*to));
	size_t i;

	if (to == NULL)
		return false;
	for (i = 0; i < t->nto; i++)
		if ((to[i] = keep(s, t->to[i].member)) == NULL)
			return false;
	if (t->exercise.n > 0 && (r->exercise = keep(s, t->exercise)) == NULL)
		return false;
	r->m.to = to;
	r->m.id = keep_id(s, r->id);
	r->m.member = keep(s, t->from);
	r->m.device = keep(s, device); /* they are one field of the line */
	return r->m.id != NULL && r->m.member != NULL && r->m.device != NULL;
}

static enum tocsin_err
add_header(struct taking *k, const struct ticket *t, struct record *r)
{
	r->kind = t->kind;
	r->precedence = t->precedence;
	r->tlp = t->tlp;
	r->m.kind = ticket_kind_name(t->kind);
	r->m.time = t->time;
	r->m.ackby = t->ackby;
	r->m.seq = t->seq;
	if (!keep_names(k->s, r, t) || !keep_refs(k->s, &r->m, t))
		return TOCSIN_EINTERNAL;
	k->n++;
	return TOCSIN_OK;
}

/* What was refused proves nothing, unless it is our own or was good before. */
static bool
counts(const struct desk_message *row)
{
	return row->own || row->refused == TOCSIN_OK ||
	       row->refused == TOCSIN_ERECALLED;
}

static enum tocsin_err
add_row(struct taking *k, struct ticket *t, const struct desk_message *row)
{
	struct record *r = new_record(k);
	struct note note;

	if (r == NULL)
		return TOCSIN_EINTERNAL;
	if (row->arrived > k->s->newest && !row->own)
		k->s->newest = row->arrived;
	if (!counts(row) || ticket_parse(t, &note, row->note) != TOCSIN_OK) {
		k->s->left_out++;
		return TOCSIN_OK;
	}
	r->number = row->number;
	r->recalled = row->refused == TOCSIN_ERECALLED;
	memcpy(r->id, row->id, ID_LEN);
	memcpy(r->thread, row->thread, ID_LEN);
	r->m.posted = row->posted != 0;
	r->m.refused_here = row->own && row->refused != TOCSIN_OK;
	if (r->m.refused_here)
		r->m.reason = tocsin_err_name(row->refused);
	return add_header(k, t, r);
}

static enum tocsin_err
add_rows(struct taking *k, struct ticket *t)
{
	struct desk_message row;
	enum tocsin_err err;
	uint64_t n = 0;

	while ((err = desk_next(k->tx, n, &n)) == TOCSIN_OK) {
		err = desk_get(k->tx, n, &row);
		if (err == TOCSIN_OK)
			err = add_row(k, t, &row);
		else if (err == TOCSIN_EBODYMISMATCH) /* damaged: left out */
			err = (k->s->left_out++, TOCSIN_OK);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* Those of which only the header is here; a good one is as good as a row. */
static enum tocsin_err
add_coming(struct taking *k, struct ticket *t)
{
	struct coming c = { .seq = 0 };
	struct record *r;
	struct note note;
	enum tocsin_err err;
	uint64_t n;

	while ((err = coming_next(k->tx, c.seq, &c)) == TOCSIN_OK) {
		if (desk_find(k->tx, c.id, &n) == TOCSIN_OK ||
		    c.verdict != TOCSIN_OK ||
		    ticket_parse(t, &note, c.note) != TOCSIN_OK ||
		    memcmp(t->id, c.id, ID_LEN) != 0)
			continue;
		if (c.arrived > k->s->newest)
			k->s->newest = c.arrived;
		r = new_record(k);
		if (r == NULL)
			return TOCSIN_EINTERNAL;
		memcpy(r->id, c.id, ID_LEN);
		memcpy(r->thread, c.thread, ID_LEN);
		r->m.posted = true;
		err = add_header(k, t, r);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
count_outbox(struct taking *k)
{
	enum tocsin_err err;
	uint64_t n = 0;

	while ((err = desk_outbox_next(k->tx, n, &n)) == TOCSIN_OK)
		k->s->queued++;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* ---- what is inside ---- */

static const char *
answer_word(const char *said)
{
	static const char erased[] = "erased"; /* confirms a recall */

	if (said == NULL)
		return NULL;
	return strcmp(said, erased) == 0 ? erased
					 : vocab_find(VOCAB_ANSWER, said);
}

static void
read_words(struct survey_words *w, const char *json)
{
	struct incident i = { .root = NULL };
	const char *outlook;

	if (json == NULL || incident_parse(&i, span_of(json)) != TOCSIN_OK)
		return;
	w->answer = answer_word(i.answer);
	w->severity = vocab_find(VOCAB_SEVERITY, i.severity);
	outlook = json_string_value(json_object_get(i.root, "outlook"));
	if (outlook != NULL)
		w->outlook = vocab_find(VOCAB_OUTLOOK, outlook);
	incident_release(&i);
}

/* A message never changes, so it is opened once for all surveys. */
static enum tocsin_err
open_words(struct taking *k, struct record *r, struct survey_words *w)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err;

	if (r->number >= k->s->nwords) {
		size_t n = (size_t)r->number + 256;
		struct survey_words *grown =
		    realloc(k->s->words, n * sizeof(*grown));

		if (grown == NULL)
			return TOCSIN_EINTERNAL;
		memset(grown + k->s->nwords, 0,
		    (n - k->s->nwords) * sizeof(*grown));
		k->s->words = grown;
		k->s->nwords = n;
	}
	if (!k->s->words[r->number].known) {
		err = message_of(k->t, k->tx, r->number, &m);
		if (err != TOCSIN_OK)
			return err;
		read_words(&k->s->words[r->number], m->json);
		k->s->words[r->number].known = true;
		tocsin_message_free(m);
	}
	*w = k->s->words[r->number];
	return TOCSIN_OK;
}

static enum tocsin_err
read_inside(struct taking *k, struct record *r, size_t n, bool open,
    struct picture_ticket *out)
{
	struct survey_words w;
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < n; i++) {
		bool ack = r[i].kind == TICKET_ACK;

		if (ack && (k->t == NULL || r[i].number == 0))
			r[i].m.answer = "accepted";
		if (k->t == NULL || r[i].number == 0 || (!ack && !open))
			continue;
		err = open_words(k, &r[i], &w);
		if (err != TOCSIN_OK)
			return err;
		if (ack)
			r[i].m.answer = w.answer;
		if (w.severity != NULL)
			out->severity = w.severity;
		if (w.outlook != NULL)
			out->outlook = w.outlook;
	}
	return TOCSIN_OK;
}

/* ---- receipts: of them only that a broker refused it ---- */

static enum tocsin_err
add_receipt(struct taking *k, const char *id, const struct desk_place *p)
{
	struct ladder_receipt *grown = k->receipt;

	if (k->nreceipt == k->receipt_room) {
		k->receipt_room = k->receipt_room * 2 + 16;
		grown =
		    realloc(k->receipt, k->receipt_room * sizeof(*k->receipt));
		if (grown == NULL)
			return TOCSIN_EINTERNAL;
		k->receipt = grown;
	}
	grown += k->nreceipt++;
	*grown = (struct ladder_receipt){ .id = id,
		.who = keep(k->s, p->who),
		.by = keep(k->s, p->by),
		.reason = keep(k->s, p->reason),
		.time = p->time,
		.rung = TOCSIN_RUNG_REFUSED };
	return grown->who != NULL && grown->by != NULL && grown->reason != NULL
		   ? TOCSIN_OK
		   : TOCSIN_EINTERNAL;
}

static enum tocsin_err
add_receipts(struct taking *k, const struct record *r)
{
	struct desk_place p;
	enum tocsin_err err;
	size_t i;

	for (i = 0; (err = desk_place_get(k->tx, r->id, i, &p)) == TOCSIN_OK;
	     i++) {
		if (p.kind != RECEIPT_REFUSED)
			continue;
		err = add_receipt(k, r->m.id, &p);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* ---- tickets ---- */

/* A broker's word, ours or theirs, in place of an answer. */
static bool
turned_away(const struct tocsin_place *p)
{
	return p->rung == TOCSIN_RUNG_REFUSED && strchr(p->by, '/') == NULL;
}

/* The first answer after it was asked; one of an earlier clock counts too. */
static int64_t
answered(const struct tocsin_place *p)
{
	size_t i;

	if (p->rung < TOCSIN_RUNG_ACCEPTED || turned_away(p))
		return 0;
	for (i = 0; i < p->nstep; i++)
		if (p->step[i].rung >= TOCSIN_RUNG_ACCEPTED &&
		    p->step[i].time >= p->asked &&
		    strchr(p->step[i].by, '/') != NULL)
			return p->step[i].time;
	return p->since;
}

static bool
fill_places(
    struct survey *s, struct picture_ticket *out, const struct ladder *l)
{
	struct picture_place *p = take(s, (l->n + 1) * sizeof(*p));
	size_t i;

	if (p == NULL)
		return false;
	for (i = 0; i < l->n; i++)
		p[i] = (struct picture_place){ .member = l->place[i].member,
			.asked = l->place[i].asked,
			.answered = answered(&l->place[i]),
			.ackby = l->place[i].ackby,
			.turned_away = turned_away(&l->place[i]),
			.taken_back = l->place[i].recalled };
	out->place = p;
	out->n = l->n;
	return true;
}

static enum tocsin_err
fold(struct taking *k, const struct record *r, size_t n, struct ladder *l)
{
	size_t i;

	for (i = 0; i < n; i++)
		k->message[i] = r[i].m;
	return ladder_fold(l, k->message, n, k->receipt, k->nreceipt, k->now);
}

/* When who opened it took it back; 0 if not. */
static int64_t
taken_back(const struct record *first, const struct record *r, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; r[i].m.recalls != NULL &&
			    strcmp(r[i].m.member, first->m.member) == 0 &&
			    r[i].m.recalls[j] != NULL;
		     j++)
			if (strcmp(r[i].m.recalls[j], first->m.id) == 0)
				return r[i].m.time;
	return first->recalled ? first->m.time : 0;
}

/* What opened it, or what came here first of it, as in a list of tickets. */
static const struct record *
first_of(const struct record *r, size_t n)
{
	const struct record *first = r;
	size_t i;

	for (i = 0; i < n; i++) {
		if (memcmp(r[i].id, r[i].thread, ID_LEN) == 0)
			return &r[i];
		if (r[i].number != 0 &&
		    (first->number == 0 || r[i].number < first->number))
			first = &r[i];
	}
	return first;
}

static void
fill_ticket(struct picture_ticket *out, const struct record *first,
    const struct record *r, size_t n)
{
	size_t i;

	*out = (struct picture_ticket){ .from = first->m.member,
		.opened = first->m.time,
		.precedence = first->precedence,
		.exercise = first->exercise,
		.tlp = first->tlp,
		.closed = taken_back(first, r, n) };
	for (i = 0; i < n; i++) {
		if (r[i].tlp < out->tlp)
			out->tlp = r[i].tlp;
		out->escalated |= r[i].kind == TICKET_ESCALATE;
	}
}

/*
 * Folded twice: whether it is over stands in the headers, and what was over
 * long ago is not opened.
 */
static enum tocsin_err
add_ticket(struct taking *k, struct record *r, size_t n)
{
	struct picture_ticket *out = &k->s->ticket[k->s->n];
	struct ladder l = { .n = 0 };
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	k->nreceipt = 0;
	for (i = 0; err == TOCSIN_OK && i < n; i++)
		err = add_receipts(k, &r[i]);
	if (err == TOCSIN_OK)
		err = fold(k, r, n, &l);
	if (err != TOCSIN_OK)
		goto out;
	fill_ticket(out, first_of(r, n), r, n);
	if (l.closed && out->closed == 0)
		out->closed = l.turn->time;
	if (out->closed != 0 && out->closed < k->now - PICTURE_WINDOW)
		goto out;
	err = read_inside(k, r, n, out->closed == 0, out);
	ladder_release(&l);
	if (err == TOCSIN_OK)
		err = fold(k, r, n, &l);
	if (err == TOCSIN_OK && !fill_places(k->s, out, &l))
		err = TOCSIN_EINTERNAL;
	k->s->n += err == TOCSIN_OK;
out:
	ladder_release(&l);
	return err;
}

static int
by_thread(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return memcmp(x->thread, y->thread, ID_LEN);
}

static int
by_order(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (order_after(&x->m, &x->at, &y->m, &y->at))
		return 1;
	return order_after(&y->m, &y->at, &x->m, &x->at) ? -1 : 0;
}

/* Of what was said of severity and outlook the last one counts. */
static enum tocsin_err
put_in_order(struct taking *k, struct record *r, size_t n)
{
	struct moment *moment = NULL;
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < n; i++)
		k->message[i] = r[i].m;
	err = order_moments(&moment, k->message, n);
	for (i = 0; err == TOCSIN_OK && i < n; i++)
		r[i].at = moment[i];
	free(moment);
	if (err == TOCSIN_OK)
		qsort(r, n, sizeof(*r), by_order);
	return err;
}

static enum tocsin_err
add_tickets(struct taking *k)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i, n;

	k->s->ticket = calloc(k->n + 1, sizeof(*k->s->ticket));
	k->message = calloc(k->n + 1, sizeof(*k->message));
	if (k->s->ticket == NULL || k->message == NULL)
		return TOCSIN_EINTERNAL;
	if (k->n > 0)
		qsort(k->record, k->n, sizeof(*k->record), by_thread);
	for (i = 0; err == TOCSIN_OK && i < k->n; i += n) {
		for (n = 1;
		     i + n < k->n && memcmp(k->record[i].thread,
					 k->record[i + n].thread, ID_LEN) == 0;
		     n++)
			;
		if (k->t != NULL)
			tell_opening(k->t, i, k->n);
		err = put_in_order(k, k->record + i, n);
		if (err == TOCSIN_OK)
			err = add_ticket(k, k->record + i, n);
	}
	if (k->t != NULL)
		tell_opening(k->t, k->n, k->n);
	return err;
}

enum tocsin_err
survey_take(struct survey *s, struct desk *desk, struct tocsin *t, int64_t now)
{
	struct taking k = { .s = s, .t = t, .now = now };
	struct ticket *ticket = malloc(sizeof(*ticket));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	clear(s);
	if (ticket != NULL)
		err = desk_read(desk, &k.tx);
	if (err == TOCSIN_OK)
		err = add_rows(&k, ticket);
	if (err == TOCSIN_OK)
		err = add_coming(&k, ticket);
	if (err == TOCSIN_OK)
		err = count_outbox(&k);
	if (err == TOCSIN_OK)
		err = add_tickets(&k);
	desk_end(k.tx);
	if (err != TOCSIN_OK)
		clear(s);
	free(ticket);
	free(k.record);
	free(k.message);
	free(k.receipt);
	return err;
}
