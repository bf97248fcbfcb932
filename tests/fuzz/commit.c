/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/commit.h"

#include <stdio.h>

/* What is taken is a number, with words or without. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct commit_line l, again;
	char text[64];

	if (size <= COMMIT_LINE &&
	    commit_line_parse(&l, (struct span){ data, size })) {
		MUST(l.number > 0);
		MUST(l.why == NULL || l.why[0] != '\0');
		snprintf(text, sizeof(text), "{\"commit\":%llu}",
		    (unsigned long long)l.number);
		MUST(commit_line_parse(&again, span_of(text)));
		MUST(again.number == l.number && again.why == NULL);
		commit_line_release(&again);
	}
	if (size <= COMMIT_LINE)
		commit_line_release(&l);
	return 0;
}
