/* SPDX-License-Identifier: ISC */
/* What a message follows: its ticket, what was seen of it, what it recalls. */
#include "client/compose_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- the thread ---- */

/* Open a message that is to be answered; what was refused is not. */
static enum tocsin_err
open_to_answer(struct composing *c, struct desk_tx *tx, uint64_t number)
{
	struct desk_message row;
	enum tocsin_err err = desk_get(tx, number, &row);

	if (err == TOCSIN_OK && row.refused != TOCSIN_ERECALLED)
		err = row.refused; /* of that one, the header was good */
	if (err != TOCSIN_OK)
		return fail(err, "%s is not to be answered: %s",
		    c->draft->thread, tocsin_err_text(err));
	if (c->first != NULL)
		opened_release(c->first);
	else
		c->first = calloc(1, sizeof(*c->first));
	if (c->first == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	return open_message(c->t, tx, number, c->first);
}

/* What opened a thread, or the oldest that is here and is what it says. */
static enum tocsin_err
first_good(struct desk_tx *tx, const uint8_t thread[ID_LEN], uint64_t *first)
{
	struct desk_message row;
	enum tocsin_err err = desk_find(tx, thread, first);
	uint64_t n = 0;

	if (err != TOCSIN_ENOTFOUND)
		return err;
	while ((err = desk_thread_next(tx, thread, n, &n)) == TOCSIN_OK)
		if (desk_get(tx, n, &row) == TOCSIN_OK &&
		    (row.refused == TOCSIN_OK ||
			row.refused == TOCSIN_ERECALLED))
			break;
	*first = err == TOCSIN_OK ? n : 0;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
compose_thread(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = &c->header;
	uint64_t n, first;
	enum tocsin_err err;

	if (c->draft->thread == NULL)
		return TOCSIN_OK;
	err = find_message(c->t, tx, c->draft->thread, &n);
	if (err == TOCSIN_OK)
		err = open_to_answer(c, tx, n);
	if (err != TOCSIN_OK)
		return err;
	memcpy(h->ref[0], c->first->row.id, ID_LEN);
	h->nref = 1;
	/* It may be a later message; go to the first. */
	err = first_good(tx, c->first->row.thread, &first);
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	if (first != 0 && first != n)
		err = open_to_answer(c, tx, first);
	if (err != TOCSIN_OK)
		return err;
	h->has_thread = true;
	memcpy(h->thread, c->first->row.thread, ID_LEN);
	return permits_load(&c->permits, c->t, tx, c->first->row.thread);
}

/* ---- recalls ---- */

static enum tocsin_err
recall_part(struct composing *c, const uint8_t hash[32])
{
	struct ticket *h = &c->header;
	size_t i;

	for (i = 0; i < c->nrecall; i++)
		if (memcmp(c->recall[i], hash, 32) == 0)
			return TOCSIN_OK;
	if (h->nref == TICKET_REFS_MAX)
		return fail(TOCSIN_ETOOLARGE,
		    "one recall takes back %d attachments at most; recall the "
		    "others with another one",
		    TICKET_REFS_MAX - 1);
	memcpy(h->ref[h->nref++], hash, 32);
	memcpy(c->recall[c->nrecall++], hash, 32);
	return TOCSIN_OK;
}

/* The attachments that are named, each by a `ref` beside the message's. */
static enum tocsin_err
recall_parts(struct composing *c, const struct opened *o)
{
	const char *const *name = c->draft->recall;
	struct incident in = { 0 };
	enum tocsin_err err = incident_parse(&in, o->contents.json);
	size_t i;

	if (err != TOCSIN_OK)
		return fail(err, "its content is not readable");
	for (; err == TOCSIN_OK && *name != NULL; name++) {
		for (i = 0; i < in.nattachment; i++)
			if (strcmp(in.attachment[i].name, *name) == 0)
				break;
		if (i == in.nattachment)
			err = fail(TOCSIN_ENOTFOUND,
			    "%s has no attachment of the name %s",
			    c->draft->thread, *name);
		else
			err = recall_part(c, in.attachment[i].part);
	}
	incident_release(&in);
	id_print(c->recall_of, o->row.id);
	return err;
}

/* All of it is recalled, or attachments of which this one hands one on. */
static bool
hands_on(const struct composing *c, const struct ticket *t)
{
	size_t i, k;

	for (i = 0; i < t->npart; i++)
		for (k = 0; k < c->nrecall; k++)
			if (memcmp(t->part[i].hash, c->recall[k], 32) == 0)
				return true;
	return c->nrecall == 0;
}

/* What shows the first message to others goes with it. */
static enum tocsin_err
recall_carriers(struct composing *c, struct desk_tx *tx)
{
	struct ticket *t = malloc(sizeof(*t)), *h = &c->header;
	enum tocsin_err err = TOCSIN_OK;
	struct desk_message row;
	struct note note;
	uint64_t n = 0;

	if (t == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (err == TOCSIN_OK) {
		err = desk_thread_next(tx, c->first->row.thread, n, &n);
		if (err != TOCSIN_OK || desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(t, &note, row.note) != TOCSIN_OK ||
		    (t->kind != TICKET_ESCALATE && t->kind != TICKET_SHARE) ||
		    !span_is(t->from, c->t->parts.keys->member) ||
		    !hands_on(c, t))
			continue;
		if (h->nref == TICKET_REFS_MAX)
			err = fail(TOCSIN_ETOOLARGE,
			    "it was shown to others %d times; recall those "
			    "messages first",
			    TICKET_REFS_MAX);
		else
			memcpy(h->ref[h->nref++], row.id, ID_LEN);
	}
	free(t);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* Also to whom only that one message was sent. */
static enum tocsin_err
recall_from(struct composing *c, struct desk_tx *tx, const struct opened *o)
{
	const struct ticket *t = &o->ticket;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (!span_is(t->from, c->t->parts.keys->member))
		return fail(TOCSIN_EPOLICYDENIED,
		    "only %.*s, whose message it is, may recall it",
		    (int)t->from.n, (const char *)t->from.p);
	if (t->kind == TICKET_RECALL)
		return fail(TOCSIN_EUSAGE,
		    "%s is a recall itself; that cannot be taken back",
		    c->draft->thread);
	for (i = 0; err == TOCSIN_OK && i < t->nto; i++)
		err = compose_add_to(c, t->to[i].member);
	if (err == TOCSIN_OK && c->draft->recall != NULL)
		err = recall_parts(c, o);
	if (err == TOCSIN_OK && memcmp(o->row.id, o->row.thread, ID_LEN) == 0)
		err = recall_carriers(c, tx);
	return err;
}

/* `ref` is what is to be recalled; the recipients of that are to be told. */
enum tocsin_err
compose_recall(struct composing *c, struct desk_tx *tx)
{
	struct opened *o;
	enum tocsin_err err;
	uint64_t n;

	if (c->header.kind != TICKET_RECALL)
		return c->draft->recall == NULL
			   ? TOCSIN_OK
			   : fail(TOCSIN_EUSAGE,
				 "a %s takes nothing back, a recall does",
				 c->draft->kind);
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = desk_find(tx, c->header.ref[0], &n);
	if (err == TOCSIN_OK)
		err = open_message(c->t, tx, n, o);
	err = err == TOCSIN_OK
		  ? recall_from(c, tx, o)
		  : fail(err, "the desk: %s", tocsin_err_text(err));
	opened_release(o);
	free(o);
	return err;
}

/* ---- what was seen ---- */

#define SEEN_MAX 4

/* Whoever gets this one has got that one: it tells nobody anything new. */
static bool
known_to_all(const struct composing *c, const struct ticket *t)
{
	size_t i;

	for (i = 0; i < c->nto; i++)
		if (ticket_to_find(t, span_of(c->to[i])) < 0)
			return false;
	return true;
}

static bool
has_ref(const struct ticket *h, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < h->nref; i++)
		if (memcmp(h->ref[i], id, ID_LEN) == 0)
			return true;
	return h->has_thread && memcmp(h->thread, id, ID_LEN) == 0;
}

static bool
is_answer(const struct ticket *t)
{
	return t->kind == TICKET_ACK || t->kind == TICKET_RESULT;
}

/*
 * Whether a question is open that we may not name to all whom we write to.
 * What this device writes comes after what it wrote, so one answer will do.
 */
static bool
unnamed_question(
    const struct composing *c, const struct ticket *t, bool own, bool before)
{
	if (own)
		return before && !is_answer(t);
	return before ||
	       ((t->kind == TICKET_REQUEST || t->kind == TICKET_QUERY) &&
		   !known_to_all(c, t));
}

/*
 * An answer to such a one is of a later second than all that is here. Of a
 * clock that is far ahead we take over half at most, or we would be ahead
 * ourselves.
 */
static void
come_after(struct composing *c, int64_t least)
{
	int64_t most = c->now + CLOCK_SKEW / 2;

	c->after = least < most ? least : most;
}

/*
 * The last that came here: what is written now is written after it, whatever
 * the clocks say. In a recall and in its confirmation `ref` means more.
 */
enum tocsin_err
compose_seen(struct composing *c, struct desk_tx *tx)
{
	struct ticket *t, *h = &c->header;
	uint8_t seen[SEEN_MAX][ID_LEN];
	struct desk_message row;
	struct note note;
	size_t i, count = 0;
	int64_t latest = 0, own = 0;
	bool unnamed = false;
	uint64_t n = 0;

	if (!h->has_thread || h->kind == TICKET_RECALL || c->confirms)
		return TOCSIN_OK;
	t = malloc(sizeof(*t));
	if (t == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (desk_thread_next(tx, h->thread, n, &n) == TOCSIN_OK) {
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(t, &note, row.note) != TOCSIN_OK)
			continue;
		if (row.own && t->time > own)
			own = t->time;
		latest = t->time > latest ? t->time : latest;
		unnamed = unnamed_question(c, t, row.own, unnamed);
		if (!row.own && !has_ref(h, row.id) && known_to_all(c, t))
			memcpy(seen[count++ % SEEN_MAX], row.id, ID_LEN);
	}
	if (is_answer(h))
		come_after(c, unnamed ? latest + 1 : own);
	for (i = 0; i < count && i < SEEN_MAX; i++)
		memcpy(h->ref[h->nref++], seen[i], ID_LEN);
	free(t);
	return TOCSIN_OK;
}
