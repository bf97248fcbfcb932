/* SPDX-License-Identifier: ISC */
#include "crypto/link.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t client_sk[32] = { 8 }, broker_sk[32] = { 16 };
static const uint8_t session[FRAME_SESSION] = { 1, 2, 3 };

/* The other side, as little of it as the link needs. */
struct broker {
	struct noise noise;
	struct link_keys keys;
	struct buf hello_reply;
};

static struct span
prologue(void)
{
	return span_of("asean.example/noise/v1");
}

static void
take_hello(struct broker *b, struct span frame)
{
	struct buf none = { 0 }, msg = { 0 };
	struct frame f;

	if (noise_init_responder(&b->noise, broker_sk, prologue()) !=
		TOCSIN_OK ||
	    frame_parse(&f, frame) != TOCSIN_OK || f.type != FRAME_HELLO ||
	    noise_read(&b->noise, &none, f.msg) != TOCSIN_OK ||
	    noise_write(&b->noise, &msg, (struct span){ 0 }) != TOCSIN_OK)
		abort();
	frame_put(
	    &b->hello_reply, FRAME_HELLO_REPLY, session, 0, buf_span(&msg));
	buf_release(&none);
	buf_release(&msg);
}

static void
take_finish(struct broker *b, struct span frame, struct buf *request)
{
	struct frame f;

	if (frame_parse(&f, frame) != TOCSIN_OK || f.type != FRAME_FINISH ||
	    noise_read(&b->noise, request, f.msg) != TOCSIN_OK ||
	    noise_split(&b->noise, b->keys.tx, b->keys.rx) != TOCSIN_OK)
		abort();
}

static void
open_both(struct link *l, struct broker *b)
{
	struct buf frame = { 0 }, request = { 0 };
	uint8_t pk[32];

	crypto_scalarmult_base(pk, broker_sk);
	if (link_hello(l, client_sk, pk, prologue(), &frame) != TOCSIN_OK)
		abort();
	take_hello(b, buf_span(&frame));
	buf_cut(&frame, 0);
	ok(link_finish(l, buf_span(&b->hello_reply), span_of("first"),
	       &frame) == TOCSIN_OK,
	    "the hello is answered");
	take_finish(b, buf_span(&frame), &request);
	ok(span_is(buf_span(&request), "first"),
	    "the first request rides in the finish");
	buf_release(&frame);
	buf_release(&request);
	buf_release(&b->hello_reply);
}

static void
test_talk(void)
{
	struct buf frame = { 0 }, plain = { 0 }, answer = { 0 };
	struct broker b = { 0 };
	struct link l = { 0 };
	uint64_t number = 0;
	struct frame f;
	uint32_t retry;

	open_both(&l, &b);
	ok(link_ask(&l, span_of("ask"), &frame, &number) == TOCSIN_OK &&
		number == 1,
	    "requests are numbered from 1");
	ok(frame_parse(&f, buf_span(&frame)) == TOCSIN_OK &&
		frame_open(&plain, &f, b.keys.rx) == TOCSIN_OK &&
		span_is(buf_span(&plain), "ask"),
	    "the broker reads it");
	buf_cut(&plain, 0);
	if (frame_seal(&answer, session, 1, b.keys.tx, span_of("told")) !=
	    TOCSIN_OK)
		abort();
	ok(link_answer(&l, 1, buf_span(&answer), &plain, &retry) == TOCSIN_OK &&
		span_is(buf_span(&plain), "told"),
	    "and its answer is read");
	is_int(link_answer(&l, 2, buf_span(&answer), &plain, &retry),
	    TOCSIN_EMALFORMED, "an answer to another request is none");
	answer.p[answer.n - 1] ^= 1;
	is_int(link_answer(&l, 1, buf_span(&answer), &plain, &retry),
	    TOCSIN_EBADSIGNATURE, "nor is one that was altered");
	buf_cut(&answer, 0);
	frame_put_error(&answer, session, 1, TOCSIN_EBUSY, 250);
	ok(link_answer(&l, 1, buf_span(&answer), &plain, &retry) ==
		    TOCSIN_EBUSY &&
		retry == 250,
	    "an error frame gives its reason and its hint");
	buf_cut(&answer, 0);
	frame_put_error(&answer, session, 1, TOCSIN_OK, 0);
	is_int(link_answer(&l, 1, buf_span(&answer), &plain, &retry),
	    TOCSIN_EINTERNAL, "an error frame that says ok is not believed");
	l.next = LINK_MESSAGES_MAX + 1;
	ok(link_spent(&l) && link_ask(&l, span_of("x"), &frame, &number) ==
				 TOCSIN_EUNAVAILABLE,
	    "a link that is used up asks no more");
	link_wipe(&l);
	buf_release(&frame);
	buf_release(&plain);
	buf_release(&answer);
}

static void
test_wrong_broker(void)
{
	static const uint8_t other[32] = { 24 };
	struct buf frame = { 0 };
	struct broker b = { 0 };
	struct link l = { 0 };
	uint8_t pk[32];

	crypto_scalarmult_base(pk, broker_sk);
	if (link_hello(&l, client_sk, pk, prologue(), &frame) != TOCSIN_OK)
		abort();
	take_hello(&b, buf_span(&frame));
	b.hello_reply.p[FRAME_HEAD + 40] ^= 1;
	buf_cut(&frame, 0);
	ok(link_finish(&l, buf_span(&b.hello_reply), span_of("first"),
	       &frame) != TOCSIN_OK &&
		frame.n == 0,
	    "a forged answer to the hello gets no finish");
	ok(link_spent(&l), "and ends the link");
	buf_release(&b.hello_reply);
	crypto_scalarmult_base(pk, other);
	is_int(link_hello(&l, client_sk, pk, prologue(), &frame), TOCSIN_OK,
	    "another broker can be tried");
	link_wipe(&l);
	noise_release(&b.noise);
	buf_release(&frame);
}

int
main(void)
{
	test_talk();
	test_wrong_broker();
	return tap_done();
}
