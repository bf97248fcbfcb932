/* SPDX-License-Identifier: ISC */
/* Transactions, snapshots, rows; the log itself and its tree. */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <xxhash.h>

/* With less left than this, the engine's EIO is a short write: disk full. */
#define DISK_LEFT (4 * 1024 * 1024)

#define FLAG_DETACHED 0x01
#define FLAG_ERASED 0x02

/* ---- errors ---- */

static bool
disk_is_full(const struct store *s)
{
	struct statvfs vfs;

	if (fstatvfs(s->file, &vfs) != 0)
		return false;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize < DISK_LEFT;
}

enum tocsin_err
store_from_mdb(const struct store *s, int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return TOCSIN_OK;
	case MDB_NOTFOUND:
		return TOCSIN_ENOTFOUND;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return TOCSIN_ENOSPACE;
	case EIO: /* also what the engine makes of a short write */
		return disk_is_full(s) ? TOCSIN_ENOSPACE : TOCSIN_EINTERNAL;
	case MDB_TXN_FULL:
		return TOCSIN_ETOOLARGE;
	case MDB_READERS_FULL:
	case ENOMEM:
		return TOCSIN_EBUSY;
	default:
		return TOCSIN_EINTERNAL;
	}
}

enum tocsin_err
tx_refuse(struct store_tx *tx, enum tocsin_err err)
{
	if (!tx->failed)
		tx->failed = err;
	return err;
}

/* As store_from_mdb(), and tx_refuse(), unless it is ENOTFOUND. */
static enum tocsin_err
tx_fail(struct store_tx *tx, int rc)
{
	enum tocsin_err err = store_from_mdb(tx->view.s, rc);

	if (err && err != TOCSIN_ENOTFOUND)
		tx_refuse(tx, err);
	return err;
}

/* ---- rows ---- */

static MDB_val
val(struct span s)
{
	return (MDB_val){ .mv_size = s.n, .mv_data = (void *)(uintptr_t)s.p };
}

static struct span
span(MDB_val v)
{
	return (struct span){ v.mv_data, v.mv_size };
}

_Thread_local volatile int store_depth;

bool
store_inside(void)
{
	return store_depth > 0;
}

/* What a writer has changed is on the heap until it commits. */
bool
value_take(const struct store_rx *rx, const MDB_val *v, struct span *out)
{
	const struct store *s = rx->s;
	uintptr_t at = (uintptr_t)v->mv_data - s->map;
	uint64_t end =
	    rx->tx != NULL ? s->file_size : pages_in_file(s) * s->page;

	*out = span(*v);
	if (s->map == 0 || v->mv_size == 0)
		return true;
	if (at >= s->limit)
		return rx->tx != NULL;
	return at < end && v->mv_size <= end - at;
}

struct span
key_u64(const uint64_t *key)
{
	return (struct span){ (const uint8_t *)key, sizeof(*key) };
}

/*
 * SipHash of the value, under a key made of the table and the row's key: a row
 * that strays to another place fails as one with a flipped bit does.
 */
void
row_check(
    uint8_t check[CHECK_LEN], enum table t, struct span key, struct span value)
{
	uint8_t outer[crypto_shorthash_KEYBYTES] = "tocsin row";
	uint8_t inner[crypto_shorthash_KEYBYTES] = { 0 };

	outer[15] = inner[15] = (uint8_t)t;
	crypto_shorthash(inner, key.p, key.n, outer);
	crypto_shorthash(check, value.p, value.n, inner);
}

void
bytes_check(uint8_t check[CHECK_LEN], struct span name, struct span bytes)
{
	uint64_t h = XXH64(bytes.p, bytes.n, XXH64(name.p, name.n, 0));

	memcpy(check, &h, sizeof(h));
}

bool
row_open(enum table t, struct span key, struct span *value)
{
	uint8_t check[CHECK_LEN];

	if (value->n < CHECK_LEN)
		return false;
	value->n -= CHECK_LEN;
	row_check(check, t, key, *value);
	return memcmp(check, value->p + value->n, CHECK_LEN) == 0;
}

enum tocsin_err
raw_get(const struct store_rx *rx, enum table t, struct span key,
    struct span *value)
{
	MDB_val k = val(key), v;
	int rc = ENGINE(mdb_get(rx->txn, rx->s->dbi[t], &k, &v));

	if (!rc && !value_take(rx, &v, value))
		return TOCSIN_EBODYMISMATCH;
	return store_from_mdb(rx->s, rc);
}

/* MDB_APPEND among `flags` for a key that is beyond all others. */
static enum tocsin_err
raw_put_how(struct store_tx *tx, enum table t, struct span key,
    struct span value, unsigned flags)
{
	struct store *s = tx->view.s;
	MDB_val k = val(key), v = val(value);

	tx->pages += 1 + value.n / s->page;
	return tx_fail(
	    tx, ENGINE(mdb_put(tx->view.txn, s->dbi[t], &k, &v, flags)));
}

enum tocsin_err
raw_put(struct store_tx *tx, enum table t, struct span key, struct span value)
{
	return raw_put_how(tx, t, key, value, 0);
}

static enum tocsin_err
raw_append(struct store_tx *tx, enum table t, uint64_t key, struct span value)
{
	return raw_put_how(tx, t, key_u64(&key), value, MDB_APPEND);
}

enum tocsin_err
row_get(const struct store_rx *rx, enum table t, struct span key,
    struct span *value)
{
	struct span got;
	enum tocsin_err err = raw_get(rx, t, key, &got);

	if (err)
		return err;
	if (!row_open(t, key, &got))
		return TOCSIN_EBODYMISMATCH;
	*value = got;
	return TOCSIN_OK;
}

static enum tocsin_err
row_put_how(struct store_tx *tx, enum table t, struct span key,
    struct span value, unsigned flags)
{
	MDB_val k = val(key), v = { .mv_size = value.n + CHECK_LEN };
	enum tocsin_err err;
	uint8_t *at;

	tx->pages++;
	err = tx_fail(tx, ENGINE(mdb_put(tx->view.txn, tx->view.s->dbi[t], &k,
			      &v, flags | MDB_RESERVE)));
	if (err)
		return err;
	at = v.mv_data;
	if (value.n > 0)
		memcpy(at, value.p, value.n);
	row_check(at + value.n, t, key, value);
	return TOCSIN_OK;
}

enum tocsin_err
row_put(struct store_tx *tx, enum table t, struct span key, struct span value)
{
	return row_put_how(tx, t, key, value, 0);
}

enum tocsin_err
row_del(struct store_tx *tx, enum table t, struct span key)
{
	MDB_val k = val(key);

	tx->pages++;
	return tx_fail(
	    tx, ENGINE(mdb_del(tx->view.txn, tx->view.s->dbi[t], &k, NULL)));
}

enum tocsin_err
row_seek(const struct store_rx *rx, enum table t, struct span key,
    struct span *found, struct span *stored)
{
	MDB_val k = val(key), v;
	MDB_cursor *c;
	int rc;

	rc = mdb_cursor_open(rx->txn, rx->s->dbi[t], &c);
	if (rc)
		return store_from_mdb(rx->s, rc);
	rc = ENGINE(
	    mdb_cursor_get(c, &k, &v, key.n > 0 ? MDB_SET_RANGE : MDB_FIRST));
	mdb_cursor_close(c);
	if (!rc && (!value_take(rx, &k, found) || !value_take(rx, &v, stored)))
		return TOCSIN_EBODYMISMATCH;
	return store_from_mdb(rx->s, rc);
}

/* ---- snapshots ---- */

static enum tocsin_err
read_head(struct store_rx *rx)
{
	struct store *s = rx->s;
	MDB_cursor *c;
	MDB_val k, v;
	struct span key;
	int rc;

	rx->head = 0;
	rc = mdb_cursor_open(rx->txn, s->dbi[T_LOG], &c);
	if (rc)
		return store_from_mdb(s, rc);
	rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_LAST));
	mdb_cursor_close(c);
	if (rc == MDB_NOTFOUND)
		return TOCSIN_OK;
	if (!rc && (!value_take(rx, &k, &key) || key.n != sizeof(rx->head)))
		return TOCSIN_EBODYMISMATCH;
	if (!rc)
		memcpy(&rx->head, key.p, sizeof(rx->head));
	rx->head /= 2;
	return store_from_mdb(s, rc);
}

void
rx_forget_joined(struct store_rx *rx)
{
	while (rx->joined != NULL) {
		struct joined *j = rx->joined;

		rx->joined = j->next;
		free(j);
	}
}

static struct store_rx *
pool_take(struct store *s)
{
	struct store_rx *rx;

	pthread_mutex_lock(&s->pool_lock);
	rx = s->pool;
	if (rx != NULL)
		s->pool = rx->next;
	pthread_mutex_unlock(&s->pool_lock);
	if (rx != NULL)
		rx->all_seq = 0;
	return rx;
}

void
rx_free(struct store_rx *rx)
{
	rx_forget_joined(rx);
	mdb_txn_abort(rx->txn);
	free(rx);
}

/*
 * A snapshot that was ended keeps its slot in the engine's table of readers, so
 * taking the next one costs no lock there: about a microsecond.
 */
enum tocsin_err
store_read(struct store *s, struct store_rx **out)
{
	struct store_rx *rx = pool_take(s);
	enum tocsin_err err;

	if (rx != NULL) {
		err = store_from_mdb(s, ENGINE(mdb_txn_renew(rx->txn)));
	} else {
		rx = calloc(1, sizeof(*rx));
		if (rx == NULL)
			return TOCSIN_EBUSY;
		rx->s = s;
		err = store_from_mdb(s,
		    ENGINE(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &rx->txn)));
	}
	if (!err)
		err = read_head(rx);
	if (err) {
		rx_free(rx);
		return err;
	}
	*out = rx;
	return TOCSIN_OK;
}

void
store_read_end(struct store_rx *rx)
{
	struct store *s;

	if (rx == NULL)
		return;
	s = rx->s;
	rx_forget_joined(rx);
	mdb_txn_reset(rx->txn);
	pthread_mutex_lock(&s->pool_lock);
	rx->next = s->pool;
	s->pool = rx;
	pthread_mutex_unlock(&s->pool_lock);
}

uint64_t
store_head(struct store_rx *rx)
{
	return rx->tx != NULL ? rx->tx->head : rx->head;
}

/* ---- room ---- */

/* Pages that the engine holds free; all but those a reader still needs. */
static enum tocsin_err
count_free(struct store_rx *rx, uint64_t *pages)
{
	MDB_cursor *c;
	MDB_val k, v;
	struct span value;
	size_t n;
	int rc;

	*pages = 0;
	rc = mdb_cursor_open(rx->txn, 0, &c); /* 0: its table of free pages */
	if (rc)
		return store_from_mdb(rx->s, rc);
	while ((rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT))) == 0) {
		if (!value_take(rx, &v, &value) || value.n < sizeof(n))
			break;
		memcpy(&n, value.p, sizeof(n));
		*pages += n;
	}
	mdb_cursor_close(c);
	if (rc == 0)
		return TOCSIN_EBODYMISMATCH;
	return rc == MDB_NOTFOUND ? TOCSIN_OK : store_from_mdb(rx->s, rc);
}

uint64_t
pages_in_file(const struct store *s)
{
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	return (uint64_t)info.me_last_pgno + 1;
}

void
store_usage(struct store *s, uint64_t *used, uint64_t *limit)
{
	uint64_t pages = pages_in_file(s), free_pages = 0;
	struct store_rx *rx;

	if (store_read(s, &rx) == TOCSIN_OK) {
		if (count_free(rx, &free_pages))
			free_pages = 0;
		store_read_end(rx);
	}
	*used = (pages - free_pages) * s->page;
	*limit = s->limit;
}

/*
 * The engine copies what it changes, so even deleting takes a few pages first.
 * A twentieth of the store, 16 MiB at most, is kept for that; answers may use a
 * fourth of it, rosters, keys and receipts half. It is kept on the disk too:
 * file_solid() has allocated it before a ticket is taken. Counting free pages
 * takes a walk, so it is done only near the end, once a transaction.
 */
#define RESERVE_PAGES 4096
#define COPIED_PAGES 24
#define NEAR_PAGES 2048

/*
 * Pages that there may be: all of the map, or what a full disk gave. A little
 * more than is needed is asked for, then just that.
 */
static uint64_t
pages_possible(struct store *s, uint64_t pages)
{
	if (file_solid(s, (pages + NEAR_PAGES) * s->page))
		return s->limit / s->page;
	(void)file_solid(s, pages * s->page);
	return s->solid / s->page;
}

static uint64_t
reserve_pages(const struct store *s)
{
	uint64_t twentieth = s->limit / s->page / 20;

	return twentieth < RESERVE_PAGES ? twentieth : RESERVE_PAGES;
}

uint64_t
store_reserve(const struct store *s)
{
	return reserve_pages(s) * (ROOM_TICKET - ROOM_ANSWER) / 4 * s->page;
}

enum tocsin_err
tx_room(struct store_tx *tx, uint64_t pages, enum room who)
{
	struct store *s = tx->view.s;
	uint64_t used = pages_in_file(s), all, want, more = 0;
	struct store_rx *rx;
	enum tocsin_err err;

	want = reserve_pages(s) * who / 4 + COPIED_PAGES + tx->pages + pages;
	all = pages_possible(s, used + want);
	if (used < all && all - used > want + NEAR_PAGES)
		return TOCSIN_OK;
	if (!tx->room_counted) {
		err = store_read(s, &rx);
		if (err)
			return err;
		err = count_free(rx, &more);
		store_read_end(rx);
		if (err)
			return err;
		tx->room = more;
		tx->room_counted = true;
	}
	more = tx->room + (used < all ? all - used : 0);
	return want <= more ? TOCSIN_OK : TOCSIN_ENOSPACE;
}

/* ---- transactions ---- */

static void
tx_clear(struct store_tx *tx)
{
	rx_forget_joined(&tx->view);
	tx->view.txn = NULL;
	if (tx->failed || tx->segment.cap > 2 * SEGMENT_MAX) {
		buf_release(&tx->segment);
		buf_release(&tx->rows);
		buf_release(&tx->nodes);
	}
	buf_cut(&tx->segment, 0);
	buf_cut(&tx->rows, 0);
	buf_cut(&tx->nodes, 0);
	tx->failed = TOCSIN_OK;
	tx->pages = 0;
	tx->room_counted = false;
	tx->live = false;
}

enum tocsin_err
store_begin(struct store *s, struct store_tx **out)
{
	struct store_tx *tx = &s->tx;
	enum tocsin_err err;

	if (s->broken)
		return TOCSIN_EINTERNAL;
	if (tx->live)
		return TOCSIN_EBUSY;
	if (file_is_cut(s)) {
		s->broken = true;
		return TOCSIN_EINTERNAL;
	}
	err = store_from_mdb(
	    s, ENGINE(mdb_txn_begin(s->env, NULL, 0, &tx->view.txn)));
	if (err == TOCSIN_EINTERNAL)
		s->broken = true;
	if (err)
		return err;
	tx->live = true;
	err = read_head(&tx->view);
	if (err) {
		store_abort(tx);
		return err;
	}
	tx->head = tx->view.head;
	tx->first = tx->head + 1;
	tx->nodes_base = merkle_nodes(tx->head);
	*out = tx;
	return TOCSIN_OK;
}

void
store_abort(struct store_tx *tx)
{
	if (tx == NULL)
		return;
	mdb_txn_abort(tx->view.txn);
	tx_clear(tx);
}

struct store_rx *
store_tx_view(struct store_tx *tx)
{
	return &tx->view;
}

bool
store_has_room(struct store *s, uint64_t bytes)
{
	struct store_tx *tx;
	enum tocsin_err err = store_begin(s, &tx);

	if (err)
		return false;
	err = tx_room(tx, 4 + bytes / s->page, ROOM_TICKET);
	store_abort(tx);
	return err == TOCSIN_OK;
}

/* How much of an entry's row comes before its check: itself, and the nodes. */
size_t
entry_fixed(uint64_t seq)
{
	return sizeof(struct entry_row) +
	       (size_t)(1 + __builtin_ctzll(seq)) * MERKLE_HASH;
}

/*
 * How much of a segment is its tail. A value of the engine that fits in half a
 * page shares one; a larger one has a header of 16 bytes and pages of its own,
 * the last of them half empty on average. With most commits being one ticket of
 * five kilobytes that would be half of the disk. A small segment is all tail.
 */
static size_t
tail_len(const struct store *s, uint64_t first, size_t n)
{
	size_t shared = (((s->page - 16) / 2) & ~(size_t)1) - 2 - 16;
	size_t room = shared - entry_fixed(first) - CHECK_LEN;
	size_t over = n <= room ? n : (n + 16) % s->page;

	return over <= room ? over : 0;
}

static enum tocsin_err
entry_put(struct store_tx *tx, uint64_t seq, struct span tail)
{
	size_t fixed = entry_fixed(seq), row = sizeof(struct entry_row);
	uint64_t log_key = 2 * seq;
	struct span key = key_u64(&log_key), place, nodes;
	MDB_val k = val(key), v = { .mv_size = fixed + CHECK_LEN + tail.n };
	enum tocsin_err err;
	uint8_t *at;

	tx->pages++;
	err = tx_fail(tx, ENGINE(mdb_put(tx->view.txn, tx->view.s->dbi[T_LOG],
			      &k, &v, MDB_APPEND | MDB_RESERVE)));
	if (err)
		return err;
	at = v.mv_data;
	place = span_cut(buf_span(&tx->rows), (seq - tx->first) * row, row);
	nodes = span_cut(buf_span(&tx->nodes),
	    (merkle_nodes(seq - 1) - tx->nodes_base) * MERKLE_HASH,
	    fixed - row);
	memcpy(at, place.p, row);
	memcpy(at + row, nodes.p, fixed - row);
	row_check(at + fixed, T_LOG, key, (struct span){ at, fixed });
	if (tail.n > 0)
		memcpy(at + fixed + CHECK_LEN, tail.p, tail.n);
	return TOCSIN_OK;
}

enum tocsin_err
tx_seal(struct store_tx *tx)
{
	struct span all = buf_span(&tx->segment), tail;
	size_t count = tx->rows.n / sizeof(struct entry_row), i;
	enum tocsin_err err;

	if (count == 0)
		return TOCSIN_OK;
	tail.n = tail_len(tx->view.s, tx->first, all.n);
	tail.p = all.p + all.n - tail.n;
	err = entry_put(tx, tx->first, tail);
	if (!err && tail.n < all.n)
		err = raw_append(tx, T_LOG, 2 * tx->first + 1,
		    (struct span){ all.p, all.n - tail.n });
	for (i = 1; !err && i < count; i++)
		err = entry_put(tx, tx->first + i, (struct span){ 0 });
	if (err)
		return err;
	tx->first += count;
	buf_cut(&tx->segment, 0);
	buf_cut(&tx->rows, 0);
	return TOCSIN_OK;
}

static enum tocsin_err
tx_finish(struct store_tx *tx)
{
	struct store *s = tx->view.s;
	enum tocsin_err err = tx->failed;

	if (!err)
		err = tx_seal(tx);
	if (!err)
		err = parts_sweep(tx);
	if (!err) /* what is counted is a guess: three times that */
		err = file_reach(
		    s, (pages_in_file(s) + 3 * tx->pages + 64) * s->page);
	return err;
}

/*
 * After a meta page could not be written, for whatever reason, it is not known
 * which one is on disk; the engine does nothing any more, and says so when it
 * is asked to begin.
 */
static bool
engine_gave_up(struct store *s)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	mdb_txn_abort(txn);
	return rc == MDB_PANIC;
}

enum tocsin_err
store_commit(struct store_tx *tx)
{
	struct store *s = tx->view.s;
	enum tocsin_err err = tx_finish(tx);

	if (err) {
		store_abort(tx);
		return err;
	}
	err = store_from_mdb(s, ENGINE(mdb_txn_commit(tx->view.txn)));
	if (err && engine_gave_up(s))
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_EINTERNAL)
		s->broken = true;
	tx_clear(tx);
	if (!err) /* it is durable, whatever this says */
		(void)file_reach(s, pages_in_file(s) * s->page);
	return err;
}

/* ---- the tree ---- */

/* The entry that completes the node at a position. */
static uint64_t
completed_by(uint64_t pos)
{
	uint64_t seq = pos / 2 + 1; /* at least; there are two nodes to each */

	while (merkle_nodes(seq) <= pos)
		seq++;
	return seq;
}

static enum tocsin_err
tree_get(void *arg, uint64_t pos, uint8_t hash[MERKLE_HASH])
{
	struct store_rx *rx = arg;
	uint64_t seq = completed_by(pos), key = 2 * seq;
	size_t at = sizeof(struct entry_row) +
		    (size_t)(pos - merkle_nodes(seq - 1)) * MERKLE_HASH;
	struct span row;
	enum tocsin_err err;

	if (rx->tx != NULL && pos >= rx->tx->nodes_base) {
		row = span_cut(buf_span(&rx->tx->nodes),
		    (pos - rx->tx->nodes_base) * MERKLE_HASH, MERKLE_HASH);
		if (row.n < MERKLE_HASH)
			return TOCSIN_ENOTFOUND;
		memcpy(hash, row.p, MERKLE_HASH);
		return TOCSIN_OK;
	}
	err = raw_get(rx, T_LOG, key_u64(&key), &row);
	if (err)
		return err;
	row = span_cut(row, 0, entry_fixed(seq) + CHECK_LEN);
	if (row.n < entry_fixed(seq) + CHECK_LEN ||
	    !row_open(T_LOG, key_u64(&key), &row))
		return TOCSIN_EBODYMISMATCH;
	memcpy(hash, row.p + at, MERKLE_HASH);
	return TOCSIN_OK;
}

static enum tocsin_err
tree_put(void *arg, uint64_t pos, const uint8_t hash[MERKLE_HASH])
{
	struct store_rx *rx = arg;
	struct store_tx *tx = rx->tx;

	if (tx == NULL || pos != tx->nodes_base + tx->nodes.n / MERKLE_HASH)
		return TOCSIN_EUSAGE;
	buf_add(&tx->nodes, (struct span){ hash, MERKLE_HASH });
	return buf_ok(&tx->nodes) ? TOCSIN_OK : TOCSIN_EBUSY;
}

struct merkle_store
store_tree(struct store_rx *rx)
{
	return (struct merkle_store){ rx, tree_get, tree_put };
}

/* ---- the log ---- */

static bool
entry_ok(const struct store_entry *e)
{
	return e->kind >= STORE_TICKET && e->kind <= STORE_RECEIPT &&
	       e->member.n <= STORE_NAME_MAX && e->via.n <= STORE_NAME_MAX;
}

void
record_encode(struct buf *b, uint64_t seq, const struct store_entry *e)
{
	buf_u64(b, seq);
	buf_u64(b, (uint64_t)e->time);
	buf_u8(b, (uint8_t)e->kind);
	buf_u8(b, (uint8_t)((e->detached ? FLAG_DETACHED : 0) |
			    (e->erased ? FLAG_ERASED : 0)));
	buf_add(b, SPAN(e->id));
	buf_u8(b, (uint8_t)e->member.n);
	buf_add(b, e->member);
	buf_u8(b, (uint8_t)e->via.n);
	buf_add(b, e->via);
	buf_u32(b, (uint32_t)e->note.n);
	buf_add(b, e->note);
	buf_add(b, e->body);
}

bool
record_decode(struct store_entry *out, struct span record)
{
	struct store_entry e = { 0 };
	struct rd r = rd_init(record);
	uint8_t flags;

	e.seq = rd_u64(&r);
	e.time = (int64_t)rd_u64(&r);
	e.kind = (enum store_kind)rd_u8(&r);
	flags = rd_u8(&r);
	e.detached = flags & FLAG_DETACHED;
	e.erased = flags & FLAG_ERASED;
	rd_copy(&r, e.id, sizeof(e.id));
	e.member = rd_span(&r, rd_u8(&r));
	e.via = rd_span(&r, rd_u8(&r));
	e.note = rd_span(&r, rd_u32(&r));
	e.body = rd_rest(&r);
	if (!rd_done(&r))
		return false;
	*out = e;
	return true;
}

void
record_check(uint8_t check[CHECK_LEN], struct span record)
{
	bytes_check(check, span_of("record"), record);
}

/* Add a record to the pending segment; a full one is written first. */
static enum tocsin_err
record_add(struct store_tx *tx, const struct store_entry *e)
{
	size_t size = e->note.n + e->body.n, at;
	struct entry_row row = { 0 };
	enum tocsin_err err;

	if (tx->segment.n > 0 && tx->segment.n + size > SEGMENT_MAX) {
		err = tx_seal(tx);
		if (err)
			return err;
	}
	at = tx->segment.n;
	record_encode(&tx->segment, tx->head + 1, e);
	if (!buf_ok(&tx->segment))
		return tx_refuse(tx, TOCSIN_EBUSY);
	row.segment = tx->first;
	row.offset = (uint32_t)at;
	row.len = (uint32_t)(tx->segment.n - at);
	record_check(
	    row.check, (struct span){ tx->segment.p + at, tx->segment.n - at });
	buf_add(&tx->rows, (struct span){ (const uint8_t *)&row, sizeof(row) });
	return buf_ok(&tx->rows) ? TOCSIN_OK : tx_refuse(tx, TOCSIN_EBUSY);
}

enum tocsin_err
store_append(struct store_tx *tx, const struct store_entry *e, uint64_t *seq)
{
	struct merkle_store tree = store_tree(&tx->view);
	uint64_t size = tx->head;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	if (!entry_ok(e))
		return TOCSIN_EUSAGE;
	if (e->note.n > RECORD_MAX || e->body.n > RECORD_MAX - e->note.n)
		return TOCSIN_ETOOLARGE;
	err = store_find(&tx->view, e->id, seq);
	if (err != TOCSIN_ENOTFOUND)
		return err ? err : TOCSIN_EDUPLICATE;
	err = tx_room(tx,
	    4 + (tx->segment.n + e->note.n + e->body.n) / tx->view.s->page,
	    e->kind != STORE_TICKET ? ROOM_CONTROL
	    : e->answer		    ? ROOM_ANSWER
				    : ROOM_TICKET);
	if (err)
		return err;

	err = record_add(tx, e);
	if (err)
		return err;
	err = merkle_append(&tree, &size, e->id);
	if (err)
		return tx_refuse(tx, err);
	tx->head = size;
	*seq = size;
	return row_put(tx, T_IDS, SPAN(e->id), key_u64(&size));
}

enum tocsin_err
store_find(struct store_rx *rx, const uint8_t id[32], uint64_t *seq)
{
	struct span value;
	enum tocsin_err err;

	err = row_get(rx, T_IDS, (struct span){ id, 32 }, &value);
	if (err)
		return err;
	if (value.n != sizeof(*seq))
		return TOCSIN_EBODYMISMATCH;
	memcpy(seq, value.p, sizeof(*seq));
	return TOCSIN_OK;
}

/* A record that begins in `a` and ends in `b`. */
static enum tocsin_err
join(struct store_rx *rx, struct span a, struct span b, struct span *out)
{
	struct joined *j = malloc(sizeof(*j) + a.n + b.n);

	if (j == NULL)
		return TOCSIN_EBUSY;
	memcpy(j->bytes, a.p, a.n);
	memcpy(j->bytes + a.n, b.p, b.n);
	j->next = rx->joined;
	rx->joined = j;
	*out = (struct span){ j->bytes, a.n + b.n };
	return TOCSIN_OK;
}

enum tocsin_err
record_find(
    struct store_rx *rx, const struct entry_row *row, struct span *record)
{
	uint64_t key = 2 * row->segment, next = key + 1;
	uint64_t from = row->offset, to = from + row->len;
	struct span seg = { 0 }, tail = { 0 };
	enum tocsin_err err = raw_get(rx, T_LOG, key_u64(&next), &seg);

	if (err && err != TOCSIN_ENOTFOUND) /* it may be all tail */
		return err;
	if (to <= seg.n) {
		*record = span_cut(seg, from, row->len);
		return TOCSIN_OK;
	}
	err = raw_get(rx, T_LOG, key_u64(&key), &tail);
	if (err)
		return err;
	tail = span_cut(tail, entry_fixed(row->segment) + CHECK_LEN, tail.n);
	if (to - seg.n > tail.n)
		return TOCSIN_EBODYMISMATCH;
	if (from >= seg.n) {
		*record = span_cut(tail, from - seg.n, row->len);
		return TOCSIN_OK;
	}
	return join(rx, span_cut(seg, from, seg.n - from),
	    span_cut(tail, 0, to - seg.n), record);
}

/* A row of a record that is still pending, or one of the table. */
static enum tocsin_err
entry_row_get(struct store_rx *rx, uint64_t seq, struct entry_row *row,
    struct span *record)
{
	const struct store_tx *tx = rx->tx;
	uint64_t key = 2 * seq;
	struct span value = { 0 };
	enum tocsin_err err;

	if (tx != NULL && seq >= tx->first) {
		memcpy(row, tx->rows.p + (seq - tx->first) * sizeof(*row),
		    sizeof(*row));
		*record =
		    span_cut(buf_span(&tx->segment), row->offset, row->len);
		return TOCSIN_OK;
	}
	err = raw_get(rx, T_LOG, key_u64(&key), &value);
	if (err)
		return err;
	if (value.n < sizeof(*row))
		return TOCSIN_EBODYMISMATCH;
	memcpy(row, value.p, sizeof(*row));
	return record_find(rx, row, record);
}

static enum tocsin_err
record_get(struct store_rx *rx, uint64_t seq, struct store_entry *out)
{
	uint8_t check[CHECK_LEN];
	struct entry_row row;
	struct store_entry e;
	struct span record;
	enum tocsin_err err;

	err = entry_row_get(rx, seq, &row, &record);
	if (err) /* below the head nothing may be missing */
		return err == TOCSIN_ENOTFOUND ? TOCSIN_EBODYMISMATCH : err;
	record_check(check, record);
	if (memcmp(check, row.check, sizeof(check)) != 0 ||
	    !record_decode(&e, record) || e.seq != seq)
		return TOCSIN_EBODYMISMATCH;
	*out = e;
	return TOCSIN_OK;
}

enum tocsin_err
store_get(struct store_rx *rx, uint64_t seq, struct store_entry *out)
{
	enum tocsin_err err;

	if (seq == 0 || seq > store_head(rx))
		return TOCSIN_ENOTFOUND;
	err = record_get(rx, seq, out);
	if (err != TOCSIN_EBODYMISMATCH)
		return err;
	err = amended_get(rx, seq, out);
	if (err == TOCSIN_OK)
		return err;
	damaged_note(rx->s, seq);
	return TOCSIN_EBODYMISMATCH;
}
