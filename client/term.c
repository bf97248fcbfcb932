/* SPDX-License-Identifier: ISC */
#include "client/term.h"

#include "crypto/buf.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_SIZE 32

static const char *
name_of(char out[NAME_SIZE], uint64_t number)
{
	snprintf(out, NAME_SIZE, "term/%020" PRIu64, number);
	return out;
}

enum tocsin_err
term_put(struct desk_tx *tx, uint64_t number, int64_t from, int64_t until)
{
	struct buf b = { 0 };
	char name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, (uint64_t)from);
	buf_u64(&b, (uint64_t)until);
	if (buf_ok(&b))
		err = desk_value_put(tx, name_of(name, number), buf_span(&b));
	buf_release(&b);
	return err;
}

enum tocsin_err
term_drop(struct desk_tx *tx, uint64_t number)
{
	char name[NAME_SIZE];

	return desk_value_put(tx, name_of(name, number), (struct span){ 0 });
}

bool
term_over(struct desk_tx *tx, uint64_t number, int64_t now)
{
	char name[NAME_SIZE];
	struct span row;
	int64_t from, until;
	struct rd r;

	if (desk_value_get(tx, name_of(name, number), &row) != TOCSIN_OK)
		return false;
	r = rd_init(row);
	from = (int64_t)rd_u64(&r);
	until = (int64_t)rd_u64(&r);
	return rd_done(&r) && (now > until || now < from - TERM_SKEW);
}
