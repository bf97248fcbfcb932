/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/circle.h"

#include <string.h>

/* What is taken has names, and members that ascend; another file replaces. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct span text = { data, n };
	struct circles c = { .n = 0 };
	struct circle_fault f;
	enum tocsin_err err = circles_parse(&c, text, 0, &f);
	size_t i, k, count;

	MUST(err == TOCSIN_OK || err == TOCSIN_EMALFORMED);
	if (err != TOCSIN_OK) {
		MUST(c.n == 0 && f.line > 0 && f.what[0] != '\0');
		return 0;
	}
	MUST(c.n <= CIRCLES_MAX);
	for (i = 0; i < c.n; i++) {
		const struct circle *one = &c.circle[i];

		MUST(circles_find(&c, one->name) == one);
		MUST(
		    name_circle(span_of(one->name)) && one->n <= TICKET_TO_MAX);
		for (k = 0; k < one->n; k++)
			MUST(name_member(span_of(one->member[k])) &&
			     (k == 0 || strcmp(one->member[k - 1],
					    one->member[k]) < 0));
	}
	count = c.n;
	MUST(circles_parse(&c, text, 1, &f) == TOCSIN_OK && c.n == count);
	circles_release(&c);
	return 0;
}
