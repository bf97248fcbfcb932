/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/grant.h"

/* What is read prints back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct grant g;
	struct span all = { data, n };
	struct buf b = { 0 };

	if (grant_parse(&g, all) != TOCSIN_OK)
		return 0;
	MUST(g.nto <= GRANT_TO_MAX);
	grant_print(&b, &g);
	MUST(span_eq(buf_span(&b), all));
	buf_release(&b);
	return 0;
}
