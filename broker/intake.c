/* SPDX-License-Identifier: ISC */
#include "broker/intake.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/intake_impl.h"
#include "broker/log.h"
#include "broker/quota.h"
#include "broker/value.h"
#include "crypto/receipt.h"
#include "crypto/relay_frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- judging what is no ticket ---- */

static enum tocsin_err
judge_roster(struct intake *in, int64_t now)
{
	enum tocsin_err err = roster_parse(&in->roster, in->note);

	if (err)
		return err;
	if (in->source == INTAKE_DEVICE)
		return TOCSIN_EKINDNOTALLOWED;
	memcpy(in->id, in->roster->id, ID_LEN);
	return roster_accept(trust_roster(in->trust), in->roster, now);
}

/* One key, one holder: no other member's device and no broker has it. */
static bool
link_keys_free(const struct trust *t, const struct keys *k)
{
	struct span owner;
	size_t i;

	for (i = 0; i < k->ndevice; i++) {
		if (trust_link_owner(t, k->device[i].noise, &owner) &&
		    !span_is(owner, k->member))
			return false;
		if (roster_broker_by_noise(trust_roster(t), k->device[i].noise))
			return false;
	}
	return true;
}

static enum tocsin_err
believe_keys(const struct trust *t, const struct keys *k, int64_t now)
{
	enum tocsin_err err = keys_accept(
	    trust_roster(t), trust_keys(t, span_of(k->member)), k, now);

	if (!err && !link_keys_free(t, k))
		err = TOCSIN_EMALFORMED;
	return err;
}

static enum tocsin_err
judge_keys(struct intake *in, const char *nation, int64_t now)
{
	enum tocsin_err err = keys_parse(&in->keys, in->note);

	if (err)
		return err;
	memcpy(in->id, in->keys->id, ID_LEN);
	if (!span_is(member_nation(span_of(in->keys->member)), nation))
		return TOCSIN_ENOTENROLLED;
	in->member = span_of(in->keys->member);
	return believe_keys(in->trust, in->keys, now);
}

/* The ticket that a line is about; ENOTFOUND: not one of ours that we have. */
static enum tocsin_err
line_ticket(const struct broker *b, struct store_rx *rx,
    const struct receipt_line *line, struct store_entry *e)
{
	enum tocsin_err err;
	uint64_t seq;

	err = store_find(rx, line->id, &seq);
	if (!err)
		err = store_get(rx, seq, e);
	if (!err && (e->kind != STORE_TICKET ||
			!span_is(member_nation(e->member), b->conf.nation)))
		err = TOCSIN_ENOTFOUND;
	return err;
}

/*
 * All lines are about tickets of one member of ours, of one exercise or live,
 * and who they say has a ticket is of the nation that says so.
 */
static enum tocsin_err
receipt_subject(const struct broker *b, struct store_rx *rx,
    const struct receipt *r, struct span nation, struct span *subject,
    char exercise[EXERCISE_MAX + 1])
{
	enum tocsin_err err = TOCSIN_OK;
	struct store_entry e = { 0 };
	char of[EXERCISE_MAX + 1];
	size_t i;

	*subject = (struct span){ 0 };
	for (i = 0; i < r->nline && !err; i++) {
		const struct receipt_line *l = &r->line[i];

		err = line_ticket(b, rx, l, &e);
		if (!err && subject->n > 0 && !span_eq(*subject, e.member))
			err = TOCSIN_EMALFORMED;
		if (!err)
			err = exercise_of(of, rx, e.seq);
		if (!err && i > 0 && strcmp(exercise, of) != 0)
			err = TOCSIN_EMALFORMED;
		if (!err && l->kind == RECEIPT_DELIVERED &&
		    !span_eq(member_nation(span_of(l->member)), nation))
			err = TOCSIN_EMALFORMED;
		if (!err)
			memcpy(exercise, of, sizeof(of));
		*subject = e.member;
	}
	return err;
}

/*
 * In which lane another broker of ours is handed it: not before the last of the
 * tickets that it is about, which it may not have yet.
 */
static unsigned
receipt_lane(
    const struct broker *b, struct store_rx *rx, const struct receipt *r)
{
	unsigned lane = LANE_IMMEDIATE, of;
	struct store_entry e;
	struct ticket t;
	struct note n;
	size_t i;

	for (i = 0; i < r->nline; i++)
		if (line_ticket(b, rx, &r->line[i], &e) == TOCSIN_OK &&
		    ticket_parse(&t, &n, e.note) == TOCSIN_OK &&
		    (of = intake_lane(&t, false)) > lane)
			lane = of;
	return lane;
}

/* A peer speaks for itself; one of our nation hands on what others said. */
static enum tocsin_err
judge_opened_receipt(
    struct intake *in, const struct broker *b, const struct receipt *r)
{
	bool ours = strcmp(in->via_nation, b->conf.nation) == 0;
	const struct roster_broker *who;
	struct store_rx *rx = NULL;
	struct span subject = { 0 };
	enum tocsin_err err;

	memcpy(in->id, r->id, ID_LEN);
	who = roster_broker(trust_roster(in->trust), span_of(r->broker));
	if (!who || (!ours && !span_is(span_of(r->broker), in->via)))
		return TOCSIN_ENOTENROLLED;
	err = store_read(b->store, &rx);
	if (err)
		return err;
	err = receipt_subject(
	    b, rx, r, span_of(who->nation), &subject, in->exercise);
	if (!err && subject.n > 0 && subject.n < sizeof(in->name)) {
		memcpy(in->name, subject.p, subject.n);
		in->member =
		    (struct span){ (const uint8_t *)in->name, subject.n };
		if (!ours && roster_broker_of(trust_roster(in->trust),
				 span_of(b->conf.nation), 1))
			in->t.lane = receipt_lane(b, rx, r);
	} else if (!err) {
		err = TOCSIN_EMALFORMED;
	}
	store_read_end(rx);
	return err;
}

static enum tocsin_err
judge_receipt(struct intake *in, const struct broker *b)
{
	struct receipt *r;
	enum tocsin_err err;

	if (in->source != INTAKE_PEER)
		return TOCSIN_EKINDNOTALLOWED;
	r = malloc(sizeof(*r)); /* too large for a stack */
	if (!r)
		return TOCSIN_EINTERNAL;
	err = receipt_open(r, trust_roster(in->trust), in->note);
	if (!err)
		err = judge_opened_receipt(in, b, r);
	free(r);
	return err;
}

/* ---- judging ---- */

struct intake *
intake_new(struct trust *t, const struct intake_source *src,
    enum store_kind kind, struct span note, size_t more)
{
	struct intake *in = calloc(1, sizeof(*in) + more);

	if (!in)
		return NULL;
	in->kind = kind;
	in->source = src->kind;
	in->note = note;
	in->trust = trust_hold(t);
	if (src->kind == INTAKE_PEER) {
		memcpy(in->via, src->who->broker, sizeof(in->via));
		memcpy(
		    in->via_nation, src->who->nation, sizeof(in->via_nation));
	}
	return in;
}

static enum tocsin_err
judge_text(struct intake **out, struct broker *b, struct trust *t,
    const struct intake_source *src, enum store_kind kind, struct span note,
    int64_t now)
{
	struct intake *in = intake_new(t, src, kind, note, 0);
	enum tocsin_err err = TOCSIN_EUNSUPPORTED;

	if (!in)
		return TOCSIN_EINTERNAL;
	if (kind == STORE_ROSTER)
		err = judge_roster(in, now);
	else if (kind == STORE_KEYS)
		err = judge_keys(in,
		    src->kind == INTAKE_PEER ? src->who->nation
					     : b->conf.nation,
		    now);
	else if (kind == STORE_RECEIPT)
		err = judge_receipt(in, b);
	if (err)
		intake_free(in);
	else
		*out = in;
	return err;
}

enum tocsin_err
intake_judge(struct intake **out, struct broker *b, struct trust *trust,
    const struct intake_source *src, enum store_kind kind, struct span note,
    struct span body, int64_t now, struct intake_refused *refused)
{
	struct intake_refused ignored;

	if (!refused)
		refused = &ignored;
	memset(refused, 0, sizeof(*refused));
	if (kind == STORE_TICKET)
		return intake_judge_ticket(
		    out, b, trust, src, note, body, now, refused);
	if (body.n > 0)
		return TOCSIN_EMALFORMED;
	return judge_text(out, b, trust, src, kind, note, now);
}

void
intake_free(struct intake *in)
{
	if (!in)
		return;
	roster_free(in->roster);
	keys_free(in->keys);
	trust_put(in->trust);
	free(in);
}

size_t
intake_weight(const struct intake *in)
{
	return in->note.n + in->body.n + 256;
}

/* ---- applying ---- */

enum tocsin_err
intake_written(enum tocsin_err err)
{
	if (err == TOCSIN_OK || err == TOCSIN_ENOSPACE)
		return err;
	return TOCSIN_EINTERNAL;
}

enum tocsin_err
intake_queue(
    struct batch *batch, struct span peer, unsigned lane, struct store_out out)
{
	names_add(&batch->peers, peer);
	return intake_written(store_out_add(batch->tx, peer, lane, &out));
}

enum tocsin_err
intake_queue_nation(struct batch *batch, struct span nation, unsigned lane,
    struct store_out out)
{
	const struct roster *r = trust_roster(batch->trust);
	const struct roster_broker *peer;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; !err && (peer = roster_broker_of(r, nation, i)); i++)
		if (strcmp(peer->name, batch->b->conf.name) != 0)
			err =
			    intake_queue(batch, span_of(peer->name), lane, out);
	return err;
}

/* To all brokers of the current roster but ourselves. */
static enum tocsin_err
queue_for_all(struct batch *batch, uint64_t seq)
{
	const struct roster *r = trust_roster(batch->trust);
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < r->nbroker && !err; i++)
		if (strcmp(r->broker[i].name, batch->b->conf.name) != 0)
			err = intake_queue(batch, span_of(r->broker[i].name),
			    LANE_FLASH, (struct store_out){ .seq = seq });
	return err;
}

static enum tocsin_err
append(struct intake *in, struct batch *batch, uint64_t *seq)
{
	struct store_entry e = {
		.kind = in->kind,
		.time = batch->now,
		.member = in->member,
		.via = span_of(in->via),
		.note = in->note,
	};

	memcpy(e.id, in->id, ID_LEN);
	return store_append(batch->tx, &e, seq);
}

static void
batch_believe(struct batch *batch, struct trust *t)
{
	trust_put(batch->trust);
	batch->trust = t;
	batch->trust_changed = true;
	names_add(&batch->members, span_of("*"));
}

/* A new peer: the rosters after the first, and what our members announced. */
static enum tocsin_err
queue_for_new(struct batch *batch, struct span peer)
{
	const struct roster *r = trust_roster(batch->trust);
	enum tocsin_err err = TOCSIN_OK;
	uint64_t s, seq = 0;
	size_t i;

	for (s = 2; s <= r->serial && !err; s++) {
		err = value_get_u64(batch->view, &seq, "roster/%" PRIu64, s);
		if (!err && seq > 0)
			err = intake_queue(batch, peer, LANE_FLASH,
			    (struct store_out){ .seq = seq });
	}
	for (i = 0; i < r->nmember && !err; i++) {
		if (!span_is(member_nation(span_of(r->member[i].name)),
			batch->b->conf.nation))
			continue;
		err = value_get_u64(
		    batch->view, &seq, "keys/%s", r->member[i].name);
		if (!err && seq > 0)
			err = intake_queue(batch, peer, LANE_FLASH,
			    (struct store_out){ .seq = seq });
	}
	return err;
}

static enum tocsin_err
queue_roster(struct intake *in, struct batch *batch, const struct roster *old,
    uint64_t seq)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; i < in->roster->nbroker && !err; i++) {
		struct span peer = span_of(in->roster->broker[i].name);

		if (span_is(peer, batch->b->conf.name))
			continue;
		if (!roster_broker(old, peer))
			err = queue_for_new(batch, peer);
		else if (in->source != INTAKE_PEER)
			err = intake_queue(batch, peer, LANE_FLASH,
			    (struct store_out){ .seq = seq });
	}
	return err;
}

/* A snapshot of its own, since apply may run again and `in` is the job's. */
static enum tocsin_err
believe_roster(struct batch *batch, struct span note)
{
	struct roster *r = NULL;
	struct trust *t = NULL;
	enum tocsin_err err = roster_parse(&r, note);

	if (!err)
		err = trust_with_roster(&t, batch->trust, r);
	if (err) {
		roster_free(r);
		return TOCSIN_EINTERNAL;
	}
	batch_believe(batch, t);
	return TOCSIN_OK;
}

static enum tocsin_err
apply_roster(struct intake *in, struct batch *batch, uint64_t *seq)
{
	struct trust *old;
	enum tocsin_err err;

	err = roster_accept(trust_roster(batch->trust), in->roster, batch->now);
	if (!err)
		err = append(in, batch, seq);
	if (err)
		return err;
	old = trust_hold(batch->trust);
	err = store_mail(batch->tx, span_of("*"), *seq);
	if (!err)
		err = trust_store_roster(batch->tx, in->roster, *seq);
	if (!err)
		err = believe_roster(batch, in->note);
	if (!err)
		err = queue_roster(in, batch, trust_roster(old), *seq);
	trust_put(old);
	return intake_written(err);
}

static enum tocsin_err
believe_announcement(struct batch *batch, struct span note)
{
	struct keys *k = NULL;
	struct trust *t = NULL;
	enum tocsin_err err = keys_parse(&k, note);

	if (!err)
		err = trust_with_keys(&t, batch->trust, k);
	if (err) {
		keys_free(k);
		return TOCSIN_EINTERNAL;
	}
	batch_believe(batch, t);
	return TOCSIN_OK;
}

static enum tocsin_err
apply_keys(struct intake *in, struct batch *batch, uint64_t *seq)
{
	enum tocsin_err err = believe_keys(batch->trust, in->keys, batch->now);

	if (!err)
		err = append(in, batch, seq);
	if (err)
		return err;
	err = store_mail(batch->tx, span_of("*"), *seq);
	if (!err)
		err =
		    value_put_u64(batch->tx, *seq, "keys/%s", in->keys->member);
	if (!err)
		err = believe_announcement(batch, in->note);
	if (!err && in->source != INTAKE_PEER)
		err = queue_for_all(batch, *seq);
	return intake_written(err);
}

static enum tocsin_err
apply_receipt(struct intake *in, struct batch *batch, uint64_t *seq)
{
	enum tocsin_err err = append(in, batch, seq);
	char name[MAILBOX_MAX + 1];
	struct span mailbox;

	if (err)
		return err;
	err = exercise_note(batch->tx, *seq, span_of(in->exercise));
	mailbox = mailbox_name(name, in->member, span_of(in->exercise));
	names_add(&batch->members, mailbox);
	if (!err)
		err = store_mail(batch->tx, mailbox, *seq);
	/* Another broker of ours need not have the ticket yet: see PROTOCOL. */
	if (!err && strcmp(in->via_nation, batch->b->conf.nation) != 0)
		err = intake_queue_nation(batch, span_of(batch->b->conf.nation),
		    in->t.lane, (struct store_out){ .seq = *seq });
	return intake_written(err);
}

/* Signed by those who may, and not what we have: somebody signs twice. */
static void
alarm_conflict(const struct intake *in, enum tocsin_err err)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);

	if (err == TOCSIN_ECHAINCONFLICT && in->kind != STORE_TICKET)
		log_limited(&limit, LOG_ERROR, "chain-conflict",
		    LOG_U("kind", in->kind), LOG_S("from", in->member),
		    LOG_X("id", SPAN(in->id)), LOG_S("via", span_of(in->via)));
}

enum tocsin_err
intake_apply(struct intake *in, struct batch *batch, uint64_t *seq)
{
	enum tocsin_err err;

	*seq = 0;
	err = store_find(batch->view, in->id, seq);
	if (err == TOCSIN_OK)
		return TOCSIN_EDUPLICATE;
	if (err != TOCSIN_ENOTFOUND)
		return intake_written(err);
	err = quota_check(in, batch);
	if (err)
		return err;
	if (in->kind == STORE_TICKET)
		err = intake_apply_ticket(in, batch, seq);
	else if (in->kind == STORE_ROSTER)
		err = apply_roster(in, batch, seq);
	else if (in->kind == STORE_KEYS)
		err = apply_keys(in, batch, seq);
	else
		err = apply_receipt(in, batch, seq);
	alarm_conflict(in, err);
	return err ? err : intake_written(quota_take(in, batch));
}

/* ---- installing ---- */

struct install {
	struct job job;
	struct intake *in;
	uint64_t seq;
};

static enum tocsin_err
install_apply(struct job *job, struct batch *batch)
{
	struct install *i = (struct install *)job;

	return intake_apply(i->in, batch, &i->seq);
}

enum tocsin_err
intake_install(struct broker *b, enum store_kind kind, struct span file)
{
	struct intake_source src = { .kind = INTAKE_OPERATOR };
	struct install i = { .job = { .posts = 1, .apply = install_apply } };
	struct trust *t = trust_get(b->trust);
	enum tocsin_err err;

	err = intake_judge(&i.in, b, t, &src, kind, file, (struct span){ 0 },
	    clock_now(), NULL);
	if (!err) {
		i.job.weight = intake_weight(i.in);
		err = writer_call(b->writer, &i.job);
	}
	intake_free(i.in);
	trust_put(t);
	return err;
}
