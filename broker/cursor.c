/* SPDX-License-Identifier: ISC */
#include "broker/cursor.h"

#include "broker/value.h"

#include <sodium.h>
#include <string.h>

enum tocsin_err
cursor_get(
    struct cursor *c, struct store_rx *rx, const char *peer, unsigned lane)
{
	struct span s;
	struct rd r;
	enum tocsin_err err = value_get(rx, &s, "relay/%s/%u", peer, lane);

	memset(c, 0, sizeof(*c));
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (err)
		return err;
	r = rd_init(s);
	c->at.item = rd_u64(&r);
	c->at.offset = rd_u64(&r);
	rd_copy(&r, c->tally, sizeof(c->tally));
	if (c->at.offset > 0) {
		rd_copy(&r, c->hash, sizeof(c->hash));
		c->kind = rd_u8(&r);
		c->total = rd_u64(&r);
	}
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

enum tocsin_err
cursor_put(const struct cursor *c, struct store_tx *tx, const char *peer,
    unsigned lane)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, c->at.item);
	buf_u64(&b, c->at.offset);
	buf_add(&b, SPAN(c->tally));
	if (c->at.offset > 0) {
		buf_add(&b, SPAN(c->hash));
		buf_u8(&b, c->kind);
		buf_u64(&b, c->total);
	}
	if (buf_ok(&b))
		err = value_put(tx, buf_span(&b), "relay/%s/%u", peer, lane);
	buf_release(&b);
	return err;
}

/* ---- the beginning of an entry ---- */

static enum tocsin_err
key_of(uint8_t key[ITEM_HASH], const char *peer, unsigned lane, uint64_t item,
    uint8_t kind, uint64_t total)
{
	struct buf b = { 0 };
	bool good;

	buf_addz(&b, "beginning/");
	buf_addz(&b, peer);
	buf_u8(&b, 0);
	buf_u8(&b, (uint8_t)lane);
	buf_u64(&b, item);
	buf_u8(&b, kind);
	buf_u64(&b, total);
	good = buf_ok(&b);
	if (good)
		crypto_hash_sha256(key, b.p, b.n);
	buf_release(&b);
	return good ? TOCSIN_OK : TOCSIN_EBUSY;
}

static enum tocsin_err
add(struct cursor *c, struct store_tx *tx, uint64_t from, struct span bytes)
{
	struct store_part part;
	enum tocsin_err err =
	    store_part_stat(store_tx_view(tx), c->hash, &part);

	if (err)
		return err;
	c->at.offset = part.have;
	if (from > part.have || from + bytes.n <= part.have)
		return TOCSIN_OK;
	bytes = span_cut(bytes, (size_t)(part.have - from), bytes.n);
	return store_part_write(tx, c->hash, part.have, bytes, &c->at.offset);
}

enum tocsin_err
cursor_begin(struct cursor *c, struct store_tx *tx, const char *peer,
    unsigned lane, uint8_t kind, uint64_t total, uint64_t from,
    struct span bytes)
{
	uint8_t key[ITEM_HASH];
	enum tocsin_err err =
	    key_of(key, peer, lane, c->at.item + 1, kind, total);

	if (!err && c->at.offset > 0 && memcmp(key, c->hash, sizeof(key)) != 0)
		err = cursor_drop(c, tx);
	if (err)
		return err;
	memcpy(c->hash, key, sizeof(key));
	c->kind = kind;
	c->total = total;
	err = store_part_expect(tx, key, total + 1, 0);
	return err ? err : add(c, tx, from, bytes);
}

enum tocsin_err
cursor_beginning(const struct cursor *c, struct store_rx *rx, struct buf *out)
{
	size_t was = out->n;
	enum tocsin_err err = TOCSIN_OK;

	while (!err && out->n - was < c->at.offset) {
		size_t had = out->n;

		err = store_part_read(rx, c->hash, had - was,
		    (size_t)(c->at.offset - (had - was)), out);
		if (!err && out->n == had)
			err = TOCSIN_ENOTFOUND;
	}
	if (!err && !buf_ok(out))
		err = TOCSIN_EBUSY;
	if (err)
		buf_cut(out, was);
	return err;
}

void
cursor_aside(
    uint8_t key[ITEM_HASH], const char *peer, const uint8_t hash[ITEM_HASH])
{
	static const char what[] = "aside/";
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)what, sizeof(what));
	crypto_hash_sha256_update(&st, (const uint8_t *)peer, strlen(peer) + 1);
	crypto_hash_sha256_update(&st, hash, ITEM_HASH);
	crypto_hash_sha256_final(&st, key);
}

enum tocsin_err
cursor_drop(const struct cursor *c, struct store_tx *tx)
{
	enum tocsin_err err = TOCSIN_OK;

	if (c->at.offset > 0)
		err = store_part_drop(tx, c->hash);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}
