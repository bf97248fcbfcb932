/* SPDX-License-Identifier: ISC */
/*
 * Verifying: every row of every table is read, and what one table says is
 * compared with what the others say. One snapshot serves the whole walk; or, in
 * steps, one each, so that pages are not kept: what counts rows is left out
 * then.
 */
#include "broker/store.h"

#include "broker/store_impl.h"
#include "crypto/note.h"
#include "crypto/sha256.h"

#include <string.h>

struct walk {
	struct store_rx *rx;
	void (*finding)(void *arg, const struct store_finding *f);
	void *arg;
	uint64_t head;
	uint64_t rows; /* of the tables beside the log */
	uint64_t parts;
	bool found;
	bool engine_failed;
	uint64_t entries; /* rows of the log */
	uint64_t chunks;  /* that parts and dropped parts should have */

	struct merkle_store stored; /* the tree as it is on disk */
	bool tree_differs;
};

/* What helps, by what is damaged. */
#define FETCH_AGAIN                                                     \
	"a running broker fetches it again from the peer that has it; " \
	"if it was posted here, it is in a backup only"
#define RESTORE "restore the newest backup: tocsind restore"
#define REPAIR "end the broker, then tocsind verify --repair"

static void
tell(struct walk *w, const struct store_finding *f)
{
	w->found = true;
	if (w->finding != NULL)
		w->finding(w->arg, f);
}

static void
report(struct walk *w, uint64_t seq, const char *what, const char *todo)
{
	tell(w,
	    &(struct store_finding){ .seq = seq, .what = what, .todo = todo });
}

/* An entry, or a part: what a running broker asks its peers for. */
static void
report_lost(struct walk *w, uint64_t seq, const uint8_t *part, const char *what)
{
	tell(w, &(struct store_finding){ .seq = seq,
		    .part = part,
		    .what = what,
		    .todo = FETCH_AGAIN,
		    .fetched = true });
}

/* ---- entries, ids and tree ---- */

static void
verify_id(struct walk *w, const struct store_entry *e)
{
	uint8_t id[ID_LEN];
	struct note note;
	uint64_t seq;

	if (e->erased) {
		if (store_find(w->rx, e->id, &seq) != TOCSIN_OK ||
		    seq != e->seq)
			report(w, e->seq, "the entry is not found by its id",
			    REPAIR);
		return;
	}
	if (note_parse(&note, e->note, RECORD_MAX) != TOCSIN_OK) {
		report(w, e->seq, "the entry is not a signed note", RESTORE);
		return;
	}
	note_id(id, note.text);
	if (memcmp(id, e->id, sizeof(id)) != 0)
		report(w, e->seq, "the entry's id is not that of its text",
		    RESTORE);
	if (store_find(w->rx, e->id, &seq) != TOCSIN_OK || seq != e->seq)
		report(w, e->seq, "the entry is not found by its id", REPAIR);
}

/* A tree that is rebuilt from the ids reads its own nodes from the disk. */
static enum tocsin_err
rebuilt_get(void *arg, uint64_t pos, uint8_t hash[MERKLE_HASH])
{
	struct walk *w = arg;

	return w->stored.get(w->stored.arg, pos, hash);
}

static enum tocsin_err
rebuilt_put(void *arg, uint64_t pos, const uint8_t hash[MERKLE_HASH])
{
	struct walk *w = arg;
	uint8_t disk[MERKLE_HASH];

	if (w->stored.get(w->stored.arg, pos, disk) != TOCSIN_OK ||
	    memcmp(disk, hash, sizeof(disk)) != 0)
		w->tree_differs = true;
	return TOCSIN_OK;
}

static void
verify_leaf(struct walk *w, const struct store_entry *e)
{
	struct merkle_store t = { w, rebuilt_get, rebuilt_put };
	uint64_t size = e->seq - 1;

	w->tree_differs = false;
	if (merkle_append(&t, &size, e->id) != TOCSIN_OK || w->tree_differs)
		report(
		    w, e->seq, "the tree does not follow from the ids", REPAIR);
}

/* How many bytes that was, about. */
#define ENTRY_COST 512
static size_t
verify_entry(struct walk *w, uint64_t seq)
{
	struct store_entry e = { 0 };
	uint8_t leaf[MERKLE_HASH];

	if (store_get(w->rx, seq, &e) != TOCSIN_OK &&
	    w->stored.get(w->stored.arg, merkle_pos(0, seq - 1), leaf)) {
		report(w, seq, "the row of the entry is damaged", REPAIR);
	} else if (e.seq == 0) {
		report_lost(w, seq, NULL, "the entry is damaged");
	} else {
		verify_id(w, &e);
		verify_leaf(w, &e);
	}
	rx_forget_joined(w->rx);
	return ENTRY_COST + e.note.n + e.body.n;
}

static void
verify_entries(struct walk *w)
{
	uint64_t seq;

	for (seq = 1; seq <= w->head; seq++)
		(void)verify_entry(w, seq);
}

/* ---- rows ---- */

/* A row that a walk comes to must be the one that a look finds. */
static bool
row_is_found(struct walk *w, enum table t, MDB_val *k, const MDB_val *v)
{
	MDB_val found;
	int rc = ENGINE(mdb_get(w->rx->txn, w->rx->s->dbi[t], k, &found));

	if (rc == 0 && found.mv_data == v->mv_data)
		return true;
	report(w, 0, "a row of a table cannot be found", RESTORE);
	return false;
}

/*
 * Calls back with every row of a table; its number too. The keys must ascend:
 * a page of the engine whose index names a row twice lacks another, and that is
 * all there is to see of it.
 */
static uint64_t
each_row(struct walk *w, enum table t,
    void (*row)(
	struct walk *w, enum table t, struct span key, struct span value))
{
	MDB_dbi dbi = w->rx->s->dbi[t];
	MDB_val k, v, last = { 0 };
	struct span key, value;
	uint64_t n = 0;
	MDB_stat stat;
	MDB_cursor *c;
	int rc;

	rc = mdb_cursor_open(w->rx->txn, dbi, &c);
	if (rc) {
		w->engine_failed = true;
		return 0;
	}
	for (; (rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT))) == 0; n++) {
		if (t != T_LOG)
			w->rows++;
		if (!value_take(w->rx, &k, &key) ||
		    !value_take(w->rx, &v, &value))
			break; /* rc is 0: it failed */
		(void)row_is_found(w, t, &k, &v);
		if (n > 0 && mdb_cmp(w->rx->txn, dbi, &last, &k) >= 0)
			report(w, 0, "the rows of a table are not in order",
			    RESTORE);
		last = k;
		if (row != NULL)
			row(w, t, key, value);
	}
	mdb_cursor_close(c);
	if (rc != MDB_NOTFOUND)
		w->engine_failed = true;
	else if (mdb_stat(w->rx->txn, dbi, &stat) != 0 || stat.ms_entries != n)
		report(
		    w, 0, "a table has not as many rows as it says", RESTORE);
	return n;
}

static uint64_t
last_u64(struct span key)
{
	struct rd r = rd_init(key);

	(void)rd_span(&r, key.n >= 8 ? key.n - 8 : 0);
	return rd_u64(&r);
}

static void
verify_mail(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t seq = last_u64(key);

	if (!row_open(t, key, &value))
		report(w, 0, "a row of a mailbox is damaged", REPAIR);
	else if (seq == 0 || seq > w->head)
		report(w, seq, "a mailbox names an entry that is not there",
		    REPAIR);
}

static void
verify_out(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t seq = 0;

	if (!row_open(t, key, &value) || value.n < sizeof(seq)) {
		report(w, 0, "a row of an outbox is damaged", REPAIR);
		return;
	}
	memcpy(&seq, value.p, sizeof(seq));
	if (seq > w->head)
		report(w, seq, "an outbox names an entry that is not there",
		    REPAIR);
}

static void
verify_amend(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t seq = 0;

	if (key.n == sizeof(seq))
		memcpy(&seq, key.p, sizeof(seq));
	if (!row_open(t, key, &value) || seq == 0 || seq > w->head)
		report_lost(
		    w, seq, NULL, "what stands in for an entry is damaged");
}

static void
verify_small(struct walk *w, enum table t, struct span key, struct span value)
{
	if (!row_open(t, key, &value))
		report(w, 0, "a small row is damaged",
		    t == T_META ? RESTORE : REPAIR);
}

/* ---- parts ---- */

static enum tocsin_err
hash_chunks(
    struct walk *w, const struct part_row *row, crypto_hash_sha256_state *sha)
{
	uint64_t done = 0;
	struct span bytes;
	enum tocsin_err err;

	crypto_hash_sha256_init(sha);
	while (done < row->have) {
		err = chunk_get(w->rx, row->no, done / CHUNK_MAX, &bytes);
		if (err)
			return err;
		if (bytes.n == 0 || bytes.n > row->have - done)
			return TOCSIN_EBODYMISMATCH;
		sha256_update(sha, bytes);
		done += bytes.n;
	}
	return TOCSIN_OK;
}

static void
verify_part(struct walk *w, enum table t, struct span key, struct span value)
{
	crypto_hash_sha256_state sha, kept;
	uint8_t got[32], want[32];
	struct part_row row;

	(void)value;
	(void)t;
	if (key.n != 32 || part_row_get(w->rx, key.p, &row) != TOCSIN_OK) {
		report(w, 0, "the row of a part is damaged", REPAIR);
		return;
	}
	w->parts++;
	w->chunks += chunks_of(&row);
	if (row.first_seq > w->head)
		report(w, row.first_seq,
		    "a part is named by an entry that is not there", REPAIR);
	if (hash_chunks(w, &row, &sha) != TOCSIN_OK) {
		report_lost(
		    w, row.first_seq, key.p, "a range of a part is damaged");
		return;
	}
	kept = row.sha;
	crypto_hash_sha256_final(&kept, want);
	crypto_hash_sha256_final(&sha, got);
	if (row.complete)
		memcpy(want, key.p, sizeof(want));
	if (memcmp(got, want, sizeof(got)) != 0)
		report_lost(w, row.first_seq, key.p,
		    "a part has not the hash it should");
}

static void
verify_garbage(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t chunks = 0;

	if (!row_open(t, key, &value) || value.n != sizeof(chunks)) {
		report(
		    w, 0, "what is left of a dropped part is damaged", REPAIR);
		return;
	}
	memcpy(&chunks, value.p, sizeof(chunks));
	w->chunks += chunks;
}

/* ---- all ---- */

static void
verify_log(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t n = 0;

	(void)t;
	(void)value;
	if (key.n == sizeof(n))
		memcpy(&n, key.p, sizeof(n));
	w->entries += n % 2 == 0; /* the others are segments */
}

static void
verify_counts(struct walk *w)
{
	(void)each_row(w, T_LOG, verify_log);
	if (w->entries != w->head)
		report(w, 0, "the log has not as many entries as its head says",
		    RESTORE);
	if (each_row(w, T_IDS, verify_small) != w->head)
		report(w, 0, "there are not as many ids as entries", REPAIR);
	if (each_row(w, T_CHUNKS, NULL) != w->chunks)
		report(w, 0, "there are ranges that belong to no part", REPAIR);
}

static const struct {
	enum table table;
	void (*row)(
	    struct walk *w, enum table t, struct span key, struct span value);
} rows[] = {
	{ T_META, verify_small },
	{ T_AMENDS, verify_amend },
	{ T_MAILBOX, verify_mail },
	{ T_OUTBOX, verify_out },
	{ T_COUNTERS, verify_small },
	{ T_VALUES, verify_small },
	{ T_GARBAGE, verify_garbage },
	{ T_PARTS, verify_part },
};

enum tocsin_err
store_verify(struct store *s,
    void (*finding)(void *arg, const struct store_finding *f), void *arg,
    struct store_walked *walked)
{
	struct walk w = { .finding = finding, .arg = arg };
	struct store_walked none;
	enum tocsin_err err = store_read(s, &w.rx);
	size_t i;

	if (err)
		return err;
	if (walked == NULL)
		walked = &none;
	memset(walked, 0, sizeof(*walked));
	w.head = store_head(w.rx);
	w.stored = store_tree(w.rx);
	verify_entries(&w);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)each_row(&w, rows[i].table, rows[i].row);
	verify_counts(&w);
	if (w.engine_failed)
		report(&w, 0, "a table cannot be read to its end", RESTORE);
	walked->entries = w.head;
	walked->rows = w.rows;
	walked->parts = w.parts;
	if (merkle_root(&w.stored, w.head, walked->root) != TOCSIN_OK)
		report(&w, w.head, "the tree has no root", REPAIR);
	store_read_end(w.rx);
	return w.found ? TOCSIN_EBODYMISMATCH : TOCSIN_OK;
}

/* ---- in steps ---- */

/* What is gone through: entries, then parts, then these tables by their rows.
 */
enum { PLACE_ENTRIES, PLACE_PARTS, PLACE_ROWS };
#define PLACE_IDS (PLACE_ROWS + sizeof(rows) / sizeof(rows[0]))
#define PLACE_END (PLACE_IDS + 1)

static struct span
place_key(const struct store_place *at)
{
	return span_cut((struct span){ at->p, at->n }, 1, at->n);
}

static bool
place_put(struct store_place *at, size_t what, struct span key)
{
	if (key.n >= sizeof(at->p))
		return false;
	at->p[0] = (uint8_t)what;
	if (key.n > 0)
		memmove(at->p + 1, key.p, key.n);
	at->n = 1 + key.n;
	at->offset = 0;
	return true;
}

/* As all steps: ENOTFOUND when this is through. */
static enum tocsin_err
step_entries(struct walk *w, struct store_place *at, size_t *left)
{
	uint64_t seq = last_u64(place_key(at));
	struct key k = { .n = 0 };

	while (seq<w->head && * left> 0) {
		size_t cost = verify_entry(w, ++seq);

		*left -= cost < *left ? cost : *left;
	}
	key_be64(&k, seq);
	(void)place_put(at, PLACE_ENTRIES, key_span(&k));
	return seq < w->head ? TOCSIN_OK : TOCSIN_ENOTFOUND;
}

/* Ranges of one part, from where the last step was; false: there is more. */
static bool
step_part(struct walk *w, struct store_place *at, const uint8_t hash[32],
    size_t *left)
{
	struct part_row row;

	if (part_row_get(w->rx, hash, &row) != TOCSIN_OK) {
		report(w, 0, "the row of a part is damaged", REPAIR);
		return true;
	}
	for (; at->offset < row.have; at->offset += CHUNK_MAX) {
		struct buf bytes = { 0 };

		if (*left == 0)
			return false;
		*left -= CHUNK_MAX < *left ? CHUNK_MAX : *left;
		if (store_part_read(w->rx, hash, at->offset, CHUNK_MAX,
			&bytes) == TOCSIN_EBODYMISMATCH) {
			report_lost(w, row.first_seq, hash,
			    "a range of a part is damaged");
			at->offset = row.have;
		}
		buf_release(&bytes);
	}
	return true;
}

/* The place is the last part that is through, and how far the next one is. */
static enum tocsin_err
step_parts(struct walk *w, struct store_place *at, size_t *left)
{
	uint8_t from[33] = { 0 }, hash[32];
	struct span key = place_key(at), found, stored;
	enum tocsin_err err;

	while (*left > 0) {
		if (key.n > 0)
			memcpy(from, key.p, key.n < 32 ? key.n : 32);
		err = row_seek(w->rx, T_PARTS,
		    (struct span){ from, key.n > 0 ? 33 : 0 }, &found, &stored);
		if (err || found.n != sizeof(hash))
			return err ? err : TOCSIN_EBODYMISMATCH;
		memcpy(hash, found.p, sizeof(hash));
		if (!step_part(w, at, hash, left))
			return TOCSIN_OK;
		*left -= *left > 0;
		(void)place_put(at, PLACE_PARTS, SPAN(hash));
		key = place_key(at);
	}
	return TOCSIN_OK;
}

/* True if the place is beyond what it was: the order may be damaged. */
static bool
step_row(struct walk *w, struct store_place *at, enum table t, MDB_val *k,
    MDB_val *v,
    void (*row)(
	struct walk *w, enum table t, struct span key, struct span value))
{
	struct span had = place_key(at), key = { k->mv_data, k->mv_size };
	MDB_val last = { had.n, (void *)(uintptr_t)had.p };
	int order =
	    had.n > 0 ? mdb_cmp(w->rx->txn, w->rx->s->dbi[t], &last, k) : -1;

	if (order == 0) /* where the last step ended */
		return false;
	(void)row_is_found(w, t, k, v);
	row(w, t, key, (struct span){ v->mv_data, v->mv_size });
	if (order > 0)
		report(w, 0, "the rows of a table are not in order", RESTORE);
	return order < 0 && place_put(at, at->p[0], key);
}

static enum tocsin_err
step_rows(struct walk *w, struct store_place *at, enum table t, size_t *left,
    void (*row)(
	struct walk *w, enum table t, struct span key, struct span value))
{
	size_t from[STORE_PLACE / sizeof(size_t)]; /* aligned, for numbers */
	struct span had = place_key(at), key, value;
	MDB_val k = { had.n, from }, v;
	MDB_cursor *c;
	bool moved = false;
	int rc;

	if (had.n > 0)
		memcpy(from, had.p, had.n);
	rc = mdb_cursor_open(w->rx->txn, w->rx->s->dbi[t], &c);
	if (rc)
		return store_from_mdb(w->rx->s, rc);
	rc = ENGINE(
	    mdb_cursor_get(c, &k, &v, had.n > 0 ? MDB_SET_RANGE : MDB_FIRST));
	while (!rc && (*left > 0 || !moved)) {
		size_t cost = 64 + k.mv_size + v.mv_size;

		if (!value_take(w->rx, &k, &key) ||
		    !value_take(w->rx, &v, &value)) {
			rc = MDB_CORRUPTED;
			break;
		}
		moved |= step_row(w, at, t, &k, &v, row);
		*left -= cost < *left ? cost : *left;
		rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT));
	}
	mdb_cursor_close(c);
	if (rc == MDB_CORRUPTED)
		return TOCSIN_EBODYMISMATCH;
	return store_from_mdb(w->rx->s, rc);
}

static enum tocsin_err
step(struct walk *w, struct store_place *at, size_t *left)
{
	size_t what = at->n > 0 ? at->p[0] : PLACE_ENTRIES;
	size_t i = what - PLACE_ROWS;

	if (what == PLACE_ENTRIES)
		return step_entries(w, at, left);
	if (what == PLACE_PARTS)
		return step_parts(w, at, left);
	if (what == PLACE_IDS)
		return step_rows(w, at, T_IDS, left, verify_small);
	if (what > PLACE_IDS || rows[i].table == T_PARTS)
		return TOCSIN_ENOTFOUND;
	return step_rows(w, at, rows[i].table, left, rows[i].row);
}

/* A table that cannot be walked to its end is no reason to stop before the
 * next one. */
static void
step_next(struct walk *w, struct store_place *at, enum tocsin_err err)
{
	size_t what = at->n > 0 ? at->p[0] : PLACE_ENTRIES;

	if (err != TOCSIN_ENOTFOUND)
		report(w, 0, "a table cannot be read to its end", RESTORE);
	(void)place_put(at, what + 1, (struct span){ 0 });
}

enum tocsin_err
store_check(struct store *s, struct store_place *at, size_t *bytes,
    void (*finding)(void *arg, const struct store_finding *f), void *arg)
{
	struct walk w = { .finding = finding, .arg = arg };
	size_t left = *bytes;
	enum tocsin_err err = store_read(s, &w.rx);

	if (err)
		return err;
	w.head = store_head(w.rx);
	w.stored = store_tree(w.rx);
	while (left > 0 && (at->n == 0 || at->p[0] < PLACE_END)) {
		err = step(&w, at, &left);
		if (err)
			step_next(&w, at, err);
	}
	store_read_end(w.rx);
	*bytes -= left;
	return at->n > 0 && at->p[0] >= PLACE_END ? TOCSIN_ENOTFOUND
						  : TOCSIN_OK;
}
