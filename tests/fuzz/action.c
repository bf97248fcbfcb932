/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/action.h"

#include <string.h>

/* What a handler prints is refused with words, or every draft is one. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct actions a;
	char why[512] = "";
	size_t i;

	if (!actions_parse(&a, (struct span){ data, n }, "id", why))
		MUST(strlen(why) > 0);
	else
		for (i = 0; i < a.n; i++)
			MUST(a.draft[i].kind != NULL);
	actions_release(&a);
	return 0;
}
