/* SPDX-License-Identifier: ISC */
#include "broker/erase.h"

#include "broker/intake.h"
#include "broker/quota.h"
#include "broker/recall.h"

#include <string.h>

enum tocsin_err
erase_part(struct batch *batch, const uint8_t hash[32])
{
	struct store_part part;
	enum tocsin_err err = store_part_unname(batch->tx, hash);

	if (!err && store_part_stat(batch->view, hash, &part))
		err = intake_part_gone(batch, hash);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* What was recalled of it before, it names no more. */
static enum tocsin_err
erase_parts(
    struct batch *batch, const struct ticket *t, bool detached, uint64_t gone)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (detached)
		err = erase_part(batch, t->body_hash);
	for (i = 0; i < t->npart && !err; i++)
		if (!(gone >> i & 1) &&
		    (!detached ||
			memcmp(t->part[i].hash, t->body_hash, 32) != 0))
			err = erase_part(batch, t->part[i].hash);
	return err;
}

enum tocsin_err
erase_entry(
    struct batch *batch, const struct store_entry *e, const struct ticket *t)
{
	struct recalled r = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	if (t)
		err = recall_of(&r, batch->view, t);
	if (!err)
		err = quota_give_back(batch, e, t);
	if (!err)
		err = store_erase(batch->tx, e->seq);
	if (!err && t)
		err = erase_parts(batch, t, e->detached, r.parts);
	return err;
}
