/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/find.h"
#include "client/cli/letters.h"

#define PLACES 3 /* that are looked at: each costs as much as all before it */

/* A text and what it is plain: each byte of that has an origin. */
static void
must_be_plain(struct span s)
{
	struct buf once = { 0 }, twice = { 0 };
	struct span at;
	size_t i;

	plain_add(&once, s);
	plain_add(&twice, buf_span(&once));
	MUST(buf_ok(&once) && buf_ok(&twice));
	MUST(span_eq(buf_span(&once), buf_span(&twice)));
	for (i = 0; once.n > 0 && i < PLACES; i++) {
		at = plain_where(s, (once.n - 1) * i / (PLACES - 1), 1);
		MUST(at.n > 0 && at.p >= s.p && at.p + at.n <= s.p + s.n);
	}
	buf_release(&once);
	buf_release(&twice);
}

/* A word, a line feed, and what is searched as a gist. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n }, gist;
	struct rd r = rd_init(all);
	struct find f = { 0 };
	struct find_hit hit[4];
	char word[64] = "";
	struct span line = rd_line(&r);
	size_t i, found = 0;
	bool whole = false;

	must_be_plain(all);
	for (i = 0; i < line.n && i < sizeof(word) - 1; i++)
		word[i] = (char)line.p[i];
	gist = rd_rest(&r);
	if (find_word(&f, word)) {
		MUST(find_in(&f, gist, &whole, hit, 4, &found) == TOCSIN_OK);
		MUST(whole == (found > 0));
		for (i = 0; i < found && i < 4; i++)
			MUST(hit[i].at.p >= hit[i].f.text.p &&
			     hit[i].at.p + hit[i].at.n <=
				 hit[i].f.text.p + hit[i].f.text.n);
	}
	find_release(&f);
	return 0;
}
