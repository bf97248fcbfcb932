/* SPDX-License-Identifier: ISC */
/*
 * A stream cut by its own first bytes: read at once and read in pieces it must
 * give the same frames and the same verdict, no frame above the limit, and the
 * frames' bytes must be the stream's. Input: rules, size of the pieces, stream.
 */
#include "broker/sp.h"
#include "crypto/buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static enum tocsin_err
feed(struct sp_reader *r, struct span in, struct buf *out)
{
	struct iovec iov[SP_PIECES];
	enum tocsin_err err;
	struct sp_frame f;
	bool got;

	while ((err = sp_next(r, &in, &f, &got)) == TOCSIN_OK && got) {
		must(f.payload.n <= r->rules.max);
		must(!r->rules.request ||
		     (f.payload.n >= 4 && (f.payload.p[0] & 0x80)));
		must(sp_pieces(&f, r->rules.map, r->rules.map, iov) == 1);
		buf_add(out, (struct span){ iov[0].iov_base, iov[0].iov_len });
	}
	return err == TOCSIN_OK ? sp_keep(r, in) : err;
}

static void
check_header(struct span s)
{
	uint8_t again[SP_HEADER_LEN];
	uint16_t proto;

	if (sp_header_decode(&proto, s) != TOCSIN_OK)
		return;
	sp_header(again, (enum sp_proto)proto);
	must(span_eq(s, SPAN(again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init((struct span){ data, size });
	uint8_t flags = rd_u8(&in);
	size_t step = (size_t)rd_u8(&in) + 1;
	struct sp_rules rules = { flags & 1 ? SP_LOCAL : SP_TCP,
		(size_t)(flags >> 2) * 64, flags & 2 };
	struct sp_reader whole = { .rules = rules }, cut = { .rules = rules };
	struct buf a = { 0 }, b = { 0 };
	struct span s = rd_rest(&in);
	enum tocsin_err one, two = TOCSIN_OK;
	size_t at;

	check_header(s);
	one = feed(&whole, s, &a);
	for (at = 0; at < s.n && two == TOCSIN_OK; at += step)
		two = feed(&cut, span_cut(s, at, step), &b);
	must(one == two);
	must(span_eq(buf_span(&a), buf_span(&b)));
	must(span_eq(buf_span(&a), span_cut(s, 0, a.n)));
	if (one == TOCSIN_OK)
		must(a.n + sp_pending(&whole) == s.n &&
		     sp_pending(&cut) == sp_pending(&whole));
	sp_release(&whole);
	sp_release(&cut);
	buf_release(&a);
	buf_release(&b);
	return 0;
}
