/* SPDX-License-Identifier: ISC */
/*
 * The thread of a fake broker: connections, sessions, frames in and out, and
 * what goes wrong with them.
 */
#include "tests/lib/fakebroker_impl.h"
#include "tests/lib/nth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t
fb_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
fb_counted(struct fakebroker *b, enum fb_count c, int64_t by)
{
	b->count[c] += (uint64_t)by;
	pthread_cond_broadcast(&b->changed);
}

/* ---- sending ---- */

void
fb_hang_up(struct fakebroker *b, size_t i)
{
	size_t k;

	close(b->conn[i].fd);
	b->conn[i].fd = -1;
	buf_release(&b->conn[i].in);
	for (k = 0; k < PENDING; k++)
		if (b->pending[k].used && b->pending[k].conn == i &&
		    b->pending[k].parked) {
			b->pending[k].used = false;
			fb_counted(b, FB_PARKED, -1);
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

void
fb_send_frame(
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

struct session *
fb_find_session(struct fakebroker *b, const uint8_t id[FRAME_SESSION])
{
	size_t i;

	for (i = 0; i < b->nsession; i++)
		if (memcmp(b->session[i].id, id, FRAME_SESSION) == 0)
			return &b->session[i];
	return NULL;
}

struct req *
fb_keep_pending(struct fakebroker *b, const struct req *r)
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

bool
fb_meets(struct fakebroker *b, uint8_t op, bool before, enum fb_fault *fault,
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
		fb_counted(b, FB_FAULTS, 1);
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

	if (!fb_meets(b, r->op, false, &fault, &code)) {
		fb_send_frame(b, r, frame, false);
		return;
	}
	switch (fault) {
	case FB_HOLD:
		held = fb_keep_pending(b, r);
		held->parked = false;
		buf_add(&held->frame, frame);
		fb_counted(b, FB_HELD, 1);
		break;
	case FB_CUT:
		if (b->conn[r->conn].fd >= 0 &&
		    b->conn[r->conn].life == r->life)
			fb_hang_up(b, r->conn);
		break;
	case FB_HALF:
		fb_send_frame(b, r, frame, true);
		break;
	case FB_LOSE:
	case FB_REFUSE:
	case FB_HINT:
		break;
	}
}

void
fb_answer(struct fakebroker *b, const struct req *r, struct span reply)
{
	struct session *s = fb_find_session(b, r->session);
	struct buf frame = { 0 };

	if (s == NULL)
		return;
	MUST(frame_seal(&frame, r->session, r->nonce, s->tx, reply) ==
	     TOCSIN_OK);
	answer_frame(b, r, buf_span(&frame));
	buf_release(&frame);
}

void
fb_refuse(struct fakebroker *b, const struct req *r, enum tocsin_err code)
{
	struct buf reply = { 0 };

	msg_refuse(&reply, code, 0, "no");
	fb_answer(b, r, buf_span(&reply));
	buf_release(&reply);
}

void
fb_hint(struct fakebroker *b, const struct req *r, enum tocsin_err code)
{
	struct buf frame = { 0 };

	frame_put_error(&frame, r->session, r->nonce, code, 0);
	fb_send_frame(b, r, buf_span(&frame), false);
	buf_release(&frame);
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
	if (fb_meets(b, FB_HELLO, true, &fault, &code)) {
		fb_hint(b, r, code);
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
		fb_hint(b, r, TOCSIN_EBADSIGNATURE);
	}
	buf_release(&prologue);
	buf_release(&none);
	buf_release(&out);
	buf_release(&frame);
}

static void
on_finish(struct fakebroker *b, struct req *r, struct span msg)
{
	struct session *s = fb_find_session(b, r->session);
	struct buf request = { 0 };

	if (s == NULL || s->done ||
	    noise_read(&s->noise, &request, msg) != TOCSIN_OK) {
		fb_hint(b, r, TOCSIN_ENOTFOUND);
	} else {
		memcpy(s->who, noise_remote(&s->noise), 32);
		MUST(noise_split(&s->noise, s->tx, s->rx) == TOCSIN_OK);
		s->done = true;
		fb_counted(b, FB_LINKS, 1);
		fb_serve(b, r, s, buf_span(&request));
	}
	buf_release(&request);
}

static void
on_transport(struct fakebroker *b, struct req *r, const struct frame *f)
{
	struct session *s = fb_find_session(b, r->session);
	struct buf request = { 0 };

	if (s == NULL || !s->done)
		fb_hint(b, r, TOCSIN_ENOTFOUND);
	else if (frame_open(&request, f, s->rx) == TOCSIN_OK)
		fb_serve(b, r, s, buf_span(&request));
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
		fb_hang_up(b, i);
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
	fb_counted(b, FB_CONNECTIONS, 1);
}

void
fb_listen_on(struct fakebroker *b)
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

void *
fb_run(void *arg)
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
		fb_expire_parks(b);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}
