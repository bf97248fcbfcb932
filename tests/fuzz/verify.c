/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/verify.h"
#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>

/* What somebody claims of a ticket, beside a roster and a message of it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct fixture f;
	static struct fx_ticket t;
	struct verify_file file[5] = { { "roster-1", { 0 } },
		{ "keys-singcert@sg-1", { 0 } }, { "ticket-00001.note", { 0 } },
		{ "ticket-00001.body", { 0 } }, { "status.txt", { data, n } } };
	struct verify v;
	size_t i, good = 0;

	if (f.n == 0) {
		fixture_init(&f, "sg my");
		fixture_ticket(&t, &f, "singcert@sg/desk1", "mycert@my", 1,
		    NULL, NULL, NULL);
	}
	file[0].bytes = buf_span(&f.file);
	file[1].bytes = buf_span(&f.keys_file[0]);
	file[2].bytes = buf_span(&t.note);
	file[3].bytes = buf_span(&t.body);
	MUST(verify_files(&v, file, 5, f.now) == TOCSIN_OK);
	for (i = 0; i < v.n; i++)
		if (v.found[i].what == VERIFY_LINE)
			MUST(v.found[i].err != TOCSIN_OK || v.found[i].word);
		else
			good += v.found[i].err == TOCSIN_OK;
	MUST(good == 3);
	verify_release(&v);
	return 0;
}
