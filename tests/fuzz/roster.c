/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/card.h"

/* What is read prints back, and may or may not follow itself, in peace. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };
	struct roster *r = NULL;
	struct buf b = { 0 };
	struct card card;

	if (roster_parse(&r, all) == TOCSIN_OK) {
		roster_print(&b, r);
		MUST(span_eq(buf_span(&b), r->text));
		MUST(roster_accept(r, r, 0) == TOCSIN_EDUPLICATE);
		MUST(roster_check(r, 0) != TOCSIN_EINTERNAL);
		buf_cut(&b, 0);
	}
	if (card_parse(&card, all) == TOCSIN_OK) {
		card_print(&b, &card);
		MUST(span_eq(buf_span(&b), all));
	}
	roster_free(r);
	buf_release(&b);
	return 0;
}
