/* SPDX-License-Identifier: ISC */
#include "broker/dispatch.h"
#include "broker/signer.h"
#include "broker/value.h"

#include <inttypes.h>
#include <string.h>

#define RANGE (MSG_MAX - 64) /* of a roster's note, in one answer */

/* ---- roster ---- */

static void
answer_roster(
    struct request *r, struct span note, uint64_t serial, uint32_t offset)
{
	struct msg_roster_range m = {
		.current = trust_roster(r->trust)->serial,
		.serial = serial,
		.total = (uint32_t)note.n,
		.bytes = span_cut(note, offset, RANGE),
	};
	struct buf reply = { 0 };

	msg_accept(&reply);
	msg_roster_range_encode(&reply, &m);
	request_answer(r, &reply);
	buf_release(&reply);
}

static enum tocsin_err
old_roster(struct store_rx *rx, uint64_t serial, struct store_entry *e)
{
	enum tocsin_err err;
	uint64_t seq;

	err = value_get_u64(rx, &seq, "roster/%" PRIu64, serial);
	if (!err && seq == 0)
		err = TOCSIN_ENOTFOUND;
	if (!err)
		err = store_get(rx, seq, e);
	return err;
}

void
op_roster(struct request *r, struct span body)
{
	const struct roster *current = trust_roster(r->trust);
	struct store_rx *rx = NULL;
	struct store_entry e;
	struct msg_roster m;
	enum tocsin_err err = msg_roster_decode(&m, body);

	if (!err && (m.serial == 0 || m.serial == current->serial)) {
		answer_roster(r, current->whole, current->serial, m.offset);
		return;
	}
	if (!err)
		err = store_read(r->b->store, &rx);
	if (!err)
		err = old_roster(rx, m.serial, &e);
	if (err)
		request_refuse(r, err, 0, NULL);
	else
		answer_roster(r, e.note, m.serial, m.offset);
	if (rx)
		store_read_end(rx);
}

/* ---- announcements ---- */

void
op_relay_keys(struct request *r, struct span body)
{
	struct buf reply = { 0 };
	struct msg_relay_keys m;
	const struct keys *k = NULL;
	enum tocsin_err err = msg_relay_keys_decode(&m, body);

	if (!err)
		k = trust_keys(r->trust, m.member);
	if (!err && (!k || memcmp(k->id, m.id, ID_LEN) == 0))
		err = TOCSIN_ENOTFOUND;
	if (err) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	msg_accept(&reply);
	buf_add(&reply, k->whole);
	request_answer(r, &reply);
	buf_release(&reply);
}

/* ---- the log tree ---- */

static void
answer_proof(struct request *r, enum tocsin_err err, struct msg_proof *m,
    const struct buf *hashes, const struct buf *checkpoint)
{
	struct buf reply = { 0 };

	if (!err && (!buf_ok(hashes) || !buf_ok(checkpoint)))
		err = TOCSIN_EBUSY;
	if (err) {
		request_refuse(r, err, 0, NULL);
		return;
	}
	m->hashes = buf_span(hashes);
	m->checkpoint = buf_span(checkpoint);
	msg_accept(&reply);
	msg_proof_encode(&reply, m);
	request_answer(r, &reply);
	buf_release(&reply);
}

void
op_proof(struct request *r, struct span body)
{
	struct buf hashes = { 0 }, checkpoint = { 0 };
	struct store_rx *rx = NULL;
	struct msg_proof m = { 0 };
	struct store_entry e;
	struct merkle_store tree;
	uint8_t id[32];
	enum tocsin_err err;
	struct rd rd = rd_init(body);

	rd_copy(&rd, id, sizeof(id));
	err = rd_done(&rd) ? store_read(r->b->store, &rx) : TOCSIN_EMALFORMED;
	if (!err)
		err = request_find(r, rx, id, &e);
	if (!err) {
		m.index = e.seq - 1;
		tree = store_tree(rx);
		err = merkle_inclusion(&tree, m.index, store_head(rx), &hashes);
	}
	if (!err)
		err = signer_checkpoint(r->b->signer, r->b, rx, &checkpoint);
	if (rx)
		store_read_end(rx);
	answer_proof(r, err, &m, &hashes, &checkpoint);
	buf_release(&hashes);
	buf_release(&checkpoint);
}

void
op_checkpoint(struct request *r, struct span body)
{
	struct buf hashes = { 0 }, checkpoint = { 0 };
	struct store_rx *rx = NULL;
	struct msg_proof m = { 0 };
	struct merkle_store tree;
	enum tocsin_err err;
	struct rd rd = rd_init(body);

	m.index = rd_u64(&rd);
	err = rd_done(&rd) ? store_read(r->b->store, &rx) : TOCSIN_EMALFORMED;
	if (!err && m.index > store_head(rx))
		err = TOCSIN_ENOTFOUND; /* a log that we have not reached */
	if (!err && m.index > 0) {
		tree = store_tree(rx);
		err =
		    merkle_consistency(&tree, m.index, store_head(rx), &hashes);
	}
	if (!err)
		err = signer_checkpoint(r->b->signer, r->b, rx, &checkpoint);
	if (rx)
		store_read_end(rx);
	answer_proof(r, err, &m, &hashes, &checkpoint);
	buf_release(&hashes);
	buf_release(&checkpoint);
}
