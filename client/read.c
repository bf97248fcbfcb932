/* SPDX-License-Identifier: ISC */
#include "client/bodies.h"
#include "client/coming.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/permit.h"
#include "client/recall.h"
#include "crypto/receipt.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message and all its strings in one block of its own. */
struct message {
	struct tocsin_message m;
	struct incident incident;
	char **strings; /* owned, NULL-terminated */
	size_t nstring;
	const char **to;
	const char **labels;
	struct tocsin_part *parts;
	struct tocsin_left *left; /* those of each part together */
	size_t nleft;
};

/* ---- opening ---- */

/* What we hold, as ticket_open() wants it. */
static size_t
held_keys(const struct keystore *k, struct ticket_key keys[KEYSTORE_EPOCHS])
{
	size_t i;

	for (i = 0; i < k->nepoch; i++) {
		keys[i].epoch = span_of(k->epoch[i]);
		keys[i].sk = secret_span(k->epochs).p + 32 * i;
	}
	return k->nepoch;
}

static enum tocsin_err
open_body(struct tocsin *t, struct opened *o)
{
	struct ticket_key keys[KEYSTORE_EPOCHS];
	const struct keystore *k = t->parts.keys;
	size_t n = held_keys(k, keys);

	return ticket_open(&o->contents, &o->ticket, buf_span(&o->body), keys,
	    n, span_of(k->member));
}

/* ---- what bots answer ---- */

bool
answer_allowed(unsigned may, const char *answer, enum keys_word *word)
{
	static const struct {
		const char *answer;
		enum keys_word word;
	} asks[] = {
		{ "opened", KEYS_WORDS }, /* never */
		{ "accepted", KEYS_ACCEPT },
		{ "deferred", KEYS_DEFER },
		{ "refused", KEYS_REFUSE },
		{ "invalid", KEYS_INVALID },
		{ "in-progress", KEYS_IN_PROGRESS },
	};
	size_t i;

	for (i = 0; i < sizeof(asks) / sizeof(*asks); i++)
		if (strcmp(answer, asks[i].answer) == 0) {
			*word = asks[i].word;
			return (may >> asks[i].word & 1) != 0;
		}
	return true;
}

void
bot_value(char out[BOT_NAME], const uint8_t id[ID_LEN])
{
	memcpy(out, BOT_VALUE, sizeof(BOT_VALUE));
	sodium_bin2hex(out + sizeof(BOT_VALUE) - 1, 2 * ID_LEN + 1, id, ID_LEN);
}

/*
 * Its header was judged when it came; what it answers shows now. What the bot
 * was let do was kept then, so an answer stands or falls for good.
 */
static enum tocsin_err
judge_answer(struct desk_tx *tx, const struct opened *o)
{
	struct incident in = { .root = NULL };
	char name[BOT_NAME];
	enum keys_word word;
	struct span value;
	enum tocsin_err err;

	if (o->ticket.kind != TICKET_ACK)
		return TOCSIN_OK;
	bot_value(name, o->ticket.id);
	err = desk_value_get(tx, name, &value);
	if (err != TOCSIN_OK || value.n != 2) /* not a bot's */
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	err = incident_parse(&in, o->contents.json);
	if (err == TOCSIN_OK && in.answer != NULL &&
	    !answer_allowed(
		(unsigned)value.p[0] << 8 | value.p[1], in.answer, &word))
		err = TOCSIN_EKINDNOTALLOWED;
	incident_release(&in);
	return err == TOCSIN_EMALFORMED ? TOCSIN_OK : err; /* said later */
}

enum tocsin_err
body_key_of(
    struct tocsin *t, const struct opened *o, uint8_t key[TICKET_BODY_KEY])
{
	struct ticket_key keys[KEYSTORE_EPOCHS];
	const struct keystore *k = t->parts.keys;
	size_t n = held_keys(k, keys);

	return ticket_body_key(
	    key, &o->ticket, buf_span(&o->body), keys, n, span_of(k->member));
}

/* Nothing of it is used. */
static void
drop_contents(struct opened *o)
{
	ticket_contents_release(&o->contents);
	memset(&o->contents, 0, sizeof(o->contents));
}

enum tocsin_err
open_message(
    struct tocsin *t, struct desk_tx *tx, uint64_t number, struct opened *out)
{
	enum tocsin_err err;

	memset(out, 0, sizeof(*out));
	err = desk_get(tx, number, &out->row);
	if (err == TOCSIN_EBODYMISMATCH) {
		out->row =
		    (struct desk_message){ .number = number, .refused = err };
		return TOCSIN_OK;
	}
	if (err != TOCSIN_OK)
		return fail(err, "message %llu of the desk: %s",
		    (unsigned long long)number, tocsin_err_text(err));
	buf_add(&out->note, out->row.note);
	buf_add(&out->body, out->row.body);
	if (!buf_ok(&out->note) || !buf_ok(&out->body))
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = ticket_parse(&out->ticket, &out->parsed, buf_span(&out->note));
	if (err != TOCSIN_OK) { /* what it left behind is of no use */
		memset(&out->ticket, 0, sizeof(out->ticket));
		if (out->row.refused == TOCSIN_OK)
			out->row.refused = err;
	}
	if (err == TOCSIN_OK &&
	    (out->row.refused == TOCSIN_OK || out->row.own)) {
		err = open_body(t, out);
		if (err == TOCSIN_OK)
			err = judge_answer(tx, out);
		if (err == TOCSIN_EKINDNOTALLOWED)
			drop_contents(out);
		if (err == TOCSIN_EINTERNAL) /* of ours, not of the message */
			return fail(err, "no memory");
		if (err != TOCSIN_OK && out->row.refused == TOCSIN_OK)
			out->row.refused = err;
	}
	return TOCSIN_OK;
}

void
opened_release(struct opened *o)
{
	ticket_contents_release(&o->contents);
	buf_release(&o->note);
	buf_release(&o->body);
}

/* ---- a message as callers see it ---- */

static char *
keep(struct message *m, struct span s)
{
	char **grown =
	    realloc(m->strings, (m->nstring + 1) * sizeof(*m->strings));
	char *copy;

	if (grown == NULL)
		return NULL;
	m->strings = grown;
	copy = strndup(s.n > 0 ? (const char *)s.p : "", s.n);
	if (copy != NULL)
		m->strings[m->nstring++] = copy;
	return copy;
}

static bool
fill_header(struct message *m, const struct ticket *t)
{
	char from[DEVICE_MAX + 1];
	size_t i;

	snprintf(from, sizeof(from), "%.*s/%.*s", (int)t->from.n,
	    (const char *)t->from.p, (int)t->device.n,
	    (const char *)t->device.p);
	m->to = calloc(t->nto + 1, sizeof(*m->to));
	if (m->to == NULL || (m->m.from = keep(m, span_of(from))) == NULL)
		return false;
	for (i = 0; i < t->nto; i++)
		if ((m->to[i] = keep(m, t->to[i].member)) == NULL)
			return false;
	if (t->exercise.n > 0 && (m->m.exercise = keep(m, t->exercise)) == NULL)
		return false;
	m->labels = calloc(t->nlabel + 1, sizeof(*m->labels));
	for (i = 0; m->labels != NULL && i < t->nlabel; i++)
		if ((m->labels[i] = keep(m, t->label[i])) == NULL)
			return false;
	if (m->labels == NULL)
		return false;
	m->m.labels = m->labels;
	m->m.to = m->to;
	m->m.kind = ticket_kind_name(t->kind);
	m->m.tlp = ticket_tlp_name(t->tlp);
	m->m.precedence = ticket_precedence_name(t->precedence);
	m->m.time = t->time;
	m->m.ackby = t->ackby;
	return true;
}

/* What could not be parsed still has a place to be shown in. */
static void
fill_nothing(struct message *m)
{
	static const char *const nobody[] = { NULL };

	m->m.from = "?";
	m->m.to = m->m.labels = nobody;
	m->m.kind = "?";
	m->m.tlp = "RED"; /* unknown is the strictest */
	m->m.precedence = "routine";
}

/* ---- attachments ---- */

const char *
saved_name(char out[72], const uint8_t hash[32])
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), hash, 32);
	snprintf(out, 72, "saved/%s", hex);
	return out;
}

/* What this desk knows of a part: how much is here, and whether it was. */
void
part_of(struct tocsin *t, struct desk_tx *tx, const uint8_t hash[32],
    struct tocsin_part *p)
{
	char name[72];

	p->here = bodies_here(t->parts.keys->home, hash, p->sealed);
	p->saved = (int64_t)desk_u64_get(tx, saved_name(name, hash));
}

static void
fill_part(struct tocsin_part *p, struct tocsin *t, struct desk_tx *tx,
    const struct ticket *ticket, const uint8_t hash[32])
{
	size_t i;

	for (i = 0; i < ticket->npart; i++)
		if (memcmp(ticket->part[i].hash, hash, 32) == 0)
			p->sealed = ticket->part[i].size;
	part_of(t, tx, hash, p);
}

static bool
new_parts(struct message *m, size_t n)
{
	m->parts = calloc(n + 1, sizeof(*m->parts));
	m->m.parts = m->parts;
	m->m.nparts = m->parts != NULL ? n : 0;
	return m->parts != NULL;
}

static bool
fill_parts(struct message *m, struct tocsin *t, struct desk_tx *tx,
    const struct ticket *ticket)
{
	size_t i, n = m->incident.nattachment;

	if (!new_parts(m, n))
		return false;
	for (i = 0; i < n; i++) {
		m->parts[i].name = m->incident.attachment[i].name;
		m->parts[i].media = m->incident.attachment[i].media;
		m->parts[i].size = m->incident.attachment[i].size;
		fill_part(&m->parts[i], t, tx, ticket,
		    m->incident.attachment[i].part);
	}
	return true;
}

/* Their names and types are in the body. */
static bool
fill_coming(struct message *m, struct tocsin *t, struct desk_tx *tx,
    const struct ticket *ticket)
{
	size_t i;

	m->m.coming = true;
	m->m.body_size = ticket->body_size;
	m->m.body_here = bodies_here(
	    t->parts.keys->home, ticket->body_hash, ticket->body_size);
	if (!new_parts(m, ticket->npart))
		return false;
	for (i = 0; i < ticket->npart; i++) {
		m->parts[i].name = m->parts[i].media = "";
		fill_part(&m->parts[i], t, tx, ticket, ticket->part[i].hash);
	}
	return true;
}

/* ---- what brokers left at their border ---- */

/* The row of a part; its `who` is "NATION HASH", as intake.c writes it. */
static bool
is_of_part(const struct desk_place *p, const char *hash)
{
	size_t n = strlen(hash);

	return p->kind == RECEIPT_WITHOUT && p->who.n > n &&
	       span_is(span_cut(p->who, p->who.n - n, n), hash);
}

static bool
add_left(struct message *m, const struct desk_place *p, const char *hash)
{
	struct tocsin_left *l =
	    realloc(m->left, (m->nleft + 1) * sizeof(*m->left));
	char receipt[ID_TEXT + 1] = "";

	if (l == NULL)
		return false;
	m->left = l;
	l += m->nleft++;
	if (p->receipt.n == ID_LEN)
		id_print(receipt, p->receipt.p);
	*l = (struct tocsin_left){ .message = m->m.id,
		.part = keep(m, span_of(hash)),
		.nation =
		    keep(m, span_cut(p->who, 0, p->who.n - strlen(hash) - 1)),
		.by = keep(m, p->by),
		.reason = keep(m, p->reason),
		.receipt = keep(m, span_of(receipt)),
		.time = p->time };
	return l->part != NULL && l->nation != NULL && l->by != NULL &&
	       l->reason != NULL && l->receipt != NULL;
}

static bool
find_left(struct message *m, struct desk_tx *tx, const uint8_t id[ID_LEN],
    size_t part, const uint8_t raw[32])
{
	char hash[ID_TEXT + 1];
	struct desk_place p;
	size_t i, first = m->nleft;

	id_print(hash, raw);
	for (i = 0; desk_place_get(tx, id, i, &p) == TOCSIN_OK; i++)
		if (is_of_part(&p, hash) && !add_left(m, &p, hash))
			return false;
	m->parts[part].nleft = m->nleft - first;
	return true;
}

/* The array has moved while it grew. */
static bool
fill_left(struct message *m, struct desk_tx *tx, const uint8_t id[ID_LEN])
{
	size_t i, k, at = 0;

	for (i = 0; i < m->m.nparts; i++)
		if (!find_left(m, tx, id, i, m->incident.attachment[i].part))
			return false;
	for (i = 0; i < m->m.nparts; i++) {
		m->parts[i].left = &m->left[at];
		for (k = 0; k < m->parts[i].nleft; k++)
			m->left[at++].name = m->parts[i].name;
	}
	return true;
}

/* ---- all of it ---- */

static bool
fill_contents(struct message *m, struct tocsin *t, struct desk_tx *tx,
    const struct opened *o)
{
	enum tocsin_err err;

	m->m.json = keep(m, o->contents.json);
	if (m->m.json == NULL)
		return false;
	err = incident_parse(&m->incident, o->contents.json);
	if (err == TOCSIN_EINTERNAL)
		return false;
	if (err != TOCSIN_OK) {
		m->m.refused = err;
		return true;
	}
	m->m.subject = m->incident.subject;
	m->m.text = m->incident.text;
	m->m.pap = m->incident.pap;
	return fill_parts(m, t, tx, &o->ticket) && fill_left(m, tx, o->row.id);
}

static bool
fill(struct message *m, struct tocsin *t, struct desk_tx *tx,
    const struct opened *o)
{
	m->m.number = o->row.number;
	id_print(m->m.id, o->row.id);
	id_print(m->m.thread, o->row.thread);
	shortid_print(m->m.short_id, o->row.thread);
	m->m.received = o->row.posted;
	m->m.own = o->row.own;
	m->m.refused = o->row.refused;
	if (o->ticket.nto == 0)
		fill_nothing(m);
	else if (!fill_header(m, &o->ticket))
		return false;
	return o->contents.json.n == 0 || fill_contents(m, t, tx, o);
}

void
tocsin_message_free(struct tocsin_message *m)
{
	struct message *own = (struct message *)(void *)m;
	size_t i;

	if (m == NULL)
		return;
	incident_release(&own->incident);
	for (i = 0; i < own->nstring; i++) {
		sodium_memzero(own->strings[i], strlen(own->strings[i]));
		free(own->strings[i]);
	}
	free(own->strings);
	free(own->to);
	free(own->labels);
	free(own->parts);
	free(own->left);
	free(own);
}

const char *
message_keep(struct tocsin_message *m, struct span s)
{
	return keep((struct message *)(void *)m, s);
}

enum tocsin_err
message_of(struct tocsin *t, struct desk_tx *tx, uint64_t number,
    struct tocsin_message **out)
{
	struct opened *o = malloc(sizeof(*o));
	struct message *m = calloc(1, sizeof(*m));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	size_t i;

	if (o == NULL || m == NULL) {
		free(o);
		free(m);
		return fail(err, "no memory");
	}
	err = open_message(t, tx, number, o);
	if (err == TOCSIN_OK && !fill(m, t, tx, o))
		err = fail(TOCSIN_EINTERNAL, "no memory");
	for (i = 0; err == TOCSIN_OK && i < m->m.nparts; i++)
		m->parts[i].recalled = recall_covers_part(
		    tx, &o->ticket, m->incident.attachment[i].part);
	opened_release(o);
	free(o);
	if (err != TOCSIN_OK)
		tocsin_message_free(&m->m);
	else
		*out = &m->m;
	return err;
}

/* What the header of one that is coming says. */
static enum tocsin_err
message_to_come(struct tocsin *t, struct desk_tx *tx, const struct coming *c,
    struct tocsin_message **out)
{
	struct opened *o = calloc(1, sizeof(*o));
	struct message *m = calloc(1, sizeof(*m));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	bool good;

	if (o == NULL || m == NULL) {
		free(o);
		free(m);
		return fail(err, "no memory");
	}
	o->row = (struct desk_message){ .posted = c->posted,
		.arrived = c->arrived,
		.refused = c->verdict };
	memcpy(o->row.id, c->id, ID_LEN);
	memcpy(o->row.thread, c->thread, ID_LEN);
	good = ticket_parse(&o->ticket, &o->parsed, c->note) == TOCSIN_OK &&
	       memcmp(o->ticket.id, c->id, ID_LEN) == 0;
	if (!good) { /* damaged on this disk */
		memset(&o->ticket, 0, sizeof(o->ticket));
		o->row.refused = TOCSIN_EBODYMISMATCH;
	} else if (o->row.refused == TOCSIN_OK) {
		o->row.refused = TOCSIN_EUNAVAILABLE;
	}
	if (fill(m, t, tx, o) && fill_coming(m, t, tx, &o->ticket))
		err = TOCSIN_OK;
	opened_release(o);
	free(o);
	if (err == TOCSIN_OK) {
		*out = &m->m;
		return err;
	}
	tocsin_message_free(&m->m);
	return fail(err, "no memory");
}

/* ---- the calls ---- */

/* After find_message() did not find it, whose sentence stands if this neither.
 */
static enum tocsin_err
find_coming(struct desk_tx *tx, const char *typed, struct coming *c)
{
	uint8_t id[ID_LEN];
	enum tocsin_err err = find_id(tx, typed, id);

	return err == TOCSIN_OK ? coming_find(tx, id, c) : err;
}

enum tocsin_err
tocsin_get(struct tocsin *t, const char *id, struct tocsin_message **out)
{
	struct desk_tx *tx = NULL;
	struct coming c;
	uint64_t number;
	enum tocsin_err err = begin_read(t, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = find_message(t, tx, id, &number);
	if (err == TOCSIN_OK) {
		err = message_of(t, tx, number, out);
	} else if (err == TOCSIN_ENOTFOUND) {
		err = find_coming(tx, id, &c);
		if (err == TOCSIN_OK)
			err = message_to_come(t, tx, &c, out);
	}
	desk_end(tx);
	return err;
}

/* With a sentence, unless it is the end of a list. */
static enum tocsin_err
of_desk(enum tocsin_err err)
{
	return err == TOCSIN_OK || err == TOCSIN_ENOTFOUND
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

static bool
list_grow(struct tocsin_list *l)
{
	struct tocsin_message **grown =
	    realloc(l->message, (l->n + 1) * sizeof(*grown));

	if (grown != NULL)
		l->message = grown;
	return grown != NULL;
}

static enum tocsin_err
list_add(struct tocsin *t, struct desk_tx *tx, uint64_t number,
    struct tocsin_list *l)
{
	enum tocsin_err err;

	if (!list_grow(l))
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = message_of(t, tx, number, &l->message[l->n]);
	if (err == TOCSIN_OK)
		l->n++;
	if (err == TOCSIN_ENOTFOUND) /* listed, and not there */
		err = fail(TOCSIN_EBODYMISMATCH, "message %llu of the desk: %s",
		    (unsigned long long)number,
		    tocsin_err_text(TOCSIN_EBODYMISMATCH));
	return err;
}

static bool
listed(const struct tocsin_list *l, const char *thread)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->message[i]->thread, thread) == 0)
			return true;
	return false;
}

/* Which of those that are coming: of a thread, or the first of each new one. */
struct wanted {
	const uint8_t *thread; /* NULL: of all */
	bool tickets;
};

static bool
is_wanted(struct desk_tx *tx, const struct wanted *w,
    const struct tocsin_list *l, const struct coming *c)
{
	char thread[ID_TEXT + 1];
	uint64_t n;

	if (desk_find(tx, c->id, &n) == TOCSIN_OK) /* it came another way */
		return false;
	if (w->thread != NULL && memcmp(w->thread, c->thread, ID_LEN) != 0)
		return false;
	if (!w->tickets)
		return true;
	id_print(thread, c->thread);
	return desk_thread_next(tx, c->thread, 0, &n) != TOCSIN_OK &&
	       !listed(l, thread);
}

static enum tocsin_err
list_coming(struct tocsin *t, struct desk_tx *tx, const struct wanted *w,
    struct tocsin_list *l)
{
	struct coming c = { 0 };
	enum tocsin_err err;

	while ((err = of_desk(coming_next(tx, c.seq, &c))) == TOCSIN_OK) {
		if (!is_wanted(tx, w, l, &c))
			continue;
		if (!list_grow(l))
			return fail(TOCSIN_EINTERNAL, "no memory");
		err = message_to_come(t, tx, &c, &l->message[l->n]);
		if (err != TOCSIN_OK)
			return err;
		l->n++;
	}
	return err;
}

enum tocsin_err
list_tickets_coming(struct tocsin *t, struct desk_tx *tx, struct tocsin_list *l)
{
	enum tocsin_err err =
	    list_coming(t, tx, &(struct wanted){ .tickets = true }, l);

	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

void
tocsin_list_free(struct tocsin_list *l)
{
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->n; i++)
		tocsin_message_free(l->message[i]);
	free(l->message);
	free(l);
}

static enum tocsin_err
give_list(enum tocsin_err err, struct tocsin_list *l, struct tocsin_list **out)
{
	if (err == TOCSIN_OK || err == TOCSIN_ENOTFOUND) {
		*out = l;
		return TOCSIN_OK;
	}
	tocsin_list_free(l);
	return err;
}

/* What opened it comes first, also if it was held and came out later. */
static void
first_first(struct tocsin_list *l)
{
	struct tocsin_message *m;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->message[i]->id, l->message[i]->thread) == 0)
			break;
	if (i == 0 || i == l->n)
		return;
	m = l->message[i];
	memmove(&l->message[1], &l->message[0], i * sizeof(m));
	l->message[0] = m;
}

/* The thread that an id is of, also if all of it is still to come. */
static enum tocsin_err
thread_of(struct tocsin *t, struct desk_tx *tx, const char *typed,
    uint8_t thread[ID_LEN])
{
	struct desk_message row;
	struct coming c;
	uint64_t n;
	enum tocsin_err err = find_message(t, tx, typed, &n);

	if (err == TOCSIN_ENOTFOUND) {
		err = find_coming(tx, typed, &c);
		if (err == TOCSIN_OK)
			memcpy(thread, c.thread, ID_LEN);
		return err;
	}
	if (err != TOCSIN_OK)
		return err;
	err = desk_get(tx, n, &row);
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	memcpy(thread, row.thread, ID_LEN);
	return TOCSIN_OK;
}

enum tocsin_err
tocsin_thread(struct tocsin *t, const char *id, struct tocsin_list **out)
{
	struct tocsin_list *l = calloc(1, sizeof(*l));
	uint8_t thread[ID_LEN];
	const struct wanted coming = { .thread = thread };
	struct desk_tx *tx = NULL;
	uint64_t n = 0;
	enum tocsin_err err;

	if (l == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = begin_read(t, &tx);
	if (err == TOCSIN_OK)
		err = thread_of(t, tx, id, thread);
	if (err != TOCSIN_OK) {
		desk_end(tx);
		tocsin_list_free(l);
		return err;
	}
	while (err == TOCSIN_OK) {
		err = of_desk(desk_thread_next(tx, thread, n, &n));
		if (err == TOCSIN_OK)
			err = list_add(t, tx, n, l);
	}
	first_first(l);
	if (err == TOCSIN_ENOTFOUND)
		err = list_coming(t, tx, &coming, l);
	desk_end(tx);
	if (err == TOCSIN_ENOTFOUND && permits_judge(t, l) != TOCSIN_OK)
		err = TOCSIN_EINTERNAL;
	return give_list(err, l, out);
}

enum tocsin_err
tocsin_coming(struct tocsin *t, struct tocsin_list **out)
{
	struct tocsin_list *l = calloc(1, sizeof(*l));
	const struct wanted all = { 0 };
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	if (l == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = begin_read(t, &tx);
	if (err == TOCSIN_OK)
		err = list_coming(t, tx, &all, l);
	desk_end(tx);
	return give_list(err, l, out);
}

/*
 * A thread is shown by its first message, or by the oldest that we have: what
 * was held for a roster came here before others, and has a later number.
 */
static enum tocsin_err
stands_for_thread(
    struct desk_tx *tx, const struct desk_message *row, bool *stands)
{
	uint64_t n;
	enum tocsin_err err = desk_find(tx, row->thread, &n);

	if (err == TOCSIN_ENOTFOUND)
		err = desk_thread_next(tx, row->thread, 0, &n);
	*stands = err == TOCSIN_OK && n == row->number;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
tocsin_tickets(struct tocsin *t, struct tocsin_list **out)
{
	struct tocsin_list *l = calloc(1, sizeof(*l));
	struct desk_message row;
	struct desk_tx *tx = NULL;
	enum tocsin_err err;
	uint64_t n = 0;
	bool stands;

	if (l == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = begin_read(t, &tx);
	while (err == TOCSIN_OK) {
		err = of_desk(desk_next(tx, n, &n));
		if (err == TOCSIN_OK)
			err = desk_get(tx, n, &row);
		if (err == TOCSIN_EBODYMISMATCH) { /* shown as damaged */
			err = list_add(t, tx, n, l);
			continue;
		}
		if (err == TOCSIN_OK)
			err = of_desk(stands_for_thread(tx, &row, &stands));
		if (err == TOCSIN_OK && stands)
			err = list_add(t, tx, n, l);
	}
	if (err == TOCSIN_ENOTFOUND)
		err = list_tickets_coming(t, tx, l);
	desk_end(tx);
	return give_list(err, l, out);
}
