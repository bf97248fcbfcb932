/* SPDX-License-Identifier: ISC */
#include "broker/clock.h"
#include "broker/dispatch.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/rate.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 100

/*
 * The envelopes of one request on their way through the writer: all in one
 * job, or, if there was no room for that, one after another, since one of them
 * may be an answer, which has a reserve.
 */
struct post {
	struct job job;
	struct request *r;
	size_t n;
	bool singly;
	size_t at; /* then, the one that the job is about */
	struct {
		struct intake *in; /* NULL: refused when it was judged */
		enum tocsin_err code;
		uint64_t seq;
	} item[];
};

static void
count(const struct post *p, size_t i)
{
	enum tocsin_err code = p->item[i].code;

	broker_count(p->r->b, code == TOCSIN_OK ? BROKER_posts
			      : code == TOCSIN_EDUPLICATE
				  ? BROKER_posts_duplicate
				  : BROKER_posts_refused);
	if (p->r->who.exercise[0] != '\0')
		broker_count(
		    p->r->b, code == TOCSIN_OK || code == TOCSIN_EDUPLICATE
				 ? BROKER_exercise_posts
				 : BROKER_exercise_refused);
}

static void
log_post(const struct post *p, size_t i)
{
	static struct log_limit limit = LOG_LIMIT(50, 60000);
	enum tocsin_err code = p->item[i].code;

	if (code == TOCSIN_OK || code == TOCSIN_EDUPLICATE)
		log_event(LOG_DEBUG, "post", LOG_Z("member", p->r->who.member),
		    LOG_Z("device", p->r->who.device),
		    LOG_Z("exercise", p->r->who.exercise),
		    LOG_U("seq", p->item[i].seq), LOG_ERR(code), LOG_END);
	else
		log_limited(&limit, LOG_INFO, "post-refused",
		    LOG_Z("member", p->r->who.member),
		    LOG_Z("device", p->r->who.device),
		    LOG_Z("exercise", p->r->who.exercise), LOG_ERR(code));
}

/* Answers and frees; the request is not ours any more. */
static void
answer(struct post *p)
{
	struct buf reply = { 0 };
	struct msg_posted m;
	size_t i;

	m.n = p->n;
	for (i = 0; i < p->n; i++) {
		m.item[i].code = p->item[i].code;
		m.item[i].seq = epochs_wire(&p->r->b->epochs, p->item[i].seq);
		count(p, i);
		log_post(p, i);
		intake_free(p->item[i].in);
	}
	msg_accept(&reply);
	msg_posted_encode(&reply, &m);
	request_answer(p->r, &reply);
	buf_release(&reply);
	free(p);
}

static enum tocsin_err
post_apply(struct job *job, struct batch *batch)
{
	struct post *p = (struct post *)job;
	size_t i = p->singly ? p->at : 0, end = p->singly ? p->at + 1 : p->n;

	for (; i < end; i++) {
		enum tocsin_err err;

		if (!p->item[i].in)
			continue;
		err = intake_apply(p->item[i].in, batch, &p->item[i].seq);
		if (err == TOCSIN_ENOSPACE || err == TOCSIN_EINTERNAL)
			return err;
		p->item[i].code = err;
	}
	return TOCSIN_OK;
}

static void
all_failed(struct post *p, size_t from, enum tocsin_err err)
{
	size_t i;

	for (i = from; i < p->n; i++) {
		if (p->item[i].in) {
			p->item[i].code = err;
			p->item[i].seq = 0;
		}
	}
	answer(p);
}

/* The next one by itself; in the writer's thread. */
static void
next_alone(struct post *p)
{
	enum tocsin_err err;

	while (p->at < p->n && !p->item[p->at].in)
		p->at++;
	if (p->at == p->n) {
		answer(p);
		return;
	}
	p->job.weight = intake_weight(p->item[p->at].in);
	p->job.posts = 1;
	err = writer_submit(p->r->b->writer, &p->job);
	if (err)
		all_failed(p, p->at, TOCSIN_ENOSPACE);
}

static void
post_done(struct job *job, enum tocsin_err err)
{
	struct post *p = (struct post *)job;

	if (p->singly && err) {
		p->item[p->at].code = err;
		p->item[p->at].seq = 0;
	}
	if (p->singly) {
		p->at++;
		next_alone(p);
	} else if (err == TOCSIN_ENOSPACE && p->job.posts > 1) {
		p->singly = true;
		next_alone(p);
	} else if (err) {
		all_failed(p, 0, err);
	} else {
		answer(p);
	}
}

static void
judge(struct post *p, size_t i, const struct msg_envelope *e, int64_t now)
{
	struct request *r = p->r;
	struct intake_source src = { INTAKE_DEVICE, &r->who };
	struct intake *in = NULL;

	p->item[i].seq = 0;
	p->item[i].code = intake_judge(&in, r->b, r->trust, &src, STORE_TICKET,
	    e->note, e->body, now, NULL);
	p->item[i].in = in;
	if (in) {
		p->job.weight += intake_weight(in);
		p->job.posts++;
	}
}

static void
give_up(struct post *p, enum tocsin_err err)
{
	struct request *r = p->r;
	size_t i;

	for (i = 0; i < p->n; i++)
		intake_free(p->item[i].in);
	free(p);
	request_refuse(r, err, err == TOCSIN_EBUSY ? RETRY_MS : 0, NULL);
}

static void
judge_all(struct request *r, const struct msg_post *m)
{
	struct post *p = malloc(sizeof(*p) + m->n * sizeof(p->item[0]));
	int64_t now = clock_now();
	enum tocsin_err err;
	size_t i;

	if (!p) {
		request_refuse(r, TOCSIN_EBUSY, RETRY_MS, NULL);
		return;
	}
	p->job = (struct job){ .apply = post_apply, .done = post_done };
	p->singly = false;
	p->at = 0;
	p->r = r;
	p->n = m->n;
	for (i = 0; i < m->n; i++)
		judge(p, i, &m->env[i], now);
	if (p->job.posts == 0) {
		answer(p);
		return;
	}
	err = writer_submit(r->b->writer, &p->job);
	if (err)
		give_up(p, err);
}

void
op_post(struct request *r, struct span body)
{
	uint32_t retry_ms;
	struct msg_post m;

	if (msg_post_decode(&m, body) != TOCSIN_OK)
		request_refuse(r, TOCSIN_EMALFORMED, 0, NULL);
	else if (!rate_take(
		     r->who.exercise[0] != '\0' ? r->b->played : r->b->rates,
		     span_of(r->who.member), m.n, clock_ms(), &retry_ms))
		request_refuse(r, TOCSIN_EBUSY, retry_ms,
		    "more posts than your member may send; wait");
	else
		judge_all(r, &m);
}

/* ---- announce ---- */

struct announce {
	struct job job;
	struct request *r;
	struct intake *in;
	uint64_t seq;
};

static enum tocsin_err
announce_apply(struct job *job, struct batch *batch)
{
	struct announce *a = (struct announce *)job;

	return intake_apply(a->in, batch, &a->seq);
}

/* The link's key has a name now. */
static void
announce_done(struct job *job, enum tocsin_err err)
{
	struct announce *a = (struct announce *)job;
	struct request *r = a->r;
	struct buf reply = { 0 };
	struct trust_who who;
	struct trust *t;

	intake_free(a->in);
	free(a);
	if (err && err != TOCSIN_EDUPLICATE) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	t = trust_get(r->b->trust);
	trust_identify(&who, t, session_remote(r->session), clock_now());
	trust_put(t);
	session_became(r->session, &who);
	msg_accept(&reply);
	request_answer(r, &reply);
	buf_release(&reply);
}

/* A device speaks for its member; a stranger must be in what it brings. */
static enum tocsin_err
may_announce(const struct request *r, struct span note)
{
	struct keys *k = NULL;
	enum tocsin_err err = keys_parse(&k, note);

	if (err)
		return err;
	if (r->who.kind == TRUST_DEVICE
		? strcmp(k->member, r->who.member) != 0
		: !keys_device_by_noise(k, session_remote(r->session)))
		err = TOCSIN_ENOTENROLLED;
	keys_free(k);
	return err;
}

void
op_announce(struct request *r, struct span body)
{
	struct intake_source src = { INTAKE_DEVICE, &r->who };
	struct announce *a = NULL;
	struct intake *in = NULL;
	enum tocsin_err err = TOCSIN_OK;
	uint32_t retry_ms;

	if (r->who.kind == TRUST_NOBODY &&
	    !rate_take(r->b->announces, span_of("*"), 1, clock_ms(), &retry_ms))
		err = TOCSIN_EBUSY;
	if (!err)
		err = may_announce(r, body);
	if (!err)
		err = intake_judge(&in, r->b, r->trust, &src, STORE_KEYS, body,
		    (struct span){ 0 }, clock_now(), NULL);
	if (!err) {
		a = calloc(1, sizeof(*a));
		err = a ? TOCSIN_OK : TOCSIN_EBUSY;
	}
	if (!err) {
		a->job = (struct job){ .weight = intake_weight(in),
			.posts = 1,
			.apply = announce_apply,
			.done = announce_done };
		a->r = r;
		a->in = in;
		err = writer_submit(r->b->writer, &a->job);
	}
	if (err) {
		intake_free(in);
		free(a);
		request_refuse(
		    r, err, err == TOCSIN_EBUSY ? RETRY_MS : 0, NULL);
	}
}
