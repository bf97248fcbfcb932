/* SPDX-License-Identifier: ISC */
#include "broker/epochs.h"

#include "broker/value.h"

#include <string.h>

#define NAME "epochs"
#define SEQ_MASK ((UINT64_C(1) << EPOCHS_SHIFT) - 1)

enum tocsin_err
epochs_load(struct epochs *e, struct store_rx *rx)
{
	struct span value = { 0 };
	enum tocsin_err err = value_get(rx, &value, NAME);
	struct rd r = rd_init(value);

	memset(e, 0, sizeof(*e));
	if (err)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	while (r.rest.n > 0 && e->n < EPOCHS_MAX)
		e->first[e->n++] = rd_u64(&r);
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

enum tocsin_err
epochs_begin(struct store_tx *tx)
{
	struct store_rx *rx = store_tx_view(tx);
	struct buf b = { 0 };
	struct epochs e;
	enum tocsin_err err = epochs_load(&e, rx);
	unsigned i;

	if (!err && e.n == EPOCHS_MAX)
		err = TOCSIN_EQUOTA;
	if (err)
		return err;
	e.first[e.n++] = store_head(rx) + 1;
	for (i = 0; i < e.n; i++)
		buf_u64(&b, e.first[i]);
	err = buf_ok(&b) ? value_put(tx, buf_span(&b), NAME) : TOCSIN_EBUSY;
	buf_release(&b);
	return err;
}

uint64_t
epochs_wire(const struct epochs *e, uint64_t seq)
{
	uint64_t k = 0;

	while (k < e->n && seq >= e->first[k])
		k++;
	return seq + (k << EPOCHS_SHIFT);
}

uint64_t
epochs_seq(const struct epochs *e, uint64_t wire)
{
	uint64_t k = wire >> EPOCHS_SHIFT, seq = wire & SEQ_MASK;

	if (k > e->n)
		return UINT64_MAX - 1;
	if (k < e->n && seq >= e->first[k])
		return e->first[k] - 1;
	if (k > 0 && seq < e->first[k - 1])
		return e->first[k - 1] - 1;
	return seq;
}
