/* SPDX-License-Identifier: ISC */
/*
 * Rosters that were never relayed to us: a broker that was away while two
 * nations each installed one may get the second and not the first, and then
 * nobody sends it again. So at the start of a link, and when something is held
 * because a roster may be missing, the peer is asked for the one after ours,
 * until it has none.
 *
 * So is an announcement: one that was held for a roster that came too late was
 * passed over. When there is no roster more, the peer is asked for that of each
 * member of its nation, unless it is the one that we have.
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
	enum store_kind kind;
	struct buf file;
	struct intake *in;
};

static void
give_up(struct relay_peer *p)
{
	p->roster.want = p->roster.asking = false;
	p->roster.member = 0;
	p->roster.whole = 0;
	buf_release(&p->roster.file);
}

void
roster_forget(struct relay_peer *p)
{
	p->roster.call++; /* an answer that is under way comes too late */
	give_up(p);
}

/* ---- asking ---- */

static void
request_roster(struct relay *r, struct relay_peer *p, struct buf *request)
{
	struct msg_roster m = { .serial = trust_roster(r->trust)->serial + 1 };

	if (m.serial != p->roster.serial)
		buf_release(&p->roster.file);
	m.offset = (uint32_t)p->roster.file.n;
	p->roster.serial = m.serial;
	msg_roster_encode(request, &m);
}

/* The next active member of the peer's nation; nothing: that were all. */
static void
request_keys(struct relay *r, struct relay_peer *p, struct buf *request)
{
	const struct roster *roster = trust_roster(r->trust);
	struct msg_relay_keys m = { 0 };
	const struct keys *have;

	for (; p->roster.member <= roster->nmember; p->roster.member++) {
		const struct roster_member *who =
		    &roster->member[p->roster.member - 1];

		m.member = span_of(who->name);
		if (!who->suspended &&
		    span_is(member_nation(m.member), p->nation))
			break;
	}
	if (p->roster.member > roster->nmember)
		return;
	have = trust_keys(r->trust, m.member);
	if (have)
		memcpy(m.id, have->id, sizeof(m.id));
	msg_relay_keys_encode(request, &m);
}

/*
 * What came as the next roster was none that we take: it is not asked for again
 * on this link, unless another brings ours on.
 */
static bool
is_stale(const struct relay *r, const struct relay_peer *p)
{
	return p->roster.whole == trust_roster(r->trust)->serial + 1;
}

void
roster_ask(struct relay *r, struct relay_peer *p)
{
	struct buf request = { 0 }, frame = { 0 };
	enum tocsin_err err = TOCSIN_ENOTFOUND;

	if (!p->roster.want || p->roster.asking ||
	    atomic_load(&p->roster.storing))
		return;
	if (atomic_exchange(&p->roster.failed, false)) {
		give_up(p); /* the next link asks again */
		return;
	}
	if (p->roster.member == 0 && is_stale(r, p))
		return;
	if (p->roster.member == 0)
		request_roster(r, p, &request);
	else
		request_keys(r, p, &request);
	if (request.n > 0)
		err = link_ask(
		    &p->link, buf_span(&request), &frame, &p->roster.number);
	if (!err && link_call(r, p, ++p->roster.call, true, 0, &frame))
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

/* The thread goes on from there, with what is believed then. */
static void
store_done(struct job *job, enum tocsin_err err)
{
	struct store_roster *s = (struct store_roster *)job;

	if (!err)
		log_event(LOG_INFO,
		    s->kind == STORE_ROSTER ? "roster-fetched" : "keys-fetched",
		    LOG_Z("peer", s->peer->name), LOG_END);
	else if (err != TOCSIN_EDUPLICATE)
		atomic_store(&s->peer->roster.failed, true);
	atomic_store(&s->peer->roster.storing, false);
	relay_poke(s->r);
	store_free(s);
}

static enum tocsin_err
store(struct relay *r, struct relay_peer *p, enum store_kind kind)
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
	s->kind = kind;
	s->file = p->roster.file;
	p->roster.file = (struct buf){ 0 };
	err = intake_judge(&s->in, r->b, r->trust, &src, kind,
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
	if (file->n < m->total)
		return TOCSIN_OK;
	p->roster.whole = m->serial;
	return store(r, p, STORE_ROSTER);
}

static enum tocsin_err
take_roster(struct relay *r, struct relay_peer *p, struct span fields)
{
	struct msg_roster_range m;
	enum tocsin_err err = msg_roster_range_decode(&m, fields);

	return err ? err : take(r, p, &m);
}

static enum tocsin_err
take_keys(struct relay *r, struct relay_peer *p, struct span fields)
{
	buf_release(&p->roster.file);
	buf_add(&p->roster.file, fields);
	return buf_ok(&p->roster.file) ? store(r, p, STORE_KEYS) : TOCSIN_EBUSY;
}

/* There is none; or it came otherwise in the meantime. */
static bool
is_no_news(enum tocsin_err err)
{
	return err == TOCSIN_ENOTFOUND || err == TOCSIN_EDUPLICATE;
}

/* Whatever becomes of one announcement, the next member is asked about. */
static void
go_on(struct relay_peer *p, enum tocsin_err err)
{
	bool rosters = p->roster.member == 0;

	if (err && !is_no_news(err))
		log_limited(&p->comings, LOG_WARN,
		    rosters ? "roster-not-fetched" : "keys-not-fetched",
		    LOG_Z("peer", p->name), LOG_U("serial", p->roster.serial),
		    LOG_ERR(err));
	if (rosters && err && !is_no_news(err))
		give_up(p);
	else if (!rosters || err == TOCSIN_ENOTFOUND)
		p->roster.member++;
	if (err)
		buf_release(&p->roster.file);
}

void
roster_answered(struct relay *r, struct relay_peer *p, const struct answer *a)
{
	struct buf plain = { 0 };
	struct span fields = { 0 };
	enum tocsin_err err = a->err;

	if (a->call != p->roster.call || p->state != PEER_UP)
		return;
	p->roster.asking = false;
	if (!err)
		err = link_read(p, p->roster.number, a, &plain, &fields);
	if (!err)
		err = p->roster.member == 0 ? take_roster(r, p, fields)
					    : take_keys(r, p, fields);
	go_on(p, err);
	buf_release(&plain);
}
