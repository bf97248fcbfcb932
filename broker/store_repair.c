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
	struct store_rx *rx; /* before it: its pages are within the file */
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

/* With how large a key, and value with its check. */
static const struct {
	enum table table;
	size_t key_least, key_most, most;
	bool (*good)(struct repair *r, struct span key, struct span value);
	const char *what;
} tables[] = {
	{ T_IDS, 32, 32, 16, good_id, "a row of the ids was damaged" },
	{ T_MAILBOX, 10, KEY_MAX, 8, good_mail,
	    "a row of a mailbox was damaged" },
	{ T_OUTBOX, 11, KEY_MAX, 48, good_any,
	    "a row of an outbox was damaged" },
	{ T_COUNTERS, 3, KEY_MAX, 16, good_any,
	    "the counter of an outbox was damaged" },
	{ T_VALUES, 1, 255, 256 + CHECK_LEN, good_any,
	    "a small value was damaged" },
	{ T_PARTS, 32, 32, sizeof(struct part_row) + CHECK_LEN, good_part,
	    "the row of a part was damaged" },
	{ T_GARBAGE, 8, 8, 16, good_garbage,
	    "what was left of a dropped part was damaged" },
	{ T_AMENDS, 8, 8, 2 * RECORD_MAX, good_amend,
	    "what stood in for an entry was damaged" },
};

/*
 * As far as its sizes go a row is one of ours. Else the page is damaged, and
 * whoever writes to it would make it worse.
 */
static bool
is_sane(const struct repair *r, size_t i, const MDB_val *k, const MDB_val *v)
{
	struct span key, value;

	return value_take(r->rx, k, &key) && value_take(r->rx, v, &value) &&
	       key.n >= tables[i].key_least && key.n <= tables[i].key_most &&
	       value.n >= CHECK_LEN && value.n <= tables[i].most;
}

static bool
is_good(struct repair *r, size_t i, const MDB_val *k, const MDB_val *v)
{
	struct span key = { k->mv_data, k->mv_size };
	struct span value = { v->mv_data, v->mv_size };

	return row_open(tables[i].table, key, &value) &&
	       tables[i].good(r, key, value);
}

/* How many are bad; nothing was changed yet. */
static uint64_t
count_bad(struct repair *r, size_t i, MDB_cursor *c)
{
	enum table t = tables[i].table;
	uint64_t n = 0;
	MDB_val k, v;
	int rc;

	while (!(rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT)))) {
		if (!is_sane(r, i, &k, &v)) {
			r->err = TOCSIN_EBODYMISMATCH;
			return 0;
		}
		if (is_good(r, i, &k, &v))
			continue;
		n++;
		if (t == T_VALUES && r->how->keep(r->how->arg,
					 (struct span){ k.mv_data, k.mv_size }))
			r->err = TOCSIN_EUNSUPPORTED;
	}
	if (rc != MDB_NOTFOUND)
		r->err = store_from_mdb(r->tx->view.s, rc);
	return n;
}

/* Side by side: what was is judged, and what is to be loses it. */
static void
delete_bad(struct repair *r, size_t i, MDB_cursor *was, MDB_cursor *is)
{
	enum table t = tables[i].table;
	MDB_val k, v, k2, v2;
	int rc = 0;

	while (!rc && !ENGINE(mdb_cursor_get(was, &k, &v, MDB_NEXT))) {
		rc = ENGINE(mdb_cursor_get(is, &k2, &v2, MDB_NEXT));
		if (rc || is_good(r, i, &k, &v))
			continue;
		r->how->outbox |= t == T_OUTBOX || t == T_COUNTERS;
		r->how->parts |= t == T_PARTS;
		tell(r, 0, tables[i].what);
		rc = ENGINE(mdb_cursor_del(is, 0));
	}
	if (rc)
		r->err = store_from_mdb(r->tx->view.s, rc);
}

/* One whose check is wrong goes; the order of keys is right again then. */
static void
drop_bad(struct repair *r, size_t i)
{
	MDB_dbi dbi = r->tx->view.s->dbi[tables[i].table];
	MDB_cursor *first = NULL, *was = NULL, *is = NULL;
	int rc = mdb_cursor_open(r->rx->txn, dbi, &first);

	if (!rc)
		rc = mdb_cursor_open(r->rx->txn, dbi, &was);
	if (!rc)
		rc = mdb_cursor_open(r->tx->view.txn, dbi, &is);
	if (rc)
		r->err = store_from_mdb(r->tx->view.s, rc);
	if (!r->err && count_bad(r, i, first) > 0 && !r->err)
		delete_bad(r, i, was, is);
	if (first)
		mdb_cursor_close(first);
	if (was)
		mdb_cursor_close(was);
	if (is)
		mdb_cursor_close(is);
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

/* An entry that was mended just now is not read here: another repair does. */
static void
put_ids(struct repair *r)
{
	struct store_entry e;
	uint64_t seq, at;

	for (seq = 1; seq <= r->tx->head && !r->err; seq++) {
		if (store_get(r->rx, seq, &e) == TOCSIN_OK &&
		    (store_find(&r->tx->view, e.id, &at) || at != seq)) {
			tell(r, seq, "the entry is found by its id again");
			r->err =
			    row_put(r->tx, T_IDS, SPAN(e.id), key_u64(&seq));
		}
		rx_forget_joined(r->rx);
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
	    raw_get(r->rx, T_LOG, key_u64(&key), &v))
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

	if (raw_get(r->rx, T_LOG, key_u64(&next), &seg))
		seg.n = 0;
	if (raw_get(r->rx, T_LOG, key_u64(&key), &row))
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

	is = record_find(r->rx, row, &record) == TOCSIN_OK &&
	     record.n == row->len && record_decode(&e, record) &&
	     e.seq == seq && note_parse(&n, e.note, RECORD_MAX) == TOCSIN_OK;
	if (is) {
		note_id(id, n.text);
		is = memcmp(id, e.id, ID_LEN) == 0 && body_is_right(&e);
	}
	if (is)
		record_check(row->check, record);
	rx_forget_joined(r->rx);
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
	struct merkle_store was, stored;
	struct buf put;
};

static enum tocsin_err
nodes_get(void *arg, uint64_t pos, uint8_t hash[MERKLE_HASH])
{
	struct nodes *n = arg;

	if (n->was.get(n->was.arg, pos, hash) == TOCSIN_OK)
		return TOCSIN_OK;
	return n->stored.get(n->stored.arg, pos, hash); /* just mended */
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

	err = raw_get(r->rx, T_LOG, key_u64(&key), &v);
	if (!err && v.n > r->tx->view.s->page)
		err = TOCSIN_EBODYMISMATCH;
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
	struct nodes n = { .was = store_tree(r->rx),
		.stored = store_tree(&r->tx->view) };
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

	r.err = store_read(tx->view.s, &r.rx);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]) && !r.err; i++)
		drop_bad(&r, i);
	drop_outboxes(&r);
	if (!r.err) {
		put_places(&r);
		put_ids(&r);
	}
	store_read_end(r.rx);
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
