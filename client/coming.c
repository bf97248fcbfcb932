/* SPDX-License-Identifier: ISC */
#include "client/coming.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COMING "coming/"
#define NAME_SIZE 32

static const char *
name_of(char out[NAME_SIZE], uint64_t seq)
{
	snprintf(out, NAME_SIZE, COMING "%020" PRIu64, seq);
	return out;
}

static enum tocsin_err
decode(struct coming *out, struct span name, struct span row)
{
	char text[NAME_SIZE];
	struct rd r = rd_init(row);

	snprintf(text, sizeof(text), "%.*s", (int)name.n, (const char *)name.p);
	if (sscanf(text, COMING "%" SCNu64, &out->seq) != 1)
		return TOCSIN_EBODYMISMATCH;
	out->posted = (int64_t)rd_u64(&r);
	out->arrived = (int64_t)rd_u64(&r);
	out->verdict = tocsin_err_from_wire(rd_u16(&r));
	rd_copy(&r, out->id, ID_LEN);
	rd_copy(&r, out->thread, ID_LEN);
	out->note = rd_rest(&r);
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EBODYMISMATCH;
}

enum tocsin_err
coming_put(struct desk_tx *tx, const struct coming *c)
{
	struct buf b = { 0 };
	char name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, (uint64_t)c->posted);
	buf_u64(&b, (uint64_t)c->arrived);
	buf_u16(&b, (uint16_t)c->verdict);
	buf_add(&b, SPAN(c->id));
	buf_add(&b, SPAN(c->thread));
	buf_add(&b, c->note);
	if (buf_ok(&b))
		err = desk_value_put(tx, name_of(name, c->seq), buf_span(&b));
	buf_release(&b);
	return err;
}

enum tocsin_err
coming_next(struct desk_tx *tx, uint64_t after, struct coming *out)
{
	char from[NAME_SIZE];
	struct span name = span_of(name_of(from, after)), row;
	enum tocsin_err err;

	/* One that cannot be read shows nothing, and keeps nothing back. */
	do
		err = desk_value_next(tx, COMING, &name, &row);
	while (err == TOCSIN_OK && decode(out, name, row) != TOCSIN_OK);
	return err;
}

enum tocsin_err
coming_find(struct desk_tx *tx, const uint8_t id[ID_LEN], struct coming *out)
{
	struct coming c = { 0 }, first = { 0 };
	enum tocsin_err err;

	while ((err = coming_next(tx, c.seq, &c)) == TOCSIN_OK) {
		if (memcmp(c.id, id, ID_LEN) == 0) {
			*out = c;
			return TOCSIN_OK;
		}
		if (first.seq == 0 && memcmp(c.thread, id, ID_LEN) == 0)
			first = c;
	}
	if (err == TOCSIN_ENOTFOUND && first.seq != 0) {
		*out = first;
		err = TOCSIN_OK;
	}
	return err;
}

enum tocsin_err
coming_drop(struct desk_tx *tx, uint64_t seq)
{
	char name[NAME_SIZE];

	return desk_value_put(tx, name_of(name, seq), (struct span){ 0 });
}

enum tocsin_err
coming_drop_to(struct desk_tx *tx, uint64_t seq)
{
	struct coming c;
	enum tocsin_err err;

	while ((err = coming_next(tx, 0, &c)) == TOCSIN_OK && c.seq <= seq) {
		err = coming_drop(tx, c.seq);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static bool
is_in(uint8_t (*ids)[ID_LEN], size_t n, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < n; i++)
		if (memcmp(ids[i], id, ID_LEN) == 0)
			return true;
	return false;
}

static void
add_match(uint8_t (*ids)[ID_LEN], size_t max, size_t *n,
    const struct id_prefix *prefix, const uint8_t id[ID_LEN])
{
	if (!shortid_fits(prefix, id) || is_in(ids, *n < max ? *n : max, id))
		return;
	if (*n < max)
		memcpy(ids[*n], id, ID_LEN);
	++*n;
}

enum tocsin_err
coming_match(struct desk_tx *tx, const struct id_prefix *prefix,
    uint8_t (*ids)[ID_LEN], size_t max, size_t *n)
{
	struct coming c = { 0 };
	enum tocsin_err err;

	while ((err = coming_next(tx, c.seq, &c)) == TOCSIN_OK && *n <= max) {
		add_match(ids, max, n, prefix, c.id);
		add_match(ids, max, n, prefix, c.thread);
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}
