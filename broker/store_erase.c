/* SPDX-License-Identifier: ISC */
/*
 * Erasing. The record's bytes are overwritten in the segment and its tail, and
 * the entry's row, which keeps the nodes of the tree, names no bytes any more.
 * What stays of the entry stands among the amends. When nothing lives in a
 * segment it is deleted, which is when room is gained.
 */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <string.h>

static enum tocsin_err
copy_row(struct buf *out, struct store_tx *tx, uint64_t key)
{
	struct span value;
	enum tocsin_err err = raw_get(&tx->view, T_LOG, key_u64(&key), &value);

	if (err)
		return err;
	buf_add(out, value);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EBUSY;
}

static enum tocsin_err
place_get(struct entry_row *row, struct store_rx *rx, uint64_t seq)
{
	uint64_t key = 2 * seq;
	struct span value;
	enum tocsin_err err = raw_get(rx, T_LOG, key_u64(&key), &value);

	if (err)
		return err;
	value = span_cut(value, 0, entry_fixed(seq) + CHECK_LEN);
	if (value.n < entry_fixed(seq) + CHECK_LEN ||
	    !row_open(T_LOG, key_u64(&key), &value))
		return TOCSIN_EBODYMISMATCH; /* it may name another's bytes */
	memcpy(row, value.p, sizeof(*row));
	return TOCSIN_OK;
}

/* The row names no record from now on. */
static enum tocsin_err
place_forget(struct store_tx *tx, uint64_t seq)
{
	uint64_t key = 2 * seq;
	size_t fixed = entry_fixed(seq);
	struct entry_row row;
	struct buf b = { 0 };
	enum tocsin_err err = copy_row(&b, tx, key);

	if (!err && b.n < fixed + CHECK_LEN)
		err = TOCSIN_EBODYMISMATCH;
	if (!err) {
		memcpy(&row, b.p, sizeof(row));
		row.len = 0;
		memset(row.check, 0, sizeof(row.check));
		memcpy(b.p, &row, sizeof(row));
		row_check(b.p + fixed, T_LOG, key_u64(&key),
		    (struct span){ b.p, fixed });
		err = raw_put(tx, T_LOG, key_u64(&key), buf_span(&b));
	}
	buf_release(&b);
	return err;
}

/* Zeros over [from, to) of a value, as far as it goes. */
static enum tocsin_err
zero(struct store_tx *tx, uint64_t key, uint64_t from, uint64_t to)
{
	struct buf b = { 0 };
	enum tocsin_err err = copy_row(&b, tx, key);

	if (to > b.n)
		to = b.n;
	if (!err && from < to) {
		memset(b.p + from, 0, (size_t)(to - from));
		err = raw_put(tx, T_LOG, key_u64(&key), buf_span(&b));
	}
	buf_release(&b);
	return err;
}

/* The segment's own value and then its tail, behind the row of its first. */
static enum tocsin_err
zero_record(struct store_tx *tx, const struct entry_row *row)
{
	uint64_t first = 2 * row->segment, next = first + 1;
	uint64_t from = row->offset, to = from + row->len;
	uint64_t tail = entry_fixed(row->segment) + CHECK_LEN;
	struct span seg = { 0 };
	enum tocsin_err err = raw_get(&tx->view, T_LOG, key_u64(&next), &seg);
	uint64_t whole = seg.n;

	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	if (!err && from < whole)
		err = zero(tx, next, from, to < whole ? to : whole);
	if (!err && to > whole)
		err = zero(tx, first, tail + (from > whole ? from - whole : 0),
		    tail + to - whole);
	return err;
}

static bool
lives(struct store_tx *tx, uint64_t segment)
{
	struct entry_row row;
	uint64_t seq;

	for (seq = segment; seq < tx->first; seq++) {
		if (place_get(&row, &tx->view, seq) != TOCSIN_OK)
			return true; /* better not */
		if (row.segment != segment)
			return false;
		if (row.len > 0)
			return true;
	}
	return false;
}

static enum tocsin_err
drop_segment(struct store_tx *tx, uint64_t segment)
{
	uint64_t first = 2 * segment, next = first + 1;
	struct buf b = { 0 };
	enum tocsin_err err = row_del(tx, T_LOG, key_u64(&next));

	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	if (!err)
		err = copy_row(&b, tx, first);
	if (!err) {
		buf_cut(&b, entry_fixed(segment) + CHECK_LEN);
		err = raw_put(tx, T_LOG, key_u64(&first), buf_span(&b));
	}
	buf_release(&b);
	return err;
}

/* What is left of an entry. */
static enum tocsin_err
put_stub(struct store_tx *tx, const struct store_entry *e)
{
	struct store_entry stub = *e;
	struct buf record = { 0 };
	enum tocsin_err err = TOCSIN_EBUSY;

	stub.note = stub.body = (struct span){ 0 };
	stub.erased = true;
	record_encode(&record, e->seq, &stub);
	if (buf_ok(&record))
		err =
		    row_put(tx, T_AMENDS, key_u64(&e->seq), buf_span(&record));
	buf_release(&record);
	return err;
}

/* It is copied to be overwritten. */
static uint64_t
segment_size(struct store_tx *tx, uint64_t segment)
{
	uint64_t key = 2 * segment + 1;
	struct span seg = { 0 };

	return raw_get(&tx->view, T_LOG, key_u64(&key), &seg) == TOCSIN_OK
		   ? seg.n
		   : 0;
}

enum tocsin_err
store_erase(struct store_tx *tx, uint64_t seq)
{
	struct entry_row row;
	struct store_entry e;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	if (seq >= tx->first) { /* of this very transaction: write it first */
		err = tx_seal(tx);
		if (err)
			return tx_refuse(tx, err);
	}
	err = store_get(&tx->view, seq, &e);
	if (err || e.erased)
		return err;
	err = place_get(&row, &tx->view, seq);
	if (err)
		return err;
	err = tx_room(tx, 8 + segment_size(tx, row.segment) / tx->view.s->page,
	    ROOM_CONTROL);
	if (!err)
		err = put_stub(tx, &e);
	if (!err)
		err = place_forget(tx, seq);
	if (!err && row.len > 0)
		err = zero_record(tx, &row);
	if (!err && !lives(tx, row.segment))
		err = drop_segment(tx, row.segment);
	return err ? tx_refuse(tx, err) : TOCSIN_OK;
}
