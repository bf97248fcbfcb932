/* SPDX-License-Identifier: ISC */
/*
 * Repairing: what is damaged beside the records is left out, and what follows
 * from the records is put back. A row is believed if its check is right, and
 * else not looked at, but for two kinds: that of an entry, of which the place
 * can be tried, since a record says whose it is; and the chunks of a part whose
 * row is gone, which have its hash.
 */
#include "broker/store.h"

#include "broker/store_impl.h"
#include "crypto/note.h"
#include "crypto/sha256.h"
#include "crypto/ticket.h"

#include <stdlib.h>
#include <string.h>

struct repair {
	struct store_tx *tx;
	struct store_repair *how;
	enum tocsin_err err;
};

static void
tell(struct repair *r, uint64_t seq, const char *what)
{
	r->how->done(r->how->arg,
	    &(struct store_finding){ .seq = seq, .what = what, .todo = "" });
}

static bool
names_entry(const struct repair *r, struct span value)
{
	uint64_t seq = 0;

	if (value.n != sizeof(seq))
		return false;
	memcpy(&seq, value.p, sizeof(seq));
	return seq > 0 && seq <= r->tx->head;
}

/* ---- rows that are left out ---- */

static bool
good_id(struct repair *r, struct span key, struct span value)
{
	return key.n == ID_LEN && names_entry(r, value);
}

static bool
good_mail(struct repair *r, struct span key, struct span value)
{
	struct rd n = rd_init(key);
	uint64_t seq;

	(void)rd_span(&n, key.n > 8 ? key.n - 8 : 0);
	seq = rd_u64(&n);
	return rd_done(&n) && value.n == 0 && seq > 0 && seq <= r->tx->head;
}

static bool
good_any(struct repair *r, struct span key, struct span value)
{
	(void)r;
	(void)key;
	(void)value;
	return true;
}

static bool
good_part(struct repair *r, struct span key, struct span value)
{
	(void)r;
	return key.n == 32 && value.n == sizeof(struct part_row);
}

static bool
good_garbage(struct repair *r, struct span key, struct span value)
{
	(void)r;
	return key.n == sizeof(uint64_t) && value.n == sizeof(uint64_t);
}

static bool
good_amend(struct repair *r, struct span key, struct span value)
{
	struct store_entry e;

	return names_entry(r, key) && record_decode(&e, value) &&
	       span_eq(key, key_u64(&e.seq));
}

static const struct {
	enum table table;
	bool (*good)(struct repair *r, struct span key, struct span value);
	const char *what;
} tables[] = {
	{ T_IDS, good_id, "a row of the ids was damaged" },
	{ T_MAILBOX, good_mail, "a row of a mailbox was damaged" },
	{ T_OUTBOX, good_any, "a row of an outbox was damaged" },
	{ T_COUNTERS, good_any, "the counter of an outbox was damaged" },
	{ T_VALUES, good_any, "a small value was damaged" },
	{ T_PARTS, good_part, "the row of a part was damaged" },
	{ T_GARBAGE, good_garbage,
	    "what was left of a dropped part was damaged" },
	{ T_AMENDS, good_amend, "what stood in for an entry was damaged" },
};

/* One whose check is wrong goes; the order of keys is right again then. */
static void
drop_bad(struct repair *r, size_t i)
{
	enum table t = tables[i].table;
	struct span key, value;
	MDB_cursor *c;
	MDB_val k, v;
	int rc = mdb_cursor_open(r->tx->view.txn, r->tx->view.s->dbi[t], &c);

	if (rc) {
		r->err = store_from_mdb(r->tx->view.s, rc);
		return;
	}
	while (!(rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT)))) {
		if (value_take(&r->tx->view, &k, &key) &&
		    value_take(&r->tx->view, &v, &value) &&
		    row_open(t, key, &value) && tables[i].good(r, key, value))
			continue;
		if (t == T_VALUES && r->how->keep(r->how->arg, key)) {
			r->err = TOCSIN_EUNSUPPORTED;
			break;
		}
		r->how->outbox |= t == T_OUTBOX || t == T_COUNTERS;
		r->how->parts |= t == T_PARTS;
		tell(r, 0, tables[i].what);
		rc = ENGINE(mdb_cursor_del(c, 0));
		if (rc)
			break;
	}
	mdb_cursor_close(c);
	if (!r->err && rc && rc != MDB_NOTFOUND)
		r->err = store_from_mdb(r->tx->view.s, rc);
}

/* Numbers that were given out are told by the peers; see relay_count.c. */
static void
drop_outboxes(struct repair *r)
{
	struct store *s = r->tx->view.s;
	int rc;

	if (r->err || !r->how->outbox)
		return;
	rc = ENGINE(mdb_drop(r->tx->view.txn, s->dbi[T_OUTBOX], 0));
	if (!rc)
		rc = ENGINE(mdb_drop(r->tx->view.txn, s->dbi[T_COUNTERS], 0));
	r->err = store_from_mdb(s, rc);
	tell(r, 0, "the outboxes are emptied; peers are asked what they lack");
}

/* ---- ids ---- */

static void
put_ids(struct repair *r)
{
	struct store_entry e;
	uint64_t seq, at;

	for (seq = 1; seq <= r->tx->head && !r->err; seq++) {
		if (store_get(&r->tx->view, seq, &e) == TOCSIN_OK &&
		    (store_find(&r->tx->view, e.id, &at) || at != seq)) {
			tell(r, seq, "the entry is found by its id again");
			r->err =
			    row_put(r->tx, T_IDS, SPAN(e.id), key_u64(&seq));
		}
		rx_forget_joined(&r->tx->view);
	}
}

/* By walking: an id may have lost its row, and a row its place. */
static bool
id_of(struct repair *r, uint64_t seq, uint8_t id[ID_LEN])
{
	struct span key = { 0 }, value;
	MDB_cursor *c;
	MDB_val k, v;
	bool found = false;

	if (mdb_cursor_open(r->tx->view.txn, r->tx->view.s->dbi[T_IDS], &c) !=
	    0)
		return false;
	while (!found && ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0)
		found = value_take(&r->tx->view, &k, &key) &&
			value_take(&r->tx->view, &v, &value) &&
			row_open(T_IDS, key, &value) && key.n == ID_LEN &&
			span_eq(value, key_u64(&seq));
	mdb_cursor_close(c);
	if (found)
		memcpy(id, key.p, ID_LEN);
	return found;
}

/* ---- rows of entries ---- */

/* True: the row is what its check says, as far as that goes. */
static bool
place_read(struct repair *r, uint64_t seq, struct entry_row *row)
{
	uint64_t key = 2 * seq;
	struct span v;

	if (seq == 0 || seq > r->tx->head ||
	    raw_get(&r->tx->view, T_LOG, key_u64(&key), &v))
		return false;
	if (v.n >= sizeof(*row))
		memcpy(row, v.p, sizeof(*row));
	v = span_cut(v, 0, entry_fixed(seq) + CHECK_LEN);
	return v.n == entry_fixed(seq) + CHECK_LEN &&
	       row_open(T_LOG, key_u64(&key), &v);
}

static uint64_t
segment_len(struct repair *r, uint64_t first)
{
	uint64_t key = 2 * first, next = key + 1;
	size_t fixed = entry_fixed(first) + CHECK_LEN;
	struct span seg = { 0 }, row = { 0 };

	if (raw_get(&r->tx->view, T_LOG, key_u64(&next), &seg))
		seg.n = 0;
	if (raw_get(&r->tx->view, T_LOG, key_u64(&key), &row))
		row.n = 0;
	return seg.n + (row.n > fixed ? row.n - fixed : 0);
}

static bool
body_is_right(const struct store_entry *e)
{
	struct ticket t;
	struct note n;

	if (e->kind != STORE_TICKET)
		return true;
	return ticket_parse(&t, &n, e->note) == TOCSIN_OK &&
	       (e->detached || ticket_check_body(&t, e->body) == TOCSIN_OK);
}

/* What is there says of itself that it is the entry, and its hashes say so. */
static bool
place_is(
    struct repair *r, uint64_t seq, struct entry_row *row, uint8_t id[ID_LEN])
{
	struct store_entry e;
	struct span record;
	struct note n;
	bool is;

	is = record_find(&r->tx->view, row, &record) == TOCSIN_OK &&
	     record.n == row->len && record_decode(&e, record) &&
	     e.seq == seq && note_parse(&n, e.note, RECORD_MAX) == TOCSIN_OK;
	if (is) {
		note_id(id, n.text);
		is = memcmp(id, e.id, ID_LEN) == 0 && body_is_right(&e);
	}
	if (is)
		record_check(row->check, record);
	rx_forget_joined(&r->tx->view);
	return is;
}

/* After the entry before it, or at the beginning of a segment of its own. */
static bool
place_try(struct repair *r, uint64_t seq, uint64_t segment, uint64_t offset,
    struct entry_row *row, uint8_t id[ID_LEN])
{
	struct entry_row next;
	uint64_t end = segment_len(r, segment);

	if (place_read(r, seq + 1, &next) && next.segment == segment)
		end = next.offset;
	if (end <= offset || end - offset > UINT32_MAX)
		return false;
	*row = (struct entry_row){ .segment = segment,
		.offset = (uint32_t)offset,
		.len = (uint32_t)(end - offset) };
	return place_is(r, seq, row, id);
}

static bool
place_guess(
    struct repair *r, uint64_t seq, struct entry_row *row, uint8_t id[ID_LEN])
{
	struct entry_row before, was = *row;

	if (was.len > 0 && place_is(r, seq, row, id))
		return true;
	if (place_try(r, seq, seq, 0, row, id))
		return true;
	if (place_read(r, seq - 1, &before) &&
	    place_try(r, seq, before.segment,
		(uint64_t)before.offset + before.len, row, id))
		return true;
	*row = was;
	return false;
}

/* Nodes that are put are kept here. */
struct nodes {
	struct merkle_store stored;
	struct buf put;
};

static enum tocsin_err
nodes_get(void *arg, uint64_t pos, uint8_t hash[MERKLE_HASH])
{
	struct nodes *n = arg;

	return n->stored.get(n->stored.arg, pos, hash);
}

static enum tocsin_err
nodes_put(void *arg, uint64_t pos, const uint8_t hash[MERKLE_HASH])
{
	struct nodes *n = arg;

	(void)pos;
	buf_add(&n->put, (struct span){ hash, MERKLE_HASH });
	return TOCSIN_OK;
}

/* Its first bytes anew, the tail behind them as it is. */
static enum tocsin_err
place_write(struct repair *r, uint64_t seq, const struct entry_row *row,
    struct span nodes)
{
	uint64_t key = 2 * seq;
	size_t fixed = entry_fixed(seq);
	struct buf b = { 0 };
	struct span v;
	enum tocsin_err err;

	err = raw_get(&r->tx->view, T_LOG, key_u64(&key), &v);
	if (err)
		return err;
	buf_add(&b, v);
	if (!buf_ok(&b) || b.n < fixed + CHECK_LEN ||
	    nodes.n != fixed - sizeof(*row)) {
		err = TOCSIN_EBODYMISMATCH;
	} else {
		memcpy(b.p, row, sizeof(*row));
		memcpy(b.p + sizeof(*row), nodes.p, nodes.n);
		row_check(b.p + fixed, T_LOG, key_u64(&key),
		    (struct span){ b.p, fixed });
		err = raw_put(r->tx, T_LOG, key_u64(&key), buf_span(&b));
	}
	buf_release(&b);
	return err;
}

/* Its id is that of its record, or what the index still says. */
static bool
place_mend(struct repair *r, uint64_t seq, struct entry_row *row)
{
	struct nodes n = { .stored = store_tree(&r->tx->view) };
	struct merkle_store tree = { &n, nodes_get, nodes_put };
	uint64_t size = seq - 1;
	uint8_t id[ID_LEN];
	struct store_entry stub;
	bool mended;

	if (amended_get(&r->tx->view, seq, &stub) == TOCSIN_OK && stub.erased)
		row->len = 0;
	mended = (place_guess(r, seq, row, id) || id_of(r, seq, id)) &&
		 merkle_append(&tree, &size, id) == TOCSIN_OK &&
		 place_write(r, seq, row, buf_span(&n.put)) == TOCSIN_OK;
	buf_release(&n.put);
	return mended;
}

static void
put_places(struct repair *r)
{
	struct entry_row row = { 0 };
	uint64_t seq;

	for (seq = 1; seq <= r->tx->head && !r->err; seq++) {
		if (place_read(r, seq, &row))
			continue;
		if (place_mend(r, seq, &row))
			tell(r, seq, "the row of the entry was damaged");
		if (r->tx->failed)
			r->err = r->tx->failed;
	}
}

enum tocsin_err
store_repair(struct store_tx *tx, struct store_repair *how)
{
	struct repair r = { .tx = tx, .how = how };
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]) && !r.err; i++)
		drop_bad(&r, i);
	drop_outboxes(&r);
	put_places(&r);
	put_ids(&r);
	return r.err ? tx_refuse(tx, r.err) : TOCSIN_OK;
}

/* ---- chunks that belong to nobody ---- */

static int
order_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* The numbers that parts and dropped parts have, in order. */
static enum tocsin_err
owned_numbers(struct repair *r, struct buf *out)
{
	static const enum table from[] = { T_PARTS, T_GARBAGE };
	struct span key, value;
	MDB_cursor *c;
	MDB_val k, v;
	size_t i;
	int rc = 0;

	for (i = 0; i < 2 && !rc; i++) {
		rc = mdb_cursor_open(
		    r->tx->view.txn, r->tx->view.s->dbi[from[i]], &c);
		if (rc)
			break;
		while (!(rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT)))) {
			if (!value_take(&r->tx->view, &k, &key) ||
			    !value_take(&r->tx->view, &v, &value))
				break;
			/* struct part_row begins with its number */
			buf_add(out, span_cut(from[i] == T_PARTS ? value : key,
					 0, sizeof(uint64_t)));
		}
		mdb_cursor_close(c);
		rc = rc == MDB_NOTFOUND ? 0 : rc ? rc : MDB_CORRUPTED;
	}
	if (rc)
		return store_from_mdb(r->tx->view.s, rc);
	if (!buf_ok(out))
		return TOCSIN_EBUSY;
	if (out->n > 0)
		qsort(out->p, out->n / sizeof(uint64_t), sizeof(uint64_t),
		    order_u64);
	return TOCSIN_OK;
}

/* The number of the first chunk at or after no; ENOTFOUND: there is none. */
static enum tocsin_err
next_number(struct repair *r, uint64_t *no)
{
	struct span found, stored;
	struct key k = { .n = 0 };
	struct rd rd;
	enum tocsin_err err;

	key_be64(&k, *no);
	key_be64(&k, 0);
	err = row_seek(&r->tx->view, T_CHUNKS, key_span(&k), &found, &stored);
	if (err)
		return err;
	rd = rd_init(found);
	*no = rd_u64(&rd);
	return TOCSIN_OK;
}

/* One more than the last chunk of a number; there may be gaps. */
static uint64_t
chunks_end(struct repair *r, uint64_t no)
{
	struct span found, stored;
	uint64_t end = 0;

	for (;;) {
		struct key k = { .n = 0 };
		struct rd rd;

		key_be64(&k, no);
		key_be64(&k, end);
		if (row_seek(&r->tx->view, T_CHUNKS, key_span(&k), &found,
			&stored) != TOCSIN_OK)
			return end;
		rd = rd_init(found);
		if (rd_u64(&rd) != no)
			return end;
		end = rd_u64(&rd) + 1;
	}
}

/* What a part of these chunks would be; its hash. */
static void
chunks_sum(struct repair *r, struct part_row *row, uint8_t hash[32])
{
	crypto_hash_sha256_state sha;
	struct span bytes;
	uint64_t i;

	crypto_hash_sha256_init(&row->sha);
	row->have = 0;
	for (i = 0; chunk_get(&r->tx->view, row->no, i, &bytes) == TOCSIN_OK;
	     i++) {
		sha256_update(&row->sha, bytes);
		row->have += bytes.n;
	}
	sha = row->sha;
	crypto_hash_sha256_final(&sha, hash);
}

/* It is a part's that has lost its row, or it goes by and by. */
static enum tocsin_err
adopt(struct repair *r, uint64_t no)
{
	struct part_row row, sum = { .no = no };
	uint64_t chunks;
	uint8_t hash[32];

	chunks_sum(r, &sum, hash);
	if (part_row_get(&r->tx->view, hash, &row) == TOCSIN_OK &&
	    row.have == 0 && row.total == sum.have) {
		row.no = no;
		row.have = sum.have;
		row.complete = 1;
		row.sha = sum.sha;
		tell(r, row.first_seq, "a part has its bytes again");
		return row_put(r->tx, T_PARTS, SPAN(hash),
		    (struct span){ (const uint8_t *)&row, sizeof(row) });
	}
	chunks = chunks_end(r, no);
	return row_put(r->tx, T_GARBAGE, key_u64(&no), key_u64(&chunks));
}

enum tocsin_err
store_repair_parts(struct store_tx *tx, struct store_repair *how)
{
	struct repair r = { .tx = tx, .how = how };
	struct buf owned = { 0 };
	uint64_t no = 0;
	enum tocsin_err err = owned_numbers(&r, &owned);

	while (!err && !(err = next_number(&r, &no))) {
		if (owned.n == 0 || !bsearch(&no, owned.p, owned.n / sizeof(no),
					sizeof(no), order_u64))
			err = adopt(&r, no);
		no++;
	}
	buf_release(&owned);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}
