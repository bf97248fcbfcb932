/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/receipt.h"

/* What is read prints back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct receipt r;
	struct span all = { data, n };
	struct buf b = { 0 };
	size_t i;

	if (receipt_parse(&r, all) != TOCSIN_OK)
		return 0;
	MUST(r.nline >= 1 && r.nline <= RECEIPT_LINES);
	for (i = 0; i < r.nline; i++)
		if (r.line[i].kind == RECEIPT_REFUSED ||
		    r.line[i].kind == RECEIPT_WITHOUT)
			MUST(receipt_reason(&r.line[i]) < TOCSIN_ERR_COUNT);
	receipt_print(&b, &r);
	MUST(span_eq(buf_span(&b), all));
	buf_release(&b);
	return 0;
}
