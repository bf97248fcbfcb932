/* SPDX-License-Identifier: ISC */
#include "broker/staged.h"

#include "broker/broker.h"
#include "broker/exercise.h"
#include "broker/value.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	uint8_t hash[32];
	int64_t time;
	bool used;
};

/* A slot whose part is gone, or was named by a ticket, is free. */
static enum tocsin_err
slot_load(struct slot *s, struct batch *batch, const char *box, unsigned i)
{
	struct store_part part;
	struct span bytes;
	enum tocsin_err err;
	struct rd r;

	*s = (struct slot){ 0 };
	err = value_get(batch->view, &bytes, "staged/%s/%u", box, i);
	if (err == TOCSIN_ENOTFOUND || (!err && bytes.n == 0))
		return TOCSIN_OK;
	if (err)
		return err;
	r = rd_init(bytes);
	rd_copy(&r, s->hash, sizeof(s->hash));
	s->time = (int64_t)rd_u64(&r);
	if (!rd_done(&r))
		return TOCSIN_EINTERNAL;
	err = store_part_stat(batch->view, s->hash, &part);
	s->used = !err && part.first_seq == 0;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
slot_save(
    struct batch *batch, const char *box, unsigned i, const uint8_t hash[32])
{
	uint8_t bytes[40];
	int k;

	memcpy(bytes, hash, 32);
	for (k = 0; k < 8; k++)
		bytes[32 + k] = (uint8_t)((uint64_t)batch->now >> (56 - 8 * k));
	return value_put(batch->tx, SPAN(bytes), "staged/%s/%u", box, i);
}

static enum tocsin_err
slot_drop(
    struct batch *batch, const char *box, unsigned i, const struct slot *s)
{
	enum tocsin_err err = store_part_drop(batch->tx, s->hash);

	if (err && err != TOCSIN_ENOTFOUND)
		return err;
	return value_put(batch->tx, (struct span){ 0 }, "staged/%s/%u", box, i);
}

static bool
is_old(const struct slot *s, const struct batch *batch)
{
	return s->used && batch->now - s->time > batch->b->conf.staged_seconds;
}

enum tocsin_err
staged_take(struct batch *batch, const char *member, bool played,
    const uint8_t hash[32], uint64_t total)
{
	const struct broker_config *c = &batch->b->conf;
	char box[SIDE_MAX + 1];
	unsigned i, room = c->staged_max;
	enum tocsin_err err;
	struct slot s;

	if (total > c->staged_bytes)
		return TOCSIN_EQUOTA;
	side_name(box, span_of(member), played);
	for (i = 0; i < c->staged_max; i++) {
		err = slot_load(&s, batch, box, i);
		if (err)
			return err;
		if (s.used && memcmp(s.hash, hash, 32) == 0)
			return TOCSIN_OK;
		if (room == c->staged_max && (!s.used || is_old(&s, batch)))
			room = i;
	}
	if (room == c->staged_max)
		return TOCSIN_EQUOTA;
	err = slot_load(&s, batch, box, room);
	if (!err && s.used)
		err = slot_drop(batch, box, room, &s);
	if (!err)
		err = slot_save(batch, box, room, hash);
	if (!err)
		err = store_part_expect(batch->tx, hash, total, 0);
	return err;
}

/* ---- once in a while ---- */

static enum tocsin_err
sweep_box(struct batch *batch, const char *box)
{
	enum tocsin_err err = TOCSIN_OK;
	struct slot s;
	unsigned i;

	for (i = 0; i < batch->b->conf.staged_max && !err; i++) {
		err = slot_load(&s, batch, box, i);
		if (!err && is_old(&s, batch))
			err = slot_drop(batch, box, i, &s);
	}
	return err;
}

static enum tocsin_err
sweep_member(struct batch *batch, const char *member)
{
	char box[SIDE_MAX + 1];
	enum tocsin_err err;

	side_name(box, span_of(member), false);
	err = sweep_box(batch, box);
	if (err)
		return err;
	side_name(box, span_of(member), true);
	return sweep_box(batch, box);
}

static enum tocsin_err
sweep_apply(struct job *job, struct batch *batch)
{
	const struct roster *r = trust_roster(batch->trust);
	const char *nation = batch->b->conf.nation;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	(void)job;
	for (i = 0; i < r->nmember && !err; i++)
		if (span_is(member_nation(span_of(r->member[i].name)), nation))
			err = sweep_member(batch, r->member[i].name);
	return err;
}

static void
sweep_done(struct job *job, enum tocsin_err err)
{
	(void)err; /* next time */
	free(job);
}

void
staged_sweep(struct broker *b)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->apply = sweep_apply;
	job->done = sweep_done;
	if (writer_submit_later(b->writer, job) != TOCSIN_OK)
		free(job);
}
