/* SPDX-License-Identifier: ISC */
/*
 * Planted defects. The linker lets calls between the files of the brokers pass
 * by here (--wrap), so their sources need no hooks: each function does what it
 * wraps, but for one mutant. ANSWER_EARLY, LYING_DISK and WRONG_PEER are in the
 * simulation's own writer and network. Each must be found by the checks.
 *
 * Three of the functions are looked at without a mutant, too: what is sealed,
 * what is acknowledged, what is answered.
 */
#include "broker/intake.h"
#include "broker/item.h"
#include "broker/receipts.h"
#include "broker/relay_impl.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum mutant mutant;

/* clang-format off */
static const char *const texts[MUTANTS] = {
	[NO_MUTANT]           = "none",
	[ANSWER_EARLY]        = "answer-early",
	[LYING_DISK]          = "lying-disk",
	[CURSOR_PLUS_ONE]     = "cursor-plus-one",
	[CURSOR_FORGOTTEN]    = "cursor-forgotten",
	[ACK_PLUS_ONE]        = "ack-plus-one",
	[ENTRY_DROPPED]       = "entry-dropped",
	[PART_ROWS_FORGOTTEN] = "part-rows-forgotten",
	[PART_NOT_PASSED_ON]  = "part-not-passed-on",
	[WRONG_PEER]          = "wrong-peer",
	[WRONG_BYTES]         = "wrong-bytes",
	[TRIM_PLUS_ONE]       = "trim-plus-one",
	[MAIL_FORGOTTEN]      = "mail-forgotten",
	[MAIL_ASTRAY]         = "mail-astray",
	[OUTBOX_FORGOTTEN]    = "outbox-forgotten",
	[NATION_FORGOTTEN]    = "nation-forgotten",
	[RECEIPT_EARLY]       = "receipt-early",
	[RECEIPT_WRONG]       = "receipt-wrong",
	[WAKE_IGNORED]        = "wake-ignored",
	[GAP_NEVER_TOLD]      = "gap-never-told",
	[HEARTBEAT_IGNORED]   = "heartbeat-ignored",
	[BEGINNING_WRONG]     = "beginning-wrong",
	[NUMBER_TWICE]        = "number-twice",
	[DEVICE_CURSOR_BACK]  = "device-cursor-back",
};
/* clang-format on */

const char *
mutant_text(enum mutant m)
{
	return texts[m];
}

static bool
now_and_then(enum mutant m)
{
	return mutant == m && sim_us > SECOND && chance(200);
}

/* The function of that name stands in front of the real one. */
#define WRAP(type, name, ...)            \
	type __wrap_##name(__VA_ARGS__); \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

/* ---- what is sealed, acknowledged and answered ---- */

WRAP(enum tocsin_err, relay_frame_seal, struct buf *out,
    const uint8_t link[RELAY_LINK], uint64_t counter, const uint8_t key[32],
    const struct relay_piece *piece)
{
	check_sealed(piece);
	return __real_relay_frame_seal(out, link, counter, key, piece);
}

/* Of an entry a part may be acknowledged that is in memory alone. */
static void
check_ack(const struct lane_tx *tx, const struct msg_cursors *at)
{
	const struct relay_peer *p =
	    (const struct relay_peer *)((const char *)tx -
					offsetof(struct relay_peer, tx));
	const struct node *to = node_by_name(p->name);
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		const struct place *c = &to->cursor[sim_node->i][i];

		if (at->item[i] > c->item ||
		    (i == LANE_BULK && at->item[i] == c->item &&
			at->offset[i] > c->offset))
			broke("%s acknowledges item %" PRIu64 " + %" PRIu64
			      " of lane %u, and has %" PRIu64 " + %" PRIu64,
			    to->name, at->item[i], at->offset[i], i, c->item,
			    c->offset);
	}
}

/* Here all are honest, whatever they have lost. */
WRAP(bool, lane_tx_believes, const struct lane_tx *tx,
    const struct msg_relay_at *at, unsigned *lane)
{
	bool is = __real_lane_tx_believes(tx, at, lane);

	if (!is)
		broke("item %" PRIu64 " + %" PRIu64
		      " of lane %u is not believed",
		    at->at.item[*lane], at->at.offset[*lane], *lane);
	return is;
}

WRAP(void, lane_tx_ack, struct lane_tx *tx, const struct msg_relay_at *at,
    int64_t now)
{
	struct msg_relay_at m = *at;

	check_ack(tx, &at->at);
	if (now_and_then(ACK_PLUS_ONE))
		m.at.item[rnd(LANE_COUNT)]++;
	if (mutant == GAP_NEVER_TOLD)
		m.missing = 0;
	__real_lane_tx_ack(tx, &m, now);
}

WRAP(void, msg_posted_encode, struct buf *out, const struct msg_posted *m)
{
	size_t i;

	for (i = 0; i < m->n && !sim_node->dying; i++)
		if (m->item[i].code == TOCSIN_OK &&
		    m->item[i].seq > sim_node->head)
			broke("seq %" PRIu64 " is answered, and not committed",
			    m->item[i].seq);
	__real_msg_posted_encode(out, m);
}

/* What the kernel can do follows from the seed, too. */
bool __wrap_tcp_tune_tries_often(void);

bool
__wrap_tcp_tune_tries_often(void)
{
	return w.seed % 2;
}

/* ---- mutants ---- */

WRAP(void, lane_rx_durable, struct lane_rx *rx, unsigned lane,
    struct lane_pos pos, uint64_t bytes)
{
	if (now_and_then(CURSOR_PLUS_ONE))
		pos.item++;
	__real_lane_rx_durable(rx, lane, pos, bytes);
}

WRAP(enum lane_got, lane_rx_piece, struct lane_rx *rx,
    const struct relay_piece *p, struct lane_take *out)
{
	if (mutant == HEARTBEAT_IGNORED && p->bytes.n == 0)
		return LANE_DROPPED;
	return __real_lane_rx_piece(rx, p, out);
}

WRAP(void, lane_rx_resume, struct lane_rx *rx, unsigned lane, uint8_t kind,
    uint64_t total, uint64_t offset, struct buf *bytes)
{
	if (mutant == BEGINNING_WRONG && bytes->n > 0)
		bytes->p[bytes->n - 1] ^= 1;
	__real_lane_rx_resume(rx, lane, kind, total, offset, bytes);
}

WRAP(void, lane_tx_wake, struct lane_tx *tx)
{
	if (mutant != WAKE_IGNORED)
		__real_lane_tx_wake(tx);
}

WRAP(enum tocsin_err, store_value_put, struct store_tx *tx, struct span name,
    struct span value)
{
	if (now_and_then(CURSOR_FORGOTTEN) && name.n > 6 &&
	    memcmp(name.p, "relay/", 6) == 0)
		return TOCSIN_OK;
	return __real_store_value_put(tx, name, value);
}

WRAP(enum tocsin_err, intake_apply, struct intake *in, struct batch *batch,
    uint64_t *seq)
{
	if (now_and_then(ENTRY_DROPPED)) {
		*seq = 0;
		return TOCSIN_OK;
	}
	return __real_intake_apply(in, batch, seq);
}

WRAP(enum tocsin_err, store_part_expect, struct store_tx *tx,
    const uint8_t hash[32], uint64_t total, uint64_t first_seq)
{
	if (now_and_then(PART_ROWS_FORGOTTEN) && first_seq > 0)
		return TOCSIN_OK;
	return __real_store_part_expect(tx, hash, total, first_seq);
}

WRAP(enum tocsin_err, intake_part_complete, struct batch *batch,
    const uint8_t hash[32])
{
	if (mutant == PART_NOT_PASSED_ON)
		return TOCSIN_OK;
	return __real_intake_part_complete(batch, hash);
}

WRAP(struct item_cut, item_cut, struct span head, uint64_t rest,
    uint64_t offset, size_t n)
{
	struct item_cut cut = __real_item_cut(head, rest, offset, n);

	if (now_and_then(WRONG_BYTES) && cut.rest_n > 1) {
		cut.rest_from++;
		cut.rest_n--;
	}
	return cut;
}

WRAP(enum tocsin_err, store_out_trim, struct store_tx *tx, struct span peer,
    unsigned lane, uint64_t n)
{
	if (now_and_then(TRIM_PLUS_ONE))
		n++;
	return __real_store_out_trim(tx, peer, lane, n);
}

WRAP(enum tocsin_err, store_mail, struct store_tx *tx, struct span member,
    uint64_t seq)
{
	if (now_and_then(MAIL_FORGOTTEN))
		return TOCSIN_OK;
	if (now_and_then(MAIL_ASTRAY))
		member = span_of("*");
	return __real_store_mail(tx, member, seq);
}

WRAP(enum tocsin_err, store_out_add, struct store_tx *tx, struct span peer,
    unsigned lane, struct store_out *out)
{
	enum tocsin_err err;

	if (now_and_then(OUTBOX_FORGOTTEN))
		return TOCSIN_OK;
	err = __real_store_out_add(tx, peer, lane, out);
	if (!err && now_and_then(NUMBER_TWICE) && out->n > 1) {
		/* The last one's number again. */
		err = store_out_trim(tx, peer, lane, UINT64_MAX);
		if (!err)
			err = store_out_restart(tx, peer, lane, out->n - 1);
		if (!err)
			err = __real_store_out_add(tx, peer, lane, out);
	}
	return err;
}

WRAP(const struct roster_broker *, roster_broker_of, const struct roster *r,
    struct span nation, size_t i)
{
	if (mutant == NATION_FORGOTTEN && sim_us > SECOND && i > 0)
		return NULL;
	return __real_roster_broker_of(r, nation, i);
}

WRAP(enum tocsin_err, receipts_stored, struct receipts *r,
    struct receipts_to whom, const uint8_t id[ID_LEN], uint64_t index)
{
	if (now_and_then(RECEIPT_WRONG))
		index++;
	if (mutant == RECEIPT_EARLY)
		return receipts_delivered(
		    r, whom, id, w.f.member[0], "escalator");
	return __real_receipts_stored(r, whom, id, index);
}

WRAP(uint64_t, session_acked_take, struct session *s)
{
	uint64_t acked = __real_session_acked_take(s);

	if (now_and_then(DEVICE_CURSOR_BACK))
		acked += 3;
	return acked;
}
