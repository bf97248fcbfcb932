/* SPDX-License-Identifier: ISC */
#include "tests/lib/fakebroker.h"

#include "crypto/frame.h"
#include "tests/lib/nth.h"
#include "tests/lib/port.h"
#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS 32
#define SESSIONS 256
#define ENTRIES 512
#define TICKETS 2048
#define FAULTS 64
#define PENDING 64 /* parked or held */
#define PARKS 4
#define PARTS 16
#define STRANGERS 16
#define PATIENCE_S 20

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			diag("fakebroker: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                               \
		}                                                              \
	} while (0)

struct conn {
	int fd; /* -1: free */
	unsigned life;
	bool greeted, mute;
	struct buf in;
};

struct session {
	uint8_t id[FRAME_SESSION];
	struct noise noise;
	uint8_t tx[32], rx[32];
	uint8_t who[32];
	bool done;
	uint64_t sent;
};

/* A request that is served, or waits for its answer. */
struct req {
	bool used, parked;
	size_t conn;
	unsigned life; /* of the connection it came over */
	uint32_t rid;
	uint8_t session[FRAME_SESSION];
	uint64_t nonce;
	uint8_t op;
	uint64_t order;
	int64_t until;
	struct buf frame; /* held */
};

struct part {
	uint8_t hash[32];
	uint64_t total;
	struct buf bytes;
	bool whole;
};

struct fakebroker {
	const struct fixture *f;
	char name[LABEL_MAX + 1];
	char url[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int listener, wake[2];
	uint16_t port;
	bool stop, silent;
	uint64_t count[FB_COUNTS];
	uint64_t order;

	struct conn conn[CONNS];
	struct session session[SESSIONS];
	size_t nsession;
	struct req pending[PENDING];

	struct msg_entry entry[ENTRIES];
	size_t nentry;
	struct {
		uint8_t id[ID_LEN];
		enum tocsin_err code;
		bool taken;
		uint64_t seq;
	} ticket[TICKETS];
	size_t nticket;
	struct part part[PARTS];
	size_t npart;
	struct {
		uint8_t op;
		enum fb_fault fault;
		enum tocsin_err code;
		unsigned left;
	} fault[FAULTS];
	size_t nfault;
	bool strange;
	uint8_t known[STRANGERS][32];
	size_t nknown;
	uint64_t roster;
	struct buf roster_file;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* With the lock held. */
static void
counted(struct fakebroker *b, enum fb_count c, int64_t by)
{
	b->count[c] += (uint64_t)by;
	pthread_cond_broadcast(&b->changed);
}

/* ---- sending ---- */

static void
hang_up(struct fakebroker *b, size_t i)
{
	size_t k;

	close(b->conn[i].fd);
	b->conn[i].fd = -1;
	buf_release(&b->conn[i].in);
	for (k = 0; k < PENDING; k++)
		if (b->pending[k].used && b->pending[k].conn == i &&
		    b->pending[k].parked) {
			b->pending[k].used = false;
			counted(b, FB_PARKED, -1);
		}
}

static void
write_all(struct fakebroker *b, size_t i, struct span s)
{
	while (s.n > 0) {
		ssize_t n = send(b->conn[i].fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* it is gone; poll() will say so */
		s = span_cut(s, (size_t)n, s.n);
	}
}

static void
send_frame(
    struct fakebroker *b, const struct req *r, struct span frame, bool half)
{
	struct conn *c = &b->conn[r->conn];
	struct buf out = { 0 };
	struct span s;

	if (c->fd < 0 || c->life != r->life || c->mute)
		return;
	buf_u64(&out, 4 + frame.n);
	buf_u32(&out, r->rid);
	buf_add(&out, frame);
	s = buf_span(&out);
	write_all(b, r->conn, half ? span_cut(s, 0, s.n / 2) : s);
	c->mute |= half;
	buf_release(&out);
}

static struct session *
find_session(struct fakebroker *b, const uint8_t id[FRAME_SESSION])
{
	size_t i;

	for (i = 0; i < b->nsession; i++)
		if (memcmp(b->session[i].id, id, FRAME_SESSION) == 0)
			return &b->session[i];
	return NULL;
}

static struct req *
keep_pending(struct fakebroker *b, const struct req *r)
{
	size_t i;

	for (i = 0; i < PENDING && b->pending[i].used; i++)
		;
	MUST(i < PENDING);
	b->pending[i] = *r;
	b->pending[i].used = true;
	b->pending[i].order = ++b->order;
	b->pending[i].frame = (struct buf){ 0 };
	return &b->pending[i];
}

/* The fault that a request of this op meets now, if `before` fits. */
static bool
meets(struct fakebroker *b, uint8_t op, bool before, enum fb_fault *fault,
    enum tocsin_err *code)
{
	size_t i;

	for (i = 0; i < b->nfault; i++) {
		bool is_before = b->fault[i].fault == FB_REFUSE ||
				 b->fault[i].fault == FB_HINT;

		if (b->fault[i].op != op || b->fault[i].left == 0)
			continue;
		if (is_before != before)
			return false;
		b->fault[i].left--;
		*fault = b->fault[i].fault;
		*code = b->fault[i].code;
		counted(b, FB_FAULTS, 1);
		return true;
	}
	return false;
}

/* An answer that is made meets what was ordered for it. */
static void
answer_frame(struct fakebroker *b, const struct req *r, struct span frame)
{
	enum fb_fault fault;
	enum tocsin_err code;
	struct req *held;

	if (!meets(b, r->op, false, &fault, &code)) {
		send_frame(b, r, frame, false);
		return;
	}
	switch (fault) {
	case FB_HOLD:
		held = keep_pending(b, r);
		held->parked = false;
		buf_add(&held->frame, frame);
		counted(b, FB_HELD, 1);
		break;
	case FB_CUT:
		if (b->conn[r->conn].fd >= 0 &&
		    b->conn[r->conn].life == r->life)
			hang_up(b, r->conn);
		break;
	case FB_HALF:
		send_frame(b, r, frame, true);
		break;
	case FB_LOSE:
	case FB_REFUSE:
	case FB_HINT:
		break;
	}
}

static void
answer(struct fakebroker *b, const struct req *r, struct span reply)
{
	struct session *s = find_session(b, r->session);
	struct buf frame = { 0 };

	if (s == NULL)
		return;
	MUST(frame_seal(&frame, r->session, r->nonce, s->tx, reply) ==
	     TOCSIN_OK);
	answer_frame(b, r, buf_span(&frame));
	buf_release(&frame);
}

static void
refuse(struct fakebroker *b, const struct req *r, enum tocsin_err code)
{
	struct buf reply = { 0 };

	msg_refuse(&reply, code, 0, "no");
	answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
hint(struct fakebroker *b, const struct req *r, enum tocsin_err code)
{
	struct buf frame = { 0 };

	frame_put_error(&frame, r->session, r->nonce, code, 0);
	send_frame(b, r, buf_span(&frame), false);
	buf_release(&frame);
}

/* ---- fetch ---- */

/* The entries after where the session is, as many as fit. */
static bool
answer_mail(struct fakebroker *b, const struct req *r, bool empty)
{
	struct session *s = find_session(b, r->session);
	struct buf reply = { 0 };
	size_t mark, n = 0, i;
	bool more = false;

	if (s == NULL)
		return true;
	msg_accept(&reply);
	mark = msg_entries_begin(&reply, s->sent);
	for (i = 0; i < b->nentry; i++) {
		const struct msg_entry *e = &b->entry[i];

		if (e->seq <= s->sent)
			continue;
		more = n == 3 || reply.n + e->note.n + e->body.n > 50000;
		if (more)
			break;
		msg_entries_add(&reply, e);
		s->sent = e->seq;
		n++;
	}
	msg_entries_end(&reply, mark, more, n);
	if (n > 0 || empty)
		answer(b, r, buf_span(&reply));
	buf_release(&reply);
	return n > 0 || empty;
}

static void
serve_urgent(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	struct msg_urgent m;
	size_t mark, n = 0, i;

	MUST(msg_urgent_decode(&m, body) == TOCSIN_OK);
	msg_accept(&reply);
	mark = msg_entries_begin(&reply, m.after);
	for (i = 0; i < b->nentry; i++) {
		const struct msg_entry *e = &b->entry[i];

		if (e->seq <= m.after ||
		    memmem(e->note.p, e->note.n, "\nprecedence flash\n", 18) ==
			NULL)
			continue;
		msg_entries_add(&reply, e);
		n++;
	}
	msg_entries_end(&reply, mark, false, n);
	buf_u64(&reply, 10 * b->nentry > m.after ? 10 * b->nentry : m.after);
	answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
unpark(struct fakebroker *b, struct req *p, bool empty)
{
	struct req r = *p;

	p->used = false;
	if (answer_mail(b, &r, empty))
		counted(b, FB_PARKED, -1);
	else
		p->used = true;
}

static struct req *
oldest_park(struct fakebroker *b, const uint8_t *who, size_t *n)
{
	struct req *oldest = NULL;
	size_t i;

	*n = 0;
	for (i = 0; i < PENDING; i++) {
		struct req *p = &b->pending[i];
		struct session *s = find_session(b, p->session);

		if (!p->used || !p->parked ||
		    (who != NULL && (!s || memcmp(s->who, who, 32) != 0)))
			continue;
		++*n;
		if (oldest == NULL || p->order < oldest->order)
			oldest = p;
	}
	return oldest;
}

static void
wake_parks(struct fakebroker *b)
{
	size_t n, left;
	struct req *p;

	for (p = oldest_park(b, NULL, &left); left > 0 && p != NULL;) {
		unpark(b, p, false);
		if (p->used) /* nothing for it */
			return;
		p = oldest_park(b, NULL, &n);
		left--;
	}
}

static void
expire_parks(struct fakebroker *b)
{
	size_t i;

	for (i = 0; i < PENDING; i++)
		if (b->pending[i].used && b->pending[i].parked &&
		    b->pending[i].until <= now_ms())
			unpark(b, &b->pending[i], true);
}

static void
serve_fetch(struct fakebroker *b, const struct req *r, struct session *s,
    struct span body)
{
	struct msg_fetch m;
	struct req *p;
	size_t n;

	MUST(msg_fetch_decode(&m, body) == TOCSIN_OK);
	counted(b, FB_FETCHES, 1);
	if (m.acked > b->count[FB_ACKED])
		counted(b, FB_ACKED, (int64_t)(m.acked - b->count[FB_ACKED]));
	if (m.after != MSG_AFTER_CONTINUE)
		s->sent = m.after;
	else if (m.acked > s->sent)
		s->sent = m.acked;
	if (answer_mail(b, r, m.wait_ms == 0))
		return;
	p = oldest_park(b, s->who, &n);
	if (n == PARKS)
		unpark(b, p, true);
	p = keep_pending(b, r);
	p->parked = true;
	p->until = now_ms() + m.wait_ms;
	counted(b, FB_PARKED, 1);
}

/* ---- post, put, get ---- */

static size_t
ticket_row(struct fakebroker *b, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < b->nticket; i++)
		if (memcmp(b->ticket[i].id, id, ID_LEN) == 0)
			return i;
	MUST(b->nticket < TICKETS);
	memcpy(b->ticket[i].id, id, ID_LEN);
	return b->nticket++;
}

static struct part *
part_row(struct fakebroker *b, const uint8_t hash[32])
{
	size_t i;

	for (i = 0; i < b->npart; i++)
		if (memcmp(b->part[i].hash, hash, 32) == 0)
			return &b->part[i];
	MUST(b->npart < PARTS);
	memcpy(b->part[i].hash, hash, 32);
	b->npart++;
	return &b->part[i];
}

static void
post_one(struct fakebroker *b, const struct msg_envelope *e,
    struct msg_posted *out, size_t i)
{
	struct ticket *t = xmalloc(sizeof(*t));
	struct note note;
	size_t row;

	MUST(ticket_parse(t, &note, e->note) == TOCSIN_OK);
	row = ticket_row(b, t->id);
	out->item[i].code = b->ticket[row].code;
	out->item[i].seq = 0;
	if (e->body.n == 0 && !part_row(b, t->body_hash)->whole)
		out->item[i].code = TOCSIN_EBODYMISMATCH;
	if (out->item[i].code == TOCSIN_OK && b->ticket[row].taken) {
		out->item[i].code = TOCSIN_EDUPLICATE;
		counted(b, FB_DUPLICATES, 1);
	} else if (out->item[i].code == TOCSIN_OK) {
		b->ticket[row].taken = true;
		b->ticket[row].seq = 1000 + row;
		counted(b, FB_TAKEN, 1);
	}
	if (b->ticket[row].taken)
		out->item[i].seq = b->ticket[row].seq;
	free(t);
}

static void
serve_post(struct fakebroker *b, const struct req *r, struct span body)
{
	struct msg_post *m = xmalloc(sizeof(*m));
	struct msg_posted *p = xmalloc(sizeof(*p));
	struct buf reply = { 0 };
	size_t i;

	MUST(msg_post_decode(m, body) == TOCSIN_OK);
	p->n = m->n;
	for (i = 0; i < m->n; i++)
		post_one(b, &m->env[i], p, i);
	msg_accept(&reply);
	msg_posted_encode(&reply, p);
	answer(b, r, buf_span(&reply));
	counted(b, FB_POSTS, 1);
	buf_release(&reply);
	free(p);
	free(m);
}

static void
serve_put(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	uint8_t hash[32];
	struct msg_put m;
	struct part *p;

	MUST(msg_put_decode(&m, body) == TOCSIN_OK);
	p = part_row(b, m.hash);
	p->total = m.total;
	if (m.bytes.n > 0 && m.offset == p->bytes.n && !p->whole) {
		buf_add(&p->bytes, m.bytes);
		MUST(p->bytes.n <= p->total);
		if (p->bytes.n == p->total) {
			crypto_hash_sha256(hash, p->bytes.p, p->bytes.n);
			MUST(memcmp(hash, m.hash, 32) == 0);
			p->whole = true;
			counted(b, FB_WHOLE, 1);
		}
	}
	msg_accept(&reply);
	msg_have_encode(&reply, &(struct msg_have){ p->bytes.n, p->whole });
	answer(b, r, buf_span(&reply));
	if (m.bytes.n > 0)
		counted(b, FB_PUTS, 1);
	buf_release(&reply);
}

static void
serve_get(struct fakebroker *b, const struct req *r, struct span body)
{
	struct buf reply = { 0 };
	struct msg_get m;
	struct msg_range range;
	struct part *p;

	MUST(msg_get_decode(&m, body) == TOCSIN_OK);
	p = part_row(b, m.hash);
	range.total = p->total;
	range.have = p->bytes.n;
	range.bytes = span_cut(buf_span(&p->bytes), (size_t)m.offset, m.max);
	msg_accept(&reply);
	msg_range_encode(&reply, &range);
	counted(b, FB_GOT, (int64_t)range.bytes.n);
	answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

/* ---- the rest ---- */

static void
serve_roster(struct fakebroker *b, const struct req *r, struct span body)
{
	struct msg_roster_range range = { .current = b->roster };
	struct buf reply = { 0 };
	struct msg_roster m;

	MUST(msg_roster_decode(&m, body) == TOCSIN_OK);
	if (m.serial != b->roster) {
		refuse(b, r, TOCSIN_ENOTFOUND);
		return;
	}
	range.serial = m.serial;
	range.total = (uint32_t)b->roster_file.n;
	range.bytes =
	    span_cut(buf_span(&b->roster_file), m.offset, MSG_RANGE_MAX);
	msg_accept(&reply);
	msg_roster_range_encode(&reply, &range);
	answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
serve_hello(struct fakebroker *b, const struct req *r)
{
	const struct msg_hello m = {
		.time = time(NULL), .part_max = 1 << 30, .roster = b->roster
	};
	struct buf reply = { 0 };

	msg_accept(&reply);
	msg_hello_encode(&reply, &m);
	answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

static void
serve_announce(struct fakebroker *b, const struct req *r, struct session *s)
{
	struct buf reply = { 0 };

	MUST(b->nknown < STRANGERS);
	memcpy(b->known[b->nknown++], s->who, 32);
	msg_accept(&reply);
	answer(b, r, buf_span(&reply));
	counted(b, FB_ANNOUNCED, 1);
	buf_release(&reply);
}

static bool
is_stranger(const struct fakebroker *b, const struct session *s)
{
	size_t i;

	for (i = 0; i < b->nknown; i++)
		if (memcmp(b->known[i], s->who, 32) == 0)
			return false;
	return b->strange;
}

static void
serve(
    struct fakebroker *b, struct req *r, struct session *s, struct span request)
{
	enum fb_fault fault;
	enum tocsin_err code;
	struct span body;

	r->op = msg_op(request, &body);
	if (meets(b, r->op, true, &fault, &code)) {
		if (fault == FB_REFUSE)
			refuse(b, r, code);
		else
			hint(b, r, code);
		return;
	}
	if (is_stranger(b, s) && r->op != MSG_HELLO && r->op != MSG_ANNOUNCE) {
		refuse(b, r, TOCSIN_ENOTENROLLED);
		return;
	}
	switch (r->op) {
	case MSG_HELLO:
		serve_hello(b, r);
		break;
	case MSG_POST:
		serve_post(b, r, body);
		break;
	case MSG_FETCH:
		serve_fetch(b, r, s, body);
		break;
	case MSG_URGENT:
		serve_urgent(b, r, body);
		break;
	case MSG_PUT:
		serve_put(b, r, body);
		break;
	case MSG_GET:
		serve_get(b, r, body);
		break;
	case MSG_ANNOUNCE:
		serve_announce(b, r, s);
		break;
	case MSG_ROSTER:
		serve_roster(b, r, body);
		break;
	default:
		refuse(b, r, TOCSIN_EUNSUPPORTED);
	}
}

/* ---- links ---- */

static void
on_hello(struct fakebroker *b, struct req *r, struct span msg)
{
	struct buf prologue = { 0 }, none = { 0 }, out = { 0 }, frame = { 0 };
	struct session *s = &b->session[b->nsession];
	enum fb_fault fault;
	enum tocsin_err code;
	uint8_t sk[32];

	r->op = FB_HELLO;
	if (meets(b, FB_HELLO, true, &fault, &code)) {
		hint(b, r, code);
		return;
	}
	MUST(b->nsession < SESSIONS);
	memset(s, 0, sizeof(*s));
	fixture_noise_key(sk, b->name);
	noise_prologue(
	    &prologue, span_of(FX_FEDERATION), span_of(b->name), b->f->genesis);
	MUST(noise_init_responder(&s->noise, sk, buf_span(&prologue)) == 0);
	if (noise_read(&s->noise, &none, msg) == TOCSIN_OK) {
		MUST(noise_write(&s->noise, &out, (struct span){ 0 }) == 0);
		randombytes_buf(s->id, sizeof(s->id));
		frame_put(&frame, FRAME_HELLO_REPLY, s->id, 0, buf_span(&out));
		b->nsession++;
		answer_frame(b, r, buf_span(&frame));
	} else {
		hint(b, r, TOCSIN_EBADSIGNATURE);
	}
	buf_release(&prologue);
	buf_release(&none);
	buf_release(&out);
	buf_release(&frame);
}

static void
on_finish(struct fakebroker *b, struct req *r, struct span msg)
{
	struct session *s = find_session(b, r->session);
	struct buf request = { 0 };

	if (s == NULL || s->done ||
	    noise_read(&s->noise, &request, msg) != TOCSIN_OK) {
		hint(b, r, TOCSIN_ENOTFOUND);
	} else {
		memcpy(s->who, noise_remote(&s->noise), 32);
		MUST(noise_split(&s->noise, s->tx, s->rx) == TOCSIN_OK);
		s->done = true;
		counted(b, FB_LINKS, 1);
		serve(b, r, s, buf_span(&request));
	}
	buf_release(&request);
}

static void
on_transport(struct fakebroker *b, struct req *r, const struct frame *f)
{
	struct session *s = find_session(b, r->session);
	struct buf request = { 0 };

	if (s == NULL || !s->done)
		hint(b, r, TOCSIN_ENOTFOUND);
	else if (frame_open(&request, f, s->rx) == TOCSIN_OK)
		serve(b, r, s, buf_span(&request));
	buf_release(&request);
}

static void
on_message(struct fakebroker *b, size_t i, struct span payload)
{
	struct req r = { .conn = i, .life = b->conn[i].life };
	struct rd rd = rd_init(payload);
	struct frame f;

	r.rid = rd_u32(&rd);
	if (b->silent)
		return;
	MUST(frame_parse(&f, rd_rest(&rd)) == TOCSIN_OK);
	memcpy(r.session, f.session, sizeof(r.session));
	r.nonce = f.nonce;
	if (f.type == FRAME_HELLO)
		on_hello(b, &r, f.msg);
	else if (f.type == FRAME_FINISH)
		on_finish(b, &r, f.msg);
	else
		on_transport(b, &r, &f);
}

/* ---- connections ---- */

/* One whole message at the head of what came in; false if there is none. */
static bool
take_message(struct fakebroker *b, size_t i)
{
	static const uint8_t head[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };
	struct conn *c = &b->conn[i];
	struct rd rd = rd_init(buf_span(&c->in));
	struct buf rest = { 0 };
	uint64_t n;

	if (!c->greeted) {
		if (c->in.n < 8)
			return false;
		MUST(memcmp(c->in.p, head, 8) == 0);
		rd_span(&rd, 8);
		c->greeted = true;
	} else {
		n = rd_u64(&rd);
		if (rd.bad || rd.rest.n < n)
			return false;
		on_message(b, i, rd_span(&rd, (size_t)n));
	}
	if (c->fd < 0) /* it was cut meanwhile */
		return false;
	buf_add(&rest, rd_rest(&rd));
	buf_release(&c->in);
	c->in = rest;
	return true;
}

static void
on_readable(struct fakebroker *b, size_t i)
{
	uint8_t bytes[65536];
	ssize_t n = recv(b->conn[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(b, i);
		return;
	}
	buf_add(&b->conn[i].in, (struct span){ bytes, (size_t)n });
	while (b->conn[i].fd >= 0 && take_message(b, i))
		;
}

static void
on_connection(struct fakebroker *b)
{
	static const uint8_t head[8] = { 0, 'S', 'P', 0, 0, 0x31, 0, 0 };
	int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < CONNS && b->conn[i].fd >= 0; i++)
		;
	MUST(i < CONNS);
	b->conn[i] = (struct conn){ .fd = fd, .life = b->conn[i].life + 1 };
	write_all(b, i, SPAN(head));
	counted(b, FB_CONNECTIONS, 1);
}

static void
listen_on(struct fakebroker *b)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(b->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(b->listener >= 0);
	setsockopt(b->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	MUST(bind(b->listener, (struct sockaddr *)&a, sizeof(a)) == 0);
	MUST(listen(b->listener, 16) == 0);
}

static size_t
poll_list(struct fakebroker *b, struct pollfd *p, size_t *which)
{
	size_t n = 0, i;

	p[n++] = (struct pollfd){ b->wake[0], POLLIN, 0 };
	p[n++] = (struct pollfd){ b->listener, POLLIN, 0 };
	for (i = 0; i < CONNS; i++)
		if (b->conn[i].fd >= 0) {
			which[n] = i;
			p[n++] = (struct pollfd){ b->conn[i].fd, POLLIN, 0 };
		}
	return n;
}

static void *
run(void *arg)
{
	struct fakebroker *b = arg;
	struct pollfd p[CONNS + 2];
	size_t which[CONNS + 2], n, i;
	char drop[64];

	nth_leave_out(true);
	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		n = poll_list(b, p, which);
		pthread_mutex_unlock(&b->lock);
		(void)poll(p, n, 50);
		pthread_mutex_lock(&b->lock);
		if (p[0].revents != 0)
			MUST(read(b->wake[0], drop, sizeof(drop)) > 0);
		if (p[1].revents != 0 && p[1].fd == b->listener)
			on_connection(b);
		for (i = 2; i < n; i++)
			if (p[i].revents != 0 &&
			    b->conn[which[i]].fd == p[i].fd)
				on_readable(b, which[i]);
		expire_parks(b);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* ---- the test's side ---- */

static void
wake(struct fakebroker *b)
{
	MUST(write(b->wake[1], "x", 1) == 1);
	pthread_mutex_unlock(&b->lock);
}

void
fb_fault(struct fakebroker *b, uint8_t op, enum fb_fault fault,
    enum tocsin_err code, unsigned n)
{
	pthread_mutex_lock(&b->lock);
	MUST(b->nfault < FAULTS);
	b->fault[b->nfault].op = op;
	b->fault[b->nfault].fault = fault;
	b->fault[b->nfault].code = code;
	b->fault[b->nfault++].left = n;
	pthread_mutex_unlock(&b->lock);
}

void
fb_release(struct fakebroker *b)
{
	struct req *last;
	size_t i;

	pthread_mutex_lock(&b->lock);
	do {
		last = NULL;
		for (i = 0; i < PENDING; i++)
			if (b->pending[i].used && !b->pending[i].parked &&
			    (last == NULL || b->pending[i].order > last->order))
				last = &b->pending[i];
		if (last != NULL) {
			send_frame(b, last, buf_span(&last->frame), false);
			buf_release(&last->frame);
			last->used = false;
			counted(b, FB_HELD, -1);
		}
	} while (last != NULL);
	pthread_mutex_unlock(&b->lock);
}

void
fb_code(struct fakebroker *b, const uint8_t id[ID_LEN], enum tocsin_err code)
{
	pthread_mutex_lock(&b->lock);
	b->ticket[ticket_row(b, id)].code = code;
	pthread_mutex_unlock(&b->lock);
}

void
fb_silence(struct fakebroker *b, bool silent)
{
	pthread_mutex_lock(&b->lock);
	b->silent = silent;
	pthread_mutex_unlock(&b->lock);
}

void
fb_forget(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	b->nsession = 0;
	pthread_mutex_unlock(&b->lock);
}

void
fb_down(struct fakebroker *b)
{
	size_t i;

	pthread_mutex_lock(&b->lock);
	/* Closed alone, it would listen until the thread leaves poll(). */
	shutdown(b->listener, SHUT_RDWR);
	close(b->listener);
	b->listener = -1;
	for (i = 0; i < CONNS; i++)
		if (b->conn[i].fd >= 0)
			hang_up(b, i);
	b->nsession = 0;
	wake(b);
}

void
fb_up(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	listen_on(b);
	wake(b);
}

void
fb_strange(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	b->strange = true;
	pthread_mutex_unlock(&b->lock);
}

void
fb_roster(struct fakebroker *b, uint64_t serial, struct span file)
{
	pthread_mutex_lock(&b->lock);
	b->roster = serial;
	buf_release(&b->roster_file);
	buf_add(&b->roster_file, file);
	pthread_mutex_unlock(&b->lock);
}

uint64_t
fb_mail(struct fakebroker *b, uint8_t kind, struct span note, struct span body,
    bool detached)
{
	struct msg_entry *e;
	uint64_t seq;

	pthread_mutex_lock(&b->lock);
	MUST(b->nentry < ENTRIES);
	e = &b->entry[b->nentry++];
	*e = (struct msg_entry){ .seq = 10 * b->nentry,
		.time = time(NULL),
		.kind = kind,
		.detached = detached,
		.note = { xcopy(note.p, note.n), note.n },
		.body = { xcopy(body.p, body.n), body.n } };
	seq = e->seq;
	wake_parks(b);
	wake(b);
	return seq;
}

void
fb_part(struct fakebroker *b, struct span bytes)
{
	uint8_t hash[32];
	struct part *p;

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	pthread_mutex_lock(&b->lock);
	p = part_row(b, hash);
	buf_cut(&p->bytes, 0);
	buf_add(&p->bytes, bytes);
	p->total = bytes.n;
	p->whole = true;
	pthread_mutex_unlock(&b->lock);
}

uint64_t
fb_count(struct fakebroker *b, enum fb_count c)
{
	uint64_t n;

	pthread_mutex_lock(&b->lock);
	n = b->count[c];
	pthread_mutex_unlock(&b->lock);
	return n;
}

bool
fb_reaches(struct fakebroker *b, enum fb_count c, uint64_t n)
{
	struct timespec end;
	bool good;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&b->lock);
	while (b->count[c] < n &&
	       pthread_cond_timedwait(&b->changed, &b->lock, &end) == 0)
		;
	good = b->count[c] >= n;
	pthread_mutex_unlock(&b->lock);
	return good;
}

bool
fb_has(struct fakebroker *b, const uint8_t id[ID_LEN])
{
	bool has;

	pthread_mutex_lock(&b->lock);
	has = b->ticket[ticket_row(b, id)].taken;
	pthread_mutex_unlock(&b->lock);
	return has;
}

bool
fb_has_part(struct fakebroker *b, struct span bytes)
{
	uint8_t hash[32];
	struct part *p;
	bool has;

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	pthread_mutex_lock(&b->lock);
	p = part_row(b, hash);
	has = p->whole && span_eq(buf_span(&p->bytes), bytes);
	pthread_mutex_unlock(&b->lock);
	return has;
}

const char *
fb_url(const struct fakebroker *b)
{
	return b->url;
}

struct fakebroker *
fb_new(const struct fixture *f, const char *name)
{
	struct fakebroker *b = calloc(1, sizeof(*b));
	size_t i;

	MUST(b != NULL && pipe2(b->wake, O_CLOEXEC) == 0);
	b->f = f;
	b->roster = 1;
	snprintf(b->name, sizeof(b->name), "%s", name);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	for (i = 0; i < CONNS; i++)
		b->conn[i].fd = -1;
	b->port = port_of_ours();
	listen_on(b);
	snprintf(b->url, sizeof(b->url), "tcp://127.0.0.1:%u", b->port);
	MUST(pthread_create(&b->thread, NULL, run, b) == 0);
	return b;
}

void
fb_free(struct fakebroker *b)
{
	size_t i;

	pthread_mutex_lock(&b->lock);
	b->stop = true;
	wake(b);
	pthread_join(b->thread, NULL);
	if (b->listener >= 0)
		close(b->listener);
	for (i = 0; i < CONNS; i++)
		if (b->conn[i].fd >= 0)
			hang_up(b, i);
	for (i = 0; i < PENDING; i++)
		buf_release(&b->pending[i].frame);
	for (i = 0; i < b->nentry; i++) {
		free((void *)(uintptr_t)b->entry[i].note.p);
		free((void *)(uintptr_t)b->entry[i].body.p);
	}
	for (i = 0; i < b->npart; i++)
		buf_release(&b->part[i].bytes);
	buf_release(&b->roster_file);
	close(b->wake[0]);
	close(b->wake[1]);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
