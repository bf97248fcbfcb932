/* SPDX-License-Identifier: ISC */
#include "broker/item.h"

void
item_head_entry(struct buf *out, struct span note, uint64_t rest)
{
	buf_u32(out, (uint32_t)note.n);
	buf_add(out, note);
	buf_u32(out, (uint32_t)rest);
}

void
item_head_part(struct buf *out, const uint8_t hash[32])
{
	buf_add(out, (struct span){ hash, ITEM_HASH });
}

void
item_gone(struct buf *out, bool part)
{
	static const uint8_t nothing[ITEM_GONE_PART];
	size_t n = part ? ITEM_GONE_PART : ITEM_GONE_ENTRY;

	buf_add(out, (struct span){ nothing, n });
}

struct item_cut
item_cut(struct span head, uint64_t rest, uint64_t offset, size_t n)
{
	struct item_cut cut = { 0 };

	if (offset < head.n) {
		cut.head = span_cut(head, (size_t)offset, n);
		n -= cut.head.n;
		offset = head.n;
	}
	cut.rest_from = offset - head.n;
	if (cut.rest_from < rest)
		cut.rest_n = n < rest - cut.rest_from
				 ? n
				 : (size_t)(rest - cut.rest_from);
	return cut;
}

enum tocsin_err
item_entry_parse(struct item_entry *out, struct span bytes)
{
	struct rd r = rd_init(bytes);
	struct item_entry e = { 0 };

	e.note = rd_span(&r, rd_u32(&r));
	e.body = rd_span(&r, rd_u32(&r));
	if (!rd_done(&r))
		return TOCSIN_EMALFORMED;
	e.gone = e.note.n == 0 && e.body.n == 0;
	*out = e;
	return TOCSIN_OK;
}
