/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/verify.h"

/* A part of the line: words have no space, and nothing is beyond its end. */
static void
must_be_within(struct span part, struct span line, bool word)
{
	size_t i;

	if (part.n == 0)
		return;
	MUST(part.p >= line.p && part.n <= line.n &&
	     part.p + part.n <= line.p + line.n);
	for (i = 0; word && i < part.n; i++)
		MUST(part.p[i] != ' ');
}

/* What somebody claims of a ticket. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span line = { data, n };
	struct verify_line l;

	if (!verify_line_read(&l, line))
		return 0;
	MUST(l.file.n > 0 && l.file.n < VERIFY_NAME);
	must_be_within(l.who, line, true);
	must_be_within(l.state, line, true);
	must_be_within(l.file, line, true);
	must_be_within(l.by, line, false);
	must_be_within(l.reason, line, false);
	return 0;
}
