/* SPDX-License-Identifier: ISC */
#include "broker/answers.h"
#include "broker/broker.h"
#include "broker/cursor.h"
#include "broker/intake_impl.h"
#include "broker/log.h"
#include "broker/quota.h"
#include "broker/recall.h"
#include "broker/receipts.h"
#include "broker/value.h"
#include "crypto/msg.h"
#include "crypto/relay_frame.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAITERS (256 / 8) /* tickets that wait for one part */

/* ---- judging ---- */

static bool
from_source(const struct ticket *t, const struct intake_source *src)
{
	const struct trust_who *who = src->who;

	if (src->kind == INTAKE_DEVICE)
		return span_is(t->from, who->member) &&
		       span_is(t->device, who->device);
	/* A nation may run several brokers, so it may be our own. */
	return src->kind == INTAKE_PEER &&
	       span_is(member_nation(t->from), who->nation);
}

static enum tocsin_err
check_signed(const struct ticket *t, const struct note *note,
    struct trust *trust, int64_t now)
{
	struct ticket_trust believed = {
		.roster = trust_roster(trust),
		.in_chain = trust_in_chain,
		.arg = trust,
		.from_keys = trust_keys(trust, t->from),
		.now = now,
	};

	return ticket_check(t, note, &believed);
}

/*
 * Whom it goes to: members of ours that exist, and, if it was posted here,
 * members elsewhere whose nation has a broker. Counts both.
 */
static enum tocsin_err
check_to(const struct ticket *t, const struct broker *b, const struct roster *r,
    bool posted, size_t *ours)
{
	size_t i;

	*ours = 0;
	for (i = 0; i < t->nto; i++) {
		struct span nation = member_nation(t->to[i].member);
		bool here = span_is(nation, b->conf.nation);

		*ours += here;
		if (!here && !posted)
			continue;
		if (!roster_member(r, t->to[i].member))
			return TOCSIN_ENOTENROLLED;
		if (!here && !roster_broker_of(r, nation, 0))
			return TOCSIN_EUNAVAILABLE;
	}
	return *ours > 0 ? TOCSIN_OK : TOCSIN_ENOTRECIPIENT;
}

/*
 * Of what is posted here: it would wait for ever. Of what was relayed, others
 * have let the part in, and the ticket says more than its attachment: it is
 * taken without it.
 */
static enum tocsin_err
check_parts(const struct ticket *t, const struct broker *b)
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (t->part[i].size > b->conf.part_max)
			return TOCSIN_ETOOLARGE;
	return TOCSIN_OK;
}

/* A body that was put before: it is a part that is complete. */
static enum tocsin_err
check_detached(const struct ticket *t, const struct broker *b)
{
	struct buf body = { .max = TICKET_BODY_MAX };
	struct store_part part;
	struct store_rx *rx;
	enum tocsin_err err = store_read(b->store, &rx);

	if (err)
		return err;
	err = store_part_stat(rx, t->body_hash, &part);
	if (err == TOCSIN_ENOTFOUND ||
	    (!err && (!part.complete || part.total != t->body_size)))
		err = TOCSIN_EBODYMISMATCH;
	if (!err)
		err = store_part_read(
		    rx, t->body_hash, 0, TICKET_BODY_MAX, &body);
	store_read_end(rx);
	if (!err)
		err = ticket_check_body(t, buf_span(&body));
	buf_release(&body);
	return err;
}

unsigned
intake_lane(const struct ticket *t, bool answer)
{
	unsigned lane = (unsigned)t->precedence;

	if (t->exercise.n > 0)
		return lane < LANE_ROUTINE ? lane + 1 : LANE_ROUTINE;
	return answer && lane > LANE_IMMEDIATE ? LANE_IMMEDIATE : lane;
}

/* Small, and of those that have a reserve of room: a live one. */
static bool
is_answer(const struct ticket *t, size_t note)
{
	return t->exercise.n == 0 && answers_is(t, note + t->body_size);
}

static void
header_fill(struct intake_header *h, const struct ticket *t,
    const struct note *note, bool detached)
{
	h->device = t->device;
	h->kind = t->kind;
	memcpy(h->keyid, note->sig[0].id, KEYID_LEN);
	h->seq = t->seq;
	if (t->has_prev)
		memcpy(h->prev, t->prev, ID_LEN);
	h->answer = !detached && is_answer(t, note->whole.n);
	h->lane = intake_lane(t, h->answer);
	h->body_size = t->body_size;
	memcpy(h->body_hash, t->body_hash, 32);
	h->detached = detached;
}

static void
add_nation(struct intake_header *h, struct span nation)
{
	size_t i;

	for (i = 0; i < h->nnation; i++)
		if (span_eq(h->nation[i], nation))
			return;
	h->nation[h->nnation++] = nation;
}

/* The arrays lie behind the intake: parts, local members, nations. */
static struct intake *
keep(const struct ticket *t, const struct note *note, struct broker *b,
    struct trust *trust, const struct intake_source *src, size_t ours,
    bool detached)
{
	bool posted = src->kind == INTAKE_DEVICE;
	size_t nations = posted ? t->nto - ours + 1 : 0, i;
	struct intake *in = intake_new(trust, src, STORE_TICKET, note->whole,
	    t->npart * sizeof(*t->part) +
		(ours + nations) * sizeof(struct span));
	struct intake_header *h;

	if (!in)
		return NULL;
	h = &in->t;
	in->member = t->from;
	memcpy(in->id, t->id, ID_LEN);
	if (t->exercise.n > 0)
		memcpy(in->exercise, t->exercise.p, t->exercise.n);
	header_fill(h, t, note, detached);
	h->part = (struct ticket_part *)(in + 1);
	h->local = (struct span *)(h->part + t->npart);
	h->nation = h->local + ours;
	h->npart = t->npart;
	if (t->npart > 0)
		memcpy(h->part, t->part, t->npart * sizeof(*t->part));
	for (i = 0; i < t->nto; i++) {
		struct span nation = member_nation(t->to[i].member);

		if (span_is(nation, b->conf.nation))
			h->local[h->nlocal++] = t->to[i].member;
		if (posted) /* ours, too: it may have other brokers */
			add_nation(h, nation);
	}
	return in;
}

/* What comes after the signature: from here on it may be told to its sender. */
static enum tocsin_err
check_rest(const struct ticket *t, struct broker *b, struct trust *trust,
    bool posted, struct span body, size_t *ours)
{
	enum tocsin_err err;

	err = exercise_carried(&b->conf.exercise, t->exercise);
	if (!err)
		err = check_to(t, b, trust_roster(trust), posted, ours);
	if (!err && posted)
		err = check_parts(t, b);
	if (!err)
		err = body.n > 0 ? ticket_check_body(t, body)
				 : check_detached(t, b);
	return err;
}

void
intake_name(struct intake_refused *out, const struct ticket *t)
{
	memset(out, 0, sizeof(*out));
	out->known = true;
	memcpy(out->id, t->id, ID_LEN);
	memcpy(out->member, t->from.p, t->from.n);
	if (t->exercise.n > 0)
		memcpy(out->exercise, t->exercise.p, t->exercise.n);
}

enum tocsin_err
intake_judge_ticket(struct intake **out, struct broker *b, struct trust *trust,
    const struct intake_source *src, struct span note, struct span body,
    int64_t now, struct intake_refused *refused)
{
	struct ticket t;
	struct note n;
	size_t ours = 0;
	enum tocsin_err err;

	err = ticket_parse(&t, &n, note);
	if (err)
		return err;
	if (!from_source(&t, src))
		return TOCSIN_ENOTENROLLED;
	err = check_signed(&t, &n, trust, now);
	refused->known =
	    !err || err == TOCSIN_ECLOCKSKEW || err == TOCSIN_EEXERCISEMISMATCH;
	if (refused->known)
		intake_name(refused, &t);
	if (!err)
		err = check_rest(
		    &t, b, trust, src->kind == INTAKE_DEVICE, body, &ours);
	if (err)
		return err;
	*out = keep(&t, &n, b, trust, src, ours, body.n == 0);
	if (!*out)
		return TOCSIN_EINTERNAL;
	(*out)->body = body;
	return TOCSIN_OK;
}

/* ---- the chain of a device ---- */

#define CHAIN_WINDOW 1024 /* numbers before the last that we remember */

/*
 * chain/DEVICE: the last message that we have of the device's key, and which
 * numbers before it are here. A device may have several posts on the way, and
 * they may overtake one another.
 */
struct chain {
	uint64_t last;
	uint8_t id[ID_LEN];
	uint8_t keyid[KEYID_LEN];
	uint8_t seen[CHAIN_WINDOW / 8]; /* bit n % CHAIN_WINDOW */
};
#define CHAIN_LEN (8 + ID_LEN + KEYID_LEN + CHAIN_WINDOW / 8)

static enum tocsin_err
chain_load(struct chain *c, const struct intake *in, struct store_rx *rx)
{
	struct span s;
	struct rd r;
	enum tocsin_err err;

	memset(c, 0, sizeof(*c));
	err = value_get(rx, &s, "chain/%.*s/%.*s", (int)in->member.n,
	    (const char *)in->member.p, (int)in->t.device.n,
	    (const char *)in->t.device.p);
	if (err == TOCSIN_ENOTFOUND)
		goto fresh;
	if (err)
		return err;
	r = rd_init(s);
	c->last = rd_u64(&r);
	rd_copy(&r, c->id, sizeof(c->id));
	rd_copy(&r, c->keyid, sizeof(c->keyid));
	rd_copy(&r, c->seen, sizeof(c->seen));
	if (!rd_done(&r))
		return TOCSIN_EINTERNAL;
	if (memcmp(c->keyid, in->t.keyid, KEYID_LEN) == 0)
		return TOCSIN_OK;
	memset(c, 0, sizeof(*c)); /* a new key counts from 1 again */
fresh:
	memcpy(c->keyid, in->t.keyid, KEYID_LEN);
	return TOCSIN_OK;
}

static enum tocsin_err
chain_save(const struct chain *c, const struct intake *in, struct batch *batch)
{
	uint8_t bytes[CHAIN_LEN], *p = bytes;
	int i;

	for (i = 0; i < 8; i++)
		*p++ = (uint8_t)(c->last >> (56 - 8 * i));
	memcpy(p, c->id, ID_LEN);
	memcpy(p + ID_LEN, c->keyid, KEYID_LEN);
	memcpy(p + ID_LEN + KEYID_LEN, c->seen, sizeof(c->seen));
	return value_put(batch->tx, SPAN(bytes), "chain/%.*s/%.*s",
	    (int)in->member.n, (const char *)in->member.p, (int)in->t.device.n,
	    (const char *)in->t.device.p);
}

static bool
chain_seen(const struct chain *c, uint64_t seq)
{
	return c->seen[seq % CHAIN_WINDOW / 8] >> (seq % 8) & 1;
}

static void
chain_mark(struct chain *c, uint64_t seq, bool seen)
{
	uint8_t bit = (uint8_t)(1U << (seq % 8));
	uint8_t *at = &c->seen[seq % CHAIN_WINDOW / 8];

	*at = seen ? *at | bit : *at & (uint8_t)~bit;
}

static void
log_gap(const struct intake *in, uint64_t last)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);

	log_limited(&limit, LOG_INFO, "chain-gap", LOG_S("from", in->member),
	    LOG_S("device", in->t.device), LOG_U("last", last),
	    LOG_U("seq", in->t.seq));
}

static enum tocsin_err
log_conflict(const struct intake *in, const struct chain *c)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);

	log_limited(&limit, LOG_ERROR, "chain-conflict",
	    LOG_S("from", in->member), LOG_S("device", in->t.device),
	    LOG_U("seq", in->t.seq), LOG_X("id", SPAN(in->id)),
	    LOG_U("last", c->last), LOG_X("last-id", SPAN(c->id)));
	return TOCSIN_ECHAINCONFLICT;
}

/* Takes the message's place, or says that another one has it. */
static enum tocsin_err
chain_take(struct chain *c, const struct intake *in)
{
	uint64_t seq = in->t.seq, n;

	if (seq <= c->last) {
		if (c->last - seq >= CHAIN_WINDOW || chain_seen(c, seq))
			return log_conflict(in, c);
		chain_mark(c, seq, true);
		return TOCSIN_OK;
	}
	if (c->last > 0 && seq == c->last + 1 &&
	    memcmp(in->t.prev, c->id, ID_LEN) != 0)
		return log_conflict(in, c);
	if (seq - c->last > 1)
		log_gap(in, c->last);
	if (seq - c->last >= CHAIN_WINDOW)
		memset(c->seen, 0, sizeof(c->seen));
	else
		for (n = c->last + 1; n < seq; n++)
			chain_mark(c, n, false);
	chain_mark(c, seq, true);
	c->last = seq;
	memcpy(c->id, in->id, ID_LEN);
	return TOCSIN_OK;
}

/* ---- parts that are still to come ---- */

static void
wants_name(char out[6 + 64 + 1], const uint8_t hash[32])
{
	memcpy(out, "wants/", 6);
	sodium_bin2hex(out + 6, 65, hash, 32);
}

/* Room for one more; ENOTFOUND is an empty list. */
static enum tocsin_err
wants_load(struct buf *list, struct store_rx *rx, const uint8_t hash[32])
{
	char name[6 + 64 + 1];
	struct span had = { 0 };
	enum tocsin_err err;

	wants_name(name, hash);
	err = store_value_get(rx, span_of(name), &had);
	if (err && err != TOCSIN_ENOTFOUND)
		return err;
	buf_add(list, had);
	return buf_ok(list) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static enum tocsin_err
wants_add(struct batch *batch, const uint8_t hash[32], uint64_t seq)
{
	char name[6 + 64 + 1];
	struct buf list = { 0 };
	enum tocsin_err err = wants_load(&list, batch->view, hash);

	wants_name(name, hash);
	buf_u64(&list, seq);
	if (!err && buf_ok(&list))
		err =
		    store_value_put(batch->tx, span_of(name), buf_span(&list));
	buf_release(&list);
	return err;
}

/*
 * The brokers of a ticket's nations, by its header. Only collects: writing may
 * move what the header's spans point to.
 */
static enum tocsin_err
peers_of(struct names *peers, struct batch *batch, uint64_t seq)
{
	const struct roster *r = trust_roster(batch->trust);
	const struct roster_broker *peer;
	struct store_entry e;
	struct ticket t;
	struct note n;
	size_t i, k;
	enum tocsin_err err = store_get(batch->view, seq, &e);

	if (!err && e.erased)
		return TOCSIN_OK;
	if (!err)
		err = ticket_parse(&t, &n, e.note);
	for (i = 0; !err && i < t.nto; i++) {
		struct span nation = member_nation(t.to[i].member);

		for (k = 0; (peer = roster_broker_of(r, nation, k)); k++)
			if (strcmp(peer->name, batch->b->conf.name) != 0)
				names_add(peers, span_of(peer->name));
	}
	return err;
}

/*
 * For the peers of one ticket, but one that has it. Also for those that another
 * ticket goes to which names the part, too: that one may be recalled before it
 * is sent, or refused there, and then the part is not sent for it. What comes
 * twice is taken once, after its first piece.
 */
static enum tocsin_err
queue_part(
    struct batch *batch, const uint8_t hash[32], uint64_t seq, struct span but)
{
	struct store_out out = { .ticket = seq };
	struct names peers = { 0 };
	enum tocsin_err err = peers_of(&peers, batch, seq);
	struct span name;
	size_t at = 0;

	memcpy(out.part, hash, 32);
	while (!err && names_next(&peers, &at, &name)) {
		if (!span_eq(name, but))
			err = intake_queue(batch, name, LANE_BULK, out);
	}
	if (peers.all)
		err = TOCSIN_EINTERNAL; /* memory was short */
	names_release(&peers);
	return err;
}

enum tocsin_err
intake_part_complete(struct batch *batch, const uint8_t hash[32])
{
	char name[6 + 64 + 1];
	struct buf list = { 0 };
	enum tocsin_err err = wants_load(&list, batch->view, hash);
	struct rd r = rd_init(buf_span(&list));

	wants_name(name, hash);
	while (!err && r.rest.n >= 8)
		err = queue_part(batch, hash, rd_u64(&r), (struct span){ 0 });
	if (!err && list.n > 0)
		err = store_value_drop(batch->tx, span_of(name));
	buf_release(&list);
	return intake_written(err);
}

enum tocsin_err
intake_part_gone(struct batch *batch, const uint8_t hash[32])
{
	char name[6 + 64 + 1];

	wants_name(name, hash);
	return store_value_drop(batch->tx, span_of(name));
}

/* ---- once more ---- */

static bool
wants_has(struct batch *batch, const uint8_t hash[32], uint64_t seq)
{
	struct buf list = { 0 };
	bool has = false;
	struct rd r;

	if (wants_load(&list, batch->view, hash) == TOCSIN_OK)
		for (r = rd_init(buf_span(&list)); r.rest.n >= 8 && !has;)
			has = rd_u64(&r) == seq;
	buf_release(&list);
	return has;
}

static enum tocsin_err
part_again(
    struct batch *batch, const uint8_t hash[32], uint64_t seq, struct span but)
{
	struct store_part part;
	enum tocsin_err err = store_part_stat(batch->view, hash, &part);

	if (!err && part.complete)
		err = queue_part(batch, hash, seq, but);
	else if (!err && !wants_has(batch, hash, seq))
		err = wants_add(batch, hash, seq);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
entry_again(struct batch *batch, uint64_t seq, unsigned lane, struct span but)
{
	struct names peers = { 0 };
	enum tocsin_err err = peers_of(&peers, batch, seq);
	struct span name;
	size_t at = 0;

	while (!err && names_next(&peers, &at, &name))
		if (!span_eq(name, but))
			err = intake_queue(batch, name, lane,
			    (struct store_out){ .seq = seq });
	names_release(&peers);
	return err;
}

/* Writing moves what spans of the store point to, so the note is copied. */
enum tocsin_err
intake_send_again(struct batch *batch, uint64_t seq, struct span but)
{
	struct store_entry e;
	struct buf note = { 0 };
	struct ticket t;
	struct note n;
	size_t i;
	enum tocsin_err err = store_get(batch->view, seq, &e);

	if (err)
		return err;
	if (e.kind != STORE_TICKET || e.erased ||
	    !span_is(member_nation(e.member), batch->b->conf.nation))
		return TOCSIN_OK;
	buf_add(&note, e.note);
	err = buf_ok(&note) ? ticket_parse(&t, &n, buf_span(&note))
			    : TOCSIN_EBUSY;
	if (!err)
		err = entry_again(
		    batch, seq, intake_lane(&t, is_answer(&t, note.n)), but);
	for (i = 0; i < t.npart && !err; i++)
		err = part_again(batch, t.part[i].hash, seq, but);
	buf_release(&note);
	return err;
}

enum tocsin_err
intake_send_part_again(
    struct batch *batch, const uint8_t hash[32], uint64_t seq)
{
	struct store_entry e;
	enum tocsin_err err = store_get(batch->view, seq, &e);

	if (err || e.via.n > 0 || e.erased || e.kind != STORE_TICKET)
		return TOCSIN_OK;
	return part_again(batch, hash, seq, (struct span){ 0 });
}

/* ---- applying ---- */

/*
 * A part, or a body apart, is sealed anew for each message, and handed on
 * within its own side: an exercise that names what is live, or another one's,
 * would only show it to its readers. A live ticket is taken all the same, since
 * nobody may keep one out by naming its part first.
 */
static enum tocsin_err
check_side(
    const struct intake *in, struct store_rx *rx, const struct store_part *have)
{
	char of[EXERCISE_MAX + 1];
	enum tocsin_err err;

	if (in->exercise[0] == '\0' || have->first_seq == 0)
		return TOCSIN_OK;
	err = exercise_of(of, rx, have->first_seq);
	return err || strcmp(of, in->exercise) == 0 ? err
						    : TOCSIN_EEXERCISEMISMATCH;
}

/* What would make a part impossible is found before anything is written. */
static enum tocsin_err
parts_possible(const struct intake *in, struct store_rx *rx)
{
	struct store_part have;
	struct buf list = { 0 };
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < in->t.npart; i++) {
		const struct ticket_part *p = &in->t.part[i];

		err = store_part_stat(rx, p->hash, &have);
		if (err && err != TOCSIN_ENOTFOUND)
			return err;
		if (!err && have.total != p->size &&
		    (have.complete || in->source == INTAKE_DEVICE))
			return TOCSIN_EMALFORMED;
		err = err ? TOCSIN_OK : check_side(in, rx, &have);
		if (!err)
			err = wants_load(&list, rx, p->hash);
		if (!err && list.n >= WAITERS * 8)
			err = TOCSIN_EQUOTA;
		buf_release(&list);
		if (err)
			return err;
	}
	if (!in->t.detached)
		return TOCSIN_OK;
	err = store_part_stat(rx, in->t.body_hash, &have);
	if (err == TOCSIN_ENOTFOUND || (!err && !have.complete))
		return TOCSIN_EBODYMISMATCH;
	return err ? err : check_side(in, rx, &have);
}

/* One that came whole by relay, but is too large for one message. */
static bool
body_apart(const struct intake *in)
{
	return in->t.detached || in->note.n + in->body.n > MSG_ENVELOPE_MAX;
}

/*
 * A body that is a part. It was judged whole; what is here under its hash from
 * somebody who named it as a part of his was not.
 */
static enum tocsin_err
write_body(const struct intake *in, struct batch *batch, uint64_t seq)
{
	const uint8_t *hash = in->t.body_hash;
	struct store_part part;
	uint8_t key[ITEM_HASH];
	uint64_t have;
	enum tocsin_err err;

	err = store_part_name(batch->tx, hash, in->t.body_size, seq);
	if (!err)
		err = store_part_stat(batch->view, hash, &part);
	if (err || part.complete || in->t.detached)
		return err;
	if (part.have == 0 && part.total == in->t.body_size)
		return store_part_write(batch->tx, hash, 0, in->body, &have);
	cursor_aside(key, "", hash);
	return store_part_aside(
	    batch->tx, key, hash, in->t.body_size, 0, in->body, &have);
}

static enum tocsin_err
write_entry(struct intake *in, struct batch *batch, uint64_t *seq)
{
	struct store_entry e = {
		.kind = STORE_TICKET,
		.time = batch->now,
		.member = in->member,
		.via = span_of(in->via),
		.note = in->note,
		.detached = body_apart(in),
	};
	enum tocsin_err err;

	memcpy(e.id, in->id, ID_LEN);
	if (!e.detached)
		e.body = in->body;
	err = store_append(batch->tx, &e, seq);
	if (err == TOCSIN_ENOSPACE) {
		batch->full = true;
		e.answer = in->t.answer && !e.detached &&
			   answers_take(batch->answers, in->member,
			       in->note.n + in->body.n);
		if (e.answer)
			err = store_append(batch->tx, &e, seq);
	}
	if (err || !e.detached)
		return err;
	return intake_written(write_body(in, batch, *seq));
}

static enum tocsin_err
deliver(struct intake *in, struct batch *batch, uint64_t seq)
{
	char name[MAILBOX_MAX + 1];
	struct span box;
	enum tocsin_err err;
	size_t i;

	err = exercise_note(batch->tx, seq, span_of(in->exercise));
	for (i = 0; i < in->t.nlocal && !err; i++) {
		box = mailbox_name(name, in->t.local[i], span_of(in->exercise));
		err = store_mail(batch->tx, box, seq);
		names_add(&batch->members, box);
	}
	return err;
}

/* To every broker of the ticket's nations. */
static enum tocsin_err
queue(
    struct intake *in, struct batch *batch, unsigned lane, struct store_out out)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < in->t.nnation && !err; i++)
		err = intake_queue_nation(batch, in->t.nation[i], lane, out);
	return err;
}

/* The roster may have changed since it was judged: no nation is left out. */
static bool
all_reachable(const struct intake *in, const struct batch *batch)
{
	const struct roster *r = trust_roster(batch->trust);
	size_t i;

	for (i = 0; i < in->t.nnation; i++)
		if (!span_is(in->t.nation[i], batch->b->conf.nation) &&
		    !roster_broker_of(r, in->t.nation[i], 0))
			return false;
	return true;
}

uint64_t
intake_part_max(const struct intake *in, const struct broker *b)
{
	return in->source == INTAKE_PEER &&
		       strcmp(in->via_nation, b->conf.nation) != 0
		   ? b->conf.accept.part
		   : b->conf.part_max;
}

/*
 * Whoever wants such a part is told by us (op_part.c); its sender, who has to
 * send it another way, by a receipt.
 */
static enum tocsin_err
tell_left_out(struct intake *in, struct batch *batch, uint64_t left)
{
	const struct receipts_to whom =
	    receipts_to(in->member, span_of(in->exercise));
	enum tocsin_err err;
	bool tell;
	size_t i;

	if (left == 0)
		return TOCSIN_OK;
	err = quota_tell(batch, whom.member, whom.exercise.n > 0, &tell);
	for (i = 0; i < in->t.npart && !err && tell; i++)
		if (left >> i & 1)
			err = receipts_without(batch->receipts, whom, in->id,
			    in->t.part[i].hash, TOCSIN_ETOOLARGE);
	return err;
}

/* But those that its sender has taken back by now. */
static enum tocsin_err
write_parts(struct intake *in, struct batch *batch, uint64_t seq, uint64_t gone)
{
	uint64_t max = intake_part_max(in, batch->b), left = 0;
	struct store_part have;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < in->t.npart && !err; i++) {
		const struct ticket_part *p = &in->t.part[i];
		struct store_out out = { .ticket = seq };

		if (gone >> i & 1)
			continue;
		memcpy(out.part, p->hash, 32);
		err = in->source == INTAKE_PEER
			  ? store_part_name(batch->tx, p->hash, p->size, seq)
			  : store_part_expect(batch->tx, p->hash, p->size, seq);
		if (!err)
			err = store_part_stat(batch->view, p->hash, &have);
		if (!err && have.complete)
			err = queue(in, batch, LANE_BULK, out);
		else if (!err && in->source == INTAKE_DEVICE)
			err = wants_add(batch, p->hash, seq);
		else if (!err && p->size > max)
			left |= (uint64_t)1 << i;
	}
	return err ? err : tell_left_out(in, batch, left);
}

/* What recalls say of it, and what it says if it is one. */
static enum tocsin_err
heed(struct intake *in, struct batch *batch, const struct recalled *gone)
{
	struct ticket *t;
	struct note n;
	enum tocsin_err err;

	if (in->t.kind != TICKET_RECALL && gone->parts == 0)
		return TOCSIN_OK;
	t = malloc(sizeof(*t));
	err = t ? ticket_parse(t, &n, in->note) : TOCSIN_EBUSY;
	if (!err)
		err = in->t.kind == TICKET_RECALL
			  ? recall_obey(batch, t)
			  : recall_arrived(batch, t, gone);
	free(t);
	return err;
}

/* Most are named by no recall; who is, is parsed once more. */
static enum tocsin_err
ask_recalled(struct recalled *gone, struct intake *in, struct batch *batch)
{
	char name[MAILBOX_MAX + 1];
	struct ticket *t;
	struct note n;
	enum tocsin_err err;

	*gone = (struct recalled){ 0 };
	if (!recall_names(batch->view,
		mailbox_name(name, in->member, span_of(in->exercise)), in->id))
		return TOCSIN_OK;
	t = malloc(sizeof(*t));
	err = t ? ticket_parse(t, &n, in->note) : TOCSIN_EBUSY;
	if (!err)
		err = recall_of(gone, batch->view, t);
	free(t);
	if (!err && gone->whole)
		err = TOCSIN_ERECALLED;
	return err;
}

enum tocsin_err
intake_apply_ticket(struct intake *in, struct batch *batch, uint64_t *seq)
{
	bool posted = in->source == INTAKE_DEVICE;
	struct recalled gone;
	struct chain chain;
	enum tocsin_err err = ask_recalled(&gone, in, batch);

	if (!err)
		err = parts_possible(in, batch->view);
	if (!err && !all_reachable(in, batch))
		err = TOCSIN_EUNAVAILABLE;
	if (!err && posted)
		err = chain_load(&chain, in, batch->view);
	if (!err && posted)
		err = chain_take(&chain, in);
	if (!err)
		err = write_entry(in, batch, seq);
	if (err)
		return err;
	err = deliver(in, batch, *seq);
	if (!err)
		err = write_parts(in, batch, *seq, gone.parts);
	if (!err)
		err = heed(in, batch, &gone);
	if (!err && posted)
		err = queue(
		    in, batch, in->t.lane, (struct store_out){ .seq = *seq });
	if (!err && posted)
		err = chain_save(&chain, in, batch);
	if (!err && in->source == INTAKE_PEER)
		err = receipts_stored(batch->receipts,
		    receipts_to(in->member, span_of(in->exercise)), in->id,
		    *seq - 1);
	return intake_written(err);
}

enum tocsin_err
intake_deliver_again(struct batch *batch, const struct store_entry *e)
{
	char name[MAILBOX_MAX + 1];
	struct ticket t;
	struct note n;
	struct span box;
	size_t i;
	enum tocsin_err err = ticket_parse(&t, &n, e->note);

	if (!err)
		err = exercise_note(batch->tx, e->seq, t.exercise);
	for (i = 0; !err && i < t.nto; i++) {
		if (!span_is(
			member_nation(t.to[i].member), batch->b->conf.nation))
			continue;
		box = mailbox_name(name, t.to[i].member, t.exercise);
		err = store_mail(batch->tx, box, e->seq);
		names_add(&batch->members, box);
	}
	return err;
}

/* ---- from the log ---- */

/* A conflict was one when it came, too: then the place is another's. */
static enum tocsin_err
chain_again(struct intake *in, struct batch *batch)
{
	struct chain c;
	enum tocsin_err err = chain_load(&c, in, batch->view);

	if (!err)
		err = chain_take(&c, in);
	if (!err)
		err = chain_save(&c, in, batch);
	return err == TOCSIN_ECHAINCONFLICT ? TOCSIN_OK : err;
}

static enum tocsin_err
want_again(struct batch *batch, const uint8_t hash[32], uint64_t seq)
{
	struct store_part part;
	enum tocsin_err err = store_part_stat(batch->view, hash, &part);

	if (err || part.complete || wants_has(batch, hash, seq))
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	return wants_add(batch, hash, seq);
}

enum tocsin_err
intake_again(struct batch *batch, const struct store_entry *e, bool chain)
{
	struct intake *in;
	struct ticket t;
	struct note n;
	size_t i;
	enum tocsin_err err = ticket_parse(&t, &n, e->note);

	if (err || e->via.n > 0)
		return err;
	in = calloc(1, sizeof(*in));
	if (!in)
		return TOCSIN_EBUSY;
	in->member = t.from;
	memcpy(in->id, t.id, ID_LEN);
	header_fill(&in->t, &t, &n, e->detached);
	if (chain)
		err = chain_again(in, batch);
	for (i = 0; !err && i < t.npart; i++)
		err = want_again(batch, t.part[i].hash, e->seq);
	free(in);
	return err;
}
