/* SPDX-License-Identifier: ISC */
#include "crypto/frame.h"

#include <sodium.h>
#include <string.h>

#define ERROR_LEN 6 /* u16 reason, u32 retry-after */

/* What a type may look like, PROTOCOL.md 4.1. */
struct shape {
	size_t least; /* bytes of the message */
	size_t most;
	enum { NEVER, ALWAYS, EITHER } session;
	uint64_t last_nonce;
};

/* clang-format off */
static const struct shape shapes[] = {
	[FRAME_HELLO] = { NOISE_XK1, NOISE_XK1, NEVER, 0 },
	[FRAME_HELLO_REPLY] = { NOISE_XK2, NOISE_XK2, ALWAYS, 0 },
	[FRAME_FINISH] = { NOISE_XK3, NOISE_XK3 + FRAME_PLAIN_MAX, ALWAYS, 0 },
	[FRAME_TRANSPORT] = { NOISE_TAG, NOISE_TAG + FRAME_PLAIN_MAX, ALWAYS,
	    LINK_MESSAGES_MAX },
	[FRAME_ERROR] = { ERROR_LEN, ERROR_LEN, EITHER, LINK_MESSAGES_MAX },
};
/* clang-format on */

static enum tocsin_err
judge(const struct frame *f)
{
	const struct shape *s = &shapes[f->type];
	bool none = sodium_is_zero(f->session, sizeof(f->session));

	if (f->msg.n > s->most && s->most > s->least)
		return TOCSIN_ETOOLARGE;
	if (f->msg.n < s->least || f->msg.n > s->most ||
	    f->nonce > s->last_nonce)
		return TOCSIN_EMALFORMED;
	if ((s->session == NEVER && !none) || (s->session == ALWAYS && none))
		return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

enum tocsin_err
frame_parse(struct frame *out, struct span bytes)
{
	struct frame f = { .head = span_cut(bytes, 0, FRAME_HEAD) };
	struct rd r = rd_init(bytes);
	enum tocsin_err err;
	uint8_t version;

	if (bytes.n > FRAME_MAX)
		return TOCSIN_ETOOLARGE;
	version = rd_u8(&r);
	f.type = rd_u8(&r);
	rd_copy(&r, f.session, sizeof(f.session));
	f.nonce = rd_u64(&r);
	f.msg = rd_rest(&r);
	if (!rd_done(&r))
		return TOCSIN_EMALFORMED;
	if (version != FRAME_VERSION || f.type < FRAME_HELLO ||
	    f.type > FRAME_ERROR)
		return TOCSIN_EUNSUPPORTED;
	err = judge(&f);
	if (err == TOCSIN_OK)
		*out = f;
	return err;
}

static void
put_head(struct buf *out, enum frame_type type,
    const uint8_t session[FRAME_SESSION], uint64_t nonce)
{
	buf_u8(out, FRAME_VERSION);
	buf_u8(out, (uint8_t)type);
	buf_add(out, (struct span){ session, FRAME_SESSION });
	buf_u64(out, nonce);
}

void
frame_put(struct buf *out, enum frame_type type,
    const uint8_t session[FRAME_SESSION], uint64_t nonce, struct span msg)
{
	put_head(out, type, session, nonce);
	buf_add(out, msg);
}

enum tocsin_err
frame_seal(struct buf *out, const uint8_t session[FRAME_SESSION],
    uint64_t nonce, const uint8_t key[32], struct span plain)
{
	size_t was = out->n;
	uint8_t head[FRAME_HEAD];
	enum tocsin_err err;

	if (plain.n > FRAME_PLAIN_MAX)
		return TOCSIN_ETOOLARGE;
	if (nonce > LINK_MESSAGES_MAX)
		return TOCSIN_EUSAGE;
	put_head(out, FRAME_TRANSPORT, session, nonce);
	if (!buf_ok(out)) {
		buf_cut(out, was);
		return TOCSIN_EINTERNAL;
	}
	/* A copy: sealing may move the buffer while the head is read. */
	memcpy(head, out->p + was, sizeof(head));
	err = noise_seal(out, key, nonce, SPAN(head), plain);
	if (err)
		buf_cut(out, was);
	return err;
}

enum tocsin_err
frame_open(struct buf *plain, const struct frame *f, const uint8_t key[32])
{
	if (f->type != FRAME_TRANSPORT)
		return TOCSIN_EUSAGE;
	return noise_open(plain, key, f->nonce, f->head, f->msg);
}

void
frame_put_error(struct buf *out, const uint8_t session[FRAME_SESSION],
    uint64_t nonce, enum tocsin_err reason, uint32_t retry_ms)
{
	put_head(out, FRAME_ERROR, session, nonce);
	buf_u16(out, (uint16_t)reason);
	buf_u32(out, retry_ms);
}

enum tocsin_err
frame_error(const struct frame *f, uint32_t *retry_ms)
{
	struct rd r = rd_init(f->msg);
	enum tocsin_err reason = tocsin_err_from_wire(rd_u16(&r));

	*retry_ms = rd_u32(&r);
	return reason == TOCSIN_OK ? TOCSIN_EINTERNAL : reason;
}
