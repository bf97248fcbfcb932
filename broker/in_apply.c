/* SPDX-License-Identifier: ISC */
#include "broker/in_apply.h"

#include "broker/clock.h"
#include "broker/cursor.h"
#include "broker/in_judge.h"
#include "broker/in_lane.h"
#include "broker/in_unwanted.h"
#include "broker/item.h"
#include "broker/quota.h"
#include "broker/receipts.h"
#include "crypto/ticket.h"

#include <string.h>

/* The sender of a ticket that was good until it met the log. */
static void
name_sender(struct in_item *it)
{
	struct item_entry e;
	struct ticket t;
	struct note n;

	if (it->who.known || it->kind != STORE_TICKET ||
	    item_entry_parse(&e, buf_span(&it->bytes)) != TOCSIN_OK ||
	    ticket_parse(&t, &n, e.note) != TOCSIN_OK)
		return;
	intake_name(&it->who, &t);
}

/*
 * It was held for as long as anything is, and its signature could not even be
 * checked, for want of the key. Its nation is told all the same: nobody else
 * can say that it has to be sent anew, and whoever made up a sender hears of it
 * alone.
 */
static void
name_held(struct in_item *it)
{
	if (it->who.known)
		return;
	name_sender(it);
	it->who.known =
	    it->who.known && in_from_nation(it->peer, span_of(it->who.member));
}

static enum tocsin_err
pass_over(struct in_item *it, struct batch *batch, enum tocsin_err why)
{
	const struct receipts_to whom =
	    receipts_to(span_of(it->who.member), span_of(it->who.exercise));
	enum tocsin_err err;
	bool tell;

	it->passed = why;
	it->reached = (struct lane_pos){ it->item, 0 };
	if (!it->who.known || why == TOCSIN_EDUPLICATE)
		return TOCSIN_OK;
	err = quota_tell(batch, whom.member, whom.exercise.n > 0, &tell);
	if (err || !tell)
		return err;
	return receipts_refused(batch->receipts, whom, it->who.id, why);
}

static enum tocsin_err
apply_entry(struct in_item *it, struct batch *batch)
{
	enum tocsin_err err;
	uint64_t seq;

	if (it->pass) {
		if (in_transient(it, it->pass))
			name_held(it);
		return pass_over(it, batch, it->pass);
	}
	err = intake_apply(it->in, batch, &seq);
	if (err == TOCSIN_OK || err == TOCSIN_EDUPLICATE) {
		it->reached = (struct lane_pos){ it->item, 0 };
		return TOCSIN_OK;
	}
	if (in_ours(err))
		return err;
	if (in_transient(it, err) && in_holds(it, in_hold_ms(it), clock_ms()))
		return err;
	name_sender(it);
	return pass_over(it, batch, err);
}

/*
 * A part belongs to whom the first ticket that named it came from. What others
 * bring of it is kept aside, since what they say of its size and bytes shows
 * only when they are all here.
 */
static enum tocsin_err
is_owner(bool *owner, const struct in_item *it, struct batch *batch,
    const struct store_part *part)
{
	struct store_entry e;
	enum tocsin_err err = store_get(batch->view, part->first_seq, &e);

	if (err && !in_ours(err)) { /* damaged: then it is nobody's */
		*owner = false;
		return TOCSIN_OK;
	}
	*owner = !err && span_is(e.via, it->peer->who.broker) &&
		 part->total == it->total - ITEM_HASH;
	return err;
}

static enum tocsin_err
aside_drop(const struct in_item *it, struct batch *batch,
    const uint8_t hash[ITEM_HASH])
{
	uint8_t key[ITEM_HASH];
	enum tocsin_err err;

	cursor_aside(key, it->peer->who.broker, hash);
	err = store_part_drop(batch->tx, key);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* What of it is new is written behind what is here; *have is how much that is.
 */
static enum tocsin_err
write_new(struct batch *batch, const uint8_t hash[ITEM_HASH],
    const uint8_t *aside, uint64_t total, uint64_t from, struct span bytes,
    uint64_t *have)
{
	if (*have < from) /* it was emptied meanwhile */
		return TOCSIN_EBODYMISMATCH;
	if (*have >= from + bytes.n)
		return TOCSIN_OK;
	bytes = span_cut(bytes, (size_t)(*have - from), bytes.n);
	return aside ? store_part_aside(
			   batch->tx, aside, hash, total, *have, bytes, have)
		     : store_part_write(batch->tx, hash, *have, bytes, have);
}

/* The part is here in part or not at all, and named by a ticket. */
static enum tocsin_err
write_part(struct in_item *it, struct batch *batch, const struct cursor *c,
    const struct store_part *part, uint64_t from, struct span bytes)
{
	uint64_t total = it->total - ITEM_HASH, have = part->have;
	struct store_part kept = { 0 };
	uint8_t key[ITEM_HASH];
	bool owner;
	enum tocsin_err err = is_owner(&owner, it, batch, part);

	if (err)
		return err;
	cursor_aside(key, it->peer->who.broker, c->hash);
	if (!owner) {
		err = store_part_stat(batch->view, key, &kept);
		if (err && err != TOCSIN_ENOTFOUND)
			return err;
		have = kept.total == total ? kept.have : 0;
	}
	err = write_new(
	    batch, c->hash, owner ? NULL : key, total, from, bytes, &have);
	if (!err && have == total)
		err = intake_part_complete(batch, c->hash);
	it->reached = have == total
			  ? (struct lane_pos){ it->item, 0 }
			  : (struct lane_pos){ it->item - 1, ITEM_HASH + have };
	return err;
}

/* A range whose place is ours: write it, or find that there is no need. */
static enum tocsin_err
write_range(struct in_item *it, struct batch *batch, struct cursor *c)
{
	struct span bytes = buf_span(&it->bytes);
	uint64_t from = it->offset;
	struct store_part part;
	enum tocsin_err err = TOCSIN_OK;

	if (from == 0) {
		if (c->at.offset > 0) /* another has begun */
			err = aside_drop(it, batch, c->hash);
		memcpy(c->hash, bytes.p, ITEM_HASH);
		c->kind = RELAY_PART;
		c->total = it->total;
		bytes = span_cut(bytes, ITEM_HASH, bytes.n);
		from = ITEM_HASH;
	}
	if (!err)
		err = store_part_stat(batch->view, c->hash, &part);
	if (!err && part.first_seq == 0) /* staged by a member of ours */
		err = TOCSIN_ENOTFOUND;
	if (err)
		return err;
	if (!part.complete)
		return write_part(it, batch, c, &part, from - ITEM_HASH, bytes);
	it->reached = (struct lane_pos){ it->item, 0 };
	return part.total == it->total - ITEM_HASH ? TOCSIN_OK
						   : TOCSIN_EBODYMISMATCH;
}

static enum tocsin_err
apply_range(struct in_item *it, struct batch *batch, struct cursor *c)
{
	enum tocsin_err err = it->pass;

	if (it->offset > c->at.offset)
		return TOCSIN_EBUSY; /* what was before it is not written */
	if (!err)
		err = write_range(it, batch, c);
	if (err == TOCSIN_OK || in_ours(err))
		return err;
	if (err == TOCSIN_ENOTFOUND && !it->pass &&
	    !in_unwanted_has(it->peer, c->hash) &&
	    (in_holds(it, in_hold_ms(it), clock_ms()) ||
		in_lanes_lack(it->peer)))
		return err; /* the ticket that names it may come yet */
	return pass_over(it, batch, err);
}

/* Also one that is passed over: what was sent is compared, not what it was. */
static void
count_item(struct cursor *c, const struct in_item *it)
{
	struct tally t = { .n = c->at.item };
	const uint8_t *mark = it->mark;

	if (it->lane == LANE_BULK && it->offset > 0)
		mark = c->hash;
	else if (it->lane == LANE_BULK && it->bytes.n >= TALLY_MARK)
		mark = it->bytes.p;
	memcpy(t.hash, c->tally, sizeof(t.hash));
	tally_add(&t, mark);
	memcpy(c->tally, t.hash, sizeof(c->tally));
}

/* With the cursor in the same transaction, each item is stored once. */
enum tocsin_err
in_item_apply(struct job *job, struct batch *batch)
{
	struct in_item *it = (struct in_item *)job;
	const char *peer = it->peer->who.broker;
	struct cursor c;
	enum tocsin_err err = cursor_get(&c, batch->view, peer, it->lane);

	it->passed = TOCSIN_OK;
	if (err)
		return err;
	it->reached = c.at;
	memcpy(it->tally, c.tally, sizeof(it->tally));
	if (it->item <= c.at.item)
		return TOCSIN_OK;
	if (it->item > c.at.item + 1)
		return TOCSIN_EBUSY;
	err = it->lane == LANE_BULK ? apply_range(it, batch, &c)
				    : apply_entry(it, batch);
	if (!err && it->lane != LANE_BULK)
		err = cursor_drop(&c, batch->tx); /* it is here as a whole */
	else if (!err && it->reached.item > c.at.item)
		err = aside_drop(it, batch, c.hash);
	if (err)
		return err;
	if (it->reached.item > c.at.item)
		count_item(&c, it);
	c.at = it->reached;
	memcpy(it->tally, c.tally, sizeof(it->tally));
	return cursor_put(&c, batch->tx, peer, it->lane);
}

enum tocsin_err
in_keep_apply(struct job *job, struct batch *batch)
{
	struct in_keep *k = (struct in_keep *)job;
	const char *peer = k->peer->who.broker;
	struct cursor c;
	enum tocsin_err err = cursor_get(&c, batch->view, peer, k->lane);

	k->reached = c.at;
	if (err || c.at.item != k->item - 1)
		return err;
	err = cursor_begin(&c, batch->tx, peer, k->lane, k->kind, k->total,
	    k->from, buf_span(&k->bytes));
	if (err)
		return err;
	k->reached = c.at;
	return cursor_put(&c, batch->tx, peer, k->lane);
}
