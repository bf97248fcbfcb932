/* SPDX-License-Identifier: ISC */
#include "tests/lib/rig.h"

#include "broker/clock.h"
#include "broker/intake.h"
#include "tests/lib/tap.h"

#include <nng/protocol/reqrep0/req.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 20000

#define MUST(x)                                                         \
	do {                                                            \
		if (!(x)) {                                             \
			diag("rig: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                        \
		}                                                       \
	} while (0)

/* ---- brokers ---- */

const char *
rig_dir(const char *name)
{
	static char dir[4096];

	snprintf(dir, sizeof(dir), "%s/%s", scratch(), name);
	return dir;
}

/* Brokers point to their keys: they stay, for as many as a test may have. */
static struct broker_keys {
	uint8_t noise[32];
	uint8_t sign[64];
	uint8_t log[64];
} broker_keys[32];

static void
set_keys(struct broker_config *c, const char *name)
{
	static unsigned used;
	struct broker_keys *k = &broker_keys[used++];
	char key[KEYNAME_MAX + 1];

	MUST(used <= sizeof(broker_keys) / sizeof(broker_keys[0]));
	fixture_noise_key(k->noise, name);
	snprintf(key, sizeof(key), "%s/sign", name);
	fixture_sign_key(k->sign, key);
	snprintf(key, sizeof(key), "%s/log", name);
	fixture_sign_key(k->log, key);
	c->noise_sk = k->noise;
	c->sign_sk = k->sign;
	c->log_sk = k->log;
}

static void
config(struct broker_config *c, const struct fixture *f, const char *name)
{
	memset(c, 0, sizeof(*c));
	broker_defaults(c);
	snprintf(
	    c->federation, sizeof(c->federation), "%s", f->roster->federation);
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->nation, sizeof(c->nation), "%s", name);
	set_keys(c, name);
	c->store.map_size = (uint64_t)1 << 30;
	c->net.contexts = 256;
}

static void
first_time(const struct fixture *f, const struct broker_config *c)
{
	struct store *s = NULL;
	const char *why = "";

	MUST(store_open(&s, c->store_dir, &c->store, &why) == TOCSIN_OK);
	MUST(trust_install_genesis(s, buf_span(&f->file), f->now) == TOCSIN_OK);
	store_close(s);
}

struct broker *
rig_broker(const struct fixture *f, const char *name,
    void (*edit)(struct broker_config *, void *), void *arg)
{
	struct broker_config c;
	struct broker *b = NULL;
	const char *why = "";
	char store[4200], run[4200];
	bool first;
	size_t i;

	config(&c, f, name);
	first = mkdir(rig_dir(name), 0700) == 0;
	snprintf(store, sizeof(store), "%s/store", rig_dir(name));
	snprintf(run, sizeof(run), "%s/run", rig_dir(name));
	c.store_dir = store;
	c.net.dir = run;
	if (edit)
		edit(&c, arg);
	if (first)
		first_time(f, &c);
	if (broker_start(&b, &c, &why) != TOCSIN_OK) {
		diag("rig: %s", why);
		abort();
	}
	for (i = 0; first && i < f->n; i++)
		if (strcmp(f->nation[i], name) == 0)
			MUST(intake_install(b, STORE_KEYS,
				 buf_span(&f->keys_file[i])) == TOCSIN_OK);
	return b;
}

bool
rig_reaches(struct broker *b, enum broker_counter c, uint64_t n)
{
	int64_t end = clock_ms() + PATIENCE_MS;

	while (atomic_load(&b->count[c]) < n) {
		if (clock_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

/* ---- frames ---- */

void
flight_begin(struct flight *a, struct desk *d, struct span frame)
{
	nng_msg *msg;

	a->number = 0;
	MUST(nng_ctx_open(&a->ctx, d->s) == 0);
	MUST(nng_ctx_set_ms(
		 a->ctx, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
	MUST(nng_aio_alloc(&a->aio, NULL, NULL) == 0);
	MUST(nng_msg_alloc(&msg, frame.n) == 0);
	if (frame.n > 0)
		memcpy(nng_msg_body(msg), frame.p, frame.n);
	nng_aio_set_timeout(a->aio, PATIENCE_MS);
	nng_aio_set_msg(a->aio, msg);
	nng_ctx_send(a->ctx, a->aio);
	nng_aio_wait(a->aio);
	a->sent = nng_aio_result(a->aio) == 0;
	if (a->sent)
		nng_ctx_recv(a->ctx, a->aio);
	else
		nng_msg_free(nng_aio_get_msg(a->aio));
}

enum tocsin_err
flight_end(struct flight *a, struct buf *answer)
{
	enum tocsin_err err = TOCSIN_ETIMEOUT;
	nng_msg *msg;

	nng_aio_wait(a->aio);
	if (a->sent && nng_aio_result(a->aio) == 0) {
		msg = nng_aio_get_msg(a->aio);
		buf_add(answer,
		    (struct span){ nng_msg_body(msg), nng_msg_len(msg) });
		nng_msg_free(msg);
		err = TOCSIN_OK;
	}
	nng_ctx_close(a->ctx);
	nng_aio_free(a->aio);
	return err;
}

enum tocsin_err
desk_frame(struct desk *d, struct span frame, struct buf *answer)
{
	struct flight a;

	flight_begin(&a, d, frame);
	return flight_end(&a, answer);
}

/* ---- links ---- */

void
desk_dial(struct desk *d, const char *broker)
{
	char url[4200];

	memset(d, 0, sizeof(*d));
	snprintf(url, sizeof(url), "ipc://%s/run/rpc.ipc", rig_dir(broker));
	MUST(nng_req0_open(&d->s) == 0);
	MUST(nng_socket_set_size(d->s, NNG_OPT_RECVMAXSZ, FRAME_MAX + 64) == 0);
	MUST(nng_dial(d->s, url, NULL, 0) == 0);
}

enum tocsin_err
desk_link(struct desk *d, const struct fixture *f, const char *broker,
    const char *device, struct span request, struct buf *reply)
{
	struct buf prologue = { 0 }, frame = { 0 }, answer = { 0 };
	const struct roster_broker *peer;
	uint8_t sk[32], genesis[32];
	enum tocsin_err err;
	uint32_t retry;

	peer = roster_broker(f->roster, span_of(broker));
	MUST(peer);
	memcpy(genesis, f->genesis, 32);
	fixture_noise_key(sk, device);
	noise_prologue(&prologue, span_of(f->roster->federation),
	    span_of(broker), genesis);
	err =
	    link_hello(&d->link, sk, peer->noise, buf_span(&prologue), &frame);
	if (!err)
		err = desk_frame(d, buf_span(&frame), &answer);
	buf_cut(&frame, 0);
	if (!err)
		err = link_finish(&d->link, buf_span(&answer), request, &frame);
	buf_cut(&answer, 0);
	if (!err)
		err = desk_frame(d, buf_span(&frame), &answer);
	if (!err)
		err =
		    link_answer(&d->link, 0, buf_span(&answer), reply, &retry);
	buf_release(&prologue);
	buf_release(&frame);
	buf_release(&answer);
	return err;
}

void
desk_open(struct desk *d, const struct fixture *f, const char *broker,
    const char *device)
{
	static const uint8_t hello[] = { MSG_HELLO };
	struct buf reply = { 0 };
	enum tocsin_err err;
	unsigned tries = 0;

	/*
	 * On a busy machine the first request of a new pipe had no answer,
	 * once, and nng is not let send it again: who dials in earnest dials
	 * anew.
	 */
	do {
		desk_dial(d, broker);
		err = desk_link(d, f, broker, device, SPAN(hello), &reply);
		if (err == TOCSIN_ETIMEOUT)
			desk_close(d);
	} while (err == TOCSIN_ETIMEOUT && ++tries < 3);
	MUST(err == TOCSIN_OK);
	buf_release(&reply);
}

void
desk_close(struct desk *d)
{
	nng_close(d->s);
	link_wipe(&d->link);
}

/* ---- requests ---- */

void
desk_begin(struct desk *d, struct flight *a, struct span request)
{
	struct buf frame = { 0 };
	uint64_t number;

	MUST(link_ask(&d->link, request, &frame, &number) == TOCSIN_OK);
	flight_begin(a, d, buf_span(&frame));
	a->number = number;
	buf_release(&frame);
}

enum tocsin_err
desk_end(struct desk *d, struct flight *a, struct buf *rest)
{
	struct buf answer = { 0 }, reply = { 0 };
	struct msg_reply m = { 0 };
	enum tocsin_err err;
	uint32_t retry;

	err = flight_end(a, &answer);
	if (!err)
		err = link_answer(
		    &d->link, a->number, buf_span(&answer), &reply, &retry);
	if (!err)
		err = msg_reply_decode(&m, buf_span(&reply));
	if (!err) {
		err = m.code;
		buf_add(rest, m.rest);
	}
	buf_release(&answer);
	buf_release(&reply);
	return err;
}

enum tocsin_err
desk_ask(struct desk *d, struct span request, struct buf *rest)
{
	struct flight a;

	desk_begin(d, &a, request);
	return desk_end(d, &a, rest);
}

enum tocsin_err
desk_post(struct desk *d, const struct fx_ticket *t, uint64_t *seq)
{
	struct msg_envelope env = { buf_span(&t->note), buf_span(&t->body) };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_posted posted;
	enum tocsin_err err;

	msg_post_encode(&request, &env, 1);
	err = desk_ask(d, buf_span(&request), &rest);
	if (!err)
		err = msg_posted_decode(&posted, buf_span(&rest));
	if (!err) {
		MUST(posted.n == 1);
		err = posted.item[0].code;
		if (seq)
			*seq = posted.item[0].seq;
	}
	buf_release(&request);
	buf_release(&rest);
	return err;
}

enum tocsin_err
desk_fetch(struct desk *d, const struct msg_fetch *m, struct buf *rest,
    struct msg_entries *out)
{
	struct buf request = { 0 };
	enum tocsin_err err;

	msg_fetch_encode(&request, m);
	buf_cut(rest, 0);
	err = desk_ask(d, buf_span(&request), rest);
	if (!err)
		err = msg_entries_decode(out, buf_span(rest));
	buf_release(&request);
	return err;
}
