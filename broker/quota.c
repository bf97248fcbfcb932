/* SPDX-License-Identifier: ISC */
#include "broker/quota.h"

#include "broker/broker.h"
#include "broker/exercise.h"
#include "broker/intake_impl.h"
#include "broker/value.h"

#include <sodium.h>
#include <string.h>

#define DAY_SECONDS 86400
#define EIGHTHS 8

static const char of_day[] = "day/";
static const char of_peer[] = "quota/peer/";
static const char of_member[] = "quota/member/";
static const char of_free[] = "quota/free/";
static const char of_exercises[] = "quota/exercise";

/* What an entry costs, and whom. */
struct cost {
	struct span peer;   /* empty: none's */
	struct span sender; /* abroad; empty: nobody's */
	struct span day;    /* of whom; empty: nobody's */
	bool played;	    /* of an exercise */
	uint64_t bytes;
	uint64_t free;	  /* left at the border, so not among them */
	unsigned eighths; /* of a limit that it may find used */
};

static bool
from_abroad(const struct intake *in, const struct broker *b)
{
	return in->source == INTAKE_PEER &&
	       strcmp(in->via_nation, b->conf.nation) != 0;
}

static uint64_t
ticket_cost(
    uint64_t note, uint64_t body, const struct ticket_part *part, size_t npart)
{
	uint64_t bytes = note + body;
	size_t i;

	for (i = 0; i < npart; i++)
		bytes += part[i].size; /* 64 of 4 GiB at most */
	return bytes;
}

static uint64_t
left_out(const struct intake *in, const struct broker *b)
{
	uint64_t max = intake_part_max(in, b), bytes = 0;
	size_t i;

	for (i = 0; i < in->t.npart; i++)
		if (in->t.part[i].size > max)
			bytes += in->t.part[i].size;
	return bytes;
}

static struct cost
cost_of(const struct intake *in, const struct broker *b)
{
	struct cost c = { .bytes = in->note.n, .eighths = EIGHTHS };
	bool abroad = from_abroad(in, b), posted = in->source == INTAKE_DEVICE;

	if (in->kind == STORE_TICKET) {
		c.bytes = ticket_cost(
		    in->note.n, in->t.body_size, in->t.part, in->t.npart);
		c.eighths = in->t.npart > 0 ? 6 : 7;
		c.free = abroad ? left_out(in, b) : 0;
		c.bytes -= c.free;
		c.played = in->exercise[0] != '\0';
	}
	if (c.played) /* a drill uses up its own limit, and no other */
		return c;
	if (abroad && (in->kind == STORE_TICKET || in->kind == STORE_RECEIPT))
		c.peer = span_of(in->via);
	if (abroad && in->kind == STORE_TICKET)
		c.sender = in->member;
	if ((posted && in->kind == STORE_TICKET) ||
	    ((posted || abroad) && in->kind == STORE_KEYS))
		c.day = in->member;
	return c;
}

/* ---- what is kept ---- */

uint64_t
quota_limit(const struct broker *b, const char *peer)
{
	size_t i;

	for (i = 0; i < b->conf.npeer; i++)
		if (strcmp(b->conf.peer[i].name, peer) == 0 &&
		    b->conf.peer[i].quota > 0)
			return b->conf.peer[i].quota;
	return b->conf.peer_quota;
}

static enum tocsin_err
kept_get(
    struct store_rx *rx, const char *table, struct span name, uint64_t *kept)
{
	return value_get_u64(
	    rx, kept, "%s%.*s", table, (int)name.n, (const char *)name.p);
}

static enum tocsin_err
kept_put(
    struct batch *batch, const char *table, struct span name, uint64_t kept)
{
	return value_put_u64(batch->tx, kept, "%s%.*s", table, (int)name.n,
	    (const char *)name.p);
}

/* What is kept of exercises counts together, wherever it came in. */
static enum tocsin_err
played_check(const struct cost *c, const struct batch *batch)
{
	uint64_t limit = batch->b->conf.exercise_quota, kept = 0;
	enum tocsin_err err;

	if (!c->played || limit == 0)
		return TOCSIN_OK;
	err = value_get_u64(batch->view, &kept, "%s", of_exercises);
	if (err)
		return err;
	return kept > limit || c->bytes > limit - kept ? TOCSIN_EQUOTA
						       : TOCSIN_OK;
}

static enum tocsin_err
played_add(struct batch *batch, uint64_t bytes, bool back)
{
	uint64_t kept = 0;
	enum tocsin_err err =
	    value_get_u64(batch->view, &kept, "%s", of_exercises);

	if (back)
		kept = kept > bytes ? kept - bytes : 0;
	else
		kept += bytes;
	return err ? err : value_put_u64(batch->tx, kept, "%s", of_exercises);
}

uint64_t
quota_exercises(struct store_rx *rx)
{
	uint64_t kept = 0;

	return value_get_u64(rx, &kept, "%s", of_exercises) == TOCSIN_OK ? kept
									 : 0;
}

uint64_t
quota_kept(struct store_rx *rx, const char *peer)
{
	uint64_t kept;

	return kept_get(rx, of_peer, span_of(peer), &kept) == TOCSIN_OK ? kept
									: 0;
}

static enum tocsin_err
kept_check(const struct cost *c, const struct batch *batch, const char *table,
    struct span name, uint64_t limit)
{
	uint64_t most = limit / EIGHTHS * c->eighths, kept;
	enum tocsin_err err;

	if (name.n == 0 || limit == 0)
		return TOCSIN_OK;
	err = kept_get(batch->view, table, name, &kept);
	if (err)
		return err;
	return kept > most || c->bytes > most - kept ? TOCSIN_EQUOTA
						     : TOCSIN_OK;
}

static enum tocsin_err
kept_add(const struct cost *c, struct batch *batch, const char *table,
    struct span name)
{
	uint64_t kept;
	enum tocsin_err err;

	if (name.n == 0)
		return TOCSIN_OK;
	err = kept_get(batch->view, table, name, &kept);
	return err ? err : kept_put(batch, table, name, kept + c->bytes);
}

/* What was stored before there was counting gives back what there is. */
static enum tocsin_err
kept_less(
    struct batch *batch, const char *table, struct span name, uint64_t bytes)
{
	uint64_t kept;
	enum tocsin_err err = kept_get(batch->view, table, name, &kept);

	if (err || kept == 0)
		return err;
	return kept_put(batch, table, name, kept > bytes ? kept - bytes : 0);
}

static void
free_name(char out[sizeof(of_free) + 2 * ID_LEN], const uint8_t id[ID_LEN])
{
	memcpy(out, of_free, sizeof(of_free));
	sodium_bin2hex(out + sizeof(of_free) - 1, 2 * ID_LEN + 1, id, ID_LEN);
}

/* What a ticket was not charged; it is asked once. */
static enum tocsin_err
free_take(struct batch *batch, const uint8_t id[ID_LEN], uint64_t *bytes)
{
	char name[sizeof(of_free) + 2 * ID_LEN];
	enum tocsin_err err;

	free_name(name, id);
	err = value_get_u64(batch->view, bytes, "%s", name);
	if (err || *bytes == 0)
		return err;
	return store_value_drop(batch->tx, span_of(name));
}

static enum tocsin_err
free_put(struct batch *batch, const uint8_t id[ID_LEN], uint64_t bytes)
{
	char name[sizeof(of_free) + 2 * ID_LEN];

	if (bytes == 0)
		return TOCSIN_OK;
	free_name(name, id);
	return value_put_u64(batch->tx, bytes, "%s", name);
}

enum tocsin_err
quota_give_back(
    struct batch *batch, const struct store_entry *e, const struct ticket *t)
{
	const struct roster *r = trust_roster(batch->trust);
	const struct roster_broker *peer = roster_broker(r, e->via);
	char via[STORE_NAME_MAX], member[STORE_NAME_MAX];
	uint64_t bytes = e->note.n, free = 0;
	bool ours = e->via.n == 0 ||
		    (peer && strcmp(peer->nation, batch->b->conf.nation) == 0);
	size_t nvia = e->via.n, nmember = e->member.n;
	enum tocsin_err err = TOCSIN_OK;

	if (nvia > 0) /* writing moves what they are of */
		memcpy(via, e->via.p, nvia);
	memcpy(member, e->member.p, nmember);
	if (t)
		bytes = ticket_cost(bytes, t->body_size, t->part, t->npart);
	if (t && t->npart > 0 && !ours)
		err = free_take(batch, t->id, &free);
	bytes -= free < bytes ? free : bytes;
	if (!err && t && t->exercise.n > 0)
		return played_add(batch, bytes, true);
	if (err || ours)
		return err;
	err = kept_less(
	    batch, of_peer, (struct span){ (const uint8_t *)via, nvia }, bytes);
	if (!err && t)
		err = kept_less(batch, of_member,
		    (struct span){ (const uint8_t *)member, nmember }, bytes);
	return err;
}

/* ---- after a repair ---- */

static enum tocsin_err
kept_again(const struct cost *c, struct batch *batch, struct store_rx *was,
    const char *table, struct span name)
{
	struct span value;
	enum tocsin_err err = value_get(
	    was, &value, "%s%.*s", table, (int)name.n, (const char *)name.p);

	return err == TOCSIN_ENOTFOUND ? kept_add(c, batch, table, name) : err;
}

static enum tocsin_err
played_again(const struct cost *c, struct batch *batch, struct store_rx *was)
{
	struct span value;
	enum tocsin_err err = value_get(was, &value, "%s", of_exercises);

	return err == TOCSIN_ENOTFOUND ? played_add(batch, c->bytes, false)
				       : err;
}

enum tocsin_err
quota_again(struct batch *batch, struct store_rx *was,
    const struct store_entry *e, const struct ticket *t, bool abroad)
{
	char name[sizeof(of_free) + 2 * ID_LEN];
	struct cost c = { .bytes = e->note.n };
	enum tocsin_err err = TOCSIN_OK;

	if (t) {
		free_name(name, t->id);
		err = value_get_u64(was, &c.free, "%s", name);
		c.bytes =
		    ticket_cost(e->note.n, t->body_size, t->part, t->npart);
		c.bytes -= c.free < c.bytes ? c.free : c.bytes;
	}
	if (!err && t && t->exercise.n > 0)
		return played_again(&c, batch, was);
	if (!err && abroad && e->via.n > 0)
		err = kept_again(&c, batch, was, of_peer, e->via);
	if (!err && abroad && e->via.n > 0 && t)
		err = kept_again(&c, batch, was, of_member, e->member);
	return err;
}

/* ---- a day ---- */

struct day {
	uint64_t day; /* since 1970 */
	uint64_t bytes;
	uint32_t announcements;
	uint32_t refusals;
};

static bool
day_decode(struct day *d, struct span value, int64_t now)
{
	struct rd r = rd_init(value);
	uint64_t today = (uint64_t)now / DAY_SECONDS;

	d->day = rd_u64(&r);
	d->bytes = rd_u64(&r);
	d->announcements = rd_u32(&r);
	d->refusals = rd_u32(&r);
	if (!rd_done(&r))
		return false;
	if (d->day != today) /* also one that a wrong clock made */
		*d = (struct day){ .day = today };
	return true;
}

static enum tocsin_err
day_get(const struct batch *batch, struct span member, struct day *d)
{
	struct span value = { 0 };
	enum tocsin_err err = value_get(batch->view, &value, "%s%.*s", of_day,
	    (int)member.n, (const char *)member.p);

	*d = (struct day){ .day = (uint64_t)batch->now / DAY_SECONDS };
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (!err && !day_decode(d, value, batch->now))
		err = TOCSIN_EINTERNAL;
	return err;
}

static enum tocsin_err
day_put(struct batch *batch, struct span member, const struct day *d)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, d->day);
	buf_u64(&b, d->bytes);
	buf_u32(&b, d->announcements);
	buf_u32(&b, d->refusals);
	if (buf_ok(&b))
		err = value_put(batch->tx, buf_span(&b), "%s%.*s", of_day,
		    (int)member.n, (const char *)member.p);
	buf_release(&b);
	return err;
}

static enum tocsin_err
day_check(
    const struct intake *in, const struct cost *c, const struct batch *batch)
{
	uint64_t limit = batch->b->conf.member_day;
	struct day d;
	enum tocsin_err err;
	bool over;

	if (c->day.n == 0)
		return TOCSIN_OK;
	err = day_get(batch, c->day, &d);
	if (err)
		return err;
	if (in->kind == STORE_KEYS)
		over = d.announcements >= QUOTA_ANNOUNCEMENTS;
	else
		over = limit > 0 &&
		       (d.bytes > limit || c->bytes > limit - d.bytes);
	return over ? TOCSIN_EQUOTA : TOCSIN_OK;
}

static enum tocsin_err
day_add(const struct intake *in, const struct cost *c, struct batch *batch)
{
	struct day d;
	enum tocsin_err err;

	if (c->day.n == 0)
		return TOCSIN_OK;
	err = day_get(batch, c->day, &d);
	if (err)
		return err;
	if (in->kind == STORE_KEYS)
		d.announcements++;
	else
		d.bytes += c->bytes;
	return day_put(batch, c->day, &d);
}

enum tocsin_err
quota_tell(struct batch *batch, struct span member, bool played, bool *tell)
{
	char name[SIDE_MAX + 1];
	struct span side = side_name(name, member, played);
	struct day d;
	enum tocsin_err err = day_get(batch, side, &d);

	*tell = !err && d.refusals < QUOTA_REFUSALS;
	if (!*tell)
		return err;
	d.refusals++;
	return day_put(batch, side, &d);
}

/* ---- an entry ---- */

enum tocsin_err
quota_check(const struct intake *in, const struct batch *batch)
{
	struct broker *b = batch->b;
	struct cost c = cost_of(in, b);
	enum tocsin_err err;

	err = kept_check(&c, batch, of_peer, c.peer, quota_limit(b, in->via));
	if (!err)
		err = kept_check(
		    &c, batch, of_member, c.sender, b->conf.member_quota);
	if (!err)
		err = day_check(in, &c, batch);
	if (!err)
		err = played_check(&c, batch);
	if (err == TOCSIN_EQUOTA)
		broker_count(b, BROKER_quota_refused);
	return err;
}

enum tocsin_err
quota_take(const struct intake *in, struct batch *batch)
{
	struct cost c = cost_of(in, batch->b);
	enum tocsin_err err = kept_add(&c, batch, of_peer, c.peer);

	if (!err)
		err = kept_add(&c, batch, of_member, c.sender);
	if (!err)
		err = free_put(batch, in->id, c.free);
	if (!err && c.played)
		err = played_add(batch, c.bytes, false);
	return err ? err : day_add(in, &c, batch);
}

/* ---- status ---- */

/* Whose value it is, of a table; empty: of another one. */
static struct span
owner(struct span name, const char *table)
{
	size_t n = strlen(table);

	if (name.n <= n || memcmp(name.p, table, n) != 0)
		return (struct span){ 0 };
	return span_cut(name, n, name.n);
}

static bool
near_of(struct quota_near *out, const struct broker *b, int64_t now,
    struct span value)
{
	struct rd r = rd_init(value);
	struct day d = { 0 };

	out->limit = out->day ? b->conf.member_day : b->conf.member_quota;
	if (out->day && !day_decode(&d, value, now))
		return false;
	out->bytes = out->day ? d.bytes : rd_u64(&r);
	return out->limit > 0 &&
	       out->bytes > out->limit / EIGHTHS * (EIGHTHS - 1);
}

bool
quota_next_near(struct store_rx *rx, const struct broker *b, int64_t now,
    struct span *name, struct quota_near *out)
{
	struct span value;

	if (name->n == 0)
		*name = span_of(of_day);
	out->day = name->p[0] == of_day[0];
	while (store_value_next(rx, *name, name, &value) == TOCSIN_OK) {
		out->member = owner(*name, out->day ? of_day : of_member);
		if (out->member.n > 0 && near_of(out, b, now, value))
			return true;
		if (out->member.n > 0)
			continue;
		if (!out->day)
			return false;
		out->day = false; /* the other table comes later */
		*name = span_of(of_member);
	}
	return false;
}
