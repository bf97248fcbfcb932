/* SPDX-License-Identifier: ISC */
#include "broker/in_judge.h"

#include "broker/clock.h"
#include "broker/item.h"
#include "broker/lane.h"
#include "crypto/ticket.h"

#include <string.h>

#define RETRY_MS 50	   /* the writer was busy */
#define RETRY_FULL_MS 1000 /* the disk was full */
#define RETRY_CLOCK_MS 1000
#define RETRY_PART_MS 200 /* the ticket that names a part is not here yet */
#define HOLD_RECEIPT_MS 3000

/* ---- what failed ---- */

/* A roster can move a broker to another nation; its name is what it is. */
static struct trust_who
who_of(struct in_peer *p)
{
	struct trust_who who;

	pthread_mutex_lock(&p->lock);
	who = p->who;
	pthread_mutex_unlock(&p->lock);
	return who;
}

static bool
of_our_nation(struct in_peer *p)
{
	struct trust_who who = who_of(p);

	return strcmp(who.nation, p->in->b->conf.nation) == 0;
}

/*
 * What may be cured by a roster or announcement that is on its way. A roster
 * may bring another root or receipt key too; a ticket's key comes before it.
 */
bool
in_transient(const struct in_item *it, enum tocsin_err err)
{
	return err == TOCSIN_EROSTERUNKNOWN || err == TOCSIN_ENOTENROLLED ||
	       err == TOCSIN_EKEYSEXPIRED || err == TOCSIN_ECLOCKSKEW ||
	       (err == TOCSIN_EBADSIGNATURE && it->kind != STORE_TICKET);
}

/*
 * Another broker of our nation hands on receipts, and one may overtake, in a
 * faster lane, the ticket that it is about.
 */
static bool
overtakes(const struct in_item *it, enum tocsin_err err)
{
	return err == TOCSIN_ENOTFOUND && it->kind == STORE_RECEIPT &&
	       of_our_nation(it->peer);
}

/*
 * What says nothing about the item. Under an expired roster no ticket is good,
 * and if it is our clock that is wrong, all that comes meanwhile would be gone.
 */
bool
in_ours(enum tocsin_err err)
{
	return err == TOCSIN_EINTERNAL || err == TOCSIN_EBUSY ||
	       err == TOCSIN_ENOSPACE || err == TOCSIN_EUNAVAILABLE ||
	       err == TOCSIN_EROSTEREXPIRED;
}

/* Another time by our clock, and it may be good; nothing tells us of that. */
static bool
by_clock(enum tocsin_err err)
{
	return err == TOCSIN_ECLOCKSKEW || err == TOCSIN_EKEYSEXPIRED ||
	       err == TOCSIN_EROSTEREXPIRED;
}

bool
in_wants_trust(const struct in_item *it, enum tocsin_err err)
{
	return err == TOCSIN_EROSTEREXPIRED ||
	       (in_transient(it, err) && err != TOCSIN_ECLOCKSKEW);
}

int64_t
in_retry_after(const struct in_item *it, enum tocsin_err err, int64_t now_ms)
{
	if (err == TOCSIN_ENOSPACE)
		return now_ms + RETRY_FULL_MS;
	if (by_clock(err) &&
	    (in_ours(err) || it->give_up > now_ms + RETRY_CLOCK_MS))
		return now_ms + RETRY_CLOCK_MS;
	if (in_transient(it, err)) /* or when trust changes */
		return it->give_up;
	if (err == TOCSIN_ENOTFOUND)
		return now_ms + RETRY_PART_MS;
	return now_ms + RETRY_MS;
}

bool
in_from_nation(struct in_peer *p, struct span member)
{
	struct trust_who who = who_of(p);

	return span_is(member_nation(member), who.nation);
}

int64_t
in_hold_ms(const struct in_item *it)
{
	const struct broker_config *conf = &it->peer->in->b->conf;

	return conf->hold_ms > 0 ? conf->hold_ms : RELAY_HOLD_MS;
}

bool
in_holds(struct in_item *it, int64_t hold_ms, int64_t now_ms)
{
	if (it->give_up == 0)
		it->give_up = now_ms + hold_ms;
	return now_ms < it->give_up;
}

/* ---- judging ---- */

const struct msg_accept *
in_accept(struct in_peer *p)
{
	return of_our_nation(p) ? &p->in->home : &p->in->b->conf.accept;
}

/*
 * Whether we take such a ticket. A body that was not shipped, because we said
 * that we don't, is no reason of its own.
 */
static enum tocsin_err
judge_accept(struct in_peer *p, const struct item_entry *e)
{
	struct ticket t;
	struct note n;
	enum tocsin_err err = ticket_parse(&t, &n, e->note);

	if (!err)
		err = accept_ticket(in_accept(p), &t);
	return !err && e->body.n == 0 ? TOCSIN_EMALFORMED : err;
}

static enum tocsin_err
judge_entry(struct in_item *it, struct broker *b)
{
	struct trust_who who = who_of(it->peer);
	struct intake_source src = { .kind = INTAKE_PEER, .who = &who };
	struct item_entry e;
	struct trust *t;
	enum tocsin_err err = item_entry_parse(&e, buf_span(&it->bytes));

	if (err)
		return err;
	tally_mark(it->mark, e.note);
	if (e.gone)
		return TOCSIN_ENOTFOUND;
	if (it->kind < STORE_TICKET || it->kind > STORE_RECEIPT)
		return TOCSIN_EMALFORMED;
	t = trust_get(b->trust);
	err = intake_judge(&it->in, b, t, &src, (enum store_kind)it->kind,
	    e.note, e.body, clock_now(), &it->who);
	trust_put(t);
	if (it->kind == STORE_TICKET &&
	    (!err || (it->who.known && e.body.n == 0)))
		err = judge_accept(it->peer, &e);
	return err;
}

static enum tocsin_err
judge_range(const struct in_item *it)
{
	if (it->kind != RELAY_PART || it->total < ITEM_HASH)
		return TOCSIN_EMALFORMED;
	if (it->offset < ITEM_HASH && it->offset > 0)
		return TOCSIN_EMALFORMED;
	if (it->offset == 0 && it->bytes.n < ITEM_HASH)
		return TOCSIN_EMALFORMED;
	if (it->total == ITEM_HASH)
		return TOCSIN_ENOTFOUND; /* gone; no part is empty */
	if (it->total - ITEM_HASH > in_accept(it->peer)->part)
		return TOCSIN_ETOOLARGE;
	return TOCSIN_OK;
}

/* All before it in its lane are stored, or were passed over. */
static bool
is_first(const struct in_item *it)
{
	struct in_peer *p = it->peer;
	bool first;

	pthread_mutex_lock(&p->lock);
	first = p->lane[it->lane].first == it;
	pthread_mutex_unlock(&p->lock);
	return first;
}

enum tocsin_err
in_judge_early(struct in_item *it)
{
	intake_free(it->in);
	it->in = NULL;
	return judge_entry(it, it->peer->in->b);
}

enum tocsin_err
in_judge(struct in_item *it, int64_t now_ms)
{
	enum tocsin_err err = it->pass;

	if (it->early && !err)
		err = it->pass = TOCSIN_EDUPLICATE;
	if (err)
		return TOCSIN_OK;
	intake_free(it->in);
	it->in = NULL;
	err = it->lane == LANE_BULK ? judge_range(it)
				    : judge_entry(it, it->peer->in->b);
	if (in_ours(err))
		return err;
	if (in_transient(it, err) && in_holds(it, in_hold_ms(it), now_ms))
		return err;
	if (overtakes(it, err) && !is_first(it))
		return err; /* what it is about may be on its way to the disk */
	if (overtakes(it, err) && in_holds(it, HOLD_RECEIPT_MS, now_ms))
		return err;
	it->pass = err;
	return TOCSIN_OK;
}
