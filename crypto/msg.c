/* SPDX-License-Identifier: ISC */
#include "crypto/msg.h"

#include "crypto/text.h"

#include <string.h>

#define ENTRY_DETACHED 1
#define ENTRIES_MORE 1
#define RELAY_REPEAT 1

static enum tocsin_err
judge(const struct rd *r)
{
	return rd_done(r) ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

static void
add_block(struct buf *out, struct span s)
{
	buf_u32(out, (uint32_t)s.n);
	buf_add(out, s);
}

static struct span
take_block(struct rd *r)
{
	return rd_span(r, rd_u32(r));
}

/* One bit of flags; any other makes the message one that we don't know. */
static bool
take_flag(struct rd *r)
{
	uint8_t flags = rd_u8(r);

	if (flags > 1)
		r->bad = true;
	return flags == 1;
}

uint8_t
msg_op(struct span request, struct span *body)
{
	struct rd r = rd_init(request);
	uint8_t op = rd_u8(&r);

	*body = rd_rest(&r);
	return op;
}

void
msg_accept(struct buf *out)
{
	buf_u16(out, TOCSIN_OK);
}

void
msg_refuse(struct buf *out, enum tocsin_err code, uint32_t retry_ms,
    const char *detail)
{
	buf_u16(out, (uint16_t)code);
	buf_u32(out, retry_ms);
	if (detail != NULL)
		buf_add(out, span_cut(span_of(detail), 0, MSG_DETAIL_MAX));
}

static bool
printable(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

enum tocsin_err
msg_reply_decode(struct msg_reply *out, struct span reply)
{
	struct msg_reply m = { 0 };
	struct rd r = rd_init(reply);

	m.code = tocsin_err_from_wire(rd_u16(&r));
	if (m.code != TOCSIN_OK)
		m.retry_ms = rd_u32(&r);
	m.rest = rd_rest(&r);
	if (!rd_done(&r))
		return TOCSIN_EMALFORMED;
	if (m.code != TOCSIN_OK &&
	    (m.rest.n > MSG_DETAIL_MAX || !printable(m.rest)))
		return TOCSIN_EMALFORMED;
	*out = m;
	return TOCSIN_OK;
}

void
msg_post_encode(struct buf *out, const struct msg_envelope *env, size_t n)
{
	size_t i;

	buf_u8(out, MSG_POST);
	buf_u16(out, (uint16_t)n);
	for (i = 0; i < n; i++) {
		add_block(out, env[i].note);
		add_block(out, env[i].body);
	}
}

enum tocsin_err
msg_post_decode(struct msg_post *out, struct span body)
{
	struct rd r = rd_init(body);
	size_t i;

	out->n = rd_u16(&r);
	if (out->n == 0 || out->n > MSG_POSTS_MAX)
		return TOCSIN_EMALFORMED;
	for (i = 0; i < out->n; i++) {
		out->env[i].note = take_block(&r);
		out->env[i].body = take_block(&r);
	}
	return judge(&r);
}

void
msg_posted_encode(struct buf *out, const struct msg_posted *m)
{
	size_t i;

	buf_u16(out, (uint16_t)m->n);
	for (i = 0; i < m->n; i++) {
		buf_u16(out, (uint16_t)m->item[i].code);
		buf_u64(out, m->item[i].seq);
	}
}

enum tocsin_err
msg_posted_decode(struct msg_posted *out, struct span rest)
{
	struct rd r = rd_init(rest);
	size_t i;

	out->n = rd_u16(&r);
	if (out->n > MSG_POSTS_MAX)
		return TOCSIN_EMALFORMED;
	for (i = 0; i < out->n; i++) {
		out->item[i].code = tocsin_err_from_wire(rd_u16(&r));
		out->item[i].seq = rd_u64(&r);
	}
	return judge(&r);
}

void
msg_fetch_encode(struct buf *out, const struct msg_fetch *m)
{
	buf_u8(out, MSG_FETCH);
	buf_u64(out, m->acked);
	buf_u64(out, m->after);
	buf_u32(out, m->wait_ms);
	buf_u32(out, m->max_bytes);
}

enum tocsin_err
msg_fetch_decode(struct msg_fetch *out, struct span body)
{
	struct rd r = rd_init(body);

	out->acked = rd_u64(&r);
	out->after = rd_u64(&r);
	out->wait_ms = rd_u32(&r);
	out->max_bytes = rd_u32(&r);
	if (out->wait_ms > MSG_WAIT_MAX)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

size_t
msg_entries_begin(struct buf *out, uint64_t from)
{
	size_t mark = out->n;

	buf_u8(out, 0);
	buf_u16(out, 0);
	buf_u64(out, from);
	return mark;
}

void
msg_entries_add(struct buf *out, const struct msg_entry *e)
{
	buf_u64(out, e->seq);
	buf_u64(out, (uint64_t)e->time);
	buf_u8(out, e->kind);
	buf_u8(out, e->detached ? ENTRY_DETACHED : 0);
	add_block(out, e->note);
	add_block(out, e->body);
}

void
msg_entries_end(struct buf *out, size_t mark, bool more, size_t n)
{
	if (!buf_ok(out))
		return;
	out->p[mark] = more ? ENTRIES_MORE : 0;
	out->p[mark + 1] = (uint8_t)(n >> 8);
	out->p[mark + 2] = (uint8_t)n;
}

static struct msg_entry
take_entry(struct rd *r)
{
	struct msg_entry e = { 0 };

	e.seq = rd_u64(r);
	e.time = (int64_t)rd_u64(r);
	e.kind = rd_u8(r);
	e.detached = take_flag(r);
	e.note = take_block(r);
	e.body = take_block(r);
	return e;
}

enum tocsin_err
msg_entries_decode(struct msg_entries *out, struct span rest)
{
	struct rd r = rd_init(rest);
	size_t i;

	out->more = take_flag(&r);
	out->n = rd_u16(&r);
	out->from = rd_u64(&r);
	if (out->n > MSG_ENTRIES_MAX)
		return TOCSIN_EMALFORMED;
	for (i = 0; i < out->n; i++) {
		uint64_t before = i > 0 ? out->entry[i - 1].seq : out->from;

		out->entry[i] = take_entry(&r);
		if (out->entry[i].seq <= before)
			return TOCSIN_EMALFORMED;
	}
	return judge(&r);
}

void
msg_urgent_encode(struct buf *out, const struct msg_urgent *m)
{
	buf_u8(out, MSG_URGENT);
	buf_u64(out, m->after);
	buf_u32(out, m->max_bytes);
}

enum tocsin_err
msg_urgent_decode(struct msg_urgent *out, struct span body)
{
	struct rd r = rd_init(body);

	out->after = rd_u64(&r);
	out->max_bytes = rd_u32(&r);
	return judge(&r);
}

enum tocsin_err
msg_urgents_decode(struct msg_entries *out, uint64_t *to, struct span rest)
{
	struct rd r = rd_init(rest);
	struct span entries;
	enum tocsin_err err;

	if (rest.n < 8)
		return TOCSIN_EMALFORMED;
	entries = rd_span(&r, rest.n - 8);
	*to = rd_u64(&r);
	err = msg_entries_decode(out, entries);
	if (err == TOCSIN_OK &&
	    *to < (out->n > 0 ? out->entry[out->n - 1].seq : out->from))
		err = TOCSIN_EMALFORMED;
	return err;
}

void
msg_put_encode(struct buf *out, const struct msg_put *m)
{
	buf_u8(out, MSG_PUT);
	buf_add(out, SPAN(m->hash));
	buf_u64(out, m->total);
	buf_u64(out, m->offset);
	buf_add(out, m->bytes);
}

enum tocsin_err
msg_put_decode(struct msg_put *out, struct span body)
{
	struct rd r = rd_init(body);

	rd_copy(&r, out->hash, sizeof(out->hash));
	out->total = rd_u64(&r);
	out->offset = rd_u64(&r);
	out->bytes = rd_rest(&r);
	if (out->bytes.n > MSG_RANGE_MAX || out->offset > out->total ||
	    out->bytes.n > out->total - out->offset)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_have_encode(struct buf *out, const struct msg_have *m)
{
	buf_u64(out, m->have);
	buf_u8(out, m->complete);
}

enum tocsin_err
msg_have_decode(struct msg_have *out, struct span rest)
{
	struct rd r = rd_init(rest);

	out->have = rd_u64(&r);
	out->complete = take_flag(&r);
	return judge(&r);
}

void
msg_ids_encode(struct buf *out, uint64_t next, struct span ids)
{
	buf_u64(out, next);
	buf_add(out, ids);
}

enum tocsin_err
msg_ids_decode(uint64_t *next, struct span *ids, struct span rest)
{
	struct rd r = rd_init(rest);
	uint64_t at = rd_u64(&r);
	struct span all = rd_rest(&r);

	if (!rd_done(&r) || all.n % 32 != 0 || all.n > (size_t)MSG_IDS_MAX * 32)
		return TOCSIN_EMALFORMED;
	*next = at;
	*ids = all;
	return TOCSIN_OK;
}

void
msg_get_encode(struct buf *out, const struct msg_get *m)
{
	buf_u8(out, MSG_GET);
	buf_add(out, SPAN(m->id));
	buf_add(out, SPAN(m->hash));
	buf_u64(out, m->offset);
	buf_u32(out, m->max);
}

enum tocsin_err
msg_get_decode(struct msg_get *out, struct span body)
{
	struct rd r = rd_init(body);

	rd_copy(&r, out->id, sizeof(out->id));
	rd_copy(&r, out->hash, sizeof(out->hash));
	out->offset = rd_u64(&r);
	out->max = rd_u32(&r);
	return judge(&r);
}

void
msg_range_encode(struct buf *out, const struct msg_range *m)
{
	buf_u64(out, m->total);
	buf_u64(out, m->have);
	buf_add(out, m->bytes);
}

enum tocsin_err
msg_range_decode(struct msg_range *out, struct span rest)
{
	struct rd r = rd_init(rest);

	out->total = rd_u64(&r);
	out->have = rd_u64(&r);
	out->bytes = rd_rest(&r);
	if (out->have > out->total || out->bytes.n > out->have)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_roster_encode(struct buf *out, const struct msg_roster *m)
{
	buf_u8(out, MSG_ROSTER);
	buf_u64(out, m->serial);
	buf_u32(out, m->offset);
}

enum tocsin_err
msg_roster_decode(struct msg_roster *out, struct span body)
{
	struct rd r = rd_init(body);

	out->serial = rd_u64(&r);
	out->offset = rd_u32(&r);
	return judge(&r);
}

void
msg_roster_range_encode(struct buf *out, const struct msg_roster_range *m)
{
	buf_u64(out, m->current);
	buf_u64(out, m->serial);
	buf_u32(out, m->total);
	buf_add(out, m->bytes);
}

enum tocsin_err
msg_roster_range_decode(struct msg_roster_range *out, struct span rest)
{
	struct rd r = rd_init(rest);

	out->current = rd_u64(&r);
	out->serial = rd_u64(&r);
	out->total = rd_u32(&r);
	out->bytes = rd_rest(&r);
	if (out->bytes.n > out->total)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_proof_encode(struct buf *out, const struct msg_proof *m)
{
	buf_u64(out, m->index);
	buf_u8(out, (uint8_t)(m->hashes.n / 32));
	buf_add(out, m->hashes);
	buf_add(out, m->checkpoint);
}

enum tocsin_err
msg_proof_decode(struct msg_proof *out, struct span rest)
{
	struct rd r = rd_init(rest);
	size_t n;

	out->index = rd_u64(&r);
	n = rd_u8(&r);
	out->hashes = rd_span(&r, n * 32);
	out->checkpoint = rd_rest(&r);
	if (n > 64)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_hello_encode(struct buf *out, const struct msg_hello *m)
{
	buf_u32(out, m->version);
	buf_u64(out, (uint64_t)m->time);
	buf_u64(out, m->part_max);
	buf_u64(out, m->roster);
}

enum tocsin_err
msg_hello_decode(struct msg_hello *out, struct span rest)
{
	struct rd r = rd_init(rest);

	out->version = rd_u32(&r);
	out->time = (int64_t)rd_u64(&r);
	out->part_max = rd_u64(&r);
	out->roster = rd_u64(&r);
	return judge(&r);
}

static void
add_cursor(struct buf *out, const struct msg_cursors *c, size_t lane)
{
	buf_u64(out, c->item[lane]);
	buf_u64(out, c->offset[lane]);
}

static void
take_cursor(struct rd *r, struct msg_cursors *c, size_t lane)
{
	c->item[lane] = rd_u64(r);
	c->offset[lane] = rd_u64(r);
}

static void
add_accept(struct buf *out, const struct msg_accept *a)
{
	size_t i, n;

	buf_u64(out, a->part);
	buf_u32(out, a->body);
	buf_u16(out, a->kinds_refused);
	buf_u8(out, a->nlabel);
	for (i = 0; i < a->nlabel; i++) {
		n = strlen(a->label[i]);
		buf_u8(out, (uint8_t)n);
		buf_add(out, (struct span){ (const uint8_t *)a->label[i], n });
	}
}

static bool
take_accept(struct rd *r, struct msg_accept *out)
{
	struct span label;
	size_t i;

	out->part = rd_u64(r);
	out->body = rd_u32(r);
	out->kinds_refused = rd_u16(r);
	out->nlabel = rd_u8(r);
	if (out->nlabel > MSG_LABELS)
		return false;
	for (i = 0; i < out->nlabel; i++) {
		label = rd_span(r, rd_u8(r));
		if (!name_token(label))
			return false;
		memcpy(out->label[i], label.p, label.n);
		out->label[i][label.n] = '\0';
	}
	return true;
}

void
msg_relay_encode(struct buf *out, const struct msg_relay *m)
{
	size_t i;

	buf_add(out, SPAN(m->link));
	buf_add(out, SPAN(m->key));
	buf_u32(out, m->window);
	buf_u8(out, m->waits);
	for (i = 0; i < MSG_LANES; i++) {
		add_cursor(out, &m->at, i);
		buf_add(out, SPAN(m->tally[i]));
		add_cursor(out, &m->from, i);
	}
	add_accept(out, &m->accept);
}

enum tocsin_err
msg_relay_decode(struct msg_relay *out, struct span rest)
{
	struct rd r = rd_init(rest);
	size_t i;

	rd_copy(&r, out->link, sizeof(out->link));
	rd_copy(&r, out->key, sizeof(out->key));
	out->window = rd_u32(&r);
	out->waits = rd_u8(&r);
	for (i = 0; i < MSG_LANES; i++) {
		take_cursor(&r, &out->at, i);
		rd_copy(&r, out->tally[i], sizeof(out->tally[i]));
		take_cursor(&r, &out->from, i);
	}
	return take_accept(&r, &out->accept) ? judge(&r) : TOCSIN_EMALFORMED;
}

void
msg_relay_wait_encode(struct buf *out, const struct msg_relay_wait *m)
{
	buf_u8(out, MSG_RELAY_WAIT);
	buf_add(out, SPAN(m->link));
	buf_u32(out, m->wait_ms);
	buf_u32(out, m->bytes);
}

enum tocsin_err
msg_relay_wait_decode(struct msg_relay_wait *out, struct span body)
{
	struct rd r = rd_init(body);

	rd_copy(&r, out->link, sizeof(out->link));
	out->wait_ms = rd_u32(&r);
	out->bytes = rd_u32(&r);
	if (out->wait_ms > MSG_WAIT_MAX)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

/* Of lanes that did not move nothing is said. */
#define NO_ROOM 0x80 /* in `missing` */

void
msg_relay_at_encode(struct buf *out, const struct msg_relay_at *m)
{
	size_t i;

	buf_u8(out, m->moved);
	buf_u8(out, (uint8_t)(m->missing | (m->full ? NO_ROOM : 0)));
	for (i = 0; i < MSG_LANES; i++)
		if (m->moved & 1u << i) {
			add_cursor(out, &m->at, i);
			buf_add(out, SPAN(m->tally[i]));
		}
	for (i = 0; i < MSG_LANES; i++)
		if (m->missing & 1u << i) {
			buf_u32(out, m->round[i]);
			add_cursor(out, &m->from, i);
		}
}

enum tocsin_err
msg_relay_at_decode(struct msg_relay_at *out, struct span rest)
{
	struct rd r = rd_init(rest);
	size_t i;

	memset(out, 0, sizeof(*out));
	out->moved = rd_u8(&r);
	out->missing = rd_u8(&r);
	out->full = out->missing & NO_ROOM;
	out->missing &= (uint8_t)~NO_ROOM;
	if ((out->moved | out->missing) >> MSG_LANES)
		return TOCSIN_EMALFORMED;
	for (i = 0; i < MSG_LANES; i++)
		if (out->moved & 1u << i) {
			take_cursor(&r, &out->at, i);
			rd_copy(&r, out->tally[i], sizeof(out->tally[i]));
		}
	for (i = 0; i < MSG_LANES; i++)
		if (out->missing & 1u << i) {
			out->round[i] = rd_u32(&r);
			take_cursor(&r, &out->from, i);
		}
	return judge(&r);
}

void
msg_relay_keys_encode(struct buf *out, const struct msg_relay_keys *m)
{
	buf_u8(out, MSG_RELAY_KEYS);
	buf_add(out, (struct span){ m->id, sizeof(m->id) });
	buf_add(out, m->member);
}

enum tocsin_err
msg_relay_keys_decode(struct msg_relay_keys *out, struct span body)
{
	struct rd r = rd_init(body);

	rd_copy(&r, out->id, sizeof(out->id));
	out->member = rd_rest(&r);
	if (!name_member(out->member))
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_parcel_encode(struct buf *out, const struct msg_parcel *m)
{
	buf_u64(out, m->call);
	add_block(out, m->bytes);
}

bool
msg_parcel_take(struct msg_parcel *out, struct span *parcels)
{
	struct rd r = rd_init(*parcels);

	if (parcels->n == 0)
		return false;
	out->call = rd_u64(&r);
	out->bytes = take_block(&r);
	*parcels = rd_rest(&r);
	return rd_done(&r);
}

/* Each is whole, none is empty, and nothing is behind the last. */
static struct span
take_parcels(struct rd *r)
{
	struct span all = rd_rest(r), rest = all;
	struct msg_parcel m;

	while (rest.n > 0)
		if (!msg_parcel_take(&m, &rest) || m.bytes.n == 0) {
			r->bad = true;
			break;
		}
	return all;
}

void
msg_pull_encode(struct buf *out, const struct msg_pull *m)
{
	buf_u8(out, MSG_RELAY_PULL);
	buf_u32(out, m->wait_ms);
	buf_u32(out, m->bytes);
	buf_u8(out, m->fresh);
	buf_add(out, m->parcels);
}

enum tocsin_err
msg_pull_decode(struct msg_pull *out, struct span body)
{
	struct rd r = rd_init(body);

	out->wait_ms = rd_u32(&r);
	out->bytes = rd_u32(&r);
	out->fresh = take_flag(&r);
	out->parcels = take_parcels(&r);
	if (out->wait_ms > MSG_WAIT_MAX)
		return TOCSIN_EMALFORMED;
	return judge(&r);
}

void
msg_pulled_encode(struct buf *out, const struct msg_pulled *m)
{
	buf_u8(out, m->pulls);
	buf_u32(out, m->number);
	buf_add(out, m->parcels);
}

enum tocsin_err
msg_pulled_decode(struct msg_pulled *out, struct span rest)
{
	struct rd r = rd_init(rest);

	out->pulls = rd_u8(&r);
	out->number = rd_u32(&r);
	out->parcels = take_parcels(&r);
	return judge(&r);
}
