/* SPDX-License-Identifier: ISC */
/*
 * entry.get and entry.list: a peer that has lost entries, or finds one damaged,
 * asks those who have them. What it may have is what it had: what its nation
 * sent or was sent, and what is for everybody. See mend.h.
 */
#include "broker/dispatch.h"
#include "broker/item.h"
#include "broker/recall.h"
#include "crypto/ticket.h"

#include <string.h>

#define SCAN_MAX 20000 /* entries that one request goes through */

/* ---- need to know ---- */

static bool
ticket_concerns(const struct store_entry *e, struct span nation)
{
	struct ticket t;
	struct note n;
	size_t i;

	if (ticket_parse(&t, &n, e->note) != TOCSIN_OK)
		return false;
	if (span_eq(member_nation(t.from), nation))
		return true;
	for (i = 0; i < t.nto; i++)
		if (span_eq(member_nation(t.to[i].member), nation))
			return true;
	return false;
}

/* A receipt is for the sender of the tickets; its maker had it too. */
static bool
concerns(const struct store_entry *e, const struct trust_who *who)
{
	struct span nation = span_of(who->nation);

	switch (e->kind) {
	case STORE_TICKET:
		return ticket_concerns(e, nation);
	case STORE_RECEIPT:
		return span_is(e->via, who->broker) ||
		       span_eq(member_nation(e->member), nation);
	case STORE_ROSTER:
	case STORE_KEYS:
		return true;
	}
	return false;
}

/* ---- entry.get ---- */

/* Kind, note and body, as one run of bytes of which a range is wanted. */
static enum tocsin_err
entry_bytes(struct msg_range *out, struct buf *bytes, struct store_rx *rx,
    const struct store_entry *e, const struct msg_get *m)
{
	size_t max = m->max < MSG_RANGE_MAX ? m->max : MSG_RANGE_MAX;
	struct buf head = { 0 };
	struct item_cut cut;
	uint64_t rest = e->body.n;
	struct ticket t;
	struct note n;
	enum tocsin_err err = TOCSIN_OK;

	if (e->detached) {
		err = ticket_parse(&t, &n, e->note);
		rest = err ? 0 : t.body_size;
	}
	buf_u8(&head, (uint8_t)e->kind);
	item_head_entry(&head, e->note, rest);
	out->total = out->have = head.n + rest;
	cut = item_cut(buf_span(&head), rest, m->offset, max);
	buf_add(bytes, cut.head);
	if (!err && cut.rest_n > 0 && e->detached)
		err = store_part_read(
		    rx, t.body_hash, cut.rest_from, cut.rest_n, bytes);
	else if (cut.rest_n > 0)
		buf_add(bytes,
		    span_cut(e->body, (size_t)cut.rest_from, cut.rest_n));
	if (!err && (!buf_ok(&head) || !buf_ok(bytes)))
		err = TOCSIN_EBUSY;
	buf_release(&head);
	return err;
}

/* A body that is a part, too, but nothing recalled. One that is not is asked
 * for with its entry. */
static bool
names_part(
    struct store_rx *rx, const struct store_entry *e, const uint8_t hash[32])
{
	struct ticket t;
	struct note n;
	size_t i;

	if (e->kind != STORE_TICKET ||
	    ticket_parse(&t, &n, e->note) != TOCSIN_OK)
		return false;
	if (e->detached && memcmp(t.body_hash, hash, 32) == 0)
		return true;
	for (i = 0; i < t.npart; i++)
		if (memcmp(t.part[i].hash, hash, 32) == 0)
			return !recall_covers(rx, &t, hash);
	return false;
}

static enum tocsin_err
part_bytes(struct msg_range *out, struct buf *bytes, struct store_rx *rx,
    const struct store_entry *e, const struct msg_get *m)
{
	size_t max = m->max < MSG_RANGE_MAX ? m->max : MSG_RANGE_MAX;
	struct store_part part;
	enum tocsin_err err;

	if (!names_part(rx, e, m->hash))
		return TOCSIN_ENOTFOUND;
	err = store_part_stat(rx, m->hash, &part);
	if (err)
		return err;
	out->total = part.total;
	out->have = part.have;
	return m->offset < part.have
		   ? store_part_read(rx, m->hash, m->offset, max, bytes)
		   : TOCSIN_OK;
}

static enum tocsin_err
get(struct request *r, const struct msg_get *m, struct msg_range *out,
    struct buf *bytes)
{
	static const uint8_t none[32];
	struct store_rx *rx = NULL;
	struct store_entry e;
	uint64_t seq;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return err;
	err = store_find(rx, m->id, &seq);
	if (!err)
		err = store_get(rx, seq, &e);
	if (!err && !concerns(&e, &r->who))
		err = TOCSIN_ENOTFOUND; /* as if it were not here */
	if (!err && memcmp(m->hash, none, sizeof(none)) == 0)
		err = entry_bytes(out, bytes, rx, &e, m);
	else if (!err)
		err = part_bytes(out, bytes, rx, &e, m);
	store_read_end(rx);
	return err;
}

void
op_entry_get(struct request *r, struct span body)
{
	struct buf bytes = { 0 }, reply = { 0 };
	struct msg_range range = { 0 };
	struct msg_get m;
	enum tocsin_err err = msg_get_decode(&m, body);

	if (!err)
		err = get(r, &m, &range, &bytes);
	if (err) {
		request_refuse(r, err, 0, NULL);
	} else {
		range.bytes = buf_span(&bytes);
		msg_accept(&reply);
		msg_range_encode(&reply, &range);
		request_answer(r, &reply);
	}
	buf_release(&reply);
	buf_release(&bytes);
}

/* ---- entry.list ---- */

/* The ids of what concerns the peer; *at is how far that goes. */
static enum tocsin_err
list(struct request *r, uint64_t *at, struct buf *ids)
{
	struct store_rx *rx = NULL;
	struct store_entry e;
	uint64_t end;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return err;
	end = store_head(rx);
	if (*at < end && end - *at > SCAN_MAX)
		end = *at + SCAN_MAX;
	while (*at < end && ids->n < (size_t)MSG_IDS_MAX * 32) {
		++*at;
		if (store_get(rx, *at, &e) == TOCSIN_OK &&
		    concerns(&e, &r->who))
			buf_add(ids, SPAN(e.id));
	}
	if (*at >= store_head(rx))
		*at = 0;
	store_read_end(rx);
	return buf_ok(ids) ? TOCSIN_OK : TOCSIN_EBUSY;
}

void
op_entry_list(struct request *r, struct span body)
{
	struct buf ids = { 0 }, reply = { 0 };
	struct rd rd = rd_init(body);
	uint64_t at = rd_u64(&rd);
	enum tocsin_err err = TOCSIN_EMALFORMED;

	if (rd_done(&rd))
		err = list(r, &at, &ids);
	if (err) {
		request_refuse(r, err, 0, NULL);
	} else {
		msg_accept(&reply);
		msg_ids_encode(&reply, at, buf_span(&ids));
		request_answer(r, &reply);
	}
	buf_release(&reply);
	buf_release(&ids);
}
