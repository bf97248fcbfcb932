/* SPDX-License-Identifier: ISC */
/* From the outbox to frames: the side of the sender that reads the store. */
#include "broker/accept.h"
#include "broker/log.h"
#include "broker/recall.h"
#include "broker/relay_impl.h"
#include "crypto/ticket.h"

#include <string.h>

#define WIRE_BYTES 80 /* of headers below, per frame, about */
#define RETRY_MS 20
#define BEAT_MS 10000
#define TAIL_MS 30

static uint64_t
source_total(const struct source *s)
{
	return s->head.n + s->rest;
}

static void
source_drop(struct source *s)
{
	buf_release(&s->head);
	memset(s, 0, sizeof(*s));
}

void
send_forget(struct relay_peer *p)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		source_drop(&p->source[i]);
}

/* ---- what may be sent ---- */

bool
send_names(const struct ticket *t, struct span nation)
{
	size_t i;

	for (i = 0; i < t->nto; i++)
		if (span_eq(member_nation(t->to[i].member), nation))
			return true;
	return false;
}

static enum tocsin_err
load_ticket(
    struct source *s, const struct relay_peer *p, const struct store_entry *e)
{
	struct ticket t;
	struct note note;
	enum tocsin_err err = ticket_parse(&t, &note, e->note);

	if (err)
		return err;
	if (!send_names(&t, span_of(p->nation)))
		return TOCSIN_ENOTRECIPIENT;
	if (accept_ticket(&p->accept, &t)) {
		s->rest = 0; /* its header, for which the peer refuses it */
		return TOCSIN_OK;
	}
	s->rest = t.body_size;
	s->detached = e->detached;
	memcpy(s->hash, t.body_hash, sizeof(s->hash));
	if (!e->detached && e->body.n != t.body_size)
		return TOCSIN_EBODYMISMATCH;
	return TOCSIN_OK;
}

/* A receipt tells one member about its own tickets; is it one of theirs? */
static enum tocsin_err
load_other(
    struct source *s, const struct relay_peer *p, const struct store_entry *e)
{
	s->rest = e->body.n;
	if (e->kind == STORE_RECEIPT &&
	    !span_eq(member_nation(e->member), span_of(p->nation)))
		return TOCSIN_ENOTRECIPIENT;
	return TOCSIN_OK;
}

static enum tocsin_err
load_entry(struct source *s, const struct relay_peer *p, struct store_rx *rx,
    uint64_t seq)
{
	struct store_entry e;
	enum tocsin_err err = store_get(rx, seq, &e);

	if (err)
		return err;
	s->kind = (uint8_t)e.kind;
	s->seq = seq;
	if (e.erased)
		return TOCSIN_EERASED;
	err = e.kind == STORE_TICKET ? load_ticket(s, p, &e)
				     : load_other(s, p, &e);
	if (!err)
		item_head_entry(&s->head, e.note, s->rest);
	return err;
}

/* The ticket for whose sake it is sent: it names the part, and the nation. */
static enum tocsin_err
check_part(const struct relay_peer *p, struct store_rx *rx,
    const struct store_out *row)
{
	struct store_entry e;
	struct ticket t;
	struct note note;
	size_t i;
	enum tocsin_err err = store_get(rx, row->ticket, &e);

	if (!err && e.erased)
		err = TOCSIN_EERASED;
	if (!err)
		err = ticket_parse(&t, &note, e.note);
	if (err)
		return err;
	for (i = 0; i < t.npart; i++)
		if (memcmp(t.part[i].hash, row->part, 32) == 0)
			break;
	if (i == t.npart || !send_names(&t, span_of(p->nation)))
		return TOCSIN_ENOTRECIPIENT;
	return recall_covers(rx, &t, row->part) ? TOCSIN_ERECALLED
						: accept_ticket(&p->accept, &t);
}

static enum tocsin_err
load_part(struct source *s, const struct relay_peer *p, struct store_rx *rx,
    const struct store_out *row)
{
	const uint8_t *hash = row->part;
	struct store_part part;
	enum tocsin_err err = check_part(p, rx, row);

	if (!err)
		err = store_part_stat(rx, hash, &part);
	if (err)
		return err;
	if (!part.complete)
		return TOCSIN_ENOTFOUND;
	if (part.total > p->accept.part)
		return TOCSIN_ETOOLARGE;
	memcpy(s->hash, hash, sizeof(s->hash));
	s->detached = true;
	s->rest = part.total;
	item_head_part(&s->head, hash);
	return TOCSIN_OK;
}

static void
load_none(struct source *s, unsigned lane)
{
	source_drop(s);
	s->kind = lane == LANE_BULK ? RELAY_PART : RELAY_TICKET;
	s->none = true;
	item_gone(&s->head, lane == LANE_BULK);
}

/* It said itself that it does not take it. */
static bool
unwanted(enum tocsin_err err)
{
	return err == TOCSIN_ETOOLARGE || err == TOCSIN_EKINDNOTALLOWED ||
	       err == TOCSIN_EPOLICYDENIED;
}

/* The lane must not stop at it: the peer is told that it is no more. */
static void
load_gone(struct source *s, const struct relay_peer *p, unsigned lane,
    uint64_t n, enum tocsin_err why)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);
	bool wanted =
	    why == TOCSIN_EERASED || why == TOCSIN_ERECALLED || unwanted(why);

	log_limited(&limit, wanted ? LOG_INFO : LOG_ERROR,
	    "relay-item-not-sent", LOG_Z("peer", p->name), LOG_U("lane", lane),
	    LOG_U("item", n), LOG_ERR(why));
	load_none(s, lane);
}

/* ENOTFOUND, with *end set: nothing is queued there, nor behind. */
static enum tocsin_err
load_row(struct source *s, const struct relay_peer *p, struct store_rx *rx,
    unsigned lane, uint64_t n, bool *end)
{
	struct store_out row = { 0 };
	enum tocsin_err err;

	err = store_out_next(rx, span_of(p->name), lane, n - 1, &row);
	*end = err == TOCSIN_ENOTFOUND;
	if (err)
		return err;
	if (row.n != n)
		return TOCSIN_ENOTFOUND;
	s->kind = RELAY_PART;
	err = lane == LANE_BULK ? load_part(s, p, rx, &row)
				: load_entry(s, p, rx, row.seq);
	return !err && !buf_ok(&s->head) ? TOCSIN_EBUSY : err;
}

static bool
later(enum tocsin_err err)
{
	return err == TOCSIN_EBUSY || err == TOCSIN_EINTERNAL;
}

/* What the peer counts it as, too: tally.h. */
static void
source_mark(uint8_t mark[TALLY_MARK], const struct source *s)
{
	struct span head = buf_span(&s->head);

	if (s->none)
		memset(mark, 0, TALLY_MARK);
	else if (s->kind == RELAY_PART)
		memcpy(mark, s->hash, TALLY_MARK);
	else /* between the sizes of note and body */
		tally_mark(mark, span_cut(head, 4, head.n - 8));
}

/* ENOTFOUND: nothing queued there. EBUSY, EINTERNAL: try again later. */
static enum tocsin_err
load(struct relay_peer *p, struct store_rx *rx, unsigned lane, uint64_t n)
{
	struct source *s = &p->source[lane];
	uint8_t mark[TALLY_MARK];
	enum tocsin_err err;
	bool end;

	if (s->n == n)
		return TOCSIN_OK;
	source_drop(s);
	err = load_row(s, p, rx, lane, n, &end);
	if (err && !end && !later(err)) {
		load_gone(s, p, lane, n, err);
		err = buf_ok(&s->head) ? TOCSIN_OK : TOCSIN_EBUSY;
	}
	if (err) {
		source_drop(s);
		return err;
	}
	s->n = n;
	source_mark(mark, s);
	tally_note(p, lane, n, mark);
	return TOCSIN_OK;
}

/* One that is not sent, or no more queued, counts as one that is no more. */
enum tocsin_err
send_mark(uint8_t mark[TALLY_MARK], const struct relay_peer *p,
    struct store_rx *rx, unsigned lane, uint64_t n)
{
	struct source s = { 0 };
	bool end;
	enum tocsin_err err = load_row(&s, p, rx, lane, n, &end);

	s.none = err != TOCSIN_OK;
	source_mark(mark, &s);
	source_drop(&s);
	return later(err) ? err : TOCSIN_OK;
}

/* ---- frames ---- */

static enum tocsin_err
read_rest(const struct source *s, struct store_rx *rx, uint64_t from, size_t n,
    struct buf *out)
{
	struct store_entry e;
	size_t before = out->n;
	enum tocsin_err err;

	if (n == 0)
		return TOCSIN_OK;
	if (!s->detached) {
		err = store_get(rx, s->seq, &e);
		if (!err && e.erased)
			err = TOCSIN_EERASED;
		if (!err)
			buf_add(out, span_cut(e.body, (size_t)from, n));
	} else {
		err = store_part_read(rx, s->hash, from, n, out);
	}
	if (!err && out->n - before != n)
		err = buf_ok(out) ? TOCSIN_EBODYMISMATCH : TOCSIN_EBUSY;
	return err;
}

/* A lane has one way, so its pieces stay in order. */
static enum net_way
way_of(unsigned lane)
{
	return lane <= LANE_IMMEDIATE ? NET_URGENT : NET_BULK;
}

/*
 * When TCP loses the last packet of a burst it waits for two round trips before
 * it tries again; a packet behind it shows the loss after one.
 */
static int64_t
beat_after(const struct relay_piece *piece, enum net_way way)
{
	return way == NET_URGENT && piece->kind != RELAY_HEARTBEAT ? TAIL_MS
								   : BEAT_MS;
}

static enum tocsin_err
publish(struct relay *r, struct relay_peer *p, const struct relay_piece *piece,
    int64_t now)
{
	struct buf frame = { .max = RELAY_FRAME_MAX };
	enum net_way way = way_of(piece->lane);
	enum tocsin_err err;

	err = relay_frame_seal(&frame, p->id, p->counter, p->key, piece);
	if (!err) {
		p->counter++;
		p->frames_out++;
		p->bytes_out += frame.n;
		cap_take(&p->cap, frame.n + WIRE_BYTES);
		p->beat_at[way] = now + beat_after(piece, way);
		if (p->pulled)
			pulls_publish(r->pulls, p->name, way, buf_span(&frame));
		else
			net_publish(r->b->net, p->name, way, buf_span(&frame));
	}
	buf_release(&frame);
	return err;
}

static enum tocsin_err
send_piece(struct relay *r, struct relay_peer *p, struct store_rx *rx,
    const struct lane_want *want, int64_t now)
{
	struct source *s = &p->source[want->lane];
	struct item_cut cut;
	struct buf bytes = { .max = RELAY_BYTES_MAX };
	struct relay_piece piece = { .lane = (uint8_t)want->lane,
		.item = want->item,
		.kind = s->kind,
		.total = source_total(s),
		.offset = want->offset,
		.round = p->tx.lane[want->lane].round };
	enum tocsin_err err;

	cut = item_cut(buf_span(&s->head), s->rest, want->offset, want->max);
	buf_add(&bytes, cut.head);
	err = read_rest(s, rx, cut.rest_from, cut.rest_n, &bytes);
	piece.bytes = buf_span(&bytes);
	if (!err && bytes.n > 0)
		err = publish(r, p, &piece, now);
	if (!err)
		lane_tx_sent(&p->tx, want->lane, bytes.n, piece.total, now);
	buf_release(&bytes);
	return err;
}

/* OK: go on. Else wait a little. */
static enum tocsin_err
send_one(struct relay *r, struct relay_peer *p, struct store_rx *rx,
    const struct lane_want *want, int64_t now)
{
	struct source *s = &p->source[want->lane];
	uint8_t mark[TALLY_MARK];
	enum tocsin_err err = load(p, rx, want->lane, want->item);

	if (err == TOCSIN_ENOTFOUND) {
		lane_tx_empty(&p->tx, want->lane);
		return TOCSIN_OK;
	}
	if (!err)
		err = send_piece(r, p, rx, want, now);
	if (!err || err == TOCSIN_EBUSY || err == TOCSIN_EINTERNAL)
		return err;
	/* Damaged or erased: it was whole when its head was read. */
	load_gone(s, p, want->lane, want->item, err);
	s->n = want->item;
	source_mark(mark, s);
	tally_note(p, want->lane, want->item, mark);
	return TOCSIN_OK;
}

static bool
may_send(const struct relay_peer *p, unsigned lane, struct lane_want *want)
{
	return p->quantum > 0 && lane_tx_pick(&p->tx, want) &&
	       want->lane <= lane;
}

bool
send_pump(struct relay *r, struct relay_peer *p, unsigned lane, int64_t now)
{
	struct store_rx *rx = NULL;
	struct lane_want want;
	enum tocsin_err err = TOCSIN_OK;
	int64_t wait = 0;

	if (p->state != PEER_UP || now < p->pump_at)
		return false;
	p->pump_at = 0;
	while (!err && may_send(p, lane, &want) &&
	       (wait = cap_wait(&p->cap, now)) == 0) {
		if (rx == NULL)
			err = store_read(r->b->store, &rx);
		if (!err)
			err = send_one(r, p, rx, &want, now);
		p->quantum--;
	}
	if (rx != NULL)
		store_read_end(rx);
	if (err || wait > 0)
		p->pump_at = now + (err ? RETRY_MS : wait);
	return !err && wait == 0 && lane_tx_pick(&p->tx, &want);
}

static bool
heartbeat(struct relay *r, struct relay_peer *p, unsigned lane, int64_t now)
{
	struct lane_pos at = lane_tx_place(&p->tx, lane);
	struct relay_piece piece = { .lane = (uint8_t)lane,
		.item = at.item + 1,
		.offset = at.offset,
		.round = p->tx.lane[lane].round };

	return publish(r, p, &piece, now) == TOCSIN_OK;
}

/* One that can't be sent is as one that is lost. */
void
send_probe(struct relay *r, struct relay_peer *p, int64_t now)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (p->tx.lane[i].first != LANE_FLIGHTS &&
		    !heartbeat(r, p, i, now))
			return;
}

void
send_beat(struct relay *r, struct relay_peer *p, int64_t now)
{
	static const unsigned lane[NET_WAYS] = { LANE_FLASH, LANE_BULK };
	unsigned i;

	for (i = 0; i < NET_WAYS; i++)
		if (now >= p->beat_at[i] && !heartbeat(r, p, lane[i], now))
			p->beat_at[i] = now + BEAT_MS;
}

int64_t
send_beat_at(const struct relay_peer *p)
{
	return p->beat_at[NET_URGENT] < p->beat_at[NET_BULK]
		   ? p->beat_at[NET_URGENT]
		   : p->beat_at[NET_BULK];
}
