/* SPDX-License-Identifier: ISC */
/* Sessions without a network: bytes of frames in, bytes of frames out. */
#include "broker/clock.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct broker *sg;
static struct sessions *all;
static const uint8_t hello[] = { MSG_HELLO };

/* ---- the other side ---- */

static void
say_hello(struct link *l, const char *device, struct buf *frame)
{
	struct buf prologue = { 0 };
	uint8_t sk[32];

	fixture_noise_key(sk, device);
	noise_prologue(
	    &prologue, span_of(FX_FEDERATION), span_of("sg"), fed.genesis);
	if (link_hello(l, sk, sg->noise_pk, buf_span(&prologue), frame))
		abort();
	buf_release(&prologue);
}

/* What sessions answer at once; the code of an error frame, or OK. */
static enum tocsin_err
answered(struct span frame, int64_t now_ms, struct buf *answer)
{
	struct session_request got;
	struct frame f;
	uint32_t retry;

	buf_cut(answer, 0);
	if (session_receive(all, frame, now_ms, &got, answer))
		abort();
	if (frame_parse(&f, buf_span(answer)))
		return TOCSIN_EINTERNAL;
	return f.type == FRAME_ERROR ? frame_error(&f, &retry) : TOCSIN_OK;
}

/* True if the frame was a request, which is given up at once. */
static bool
served(struct span frame, int64_t now_ms)
{
	struct session_request got;
	struct buf answer = { 0 };
	bool request = session_receive(all, frame, now_ms, &got, &answer);

	if (request) {
		session_abandon(got.session, got.nonce);
		session_put(got.session);
		buf_release(&got.plain);
	}
	buf_release(&answer);
	return request;
}

/* Up to the finish, which is in *frame and not sent yet. */
static void
shake(struct link *l, const char *device, int64_t now_ms, struct buf *frame)
{
	struct buf first = { 0 }, answer = { 0 };

	say_hello(l, device, &first);
	if (answered(buf_span(&first), now_ms, &answer) ||
	    link_finish(l, buf_span(&answer), SPAN(hello), frame))
		abort();
	buf_release(&first);
	buf_release(&answer);
}

static void
open_link(struct link *l, const char *device, int64_t now_ms)
{
	struct buf frame = { 0 };

	shake(l, device, now_ms, &frame);
	if (!served(buf_span(&frame), now_ms))
		abort();
	buf_release(&frame);
}

static bool
works(struct link *l, int64_t now_ms)
{
	struct buf frame = { 0 };
	uint64_t number;
	bool good;

	if (link_ask(l, SPAN(hello), &frame, &number))
		abort();
	good = served(buf_span(&frame), now_ms);
	buf_release(&frame);
	return good;
}

static void
fresh(const struct session_limits *lim)
{
	sessions_free(all);
	if (sessions_new(&all, sg, lim))
		abort();
}

/* ---- the handshake ---- */

static void
test_handshake(int64_t t)
{
	struct buf frame = { 0 }, answer = { 0 }, first = { 0 }, again = { 0 };
	struct session_request got;
	struct link l = { 0 };

	shake(&l, "singcert@sg/desk1", t, &frame);
	frame.p[frame.n - 1] ^= 1;
	is_int(answered(buf_span(&frame), t, &answer), TOCSIN_EBADSIGNATURE,
	    "a finish that was altered is refused");
	frame.p[frame.n - 1] ^= 1;
	ok(session_receive(all, buf_span(&frame), t, &got, &answer),
	    "and leaves the handshake for the right one, which brings request "
	    "0");
	is_int(got.who.kind, TRUST_DEVICE, "the key is a device's");
	is_str(got.who.member, "singcert@sg", "of the member");
	is_str(got.who.device, "desk1", "with its name");
	ok(span_eq(buf_span(&got.plain), SPAN(hello)), "the request is there");
	is_int(answered(buf_span(&frame), t, &answer), TOCSIN_EBUSY,
	    "while it runs, the finish again is told busy");
	if (session_reply(got.session, 0, SPAN(hello), &first))
		abort();
	is_int(session_reply(got.session, 0, SPAN("another"), &again),
	    TOCSIN_EUSAGE, "which nobody answers a second time");
	is_int((long long)again.n, 0, "so no number seals two texts");
	is_int(session_reply(got.session, 1, SPAN("unasked"), &again),
	    TOCSIN_EUSAGE, "nor a request that was never made");
	ok(answered(buf_span(&frame), t, &answer) == TOCSIN_OK &&
		span_eq(buf_span(&answer), buf_span(&first)),
	    "afterwards it has the identical answer");
	ok(session_acked(got.session, 7), "what is acknowledged is news");
	ok(!session_acked(got.session, 9), "once, while a job is on the way");
	is_int((long long)session_acked_take(got.session), 9,
	    "which takes the newest");
	ok(!session_acked(got.session, 9), "said again, it is none");
	session_acked_forget(got.session);
	ok(session_acked(got.session, 9),
	    "unless it could not be written down");
	session_put(got.session);
	buf_release(&got.plain);
	buf_release(&frame);
	buf_release(&answer);
	buf_release(&first);
}

static void
test_truncated(int64_t t)
{
	struct buf frame = { 0 }, answer = { 0 };
	struct link l = { 0 };
	size_t cut;

	shake(&l, "singcert@sg/desk1", t, &frame);
	for (cut = 0; cut < frame.n; cut++) {
		uint8_t *copy = xcopy(frame.p, cut);
		enum tocsin_err err =
		    answered((struct span){ copy, cut }, t, &answer);

		free(copy);
		if (err != TOCSIN_EMALFORMED && err != TOCSIN_EBADSIGNATURE)
			break;
	}
	is_int((long long)cut, (long long)frame.n,
	    "every proper prefix of a finish is refused");
	ok(served(buf_span(&frame), t), "and the whole is taken after that");
	buf_release(&frame);
	buf_release(&answer);
}

/* ---- bounds ---- */

static void
test_half_open(int64_t t)
{
	struct session_limits lim = sg->conf.session;
	struct session_stats stats;
	struct buf frame[5] = { 0 };
	struct link l[5] = { 0 };
	int i;

	lim.half_open = 4;
	fresh(&lim);
	for (i = 0; i < 5; i++)
		shake(&l[i], "singcert@sg/desk1", t, &frame[i]);
	sessions_stats(all, &stats);
	is_int(
	    (long long)stats.half_open, 4, "handshakes under way are bounded");
	ok(!served(buf_span(&frame[0]), t), "the oldest has made room");
	ok(served(buf_span(&frame[4]), t), "the newest can go on");
	sessions_sweep(all, t + lim.half_open_ms + 1);
	ok(!served(buf_span(&frame[3]), t), "and one that dawdles is dropped");
	for (i = 0; i < 5; i++)
		buf_release(&frame[i]);
}

static void
test_rate(int64_t t)
{
	struct session_limits lim = sg->conf.session;
	struct buf frame = { 0 }, answer = { 0 };
	struct link l = { 0 };
	int i, taken = 0;

	lim.handshakes = 10;
	fresh(&lim);
	for (i = 0; i < 30; i++) {
		buf_cut(&frame, 0);
		say_hello(&l, "singcert@sg/desk1", &frame);
		taken += answered(buf_span(&frame), t, &answer) == TOCSIN_OK;
	}
	ok(taken <= 11, "handshakes of a second are bounded (%d of 30)", taken);
	is_int(answered(buf_span(&frame), t + 1000, &answer), TOCSIN_OK,
	    "and go on a second later");
	link_wipe(&l);
	buf_release(&frame);
	buf_release(&answer);
}

static void
test_per_device(int64_t t)
{
	struct session_limits lim = sg->conf.session;
	struct link l[4] = { 0 };
	int i;

	lim.per_device = 3;
	fresh(&lim);
	for (i = 0; i < 3; i++)
		open_link(&l[i], "singcert@sg/desk1", t + i);
	ok(works(&l[0], t + 10), "three sessions of a device live");
	open_link(&l[3], "singcert@sg/desk1", t + 11);
	ok(!works(&l[1], t + 12), "a fourth ends the one idle longest");
	ok(works(&l[0], t + 12) && works(&l[2], t + 12) && works(&l[3], t + 12),
	    "and no other");
}

static void
test_strangers(int64_t t)
{
	struct session_limits lim = sg->conf.session;
	struct buf frame = { 0 }, answer = { 0 };
	struct link l[3] = { 0 };

	lim.strangers = 1;
	fresh(&lim);
	open_link(&l[0], "nobody@sg/a", t);
	shake(&l[1], "nobody@sg/b", t, &frame);
	is_int(answered(buf_span(&frame), t, &answer), TOCSIN_EBUSY,
	    "strangers are bounded");
	ok(!works(&l[1], t), "and one that was turned away has no session");
	open_link(&l[2], "singcert@sg/desk1", t);
	ok(works(&l[2], t), "which is nothing to a device");
	buf_release(&frame);
	buf_release(&answer);
}

static void
test_age(int64_t t)
{
	struct link l = { 0 };

	fresh(&sg->conf.session);
	open_link(&l, "singcert@sg/desk1", t);
	ok(works(&l, t + LINK_SECONDS_MAX * 1000),
	    "a session lives for an hour");
	ok(!works(&l, t + LINK_SECONDS_MAX * 1000 + 1), "and no longer");
}

/* ---- numbers ---- */

static void
test_window(int64_t t)
{
	struct buf old = { 0 }, answer = { 0 };
	struct link l = { 0 };
	uint64_t number;
	int i;

	fresh(&sg->conf.session);
	open_link(&l, "singcert@sg/desk1", t);
	if (link_ask(&l, SPAN(hello), &old, &number))
		abort();
	for (i = 0; i < 1000; i++)
		if (!works(&l, t))
			break;
	is_int(i, 1000, "a thousand requests overtake one");
	ok(served(buf_span(&old), t), "which is served when it arrives");
	is_int(answered(buf_span(&old), t, &answer), TOCSIN_ETIMEOUT,
	    "but not again, when its answer is gone");
	buf_cut(&old, 0);
	if (link_ask(&l, SPAN(hello), &old, &number))
		abort();
	for (i = 0; i < 1100; i++)
		(void)works(&l, t);
	is_int(answered(buf_span(&old), t, &answer), TOCSIN_ETIMEOUT,
	    "one that was overtaken by more is too late");
	buf_release(&old);
	buf_release(&answer);
}

static void
test_running(int64_t t)
{
	struct session_request got[200];
	struct buf frame = { 0 }, answer = { 0 };
	struct link l = { 0 };
	uint64_t number;
	int i, n = 0;

	open_link(&l, "singcert@sg/desk1", t);
	for (i = 0; i < 200; i++) {
		buf_cut(&frame, 0);
		if (link_ask(&l, SPAN(hello), &frame, &number))
			abort();
		if (session_receive(all, buf_span(&frame), t, &got[n], &answer))
			n++;
	}
	is_int(n, 128, "a session has 128 requests running at most");
	is_int(answered(buf_span(&frame), t, &answer), TOCSIN_EBUSY,
	    "the next is told busy");
	session_abandon(got[0].session, got[0].nonce);
	ok(served(buf_span(&frame), t), "and served when one is through");
	for (i = 0; i < n; i++) {
		session_abandon(got[i].session, got[i].nonce);
		session_put(got[i].session);
		buf_release(&got[i].plain);
	}
	buf_release(&frame);
	buf_release(&answer);
}

/* ---- trust ---- */

static void
suspend(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member(arg);

	m.suspended = true;
	if (roster_put_member(r, &m))
		abort();
}

static void
test_trust(int64_t t)
{
	struct link l = { 0 }, stranger = { 0 };
	struct trust *trust;

	fresh(&sg->conf.session);
	open_link(&l, "singcert@sg/desk1", t);
	open_link(&stranger, "nobody@sg/a", t);
	fixture_next_roster(&fed, suspend, fed.member[0]);
	if (intake_install(sg, STORE_ROSTER, buf_span(&fed.file)))
		abort();
	trust = trust_get(sg->trust);
	sessions_recheck(all, trust, fed.now);
	trust_put(trust);
	ok(!works(&l, t), "a member that is suspended loses its sessions");
	ok(works(&stranger, t), "a stranger stays one");
}

int
main(void)
{
	int64_t t = clock_ms();

	log_open(2, LOG_ERROR);
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	fresh(&sg->conf.session);
	test_handshake(t);
	test_truncated(t);
	test_half_open(t);
	test_rate(t);
	test_per_device(t);
	test_strangers(t);
	test_age(t);
	test_window(t);
	test_running(t);
	test_trust(t);
	sessions_free(all);
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}
