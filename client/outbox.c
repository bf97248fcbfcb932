/* SPDX-License-Identifier: ISC */
#include "client/outbox.h"

#include "client/attempt.h"
#include "client/puts.h"
#include "client/term.h"
#include "crypto/msg.h"
#include "crypto/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH 16
#define AGAIN_MAX 60000 /* ms, between two tries of what is refused for now */
#define FULL_MAX 8000	/* while the broker has no room */
#define TAIL_MS 30
#define LOOK_MS 500 /* for answers, at least so often */

uint32_t
outbox_again_max(enum tocsin_err err)
{
	return err == TOCSIN_ENOSPACE ? FULL_MAX : AGAIN_MAX;
}

bool
outbox_hurdle(enum tocsin_err err)
{
	return err == TOCSIN_EBUSY || err == TOCSIN_EUNAVAILABLE ||
	       err == TOCSIN_ETIMEOUT || err == TOCSIN_ENOTENROLLED;
}

/* ---- bodies ---- */

static enum tocsin_err
read_body(void *arg, uint64_t offset, size_t max, struct buf *out)
{
	buf_add(out, span_cut(*(const struct span *)arg, (size_t)offset, max));
	return TOCSIN_OK;
}

/* A body that does not fit beside its note goes ahead of it. */
static enum tocsin_err
put_body(struct outbox *o, struct span body, uint32_t *retry)
{
	struct puts p;
	uint8_t hash[32];
	enum tocsin_err err;
	uint64_t seen;

	crypto_hash_sha256(hash, body.p, body.n);
	puts_begin(&p, o->line, 2 * (int)o->parts->answer_ms, hash, body.n,
	    read_body, &body);
	for (;;) {
		seen = desk_changes(o->parts->desk);
		err = puts_go(&p, retry);
		if (err != TOCSIN_OK || p.complete)
			break;
		desk_wait(o->parts->desk, seen, LOOK_MS);
	}
	puts_drop(&p);
	return err;
}

/* ---- a batch ---- */

struct batch {
	size_t n;
	uint64_t number[BATCH];
	struct msg_envelope env[BATCH];
	struct buf copy[BATCH]; /* what the envelopes alias */
	size_t bytes;
};

static bool
batch_fits(const struct batch *b, const struct desk_message *m)
{
	return b->n == 0 ||
	       b->bytes + m->note.n + m->body.n + 8 <= MSG_ENVELOPE_MAX;
}

static enum tocsin_err
batch_add(struct batch *b, const struct desk_message *m)
{
	size_t size = m->note.n + m->body.n;
	struct buf *copy = &b->copy[b->n];

	buf_add(copy, m->note);
	buf_add(copy, m->body);
	if (!buf_ok(copy))
		return TOCSIN_EINTERNAL;
	b->number[b->n] = m->number;
	b->env[b->n].note = span_cut(buf_span(copy), 0, m->note.n);
	b->env[b->n].body = span_cut(buf_span(copy), m->note.n, m->body.n);
	b->bytes += size + 8;
	b->n++;
	return TOCSIN_OK;
}

static enum tocsin_err mark(struct desk_tx *tx, uint64_t number,
    struct span note, enum tocsin_err code, uint64_t seq);

/* Its end has passed: it is not sent, and what waits behind it goes on. */
static enum tocsin_err
drop_over(struct outbox *o, uint64_t number)
{
	struct desk_message m;
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(o->parts->desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_get(tx, number, &m);
	if (err == TOCSIN_OK)
		err = mark(tx, number, m.note, TOCSIN_ETIMEOUT, 0);
	if (err == TOCSIN_OK)
		return desk_commit(tx);
	desk_end(tx);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* What is damaged on this disk cannot be sent, and is shown as damaged. */
static enum tocsin_err
drop_damaged(struct outbox *o, uint64_t number)
{
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(o->parts->desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_outbox_done(tx, number);
	if (err == TOCSIN_OK)
		return desk_commit(tx);
	desk_end(tx);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
batch_load(struct outbox *o, struct batch *b)
{
	struct desk_message m;
	struct desk_tx *tx = NULL;
	uint64_t n = o->from, damaged = 0, over = 0;
	enum tocsin_err err = desk_read(o->parts->desk, &tx);

	while (err == TOCSIN_OK && b->n < BATCH) {
		err = desk_outbox_next(tx, n, &n);
		if (err != TOCSIN_OK) {
			if (err == TOCSIN_ENOTFOUND)
				err = TOCSIN_OK;
			break;
		}
		err = desk_get(tx, n, &m);
		if (err == TOCSIN_EBODYMISMATCH || err == TOCSIN_ENOTFOUND) {
			err = TOCSIN_OK;
			damaged = n; /* what stands behind it goes next time */
			break;
		}
		if (err == TOCSIN_OK && term_over(tx, n, (int64_t)time(NULL))) {
			over = n;
			break;
		}
		if (err == TOCSIN_OK && !batch_fits(b, &m))
			break;
		if (err == TOCSIN_OK)
			err = batch_add(b, &m);
	}
	desk_end(tx);
	if (err == TOCSIN_OK && over > 0)
		return drop_over(o, over);
	return err == TOCSIN_OK && damaged > 0 ? drop_damaged(o, damaged) : err;
}

/* ---- what became of it ---- */

enum tocsin_err
outbox_names(struct desk_tx *tx, const uint8_t hash[32], bool *named)
{
	struct ticket *t = malloc(sizeof(*t));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	struct desk_message m;
	struct note note;
	uint64_t n = 0;
	size_t i;

	*named = false;
	if (t == NULL)
		return err;
	while (!*named && (err = desk_outbox_next(tx, n, &n)) == TOCSIN_OK) {
		if (desk_get(tx, n, &m) != TOCSIN_OK ||
		    ticket_parse(t, &note, m.note) != TOCSIN_OK)
			continue;
		for (i = 0; i < t->npart; i++)
			if (memcmp(t->part[i].hash, hash, 32) == 0)
				*named = true;
	}
	free(t);
	return *named || err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* The broker will not take the parts of what it refused. */
static enum tocsin_err
drop_uploads(struct desk_tx *tx, struct span file)
{
	struct ticket *t = malloc(sizeof(*t));
	enum tocsin_err err = TOCSIN_OK;
	struct note note;
	bool named;
	size_t i;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	if (ticket_parse(t, &note, file) == TOCSIN_OK)
		for (i = 0; err == TOCSIN_OK && i < t->npart; i++) {
			err = outbox_names(tx, t->part[i].hash, &named);
			if (err != TOCSIN_OK || named)
				continue;
			err = desk_upload_done(tx, t->part[i].hash);
			if (err == TOCSIN_ENOTFOUND)
				err = TOCSIN_OK;
		}
	free(t);
	return err;
}

/* Another process may have been told already. */
static enum tocsin_err
mark(struct desk_tx *tx, uint64_t number, struct span note,
    enum tocsin_err code, uint64_t seq)
{
	bool taken = code == TOCSIN_OK || code == TOCSIN_EDUPLICATE;
	struct desk_message m;
	enum tocsin_err err = desk_outbox_done(tx, number);

	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (err == TOCSIN_OK)
		err = attempt_drop(tx, number);
	if (err == TOCSIN_OK)
		err = term_drop(tx, number);
	if (err == TOCSIN_OK && !taken)
		err = drop_uploads(tx, note);
	if (err == TOCSIN_OK)
		err = desk_get(tx, number, &m);
	if (err == TOCSIN_EBODYMISMATCH) /* damaged meanwhile; it left */
		return TOCSIN_OK;
	if (err != TOCSIN_OK)
		return err;
	if (taken && m.posted == 0) {
		m.seq = seq;
		m.posted = (int64_t)time(NULL);
	} else if (!taken) {
		m.refused = code;
	}
	return desk_update(tx, &m);
}

/* Refused for now: for people who ask why it waits. */
static enum tocsin_err
note_attempt(struct desk_tx *tx, uint64_t number, enum tocsin_err code)
{
	const int64_t now = (int64_t)time(NULL);
	const struct attempt a = { code, now, now + AGAIN_MAX / 1000 };

	return attempt_put(tx, number, &a);
}

/* Write down what became of each. */
static enum tocsin_err
batch_mark(struct outbox *o, const struct batch *b, const struct msg_posted *p)
{
	enum tocsin_err err;
	struct desk_tx *tx;
	size_t i;

	err = desk_write(o->parts->desk, &tx);
	if (err != TOCSIN_OK)
		return err;
	for (i = 0; err == TOCSIN_OK && i < b->n; i++)
		if (sync_passes(p->item[i].code))
			err = note_attempt(tx, b->number[i], p->item[i].code);
		else
			err = mark(tx, b->number[i], b->env[i].note,
			    p->item[i].code, p->item[i].seq);
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	return desk_commit(tx);
}

/* ---- posting ---- */

/*
 * When TCP loses the end of what it was given it tries again after a second;
 * when something small comes behind it, after a round trip.
 */
static void
send_tail(struct outbox *o)
{
	static const uint8_t hello[] = { MSG_HELLO };

	line_drop(o->line,
	    line_begin(o->line, SPAN(hello), (int)o->parts->answer_ms));
}

static enum tocsin_err
ask_post(
    struct outbox *o, struct span request, struct buf *fields, uint32_t *retry)
{
	uint64_t seen = desk_changes(o->parts->desk);
	struct call *c =
	    line_begin(o->line, request, 2 * (int)o->parts->answer_ms);

	*retry = 0;
	if (c == NULL)
		return TOCSIN_EUNAVAILABLE;
	if (!line_answered(o->line, c))
		desk_wait(o->parts->desk, seen, TAIL_MS);
	if (!line_answered(o->line, c))
		send_tail(o);
	return line_end(o->line, c, fields, retry);
}

static enum tocsin_err
batch_send(struct outbox *o, struct batch *b, struct msg_posted *posted,
    uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	if (b->n == 1 && b->bytes > MSG_ENVELOPE_MAX) {
		err = put_body(o, b->env[0].body, retry);
		b->env[0].body = (struct span){ 0 };
		if (err != TOCSIN_OK && !outbox_hurdle(err)) {
			posted->n = 1;
			posted->item[0].code = err;
			posted->item[0].seq = 0;
			return TOCSIN_OK;
		}
	}
	msg_post_encode(&request, b->env, b->n);
	if (err == TOCSIN_OK && !buf_ok(&request))
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK)
		err = ask_post(o, buf_span(&request), &fields, retry);
	if (err == TOCSIN_OK)
		err = msg_posted_decode(posted, buf_span(&fields));
	if (err == TOCSIN_OK && posted->n != b->n)
		err = TOCSIN_EMALFORMED;
	buf_release(&request);
	buf_release(&fields);
	return err;
}

/* The pass goes on beyond this batch. */
static void
batch_over(struct outbox *o, const struct batch *b, const struct msg_posted *p)
{
	size_t i;

	backoff_reset(&o->posting);
	turn_got_on(o->turn);
	for (i = 0; i < b->n; i++)
		if (sync_passes(p->item[i].code)) {
			if (!o->passed_over)
				backoff_more(&o->again, 0,
				    outbox_again_max(p->item[i].code));
			o->passed_over = true;
			o->trouble = p->item[i].code;
		}
	o->from = b->number[b->n - 1];
}

static bool
post_batch(struct outbox *o, struct batch *b, bool *stranger)
{
	struct msg_posted *p = malloc(sizeof(*p));
	uint32_t retry = 0;
	enum tocsin_err err;

	err = p != NULL ? batch_load(o, b) : TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK &&
	    (b->n == 0 || !turn_is_ours(o->turn, &o->wait))) {
		free(p);
		if (b->n == 0)
			o->wait.since = 0;
		if (b->n == 0 && !o->passed_over) {
			o->trouble = TOCSIN_OK;
			backoff_reset(&o->again);
		}
		return false;
	}
	if (err == TOCSIN_OK) {
		err = batch_send(o, b, p, &retry);
		*stranger = err == TOCSIN_ENOTENROLLED;
	}
	if (err == TOCSIN_OK)
		err = batch_mark(o, b, p);
	if (err == TOCSIN_OK) {
		batch_over(o, b, p);
	} else {
		o->trouble = err;
		backoff_more(&o->posting, retry, outbox_again_max(err));
	}
	free(p);
	return err == TOCSIN_OK;
}

static void
take_restart(struct outbox *o)
{
	bool lost = atomic_exchange(&o->lost, false);

	if (lost)
		o->wait.since = 0;
	if (!atomic_exchange(&o->restart, false) && !lost)
		return;
	backoff_reset(&o->posting);
	backoff_reset(&o->again);
}

bool
outbox_post(struct outbox *o, bool *stranger)
{
	struct batch *b;
	bool more;
	size_t i;

	*stranger = false;
	take_restart(o);
	if (!backoff_over(&o->posting))
		return false;
	if (o->passed_over && backoff_over(&o->again)) {
		o->from = 0;
		o->passed_over = false;
	}
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return false;
	more = post_batch(o, b, stranger);
	for (i = 0; i < BATCH; i++)
		buf_release(&b->copy[i]);
	free(b);
	return more;
}

void
outbox_lost(struct outbox *o)
{
	o->lost = true;
	desk_wake(o->parts->desk);
}

void
outbox_restart(struct outbox *o)
{
	o->restart = true;
	desk_wake(o->parts->desk);
}

int64_t
outbox_rest(const struct outbox *o, int64_t ms)
{
	ms = backoff_sooner(&o->posting, ms);
	if (o->wait.since != 0 && ms > TURN_LOOK_MS)
		ms = TURN_LOOK_MS;
	return o->passed_over ? backoff_sooner(&o->again, ms) : ms;
}
