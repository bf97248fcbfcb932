/* SPDX-License-Identifier: ISC */
#include "broker/receipts.h"

#include "broker/broker.h"
#include "broker/intake_impl.h"
#include "crypto/relay_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A receipt in the making. One member may have several: the newest is first. */
struct open_receipt {
	struct open_receipt *next;
	char member[MEMBER_MAX + 1];
	char exercise[EXERCISE_MAX + 1];
	bool apart; /* of lines that older readers do not know */
	struct receipt r;
};

struct receipts {
	struct open_receipt *open;
};

struct receipts *
receipts_new(void)
{
	return calloc(1, sizeof(struct receipts));
}

void
receipts_drop(struct receipts *r)
{
	struct open_receipt *next;

	for (; r->open; r->open = next) {
		next = r->open->next;
		free(r->open);
	}
}

void
receipts_free(struct receipts *r)
{
	if (!r)
		return;
	receipts_drop(r);
	free(r);
}

static struct open_receipt *
begin(struct receipts *r, struct receipts_to to, bool apart)
{
	struct open_receipt *o = malloc(sizeof(*o));

	if (!o || to.member.n == 0 || to.member.n >= sizeof(o->member) ||
	    to.exercise.n >= sizeof(o->exercise)) {
		free(o);
		return NULL;
	}
	receipt_init(&o->r, "", "", 0);
	snprintf(o->member, sizeof(o->member), "%.*s", (int)to.member.n,
	    (const char *)to.member.p);
	snprintf(o->exercise, sizeof(o->exercise), "%.*s", (int)to.exercise.n,
	    (const char *)to.exercise.p);
	o->apart = apart;
	o->next = r->open;
	r->open = o;
	return o;
}

/* For any line more, and for our names, which are not in it yet. */
static bool
has_room(const struct receipt *r)
{
	return r->nline < RECEIPT_LINES &&
	       r->room >= RECEIPT_LINE_MAX + FEDERATION_MAX + LABEL_MAX;
}

static struct receipt *
find(struct receipts *r, struct receipts_to to, bool apart)
{
	struct open_receipt *o;

	for (o = r->open; o; o = o->next)
		if (span_is(to.member, o->member) &&
		    span_is(to.exercise, o->exercise) && o->apart == apart &&
		    has_room(&o->r))
			return &o->r;
	o = begin(r, to, apart);
	return o ? &o->r : NULL;
}

static struct receipt *
with_room(struct receipts *r, struct receipts_to to)
{
	return find(r, to, false);
}

enum tocsin_err
receipts_stored(struct receipts *r, struct receipts_to whom,
    const uint8_t id[ID_LEN], uint64_t index)
{
	struct receipt *to = with_room(r, whom);

	return to && receipt_stored(to, id, index) ? TOCSIN_OK
						   : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_delivered(struct receipts *r, struct receipts_to whom,
    const uint8_t id[ID_LEN], const char *to_member, const char *to_device)
{
	struct receipt *to = with_room(r, whom);

	return to && receipt_delivered(to, id, to_member, to_device)
		   ? TOCSIN_OK
		   : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_refused(struct receipts *r, struct receipts_to whom,
    const uint8_t id[ID_LEN], enum tocsin_err reason)
{
	struct receipt *to = with_room(r, whom);

	return to && receipt_refused(to, id, reason) ? TOCSIN_OK
						     : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_erased(struct receipts *r, struct receipts_to whom,
    const uint8_t id[ID_LEN], const uint8_t *part)
{
	struct receipt *to = with_room(r, whom);

	return to && receipt_erased(to, id, part) ? TOCSIN_OK
						  : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_without(struct receipts *r, struct receipts_to whom,
    const uint8_t id[ID_LEN], const uint8_t part[32], enum tocsin_err reason)
{
	struct receipt *to = find(r, whom, true);

	return to && receipt_without(to, id, part, reason) ? TOCSIN_OK
							   : TOCSIN_EINTERNAL;
}

/* ---- the end of a batch ---- */

static enum tocsin_err
route(struct batch *batch, const struct open_receipt *o, uint64_t seq)
{
	struct span nation = member_nation(span_of(o->member));
	bool live = o->exercise[0] == '\0';
	char name[MAILBOX_MAX + 1];
	struct span mailbox =
	    mailbox_name(name, span_of(o->member), span_of(o->exercise));
	enum tocsin_err err = TOCSIN_OK;

	if (span_is(nation, batch->b->conf.nation)) {
		names_add(&batch->members, mailbox);
		err = store_mail(batch->tx, mailbox, seq);
	}
	if (err)
		return err;
	return intake_queue_nation(batch, nation,
	    live ? LANE_IMMEDIATE : LANE_ROUTINE,
	    (struct store_out){ .seq = seq });
}

static enum tocsin_err
sign(struct buf *note, uint8_t id[ID_LEN], struct receipt *r,
    const struct batch *batch)
{
	const struct broker_config *c = &batch->b->conf;
	char name[KEYNAME_MAX + 1];
	struct buf text = { 0 };
	enum tocsin_err err;

	memcpy(r->federation, c->federation, sizeof(r->federation));
	memcpy(r->broker, c->name, sizeof(r->broker));
	r->time = batch->now;
	receipt_print(&text, r);
	snprintf(name, sizeof(name), "%s/sign", c->name);
	err = buf_ok(&text)
		  ? note_sign(note, buf_span(&text), span_of(name), c->sign_sk)
		  : TOCSIN_EINTERNAL;
	if (!err)
		note_id(id, buf_span(&text));
	buf_release(&text);
	return err;
}

static enum tocsin_err
issue(struct open_receipt *o, struct batch *batch)
{
	struct store_entry e = { .kind = STORE_RECEIPT,
		.time = batch->now,
		.member = span_of(o->member) };
	struct buf note = { 0 };
	enum tocsin_err err;
	uint64_t seq;

	err = sign(&note, e.id, &o->r, batch);
	e.note = buf_span(&note);
	if (!err)
		err = store_append(batch->tx, &e, &seq);
	if (!err)
		err = exercise_note(batch->tx, seq, span_of(o->exercise));
	if (!err)
		err = route(batch, o, seq);
	buf_release(&note);
	return err == TOCSIN_EDUPLICATE ? TOCSIN_OK : err;
}

enum tocsin_err
receipts_flush(struct receipts *r, struct batch *batch)
{
	struct open_receipt *o;
	enum tocsin_err err = TOCSIN_OK;

	for (o = r->open; o && !err; o = o->next)
		err = issue(o, batch);
	receipts_drop(r);
	return err;
}
