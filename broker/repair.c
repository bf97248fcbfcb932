/* SPDX-License-Identifier: ISC */
#include "broker/repair.h"

#include "broker/clock.h"
#include "broker/exercise.h"
#include "broker/intake.h"
#include "broker/names.h"
#include "broker/quota.h"
#include "broker/recall.h"
#include "broker/value.h"
#include "crypto/receipt.h"
#include "crypto/ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As long as this one a name could be it, with a flipped bit. */
#define PRECIOUS "epochs"

struct work {
	const struct broker_config *c;
	struct store *store;
	struct store_repair how;
	struct batch batch;
	struct store_rx *rx;   /* without what is damaged; does not change */
	uint64_t serial;       /* of the newest roster */
	struct roster *roster; /* that one */
	struct names boxes;    /* of exercises that were announced */
	unsigned done;
	bool kept;
};

static void
told(void *arg, const struct store_finding *f)
{
	struct work *w = arg;

	w->done++;
	if (f->seq > 0)
		printf("repaired: entry %" PRIu64 ": %s\n", f->seq, f->what);
	else
		printf("repaired: %s\n", f->what);
}

static void
tell(struct work *w, uint64_t seq, const char *what)
{
	told(w, &(struct store_finding){ .seq = seq, .what = what });
}

static bool
is_precious(void *arg, struct span name)
{
	struct work *w = arg;

	w->kept |= name.n == strlen(PRECIOUS);
	return name.n == strlen(PRECIOUS);
}

/* ---- of each entry ---- */

static enum tocsin_err
mail(struct work *w, struct span member, uint64_t seq)
{
	if (store_mail_has(w->rx, member, seq))
		return TOCSIN_OK;
	tell(w, seq, "it is in a mailbox again");
	return store_mail(w->batch.tx, member, seq);
}

static enum tocsin_err
redo_roster(struct work *w, const struct store_entry *e)
{
	struct roster *r = NULL;
	uint64_t at = 0;
	enum tocsin_err err = roster_parse(&r, e->note);

	if (!err)
		err = value_get_u64(w->rx, &at, "roster/%" PRIu64, r->serial);
	if (!err && at != e->seq) {
		tell(w, e->seq, "the roster is found again");
		err = value_put_u64(
		    w->batch.tx, e->seq, "roster/%" PRIu64, r->serial);
	}
	if (!err && r->serial == 1)
		err = value_put(w->batch.tx, SPAN(r->id), "genesis");
	if (!err && r->serial > w->serial) {
		w->serial = r->serial;
		roster_free(w->roster);
		w->roster = r;
		r = NULL;
	}
	roster_free(r);
	return err ? err : mail(w, span_of("*"), e->seq);
}

/* Those that members of ours have had: what is in them is of the exercise. */
static void
note_boxes(struct work *w, const struct keys *k)
{
	char box[MAILBOX_MAX + 1];
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (k->device[i].exercise[0] != '\0' &&
		    span_is(member_nation(span_of(k->member)), w->c->nation))
			names_add(
			    &w->boxes, mailbox_name(box, span_of(k->member),
					   span_of(k->device[i].exercise)));
}

/*
 * Of which exercise an entry is, by the mailboxes that it is in. That is all
 * there is to tell by if it was erased, or is damaged, and the value is lost.
 */
static enum tocsin_err
note_by_box(struct work *w, uint64_t seq)
{
	char exercise[EXERCISE_MAX + 1];
	enum tocsin_err err = exercise_of(exercise, w->batch.view, seq);
	struct span box;
	size_t at = 0, n;

	if (err || exercise[0] != '\0')
		return err;
	while (names_next(&w->boxes, &at, &box))
		if (store_mail_has(w->rx, box, seq)) {
			n = (size_t)((const uint8_t *)memchr(
					 box.p, '/', box.n) -
				     box.p) +
			    1;
			tell(w, seq, "it is of its exercise again, or live");
			return exercise_note(
			    w->batch.tx, seq, span_cut(box, n, box.n));
		}
	return w->boxes.all ? TOCSIN_EBUSY : TOCSIN_OK;
}

/* The last that was taken counts. */
static enum tocsin_err
redo_keys(struct work *w, const struct store_entry *e)
{
	struct keys *k = NULL;
	uint64_t at = 0;
	enum tocsin_err err = keys_parse(&k, e->note);

	if (!err)
		err = value_get_u64(w->batch.view, &at, "keys/%s", k->member);
	if (!err && at < e->seq) {
		tell(w, e->seq, "the announcement is found again");
		err = value_put_u64(w->batch.tx, e->seq, "keys/%s", k->member);
	}
	if (!err)
		note_boxes(w, k);
	keys_free(k);
	return err ? err : mail(w, span_of("*"), e->seq);
}

/* What we told a sender, the device has. */
static enum tocsin_err
redo_cursor(struct work *w, const struct receipt_line *l)
{
	char box[MAILBOX_MAX + 1], exercise[EXERCISE_MAX + 1];
	uint64_t at = 0, seq;
	enum tocsin_err err;

	if (l->kind != RECEIPT_DELIVERED ||
	    store_find(w->rx, l->id, &seq) != TOCSIN_OK)
		return TOCSIN_OK;
	err = exercise_of(exercise, w->batch.view, seq);
	mailbox_name(box, span_of(l->member), span_of(exercise));
	if (!err)
		err = value_get_u64(
		    w->batch.view, &at, "cursor/%s/%s", box, l->device);
	if (err || at >= seq)
		return err;
	tell(w, seq, "a device has come as far as it");
	return value_put_u64(w->batch.tx, seq, "cursor/%s/%s", box, l->device);
}

/* Where the tickets went that it is about, if they are of members of ours. */
static enum tocsin_err
mail_receipt(
    struct work *w, const struct store_entry *e, const struct receipt *r)
{
	char box[MAILBOX_MAX + 1], exercise[EXERCISE_MAX + 1];
	uint64_t ticket;
	enum tocsin_err err = note_by_box(w, e->seq);

	if (!err)
		err = exercise_of(exercise, w->batch.view, e->seq);
	if (!err && exercise[0] == '\0' &&
	    store_find(w->rx, r->line[0].id, &ticket) == TOCSIN_OK) {
		err = exercise_of(exercise, w->batch.view, ticket);
		if (!err)
			err = exercise_note(
			    w->batch.tx, e->seq, span_of(exercise));
	}
	if (err || !span_is(member_nation(e->member), w->c->nation))
		return err;
	return mail(w, mailbox_name(box, e->member, span_of(exercise)), e->seq);
}

/* What other nations' brokers sent; one that is gone may have been ours. */
static bool
is_abroad(const struct work *w, const struct store_entry *e)
{
	const struct roster_broker *b =
	    w->roster ? roster_broker(w->roster, e->via) : NULL;

	return e->via.n > 0 && b && strcmp(b->nation, w->c->nation) != 0;
}

static enum tocsin_err
redo_receipt(struct work *w, const struct store_entry *e)
{
	struct receipt *r = malloc(sizeof(*r));
	struct note n;
	size_t i;
	enum tocsin_err err = r ? TOCSIN_OK : TOCSIN_EBUSY;

	if (!err)
		err = note_parse(&n, e->note, TEXT_MAX);
	if (!err)
		err = receipt_parse(r, n.text);
	for (i = 0; !err && e->via.n == 0 && i < r->nline; i++)
		err = redo_cursor(w, &r->line[i]);
	if (!err)
		err = mail_receipt(w, e, r);
	if (!err)
		err = quota_again(&w->batch, w->rx, e, NULL, is_abroad(w, e));
	free(r);
	return err;
}

static enum tocsin_err
redo_parts(struct work *w, const struct store_entry *e, const struct ticket *t)
{
	struct recalled gone;
	enum tocsin_err err = recall_of(&gone, w->batch.view, t);
	size_t i;

	for (i = 0; !err && i < t->npart; i++)
		if (!(gone.parts >> i & 1))
			err = store_part_name(w->batch.tx, t->part[i].hash,
			    t->part[i].size, e->seq);
	if (!err && e->detached)
		err = store_part_name(
		    w->batch.tx, t->body_hash, t->body_size, e->seq);
	return err;
}

/* What its header says, whatever was noted. */
static enum tocsin_err
redo_side(struct work *w, uint64_t seq, struct span exercise)
{
	char of[EXERCISE_MAX + 1], name[32];
	enum tocsin_err err = exercise_of(of, w->batch.view, seq);

	if (!err && span_is(exercise, of))
		return TOCSIN_OK;
	tell(w, seq, "it is of its exercise again, or live");
	snprintf(name, sizeof(name), "exercise/%" PRIu64, seq);
	return exercise.n > 0 ? exercise_note(w->batch.tx, seq, exercise)
			      : store_value_drop(w->batch.tx, span_of(name));
}

static enum tocsin_err
redo_ticket(struct work *w, const struct store_entry *e)
{
	struct ticket t;
	struct note n;
	struct span chain;
	char box[MAILBOX_MAX + 1];
	size_t i;
	enum tocsin_err err = ticket_parse(&t, &n, e->note);

	if (!err)
		err = redo_side(w, e->seq, t.exercise);
	for (i = 0; !err && i < t.nto; i++)
		if (span_is(member_nation(t.to[i].member), w->c->nation))
			err = mail(w,
			    mailbox_name(box, t.to[i].member, t.exercise),
			    e->seq);
	if (!err)
		err = recall_again(&w->batch, &t);
	if (!err)
		err = quota_again(&w->batch, w->rx, e, &t, is_abroad(w, e));
	if (!err && w->how.parts)
		err = redo_parts(w, e, &t);
	if (err)
		return err;
	err = value_get(w->rx, &chain, "chain/%.*s/%.*s", (int)t.from.n,
	    (const char *)t.from.p, (int)t.device.n, (const char *)t.device.p);
	if (err == TOCSIN_ENOTFOUND && e->via.n == 0)
		tell(w, e->seq, "it has its place in its device's chain again");
	return intake_again(&w->batch, e, err == TOCSIN_ENOTFOUND);
}

/* One that is damaged is the mender's, and what it meant is told by verify. */
static enum tocsin_err
redo_entry(struct work *w, uint64_t seq)
{
	struct store_entry e;
	enum tocsin_err err = store_get(w->rx, seq, &e);

	if (err == TOCSIN_EBODYMISMATCH || (!err && e.erased))
		return note_by_box(w, seq);
	if (err)
		return err;
	switch (e.kind) {
	case STORE_ROSTER:
		return redo_roster(w, &e);
	case STORE_KEYS:
		return redo_keys(w, &e);
	case STORE_RECEIPT:
		return redo_receipt(w, &e);
	case STORE_TICKET:
		return redo_ticket(w, &e);
	}
	return TOCSIN_OK;
}

/* ---- all ---- */

static enum tocsin_err
redo_current(struct work *w)
{
	uint64_t serial = 0;
	enum tocsin_err err = value_get_u64(w->rx, &serial, "roster/current");

	if (err || serial == w->serial || w->serial == 0)
		return err;
	tell(w, 0, "the roster in force is known again");
	return value_put_u64(w->batch.tx, w->serial, "roster/current");
}

/* With no tally a peer is asked what it lacks (relay_tally.c). */
static enum tocsin_err
forget_tallies(struct work *w)
{
	static const char prefix[] = "tally/";
	struct span name = { 0 }, value;
	enum tocsin_err err;

	while (!(err = store_value_next(w->rx, name, &name, &value)))
		if (span_is(span_cut(name, 0, strlen(prefix)), prefix)) {
			err = store_value_put(
			    w->batch.tx, name, (struct span){ 0 });
			if (err)
				return err;
		}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/*
 * mend.h goes through the peers' lists for what is not whole then, and patrol.h
 * through the store: a damaged entry that is in no mailbox is read by nobody
 * else, and so would never be mended.
 */
static enum tocsin_err
count_repair(struct work *w)
{
	uint64_t n = 0;
	enum tocsin_err err = value_get_u64(w->rx, &n, "repaired");

	if (!err)
		err = value_put_u64(w->batch.tx, n + 1, "repaired");
	if (!err)
		err = store_value_drop(w->batch.tx, span_of("patrol/round"));
	return err ? err
		   : store_value_drop(w->batch.tx, span_of("patrol/done"));
}

static enum tocsin_err
redo(struct work *w)
{
	uint64_t seq, head = store_head(w->rx);
	enum tocsin_err err = TOCSIN_OK;

	for (seq = 1; !err && seq <= head; seq++) {
		err = redo_entry(w, seq);
		if (seq % 1024 == 0) { /* what was joined is freed */
			store_read_end(w->rx);
			w->rx = NULL;
			if (!err)
				err = store_read(w->store, &w->rx);
		}
	}
	if (!err)
		err = redo_current(w);
	if (!err && w->how.outbox)
		err = forget_tallies(w);
	if (!err)
		err = store_repair_parts(w->batch.tx, &w->how);
	if (!err && w->done > 0)
		err = count_repair(w);
	return err;
}

/* A transaction: `step` between its begin and its commit. */
static enum tocsin_err
change(struct work *w, enum tocsin_err (*step)(struct work *w))
{
	struct store_tx *tx = NULL;
	enum tocsin_err err = store_begin(w->store, &tx);

	if (!err)
		err = store_read(w->store, &w->rx);
	w->batch.tx = tx;
	w->batch.view = tx ? store_tx_view(tx) : NULL;
	w->batch.now = clock_now();
	if (!err)
		err = step(w);
	if (!err)
		err = store_commit(tx);
	else
		store_abort(tx);
	if (w->rx)
		store_read_end(w->rx);
	w->rx = NULL;
	return err;
}

static enum tocsin_err
rows(struct work *w)
{
	return store_repair(w->batch.tx, &w->how);
}

enum tocsin_err
repair_store(const struct broker_config *c, unsigned *done, const char **why)
{
	struct work w = { .c = c,
		.how = { .done = told, .keep = is_precious } };
	struct store_options opt = c->store;
	struct store *s = NULL;
	enum tocsin_err err;

	*done = 0;
	*why = NULL;
	opt.harmed = true;
	opt.prealloc = 0;
	err = store_open(&s, c->store_dir, &opt, why);
	if (err)
		return err;
	w.how.arg = &w;
	w.store = s;
	err = change(&w, rows);
	if (!err) /* what was mended is read now */
		err = change(&w, rows);
	if (!err)
		err = change(&w, redo);
	store_close(s);
	roster_free(w.roster);
	names_release(&w.boxes);
	if (w.kept || err == TOCSIN_EBODYMISMATCH)
		*why = "what is damaged cannot be made anew; restore the "
		       "newest backup: tocsind restore";
	*done = w.done;
	return err;
}
