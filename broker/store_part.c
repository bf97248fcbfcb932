/* SPDX-License-Identifier: ISC */
/*
 * Parts. The bytes are chunks of one size under the part's number; the last one
 * grows as bytes arrive. The row of the part carries the state of its SHA-256,
 * so that the check at the end costs nothing more and a restart loses nothing.
 *
 * A part of 4 GiB is 75,000 chunks: to delete them in one transaction would
 * stop the log for seconds. Dropping takes the row away and leaves the number
 * in `garbage`; each commit from then on takes some chunks away.
 */
#include "broker/store.h"

#include "broker/store_impl.h"
#include "crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

#define PART_MAX (UINT64_C(4) << 30)

#define CHUNK_PAGES 14
_Static_assert(STORE_RANGE == CHUNK_MAX, "a range of a part is a chunk");

/* ---- chunks ---- */

static struct span
chunk_key(struct key *k, uint64_t no, uint64_t index)
{
	k->n = 0;
	key_be64(k, no);
	key_be64(k, index);
	return key_span(k);
}

static void
chunk_check(
    uint8_t check[CHECK_LEN], uint64_t no, uint64_t index, struct span bytes)
{
	struct key k;
	struct span name = chunk_key(&k, no, index);

	bytes_check(check, name, bytes);
}

enum tocsin_err
chunk_get(
    const struct store_rx *rx, uint64_t no, uint64_t index, struct span *bytes)
{
	uint8_t check[CHECK_LEN];
	struct span name, got;
	enum tocsin_err err;
	struct key k;

	name = chunk_key(&k, no, index);
	err = raw_get(rx, T_CHUNKS, name, &got);
	if (err)
		return err;
	if (got.n < CHECK_LEN || got.n > CHUNK_MAX + CHECK_LEN)
		return TOCSIN_EBODYMISMATCH;
	got.n -= CHECK_LEN;
	chunk_check(check, no, index, got);
	if (memcmp(check, got.p + got.n, CHECK_LEN) != 0)
		return TOCSIN_EBODYMISMATCH;
	*bytes = got;
	return TOCSIN_OK;
}

/* Write chunk `index` as the first `keep` bytes of what it was, and `more`. */
static enum tocsin_err
chunk_put(struct store_tx *tx, uint64_t no, uint64_t index, size_t keep,
    struct span more)
{
	size_t n = keep + more.n;
	struct span old = { 0 };
	enum tocsin_err err;
	struct key k;

	if (tx->chunk == NULL)
		tx->chunk = malloc(CHUNK_MAX + CHECK_LEN);
	if (tx->chunk == NULL)
		return tx_refuse(tx, TOCSIN_EBUSY);
	if (keep > 0) {
		err = chunk_get(&tx->view, no, index, &old);
		if (!err && old.n != keep)
			err = TOCSIN_EBODYMISMATCH;
		if (err)
			return tx_refuse(tx, TOCSIN_EBODYMISMATCH);
		memcpy(tx->chunk, old.p, keep);
	}
	memcpy(tx->chunk + keep, more.p, more.n);
	chunk_check(tx->chunk + n, no, index, (struct span){ tx->chunk, n });
	return raw_put(tx, T_CHUNKS, chunk_key(&k, no, index),
	    (struct span){ tx->chunk, n + CHECK_LEN });
}

uint64_t
chunks_of(const struct part_row *row)
{
	return (row->have + CHUNK_MAX - 1) / CHUNK_MAX;
}

/* ---- rows ---- */

static struct span
hash_key(const uint8_t hash[32])
{
	return (struct span){ hash, 32 };
}

enum tocsin_err
part_row_get(
    const struct store_rx *rx, const uint8_t hash[32], struct part_row *row)
{
	struct span value;
	enum tocsin_err err = row_get(rx, T_PARTS, hash_key(hash), &value);

	if (err)
		return err;
	if (value.n != sizeof(*row))
		return TOCSIN_EBODYMISMATCH;
	memcpy(row, value.p, sizeof(*row));
	return TOCSIN_OK;
}

static enum tocsin_err
part_row_put(
    struct store_tx *tx, const uint8_t hash[32], const struct part_row *row)
{
	return row_put(tx, T_PARTS, hash_key(hash),
	    (struct span){ (const uint8_t *)row, sizeof(*row) });
}

/* A number that no part had before. */
static enum tocsin_err
part_number(struct store_tx *tx, uint64_t *no)
{
	struct span name = span_of("part"), value;
	enum tocsin_err err = row_get(&tx->view, T_META, name, &value);

	*no = 0;
	if (!err && value.n == sizeof(*no))
		memcpy(no, value.p, sizeof(*no));
	else if (err != TOCSIN_ENOTFOUND)
		return tx_refuse(tx, TOCSIN_EINTERNAL);
	++*no;
	return row_put(tx, T_META, name, key_u64(no));
}

/* ---- dropping ---- */

/* Delete up to SWEEP_MAX chunks from the last on; what is left stays noted. */
static enum tocsin_err
sweep(struct store_tx *tx, uint64_t no, uint64_t chunks)
{
	unsigned budget = SWEEP_MAX;
	enum tocsin_err err;
	struct key k;

	while (chunks > 0 && budget-- > 0) {
		err = row_del(tx, T_CHUNKS, chunk_key(&k, no, --chunks));
		if (err && err != TOCSIN_ENOTFOUND)
			return err;
	}
	if (chunks > 0)
		return row_put(tx, T_GARBAGE, key_u64(&no), key_u64(&chunks));
	err = row_del(tx, T_GARBAGE, key_u64(&no));
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
parts_sweep(struct store_tx *tx)
{
	struct span key, value;
	uint64_t no, chunks;
	enum tocsin_err err;

	err = row_seek(&tx->view, T_GARBAGE, (struct span){ 0 }, &key, &value);
	if (err)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	if (key.n != sizeof(no) || !row_open(T_GARBAGE, key, &value) ||
	    value.n != sizeof(chunks))
		return TOCSIN_OK; /* for store_verify() to say */
	memcpy(&no, key.p, sizeof(no));
	memcpy(&chunks, value.p, sizeof(chunks));
	return sweep(tx, no, chunks);
}

/* Begin again, under a number of its own: the old chunks may go slowly. */
static enum tocsin_err
part_restart(struct store_tx *tx, const uint8_t hash[32], struct part_row *row)
{
	enum tocsin_err err = TOCSIN_OK;

	if (row->have > 0)
		err = sweep(tx, row->no, chunks_of(row));
	if (!err)
		err = part_number(tx, &row->no);
	if (err)
		return err;
	row->have = 0;
	row->complete = 0;
	crypto_hash_sha256_init(&row->sha);
	return part_row_put(tx, hash, row);
}

enum tocsin_err
store_part_drop(struct store_tx *tx, const uint8_t hash[32])
{
	struct part_row row;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	err = part_row_get(&tx->view, hash, &row);
	if (err)
		return err;
	err = row_del(tx, T_PARTS, hash_key(hash));
	if (!err && row.have > 0)
		err = sweep(tx, row.no, chunks_of(&row));
	return err;
}

enum tocsin_err
store_part_unname(struct store_tx *tx, const uint8_t hash[32])
{
	struct part_row row;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	err = part_row_get(&tx->view, hash, &row);
	if (err)
		return err;
	if (row.names == 0) /* staged anew, after it was dropped */
		return TOCSIN_OK;
	if (row.names == 1)
		return store_part_drop(tx, hash);
	row.names--;
	return part_row_put(tx, hash, &row);
}

/* ---- writing ---- */

static bool
part_hash_right(const struct part_row *row, const uint8_t hash[32])
{
	crypto_hash_sha256_state sha = row->sha;
	uint8_t got[32];

	crypto_hash_sha256_final(&sha, got);
	return memcmp(got, hash, sizeof(got)) == 0;
}

static enum tocsin_err
part_new(struct store_tx *tx, const uint8_t hash[32], uint64_t total,
    uint64_t first_seq)
{
	struct part_row row;
	enum tocsin_err err;

	err = tx_room(tx, CHUNK_PAGES, ROOM_TICKET);
	if (err)
		return err;
	memset(&row, 0, sizeof(row)); /* padding too: it is written */
	row.total = total;
	row.first_seq = row.last_seq = first_seq;
	row.names = first_seq > 0;
	crypto_hash_sha256_init(&row.sha);
	row.complete = total == 0;
	if (total == 0 && !part_hash_right(&row, hash))
		return TOCSIN_EBODYMISMATCH;
	err = part_number(tx, &row.no);
	return err ? err : part_row_put(tx, hash, &row);
}

static enum tocsin_err
name_again(struct store_tx *tx, const uint8_t hash[32], struct part_row *row,
    uint64_t seq)
{
	if (seq <= row->last_seq)
		return TOCSIN_OK;
	row->names++;
	if (row->first_seq == 0)
		row->first_seq = seq;
	row->last_seq = seq;
	return part_row_put(tx, hash, row);
}

enum tocsin_err
store_part_expect(struct store_tx *tx, const uint8_t hash[32], uint64_t total,
    uint64_t first_seq)
{
	struct part_row row;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	if (first_seq > tx->head)
		return TOCSIN_EUSAGE;
	if (total > PART_MAX)
		return TOCSIN_ETOOLARGE;
	err = part_row_get(&tx->view, hash, &row);
	if (err == TOCSIN_ENOTFOUND)
		return part_new(tx, hash, total, first_seq);
	if (err)
		return err;
	if (row.total != total)
		return TOCSIN_EMALFORMED;
	return name_again(tx, hash, &row, first_seq);
}

enum tocsin_err
store_part_name(struct store_tx *tx, const uint8_t hash[32], uint64_t total,
    uint64_t first_seq)
{
	struct part_row row;
	enum tocsin_err err = store_part_expect(tx, hash, total, first_seq);

	if (err != TOCSIN_EMALFORMED)
		return err;
	err = part_row_get(&tx->view, hash, &row);
	if (err)
		return err;
	if (row.complete)
		return TOCSIN_EMALFORMED;
	return name_again(tx, hash, &row, first_seq);
}

static enum tocsin_err
part_fill(struct store_tx *tx, struct part_row *row, struct span bytes)
{
	enum tocsin_err err;

	sha256_update(&row->sha, bytes);
	while (bytes.n > 0) {
		size_t in = (size_t)(row->have % CHUNK_MAX);
		struct span now = span_cut(bytes, 0, CHUNK_MAX - in);

		err = chunk_put(tx, row->no, row->have / CHUNK_MAX, in, now);
		if (err)
			return err;
		row->have += now.n;
		bytes = span_cut(bytes, now.n, bytes.n);
	}
	return TOCSIN_OK;
}

enum tocsin_err
store_part_write(struct store_tx *tx, const uint8_t hash[32], uint64_t offset,
    struct span bytes, uint64_t *have)
{
	struct part_row row;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	err = part_row_get(&tx->view, hash, &row);
	if (err)
		return err;
	*have = row.have;
	if (offset != row.have)
		return TOCSIN_EDUPLICATE;
	if (bytes.n > row.total - row.have)
		return TOCSIN_ETOOLARGE;
	if (bytes.n == 0)
		return TOCSIN_OK;
	err = tx_room(tx, (2 + bytes.n / CHUNK_MAX) * CHUNK_PAGES, ROOM_TICKET);
	if (!err)
		err = part_fill(tx, &row, bytes);
	if (err)
		return err;
	row.complete = row.have == row.total && part_hash_right(&row, hash);
	if (row.have == row.total && !row.complete) {
		*have = 0;
		err = part_restart(tx, hash, &row);
		return err ? err : TOCSIN_EBODYMISMATCH;
	}
	*have = row.have;
	return part_row_put(tx, hash, &row);
}

/* The bytes of `from` are those of the part. */
static enum tocsin_err
part_become(struct store_tx *tx, const uint8_t hash[32], struct part_row *row,
    const struct part_row *from)
{
	enum tocsin_err err = TOCSIN_OK;

	if (row->have > 0)
		err = sweep(tx, row->no, chunks_of(row));
	if (err)
		return err;
	row->no = from->no;
	row->total = from->total;
	row->have = from->have;
	row->sha = from->sha;
	row->complete = 1;
	return part_row_put(tx, hash, row);
}

static enum tocsin_err
aside_row(struct store_tx *tx, const uint8_t key[32], uint64_t total,
    struct part_row *row)
{
	enum tocsin_err err = part_row_get(&tx->view, key, row);

	if (!err && row->total != total) { /* it says otherwise now */
		err = store_part_drop(tx, key);
		if (!err)
			err = TOCSIN_ENOTFOUND;
	}
	if (err != TOCSIN_ENOTFOUND)
		return err;
	err = part_new(tx, key, total, 0);
	return err ? err : part_row_get(&tx->view, key, row);
}

enum tocsin_err
store_part_aside(struct store_tx *tx, const uint8_t key[32],
    const uint8_t hash[32], uint64_t total, uint64_t offset, struct span bytes,
    uint64_t *have)
{
	struct part_row row, part;
	enum tocsin_err err;

	*have = 0;
	if (tx->failed)
		return tx->failed;
	if (total == 0 || total > PART_MAX)
		return TOCSIN_ETOOLARGE;
	err = part_row_get(&tx->view, hash, &part);
	if (!err && part.complete)
		err = TOCSIN_EUSAGE;
	if (!err)
		err = aside_row(tx, key, total, &row);
	if (err)
		return err;
	*have = row.have;
	if (offset != row.have)
		return TOCSIN_EDUPLICATE;
	if (bytes.n > row.total - row.have)
		return TOCSIN_ETOOLARGE;
	err = tx_room(tx, (2 + bytes.n / CHUNK_MAX) * CHUNK_PAGES, ROOM_TICKET);
	if (!err)
		err = part_fill(tx, &row, bytes);
	if (err)
		return err;
	*have = row.have;
	if (row.have < row.total)
		return part_row_put(tx, key, &row);
	if (part_hash_right(&row, hash)) {
		err = row_del(tx, T_PARTS, hash_key(key));
		return err ? err : part_become(tx, hash, &part, &row);
	}
	*have = 0;
	err = part_row_put(tx, key, &row); /* all its chunks are to go */
	if (!err)
		err = store_part_drop(tx, key);
	return err ? err : TOCSIN_EBODYMISMATCH;
}

/* ---- reading ---- */

static void
part_damaged_note(struct store *s, const uint8_t hash[32])
{
	size_t i;

	pthread_mutex_lock(&s->damaged_lock);
	for (i = 0; i < s->nparts_damaged; i++)
		if (memcmp(s->parts_damaged[i], hash, 32) == 0)
			break;
	if (i == s->nparts_damaged && i < STORE_DAMAGED_MAX)
		memcpy(s->parts_damaged[s->nparts_damaged++], hash, 32);
	pthread_mutex_unlock(&s->damaged_lock);
}

enum tocsin_err
store_part_stat(
    struct store_rx *rx, const uint8_t hash[32], struct store_part *out)
{
	struct part_row row;
	enum tocsin_err err = part_row_get(rx, hash, &row);

	if (err)
		return err;
	*out = (struct store_part){ row.total, row.have, row.complete != 0,
		row.first_seq, row.last_seq };
	return TOCSIN_OK;
}

enum tocsin_err
store_part_read(struct store_rx *rx, const uint8_t hash[32], uint64_t offset,
    size_t max, struct buf *out)
{
	size_t before = out->n;
	struct part_row row;
	struct span bytes;
	enum tocsin_err err;

	err = part_row_get(rx, hash, &row);
	if (err)
		return err;
	while (max > 0 && offset < row.have) {
		err = chunk_get(rx, row.no, offset / CHUNK_MAX, &bytes);
		if (!err)
			bytes =
			    span_cut(bytes, (size_t)(offset % CHUNK_MAX), max);
		if (err || bytes.n == 0) { /* below `have` nothing is missing */
			buf_cut(out, before);
			if (err == TOCSIN_EINTERNAL)
				return err;
			if (row.first_seq > 0)
				part_damaged_note(rx->s, hash);
			return TOCSIN_EBODYMISMATCH;
		}
		buf_add(out, bytes);
		offset += bytes.n;
		max -= bytes.n;
	}
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EBUSY;
}

enum tocsin_err
store_part_sum(struct store_rx *rx, const uint8_t hash[32], uint8_t sum[32])
{
	struct part_row row;
	enum tocsin_err err = part_row_get(rx, hash, &row);

	if (err)
		return err;
	if (row.complete)
		memcpy(sum, hash, 32);
	else
		crypto_hash_sha256_final(&row.sha, sum);
	return TOCSIN_OK;
}

/* The next key; false: it was the last one. */
static bool
hash_next(uint8_t hash[32])
{
	size_t i = 32;

	while (i > 0 && ++hash[i - 1] == 0)
		i--;
	return i > 0;
}

enum tocsin_err
store_part_lacking(
    struct store_rx *rx, const uint8_t *after, unsigned max, uint8_t hash[32])
{
	struct span key, value;
	struct part_row row;
	uint8_t from[32] = { 0 };
	enum tocsin_err err;

	if (after)
		memcpy(from, after, sizeof(from));
	if (after && !hash_next(from))
		return TOCSIN_ENOTFOUND;
	for (; max > 0; max--) {
		err = row_seek(rx, T_PARTS, SPAN(from), &key, &value);
		if (err)
			return err;
		if (key.n != sizeof(from))
			return TOCSIN_EBODYMISMATCH;
		memcpy(hash, key.p, 32);
		memcpy(from, key.p, 32);
		if (part_row_get(rx, from, &row) == TOCSIN_OK &&
		    !row.complete && row.first_seq > 0)
			return TOCSIN_OK;
		if (!hash_next(from))
			return TOCSIN_ENOTFOUND;
	}
	return TOCSIN_EBUSY;
}

/* ---- mending ---- */

size_t
store_parts_damaged(struct store *s, uint8_t hashes[STORE_DAMAGED_MAX][32])
{
	size_t n;

	pthread_mutex_lock(&s->damaged_lock);
	n = s->nparts_damaged;
	memcpy(hashes, s->parts_damaged, n * sizeof(*hashes));
	pthread_mutex_unlock(&s->damaged_lock);
	return n;
}

void
store_part_mended(struct store *s, const uint8_t hash[32])
{
	size_t i;

	pthread_mutex_lock(&s->damaged_lock);
	for (i = 0; i < s->nparts_damaged; i++)
		if (memcmp(s->parts_damaged[i], hash, 32) == 0)
			break;
	if (i < s->nparts_damaged)
		memmove(s->parts_damaged[i],
		    s->parts_damaged[--s->nparts_damaged], 32);
	pthread_mutex_unlock(&s->damaged_lock);
}

enum tocsin_err
store_part_mend(struct store_tx *tx, const uint8_t hash[32], uint64_t offset,
    struct span bytes)
{
	struct part_row row;
	struct span there;
	uint64_t n;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	err = part_row_get(&tx->view, hash, &row);
	if (err)
		return err;
	if (offset % CHUNK_MAX != 0 || offset >= row.have)
		return TOCSIN_EUSAGE;
	n = row.have - offset < CHUNK_MAX ? row.have - offset : CHUNK_MAX;
	if (bytes.n != n)
		return TOCSIN_EUSAGE;
	err = chunk_get(&tx->view, row.no, offset / CHUNK_MAX, &there);
	if (!err && there.n == n)
		return TOCSIN_EDUPLICATE;
	if (err == TOCSIN_EINTERNAL)
		return err;
	err = tx_room(tx, CHUNK_PAGES, ROOM_CONTROL);
	return err ? err : chunk_put(tx, row.no, offset / CHUNK_MAX, 0, bytes);
}
