/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/print.h"

/* Whatever goes in, only UTF-8 without a hostile character comes out. */
static void
must_be_harmless(const char *text, size_t n, bool body)
{
	struct span s = { (const uint8_t *)text, n };
	size_t i = 0, before;
	uint32_t c;

	while (i < n) {
		before = i;
		c = utf8_next(s, &i);
		MUST(c != 0xfffd || i - before == 3);
		MUST(!char_hostile(c) || (body && (c == '\n' || c == '\t')));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };
	char *text = NULL, *z;
	size_t size = 0;
	bool body = n % 2; /* for each input half of the forms */
	FILE *to = open_memstream(&text, &size);

	MUST(to != NULL && (z = malloc(n + 1)) != NULL);
	for (size = 0; size < n; size++)
		z[size] = (char)data[size];
	z[n] = '\0';
	if (body) {
		safe_span(to, all, SAFE_BODY);
		safe_body(to, z, "| ");
		safe_field(to, z, 12);
	} else {
		safe_span(to, all, SAFE_LINE);
		safe_json(to, all);
		safe_title(to, z, 20);
	}
	fclose(to);
	must_be_harmless(text, size, body);
	free(text);
	free(z);
	return 0;
}
