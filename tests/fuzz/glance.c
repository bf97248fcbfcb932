/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/glance_bytes.h"

#include <string.h>

static void
is_here(void *arg, const uint8_t hash[32], struct tocsin_part *part)
{
	(void)arg;
	part->here = hash[0];
}

/* What is taken is whole, and is taken again when it is written anew. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t thread[32];
	const struct glance_here here = { is_here, NULL };
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct glance g;
	size_t i;

	if (glance_parse(&g, &a, &here, (struct span){ data, n }, thread)) {
		MUST(g.m->from != NULL && g.m->kind != NULL &&
		     g.m->tlp != NULL && g.m->precedence != NULL);
		for (i = 0; i < g.nplace; i++)
			MUST(g.place[i].p.member != NULL);
		for (i = 0; i < g.m->nparts; i++)
			MUST(g.m->parts[i].name != NULL);
		glance_print(&b, &g, NULL);
		MUST(buf_ok(&b) &&
		     glance_parse(&g, &a, &here, buf_span(&b), thread));
	}
	arena_release(&a);
	buf_release(&b);
	return 0;
}
