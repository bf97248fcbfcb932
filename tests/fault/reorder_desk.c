/* SPDX-License-Identifier: ISC */
#include "tests/fault/reorder.h"

#include "client/desk.h"

const char image_name[] = "data.mdb";

/* Every row of the log can be read, and the outbox points to rows. */
static bool
clean(struct desk_tx *tx)
{
	struct desk_message m;
	enum tocsin_err err;
	uint64_t number = 0;

	while ((err = desk_next(tx, number, &number)) == TOCSIN_OK)
		if (desk_get(tx, number, &m) != TOCSIN_OK)
			return false;
	if (err != TOCSIN_ENOTFOUND)
		return false;
	for (number = 0;
	     (err = desk_outbox_next(tx, number, &number)) == TOCSIN_OK;)
		if (desk_get(tx, number, &m) != TOCSIN_OK)
			return false;
	return err == TOCSIN_ENOTFOUND;
}

int
image_check(const char *folder, const struct image_promise *p)
{
	struct desk_tx *tx;
	struct desk *d;
	uint64_t number;
	size_t i;

	if (desk_open(&d, folder) != TOCSIN_OK ||
	    desk_read(d, &tx) != TOCSIN_OK)
		return 1;
	for (i = 0; i < p->n; i++)
		if (desk_find(tx, p->id[i], &number) != TOCSIN_OK)
			return 2;
	return clean(tx) ? 0 : 3;
}
