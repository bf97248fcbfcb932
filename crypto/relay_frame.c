/* SPDX-License-Identifier: ISC */
#include "crypto/relay_frame.h"

#include <string.h>

enum tocsin_err
relay_frame_parse(struct relay_frame *out, struct span bytes)
{
	struct relay_frame f = { .head = span_cut(bytes, 0, RELAY_HEAD) };
	struct rd r = rd_init(bytes);

	if (bytes.n > RELAY_FRAME_MAX)
		return TOCSIN_ETOOLARGE;
	rd_copy(&r, f.link, sizeof(f.link));
	f.counter = rd_u64(&r);
	f.sealed = rd_rest(&r);
	if (!rd_done(&r) || f.sealed.n < RELAY_PIECE_HEAD + NOISE_TAG ||
	    f.counter == UINT64_MAX)
		return TOCSIN_EMALFORMED;
	*out = f;
	return TOCSIN_OK;
}

static enum tocsin_err
judge(const struct relay_piece *p)
{
	if (p->lane >= LANE_COUNT || p->kind > RELAY_PART)
		return TOCSIN_EUNSUPPORTED;
	if (p->bytes.n > RELAY_BYTES_MAX)
		return TOCSIN_ETOOLARGE;
	if (p->kind == RELAY_HEARTBEAT)
		return p->item > 0 && p->total == 0 && p->bytes.n == 0
			   ? TOCSIN_OK
			   : TOCSIN_EMALFORMED;
	if ((p->kind == RELAY_PART) != (p->lane == LANE_BULK))
		return TOCSIN_EMALFORMED;
	if (p->item == 0 || p->bytes.n == 0 || p->offset >= p->total ||
	    p->bytes.n > p->total - p->offset)
		return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

enum tocsin_err
relay_piece_parse(struct relay_piece *out, struct span plain)
{
	struct relay_piece p = { 0 };
	struct rd r = rd_init(plain);
	enum tocsin_err err;

	p.lane = rd_u8(&r);
	p.round = rd_u32(&r);
	p.item = rd_u64(&r);
	p.kind = rd_u8(&r);
	p.total = rd_u64(&r);
	p.offset = rd_u64(&r);
	p.bytes = rd_rest(&r);
	if (!rd_done(&r))
		return TOCSIN_EMALFORMED;
	err = judge(&p);
	if (err == TOCSIN_OK)
		*out = p;
	return err;
}

void
relay_piece_put(struct buf *out, const struct relay_piece *p)
{
	buf_u8(out, p->lane);
	buf_u32(out, p->round);
	buf_u64(out, p->item);
	buf_u8(out, p->kind);
	buf_u64(out, p->total);
	buf_u64(out, p->offset);
	buf_add(out, p->bytes);
}

enum tocsin_err
relay_frame_open(struct relay_piece *out, struct buf *plain,
    const struct relay_frame *f, const uint8_t key[32])
{
	size_t was = plain->n;
	enum tocsin_err err;

	err = noise_open(plain, key, f->counter, f->head, f->sealed);
	if (err)
		return err;
	err = relay_piece_parse(out, span_cut(buf_span(plain), was, plain->n));
	if (err)
		buf_cut(plain, was);
	return err;
}

enum tocsin_err
relay_frame_seal(struct buf *out, const uint8_t link[RELAY_LINK],
    uint64_t counter, const uint8_t key[32], const struct relay_piece *piece)
{
	struct buf plain = { .max = RELAY_PIECE_HEAD + RELAY_BYTES_MAX };
	uint8_t head[RELAY_HEAD];
	size_t was = out->n;
	enum tocsin_err err;

	if (counter == UINT64_MAX || judge(piece) != TOCSIN_OK)
		return TOCSIN_EUSAGE;
	relay_piece_put(&plain, piece);
	buf_add(out, (struct span){ link, RELAY_LINK });
	buf_u64(out, counter);
	err = buf_ok(&plain) && buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
	if (err)
		goto out;
	/* A copy: sealing may move the buffer while the head is read. */
	memcpy(head, out->p + was, sizeof(head));
	err = noise_seal(out, key, counter, SPAN(head), buf_span(&plain));
out:
	if (err)
		buf_cut(out, was);
	buf_release(&plain);
	return err;
}
