/* SPDX-License-Identifier: ISC */
/* Mailboxes, outboxes and values: small rows that point into the log. */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <string.h>

#define VALUE_MAX 256
#define VALUE_NAME_MAX 255

struct out_row {
	uint64_t seq;
	uint8_t part[32];
};

static bool
name_ok(struct span name)
{
	return name.n > 0 && name.n <= STORE_NAME_MAX &&
	       memchr(name.p, 0, name.n) == NULL;
}

static void
key_name(struct key *k, struct span name)
{
	memcpy(k->p, name.p, name.n);
	k->p[name.n] = 0;
	k->n = name.n + 1;
}

static void
key_u8(struct key *k, uint8_t v)
{
	k->p[k->n++] = v;
}

void
key_be64(struct key *k, uint64_t v)
{
	int shift;

	for (shift = 56; shift >= 0; shift -= 8)
		key_u8(k, (uint8_t)(v >> shift));
}

struct span
key_span(const struct key *k)
{
	return (struct span){ k->p, k->n };
}

/* The number at the end of `found`, if what is before it is `prefix`. */
static bool
key_after(struct span found, struct span prefix, uint64_t *n)
{
	struct rd r = rd_init(found);

	if (!span_eq(rd_span(&r, prefix.n), prefix))
		return false;
	*n = rd_u64(&r);
	return rd_done(&r);
}

/* ---- mailboxes ---- */

static void
mail_key(struct key *k, struct span member, uint64_t seq)
{
	key_name(k, member);
	key_be64(k, seq);
}

enum tocsin_err
store_mail(struct store_tx *tx, struct span member, uint64_t seq)
{
	struct key k;

	if (tx->failed)
		return tx->failed;
	if (!name_ok(member) || seq == 0 || seq > tx->head)
		return TOCSIN_EUSAGE;
	mail_key(&k, member, seq);
	return row_put(tx, T_MAILBOX, key_span(&k), (struct span){ 0 });
}

/* The next of one mailbox alone. */
static enum tocsin_err
mail_after(
    struct store_rx *rx, struct span member, uint64_t after, uint64_t *seq)
{
	struct span found, stored;
	enum tocsin_err err;
	struct key k;

	if (after == UINT64_MAX)
		return TOCSIN_ENOTFOUND;
	mail_key(&k, member, after + 1);
	err = row_seek(rx, T_MAILBOX, key_span(&k), &found, &stored);
	if (err)
		return err;
	if (!key_after(found, span_cut(key_span(&k), 0, member.n + 1), seq))
		return TOCSIN_ENOTFOUND;
	if (!row_open(T_MAILBOX, found, &stored))
		return TOCSIN_EBODYMISMATCH;
	return TOCSIN_OK;
}

/* The same, with UINT64_MAX for none. */
static enum tocsin_err
mail_or_none(
    struct store_rx *rx, struct span member, uint64_t after, uint64_t *seq)
{
	enum tocsin_err err = mail_after(rx, member, after, seq);

	if (err == TOCSIN_ENOTFOUND) {
		*seq = UINT64_MAX;
		err = TOCSIN_OK;
	}
	return err;
}

/*
 * Everybody's mailbox holds rosters and keys, which are few: whoever walks
 * along a mailbox would look for the same one again and again. A writer's view
 * changes; a snapshot does not.
 */
static enum tocsin_err
all_after(struct store_rx *rx, uint64_t after, uint64_t *seq)
{
	enum tocsin_err err = TOCSIN_OK;

	if (rx->tx != NULL || after < rx->all_after || after >= rx->all_seq) {
		rx->all_seq = 0;
		err = mail_or_none(rx, span_of("*"), after, seq);
		if (err)
			return err;
		rx->all_after = after;
		rx->all_seq = *seq;
	}
	*seq = rx->all_seq;
	return TOCSIN_OK;
}

enum tocsin_err
store_mail_next(
    struct store_rx *rx, struct span member, uint64_t after, uint64_t *seq)
{
	uint64_t own, all;
	enum tocsin_err err;

	if (!name_ok(member))
		return TOCSIN_EUSAGE;
	err = mail_or_none(rx, member, after, &own);
	if (!err)
		err = all_after(rx, after, &all);
	if (err)
		return err;
	if (own == UINT64_MAX && all == UINT64_MAX)
		return TOCSIN_ENOTFOUND;
	*seq = own < all ? own : all;
	return TOCSIN_OK;
}

static bool
mail_in(struct store_rx *rx, struct span member, uint64_t seq)
{
	struct span value;
	struct key k;

	mail_key(&k, member, seq);
	return row_get(rx, T_MAILBOX, key_span(&k), &value) == TOCSIN_OK;
}

bool
store_mail_has(struct store_rx *rx, struct span member, uint64_t seq)
{
	if (!name_ok(member))
		return false;
	return mail_in(rx, member, seq) || mail_in(rx, span_of("*"), seq);
}

/* ---- outboxes ---- */

static bool
lane_ok(struct span peer, unsigned lane)
{
	return name_ok(peer) && lane < STORE_LANES;
}

static void
lane_key(struct key *k, struct span peer, unsigned lane)
{
	key_name(k, peer);
	key_u8(k, (uint8_t)lane);
}

/* The last number that this lane ever had. */
static enum tocsin_err
lane_last(const struct store_rx *rx, const struct key *lane, uint64_t *n)
{
	struct span value;
	enum tocsin_err err;

	*n = 0;
	err = row_get(rx, T_COUNTERS, key_span(lane), &value);
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (!err && value.n != sizeof(*n))
		err = TOCSIN_EBODYMISMATCH;
	if (!err)
		memcpy(n, value.p, sizeof(*n));
	return err;
}

uint64_t
store_out_last(struct store_rx *rx, struct span peer, unsigned lane)
{
	uint64_t n = 0;
	struct key k;

	if (!lane_ok(peer, lane))
		return 0;
	lane_key(&k, peer, lane);
	return lane_last(rx, &k, &n) == TOCSIN_OK ? n : 0;
}

static enum tocsin_err
lane_count(struct store_tx *tx, const struct key *lane, uint64_t *n)
{
	if (lane_last(&tx->view, lane, n) != TOCSIN_OK)
		return tx_refuse(tx, TOCSIN_EINTERNAL);
	++*n;
	return row_put(tx, T_COUNTERS, key_span(lane), key_u64(n));
}

enum tocsin_err
store_out_add(
    struct store_tx *tx, struct span peer, unsigned lane, struct store_out *out)
{
	struct out_row row = { .seq = out->seq ? out->seq : out->ticket };
	enum tocsin_err err;
	struct key k;
	uint64_t n;

	if (tx->failed)
		return tx->failed;
	if (!lane_ok(peer, lane) || row.seq > tx->head)
		return TOCSIN_EUSAGE;
	lane_key(&k, peer, lane);
	err = lane_count(tx, &k, &n);
	if (err)
		return err;
	if (out->seq == 0)
		memcpy(row.part, out->part, sizeof(row.part));
	key_be64(&k, n);
	out->n = n;
	return row_put(tx, T_OUTBOX, key_span(&k),
	    out->seq == 0 ? (struct span){ (const uint8_t *)&row, sizeof(row) }
			  : key_u64(&row.seq));
}

/* A seq, or a part's hash behind the ticket's; zeros are what is no more. */
static bool
out_decode(struct store_out *out, uint64_t n, struct span value)
{
	struct out_row row = { 0 };

	if (value.n != sizeof(row) && value.n != sizeof(row.seq))
		return false;
	memcpy(&row, value.p, value.n);
	if (row.seq == 0 && value.n < sizeof(row))
		return false;
	out->n = n;
	out->seq = value.n < sizeof(row) ? row.seq : 0;
	out->ticket = value.n < sizeof(row) ? 0 : row.seq;
	memcpy(out->part, row.part, sizeof(out->part));
	return true;
}

static enum tocsin_err
out_after(struct store_rx *rx, const struct key *lane, uint64_t after,
    struct store_out *out)
{
	struct span found, stored;
	struct key k = *lane;
	enum tocsin_err err;
	uint64_t n;

	if (after == UINT64_MAX)
		return TOCSIN_ENOTFOUND;
	key_be64(&k, after + 1);
	err = row_seek(rx, T_OUTBOX, key_span(&k), &found, &stored);
	if (err)
		return err;
	if (!key_after(found, key_span(lane), &n))
		return TOCSIN_ENOTFOUND;
	if (!row_open(T_OUTBOX, found, &stored) || !out_decode(out, n, stored))
		return TOCSIN_EBODYMISMATCH;
	return TOCSIN_OK;
}

enum tocsin_err
store_out_next(struct store_rx *rx, struct span peer, unsigned lane,
    uint64_t after, struct store_out *out)
{
	struct key k;

	if (!lane_ok(peer, lane))
		return TOCSIN_EUSAGE;
	lane_key(&k, peer, lane);
	return out_after(rx, &k, after, out);
}

enum tocsin_err
store_out_trim(struct store_tx *tx, struct span peer, unsigned lane, uint64_t n)
{
	struct key base, k;
	struct store_out out;
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	if (!lane_ok(peer, lane))
		return TOCSIN_EUSAGE;
	lane_key(&base, peer, lane);
	while ((err = out_after(&tx->view, &base, 0, &out)) == TOCSIN_OK) {
		if (out.n > n)
			return TOCSIN_OK;
		k = base;
		key_be64(&k, out.n);
		err = row_del(tx, T_OUTBOX, key_span(&k));
		if (err)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
store_out_restart(
    struct store_tx *tx, struct span peer, unsigned lane, uint64_t n)
{
	struct store_out out;
	enum tocsin_err err;
	struct key k;

	if (tx->failed)
		return tx->failed;
	if (!lane_ok(peer, lane))
		return TOCSIN_EUSAGE;
	lane_key(&k, peer, lane);
	err = out_after(&tx->view, &k, 0, &out);
	if (err != TOCSIN_ENOTFOUND)
		return err ? err : TOCSIN_EUSAGE;
	return row_put(tx, T_COUNTERS, key_span(&k), key_u64(&n));
}

/* ---- values ---- */

enum tocsin_err
store_value_put(struct store_tx *tx, struct span name, struct span value)
{
	if (tx->failed)
		return tx->failed;
	if (name.n == 0 || name.n > VALUE_NAME_MAX)
		return TOCSIN_EUSAGE;
	if (value.n > VALUE_MAX)
		return TOCSIN_ETOOLARGE;
	return row_put(tx, T_VALUES, name, value);
}

enum tocsin_err
store_value_drop(struct store_tx *tx, struct span name)
{
	enum tocsin_err err;

	if (tx->failed)
		return tx->failed;
	if (name.n == 0 || name.n > VALUE_NAME_MAX)
		return TOCSIN_EUSAGE;
	err = row_del(tx, T_VALUES, name);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
store_value_get(struct store_rx *rx, struct span name, struct span *value)
{
	if (name.n == 0 || name.n > VALUE_NAME_MAX)
		return TOCSIN_EUSAGE;
	return row_get(rx, T_VALUES, name, value);
}

enum tocsin_err
store_value_next(struct store_rx *rx, struct span after, struct span *name,
    struct span *value)
{
	uint8_t from[VALUE_NAME_MAX + 1];
	enum tocsin_err err;

	if (after.n > VALUE_NAME_MAX)
		return TOCSIN_EUSAGE;
	if (after.n > 0)
		memcpy(from, after.p, after.n);
	from[after.n] = 0; /* the least that is more */
	err = row_seek(rx, T_VALUES,
	    (struct span){ from, after.n > 0 ? after.n + 1 : 0 }, name, value);
	if (err)
		return err;
	return row_open(T_VALUES, *name, value) ? TOCSIN_OK
						: TOCSIN_EBODYMISMATCH;
}
