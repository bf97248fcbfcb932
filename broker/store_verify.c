/* SPDX-License-Identifier: ISC */
/*
 * Verifying: every row of every table is read, and what one table says is
 * compared with what the others say. One snapshot serves the whole walk.
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
#define COMPACT "tocsind compact leaves it behind"

static void
report(struct walk *w, uint64_t seq, const char *what, const char *todo)
{
	struct store_finding f = { seq, what, todo };

	w->found = true;
	if (w->finding != NULL)
		w->finding(w->arg, &f);
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
			    RESTORE);
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
		report(w, e->seq, "the entry is not found by its id", RESTORE);
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
		report(w, e->seq, "the tree does not follow from the ids",
		    RESTORE);
}

static void
verify_entries(struct walk *w)
{
	struct store_entry e;
	uint64_t seq;

	for (seq = 1; seq <= w->head; seq++) {
		if (store_get(w->rx, seq, &e) != TOCSIN_OK) {
			report(w, seq, "the entry is damaged", FETCH_AGAIN);
		} else {
			verify_id(w, &e);
			verify_leaf(w, &e);
		}
		rx_forget_joined(w->rx);
	}
}

/* ---- rows ---- */

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
	MDB_val k, v, found, last = { 0 };
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
		if (ENGINE(mdb_get(w->rx->txn, dbi, &k, &found)) != 0 ||
		    found.mv_data != v.mv_data)
			report(
			    w, 0, "a row of a table cannot be found", RESTORE);
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
		report(w, 0, "a row of a mailbox is damaged", RESTORE);
	else if (seq == 0 || seq > w->head)
		report(w, seq, "a mailbox names an entry that is not there",
		    RESTORE);
}

static void
verify_out(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t seq = 0;

	if (!row_open(t, key, &value) || value.n < sizeof(seq)) {
		report(w, 0, "a row of an outbox is damaged", RESTORE);
		return;
	}
	memcpy(&seq, value.p, sizeof(seq));
	if (seq > w->head)
		report(w, seq, "an outbox names an entry that is not there",
		    RESTORE);
}

static void
verify_amend(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t seq = 0;

	if (key.n == sizeof(seq))
		memcpy(&seq, key.p, sizeof(seq));
	if (!row_open(t, key, &value) || seq == 0 || seq > w->head)
		report(w, seq, "what stands in for an entry is damaged",
		    FETCH_AGAIN);
}

static void
verify_small(struct walk *w, enum table t, struct span key, struct span value)
{
	if (!row_open(t, key, &value))
		report(w, 0, "a small row is damaged", RESTORE);
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
		report(w, 0, "the row of a part is damaged", RESTORE);
		return;
	}
	w->parts++;
	w->chunks += chunks_of(&row);
	if (row.first_seq > w->head)
		report(w, row.first_seq,
		    "a part is named by an entry that is not there", RESTORE);
	if (hash_chunks(w, &row, &sha) != TOCSIN_OK) {
		report(w, row.first_seq, "a range of a part is damaged",
		    FETCH_AGAIN);
		return;
	}
	kept = row.sha;
	crypto_hash_sha256_final(&kept, want);
	crypto_hash_sha256_final(&sha, got);
	if (row.complete)
		memcpy(want, key.p, sizeof(want));
	if (memcmp(got, want, sizeof(got)) != 0)
		report(w, row.first_seq, "a part has not the hash it should",
		    FETCH_AGAIN);
}

static void
verify_garbage(struct walk *w, enum table t, struct span key, struct span value)
{
	uint64_t chunks = 0;

	if (!row_open(t, key, &value) || value.n != sizeof(chunks)) {
		report(
		    w, 0, "what is left of a dropped part is damaged", COMPACT);
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
		report(w, 0, "there are not as many ids as entries", RESTORE);
	if (each_row(w, T_CHUNKS, NULL) != w->chunks)
		report(
		    w, 0, "there are ranges that belong to no part", COMPACT);
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
		report(&w, w.head, "the tree has no root", RESTORE);
	store_read_end(w.rx);
	return w.found ? TOCSIN_EBODYMISMATCH : TOCSIN_OK;
}
