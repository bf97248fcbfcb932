/* SPDX-License-Identifier: ISC */
/* An entry that parses is written again to the same bytes. */
#include "broker/item.h"
#include "tests/lib/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { n > 0 ? data : NULL, n };
	struct item_entry e;
	struct item_cut cut;
	struct buf out = { 0 };

	if (item_entry_parse(&e, in) != TOCSIN_OK)
		return 0;
	item_head_entry(&out, e.note, e.body.n);
	cut = item_cut(buf_span(&out), e.body.n, n / 3, n);
	MUST(cut.head.n + cut.rest_n == n - n / 3);
	buf_add(&out, e.body);
	MUST(span_eq(buf_span(&out), in));
	MUST(e.gone == (e.note.n + e.body.n == 0));
	buf_release(&out);
	return 0;
}
