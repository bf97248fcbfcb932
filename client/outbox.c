/* SPDX-License-Identifier: ISC */
#include "client/outbox.h"

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
#define OTHERS_MS 5000	/* that who has the lock gets to send something */
#define LOOK_MS 500	/* while we wait for that */

/* ---- who does it ---- */

void
outbox_open(struct outbox *o)
{
	char path[640];

	keystore_path(path, o->parts->keys->home, "outbox.lock");
	o->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Who has the lock leaves a sign with each thing that is taken. */
static void
got_on(const struct outbox *o)
{
	if (o->ours && o->lock >= 0)
		(void)futimens(o->lock, NULL);
}

static bool
others_get_on(const struct outbox *o)
{
	struct timespec now;
	struct stat st;

	if (fstat(o->lock, &st) != 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return llabs((long long)(now.tv_sec - st.st_mtim.tv_sec)) <
	       OTHERS_MS / 1000;
}

/* Asked when there is something to send. */
static bool
may_send(struct outbox *o)
{
	if (!o->ours)
		o->ours = o->lock < 0 || flock(o->lock, LOCK_EX | LOCK_NB) == 0;
	if (o->ours) {
		o->since = 0;
		return true;
	}
	if (o->since == 0)
		o->since = backoff_now();
	return backoff_now() - o->since >= OTHERS_MS && !others_get_on(o);
}

/* In the way of all that is asked, not of one message or part. */
static bool
is_hurdle(enum tocsin_err err)
{
	return err == TOCSIN_EBUSY || err == TOCSIN_EUNAVAILABLE ||
	       err == TOCSIN_ETIMEOUT || err == TOCSIN_ENOTENROLLED;
}

/* ---- ranges of bodies and parts ---- */

static enum tocsin_err
take_have(enum tocsin_err err, uint64_t total, const struct buf *fields,
    struct msg_have *have)
{
	if (err == TOCSIN_EBODYMISMATCH) /* somebody's bytes before ours */
		return TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK &&
	    (msg_have_decode(have, buf_span(fields)) != TOCSIN_OK ||
		have->have > total))
		return TOCSIN_EINTERNAL;
	return err;
}

/* Put bytes from `offset` on, and see how much is there. */
static enum tocsin_err
put_range(struct outbox *o, const struct msg_put *m, struct msg_have *have,
    uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	msg_put_encode(&request, m);
	if (buf_ok(&request))
		err = line_ask(o->line, buf_span(&request),
		    2 * (int)o->parts->answer_ms, &fields, retry);
	err = take_have(err, m->total, &fields, have);
	/* What is taken shows; else we would send it for ever. */
	if (err == TOCSIN_OK && m->bytes.n > 0 && !have->complete &&
	    have->have <= m->offset)
		err = TOCSIN_EBUSY;
	buf_release(&request);
	buf_release(&fields);
	return err;
}

/* A body that does not fit beside its note goes ahead of it. */
static enum tocsin_err
put_body(struct outbox *o, struct span body, uint32_t *retry)
{
	struct msg_put m = { .total = body.n };
	struct msg_have have = { 0 };
	enum tocsin_err err;

	crypto_hash_sha256(m.hash, body.p, body.n);
	err = put_range(o, &m, &have, retry);
	while (err == TOCSIN_OK && !have.complete) {
		m.offset = have.have;
		m.bytes = span_cut(body, have.have, MSG_RANGE_MAX);
		err = m.bytes.n > 0 ? put_range(o, &m, &have, retry)
				    : TOCSIN_EINTERNAL;
	}
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
	uint64_t n = o->from, damaged = 0;
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
		if (err == TOCSIN_OK && !batch_fits(b, &m))
			break;
		if (err == TOCSIN_OK)
			err = batch_add(b, &m);
	}
	desk_end(tx);
	return err == TOCSIN_OK && damaged > 0 ? drop_damaged(o, damaged) : err;
}

/* ---- what became of it ---- */

/* Whether another message that waits names this part as well. */
static enum tocsin_err
still_named(
    struct desk_tx *tx, const uint8_t hash[32], struct ticket *t, bool *named)
{
	struct desk_message m;
	enum tocsin_err err;
	struct note note;
	uint64_t n = 0;
	size_t i;

	*named = false;
	while (!*named && (err = desk_outbox_next(tx, n, &n)) == TOCSIN_OK) {
		if (desk_get(tx, n, &m) != TOCSIN_OK ||
		    ticket_parse(t, &note, m.note) != TOCSIN_OK)
			continue;
		for (i = 0; i < t->npart; i++)
			if (memcmp(t->part[i].hash, hash, 32) == 0)
				*named = true;
	}
	return *named || err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* The broker will not take the parts of what it refused. */
static enum tocsin_err
drop_uploads(struct desk_tx *tx, struct span file)
{
	struct ticket *t = malloc(2 * sizeof(*t));
	enum tocsin_err err = TOCSIN_OK;
	struct note note;
	bool named;
	size_t i;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	if (ticket_parse(t, &note, file) == TOCSIN_OK)
		for (i = 0; err == TOCSIN_OK && i < t->npart; i++) {
			err = still_named(tx, t->part[i].hash, t + 1, &named);
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
		if (!sync_passes(p->item[i].code))
			err = mark(tx, b->number[i], b->env[i].note,
			    p->item[i].code, p->item[i].seq);
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	return desk_commit(tx);
}

/* ---- posting ---- */

static enum tocsin_err
batch_send(struct outbox *o, struct batch *b, struct msg_posted *posted,
    uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	if (b->n == 1 && b->bytes > MSG_ENVELOPE_MAX) {
		err = put_body(o, b->env[0].body, retry);
		b->env[0].body = (struct span){ 0 };
		if (err != TOCSIN_OK && !is_hurdle(err)) {
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
		err = line_ask(o->line, buf_span(&request),
		    2 * (int)o->parts->answer_ms, &fields, retry);
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
	got_on(o);
	for (i = 0; i < b->n; i++)
		if (sync_passes(p->item[i].code)) {
			if (!o->passed_over)
				backoff_more(&o->again, 0, AGAIN_MAX);
			o->passed_over = true;
			o->post_trouble = p->item[i].code;
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
	if (err == TOCSIN_OK && (b->n == 0 || !may_send(o))) {
		free(p);
		if (b->n == 0 && !o->active)
			o->since = 0;
		if (b->n == 0 && !o->passed_over) {
			o->post_trouble = TOCSIN_OK;
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
		o->post_trouble = err;
		backoff_more(&o->posting, retry, AGAIN_MAX);
	}
	free(p);
	return err == TOCSIN_OK;
}

bool
outbox_post(struct outbox *o, bool *stranger)
{
	struct batch *b;
	bool more;
	size_t i;

	*stranger = false;
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

/* ---- uploading parts ---- */

static enum tocsin_err
read_range(const char *path, uint64_t offset, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum tocsin_err err = TOCSIN_OK;
	uint8_t *at;
	ssize_t n;

	if (fd < 0)
		return file_error(errno);
	at = buf_grow(out, max);
	if (at != NULL) {
		n = pread(fd, at, max, (off_t)offset);
		if (n < 0)
			err = file_error(errno);
		buf_cut(out, n > 0 ? (size_t)n : 0);
	} else {
		err = TOCSIN_EINTERNAL;
	}
	close(fd);
	if (err == TOCSIN_OK && out->n == 0) /* shorter than it was */
		err = TOCSIN_EBODYMISMATCH;
	return err;
}

static enum tocsin_err
upload_finished(struct outbox *o)
{
	char path[768];
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(o->parts->desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_upload_done(tx, o->part);
	if (err != TOCSIN_OK && err != TOCSIN_ENOTFOUND) {
		desk_end(tx);
		return err;
	}
	err = desk_commit(tx);
	sync_spool(path, o->parts->keys->home, o->part);
	if (err == TOCSIN_OK)
		unlink(path);
	return err;
}

/* How much is there? */
static enum tocsin_err
upload_ask(struct outbox *o, uint32_t *retry)
{
	struct msg_put m = { .total = o->size };
	struct msg_have have = { 0 };
	enum tocsin_err err;

	memcpy(m.hash, o->part, sizeof(m.hash));
	o->theirs = true;
	err = put_range(o, &m, &have, retry);
	if (err != TOCSIN_OK)
		return err;
	o->asked = true;
	o->gap = false;
	o->have = o->next = o->began = have.have;
	if (!have.complete)
		return TOCSIN_OK;
	o->active = false;
	return upload_finished(o);
}

static void
drop_puts(struct outbox *o)
{
	for (; o->nput > 0; o->nput--) {
		line_drop(o->line, o->put[o->first].call);
		o->first = (o->first + 1) % OUTBOX_PUTS;
	}
}

/* The bytes that there are to send, and room for; 0: none. */
static size_t
range_size(const struct outbox *o)
{
	size_t n = line_piece(o->line, LINE_UP, MSG_RANGE_MAX);

	if (n > o->size - o->next)
		n = (size_t)(o->size - o->next);
	if (o->gap || o->nput == OUTBOX_PUTS || !line_room(o->line, LINE_UP, n))
		return 0;
	return n;
}

static enum tocsin_err
send_range(struct outbox *o, size_t n)
{
	struct msg_put m = { .total = o->size, .offset = o->next };
	struct buf bytes = { 0 }, request = { 0 };
	struct outbox_put *p;
	enum tocsin_err err;
	char path[768];

	o->theirs = false;
	memcpy(m.hash, o->part, sizeof(m.hash));
	sync_spool(path, o->parts->keys->home, o->part);
	err = read_range(path, o->next, n, &bytes);
	if (err == TOCSIN_OK) {
		m.bytes = buf_span(&bytes);
		msg_put_encode(&request, &m);
		p = &o->put[(o->first + o->nput) % OUTBOX_PUTS];
		p->end = o->next + m.bytes.n;
		p->call = buf_ok(&request)
			      ? line_begin(o->line, buf_span(&request),
				    2 * (int)o->parts->answer_ms)
			      : NULL;
		if (p->call == NULL) {
			err = TOCSIN_EUNAVAILABLE;
		} else {
			o->nput++;
			o->next = p->end;
		}
	}
	buf_release(&bytes);
	buf_release(&request);
	return err;
}

/* The oldest range was answered. */
static enum tocsin_err
reap_range(struct outbox *o, uint32_t *retry)
{
	const struct outbox_put p = o->put[o->first];
	struct buf fields = { 0 };
	struct msg_have have;
	enum tocsin_err err;

	o->first = (o->first + 1) % OUTBOX_PUTS;
	o->nput--;
	o->theirs = true;
	err = take_have(
	    line_end(o->line, p.call, &fields, retry), o->size, &fields, &have);
	buf_release(&fields);
	if (err != TOCSIN_OK)
		return err;
	if (have.complete) {
		drop_puts(o);
		o->active = false;
		return upload_finished(o);
	}
	if (have.have > o->have)
		o->have = have.have;
	got_on(o);
	if (have.have < p.end) /* one before it was lost */
		o->gap = true;
	return TOCSIN_OK;
}

/* What is answered, and then what there is room for. */
static enum tocsin_err
upload_ranges(struct outbox *o, uint32_t *retry)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t n;

	while (err == TOCSIN_OK && o->active && o->nput > 0 &&
	       line_answered(o->line, o->put[o->first].call))
		err = reap_range(o, retry);
	if (err != TOCSIN_OK || !o->active)
		return err;
	if (o->gap && o->nput == 0) {
		/* Nothing was taken; else we would send it for ever. */
		if (o->have == o->began)
			return TOCSIN_EBUSY;
		o->gap = false;
		o->next = o->began = o->have;
	}
	while (err == TOCSIN_OK && (n = range_size(o)) > 0)
		err = send_range(o, n);
	return err;
}

/* The part after the last one that was tried; false at the end of the pass. */
static bool
next_part(struct outbox *o)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = desk_read(o->parts->desk, &tx);

	if (err == TOCSIN_OK)
		err = desk_upload_next(tx, o->part, o->part, &o->size);
	desk_end(tx);
	o->active = err == TOCSIN_OK;
	o->asked = false;
	o->have = 0;
	return o->active;
}

/* The end of a pass: what failed in it is tried again, not at once. */
static void
uploads_over(struct outbox *o)
{
	memset(o->part, 0, sizeof(o->part));
	if (o->failed != TOCSIN_OK)
		backoff_more(&o->uploading, 0, AGAIN_MAX);
	else
		backoff_reset(&o->uploading);
	o->upload_trouble = o->failed;
	o->failed = TOCSIN_OK;
}

/* One part that fails does not keep the others back. */
static bool
upload_failed(struct outbox *o, enum tocsin_err err, uint32_t retry)
{
	drop_puts(o);
	o->upload_trouble = err;
	if (is_hurdle(err)) {
		o->asked = false; /* the same part, once more */
		o->have = 0;
		backoff_more(&o->uploading, retry, AGAIN_MAX);
		return false;
	}
	o->failed = err;
	o->active = false;
	if (o->theirs && !sync_passes(err)) /* it would be refused for ever */
		return upload_finished(o) == TOCSIN_OK;
	return true;
}

bool
outbox_upload(struct outbox *o)
{
	uint32_t retry = 0;
	enum tocsin_err err;

	if (!backoff_over(&o->uploading))
		return false;
	if (!o->active && !next_part(o)) {
		uploads_over(o);
		return false;
	}
	if (!may_send(o)) {
		o->active = false; /* it may be gone when we look again */
		memset(o->part, 0, sizeof(o->part));
		return false;
	}
	if (!o->asked)
		err = upload_ask(o, &retry);
	else
		err = upload_ranges(o, &retry);
	if (err != TOCSIN_OK)
		return upload_failed(o, err, retry);
	/* With ranges out, their answers wake us. */
	return o->nput == 0;
}

void
outbox_close(struct outbox *o)
{
	drop_puts(o);
	if (o->lock >= 0)
		close(o->lock);
}

/* What is on the way for long is so over another connection. */
void
outbox_lost(struct outbox *o)
{
	o->since = 0;
	outbox_restart(o);
}

void
outbox_restart(struct outbox *o)
{
	backoff_reset(&o->posting);
	backoff_reset(&o->again);
	backoff_reset(&o->uploading);
	if (o->nput > 0) /* it is under way */
		return;
	o->active = false;
	o->failed = TOCSIN_OK;
	memset(o->part, 0, sizeof(o->part));
}

int64_t
outbox_rest(const struct outbox *o, int64_t ms)
{
	ms = backoff_sooner(&o->posting, ms);
	ms = backoff_sooner(&o->uploading, ms);
	if (o->since != 0 && ms > LOOK_MS)
		ms = LOOK_MS;
	return o->passed_over ? backoff_sooner(&o->again, ms) : ms;
}
