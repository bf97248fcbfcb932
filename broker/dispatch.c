/* SPDX-License-Identifier: ISC */
#include "broker/dispatch.h"

#include "broker/clock.h"
#include "broker/log.h"
#include "broker/pull.h"
#include "broker/relay_in.h"
#include "crypto/frame.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 100 /* until there may be memory again */

/* Who may ask. */
#define DEVICE (1U << TRUST_DEVICE)
#define BROKER (1U << TRUST_BROKER)
#define STRANGER (1U << TRUST_NOBODY)
#define ALL (DEVICE | BROKER | STRANGER)

struct op {
	const char *name;
	unsigned who;
	op_fn *serve;
};

static op_fn op_hello;

/* PROTOCOL.md 5, in its order. */
/* clang-format off */
static const struct op ops[] = {
	[MSG_POST]       = { "post",       DEVICE,            op_post },
	[MSG_FETCH]      = { "fetch",      DEVICE,            op_fetch },
	[MSG_PUT]        = { "put",        DEVICE,            op_put },
	[MSG_GET]        = { "get",        DEVICE,            op_get },
	[MSG_ANNOUNCE]   = { "announce",   DEVICE | STRANGER, op_announce },
	[MSG_ROSTER]     = { "roster",     DEVICE | BROKER,   op_roster },
	[MSG_PROOF]      = { "proof",      DEVICE,            op_proof },
	[MSG_CHECKPOINT] = { "checkpoint", DEVICE | BROKER,   op_checkpoint },
	[MSG_HELLO]      = { "hello",      ALL,               op_hello },
	[MSG_URGENT]     = { "urgent",     DEVICE,            op_urgent },
	[MSG_RELAY_OPEN] = { "relay.open", BROKER,            op_relay_open },
	[MSG_RELAY_WAIT] = { "relay.wait", BROKER,            op_relay_wait },
	[MSG_RELAY_KEYS] = { "relay.keys", BROKER,            op_relay_keys },
	[MSG_ENTRY_GET]  = { "entry.get",  BROKER,            op_entry_get },
	[MSG_RELAY_HAVE] = { "relay.have", BROKER,            op_relay_have },
	[MSG_RELAY_PULL] = { "relay.pull", BROKER,            op_relay_pull },
	[MSG_ENTRY_LIST] = { "entry.list", BROKER,            op_entry_list },
};
/* clang-format on */
#define OPS (sizeof(ops) / sizeof(ops[0]))

/* ---- answers ---- */

/* The request is nobody's any more: what it held is given back. */
static void
forget(struct request *r)
{
	buf_release(&r->plain);
	session_put(r->session);
	trust_put(r->trust);
	r->session = NULL;
	r->trust = NULL;
	r->state = NULL;
	r->op = 0;
}

/* After send() the request may be serving the next message already. */
static void
send_frame(struct request *r, struct span frame)
{
	forget(r);
	r->send(r, frame);
}

/*
 * There is no memory for an answer. Who got none would wait for all of its
 * deadline; a hint needs no memory, and it asks again.
 */
struct hint {
	uint8_t room[FRAME_ERROR_LEN];
	struct buf frame;
};

static struct buf *
hint_begin(struct hint *h)
{
	h->frame = (struct buf){
		.p = h->room,
		.cap = sizeof(h->room),
		.max = sizeof(h->room),
	};
	return &h->frame;
}

static void
send_hint(struct request *r)
{
	struct hint h;

	session_abandon(r->session, r->nonce);
	session_hint(r->session, r->nonce, RETRY_MS, hint_begin(&h));
	send_frame(r, buf_span(&h.frame));
}

void
request_answer(struct request *r, const struct buf *reply)
{
	struct buf frame = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (buf_ok(reply))
		err = session_reply(
		    r->session, r->nonce, buf_span(reply), &frame);
	if (err == TOCSIN_OK && buf_ok(&frame))
		send_frame(r, buf_span(&frame));
	else if (err == TOCSIN_EUSAGE) /* another one answered it */
		send_frame(r, (struct span){ 0 });
	else
		send_hint(r);
	buf_drop(&frame);
}

void
request_drop(struct request *r)
{
	session_abandon(r->session, r->nonce);
	send_frame(r, (struct span){ 0 });
}

static void
log_refusal(const struct request *r, enum tocsin_err code)
{
	static struct log_limit limit = LOG_LIMIT(50, 60000);
	const char *op = r->op < OPS && ops[r->op].name ? ops[r->op].name : "-";

	/* Asking for what isn't there is how a peer finds out that it isn't. */
	if (r->who.kind == TRUST_BROKER && code == TOCSIN_ENOTFOUND)
		return;
	log_limited(&limit, LOG_INFO, "request-refused", LOG_Z("op", op),
	    LOG_Z("member", r->who.member), LOG_Z("device", r->who.device),
	    LOG_Z("exercise", r->who.exercise), LOG_Z("broker", r->who.broker),
	    LOG_ERR(code));
}

void
request_refuse(struct request *r, enum tocsin_err code, uint32_t retry_ms,
    const char *detail)
{
	struct buf reply = { 0 };

	broker_count(r->b, BROKER_requests_refused);
	log_refusal(r, code);
	msg_refuse(
	    &reply, code, retry_ms, detail ? detail : tocsin_err_text(code));
	request_answer(r, &reply);
	buf_release(&reply);
}

/* ---- arrival ---- */

static void
serve(struct request *r)
{
	struct span body;
	uint8_t op = msg_op(buf_span(&r->plain), &body);

	broker_count(r->b, BROKER_requests);
	r->op = op;
	if (op >= OPS || !ops[op].serve)
		request_refuse(r,
		    r->plain.n > 0 ? TOCSIN_EUNSUPPORTED : TOCSIN_EMALFORMED, 0,
		    NULL);
	else if (!(ops[op].who & 1U << r->who.kind))
		request_refuse(r,
		    r->who.kind == TRUST_NOBODY ? TOCSIN_ENOTENROLLED
						: TOCSIN_EKINDNOTALLOWED,
		    0, NULL);
	else
		ops[op].serve(r, body);
}

void
dispatch_frame(struct request *r, struct span bytes)
{
	struct session_request got;
	struct buf answer = { 0 };
	struct hint h;
	struct frame f;

	if (!session_receive(
		r->b->sessions, bytes, clock_ms(), &got, &answer)) {
		hint_begin(&h);
		if (!buf_ok(&answer) && frame_parse(&f, bytes) == TOCSIN_OK)
			frame_put_error(&h.frame, f.session, f.nonce,
			    TOCSIN_EBUSY, RETRY_MS);
		r->send(r, buf_span(buf_ok(&answer) ? &answer : &h.frame));
		buf_release(&answer);
		return;
	}
	r->session = got.session;
	r->nonce = got.nonce;
	r->plain = got.plain;
	r->who = got.who;
	r->trust = trust_get(r->b->trust);
	serve(r);
}

/* ---- what needs no store ---- */

static uint32_t
version(void)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(TOCSIN_VERSION, "%u.%u.%u", &major, &minor, &patch) != 3)
		return 0;
	return major << 16 | minor << 8 | patch;
}

static void
op_hello(struct request *r, struct span body)
{
	struct msg_hello m = {
		.version = version(),
		.time = clock_now(),
		.part_max = r->b->conf.part_max,
		.roster = trust_roster(r->trust)->serial,
	};
	struct buf reply = { 0 };

	if (body.n > 0) {
		request_refuse(r, TOCSIN_EMALFORMED, 0, NULL);
		return;
	}
	msg_accept(&reply);
	msg_hello_encode(&reply, &m);
	request_answer(r, &reply);
	buf_release(&reply);
}
