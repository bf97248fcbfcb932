/* SPDX-License-Identifier: ISC */
#include "client/cli/drill_report.h"

#include "client/drill/clock.h"
#include "crypto/receipt.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void
drill_data_release(struct drill_data *d)
{
	free(d->message);
	free(d->receipt);
	arena_release(&d->arena);
	*d = (struct drill_data){ .n = 0 };
}

/* What was refused proves nothing, unless it is our own or was good before. */
static bool
counts(const struct desk_message *row)
{
	return row->own || row->refused == TOCSIN_OK ||
	       row->refused == TOCSIN_ERECALLED;
}

static bool
is_exercise(struct ticket *t, const struct desk_message *row)
{
	struct note note;

	return ticket_parse(t, &note, row->note) == TOCSIN_OK &&
	       t->exercise.n > 0;
}

/* ---- one message ---- */

static const char *
keep(struct drill_data *d, const char *s)
{
	return s != NULL ? arena_text(&d->arena, span_of(s)) : NULL;
}

static const char *
keep_id(struct drill_data *d, const uint8_t id[ID_LEN])
{
	char text[ID_TEXT + 1];

	id_print(text, id);
	return keep(d, text);
}

/* A number of the tag, or `otherwise` if there is no sense in it. */
static int64_t
number_of(const json_t *o, const char *name, int64_t most, int64_t otherwise)
{
	const json_t *v = json_object_get(o, name);
	int64_t n = json_is_integer(v) ? json_integer_value(v) : -1;

	return n >= 0 && n <= most ? n : otherwise;
}

/* What a message says of itself; it is another's word, and judged as such. */
static bool
read_tag(struct drill_data *d, struct drill_tag *out, const char *json)
{
	struct incident in = { .root = NULL };
	const json_t *o;
	const char *name, *script;
	uint8_t hash[ID_LEN];
	bool good = true;

	if (json == NULL || incident_parse(&in, span_of(json)) != TOCSIN_OK)
		return true;
	o = json_object_get(in.root, "drill");
	name = json_string_value(json_object_get(o, "inject"));
	script = json_string_value(json_object_get(o, "script"));
	if (name != NULL && name_label(span_of(name))) {
		out->inject = keep(d, name);
		good = out->inject != NULL;
		out->at = number_of(o, "at", SCRIPT_LENGTH, 0);
		out->length = number_of(o, "length", SCRIPT_LENGTH, 0);
		out->speed =
		    (unsigned)number_of(o, "speed", DRILL_SPEED_MAX, 1);
		if (script != NULL && id_parse(span_of(script), hash))
			out->script = keep(d, script);
	}
	incident_release(&in);
	return good;
}

static bool
read_answer(struct drill_data *d, struct drill_message *out, const char *json)
{
	struct incident in = { .root = NULL };

	if (json == NULL || incident_parse(&in, span_of(json)) != TOCSIN_OK)
		return true;
	out->m.answer = keep(d, in.answer);
	out->m.reason = keep(d, in.reason);
	incident_release(&in);
	return true;
}

static bool
fill_names(struct drill_data *d, struct drill_message *out,
    const struct ticket *t, const struct desk_message *row)
{
	const char **to = arena_array(&d->arena, t->nto + 1, sizeof(*to));
	const char **ref = arena_array(&d->arena, t->nref + 2, sizeof(*ref));
	struct span device = { t->from.p, t->from.n + 1 + t->device.n };
	size_t i;

	if (to == NULL || ref == NULL)
		return false;
	for (i = 0; i < t->nto; i++)
		if ((to[i] = arena_text(&d->arena, t->to[i].member)) == NULL)
			return false;
	for (i = 0; i < t->nref; i++)
		if ((ref[i] = keep_id(d, t->ref[i])) == NULL)
			return false;
	if (t->has_thread && (ref[i] = keep_id(d, t->thread)) == NULL)
		return false;
	out->m.to = to;
	out->m.ref = ref;
	out->m.id = keep_id(d, row->id);
	out->thread = keep_id(d, row->thread);
	out->m.member = arena_text(&d->arena, t->from);
	out->m.device = arena_text(&d->arena, device);
	return out->m.id != NULL && out->thread != NULL &&
	       out->m.member != NULL && out->m.device != NULL;
}

static struct drill_message *
new_message(struct drill_data *d)
{
	struct drill_message *grown;

	if (d->n == d->room) {
		d->room = d->room * 2 + 256;
		grown = realloc(d->message, d->room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		d->message = grown;
	}
	memset(&d->message[d->n], 0, sizeof(*d->message));
	return &d->message[d->n];
}

static enum tocsin_err
add_receipts(struct drill_data *d, struct desk_tx *tx,
    const struct desk_message *row, const char *id)
{
	struct ladder_receipt *r;
	struct desk_place p;
	enum tocsin_err err;
	size_t i;

	for (i = 0; (err = desk_place_get(tx, row->id, i, &p)) == TOCSIN_OK;
	     i++) {
		if (p.kind != RECEIPT_DELIVERED && p.kind != RECEIPT_REFUSED)
			continue;
		if (d->nreceipt == d->receipt_room) {
			d->receipt_room = d->receipt_room * 2 + 256;
			r = realloc(d->receipt, d->receipt_room * sizeof(*r));
			if (r == NULL)
				return TOCSIN_EINTERNAL;
			d->receipt = r;
		}
		r = &d->receipt[d->nreceipt++];
		*r = (struct ladder_receipt){ .id = id,
			.who = arena_text(&d->arena, p.who),
			.by = arena_text(&d->arena, p.by),
			.reason = arena_text(&d->arena, p.reason),
			.receipt = p.receipt.n == ID_LEN
				       ? keep_id(d, p.receipt.p)
				       : NULL,
			.time = p.time,
			.rung = p.kind == RECEIPT_DELIVERED
				    ? TOCSIN_RUNG_DELIVERED
				    : TOCSIN_RUNG_REFUSED };
		if (r->who == NULL || r->by == NULL || r->reason == NULL)
			return TOCSIN_EINTERNAL;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
add_message(struct drill_data *d, struct tocsin *t, struct desk_tx *tx,
    const struct ticket *ticket, const struct desk_message *row)
{
	struct drill_message *out = new_message(d);
	struct tocsin_message *m = NULL;
	enum tocsin_err err;

	if (out == NULL)
		return TOCSIN_EINTERNAL;
	err = message_of(t, tx, row->number, &m);
	if (err != TOCSIN_OK)
		return err;
	out->m.kind = ticket_kind_name(ticket->kind);
	out->m.time = ticket->time;
	out->m.ackby = ticket->ackby;
	out->m.seq = ticket->seq;
	out->heard = row->posted != 0 ? row->posted : row->arrived;
	out->subject = keep(d, m->subject);
	err = fill_names(d, out, ticket, row) &&
		      read_tag(d, &out->tag, m->json) &&
		      read_answer(d, out, m->json)
		  ? TOCSIN_OK
		  : TOCSIN_EINTERNAL;
	tocsin_message_free(m);
	if (err != TOCSIN_OK)
		return err;
	d->n++;
	if (ticket->tlp < d->tlp)
		d->tlp = ticket->tlp;
	if (out->tag.inject == NULL)
		return TOCSIN_OK;
	d->ours |= span_is(ticket->from, t->parts.keys->member);
	return add_receipts(d, tx, row, out->m.id);
}

enum tocsin_err
drill_data_load(struct drill_data *d, struct tocsin *t, const char *exercise)
{
	struct ticket *ticket = malloc(sizeof(*ticket));
	struct desk_message row;
	struct desk_tx *tx = NULL;
	uint64_t number = 0;
	enum tocsin_err err;

	*d = (struct drill_data){ .tlp = TICKET_CLEAR };
	snprintf(d->exercise, sizeof(d->exercise), "%s", exercise);
	if (ticket == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = begin_read(t, &tx);
	while (err == TOCSIN_OK &&
	       (err = desk_next(tx, number, &number)) == TOCSIN_OK) {
		if (desk_get(tx, number, &row) != TOCSIN_OK) {
			d->left_out++;
			continue;
		}
		if (!is_exercise(ticket, &row) ||
		    !span_is(ticket->exercise, exercise))
			continue;
		if (counts(&row))
			err = add_message(d, t, tx, ticket, &row);
		else
			d->left_out++;
	}
	desk_end(tx);
	free(ticket);
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	return fail(err, "the desk: %s", tocsin_err_text(err));
}
