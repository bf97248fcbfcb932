/* SPDX-License-Identifier: ISC */
#include "client/cli/commit.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static const char *const none[] = { "", "17", "null", "[17]", "{}",
	"{\"commit\":0}", "{\"commit\":-1}", "{\"commit\":1.5}",
	"{\"commit\":\"17\"}", "{\"commit\":17,\"commit\":18}",
	"{\"commit\":17,\"why\":\"late\"}", "{\"commit\":17,\"tag\":1}",
	"{\"commit\":99999999999999999999}", "{\"commit\":[17]}",
	"{\"aside\":17}", "{\"aside\":17,\"why\":\"\"}",
	"{\"aside\":17,\"why\":null}", "{\"aside\":17,\"why\":\"a\\u0000b\"}",
	"{\"aside\":17,\"why\":\"x\",\"more\":1}", "{\"commit\":17} 18",
	"{\"commit\":17}{\"commit\":18}" };

/* From a copy of the exact size, so that nothing behind it is read. */
static bool
parse(struct commit_line *l, const char *text, size_t n)
{
	uint8_t *copy = xcopy(text, n);
	bool good = commit_line_parse(l, (struct span){ copy, n });

	free(copy);
	return good;
}

static void
test_taken(void)
{
	static const char commit[] = "{\"commit\":17}";
	static const char aside[] = "{\"aside\":18,\"why\":\"no such host\"}";
	struct commit_line l;
	size_t n, taken = 0;

	ok(parse(&l, commit, strlen(commit)) && l.number == 17 && l.why == NULL,
	    "a commit is taken");
	commit_line_release(&l);
	ok(parse(&l, aside, strlen(aside)) && l.number == 18,
	    "and one that sets aside");
	is_str(l.why, "no such host", "with its words");
	commit_line_release(&l);
	ok(parse(&l, "{\"commit\":17.0}", 15) && l.number == 17,
	    "whole numbers may be written as 17.0");
	commit_line_release(&l);
	for (n = 0; n < strlen(commit); n++, commit_line_release(&l))
		taken += parse(&l, commit, n);
	for (n = 0; n < strlen(aside); n++, commit_line_release(&l))
		taken += parse(&l, aside, n);
	is_int((long long)taken, 0, "no beginning of either is one");
}

static void
test_refused(void)
{
	struct commit_line l;
	size_t i;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ok(!parse(&l, none[i], strlen(none[i])), "none: %s",
		    none[i][0] != '\0' ? none[i] : "nothing");
		commit_line_release(&l);
	}
}

int
main(void)
{
	test_taken();
	test_refused();
	return tap_done();
}
