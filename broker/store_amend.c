/* SPDX-License-Identifier: ISC */
/*
 * Entries in place of damaged ones. A segment is never written again, so an
 * entry that comes back from a peer stands in a table of its own, and is read
 * when its record is not what its check says. The leaf of the tree says which
 * id it must have.
 */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <string.h>

enum tocsin_err
amended_get(struct store_rx *rx, uint64_t seq, struct store_entry *out)
{
	struct store_entry e;
	struct span record;
	enum tocsin_err err = row_get(rx, T_AMENDS, key_u64(&seq), &record);

	if (err)
		return err;
	if (!record_decode(&e, record) || e.seq != seq)
		return TOCSIN_EBODYMISMATCH;
	*out = e;
	return TOCSIN_OK;
}

/* ---- which are damaged ---- */

void
damaged_note(struct store *s, uint64_t seq)
{
	size_t i;

	pthread_mutex_lock(&s->damaged_lock);
	for (i = 0; i < s->ndamaged && s->damaged[i] != seq; i++)
		;
	if (i == s->ndamaged && i < STORE_DAMAGED_MAX)
		s->damaged[s->ndamaged++] = seq;
	pthread_mutex_unlock(&s->damaged_lock);
}

static void
damaged_forget(struct store *s, uint64_t seq)
{
	size_t i;

	pthread_mutex_lock(&s->damaged_lock);
	for (i = 0; i < s->ndamaged; i++)
		if (s->damaged[i] == seq)
			s->damaged[i--] = s->damaged[--s->ndamaged];
	pthread_mutex_unlock(&s->damaged_lock);
}

/* One that was mended and then not committed is found again when it is read. */
size_t
store_damaged(struct store *s, uint64_t seqs[STORE_DAMAGED_MAX])
{
	size_t n;

	pthread_mutex_lock(&s->damaged_lock);
	n = s->ndamaged;
	memcpy(seqs, s->damaged, n * sizeof(*seqs));
	pthread_mutex_unlock(&s->damaged_lock);
	return n;
}

/* ---- ids without records ---- */

static enum tocsin_err
leaf_is(struct store_rx *rx, uint64_t seq, const uint8_t id[32])
{
	struct merkle_store tree = store_tree(rx);
	uint8_t leaf[MERKLE_HASH], want[MERKLE_HASH];
	enum tocsin_err err;

	err = tree.get(tree.arg, merkle_pos(0, seq - 1), leaf);
	if (err)
		return err;
	merkle_leaf(want, (struct span){ id, 32 });
	return memcmp(leaf, want, sizeof(leaf)) == 0 ? TOCSIN_OK
						     : TOCSIN_EBODYMISMATCH;
}

/* A walk through all ids: seldom, and never in the writer. */
enum tocsin_err
store_id(struct store_rx *rx, uint64_t seq, uint8_t id[32])
{
	MDB_val k, v;
	MDB_cursor *c;
	struct span key, value;
	uint64_t at;
	int rc;

	if (seq == 0 || seq > store_head(rx))
		return TOCSIN_ENOTFOUND;
	rc = mdb_cursor_open(rx->txn, rx->s->dbi[T_IDS], &c);
	if (rc)
		return store_from_mdb(rx->s, rc);
	while ((rc = ENGINE(mdb_cursor_get(c, &k, &v, MDB_NEXT))) == 0) {
		if (!value_take(rx, &k, &key) || !value_take(rx, &v, &value) ||
		    key.n != 32 || !row_open(T_IDS, key, &value) ||
		    value.n != sizeof(at))
			continue;
		memcpy(&at, value.p, sizeof(at));
		if (at == seq)
			break;
	}
	mdb_cursor_close(c);
	if (rc)
		return store_from_mdb(rx->s, rc);
	memcpy(id, key.p, 32);
	return leaf_is(rx, seq, id);
}

/* ---- mending ---- */

enum tocsin_err
store_mend(struct store_tx *tx, const struct store_entry *e)
{
	struct store_entry there;
	struct buf record = { 0 };
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	err = store_get(&tx->view, e->seq, &there);
	if (err != TOCSIN_EBODYMISMATCH)
		return err ? err : TOCSIN_EDUPLICATE;
	err = leaf_is(&tx->view, e->seq, e->id);
	if (!err)
		err =
		    tx_room(tx, 4 + (e->note.n + e->body.n) / tx->view.s->page,
			ROOM_CONTROL);
	if (err)
		return err;
	record_encode(&record, e->seq, e);
	err = buf_ok(&record)
		  ? row_put(tx, T_AMENDS, key_u64(&e->seq), buf_span(&record))
		  : TOCSIN_EBUSY;
	buf_release(&record);
	if (!err)
		damaged_forget(tx->view.s, e->seq);
	return err;
}
