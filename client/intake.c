/* SPDX-License-Identifier: ISC */
#include "client/intake.h"

#include "client/coming.h"
#include "client/handle.h"
#include "client/recall.h"
#include "crypto/receipt.h"
#include "crypto/ticket.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR "cursor"
#define HELD "held/"
#define LATER_S 60	    /* between two looks at a text that is held */
#define NEVER INT64_MAX	    /* due: when we believe something new */
#define EXTRA_MAX (8 << 20) /* bytes asked for before they are put away */

enum kind { TICKET = 1, ROSTER = 2, KEYS = 3, RECEIPT = 4 };

/* What one answer is judged with. */
struct work {
	const struct intake *in;
	struct desk_tx *tx;
	struct ticket ticket;
	struct note note;
	const struct keys_device *device; /* that signed it, if it is good */
	struct receipt receipt;
	bool fetched; /* a body, of this hash; in->done() is to be told */
	uint8_t hash[32];
};

/* Errors of the disk or of memory: nothing was decided by them. */
static bool
is_storage(enum tocsin_err err)
{
	return err == TOCSIN_ENOSPACE || err == TOCSIN_EINTERNAL;
}

/* ---- what did not fit into the answer ---- */

/* Ask for one range and append its bytes; *total is the size of all. */
typedef enum tocsin_err range_fn(const struct intake *in, const void *what,
    struct buf *out, uint64_t *total);

static enum tocsin_err
get_all(const struct intake *in, range_fn *range, const void *what,
    uint64_t total, uint64_t max, struct buf *out)
{
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK && out->n < total) {
		size_t had = out->n;

		err = range(in, what, out, &total);
		if (err == TOCSIN_OK && !buf_ok(out))
			err = TOCSIN_EINTERNAL;
		if (err == TOCSIN_OK && (out->n == had || total > max))
			err = TOCSIN_EBODYMISMATCH;
	}
	return err;
}

/* Half a request would be refused, and that be taken for the broker's word. */
static enum tocsin_err
ask(const struct intake *in, const struct buf *request, struct buf *fields)
{
	if (!buf_ok(request))
		return TOCSIN_EINTERNAL;
	return in->ask(in->arg, buf_span(request), fields);
}

static enum tocsin_err
roster_range(
    const struct intake *in, const void *what, struct buf *out, uint64_t *total)
{
	const struct msg_roster m = { *(const uint64_t *)what,
		(uint32_t)out->n };
	struct buf request = { 0 }, fields = { 0 };
	struct msg_roster_range r;
	enum tocsin_err err;

	msg_roster_encode(&request, &m);
	err = ask(in, &request, &fields);
	if (err == TOCSIN_OK)
		err = msg_roster_range_decode(&r, buf_span(&fields));
	if (err == TOCSIN_OK) {
		buf_add(out, r.bytes);
		*total = r.total;
	}
	buf_release(&request);
	buf_release(&fields);
	return err;
}

static enum tocsin_err
get_roster(const struct intake *in, uint64_t serial, struct buf *out)
{
	return get_all(in, roster_range, &serial, 1, ROSTER_FILE_MAX, out);
}

static uint64_t
our_serial(const struct intake *in)
{
	const struct roster *r;
	uint64_t serial;

	pthread_mutex_lock(in->parts->lock);
	r = in->parts->belief->roster;
	serial = r != NULL ? r->serial : 0;
	pthread_mutex_unlock(in->parts->lock);
	return serial;
}

static bool
comes_apart(const struct msg_entry *e)
{
	return e->detached && e->kind == TICKET;
}

/*
 * Whether the desk has it, and nothing about it is to be mended. Our own come
 * back to us, and what is urgent comes twice: no reason to fetch it again.
 */
static bool
is_here(const struct work *w, const uint8_t id[ID_LEN])
{
	struct desk_message m;
	struct desk_tx *tx = NULL;
	uint64_t n;
	bool here = false;

	if (desk_read(w->in->parts->desk, &tx) == TOCSIN_OK &&
	    desk_find(tx, id, &n) == TOCSIN_OK &&
	    desk_get(tx, n, &m) == TOCSIN_OK)
		here = m.own || m.refused == TOCSIN_OK;
	desk_end(tx);
	return here;
}

/* A body that somebody else has put into the desk meanwhile is not needed. */
static enum tocsin_err
complete_ticket(struct work *w, struct msg_entry *e, struct buf *extra)
{
	enum tocsin_err err;

	if (ticket_parse(&w->ticket, &w->note, e->note) != TOCSIN_OK ||
	    is_here(w, w->ticket.id))
		return TOCSIN_OK;
	err = w->in->body(w->in->arg, &w->ticket, extra);
	if (err != TOCSIN_OK)
		return err == TOCSIN_EDUPLICATE ? TOCSIN_OK : err;
	e->body = buf_span(extra);
	w->fetched = true;
	memcpy(w->hash, w->ticket.body_hash, sizeof(w->hash));
	return TOCSIN_OK;
}

/*
 * Before the transaction: nothing waits for the network inside one. What the
 * broker will never give is judged as if it were empty, so that one entry does
 * not keep all after it away.
 */
static enum tocsin_err
complete(struct work *w, struct msg_entry *e, struct buf *extra)
{
	enum tocsin_err err = TOCSIN_OK;

	if (!e->detached)
		return TOCSIN_OK;
	if (e->kind == ROSTER && e->note.n == 0) {
		/* The one that follows ours is the only one of use. */
		err = get_roster(w->in, our_serial(w->in) + 1, extra);
		if (err == TOCSIN_OK)
			e->note = buf_span(extra);
	} else if (e->kind == TICKET) {
		err = complete_ticket(w, e, extra);
	}
	return is_storage(err) || sync_passes(err) ? err : TOCSIN_OK;
}

/* ---- the chain of a device's key ---- */

struct place {
	uint8_t id[ID_LEN];
	uint8_t prev[ID_LEN];
};

static void
place_name(char out[128], const struct work *w, uint64_t seq)
{
	const struct ticket *t = &w->ticket;
	const uint8_t *k = w->note.sig[0].id;

	snprintf(out, 128, "chain/%.*s/%.*s/%02x%02x%02x%02x/%020" PRIu64,
	    (int)t->from.n, (const char *)t->from.p, (int)t->device.n,
	    (const char *)t->device.p, k[0], k[1], k[2], k[3], seq);
}

static enum tocsin_err
place_get(const struct work *w, uint64_t seq, struct place *out)
{
	struct span row;
	char name[128];
	enum tocsin_err err;
	struct rd r;

	place_name(name, w, seq);
	err = desk_value_get(w->tx, name, &row);
	if (err != TOCSIN_OK)
		return err;
	r = rd_init(row);
	rd_copy(&r, out->id, ID_LEN);
	rd_copy(&r, out->prev, ID_LEN);
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_ENOTFOUND;
}

/* Whether what claims a place beside this message names another one. */
static enum tocsin_err
check_place(const struct work *w, int beside)
{
	const struct ticket *t = &w->ticket;
	struct place p;
	enum tocsin_err err = place_get(w, t->seq + (uint64_t)beside, &p);
	bool same;

	if (err != TOCSIN_OK)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	if (beside < 0)
		same = memcmp(p.id, t->prev, ID_LEN) == 0;
	else if (beside > 0)
		same = memcmp(p.prev, t->id, ID_LEN) == 0;
	else
		same = memcmp(p.id, t->id, ID_LEN) == 0;
	return same ? TOCSIN_OK : TOCSIN_ECHAINCONFLICT;
}

/*
 * We see our share of a device's messages, so gaps are normal; but what is in
 * the places beside this one, or in its own, must agree with it.
 */
static enum tocsin_err
check_chain(struct work *w)
{
	const struct ticket *t = &w->ticket;
	struct buf row = { 0 };
	char name[128];
	enum tocsin_err err;
	int beside;

	for (beside = -1; beside <= 1; beside++) {
		err = check_place(w, beside);
		if (err != TOCSIN_OK)
			return err;
	}
	place_name(name, w, t->seq);
	buf_add(&row, SPAN(t->id));
	buf_add(&row, SPAN(t->prev));
	err = buf_ok(&row) ? desk_value_put(w->tx, name, buf_span(&row))
			   : TOCSIN_EINTERNAL;
	buf_release(&row);
	return err;
}

/* ---- tickets ---- */

/* A message is an exercise exactly if the ticket that it belongs to is one. */
static enum tocsin_err
check_exercise(struct work *w)
{
	struct ticket *first;
	struct desk_message m;
	struct note note;
	enum tocsin_err err = TOCSIN_OK;
	uint64_t n;

	if (!w->ticket.has_thread)
		return TOCSIN_OK;
	err = desk_find(w->tx, w->ticket.thread, &n);
	if (err == TOCSIN_OK)
		err = desk_get(w->tx, n, &m);
	if (is_storage(err))
		return err;
	if (err != TOCSIN_OK || m.refused != TOCSIN_OK)
		return TOCSIN_OK;
	first = malloc(sizeof(*first));
	if (first == NULL)
		return TOCSIN_EINTERNAL;
	if (ticket_parse(first, &note, m.note) == TOCSIN_OK &&
	    !span_eq(first->exercise, w->ticket.exercise))
		err = TOCSIN_EEXERCISEMISMATCH;
	free(first);
	return err;
}

/* What can be said of the ticket, which is parsed, without its body. */
static enum tocsin_err
judge_header(struct work *w, int64_t posted)
{
	const struct sync_parts *p = w->in->parts;
	struct ticket_trust trust;
	enum tocsin_err err;

	w->device = NULL;
	/* No other's keys open it, and no screen of ours shows it as ours. */
	if (!span_is(w->ticket.exercise, p->keys->exercise))
		return TOCSIN_EEXERCISEMISMATCH;
	err = belief_trust(
	    &trust, p->belief, w->tx, &w->ticket, &w->note, w->in->now, posted);
	if (err == TOCSIN_OK)
		err = ticket_check(&w->ticket, &w->note, &trust);
	if (err == TOCSIN_OK)
		w->device = keys_device(trust.from_keys, w->ticket.device);
	if (err == TOCSIN_OK &&
	    ticket_to_find(&w->ticket, span_of(p->keys->member)) < 0)
		err = TOCSIN_ENOTRECIPIENT;
	return err;
}

/*
 * A bot's answer is in the body: it is judged when that is opened (read.c).
 * What it was let do is what stood in its announcement when our broker had the
 * ack, whatever came to this desk first.
 */
static enum tocsin_err
note_bot(struct work *w, int64_t posted)
{
	struct keys_device d;
	enum tocsin_err err;
	uint8_t may[2];
	char name[BOT_NAME];

	if (w->ticket.kind != TICKET_ACK || w->device == NULL ||
	    w->device->role != KEYS_BOT)
		return TOCSIN_OK;
	err = belief_device_at(&d, w->tx, &w->ticket, &w->note,
	    posted != 0 ? posted : w->ticket.time);
	if (err == TOCSIN_ENOTFOUND)
		d = *w->device;
	else if (err != TOCSIN_OK)
		return err;
	may[0] = (uint8_t)(d.may >> 8);
	may[1] = (uint8_t)d.may;
	bot_value(name, w->ticket.id);
	return desk_value_put(w->tx, name, SPAN(may));
}

/* `body` and `posted` are its message's. */
static enum tocsin_err
judge(struct work *w, struct span body, int64_t posted)
{
	enum tocsin_err err = judge_header(w, posted);

	if (err == TOCSIN_OK)
		err = ticket_check_body(&w->ticket, body);
	if (err == TOCSIN_OK)
		err = check_exercise(w);
	if (err == TOCSIN_OK)
		err = check_chain(w);
	return err == TOCSIN_OK ? note_bot(w, posted) : err;
}

static bool
is_ours(const struct work *w)
{
	const struct keystore *k = w->in->parts->keys;

	return span_is(w->ticket.from, k->member) &&
	       span_is(w->ticket.device, k->label);
}

/* Our own device goes on after the last that it is known to have sent. */
static enum tocsin_err
move_self(struct work *w)
{
	struct buf self = { 0 };
	struct span last;
	enum tocsin_err err = TOCSIN_OK;
	struct rd r;

	if (desk_value_get(w->tx, DESK_SELF, &last) == TOCSIN_OK) {
		r = rd_init(last);
		if (rd_u64(&r) >= w->ticket.seq)
			return TOCSIN_OK;
	}
	buf_u64(&self, w->ticket.seq);
	buf_add(&self, SPAN(w->ticket.id));
	err = buf_ok(&self) ? desk_value_put(w->tx, DESK_SELF, buf_span(&self))
			    : TOCSIN_EINTERNAL;
	buf_release(&self);
	return err;
}

/* ---- what is held ---- */

/* A message's number may be that of the entry which brought a text. */
static void
held_name(char out[128], int64_t due, uint64_t number, enum kind kind)
{
	snprintf(out, 128, HELD "%020" PRId64 "/%020" PRIu64 "/%u", due, number,
	    (unsigned)kind);
}

/* A row says what is held: a message by its number, or a text itself. */
static enum tocsin_err
hold(struct work *w, enum kind kind, int64_t due, uint64_t number,
    struct span text)
{
	struct buf row = { 0 };
	char name[128];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	held_name(name, due, number, kind);
	buf_u8(&row, (uint8_t)kind);
	buf_add(&row, text);
	if (buf_ok(&row))
		err = desk_value_put(w->tx, name, buf_span(&row));
	buf_release(&row);
	return err;
}

/* A reason that a clock, a roster or an announcement can take away. */
static enum tocsin_err
hold_ticket(struct work *w, const struct desk_message *m)
{
	switch (m->refused) {
	case TOCSIN_ECLOCKSKEW:
		return hold(w, TICKET, w->ticket.time - CLOCK_SKEW, m->number,
		    (struct span){ 0 });
	case TOCSIN_EROSTERUNKNOWN:
	case TOCSIN_ENOTENROLLED:
	case TOCSIN_EKEYSEXPIRED:
		return hold(w, TICKET, NEVER, m->number, (struct span){ 0 });
	default:
		return TOCSIN_OK;
	}
}

/* ---- tickets, new and known ---- */

/* As the bytes at hand are judged. */
static enum tocsin_err
decide(struct work *w, struct desk_message *m)
{
	enum tocsin_err err = judge(w, m->body, m->posted);

	if (is_storage(err))
		return err;
	m->refused = err;
	m->own = err == TOCSIN_OK && is_ours(w);
	if (err == TOCSIN_OK &&
	    !span_is(w->ticket.from, w->in->parts->keys->member) &&
	    recall_covers(w->tx, &w->ticket)) {
		m->refused = TOCSIN_ERECALLED;
		m->body = (struct span){ 0 };
	}
	return TOCSIN_OK;
}

/* It is in the desk; what it wants done is done in the same change. */
static enum tocsin_err
obey(struct work *w, const struct desk_message *m)
{
	if (m->refused != TOCSIN_OK || w->ticket.kind != TICKET_RECALL)
		return TOCSIN_OK;
	return recall_obey(w->tx, w->in->parts->keys, &w->ticket);
}

/*
 * It is here already. Ours has come to the broker. What was refused, or is
 * damaged on this disk, may come in better bytes: an id does not cover the
 * signature line, nor the body.
 */
static enum tocsin_err
known(struct work *w, struct desk_message *m)
{
	struct desk_message old;
	enum tocsin_err err = desk_get(w->tx, m->number, &old);

	if (err == TOCSIN_OK && (old.own || old.refused == TOCSIN_OK ||
				    old.refused == TOCSIN_ERECALLED)) {
		if (old.posted != 0)
			return TOCSIN_OK;
		if (old.own) /* given up here, and sent after all */
			old.refused = TOCSIN_OK;
		old.seq = m->seq;
		old.posted = m->posted;
		return desk_update(w->tx, &old);
	}
	if (err != TOCSIN_OK && err != TOCSIN_EBODYMISMATCH)
		return err;
	if (m->refused != TOCSIN_OK) /* not even parsed */
		return TOCSIN_OK;
	err = decide(w, m);
	if (err == TOCSIN_OK &&
	    (m->refused == TOCSIN_OK || m->refused == TOCSIN_ERECALLED))
		err = desk_again(w->tx, m);
	return err == TOCSIN_OK ? obey(w, m) : err;
}

static enum tocsin_err
unknown(struct work *w, struct desk_message *m)
{
	enum tocsin_err err = TOCSIN_OK;

	if (m->refused == TOCSIN_OK)
		err = decide(w, m);
	if (err == TOCSIN_OK && m->own)
		err = move_self(w);
	if (err == TOCSIN_OK)
		err = desk_put(w->tx, m);
	if (err == TOCSIN_OK)
		err = obey(w, m);
	return err == TOCSIN_OK ? hold_ticket(w, m) : err;
}

static enum tocsin_err
take_ticket(struct work *w, const struct msg_entry *e)
{
	struct desk_message m = { .seq = e->seq,
		.posted = e->time,
		.arrived = w->in->now,
		.note = e->note,
		.body = e->body };
	enum tocsin_err err;

	m.refused = ticket_parse(&w->ticket, &w->note, e->note);
	if (m.refused == TOCSIN_OK) {
		memcpy(m.id, w->ticket.id, ID_LEN);
		memcpy(m.thread,
		    w->ticket.has_thread ? w->ticket.thread : w->ticket.id,
		    ID_LEN);
	} else { /* no id can be believed; keep it under that of its bytes */
		crypto_hash_sha256(m.id, e->note.p, e->note.n);
		memcpy(m.thread, m.id, ID_LEN);
	}
	err = coming_drop(w->tx, e->seq);
	if (err == TOCSIN_OK)
		err = desk_find(w->tx, m.id, &m.number);
	if (err == TOCSIN_OK)
		return known(w, &m);
	return err == TOCSIN_ENOTFOUND ? unknown(w, &m) : err;
}

/* ---- tickets to come ---- */

/* Whether it was noted, and nothing can be said of it that was not. */
static bool
is_noted(const struct work *w, const struct msg_entry *e)
{
	struct coming c;

	return coming_next(w->tx, e->seq - 1, &c) == TOCSIN_OK &&
	       c.seq == e->seq && c.verdict == TOCSIN_OK;
}

static enum tocsin_err
note_header(struct work *w, const struct msg_entry *e)
{
	struct coming c = { .seq = e->seq,
		.posted = e->time,
		.arrived = w->in->now,
		.note = e->note };
	uint64_t n;
	enum tocsin_err err;

	if (is_noted(w, e) ||
	    ticket_parse(&w->ticket, &w->note, e->note) != TOCSIN_OK)
		return TOCSIN_OK;
	memcpy(c.id, w->ticket.id, ID_LEN);
	memcpy(c.thread, w->ticket.has_thread ? w->ticket.thread : w->ticket.id,
	    ID_LEN);
	err = desk_find(w->tx, c.id, &n);
	if (err != TOCSIN_ENOTFOUND) /* a message already, good or not */
		return err;
	c.verdict = judge_header(w, e->time);
	return is_storage(c.verdict) ? c.verdict : coming_put(w->tx, &c);
}

/* ---- receipts ---- */

static bool
has_part(const struct ticket *t, const uint8_t hash[32])
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (memcmp(t->part[i].hash, hash, 32) == 0)
			return true;
	return false;
}

/*
 * Of a ticket that our member sent, and of members that it went to. One that is
 * not of this home (it was refused for that) has receipts elsewhere.
 */
static bool
concerns(struct work *w, const struct desk_message *m,
    const struct receipt_line *l, const struct roster_broker *b)
{
	struct note note;
	size_t i;

	if (ticket_parse(&w->ticket, &note, m->note) != TOCSIN_OK ||
	    !span_is(w->ticket.from, w->in->parts->keys->member) ||
	    !span_is(w->ticket.exercise, w->in->parts->keys->exercise))
		return false;
	if (l->kind == RECEIPT_WITHOUT && !has_part(&w->ticket, l->part))
		return false;
	if (l->kind == RECEIPT_DELIVERED)
		return span_is(member_nation(span_of(l->member)), b->nation) &&
		       ticket_to_find(&w->ticket, span_of(l->member)) >= 0;
	for (i = 0; i < w->ticket.nto; i++)
		if (span_is(member_nation(w->ticket.to[i].member), b->nation))
			return true;
	return false;
}

/* A broker speaks for its own nation's members. */
static enum tocsin_err
take_line(struct work *w, const struct roster_broker *b,
    const struct receipt_line *l, bool *used)
{
	struct desk_place p = { .kind = (uint8_t)l->kind,
		.time = w->receipt.time,
		.who = span_of(b->nation),
		.by = span_of(b->name),
		.reason = span_of(l->reason),
		.receipt = SPAN(w->receipt.id) };
	char by[LABEL_MAX + LABEL_MAX + 2], who[DEVICE_MAX + 1];
	struct desk_message m;
	enum tocsin_err err;
	uint64_t number;

	err = desk_find(w->tx, l->id, &number);
	if (err == TOCSIN_OK)
		err = desk_get(w->tx, number, &m);
	if (err != TOCSIN_OK || !concerns(w, &m, l, b))
		return is_storage(err) ? err : TOCSIN_OK;
	if (l->kind != RECEIPT_DELIVERED && l->one) { /* of each part */
		snprintf(who, sizeof(who), "%s ", b->nation);
		id_print(who + strlen(who), l->part);
		p.who = span_of(who);
	} else if (l->kind == RECEIPT_DELIVERED) {
		snprintf(by, sizeof(by), "%s %s", b->name, l->device);
		snprintf(who, sizeof(who), "%s/%s", l->member, l->device);
		p.who = span_of(who); /* of each device the first word */
		p.by = span_of(by);
	}
	*used = true;
	return desk_place_put(w->tx, l->id, &p);
}

/* Signed, as it came: what a third party is shown. */
static enum tocsin_err
keep_receipt(struct work *w, struct span note)
{
	char hex[2 * ID_LEN + 1], name[128];

	sodium_bin2hex(hex, sizeof(hex), w->receipt.id, ID_LEN);
	snprintf(name, sizeof(name), RECEIPT_VALUE "%s", hex);
	return desk_value_put(w->tx, name, note);
}

static enum tocsin_err
take_receipt(struct work *w, const struct msg_entry *e)
{
	const struct roster *roster = w->in->parts->belief->roster;
	const struct roster_broker *b;
	enum tocsin_err err = TOCSIN_OK;
	bool used = false;
	size_t i;

	if (roster == NULL)
		return TOCSIN_OK;
	err = receipt_open(&w->receipt, roster, e->note);
	if (err != TOCSIN_OK)
		return is_storage(err) ? err : TOCSIN_OK;
	b = roster_broker(roster, span_of(w->receipt.broker));
	for (i = 0; b != NULL && err == TOCSIN_OK && i < w->receipt.nline; i++)
		err = take_line(w, b, &w->receipt.line[i], &used);
	return err == TOCSIN_OK && used ? keep_receipt(w, e->note) : err;
}

/* ---- rosters and announcements ---- */

static enum tocsin_err
take_text(struct work *w, enum kind kind, struct span note, uint64_t seq)
{
	struct belief *b = w->in->parts->belief;
	int64_t now = w->in->now;
	enum tocsin_err err;

	err = kind == ROSTER ? belief_take_roster(b, w->tx, note, false, now)
			     : belief_take_keys(b, w->tx, note, now);
	if (err == TOCSIN_ECLOCKSKEW)
		return hold(w, kind, now + LATER_S, seq, note);
	if (err == TOCSIN_ECHAINCONFLICT)
		return belief_keep_conflict(w->tx, note);
	return is_storage(err) ? err : TOCSIN_OK;
}

/* ---- all ---- */

static enum tocsin_err
take(struct work *w, const struct msg_entry *e)
{
	enum tocsin_err err = belief_load(w->in->parts->belief, w->tx);

	if (err != TOCSIN_OK)
		return err;
	switch ((enum kind)e->kind) {
	case TICKET:
		return take_ticket(w, e);
	case ROSTER:
	case KEYS:
		return take_text(w, (enum kind)e->kind, e->note, e->seq);
	case RECEIPT:
		return take_receipt(w, e);
	}
	return TOCSIN_OK; /* a kind that is newer than we are */
}

/*
 * Lock, then transaction: the order of all who need both. `fn` does the work;
 * all of it is committed, or nothing.
 */
static enum tocsin_err
in_one(
    struct work *w, enum tocsin_err (*fn)(struct work *w, void *arg), void *arg)
{
	const struct sync_parts *p = w->in->parts;
	enum tocsin_err err;

	pthread_mutex_lock(p->lock);
	err = desk_write(p->desk, &w->tx);
	if (err == TOCSIN_OK) {
		err = belief_load(p->belief, w->tx);
		if (err == TOCSIN_OK)
			err = fn(w, arg);
		if (err == TOCSIN_OK)
			err = desk_commit(w->tx);
		else
			desk_end(w->tx);
		w->tx = NULL;
	}
	pthread_mutex_unlock(p->lock);
	return err;
}

struct run {
	const struct msg_entry *entry;
	size_t n;
	uint64_t cursor;
	bool apart; /* from beyond the cursor, which stays */
};

/* Another process of this home may have come further than we. */
static enum tocsin_err
store(struct work *w, void *arg)
{
	struct run *r = arg;
	uint64_t last = desk_u64_get(w->tx, CURSOR);
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; r->apart && err == TOCSIN_OK && i < r->n; i++)
		if (r->entry[i].seq > last)
			err = take(w, &r->entry[i]);
	if (r->apart)
		return err;
	if (last > r->cursor)
		r->cursor = last;
	last = r->cursor;
	for (i = 0; err == TOCSIN_OK && i < r->n; i++) {
		if (r->entry[i].seq <= r->cursor)
			continue;
		err = take(w, &r->entry[i]);
		if (r->entry[i].seq > last)
			last = r->entry[i].seq;
	}
	if (err == TOCSIN_OK && last > r->cursor) {
		err = desk_u64_put(w->tx, CURSOR, last);
		if (err == TOCSIN_OK)
			err = coming_drop_to(w->tx, last);
	}
	r->cursor = last;
	return err;
}

/* The headers of all whose bodies come apart, before the first of these. */
static enum tocsin_err
store_headers(struct work *w, void *arg)
{
	const struct run *r = arg;
	uint64_t cursor = desk_u64_get(w->tx, CURSOR);
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < r->n; i++)
		if (comes_apart(&r->entry[i]) && r->entry[i].seq > cursor)
			err = note_header(w, &r->entry[i]);
	return err;
}

/*
 * As many as are held in memory at once, and up to a body that comes apart: it
 * keeps nothing back that is whole. *n says how many they were. Without a
 * cursor they are taken apart.
 */
static enum tocsin_err
take_some(struct work *w, const struct msg_entry *from, size_t max, size_t *n,
    uint64_t *cursor)
{
	struct msg_entry *entry = calloc(max, sizeof(*entry));
	struct buf *extra = calloc(max, sizeof(*extra));
	enum tocsin_err err = TOCSIN_OK, kept = TOCSIN_EINTERNAL;
	struct run r = { entry, 0, cursor != NULL ? *cursor : 0,
		cursor == NULL };
	size_t i, bytes = 0;

	if (entry == NULL || extra == NULL)
		goto out;
	if (comes_apart(from)) {
		struct run headers = { .entry = from, .n = max };

		kept = in_one(w, store_headers, &headers);
		if (kept != TOCSIN_OK)
			goto out;
	}
	while (r.n < max && bytes < EXTRA_MAX) {
		if (r.n > 0 && comes_apart(&from[r.n]))
			break;
		entry[r.n] = from[r.n];
		err = complete(w, &entry[r.n], &extra[r.n]);
		if (err != TOCSIN_OK)
			break;
		bytes += extra[r.n++].n;
	}
	kept = r.n > 0 ? in_one(w, store, &r) : TOCSIN_OK;
	if (r.n > 0 && kept == TOCSIN_OK && cursor != NULL)
		*cursor = r.cursor;
	if (w->fetched && w->in->done != NULL)
		w->in->done(w->in->arg, w->hash, kept == TOCSIN_OK);
	w->fetched = false;
out:
	*n = r.n;
	for (i = 0; extra != NULL && i < max; i++)
		buf_release(&extra[i]);
	free(extra);
	free(entry);
	return kept != TOCSIN_OK ? kept : err;
}

enum tocsin_err
intake_entries(
    const struct intake *in, const struct msg_entries *m, uint64_t *cursor)
{
	struct work *w = calloc(1, sizeof(*w));
	enum tocsin_err err = TOCSIN_OK;
	size_t at = 0, n;

	if (w == NULL)
		return TOCSIN_EINTERNAL;
	w->in = in;
	while (err == TOCSIN_OK && at < m->n) {
		err = take_some(w, m->entry + at, m->n - at, &n, cursor);
		at += n;
		if (err == TOCSIN_EBUSY && cursor == NULL) {
			at++; /* it comes in its turn; the others need not */
			err = TOCSIN_OK;
		}
	}
	free(w);
	return err;
}

enum tocsin_err
intake_apart(const struct intake *in, const struct msg_entries *m)
{
	return intake_entries(in, m, NULL);
}

static enum tocsin_err
store_all(struct work *w, void *arg)
{
	const struct msg_entries *m = arg;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < m->n; i++)
		err = take(w, &m->entry[i]);
	return err;
}

enum tocsin_err
intake_by_hand(const struct intake *in, const struct msg_entries *m)
{
	struct work *w = calloc(1, sizeof(*w));
	enum tocsin_err err;

	if (w == NULL)
		return TOCSIN_EINTERNAL;
	w->in = in;
	err = in_one(w, store_all, (void *)(uintptr_t)m);
	free(w);
	return err;
}

/* ---- rosters apart ---- */

struct given {
	struct span note;
	enum tocsin_err err; /* what the belief said, if nothing failed */
};

static enum tocsin_err
store_roster(struct work *w, void *arg)
{
	struct given *g = arg;
	enum tocsin_err err = belief_take_roster(
	    w->in->parts->belief, w->tx, g->note, false, w->in->now);

	g->err = err;
	if (err == TOCSIN_ECHAINCONFLICT)
		return belief_keep_conflict(w->tx, g->note);
	return err == TOCSIN_EDUPLICATE ? TOCSIN_OK : err;
}

enum tocsin_err
intake_rosters(const struct intake *in, uint64_t serial)
{
	struct work *w = calloc(1, sizeof(*w));
	enum tocsin_err err = TOCSIN_OK;
	uint64_t next;

	if (w == NULL)
		return TOCSIN_EINTERNAL;
	w->in = in;
	while (err == TOCSIN_OK && (next = our_serial(in) + 1) <= serial) {
		struct buf file = { 0 };
		struct given g = { 0 };

		err = get_roster(in, next, &file);
		g.note = buf_span(&file);
		if (err == TOCSIN_OK)
			err = in_one(w, store_roster, &g);
		buf_release(&file);
		if (err == TOCSIN_OK && our_serial(in) < next)
			err = g.err == TOCSIN_ECHAINCONFLICT
				  ? g.err
				  : TOCSIN_EMALFORMED; /* another one */
	}
	free(w);
	return err;
}

/* ---- once more ---- */

/* What the desk gave dies with the next change: these are copies. */
struct copies {
	struct buf note, body;
};

static enum tocsin_err
ticket_again(struct work *w, struct desk_message *m)
{
	enum tocsin_err was = m->refused, err;

	if (was == TOCSIN_OK ||
	    ticket_parse(&w->ticket, &w->note, m->note) != TOCSIN_OK)
		return TOCSIN_OK;
	err = decide(w, m);
	if (err != TOCSIN_OK)
		return err;
	if (m->refused == TOCSIN_OK) {
		err = desk_again(w->tx, m);
		return err == TOCSIN_OK ? obey(w, m) : err;
	}
	err = m->refused != was ? desk_update(w->tx, m) : TOCSIN_OK;
	return err == TOCSIN_OK ? hold_ticket(w, m) : err;
}

static enum tocsin_err
message_again(struct work *w, uint64_t number)
{
	struct copies c = { 0 };
	struct desk_message m;
	enum tocsin_err err = desk_get(w->tx, number, &m);

	if (err == TOCSIN_ENOTFOUND || err == TOCSIN_EBODYMISMATCH)
		return TOCSIN_OK; /* it moved on, or is damaged */
	if (err != TOCSIN_OK)
		return err;
	buf_add(&c.note, m.note);
	buf_add(&c.body, m.body);
	m.note = buf_span(&c.note);
	m.body = buf_span(&c.body);
	err = buf_ok(&c.note) && buf_ok(&c.body) ? ticket_again(w, &m)
						 : TOCSIN_EINTERNAL;
	buf_release(&c.note);
	buf_release(&c.body);
	return err;
}

static bool
held_parse(const char *name, int64_t *due, uint64_t *number)
{
	unsigned kind;

	return sscanf(name, HELD "%" SCNd64 "/%" SCNu64 "/%u", due, number,
		   &kind) == 3;
}

static enum tocsin_err
row_again(struct work *w, const char *name, uint64_t number, struct span row)
{
	struct buf copy = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	struct rd r;
	uint8_t kind;

	buf_add(&copy, row);
	if (buf_ok(&copy))
		err = desk_value_put(w->tx, name, (struct span){ 0 });
	r = rd_init(buf_span(&copy));
	kind = rd_u8(&r);
	if (err == TOCSIN_OK && kind == TICKET)
		err = message_again(w, number);
	else if (err == TOCSIN_OK)
		err = take_text(w, (enum kind)kind, rd_rest(&r), number);
	buf_release(&copy);
	return err;
}

/*
 * Each row once: one that is held again may stand behind those to come, so only
 * what is due at the start is looked at, or what stood there then.
 */
static enum tocsin_err
again(struct work *w, void *arg)
{
	const bool all = *(const bool *)arg;
	struct span name = { 0 }, row;
	enum tocsin_err err = TOCSIN_OK;
	char at[129] = "";
	uint64_t number;
	int64_t due;

	while (err == TOCSIN_OK) {
		err = desk_value_next(w->tx, HELD, &name, &row);
		if (err != TOCSIN_OK)
			return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
		snprintf(
		    at, sizeof(at), "%.*s", (int)name.n, (const char *)name.p);
		name = span_of(at);
		if (!held_parse(at, &due, &number) ||
		    (!all && due > w->in->now))
			break;
		err = row_again(w, at, number, row);
	}
	return err;
}

enum tocsin_err
intake_again(const struct intake *in, bool all)
{
	struct work *w = calloc(1, sizeof(*w));
	enum tocsin_err err;

	if (w == NULL)
		return TOCSIN_EINTERNAL;
	w->in = in;
	err = in_one(w, again, &all);
	free(w);
	return err;
}

enum tocsin_err
intake_held(struct desk_tx *tx, int64_t *due)
{
	struct span name = { 0 }, row;
	char at[129];
	uint64_t number;
	enum tocsin_err err = desk_value_next(tx, HELD, &name, &row);

	if (err != TOCSIN_OK)
		return err;
	snprintf(at, sizeof(at), "%.*s", (int)name.n, (const char *)name.p);
	return held_parse(at, due, &number) ? TOCSIN_OK : TOCSIN_ENOTFOUND;
}
