/* SPDX-License-Identifier: ISC */
#include "broker/retain.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/erase.h"
#include "broker/exercise.h"
#include "broker/log.h"
#include "broker/value.h"
#include "crypto/ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 512  /* entries that one job looks at */
#define ERASED 32 /* and erases */

/* One rule's turn in one job. */
struct turn {
	struct batch *batch;
	const struct retain_rule *rule;
	uint64_t done; /* all up to it are done */
	bool waits;    /* something does: `done` stays */
	unsigned erased;
};

/* ---- who still needs it ---- */

/* The rows of a lane ascend, so what is before its first one was sent. */
static bool
lane_waits(const struct turn *w, struct span peer, unsigned lane, uint64_t seq)
{
	struct store_out out;
	enum tocsin_err err;

	err = store_out_next(w->batch->view, peer, lane, 0, &out);
	if (err) /* what cannot be seen may wait */
		return err != TOCSIN_ENOTFOUND;
	return (out.seq > 0 ? out.seq : out.ticket) <= seq;
}

/* True if a broker of that nation may still have to get it. */
static bool
is_unsent(const struct turn *w, struct span nation, uint64_t seq)
{
	const struct roster *r = trust_roster(w->batch->trust);
	const struct roster_broker *peer;
	unsigned lane;
	size_t i;

	for (i = 0; (peer = roster_broker_of(r, nation, i)); i++)
		for (lane = 0; lane < STORE_LANES; lane++)
			if (lane_waits(w, span_of(peer->name), lane, seq))
				return true;
	return false;
}

/* Behind the live mailbox's name, those of exercises go on, too. */
static bool
is_label_at(struct span name, size_t n)
{
	struct span label = span_cut(name, n, name.n);

	return label.n > 0 && memchr(label.p, '/', label.n) == NULL;
}

/*
 * True if a device has acknowledged as far as that in the member's mailbox for
 * what is live, or for an exercise. One that sees another mailbox gets past an
 * entry without having read it.
 */
static bool
has_read(const struct turn *w, struct span member, struct span exercise,
    uint64_t seq)
{
	struct store_rx *rx = w->batch->view;
	char box[MAILBOX_MAX + 1], prefix[MAILBOX_MAX + 16];
	struct span name, value;
	struct rd r;
	size_t n;

	mailbox_name(box, member, exercise);
	n = (size_t)snprintf(prefix, sizeof(prefix), "cursor/%s/", box);
	name = (struct span){ (const uint8_t *)prefix, n };
	while (store_value_next(rx, name, &name, &value) == TOCSIN_OK &&
	       span_is(span_cut(name, 0, n), prefix)) {
		r = rd_init(value);
		if (is_label_at(name, n) && rd_u64(&r) >= seq && rd_done(&r))
			return true;
	}
	return false;
}

static bool
is_ours(const struct broker *b, struct span member)
{
	return span_is(member_nation(member), b->conf.nation);
}

/* A member that is gone reads no more. */
static bool
is_unread(const struct turn *w, struct span member, struct span exercise,
    uint64_t seq)
{
	const struct roster *r = trust_roster(w->batch->trust);

	return is_ours(w->batch->b, member) && roster_member(r, member) &&
	       !has_read(w, member, exercise, seq);
}

static bool
is_wanted(const struct turn *w, struct span member, struct span exercise,
    uint64_t seq)
{
	return is_unsent(w, member_nation(member), seq) ||
	       is_unread(w, member, exercise, seq);
}

static bool
is_needed(
    const struct turn *w, const struct store_entry *e, const struct ticket *t)
{
	char exercise[EXERCISE_MAX + 1];
	size_t i;

	if (e->kind == STORE_RECEIPT)
		return exercise_of(exercise, w->batch->view, e->seq) !=
			   TOCSIN_OK ||
		       is_wanted(w, e->member, span_of(exercise), e->seq);
	for (i = 0; i < t->nto; i++)
		if (is_wanted(w, t->to[i].member, t->exercise, e->seq))
			return true;
	return false;
}

/* ---- erasing ---- */

static bool
has_label(const struct ticket *t, const char *label)
{
	size_t i;

	for (i = 0; i < t->nlabel; i++)
		if (span_is(t->label[i], label))
			return true;
	return false;
}

/* False: the rule says nothing about it. */
static bool
applies(
    const struct turn *w, const struct store_entry *e, const struct ticket *t)
{
	if (e->kind == STORE_RECEIPT)
		return w->rule->label[0] == '\0';
	return e->kind == STORE_TICKET &&
	       (w->rule->label[0] == '\0' || has_label(t, w->rule->label));
}

static void
say_unread(const struct store_entry *e)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);

	log_limited(&limit, LOG_WARN, "erased-unread", LOG_U("seq", e->seq),
	    LOG_X("id", SPAN(e->id)), LOG_S("member", e->member));
}

static enum tocsin_err
consider(struct turn *w, const struct store_entry *found)
{
	struct store_entry e = *found;
	struct batch *batch = w->batch;
	struct buf note = { 0 };
	struct ticket t;
	struct note n;
	enum tocsin_err err = TOCSIN_OK;
	bool needed;

	/* Writing moves what spans point to. */
	buf_add(&note, e.note);
	if (!buf_ok(&note))
		return TOCSIN_EBUSY;
	if (e.kind == STORE_TICKET)
		err = ticket_parse(&t, &n, buf_span(&note));
	if (!err && !e.erased && applies(w, &e, &t)) {
		needed = is_needed(w, &e, &t);
		if (needed &&
		    batch->now - e.time < batch->b->conf.keep_unread) {
			w->waits = true;
		} else {
			if (needed)
				say_unread(&e);
			w->erased++;
			err = erase_entry(
			    batch, &e, e.kind == STORE_TICKET ? &t : NULL);
		}
	} else {
		err = TOCSIN_OK;
	}
	buf_release(&note);
	return err;
}

/* ---- a turn ---- */

/* OK: there is more; NOTFOUND: all that is old enough was looked at. */
static enum tocsin_err
step(struct turn *w, uint64_t *at)
{
	int64_t old = w->batch->now - w->rule->seconds;
	struct store_entry e;
	bool waited = w->waits;
	enum tocsin_err err = store_get(w->batch->view, *at + 1, &e);

	if (err == TOCSIN_ENOTFOUND || (!err && e.time > old))
		return TOCSIN_ENOTFOUND;
	if (!err)
		err = consider(w, &e);
	else if (err == TOCSIN_EBODYMISMATCH)
		err = TOCSIN_OK; /* it says nothing anyway */
	if (err)
		return err;
	++*at;
	if (!waited && !w->waits)
		w->done = *at;
	return TOCSIN_OK;
}

static const char *
name_of(const struct retain_rule *r)
{
	return r->label[0] ? r->label : "-";
}

static enum tocsin_err
take_turn(struct batch *batch, unsigned i, bool *more)
{
	struct retain *s = &batch->b->retain;
	struct turn w = { .batch = batch, .rule = &batch->b->conf.keep[i] };
	uint64_t at = s->at[i], before;
	unsigned n;
	enum tocsin_err err;

	err = value_get_u64(batch->view, &before, "retain/%s", name_of(w.rule));
	if (err)
		return err;
	w.done = before;
	w.waits = at > before; /* there was something in between */
	if (at < before)
		at = before;
	for (n = 0; !err && n < STEP && w.erased < ERASED; n++)
		err = step(&w, &at);
	*more = err == TOCSIN_OK;
	if (err == TOCSIN_ENOTFOUND) {
		err = TOCSIN_OK;
		at = 0; /* from the beginning of what had to wait */
	}
	if (!err && w.done > before)
		err = value_put_u64(
		    batch->tx, w.done, "retain/%s", name_of(w.rule));
	if (!err)
		s->at[i] = at;
	return err;
}

struct sweep {
	struct job job;
	struct broker *b;
	bool more;
};

static enum tocsin_err
sweep_apply(struct job *job, struct batch *batch)
{
	struct sweep *w = (struct sweep *)job;

	return take_turn(
	    batch, batch->b->retain.turn % batch->b->conf.nkeep, &w->more);
}

static void
sweep_done(struct job *job, enum tocsin_err err)
{
	static struct log_limit limit = LOG_LIMIT(2, 600000);
	struct sweep *w = (struct sweep *)job;
	struct broker *b = w->b;

	if (err && err != TOCSIN_EUNAVAILABLE)
		log_limited(&limit, LOG_WARN, "erase-failed", LOG_ERR(err));
	if (!err && w->more &&
	    writer_submit_later(b->writer, &w->job) == TOCSIN_OK)
		return;
	b->retain.turn++;
	atomic_store(&b->retain.busy, false);
	free(w);
}

/* Whether some rule's next entry is old enough. */
static bool
is_due(struct broker *b)
{
	struct store_rx *rx;
	struct store_entry e;
	uint64_t done;
	bool due = false;
	unsigned i;

	if (store_read(b->store, &rx) != TOCSIN_OK)
		return false;
	for (i = 0; i < b->conf.nkeep && !due; i++)
		due = value_get_u64(rx, &done, "retain/%s",
			  name_of(&b->conf.keep[i])) == TOCSIN_OK &&
		      store_get(rx, done + 1, &e) == TOCSIN_OK &&
		      e.time <= clock_now() - b->conf.keep[i].seconds;
	store_read_end(rx);
	return due;
}

void
retain_sweep(struct broker *b)
{
	struct sweep *w;

	if (atomic_load(&b->retain.busy) || !is_due(b))
		return;
	w = calloc(1, sizeof(*w));
	if (!w)
		return;
	w->b = b;
	w->job = (struct job){
		.weight = 65536, .apply = sweep_apply, .done = sweep_done
	};
	atomic_store(&b->retain.busy, true);
	if (writer_submit_later(b->writer, &w->job) != TOCSIN_OK) {
		atomic_store(&b->retain.busy, false);
		free(w);
	}
}
