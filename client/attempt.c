/* SPDX-License-Identifier: ISC */
#include "client/attempt.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_SIZE 32

static const char *
name_of(char out[NAME_SIZE], uint64_t number)
{
	snprintf(out, NAME_SIZE, "try/%020" PRIu64, number);
	return out;
}

enum tocsin_err
attempt_put(struct desk_tx *tx, uint64_t number, const struct attempt *a)
{
	struct buf b = { 0 };
	char name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u16(&b, (uint16_t)a->reason);
	buf_u64(&b, (uint64_t)a->at);
	buf_u64(&b, (uint64_t)a->next);
	if (buf_ok(&b))
		err = desk_value_put(tx, name_of(name, number), buf_span(&b));
	buf_release(&b);
	return err;
}

enum tocsin_err
attempt_drop(struct desk_tx *tx, uint64_t number)
{
	char name[NAME_SIZE];

	return desk_value_put(tx, name_of(name, number), (struct span){ 0 });
}

bool
attempt_get(struct desk_tx *tx, uint64_t number, struct attempt *out)
{
	char name[NAME_SIZE];
	struct span row;
	struct rd r;

	if (desk_value_get(tx, name_of(name, number), &row) != TOCSIN_OK)
		return false;
	r = rd_init(row);
	out->reason = tocsin_err_from_wire(rd_u16(&r));
	out->at = (int64_t)rd_u64(&r);
	out->next = (int64_t)rd_u64(&r);
	return rd_done(&r);
}
