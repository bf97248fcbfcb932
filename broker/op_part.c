/* SPDX-License-Identifier: ISC */
#include "broker/dispatch.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/mend.h"
#include "broker/recall.h"
#include "broker/staged.h"
#include "crypto/ticket.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 100

/*
 * Ranges that are on the way together overtake one another on their way through
 * our threads. One that comes early is tried again with the next commits.
 */
#define EARLY_MAX (1024 * 1024) /* bytes before the place */
#define EARLY_TRIES 4

/* ---- put ---- */

struct put {
	struct job job;
	struct request *r;
	struct msg_put m; /* its bytes are in the request */
	struct msg_have have;
	bool early;
	unsigned tries;
};

static void
answer_have(struct request *r, const struct msg_have *have)
{
	struct buf reply = { 0 };

	msg_accept(&reply);
	msg_have_encode(&reply, have);
	request_answer(r, &reply);
	buf_release(&reply);
}

/*
 * Who may add to a part: the member whose ticket named it first, and, while no
 * ticket does, whoever has staged it. Anybody who has seen a header can name
 * its parts, too, and spoil what their sender is still putting.
 */
static enum tocsin_err
may_put(struct put *p, struct batch *batch, const struct store_part *part)
{
	struct span mailbox = span_of(p->r->who.mailbox);
	char exercise[EXERCISE_MAX + 1];
	struct store_entry e;
	enum tocsin_err err;

	if (part->first_seq == 0 &&
	    recall_names(batch->view, mailbox, p->m.hash))
		return TOCSIN_ERECALLED;
	if (part->first_seq == 0)
		return staged_take(batch, p->r->who.member,
		    p->r->who.exercise[0] != '\0', p->m.hash, p->m.total);
	err = store_get(batch->view, part->first_seq, &e);
	if (!err)
		err = exercise_of(exercise, batch->view, part->first_seq);
	if (!err && (!span_is(e.member, p->r->who.member) ||
			strcmp(exercise, p->r->who.exercise) != 0))
		err = TOCSIN_EPOLICYDENIED;
	return err;
}

static enum tocsin_err
write_bytes(struct put *p, struct batch *batch, struct store_part *part)
{
	enum tocsin_err err;

	err = store_part_write(
	    batch->tx, p->m.hash, p->m.offset, p->m.bytes, &p->have.have);
	if (err == TOCSIN_EDUPLICATE) {
		/* Not at the end: told where it is, if that doesn't change. */
		p->early = p->m.offset > p->have.have &&
			   p->m.offset - p->have.have <= EARLY_MAX;
		return TOCSIN_OK;
	}
	if (!err)
		err = store_part_stat(batch->view, p->m.hash, part);
	if (err)
		return err;
	p->have.have = part->have;
	p->have.complete = part->complete;
	return part->complete ? intake_part_complete(batch, p->m.hash)
			      : TOCSIN_OK;
}

static enum tocsin_err
put_apply(struct job *job, struct batch *batch)
{
	struct put *p = (struct put *)job;
	struct store_part part = { .total = p->m.total };
	enum tocsin_err err;

	p->early = false;
	err = store_part_stat(batch->view, p->m.hash, &part);
	if (err && err != TOCSIN_ENOTFOUND)
		return err;
	if (part.total != p->m.total)
		return TOCSIN_EMALFORMED;
	if (part.complete) {
		p->have = (struct msg_have){ part.total, true };
		return TOCSIN_OK;
	}
	err = may_put(p, batch, &part);
	if (!err)
		err = write_bytes(p, batch, &part);
	return err;
}

static void
put_done(struct job *job, enum tocsin_err err)
{
	struct put *p = (struct put *)job;

	if (!err && p->early && p->tries++ < EARLY_TRIES &&
	    writer_submit_later(p->r->b->writer, job) == TOCSIN_OK)
		return;
	if (err)
		request_refuse(p->r, err, 0, NULL);
	else
		answer_have(p->r, &p->have);
	free(p);
}

/* No bytes: how far is it? */
static void
put_ask(struct request *r, const struct msg_put *m)
{
	struct store_part part = { 0 };
	struct msg_have have;
	struct store_rx *rx;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (!err) {
		err = store_part_stat(rx, m->hash, &part);
		store_read_end(rx);
	}
	if (err && err != TOCSIN_ENOTFOUND) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	have = (struct msg_have){ part.have, part.complete };
	answer_have(r, &have);
}

static void
put_bytes(struct request *r, const struct msg_put *m)
{
	struct put *p = calloc(1, sizeof(*p));
	enum tocsin_err err = TOCSIN_EBUSY;

	count_more(r->b->count, BROKER_put_bytes, m->bytes.n);
	if (p) {
		p->job = (struct job){ .weight = m->bytes.n,
			.apply = put_apply,
			.done = put_done };
		p->r = r;
		p->m = *m;
		err = writer_submit(r->b->writer, &p->job);
	}
	if (err) {
		free(p);
		request_refuse(
		    r, err, err == TOCSIN_EBUSY ? RETRY_MS : 0, NULL);
	}
}

void
op_put(struct request *r, struct span body)
{
	struct msg_put m;

	if (msg_put_decode(&m, body) != TOCSIN_OK)
		request_refuse(r, TOCSIN_EMALFORMED, 0, NULL);
	else if (m.total > r->b->conf.part_max)
		request_refuse(r, TOCSIN_ETOOLARGE, 0, NULL);
	else if (m.bytes.n == 0)
		put_ask(r, &m);
	else
		put_bytes(r, &m);
}

/* ---- get ---- */

enum tocsin_err
request_find(const struct request *r, struct store_rx *rx, const uint8_t id[32],
    struct store_entry *e)
{
	char exercise[EXERCISE_MAX + 1];
	enum tocsin_err err;
	uint64_t seq;

	err = store_find(rx, id, &seq);
	if (!err)
		err = store_get(rx, seq, e);
	if (!err)
		err = exercise_of(exercise, rx, seq);
	if (err || store_mail_has(rx, span_of(r->who.mailbox), seq))
		return err;
	return span_is(e->member, r->who.member) &&
		       strcmp(exercise, r->who.exercise) == 0
		   ? TOCSIN_OK
		   : TOCSIN_ENOTFOUND;
}

/* What the header says of it; ENOTFOUND if it doesn't name it. */
struct named {
	uint64_t total;
	bool body;     /* not a part */
	bool left_out; /* larger than what we take from there */
	bool recalled;
};

static uint64_t
largest_of(const struct broker *b, struct span member)
{
	return span_is(member_nation(member), b->conf.nation)
		   ? b->conf.part_max
		   : b->conf.accept.part;
}

static enum tocsin_err
find_named(struct named *out, const struct broker *b, struct store_rx *rx,
    const struct store_entry *e, const uint8_t hash[32])
{
	struct ticket t;
	struct note n;
	size_t i;

	if (e->kind != STORE_TICKET || ticket_parse(&t, &n, e->note))
		return TOCSIN_ENOTFOUND;
	*out = (struct named){ .total = t.body_size, .body = true };
	if (memcmp(t.body_hash, hash, 32) == 0)
		return TOCSIN_OK;
	for (i = 0; i < t.npart; i++) {
		if (memcmp(t.part[i].hash, hash, 32) != 0)
			continue;
		*out = (struct named){ .total = t.part[i].size,
			.recalled = recall_covers(rx, &t, hash) };
		out->left_out = out->total > largest_of(b, e->member);
		return TOCSIN_OK;
	}
	return TOCSIN_ENOTFOUND;
}

/*
 * A body that lies in the log itself is read from there. Of what was left at
 * the border there may be a beginning, from when more was taken, or all of it.
 */
static enum tocsin_err
read_range(struct msg_range *out, struct buf *bytes, struct store_rx *rx,
    const struct store_entry *e, const struct named *named,
    const struct msg_get *m)
{
	size_t max = m->max < MSG_RANGE_MAX ? m->max : MSG_RANGE_MAX;
	struct store_part part = { 0 };
	enum tocsin_err err;

	out->total = named->total;
	if (named->body && !e->detached) {
		out->have = e->body.n;
		if (m->offset < e->body.n)
			buf_add(
			    bytes, span_cut(e->body, (size_t)m->offset, max));
		return TOCSIN_OK;
	}
	err = store_part_stat(rx, m->hash, &part);
	if (err && err != TOCSIN_ENOTFOUND) /* that: none of it is here yet */
		return err;
	/* Who named it first may have said another size. */
	out->have = part.have < out->total ? part.have : out->total;
	if (m->offset < out->have)
		return store_part_read(rx, m->hash, m->offset, max, bytes);
	return named->left_out && !part.complete ? TOCSIN_ETOOLARGE : TOCSIN_OK;
}

/* While some peer may have it, it is not here yet. */
static enum tocsin_err
damaged(struct request *r, const struct msg_get *m)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);

	log_limited(&limit, LOG_ERROR, "part-damaged",
	    LOG_X("hash", SPAN(m->hash)), LOG_U("offset", m->offset));
	return mend_part_is_lost(r->b->mend, m->hash) ? TOCSIN_EBODYMISMATCH
						      : TOCSIN_EBUSY;
}

static enum tocsin_err
get(struct request *r, const struct msg_get *m, struct msg_range *out,
    struct buf *bytes)
{
	struct store_rx *rx = NULL;
	struct store_entry e;
	struct named named;
	enum tocsin_err err = store_read(r->b->store, &rx);

	if (err)
		return err;
	err = request_find(r, rx, m->id, &e);
	if (!err && e.erased)
		err = recall_is_of(rx, &e) ? TOCSIN_ERECALLED : TOCSIN_EERASED;
	if (!err)
		err = find_named(&named, r->b, rx, &e, m->hash);
	if (!err && named.recalled)
		err = TOCSIN_ERECALLED;
	if (!err)
		err = read_range(out, bytes, rx, &e, &named, m);
	store_read_end(rx);
	if (err == TOCSIN_EBODYMISMATCH)
		err = damaged(r, m);
	return err;
}

void
op_get(struct request *r, struct span body)
{
	struct buf bytes = { 0 }, reply = { 0 };
	struct msg_range range = { 0 };
	enum tocsin_err err;
	struct msg_get m;

	err = msg_get_decode(&m, body);
	if (!err)
		err = get(r, &m, &range, &bytes);
	if (err) {
		request_refuse(
		    r, err, err == TOCSIN_EBUSY ? RETRY_MS : 0, NULL);
	} else {
		range.bytes = buf_span(&bytes);
		count_more(r->b->count, BROKER_got_bytes, bytes.n);
		msg_accept(&reply);
		msg_range_encode(&reply, &range);
		request_answer(r, &reply);
	}
	buf_release(&reply);
	buf_release(&bytes);
}
