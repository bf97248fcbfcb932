/* SPDX-License-Identifier: ISC */
#include "tests/fault/rawpull.h"

#include <sodium.h>
#include <string.h>

#define ROOM 40000 /* bytes of parcels in one pull */

void
rawpull_bring(struct rawpull *p, uint64_t call, struct span bytes)
{
	struct msg_parcel m = { .call = call, .bytes = bytes };

	if (bytes.n > 0)
		msg_parcel_encode(&p->parcels, &m);
}

static struct rawpull_session *
find(struct rawpull *p, const uint8_t id[FRAME_SESSION])
{
	unsigned i;

	for (i = 0; i < RAWPULL_SESSIONS; i++)
		if (memcmp(p->session[i].id, id, FRAME_SESSION) == 0)
			return &p->session[i];
	return NULL;
}

void
rawpull_answer(
    struct rawpull *p, const struct rawpull_call *c, struct span reply)
{
	struct rawpull_session *s = find(p, c->session);
	struct buf frame = { 0 };

	if (s && s->live &&
	    frame_seal(&frame, c->session, c->number, s->keys.tx, reply) ==
		TOCSIN_OK)
		rawpull_bring(p, c->call, buf_span(&frame));
	buf_release(&frame);
}

/* ---- links ---- */

static void
on_hello(struct rawpull *p, uint64_t call, const struct frame *f)
{
	struct rawpull_session *s = &p->session[p->next++ % RAWPULL_SESSIONS];
	struct buf none = { 0 }, out = { 0 }, frame = { 0 };
	enum tocsin_err err;

	noise_release(&s->noise);
	memset(s, 0, sizeof(*s));
	err = noise_init_responder(&s->noise, p->sk, p->prologue);
	if (!err)
		err = noise_read(&s->noise, &none, f->msg);
	if (!err)
		err = noise_write(&s->noise, &out, (struct span){ 0 });
	if (!err) {
		p->handshakes++;
		randombytes_buf(s->id, sizeof(s->id));
		frame_put(&frame, FRAME_HELLO_REPLY, s->id, 0, buf_span(&out));
		rawpull_bring(p, call, buf_span(&frame));
	}
	buf_release(&none);
	buf_release(&out);
	buf_release(&frame);
}

static void
on_sealed(struct rawpull *p, uint64_t call, const struct frame *f)
{
	struct rawpull_call c = { .call = call, .number = f->nonce };
	struct rawpull_session *s = find(p, f->session);
	struct buf request = { 0 };
	enum tocsin_err err = s ? TOCSIN_OK : TOCSIN_ENOTFOUND;

	if (!err && f->type == FRAME_FINISH) {
		err = noise_read(&s->noise, &request, f->msg);
		if (!err)
			err = noise_split(&s->noise, s->keys.tx, s->keys.rx);
		s->live = !err;
	} else if (!err) {
		err = s->live ? frame_open(&request, f, s->keys.rx)
			      : TOCSIN_ENOTFOUND;
	}
	memcpy(c.session, f->session, sizeof(c.session));
	if (!err)
		p->request(&c, buf_span(&request));
	buf_release(&request);
}

static void
take(struct rawpull *p, struct span parcels)
{
	struct msg_parcel m;
	struct frame f;

	while (msg_parcel_take(&m, &parcels))
		if (m.call == 0)
			p->frame(m.bytes);
		else if (frame_parse(&f, m.bytes) != TOCSIN_OK)
			continue;
		else if (f.type == FRAME_HELLO)
			on_hello(p, m.call, &f);
		else
			on_sealed(p, m.call, &f);
}

/* What does not fit goes with the next. */
static struct span
some(struct span parcels)
{
	struct span rest = parcels;
	struct msg_parcel m;
	size_t n = 0;

	while (msg_parcel_take(&m, &rest) &&
	       (n == 0 || parcels.n - rest.n <= ROOM))
		n = parcels.n - rest.n;
	return span_cut(parcels, 0, n);
}

enum tocsin_err
rawpull_turn(struct rawpull *p, uint32_t wait_ms)
{
	struct buf request = { 0 }, fields = { 0 }, left = { 0 };
	struct msg_pull m = { .wait_ms = p->fresh ? 0 : wait_ms,
		.bytes = MSG_MAX,
		.fresh = p->fresh,
		.parcels = some(buf_span(&p->parcels)) };
	struct msg_pulled got;
	enum tocsin_err err;

	msg_pull_encode(&request, &m);
	buf_add(
	    &left, span_cut(buf_span(&p->parcels), m.parcels.n, p->parcels.n));
	buf_release(&p->parcels);
	p->parcels = left;
	p->fresh = false;
	err = rawlink_ask(p->link, buf_span(&request), &fields);
	if (!err)
		err = msg_pulled_decode(&got, buf_span(&fields));
	if (!err)
		take(p, got.parcels);
	buf_release(&request);
	buf_release(&fields);
	return err;
}

void
rawpull_close(struct rawpull *p)
{
	unsigned i;

	for (i = 0; i < RAWPULL_SESSIONS; i++)
		noise_release(&p->session[i].noise);
	sodium_memzero(p->session, sizeof(p->session));
	buf_release(&p->parcels);
}
