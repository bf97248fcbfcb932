/* SPDX-License-Identifier: ISC */
#include "client/sync.h"

#include "client/intake.h"
#include "client/net.h"
#include "crypto/link.h"
#include "crypto/msg.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PARKS 4
#define PARK_MS 20000
#define ANSWER_MS 10000 /* beyond the park: the network is gone */
#define BATCH 16
#define BACKOFF_MIN 100
#define BACKOFF_MAX 10000
#define IDLE_MS 1000

/*
 * A request on its way. It belongs to who asks and, from sending until net has
 * called back, also to net; so a handle can be closed while an answer is out.
 */
struct call {
	struct sync *sync;
	unsigned refs;
	bool busy; /* sent, not answered */
	bool done; /* answered, not taken */
	enum tocsin_err err;
	uint64_t number;
	unsigned generation; /* of the link it went over */
	struct buf answer;
};

struct sync {
	struct sync_parts p;
	struct net *net;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t answered;
	unsigned refs; /* the handle's, and one for every call on its way */
	struct link link;
	unsigned generation;
	int64_t linked; /* monotonic ms; when the link was made */
	bool up;
	enum tocsin_err trouble; /* why it is not up, or what it was told */
	uint64_t wanted, fresh;	 /* rounds of sync_wait() */

	/* The thread's own. */
	struct call *park[PARKS];
	uint64_t cursor; /* all up to it is in the desk */
	int64_t retry_at, post_at, upload_at;
	unsigned backoff;
	bool resync;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
sync_spool(char out[768], const char *home, const uint8_t hash[32])
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), hash, 32);
	snprintf(out, 768, "%s/spool/%s", home, hex);
}

/* ---- calls ---- */

static struct call *
call_new(struct sync *s)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->sync = s;
		c->refs = 1;
	}
	return c;
}

/* With the lock held. */
static void
call_unref(struct call *c)
{
	if (--c->refs > 0)
		return;
	buf_release(&c->answer);
	free(c);
}

static void
call_free(struct call *c)
{
	struct sync *s = c->sync;

	pthread_mutex_lock(&s->lock);
	call_unref(c);
	pthread_mutex_unlock(&s->lock);
}

static void
sync_unref(struct sync *s)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = --s->refs == 0;
	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	link_wipe(&s->link);
	pthread_cond_destroy(&s->answered);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void
on_answer(void *arg, enum tocsin_err err, struct span answer)
{
	struct call *c = arg;
	struct sync *s = c->sync;

	pthread_mutex_lock(&s->lock);
	c->err = err;
	if (err == TOCSIN_OK)
		buf_add(&c->answer, answer);
	c->busy = false;
	c->done = true;
	call_unref(c);
	pthread_cond_broadcast(&s->answered);
	if (!s->stop) /* else the desk may be gone */
		desk_wake(s->p.desk);
	pthread_mutex_unlock(&s->lock);
	sync_unref(s);
}

static void
send_frame(struct call *c, struct span frame, int timeout_ms)
{
	pthread_mutex_lock(&c->sync->lock);
	c->busy = true;
	c->done = false;
	buf_cut(&c->answer, 0);
	c->refs++;
	c->sync->refs++;
	pthread_mutex_unlock(&c->sync->lock);
	net_call(c->sync->net, frame, (unsigned)timeout_ms, on_answer, c);
}

/* UNAVAILABLE if the handle is being closed meanwhile. */
static enum tocsin_err
await(struct call *c)
{
	enum tocsin_err err;

	pthread_mutex_lock(&c->sync->lock);
	while (!c->done && !c->sync->stop)
		pthread_cond_wait(&c->sync->answered, &c->sync->lock);
	err = c->done ? c->err : TOCSIN_EUNAVAILABLE;
	c->done = false;
	pthread_mutex_unlock(&c->sync->lock);
	return err;
}

/* Seal a request under the link of now and send it. */
static enum tocsin_err
start(struct sync *s, struct call *c, struct span request, int timeout_ms)
{
	struct buf frame = { 0 };
	enum tocsin_err err = TOCSIN_EUNAVAILABLE;

	pthread_mutex_lock(&s->lock);
	c->generation = s->generation;
	if (s->up)
		err = link_ask(&s->link, request, &frame, &c->number);
	pthread_mutex_unlock(&s->lock);
	if (err == TOCSIN_OK)
		send_frame(c, buf_span(&frame), timeout_ms);
	buf_release(&frame);
	return err;
}

/* The link is of no use any more; the thread makes a new one. */
static void
lose(struct sync *s, unsigned generation, enum tocsin_err why)
{
	pthread_mutex_lock(&s->lock);
	if (generation == s->generation && s->up) {
		s->up = false;
		s->trouble = why;
		link_wipe(&s->link);
	}
	pthread_mutex_unlock(&s->lock);
}

/* The reply in an answer, or why there is none. */
static enum tocsin_err
unseal(struct sync *s, struct call *c, struct buf *reply, uint32_t *retry_ms)
{
	enum tocsin_err err = TOCSIN_EUNAVAILABLE;

	pthread_mutex_lock(&s->lock);
	if (c->generation == s->generation && s->up)
		err = link_answer(
		    &s->link, c->number, buf_span(&c->answer), reply, retry_ms);
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* Open the answer of a finished call: the fields, or why there are none. */
static enum tocsin_err
finish(struct sync *s, struct call *c, enum tocsin_err err, struct buf *fields,
    uint32_t *retry_ms)
{
	struct buf reply = { 0 };
	struct msg_reply r;

	*retry_ms = 0;
	if (err == TOCSIN_OK)
		err = unseal(s, c, &reply, retry_ms);
	if (err != TOCSIN_OK && err != TOCSIN_EBUSY) {
		/* Nothing came through the link itself: make a new one. */
		lose(s, c->generation, err);
		if (err == TOCSIN_ENOTFOUND)
			err = TOCSIN_EUNAVAILABLE;
	}
	if (err == TOCSIN_OK)
		err = msg_reply_decode(&r, buf_span(&reply));
	if (err == TOCSIN_OK && r.code != TOCSIN_OK) {
		*retry_ms = r.retry_ms;
		err = r.code;
	}
	if (err == TOCSIN_OK)
		buf_add(fields, r.rest);
	if (err == TOCSIN_OK && !buf_ok(fields))
		err = TOCSIN_EINTERNAL;
	buf_release(&reply);
	return err;
}

static enum tocsin_err
ask(struct sync *s, struct span request, int timeout_ms, struct buf *fields,
    uint32_t *retry_ms)
{
	struct call *c = call_new(s);
	enum tocsin_err err;

	*retry_ms = 0;
	if (c == NULL)
		return TOCSIN_EINTERNAL;
	err = start(s, c, request, timeout_ms);
	if (err == TOCSIN_OK)
		err = finish(s, c, await(c), fields, retry_ms);
	call_free(c);
	if (err == TOCSIN_ETIMEOUT)
		net_reset(s->net);
	return err;
}

enum tocsin_err
sync_ask(
    struct sync *s, struct span request, int timeout_ms, struct buf *fields)
{
	uint32_t retry;

	return ask(s, request, timeout_ms, fields, &retry);
}

/* ---- the link ---- */

/* The broker of our nation that has this URL; else the nation's first. */
static const struct roster_broker *
our_broker(const struct roster *r, const struct keystore *k)
{
	struct span nation = member_nation(span_of(k->member));
	const struct roster_broker *b, *first = NULL;
	size_t i;

	for (i = 0; (b = roster_broker_of(r, nation, i)) != NULL; i++) {
		if (strcmp(b->rpc, k->broker) == 0)
			return b;
		if (first == NULL)
			first = b;
	}
	return first;
}

static enum tocsin_err
begin_link(struct sync *s, struct buf *frame)
{
	struct buf prologue = { 0 };
	const struct roster_broker *b = NULL;
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(s->p.lock);
	err = desk_read(s->p.desk, &tx);
	if (err == TOCSIN_OK)
		err = belief_load(s->p.belief, tx);
	desk_end(tx);
	if (err == TOCSIN_OK && s->p.belief->roster == NULL)
		err = TOCSIN_EROSTERUNKNOWN;
	if (err == TOCSIN_OK) {
		b = our_broker(s->p.belief->roster, s->p.keys);
		err = b != NULL ? TOCSIN_OK : TOCSIN_ENOTENROLLED;
	}
	if (err == TOCSIN_OK) {
		noise_prologue(&prologue, span_of(s->p.keys->federation),
		    span_of(b->name), s->p.belief->genesis);
		err = link_hello(&s->link, secret_span(s->p.keys->noise).p,
		    b->noise, buf_span(&prologue), frame);
	}
	pthread_mutex_unlock(s->p.lock);
	buf_release(&prologue);
	return err;
}

static enum tocsin_err
finish_link(struct sync *s, struct call *c, struct buf *frame)
{
	const uint8_t hello = MSG_HELLO;
	enum tocsin_err err;

	buf_cut(frame, 0);
	pthread_mutex_lock(&s->lock);
	err = link_finish(
	    &s->link, buf_span(&c->answer), (struct span){ &hello, 1 }, frame);
	c->generation = ++s->generation;
	c->number = 0;
	s->up = err == TOCSIN_OK;
	s->linked = now_ms();
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* What is worth knowing of a broker while it is out of reach. */
static void
note_hello(struct sync *s, struct span fields)
{
	struct desk_tx *tx = NULL;
	struct msg_hello m;
	bool known = true;

	if (msg_hello_decode(&m, fields) != TOCSIN_OK)
		return;
	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		known = desk_u64_get(tx, "part-max") == m.part_max;
	desk_end(tx);
	tx = NULL;
	if (known || desk_write(s->p.desk, &tx) != TOCSIN_OK)
		return;
	if (desk_u64_put(tx, "part-max", m.part_max) != TOCSIN_OK)
		desk_end(tx);
	else if (desk_commit(tx) != TOCSIN_OK)
		return; /* it is said again with the next link */
}

/* Hello, and finish with a request inside that every link may make. */
static enum tocsin_err
make_link(struct sync *s)
{
	struct buf frame = { 0 }, fields = { 0 };
	struct call *c = call_new(s);
	enum tocsin_err err = TOCSIN_EINTERNAL;
	uint32_t retry;

	if (c == NULL)
		return err;
	err = begin_link(s, &frame);
	if (err == TOCSIN_OK) {
		send_frame(c, buf_span(&frame), ANSWER_MS);
		err = await(c);
	}
	if (err == TOCSIN_OK)
		err = finish_link(s, c, &frame);
	if (err == TOCSIN_OK) {
		send_frame(c, buf_span(&frame), ANSWER_MS);
		err = finish(s, c, await(c), &fields, &retry);
	}
	if (err == TOCSIN_OK)
		note_hello(s, buf_span(&fields));
	call_free(c);
	buf_release(&frame);
	buf_release(&fields);
	return err;
}

static void
set_trouble(struct sync *s, enum tocsin_err err)
{
	pthread_mutex_lock(&s->lock);
	s->trouble = err;
	pthread_mutex_unlock(&s->lock);
}

/* Doubles each time, with jitter, so that many clients don't come at once. */
static int64_t
back_off(struct sync *s)
{
	s->backoff = s->backoff == 0 ? BACKOFF_MIN : s->backoff * 2;
	if (s->backoff > BACKOFF_MAX)
		s->backoff = BACKOFF_MAX;
	return now_ms() + s->backoff / 2 + randombytes_uniform(s->backoff);
}

static bool
link_is_up(struct sync *s)
{
	bool up;

	pthread_mutex_lock(&s->lock);
	up = s->up && !link_spent(&s->link) &&
	     now_ms() - s->linked < LINK_SECONDS_MAX * 1000 - 60000;
	pthread_mutex_unlock(&s->lock);
	return up;
}

static bool
have_link(struct sync *s)
{
	enum tocsin_err err;

	if (!net_connected(s->net)) {
		lose(s, s->generation, TOCSIN_EUNAVAILABLE);
		return false;
	}
	if (link_is_up(s))
		return true;
	if (now_ms() < s->retry_at)
		return false;
	lose(s, s->generation, TOCSIN_EUNAVAILABLE);
	err = make_link(s);
	set_trouble(s, err);
	if (err != TOCSIN_OK) {
		s->retry_at = back_off(s);
		return false;
	}
	s->resync = true;
	return true;
}

/* ---- announcing our keys ---- */

/* What `keys publish` left to be sent, or what we last announced. */
static enum tocsin_err
own_announcement(struct sync *s, struct buf *request, bool *pending)
{
	const struct keys *k;
	struct desk_tx *tx = NULL;
	struct span note;
	enum tocsin_err err = desk_read(s->p.desk, &tx);

	*pending = false;
	buf_u8(request, MSG_ANNOUNCE);
	if (err == TOCSIN_OK &&
	    desk_value_get(tx, "announce", &note) == TOCSIN_OK) {
		*pending = true;
		buf_add(request, note);
	}
	desk_end(tx);
	if (err != TOCSIN_OK || *pending)
		return err;
	pthread_mutex_lock(s->p.lock);
	k = belief_keys(s->p.belief, span_of(s->p.keys->member));
	if (k != NULL)
		buf_add(request, k->whole);
	pthread_mutex_unlock(s->p.lock);
	return k != NULL ? TOCSIN_OK : TOCSIN_ENOTENROLLED;
}

static enum tocsin_err
forget_pending(struct sync *s)
{
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(s->p.desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_value_put(tx, "announce", (struct span){ 0 });
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	return desk_commit(tx);
}

/* `always`: the broker does not know us, so tell it even what is not new. */
static enum tocsin_err
announce(struct sync *s, bool always)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err;
	uint32_t retry;
	bool pending;

	err = own_announcement(s, &request, &pending);
	if (err == TOCSIN_ENOTENROLLED && !always)
		err = TOCSIN_OK;
	else if (err == TOCSIN_OK && (pending || always))
		err = ask(s, buf_span(&request), ANSWER_MS, &fields, &retry);
	/* It knows what we announce, and still not us: we are not in it. */
	if (err == TOCSIN_EDUPLICATE)
		err = always && !pending ? TOCSIN_ENOTENROLLED : TOCSIN_OK;
	if (err == TOCSIN_OK && pending)
		err = forget_pending(s);
	buf_release(&request);
	buf_release(&fields);
	return err;
}

/* ---- posting ---- */

/* Refusals that pass by themselves; the message stays in the outbox. */
static bool
passes(enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_EBUSY:
	case TOCSIN_EQUOTA:
	case TOCSIN_ENOSPACE:
	case TOCSIN_EUNAVAILABLE:
	case TOCSIN_ETIMEOUT:
	case TOCSIN_EROSTERUNKNOWN:
	case TOCSIN_EROSTEREXPIRED:
	case TOCSIN_EKEYSEXPIRED:
	case TOCSIN_ENOTENROLLED:
	case TOCSIN_ECLOCKSKEW:
	case TOCSIN_EINTERNAL:
		return true;
	default:
		return false;
	}
}

/* Put bytes of a part or body from `offset` on, and see how much is there. */
static enum tocsin_err
put_range(struct sync *s, struct msg_put *m, struct msg_have *have)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err;
	uint32_t retry;

	msg_put_encode(&request, m);
	err = buf_ok(&request)
		  ? ask(s, buf_span(&request), ANSWER_MS * 2, &fields, &retry)
		  : TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK)
		err = msg_have_decode(have, buf_span(&fields));
	buf_release(&request);
	buf_release(&fields);
	return err;
}

/* A body that does not fit beside its note goes ahead of it. */
static enum tocsin_err
put_body(struct sync *s, struct span body)
{
	struct msg_put m = { .total = body.n };
	struct msg_have have = { 0 };
	enum tocsin_err err;

	crypto_hash_sha256(m.hash, body.p, body.n);
	err = put_range(s, &m, &have);
	while (err == TOCSIN_OK && !have.complete) {
		m.offset = have.have;
		m.bytes = span_cut(body, have.have, MSG_RANGE_MAX);
		err = put_range(s, &m, &have);
	}
	return err;
}

struct batch {
	size_t n;
	uint64_t number[BATCH];
	struct msg_envelope env[BATCH];
	struct buf copy[BATCH]; /* what the envelopes alias */
	size_t bytes;
};

static bool
batch_add(struct batch *b, const struct desk_message *m)
{
	size_t size = m->note.n + m->body.n;
	struct buf *copy = &b->copy[b->n];

	if (b->n > 0 && b->bytes + size + 8 > MSG_ENVELOPE_MAX)
		return false;
	buf_add(copy, m->note);
	buf_add(copy, m->body);
	if (!buf_ok(copy))
		return false;
	b->number[b->n] = m->number;
	b->env[b->n].note = span_cut(buf_span(copy), 0, m->note.n);
	b->env[b->n].body = span_cut(buf_span(copy), m->note.n, m->body.n);
	b->bytes += size + 8;
	b->n++;
	return true;
}

static enum tocsin_err
batch_load(struct sync *s, struct batch *b)
{
	struct desk_message m;
	struct desk_tx *tx = NULL;
	uint64_t n = 0;
	enum tocsin_err err = desk_read(s->p.desk, &tx);

	while (err == TOCSIN_OK && b->n < BATCH &&
	       desk_outbox_next(tx, n, &n) == TOCSIN_OK) {
		err = desk_get(tx, n, &m);
		if (err == TOCSIN_OK && !batch_add(b, &m))
			break;
	}
	desk_end(tx);
	return err;
}

static enum tocsin_err
mark(struct desk_tx *tx, uint64_t number, enum tocsin_err code, uint64_t seq)
{
	struct desk_message m;
	enum tocsin_err err = desk_get(tx, number, &m);

	if (err != TOCSIN_OK)
		return err;
	if (code == TOCSIN_OK || code == TOCSIN_EDUPLICATE) {
		m.seq = seq;
		if (m.posted == 0)
			m.posted = (int64_t)time(NULL);
	} else {
		m.refused = code;
	}
	err = desk_update(tx, &m);
	return err == TOCSIN_OK ? desk_outbox_done(tx, number) : err;
}

/* Write down what became of each; returns the first that must be repeated. */
static enum tocsin_err
batch_mark(struct sync *s, const struct batch *b, const struct msg_posted *p)
{
	enum tocsin_err err, again = TOCSIN_OK;
	struct desk_tx *tx;
	size_t i;

	err = desk_write(s->p.desk, &tx);
	if (err != TOCSIN_OK)
		return err;
	for (i = 0; err == TOCSIN_OK && i < b->n; i++) {
		if (!passes(p->item[i].code))
			err = mark(
			    tx, b->number[i], p->item[i].code, p->item[i].seq);
		else if (again == TOCSIN_OK)
			again = p->item[i].code;
	}
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	err = desk_commit(tx);
	return err == TOCSIN_OK ? again : err;
}

static enum tocsin_err
batch_post(struct sync *s, struct batch *b, uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	struct msg_posted posted;
	enum tocsin_err err = TOCSIN_OK;

	if (b->n == 1 && b->bytes > MSG_ENVELOPE_MAX) {
		err = put_body(s, b->env[0].body);
		b->env[0].body = (struct span){ 0 };
	}
	msg_post_encode(&request, b->env, b->n);
	if (err == TOCSIN_OK)
		err = ask(s, buf_span(&request), ANSWER_MS * 2, &fields, retry);
	if (err == TOCSIN_OK)
		err = msg_posted_decode(&posted, buf_span(&fields));
	if (err == TOCSIN_OK && posted.n != b->n)
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = batch_mark(s, b, &posted);
	buf_release(&request);
	buf_release(&fields);
	return err;
}

/* True if something was posted, and there may be more. */
static bool
post(struct sync *s)
{
	struct batch *b;
	enum tocsin_err err;
	uint32_t retry = 0;
	bool more = false;
	size_t i;

	if (now_ms() < s->post_at || (b = calloc(1, sizeof(*b))) == NULL)
		return false;
	err = batch_load(s, b);
	if (err == TOCSIN_OK && b->n > 0) {
		err = batch_post(s, b, &retry);
		more = err == TOCSIN_OK;
	}
	if (err == TOCSIN_ENOTENROLLED)
		s->resync = true; /* fetch() announces us */
	if (err != TOCSIN_OK) {
		set_trouble(s, err);
		s->post_at = now_ms() + (retry > 0 ? retry : IDLE_MS);
	}
	for (i = 0; i < b->n; i++)
		buf_release(&b->copy[i]);
	free(b);
	return more;
}

/* ---- uploading parts ---- */

static enum tocsin_err
read_range(const char *path, uint64_t offset, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *at = buf_grow(out, MSG_RANGE_MAX);
	ssize_t n = -1;

	if (fd < 0 || at == NULL) {
		enum tocsin_err err =
		    fd < 0 ? file_error(errno) : TOCSIN_EINTERNAL;

		if (fd >= 0)
			close(fd);
		return err;
	}
	n = pread(fd, at, MSG_RANGE_MAX, (off_t)offset);
	close(fd);
	if (n < 0)
		return file_error(errno);
	buf_cut(out, (size_t)n);
	return TOCSIN_OK;
}

static enum tocsin_err
upload_finished(struct sync *s, const uint8_t hash[32])
{
	char path[768];
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(s->p.desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = desk_upload_done(tx, hash);
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	}
	err = desk_commit(tx);
	sync_spool(path, s->p.keys->home, hash);
	if (err == TOCSIN_OK)
		unlink(path);
	return err;
}

/* All of one part, looking after the outbox between two ranges. */
static enum tocsin_err
upload_one(struct sync *s, const uint8_t hash[32], uint64_t size)
{
	struct msg_put m = { .total = size };
	struct msg_have have = { 0 };
	struct buf bytes = { 0 };
	enum tocsin_err err;
	char path[768];

	memcpy(m.hash, hash, sizeof(m.hash));
	sync_spool(path, s->p.keys->home, hash);
	err = put_range(s, &m, &have);
	while (err == TOCSIN_OK && !have.complete && !s->stop) {
		buf_cut(&bytes, 0);
		m.offset = have.have;
		err = read_range(path, have.have, &bytes);
		m.bytes = buf_span(&bytes);
		if (err == TOCSIN_OK && m.bytes.n == 0)
			err = TOCSIN_EBODYMISMATCH;
		if (err == TOCSIN_OK)
			err = put_range(s, &m, &have);
		if (err == TOCSIN_OK)
			(void)post(s);
	}
	buf_release(&bytes);
	return err == TOCSIN_OK && have.complete ? upload_finished(s, hash)
						 : err;
}

static void
upload(struct sync *s)
{
	uint8_t hash[32];
	enum tocsin_err err = TOCSIN_OK;
	struct desk_tx *tx = NULL;
	uint64_t size;
	bool any;

	if (now_ms() < s->upload_at)
		return;
	do {
		any = desk_read(s->p.desk, &tx) == TOCSIN_OK &&
		      desk_upload_next(tx, NULL, hash, &size) == TOCSIN_OK;
		desk_end(tx);
		tx = NULL;
		if (any)
			err = upload_one(s, hash, size);
		/* Refused for good: it must not hold up the next. */
		if (any && err != TOCSIN_OK && !passes(err)) {
			set_trouble(s, err);
			err = upload_finished(s, hash);
		}
	} while (any && err == TOCSIN_OK && !s->stop);
	if (err != TOCSIN_OK) {
		set_trouble(s, err);
		s->upload_at = now_ms() + IDLE_MS;
	}
}

/* ---- fetching ---- */

static void
fetch_request(struct sync *s, uint64_t after, uint32_t wait, struct buf *out)
{
	const struct msg_fetch m = { s->cursor, after, wait, MSG_MAX };

	msg_fetch_encode(out, &m);
}

/* Takes entries that continue where we are; false if they don't. */
static enum tocsin_err
take_answer(struct sync *s, struct span fields, bool *used, bool *more)
{
	struct msg_entries *m = malloc(sizeof(*m));
	enum tocsin_err err;

	if (m == NULL)
		return TOCSIN_EINTERNAL;
	*used = false;
	*more = false;
	err = msg_entries_decode(m, fields);
	if (err == TOCSIN_OK && m->from <= s->cursor) {
		*used = true;
		*more = m->more || m->n > 0;
		if (m->n > 0)
			err = intake_entries(
			    &(struct intake){ &s->p, s }, m, &s->cursor);
	}
	free(m);
	return err;
}

/* Without waiting, until there is nothing that we don't have. */
static enum tocsin_err
catch_up(struct sync *s)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err = TOCSIN_OK;
	bool used, more = true;
	uint32_t retry;

	while (err == TOCSIN_OK && more && !s->stop) {
		buf_cut(&request, 0);
		buf_cut(&fields, 0);
		fetch_request(s, s->cursor, 0, &request);
		err = ask(s, buf_span(&request), ANSWER_MS, &fields, &retry);
		if (err == TOCSIN_OK)
			err = take_answer(s, buf_span(&fields), &used, &more);
	}
	buf_release(&request);
	buf_release(&fields);
	return err;
}

static void
park(struct sync *s, size_t i)
{
	struct buf request = { 0 };
	struct call *c = call_new(s);

	fetch_request(s, MSG_AFTER_CONTINUE, PARK_MS, &request);
	if (c == NULL ||
	    start(s, c, buf_span(&request), PARK_MS + ANSWER_MS) != TOCSIN_OK) {
		s->resync = true;
		if (c != NULL)
			call_free(c);
		c = NULL;
	}
	s->park[i] = c;
	buf_release(&request);
}

/* Whether a parked call has come back, and with what. */
static bool
answered(struct sync *s, struct call *c, enum tocsin_err *err)
{
	bool done;

	if (c == NULL)
		return false;
	pthread_mutex_lock(&s->lock);
	done = c->done;
	*err = c->err;
	pthread_mutex_unlock(&s->lock);
	return done;
}

/*
 * An answer that does not continue where we are came early or late. Ask from
 * where we are: what it held comes again.
 */
static bool
reap(struct sync *s)
{
	bool any = false;
	size_t i;

	for (i = 0; i < PARKS; i++) {
		struct call *c = s->park[i];
		struct buf fields = { 0 };
		bool used = true, more;
		enum tocsin_err err;
		uint32_t retry;

		if (!answered(s, c, &err))
			continue;
		any = true;
		s->park[i] = NULL;
		err = finish(s, c, err, &fields, &retry);
		if (err == TOCSIN_OK)
			err = take_answer(s, buf_span(&fields), &used, &more);
		if (err != TOCSIN_OK || !used)
			s->resync = true;
		call_free(c);
		buf_release(&fields);
	}
	return any;
}

static void
keep_parked(struct sync *s)
{
	size_t i;

	for (i = 0; i < PARKS && !s->resync; i++)
		if (s->park[i] == NULL)
			park(s, i);
}

/* A broker that does not know us may, once it has our announcement. */
static enum tocsin_err
introduce(struct sync *s)
{
	enum tocsin_err err = announce(s, true);

	if (err == TOCSIN_OK)
		err = catch_up(s);
	if (err == TOCSIN_OK)
		s->post_at = 0;
	return err;
}

static void
fetch(struct sync *s)
{
	enum tocsin_err err;
	uint64_t wanted;
	bool stale;

	while (reap(s))
		;
	pthread_mutex_lock(&s->lock);
	wanted = s->wanted;
	stale = s->resync || s->fresh != wanted;
	pthread_mutex_unlock(&s->lock);
	if (stale) {
		err = catch_up(s);
		if (err == TOCSIN_ENOTENROLLED)
			err = introduce(s);
		set_trouble(s, err);
		if (err != TOCSIN_OK) {
			s->resync = true;
			s->retry_at = back_off(s);
			lose(s, s->generation, err);
			return;
		}
		s->resync = false;
		s->backoff = 0;
		pthread_mutex_lock(&s->lock);
		s->fresh = wanted;
		pthread_cond_broadcast(&s->answered);
		pthread_mutex_unlock(&s->lock);
	}
	keep_parked(s);
}

/* ---- the thread ---- */

static void
on_connection(void *arg)
{
	struct sync *s = arg;

	desk_wake(s->p.desk);
}

static void
load_cursor(struct sync *s)
{
	struct desk_tx *tx = NULL;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		s->cursor = desk_u64_get(tx, "cursor");
	desk_end(tx);
}

static void *
run(void *arg)
{
	struct sync *s = arg;

	load_cursor(s);
	while (!s->stop) {
		uint64_t seen = desk_changes(s->p.desk);
		bool more = false;

		if (have_link(s)) {
			enum tocsin_err err = announce(s, false);

			if (err != TOCSIN_OK)
				set_trouble(s, err);
			more = post(s);
			fetch(s);
			if (!more)
				upload(s);
		}
		if (!more && !s->stop)
			desk_wait(s->p.desk, seen, IDLE_MS / 4);
	}
	return NULL;
}

enum tocsin_err
sync_start(struct sync **out, const struct sync_parts *parts)
{
	struct sync *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	enum tocsin_err err;

	if (s == NULL)
		return TOCSIN_EINTERNAL;
	s->p = *parts;
	s->refs = 1;
	s->trouble = TOCSIN_EUNAVAILABLE;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->answered, &attr);
	pthread_condattr_destroy(&attr);
	err = net_get(&s->net, s->p.keys->broker);
	if (err == TOCSIN_OK) {
		net_watch(s->net, on_connection, s);
		if (pthread_create(&s->thread, NULL, run, s) != 0) {
			net_unwatch(s->net, on_connection, s);
			err = TOCSIN_EINTERNAL;
		}
	}
	if (err != TOCSIN_OK)
		sync_unref(s);
	else
		*out = s;
	return err;
}

void
sync_stop(struct sync *s)
{
	size_t i;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->answered);
	pthread_mutex_unlock(&s->lock);
	desk_wake(s->p.desk);
	pthread_join(s->thread, NULL);
	net_unwatch(s->net, on_connection, s);
	for (i = 0; i < PARKS; i++)
		if (s->park[i] != NULL)
			call_free(s->park[i]);
	sync_unref(s);
}

/* Whether all that was to be sent up to message `last` has been dealt with. */
static bool
sent_all(struct sync *s, uint64_t last)
{
	uint8_t hash[32];
	struct desk_tx *tx = NULL;
	uint64_t n, size;
	bool all = false;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		all =
		    (desk_outbox_next(tx, 0, &n) == TOCSIN_ENOTFOUND ||
			n > last) &&
		    desk_upload_next(tx, NULL, hash, &size) == TOCSIN_ENOTFOUND;
	desk_end(tx);
	return all;
}

static uint64_t
last_queued(struct sync *s)
{
	struct desk_tx *tx = NULL;
	uint64_t n = 0;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		while (desk_outbox_next(tx, n, &n) == TOCSIN_OK)
			;
	desk_end(tx);
	return n;
}

enum tocsin_err
sync_wait(struct sync *s, int timeout_ms)
{
	const int64_t end = now_ms() + timeout_ms;
	uint64_t last = last_queued(s), round;
	enum tocsin_err err = TOCSIN_OK;
	bool fresh = false, up;

	pthread_mutex_lock(&s->lock);
	round = ++s->wanted;
	pthread_mutex_unlock(&s->lock);
	for (;;) {
		uint64_t seen = desk_changes(s->p.desk);
		int64_t left = end - now_ms();

		pthread_mutex_lock(&s->lock);
		fresh = s->fresh >= round;
		up = s->up;
		err = s->trouble;
		pthread_mutex_unlock(&s->lock);
		if (fresh && sent_all(s, last))
			return TOCSIN_OK;
		if (left <= 0)
			break;
		desk_wake(s->p.desk);
		seen = desk_changes(s->p.desk);
		desk_wait(s->p.desk, seen, (int)(left < 50 ? left : 50));
	}
	if (err == TOCSIN_OK)
		err = up ? TOCSIN_ETIMEOUT : TOCSIN_EUNAVAILABLE;
	return err;
}
