/* SPDX-License-Identifier: ISC */
/*
 * Devices. At each broker each member of its nation has a reader, which fetches
 * as long as it lives; and each member has one desk, at the first broker of its
 * nation, which posts what the world composes: body, ticket, parts, one request
 * after the other. Whatever goes wrong, they begin a new link and ask again.
 */
#include "broker/trust.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_US (5 * SECOND)
#define WAIT_MS 5000

enum stage { RESTING, HELLO, FINISH, REQUEST };

struct desk {
	unsigned i;
	unsigned member;
	const char *device;
	struct node *node;
	bool reads;
	struct link link;
	bool up;
	enum stage stage;
	bool scheduled;
	uint64_t number;
	uint32_t pipe;

	uint64_t last; /* a reader: all up to this seq is safe here */
	uint64_t said;

	unsigned at; /* of the posts */
	unsigned step;
	uint64_t have;
};

static struct desk desk[DESKS];
static unsigned ndesks;

static void go(void *arg);

static void
again(struct desk *d, int64_t us)
{
	if (d->scheduled)
		return;
	d->scheduled = true;
	sim_at(sim_us + us, NULL, go, NULL, d);
}

static void
lost(struct desk *d)
{
	link_wipe(&d->link);
	d->up = false;
	d->stage = RESTING;
	if (d->node->b && !d->node->dying && d->pipe) {
		sim_node = d->node;
		parks_pipe_closed(d->node->b->parks, d->pipe);
		node_settle(d->node);
		sim_node = NULL;
	}
	again(d, 100 * MS + (int64_t)rnd(2 * SECOND));
}

/* ---- posting ---- */

enum what { DONE, PUT_BODY, PUT_PART, POST };

struct task {
	enum what what;
	unsigned part;
};

/* The steps of a post, in its order. */
static struct task
task_of(const struct post *p, unsigned step)
{
	if (p->apart && step-- == 0)
		return (struct task){ PUT_BODY, 0 };
	if (p->parts_first && step < p->nparts)
		return (struct task){ PUT_PART, step };
	if (p->parts_first)
		step -= p->nparts;
	if (step-- == 0)
		return (struct task){ POST, 0 };
	if (!p->parts_first && step < p->nparts)
		return (struct task){ PUT_PART, step };
	return (struct task){ DONE, 0 };
}

/* The post at hand, or NULL. */
static struct post *
at_hand(struct desk *d)
{
	for (; d->at < w.nposts; d->at++) {
		struct post *p = &w.post[d->at];

		if (p->from != d->member || p->done)
			continue;
		if (task_of(p, d->step).what != DONE)
			return p;
		p->done = true;
		d->step = 0;
	}
	return NULL;
}

static void
put_request(struct buf *out, const struct desk *d, const uint8_t hash[32],
    struct span bytes)
{
	struct msg_put m = { .total = bytes.n, .offset = d->have };

	memcpy(m.hash, hash, 32);
	m.bytes = span_cut(bytes, (size_t)d->have, MSG_RANGE_MAX);
	msg_put_encode(out, &m);
}

static bool
post_request(struct desk *d, struct buf *out)
{
	struct post *p = at_hand(d);
	struct msg_envelope env;
	struct task t;

	if (!p)
		return false;
	t = task_of(p, d->step);
	if (t.what == PUT_BODY)
		put_request(out, d, p->body_hash, buf_span(&p->t.body));
	else if (t.what == PUT_PART)
		put_request(out, d, p->part[t.part].hash,
		    buf_span(&p->part[t.part].bytes));
	if (t.what != POST)
		return true;
	env.note = buf_span(&p->t.note);
	env.body = p->apart ? (struct span){ 0 } : buf_span(&p->t.body);
	msg_post_encode(out, &env, 1);
	return true;
}

/* What passes: a broker without a store has to hear of rosters again. */
static bool
passes(const struct desk *d, enum tocsin_err err)
{
	if (err == TOCSIN_EROSTERUNKNOWN || err == TOCSIN_ENOTENROLLED ||
	    err == TOCSIN_EKEYSEXPIRED)
		return d->node->wiped;
	return err == TOCSIN_ENOSPACE || err == TOCSIN_EBUSY ||
	       err == TOCSIN_EUNAVAILABLE;
}

static void
post_answered(struct desk *d, struct span rest)
{
	struct post *p = at_hand(d);
	struct task t = task_of(p, d->step);
	struct msg_posted posted;
	struct msg_have have;

	if (t.what == POST) {
		MUST(msg_posted_decode(&posted, rest) == TOCSIN_OK);
		switch (posted.item[0].code) {
		case TOCSIN_OK:
		case TOCSIN_EDUPLICATE:
			if (p->at[d->node->i] != posted.item[0].seq)
				broke("%.8s was answered as seq %llu, and is "
				      "committed as %llu",
				    p->id64,
				    (unsigned long long)posted.item[0].seq,
				    (unsigned long long)p->at[d->node->i]);
			trace("%.8s is answered", p->id64);
			p->answered = true;
			d->step++;
			d->have = 0;
			break;
		default:
			if (!passes(d, posted.item[0].code))
				broke("%.8s is refused: %s", p->id64,
				    tocsin_err_name(posted.item[0].code));
		}
		return;
	}
	MUST(msg_have_decode(&have, rest) == TOCSIN_OK);
	d->have = have.have;
	if (have.complete) {
		d->step++;
		d->have = 0;
	}
}

/* ---- reading ---- */

static void
read_ticket(struct desk *d, const struct msg_entry *e)
{
	struct ticket t;
	struct note n;
	struct post *p = NULL;

	if (ticket_parse(&t, &n, e->note) == TOCSIN_OK)
		p = post_by_id(t.id);
	if (!p || !(p->members & 1u << d->member))
		broke("%s is given a ticket that is not for it",
		    w.f.member[d->member]);
	else if (p->got[d->i])
		broke("%s is given %.8s twice", w.f.member[d->member], p->id64);
	else if (!e->detached && !span_eq(e->body, buf_span(&p->t.body)))
		broke("%s is given %.8s with another body",
		    w.f.member[d->member], p->id64);
	else
		p->got[d->i] = true;
}

static void
fetched(struct desk *d, struct span rest)
{
	static struct msg_entries m;
	size_t i;

	MUST(msg_entries_decode(&m, rest) == TOCSIN_OK);
	if (m.from > d->last) {
		broke("%s has %llu, and is sent what comes after %llu",
		    w.f.member[d->member], (unsigned long long)d->last,
		    (unsigned long long)m.from);
		return;
	}
	for (i = 0; i < m.n; i++) {
		if (m.entry[i].seq <= d->last)
			continue; /* an answer that was lost */
		if (m.entry[i].kind == STORE_TICKET)
			read_ticket(d, &m.entry[i]);
		d->last = m.entry[i].seq;
	}
}

static void
fetch_request(struct desk *d, struct buf *out)
{
	struct msg_fetch m = { .acked = d->last,
		.after = MSG_AFTER_CONTINUE,
		.wait_ms = WAIT_MS,
		.max_bytes = MSG_MAX };

	if (d->said < d->last)
		d->said = d->last;
	msg_fetch_encode(out, &m);
}

/* ---- the link ---- */

static void
hello(struct desk *d, struct buf *frame)
{
	struct buf prologue = { 0 };
	char name[DEVICE_MAX + 1];
	uint8_t sk[32], pk[32];

	snprintf(name, sizeof(name), "%s/%s", w.f.member[d->member], d->device);
	fixture_noise_key(sk, name);
	memcpy(pk, roster_broker(w.f.roster, span_of(d->node->name))->noise,
	    sizeof(pk));
	noise_prologue(&prologue, span_of(FX_FEDERATION),
	    span_of(d->node->name), w.f.genesis);
	MUST(link_hello(&d->link, sk, pk, buf_span(&prologue), frame) ==
	     TOCSIN_OK);
	buf_release(&prologue);
}

static void
answered(void *arg, enum tocsin_err err, struct span answer)
{
	static const uint8_t greeting[] = { MSG_HELLO };
	struct desk *d = arg;
	struct buf frame = { 0 }, plain = { 0 };
	struct msg_reply m = { 0 };
	uint32_t retry_ms;

	if (!err && d->stage == HELLO) {
		err = link_finish(&d->link, answer, SPAN(greeting), &frame);
		if (!err) {
			d->stage = FINISH;
			vnet_ask(d->node, d->pipe, buf_span(&frame), ANSWER_US,
			    answered, d);
		}
		if (err)
			lost(d);
		goto out;
	}
	if (!err)
		err =
		    link_answer(&d->link, d->number, answer, &plain, &retry_ms);
	if (!err)
		err = msg_reply_decode(&m, buf_span(&plain));
	if (err) {
		lost(d);
		goto out;
	}
	if (d->stage == FINISH) {
		d->up = true;
	} else if (m.code) {
		trace("%s/%s is refused: %s", w.f.member[d->member], d->device,
		    tocsin_err_name(m.code));
		if (!passes(d, m.code))
			broke("%s/%s is refused: %s", w.f.member[d->member],
			    d->device, tocsin_err_name(m.code));
		d->stage = RESTING;
		again(d, 200 * MS + (int64_t)rnd(SECOND));
		goto out;
	} else if (d->reads) {
		fetched(d, m.rest);
	} else {
		post_answered(d, m.rest);
	}
	d->stage = RESTING;
	again(d, (int64_t)rnd(3 * MS));
out:
	buf_release(&frame);
	buf_release(&plain);
}

static void
go(void *arg)
{
	struct desk *d = arg;
	struct buf request = { 0 }, frame = { 0 };

	d->scheduled = false;
	if (d->stage != RESTING)
		return;
	if (!d->reads && !at_hand(d))
		return;
	if (!d->up) {
		d->pipe = vnet_pipe();
		d->number = 0;
		hello(d, &frame);
		d->stage = HELLO;
	} else {
		if (d->reads)
			fetch_request(d, &request);
		else
			(void)post_request(d, &request);
		if (link_ask(&d->link, buf_span(&request), &frame,
			&d->number) != TOCSIN_OK) {
			lost(d);
			goto out;
		}
		d->stage = REQUEST;
	}
	vnet_ask(d->node, d->pipe, buf_span(&frame),
	    ANSWER_US + (d->up && d->reads ? WAIT_MS * MS : 0), answered, d);
out:
	buf_release(&request);
	buf_release(&frame);
}

/* ---- all of them ---- */

static void
add(unsigned member, struct node *n, const char *device, bool reads)
{
	struct desk *d = &desk[ndesks];

	MUST(ndesks < DESKS);
	memset(d, 0, sizeof(*d));
	d->i = ndesks++;
	d->member = member;
	d->device = device;
	d->node = n;
	d->reads = reads;
	again(d, (int64_t)rnd(2 * SECOND));
}

void
desks_begin(void)
{
	unsigned m, i;

	ndesks = 0;
	for (m = 0; m < w.nmembers; m++) {
		bool posts = true;

		for (i = 0; i < w.nnodes; i++) {
			struct node *n = &w.node[i];

			if (strcmp(n->nation, w.f.nation[m]) != 0)
				continue;
			if (posts)
				add(m, n, "desk1", false);
			posts = false;
			add(m, n, "escalator", true);
		}
	}
}

void
desks_end(void)
{
	unsigned i;

	for (i = 0; i < ndesks; i++)
		link_wipe(&desk[i].link);
	ndesks = 0;
}

void
desk_wake(unsigned member)
{
	unsigned i;

	for (i = 0; i < ndesks; i++)
		if (!desk[i].reads && desk[i].member == member &&
		    desk[i].stage == RESTING)
			again(&desk[i], (int64_t)rnd(MS));
}

void
desks_of_wiped(const struct node *n)
{
	unsigned i, k;

	for (i = 0; i < ndesks; i++) {
		struct desk *d = &desk[i];

		if (d->node != n)
			continue;
		d->last = d->said = 0;
		d->step = 0;
		d->have = 0;
		for (k = 0; k < w.nposts; k++)
			w.post[k].got[i] = false;
	}
}

static char quiet_why[200];

const char *
desks_why(void)
{
	return quiet_why;
}

bool
desks_quiet(void)
{
	unsigned i, k;

	for (i = 0; i < w.nposts; i++) {
		const struct post *p = &w.post[i];

		if (!p->done) {
			snprintf(quiet_why, sizeof(quiet_why),
			    "%.8s is not posted", p->id64);
			return false;
		}
		for (k = 0; k < ndesks; k++)
			if (desk[k].reads && !p->got[k] && !p->lost &&
			    p->members & 1u << desk[k].member) {
				snprintf(quiet_why, sizeof(quiet_why),
				    "%s has not got %.8s from %s",
				    w.f.member[desk[k].member], p->id64,
				    desk[k].node->name);
				return false;
			}
	}
	return true;
}

uint64_t
desk_acked(const struct node *n, const char *member, const char *dev)
{
	unsigned i;

	for (i = 0; i < ndesks; i++)
		if (desk[i].node == n && strcmp(desk[i].device, dev) == 0 &&
		    strcmp(w.f.member[desk[i].member], member) == 0)
			return desk[i].said;
	return 0;
}
