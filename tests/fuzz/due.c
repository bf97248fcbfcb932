/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/due.h"

#include <string.h>

#define NOW INT64_C(1795244400)

/* What is taken is whole: each clock has a name, a length and a beginning. */
static void
must_be_whole(const struct due_table *t)
{
	size_t i, k;

	MUST(t->n <= DUE_CLOCKS);
	for (i = 0; i < t->n; i++) {
		const struct due_clock *c = &t->clock[i];

		MUST(strchr(c->name, '/') != NULL && c->start < DUE_STARTS);
		MUST(c->seconds > 0 || c->months > 0);
		for (k = 0; k < i; k++)
			MUST(strcmp(t->clock[k].name, c->name) != 0);
		for (k = 0; c->after[0] != '\0' && k < t->n; k++)
			if (strcmp(t->clock[k].name, c->after) == 0)
				break;
		MUST(k < t->n);
	}
}

/* Every regime runs and the first clock is done: all come, the next first. */
static void
must_fold(const struct due_table *t)
{
	const struct due_ticket ticket = { .start = { NOW - 9, NOW - 8, NOW - 7,
					       NOW - 6, NOW - 5 },
		.precedence = "flash",
		.severity = "GB/T 20986:II" };
	struct due_mark mark[DUE_CLOCKS + 1];
	char regime[DUE_CLOCKS][DUE_NAME + 1];
	struct tocsin_deadline *d = NULL;
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		memcpy(regime[i], t->clock[i].name, sizeof(regime[i]));
		regime[i][strcspn(regime[i], "/")] = '\0';
		mark[i] = (struct due_mark){
			.id = t->clock[i].name, .said = NOW, .start = regime[i]
		};
	}
	mark[t->n] = (struct due_mark){ .id = "done", .said = NOW };
	mark[t->n].done = t->n > 0 ? t->clock[0].name : NULL;
	MUST(due_fold(&d, &n, t, &ticket, mark, t->n + 1) == TOCSIN_OK);
	MUST(n == t->n);
	for (i = 0; i < n; i++)
		MUST(d[i].due >= d[i].started &&
		     (i == 0 || d[i - 1].due <= d[i].due));
	free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct due_table t = { .n = 0 };
	struct due_fault f;
	enum tocsin_err err = due_parse(&t, (struct span){ data, n }, &f);

	MUST(err == TOCSIN_OK || err == TOCSIN_EMALFORMED);
	if (err != TOCSIN_OK) {
		MUST(t.n == 0 && f.what[0] != '\0');
		return 0;
	}
	must_be_whole(&t);
	must_fold(&t);
	return 0;
}
