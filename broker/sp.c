/* SPDX-License-Identifier: ISC */
#include "broker/sp.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOCAL_MESSAGE = 1,  /* the one type of a local frame */
	REQUEST_ID_LEN = 4, /* its first bit is set: the last hop */
	FIRST_CAP = 256,
};

void
sp_header(uint8_t out[SP_HEADER_LEN], enum sp_proto proto)
{
	const uint8_t h[SP_HEADER_LEN] = { 0, 'S', 'P', 0,
		(uint8_t)(proto >> 8), (uint8_t)proto, 0, 0 };

	memcpy(out, h, sizeof(h));
}

enum tocsin_err
sp_header_decode(uint16_t *proto, struct span header)
{
	struct rd r = rd_init(header);
	uint32_t magic = rd_u32(&r);
	uint16_t p = rd_u16(&r);
	uint16_t zero = rd_u16(&r);

	if (!rd_done(&r) || magic != 0x00535000 || zero != 0)
		return TOCSIN_EMALFORMED;
	*proto = p;
	return TOCSIN_OK;
}

static size_t
prefix_of(enum sp_map map)
{
	return map == SP_LOCAL ? 9 : 8;
}

enum tocsin_err
sp_judge(const struct sp_rules *rules, struct span bytes, size_t *total)
{
	size_t prefix = prefix_of(rules->map);
	struct rd r = rd_init(bytes);
	uint64_t n;

	*total = 0;
	if (rules->map == SP_LOCAL && bytes.n > 0 && rd_u8(&r) != LOCAL_MESSAGE)
		return TOCSIN_EMALFORMED;
	if (bytes.n < prefix)
		return TOCSIN_OK;
	n = rd_u64(&r);
	if (n > rules->max)
		return TOCSIN_ETOOLARGE;
	if (rules->request && n < REQUEST_ID_LEN)
		return TOCSIN_EMALFORMED;
	if (rules->request && bytes.n > prefix && !(rd_u8(&r) & 0x80))
		return TOCSIN_EMALFORMED;
	*total = prefix + (size_t)n;
	return TOCSIN_OK;
}

/* Room for `want` bytes in hand; doubles, so that small reads stay linear. */
static bool
part_reserve(struct sp_reader *r, size_t want)
{
	size_t cap = r->cap > 0 ? r->cap : FIRST_CAP;
	uint8_t *p;

	if (want <= r->cap)
		return true;
	while (cap < want)
		cap *= 2;
	p = realloc(r->part, cap);
	if (p == NULL)
		return false;
	r->part = p;
	r->cap = cap;
	return true;
}

/* Moves bytes from *in until `want` are in hand or *in is empty. */
static enum tocsin_err
part_take(struct sp_reader *r, struct span *in, size_t want)
{
	size_t n = want > r->n ? want - r->n : 0;

	if (n > in->n)
		n = in->n;
	if (n == 0)
		return TOCSIN_OK;
	if (!part_reserve(r, r->n + n))
		return TOCSIN_EINTERNAL;
	memcpy(r->part + r->n, in->p, n);
	r->n += n;
	*in = span_cut(*in, n, in->n - n);
	return TOCSIN_OK;
}

static enum tocsin_err
part_extend(struct sp_reader *r, struct span *in, size_t want, size_t *total)
{
	enum tocsin_err err = part_take(r, in, want);

	if (err != TOCSIN_OK)
		return err;
	return sp_judge(&r->rules, (struct span){ r->part, r->n }, total);
}

static void
give(const struct sp_reader *r, struct span whole, struct sp_frame *frame)
{
	size_t prefix = prefix_of(r->rules.map);

	frame->bytes = whole;
	frame->payload = span_cut(whole, prefix, whole.n - prefix);
}

/* Completes the frame in hand, first its prefix, then what that announces. */
static enum tocsin_err
next_from_part(
    struct sp_reader *r, struct span *in, struct sp_frame *frame, bool *got)
{
	size_t prefix = prefix_of(r->rules.map);
	enum tocsin_err err;
	size_t total;

	err = part_extend(r, in, prefix, &total);
	if (err == TOCSIN_OK && total > 0)
		err = part_extend(r, in, total, &total);
	if (err != TOCSIN_OK || total == 0 || r->n < total)
		return err;
	give(r, (struct span){ r->part, r->n }, frame);
	r->given = true;
	*got = true;
	return TOCSIN_OK;
}

enum tocsin_err
sp_next(struct sp_reader *r, struct span *in, struct sp_frame *frame, bool *got)
{
	enum tocsin_err err;
	size_t total;

	*got = false;
	if (r->n > 0 && !r->given)
		return next_from_part(r, in, frame, got);
	err = sp_judge(&r->rules, *in, &total);
	if (err != TOCSIN_OK || total == 0 || in->n < total)
		return err;
	give(r, span_cut(*in, 0, total), frame);
	*in = span_cut(*in, total, in->n - total);
	*got = true;
	return TOCSIN_OK;
}

enum tocsin_err
sp_keep(struct sp_reader *r, struct span rest)
{
	if (r->given)
		sp_release(r);
	return part_take(r, &rest, r->n + rest.n);
}

size_t
sp_pending(const struct sp_reader *r)
{
	return r->given ? 0 : r->n;
}

size_t
sp_missing(const struct sp_reader *r)
{
	size_t prefix = prefix_of(r->rules.map), n = sp_pending(r), total = 0;

	if (n < prefix ||
	    sp_judge(&r->rules, (struct span){ r->part, n }, &total) !=
		TOCSIN_OK ||
	    total <= n)
		return n < prefix ? prefix - n : 1;
	return total - n;
}

void
sp_release(struct sp_reader *r)
{
	free(r->part);
	r->part = NULL;
	r->n = 0;
	r->cap = 0;
	r->given = false;
}

int
sp_pieces(const struct sp_frame *f, enum sp_map from, enum sp_map to,
    struct iovec iov[SP_PIECES])
{
	static uint8_t message = LOCAL_MESSAGE;
	struct span s = f->bytes;
	int n = 0;

	if (from == SP_TCP && to == SP_LOCAL)
		iov[n++] = (struct iovec){ &message, 1 };
	if (from == SP_LOCAL && to == SP_TCP)
		s = span_cut(s, 1, s.n - 1);
	/* iovec serves readv too, and so has no const; writev only reads. */
	iov[n++] = (struct iovec){ (void *)(uintptr_t)s.p, s.n };
	return n;
}
