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
	struct name member;
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
begin(struct receipts *r, struct span member, bool apart)
{
	struct open_receipt *o = malloc(sizeof(*o));

	if (!o || member.n == 0 || member.n > STORE_NAME_MAX) {
		free(o);
		return NULL;
	}
	receipt_init(&o->r, "", "", 0);
	o->member.n = (uint8_t)member.n;
	memcpy(o->member.bytes, member.p, member.n);
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
find(struct receipts *r, struct span member, bool apart)
{
	struct open_receipt *o;

	for (o = r->open; o; o = o->next)
		if (span_eq((struct span){ o->member.bytes, o->member.n },
			member) &&
		    o->apart == apart && has_room(&o->r))
			return &o->r;
	o = begin(r, member, apart);
	return o ? &o->r : NULL;
}

static struct receipt *
with_room(struct receipts *r, struct span member)
{
	return find(r, member, false);
}

enum tocsin_err
receipts_stored(struct receipts *r, struct span member,
    const uint8_t id[ID_LEN], uint64_t index)
{
	struct receipt *to = with_room(r, member);

	return to && receipt_stored(to, id, index) ? TOCSIN_OK
						   : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_delivered(struct receipts *r, struct span member,
    const uint8_t id[ID_LEN], const char *to_member, const char *to_device)
{
	struct receipt *to = with_room(r, member);

	return to && receipt_delivered(to, id, to_member, to_device)
		   ? TOCSIN_OK
		   : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_refused(struct receipts *r, struct span member,
    const uint8_t id[ID_LEN], enum tocsin_err reason)
{
	struct receipt *to = with_room(r, member);

	return to && receipt_refused(to, id, reason) ? TOCSIN_OK
						     : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_erased(struct receipts *r, struct span member,
    const uint8_t id[ID_LEN], const uint8_t *part)
{
	struct receipt *to = with_room(r, member);

	return to && receipt_erased(to, id, part) ? TOCSIN_OK
						  : TOCSIN_EINTERNAL;
}

enum tocsin_err
receipts_without(struct receipts *r, struct span member,
    const uint8_t id[ID_LEN], const uint8_t part[32], enum tocsin_err reason)
{
	struct receipt *to = find(r, member, true);

	return to && receipt_without(to, id, part, reason) ? TOCSIN_OK
							   : TOCSIN_EINTERNAL;
}

/* ---- the end of a batch ---- */

static enum tocsin_err
route(struct batch *batch, struct span member, uint64_t seq)
{
	struct span nation = member_nation(member);
	enum tocsin_err err = TOCSIN_OK;

	if (span_is(nation, batch->b->conf.nation)) {
		names_add(&batch->members, member);
		err = store_mail(batch->tx, member, seq);
	}
	if (err)
		return err;
	return intake_queue_nation(
	    batch, nation, LANE_IMMEDIATE, (struct store_out){ .seq = seq });
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
	struct span member = { o->member.bytes, o->member.n };
	struct store_entry e = {
		.kind = STORE_RECEIPT, .time = batch->now, .member = member
	};
	struct buf note = { 0 };
	enum tocsin_err err;
	uint64_t seq;

	err = sign(&note, e.id, &o->r, batch);
	e.note = buf_span(&note);
	if (!err)
		err = store_append(batch->tx, &e, &seq);
	if (!err)
		err = route(batch, member, seq);
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
