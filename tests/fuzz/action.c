/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/action.h"

#include <string.h>

/* What a handler prints is refused with words, or every draft is one. */
static void
of_a_handler(struct span lines)
{
	struct actions *a = calloc(1, sizeof(*a));
	char why[512] = "";
	size_t i;

	if (a == NULL)
		return;
	if (!actions_parse(a, lines, "id", why))
		MUST(strlen(why) > 0);
	else
		for (i = 0; i < a->n; i++)
			MUST(a->draft[i].kind != NULL);
	actions_release(a);
	free(a);
}

/* So is a request, and what is good says or asks something of something. */
static void
of_a_program(struct span line)
{
	struct action a;
	char why[512] = "";
	enum tocsin_err err = action_parse(&a, line, true, why);

	MUST((err == TOCSIN_OK) == (strlen(why) == 0));
	if (err == TOCSIN_OK) {
		MUST(action_name(a.word) != NULL);
		MUST(action_says(&a) == (a.draft.kind != NULL));
		MUST(a.draft.thread != NULL || a.word == ACTION_POST ||
		     a.word > ACTION_GET);
	}
	action_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	of_a_handler((struct span){ data, n });
	of_a_program((struct span){ data, n });
	return 0;
}
