/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/own.h"

#include <string.h>

static const char ours[] = "192.0.2.0/24\n2001:db8::/32\nexample.my\n";

/* As a file, and as a text in which a file's entries may stand. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct span s = { data, n };
	struct own o = { .n = 0 }, mine = { .n = 0 };
	struct own_fault f;
	const char *found;
	enum tocsin_err err = own_parse(&o, s, &f);
	size_t i;

	MUST(err == TOCSIN_OK || (err == TOCSIN_EMALFORMED && f.line > 0));
	for (i = 0; i < o.n; i++) {
		const char *name = o.net[i].name;

		MUST(o.net[i].bits <= 128 && name[0] != '\0');
		found = own_find(
		    &o, (struct span){ (const uint8_t *)name, strlen(name) });
		MUST(found != NULL);
	}
	if (own_parse(&mine,
		(struct span){ (const uint8_t *)ours, sizeof(ours) - 1 },
		&f) == TOCSIN_OK)
		(void)own_find(&mine, s);
	own_release(&o);
	own_release(&mine);
	return 0;
}
