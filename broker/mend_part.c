/* SPDX-License-Identifier: ISC */
/*
 * Parts, as mend.h has them. What is damaged is known range by range, what is
 * right only of the whole. So a part is gone through twice: first what is here
 * and what the peer gives are hashed together, and the hashes of what came are
 * kept; when the whole is right, each damaged range is fetched again and
 * replaced by what has the same hash. Nothing large is held, and a peer that
 * gives something else has changed nothing.
 */
#include "broker/broker.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/mend_impl.h"
#include "crypto/msg.h"
#include "crypto/sha256.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AT 1000 /* parts in one snapshot */

struct fix {
	struct way *w;
	const uint8_t *hash;
	struct store_part part;
	uint8_t sum[32];
	size_t nid;
	uint8_t id[2][32]; /* of the first and the last that name it */
	struct buf marks;  /* of each damaged range u64 offset, its SHA-256 */
};

#define MARK_LEN (8 + 32)

/* ---- what is here ---- */

static void
add_name(struct fix *f, struct store_rx *rx, uint64_t seq)
{
	struct store_entry e;

	if (seq > 0 && store_get(rx, seq, &e) == TOCSIN_OK)
		memcpy(f->id[f->nid++], e.id, 32);
}

static enum tocsin_err
fix_begin(struct fix *f, struct way *w, const uint8_t hash[32])
{
	struct store_rx *rx;
	enum tocsin_err err;

	*f = (struct fix){ .w = w, .hash = hash };
	err = store_read(w->b->store, &rx);
	if (err)
		return err;
	err = store_part_stat(rx, hash, &f->part);
	if (!err)
		err = store_part_sum(rx, hash, f->sum);
	if (!err) {
		add_name(f, rx, f->part.first_seq);
		if (f->part.last_seq != f->part.first_seq)
			add_name(f, rx, f->part.last_seq);
	}
	store_read_end(rx);
	return !err && f->nid == 0 ? TOCSIN_ENOTFOUND : err;
}

static size_t
range_size(const struct fix *f, uint64_t offset)
{
	uint64_t left = f->part.have - offset;

	return left < STORE_RANGE ? (size_t)left : STORE_RANGE;
}

/* A snapshot for each range, since one that is old keeps pages. */
static enum tocsin_err
read_here(const struct fix *f, uint64_t offset, struct buf *out)
{
	struct store_rx *rx;
	enum tocsin_err err = store_read(f->w->b->store, &rx);

	if (err)
		return err;
	err = store_part_read(rx, f->hash, offset, range_size(f, offset), out);
	store_read_end(rx);
	if (!err && out->n != range_size(f, offset))
		err = TOCSIN_EBODYMISMATCH;
	return err;
}

/* ---- what is there ---- */

/* Of one of the entries that name it; `bytes` alias *plain. */
static enum tocsin_err
range_there(struct fix *f, uint64_t offset, size_t max, struct buf *plain,
    struct span *bytes)
{
	struct msg_get m = { .offset = offset, .max = (uint32_t)max };
	struct msg_range range = { 0 };
	enum tocsin_err err = TOCSIN_ENOTFOUND;
	size_t i;

	memcpy(m.hash, f->hash, sizeof(m.hash));
	for (i = 0; i < f->nid && err == TOCSIN_ENOTFOUND; i++) {
		memcpy(m.id, f->id[i], sizeof(m.id));
		err = way_range(f->w, &m, plain, &range);
	}
	if (!err && range.total != f->part.total)
		err = TOCSIN_EBODYMISMATCH;
	if (!err && range.bytes.n == 0)
		err = TOCSIN_ENOTFOUND;
	if (!err && range.bytes.n > max)
		err = TOCSIN_EMALFORMED;
	*bytes = range.bytes;
	return err;
}

static enum tocsin_err
read_there(
    struct fix *f, uint64_t offset, struct buf *plain, struct span *bytes)
{
	size_t n = range_size(f, offset);
	enum tocsin_err err = range_there(f, offset, n, plain, bytes);

	return !err && bytes->n != n ? TOCSIN_ENOTFOUND : err;
}

/* ---- first: is it right with what is there? ---- */

static void
add_mark(struct fix *f, uint64_t offset, struct span bytes)
{
	uint8_t hash[32];

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	buf_u64(&f->marks, offset);
	buf_add(&f->marks, SPAN(hash));
}

static enum tocsin_err
hash_range(struct fix *f, uint64_t offset, crypto_hash_sha256_state *sha)
{
	struct buf here = { 0 }, plain = { 0 };
	struct span bytes;
	enum tocsin_err err = read_here(f, offset, &here);

	if (!err) {
		sha256_update(sha, buf_span(&here));
	} else if (err == TOCSIN_EBODYMISMATCH) {
		err = read_there(f, offset, &plain, &bytes);
		if (!err) {
			sha256_update(sha, bytes);
			add_mark(f, offset, bytes);
		}
	}
	buf_release(&here);
	buf_release(&plain);
	return err;
}

static enum tocsin_err
hash_all(struct fix *f)
{
	crypto_hash_sha256_state sha;
	uint8_t got[32];
	uint64_t offset;
	enum tocsin_err err = TOCSIN_OK;

	crypto_hash_sha256_init(&sha);
	for (offset = 0; offset < f->part.have && !err; offset += STORE_RANGE)
		err = mend_stopping(f->w->m) ? TOCSIN_EUNAVAILABLE
					     : hash_range(f, offset, &sha);
	crypto_hash_sha256_final(&sha, got);
	if (!err && memcmp(got, f->sum, sizeof(got)) != 0)
		err = TOCSIN_EBODYMISMATCH;
	return !err && !buf_ok(&f->marks) ? TOCSIN_EBUSY : err;
}

/* ---- then: replace ---- */

struct range {
	struct job job;
	const struct fix *f;
	uint64_t offset;
	struct span bytes;
};

static enum tocsin_err
range_apply(struct job *job, struct batch *batch)
{
	struct range *r = (struct range *)job;
	enum tocsin_err err;

	err = store_part_mend(batch->tx, r->f->hash, r->offset, r->bytes);
	return err == TOCSIN_EDUPLICATE ? TOCSIN_OK : err;
}

static enum tocsin_err
replace(struct fix *f, struct rd *marks)
{
	struct range r = { .f = f, .job = { .apply = range_apply } };
	struct buf plain = { 0 };
	uint8_t hash[32];
	struct span want;
	enum tocsin_err err;

	r.offset = rd_u64(marks);
	want = rd_span(marks, sizeof(hash));
	err = read_there(f, r.offset, &plain, &r.bytes);
	if (!err) {
		crypto_hash_sha256(hash, r.bytes.p, r.bytes.n);
		if (!span_eq(want, SPAN(hash)))
			err = TOCSIN_EBODYMISMATCH;
	}
	r.job.weight = r.bytes.n;
	if (!err)
		err = writer_call(f->w->b->writer, &r.job);
	buf_release(&plain);
	return err;
}

/* Peers to which it was going pass over what is damaged. */
static enum tocsin_err
again_apply(struct job *job, struct batch *batch)
{
	const struct fix *f = ((struct range *)job)->f;
	enum tocsin_err err;

	err = intake_send_part_again(batch, f->hash, f->part.first_seq);
	if (!err && f->part.last_seq != f->part.first_seq)
		err = intake_send_part_again(batch, f->hash, f->part.last_seq);
	return err;
}

static enum tocsin_err
replace_all(struct fix *f)
{
	struct range again = { .f = f,
		.job = { .weight = 256, .apply = again_apply } };
	struct rd marks = rd_init(buf_span(&f->marks));
	enum tocsin_err err = TOCSIN_OK;

	while (!err && marks.rest.n > 0)
		err = mend_stopping(f->w->m) ? TOCSIN_EUNAVAILABLE
					     : replace(f, &marks);
	if (!err && f->part.complete && f->marks.n > 0)
		err = writer_call(f->w->b->writer, &again.job);
	return err;
}

enum tocsin_err
part_mend(struct way *w, const uint8_t hash[32])
{
	struct fix f;
	enum tocsin_err err = fix_begin(&f, w, hash);

	if (!err)
		err = hash_all(&f);
	if (!err)
		err = replace_all(&f);
	if (!err) {
		store_part_mended(w->b->store, hash);
		log_event(LOG_WARN, "part-mended",
		    LOG_X("hash", ((struct span){ hash, 32 })),
		    LOG_U("ranges", f.marks.n / MARK_LEN),
		    LOG_Z("peer", w->peer->name), LOG_END);
	}
	buf_release(&f.marks);
	return err;
}

/* ---- what is not whole ---- */

struct more {
	struct job job;
	const struct fix *f;
	struct span bytes;
};

/* Others may write to it, too: what is not at its end is no harm. */
static enum tocsin_err
more_apply(struct job *job, struct batch *batch)
{
	struct more *m = (struct more *)job;
	uint64_t have = m->f->part.have;
	enum tocsin_err err;

	err = store_part_write(batch->tx, m->f->hash, have, m->bytes, &have);
	if (err == TOCSIN_EDUPLICATE)
		return TOCSIN_OK;
	return !err && have == m->f->part.total
		   ? intake_part_complete(batch, m->f->hash)
		   : err;
}

/* Less than was asked for is all that there is: *last. */
static enum tocsin_err
add_more(struct fix *f, bool *last)
{
	struct more m = { .f = f, .job = { .apply = more_apply } };
	struct buf plain = { 0 };
	enum tocsin_err err;

	err = range_there(f, f->part.have, MSG_RANGE_MAX, &plain, &m.bytes);
	m.job.weight = m.bytes.n;
	*last = m.bytes.n < MSG_RANGE_MAX;
	if (!err)
		err = writer_call(f->w->b->writer, &m.job);
	buf_release(&plain);
	return err;
}

/* NOTFOUND: the peer has not got all of it. */
static enum tocsin_err
part_complete(struct way *w, const uint8_t hash[32])
{
	struct fix f;
	bool last = false;
	enum tocsin_err err = fix_begin(&f, w, hash);

	while (!err && !f.part.complete) {
		if (last)
			return TOCSIN_ENOTFOUND;
		err = way_over(w) ? TOCSIN_EUNAVAILABLE : add_more(&f, &last);
		if (!err)
			err = fix_begin(&f, w, hash);
	}
	return err;
}

static enum tocsin_err
lacking(struct way *w, const uint8_t *after, uint8_t hash[32])
{
	struct store_rx *rx;
	enum tocsin_err err;

	do {
		err = store_read(w->b->store, &rx);
		if (err)
			return err;
		err = store_part_lacking(rx, after, LOOK_AT, hash);
		store_read_end(rx);
		after = hash;
	} while (err == TOCSIN_EBUSY && !mend_stopping(w->m));
	return err;
}

/* One that the peer has not got, or has otherwise, does not hold up others. */
enum tocsin_err
parts_complete(struct way *w, struct parts_at *at)
{
	uint8_t hash[32];
	enum tocsin_err err;

	while (!(err = lacking(w, at->begun ? at->hash : NULL, hash))) {
		err = part_complete(w, hash);
		if (way_failed(err))
			return err;
		at->completed += !err;
		at->begun = true;
		memcpy(at->hash, hash, sizeof(at->hash));
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}
