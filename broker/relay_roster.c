/* SPDX-License-Identifier: ISC */
/*
 * Rosters that were never relayed to us: a broker that was away while two
 * nations each installed one may get the second and not the first, and then
 * nobody sends it again. So at the start of a link, and when something is held
 * because a roster may be missing, the peer is asked for the one after ours,
 * until it has none.
 */
#include "broker/clock.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/relay_impl.h"

#include <stdlib.h>
#include <string.h>

struct store_roster {
	struct job job;
	struct relay *r;
	struct relay_peer *peer;
	struct buf file;
	struct intake *in;
};

static void
give_up(struct relay_peer *p)
{
	p->roster.want = p->roster.asking = false;
	buf_release(&p->roster.file);
}

void
roster_forget(struct relay_peer *p)
{
	p->roster.call++; /* an answer that is under way comes too late */
	give_up(p);
}

void
roster_ask(struct relay *r, struct relay_peer *p)
{
	struct msg_roster m = { 0 };
	struct buf request = { 0 }, frame = { 0 };
	enum tocsin_err err;

	if (!p->roster.want || p->roster.asking ||
	    atomic_load(&p->roster.storing))
		return;
	m.serial = trust_roster(r->trust)->serial + 1;
	if (m.serial != p->roster.serial)
		buf_release(&p->roster.file);
	m.offset = (uint32_t)p->roster.file.n;
	p->roster.serial = m.serial;
	msg_roster_encode(&request, &m);
	err = link_ask(&p->link, buf_span(&request), &frame, &p->roster.number);
	if (!err && link_call(r, p, ++p->roster.call, true, &frame))
		p->roster.asking = true;
	else
		give_up(p);
	buf_release(&request);
	buf_release(&frame);
}

/* ---- storing ---- */

static void
store_free(struct store_roster *s)
{
	intake_free(s->in);
	buf_release(&s->file);
	free(s);
}

static enum tocsin_err
store_apply(struct job *job, struct batch *batch)
{
	struct store_roster *s = (struct store_roster *)job;
	uint64_t seq;

	return intake_apply(s->in, batch, &seq);
}

/* That trust has changed makes the thread ask for the next one. */
static void
store_done(struct job *job, enum tocsin_err err)
{
	struct store_roster *s = (struct store_roster *)job;

	if (!err)
		log_event(LOG_INFO, "roster-fetched",
		    LOG_Z("peer", s->peer->name), LOG_END);
	atomic_store(&s->peer->roster.storing, false);
	relay_poke(s->r);
	store_free(s);
}

static enum tocsin_err
store(struct relay *r, struct relay_peer *p)
{
	struct trust_who who = { .kind = TRUST_BROKER };
	struct intake_source src = { .kind = INTAKE_PEER, .who = &who };
	struct store_roster *s = calloc(1, sizeof(*s));
	enum tocsin_err err;

	if (!s)
		return TOCSIN_EBUSY;
	memcpy(who.broker, p->name, sizeof(who.broker));
	memcpy(who.nation, p->nation, sizeof(who.nation));
	s->r = r;
	s->peer = p;
	s->file = p->roster.file;
	p->roster.file = (struct buf){ 0 };
	err = intake_judge(&s->in, r->b, r->trust, &src, STORE_ROSTER,
	    buf_span(&s->file), (struct span){ 0 }, clock_now(), NULL);
	if (!err) {
		s->job = (struct job){ .weight = s->file.n,
			.posts = 1,
			.apply = store_apply,
			.done = store_done };
		atomic_store(&p->roster.storing, true);
		err = writer_submit(r->b->writer, &s->job);
	}
	if (err) {
		atomic_store(&p->roster.storing, false);
		store_free(s);
	}
	return err;
}

/* ---- answers ---- */

static enum tocsin_err
take(struct relay *r, struct relay_peer *p, const struct msg_roster_range *m)
{
	struct buf *file = &p->roster.file;

	if (m->serial != p->roster.serial || m->total > ROSTER_FILE_MAX ||
	    m->bytes.n == 0 || m->bytes.n > m->total - file->n)
		return TOCSIN_EMALFORMED;
	buf_add(file, m->bytes);
	if (!buf_ok(file))
		return TOCSIN_EBUSY;
	return file->n < m->total ? TOCSIN_OK : store(r, p);
}

void
roster_answered(struct relay *r, struct relay_peer *p, const struct answer *a)
{
	struct msg_roster_range m;
	struct buf plain = { 0 };
	struct span fields = { 0 };
	enum tocsin_err err = a->err;

	if (a->call != p->roster.call || p->state != PEER_UP)
		return;
	p->roster.asking = false;
	if (!err)
		err = link_read(p, p->roster.number, a, &plain, &fields);
	if (!err)
		err = msg_roster_range_decode(&m, fields);
	if (!err)
		err = take(r, p, &m);
	/* There is none; or it came otherwise in the meantime. */
	if (err && err != TOCSIN_ENOTFOUND && err != TOCSIN_EDUPLICATE)
		log_event(LOG_WARN, "roster-not-fetched",
		    LOG_Z("peer", p->name), LOG_U("serial", p->roster.serial),
		    LOG_ERR(err), LOG_END);
	if (err)
		give_up(p);
	buf_release(&plain);
}
