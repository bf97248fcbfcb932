/* SPDX-License-Identifier: ISC */
#include "tests/bench/asker.h"

#include "crypto/link.h"

#include <malloc.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH_MAX 256

struct slot {
	struct asker *a;
	unsigned i;
	nng_ctx ctx;
	nng_aio *aio;
	bool receiving;
	uint64_t number;
	struct buf request, frame, reply;
};

struct asker {
	struct keystore *keys;
	struct desk *desk;
	struct belief belief;
	nng_socket sock;
	struct link link;
	pthread_mutex_t lock; /* of link and running */
	pthread_cond_t idle;
	unsigned width, running;
	const struct asker_work *work;
	struct slot slot[WIDTH_MAX];
};

double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void
load_home(struct asker *a, const char *home)
{
	struct desk_tx *tx;
	char path[640];

	keystore_path(path, home, "desk");
	if (keystore_open(home, NULL, &a->keys) != TOCSIN_OK ||
	    desk_open(&a->desk, path) != TOCSIN_OK ||
	    desk_read(a->desk, &tx) != TOCSIN_OK ||
	    belief_load(&a->belief, tx) != TOCSIN_OK ||
	    a->belief.roster == NULL)
		die("%s: no home with a roster", home);
	desk_end(tx);
}

/* One frame there and one back, waiting. */
static void
exchange(struct asker *a, struct span frame, struct buf *answer)
{
	nng_msg *m = NULL;

	if (nng_msg_alloc(&m, 0) != 0 ||
	    nng_msg_append(m, frame.p, frame.n) != 0 ||
	    nng_sendmsg(a->sock, m, 0) != 0 || nng_recvmsg(a->sock, &m, 0) != 0)
		die("no answer from %s", a->keys->broker);
	buf_cut(answer, 0);
	buf_add(answer, (struct span){ nng_msg_body(m), nng_msg_len(m) });
	nng_msg_free(m);
}

static void
shake_hands(struct asker *a)
{
	struct span nation = member_nation(span_of(a->keys->member));
	const struct roster_broker *b =
	    roster_broker_of(a->belief.roster, nation, 0);
	struct buf prologue = { 0 }, frame = { 0 }, answer = { 0 };
	const uint8_t hello = MSG_HELLO;
	uint32_t retry;

	if (b == NULL)
		die("no broker of our nation");
	noise_prologue(&prologue, span_of(a->keys->federation),
	    span_of(b->name), a->belief.genesis);
	if (link_hello(&a->link, secret_span(a->keys->noise).p, b->noise,
		buf_span(&prologue), &frame) != TOCSIN_OK)
		die("no hello");
	exchange(a, buf_span(&frame), &answer);
	buf_cut(&frame, 0);
	if (link_finish(&a->link, buf_span(&answer), (struct span){ &hello, 1 },
		&frame) != TOCSIN_OK)
		die("the broker is another one");
	exchange(a, buf_span(&frame), &answer);
	buf_cut(&frame, 0);
	if (link_answer(&a->link, 0, buf_span(&answer), &frame, &retry) !=
	    TOCSIN_OK)
		die("no link");
	buf_release(&prologue);
	buf_release(&frame);
	buf_release(&answer);
}

static void
finished(struct asker *a)
{
	pthread_mutex_lock(&a->lock);
	if (--a->running == 0)
		pthread_cond_signal(&a->idle);
	pthread_mutex_unlock(&a->lock);
}

static void
ask(struct slot *s)
{
	struct asker *a = s->a;
	enum tocsin_err err;
	nng_msg *m = NULL;

	buf_cut(&s->request, 0);
	buf_cut(&s->frame, 0);
	if (!a->work->next(a->work->arg, s->i, &s->request)) {
		finished(a);
		return;
	}
	pthread_mutex_lock(&a->lock);
	err = link_ask(&a->link, buf_span(&s->request), &s->frame, &s->number);
	pthread_mutex_unlock(&a->lock);
	if (err != TOCSIN_OK || nng_msg_alloc(&m, 0) != 0 ||
	    nng_msg_append(m, s->frame.p, s->frame.n) != 0)
		die("cannot ask: %s", tocsin_err_name(err));
	s->receiving = false;
	nng_aio_set_msg(s->aio, m);
	nng_ctx_send(s->ctx, s->aio);
}

static void
answered(struct slot *s)
{
	nng_msg *m = nng_aio_get_msg(s->aio);
	struct msg_reply r;
	enum tocsin_err err;
	uint32_t retry;

	nng_aio_set_msg(s->aio, NULL);
	buf_cut(&s->reply, 0);
	err = link_answer(&s->a->link, s->number,
	    (struct span){ nng_msg_body(m), nng_msg_len(m) }, &s->reply,
	    &retry);
	nng_msg_free(m);
	if (err == TOCSIN_OK)
		err = msg_reply_decode(&r, buf_span(&s->reply));
	if (err == TOCSIN_OK)
		err = r.code;
	if (err != TOCSIN_OK)
		die("refused: %s", tocsin_err_name(err));
	s->a->work->answer(s->a->work->arg, s->i, r.rest);
	ask(s);
}

static void
done(void *arg)
{
	struct slot *s = arg;

	if (nng_aio_result(s->aio) != 0)
		die("the connection was lost");
	if (s->receiving) {
		answered(s);
		return;
	}
	s->receiving = true;
	nng_ctx_recv(s->ctx, s->aio);
}

struct asker *
asker_open(const char *home, unsigned width)
{
	struct asker *a = calloc(1, sizeof(*a));
	unsigned i;

	if (a == NULL || width > WIDTH_MAX || sodium_init() < 0)
		die("no memory");
	mallopt(M_TRIM_THRESHOLD, 4 << 20); /* as tocsind, cmd_run.c */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	a->width = width;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->idle, NULL);
	load_home(a, home);
	if (nng_req0_open(&a->sock) != 0 ||
	    nng_socket_set_ms(
		a->sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) != 0 ||
	    nng_socket_set_size(a->sock, NNG_OPT_RECVMAXSZ, 1 << 17) != 0 ||
	    nng_dial(a->sock, a->keys->broker, NULL, 0) != 0)
		die("%s does not answer", a->keys->broker);
	shake_hands(a);
	for (i = 0; i < width; i++) {
		struct slot *s = &a->slot[i];

		s->a = a;
		s->i = i;
		if (nng_ctx_open(&s->ctx, a->sock) != 0 ||
		    nng_ctx_set_ms(s->ctx, NNG_OPT_REQ_RESENDTIME,
			NNG_DURATION_INFINITE) != 0 ||
		    nng_aio_alloc(&s->aio, done, s) != 0)
			die("no context");
	}
	return a;
}

const struct keystore *
asker_keys(const struct asker *a)
{
	return a->keys;
}

const struct belief *
asker_belief(const struct asker *a)
{
	return &a->belief;
}

void
asker_run(struct asker *a, const struct asker_work *work)
{
	unsigned i;

	a->work = work;
	a->running = a->width;
	for (i = 0; i < a->width; i++)
		ask(&a->slot[i]);
	pthread_mutex_lock(&a->lock);
	while (a->running > 0)
		pthread_cond_wait(&a->idle, &a->lock);
	pthread_mutex_unlock(&a->lock);
}
