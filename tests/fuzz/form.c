/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/form/form.h"
#include "client/incident.h"

#include <stdlib.h>
#include <string.h>

/*
 * What was read can be written in every format; whatever that is, is bounded.
 * In one of them for each input, by its bytes: so many more inputs come to be
 * read that none of the formats is tried less.
 */
static void
write_one(const json_t *content, struct span input)
{
	const struct form_message m = { .id = "id",
		.from = "a@b/c",
		.kind = "report",
		.tlp = "RED",
		.time = 1,
		.content = content };
	struct form_out from = {
		.tlp = "RED", .message = &m, .n = 1, .lost = json_array()
	};
	size_t count = 0, pick = input.n;
	struct buf b = { 0 };
	enum tocsin_err err;

	while (forms[count] != NULL)
		count++;
	for (; input.n > 0; input.p++, input.n--)
		pick += *input.p;
	err = form_write(&b, forms[pick % count], &from);
	MUST(err == TOCSIN_OK || err == TOCSIN_EUNSUPPORTED);
	json_decref(from.lost);
	buf_release(&b);
}

/* Whatever is read out of a file can join a ticket, and is read back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct incident_draft d = { 0 };
	const struct form *found;
	struct incident back;
	struct buf b = { 0 };
	struct form_in in;
	char *json = NULL;
	enum tocsin_err err;

	if (form_read(&in, NULL, (struct span){ data, n }, &found) ==
	    TOCSIN_OK) {
		json = json_dumps(in.content, JSON_COMPACT);
		MUST(json != NULL);
		d.subject = form_text(in.content, "subject");
		d.text = form_text(in.content, "text");
		d.json = json;
		err = incident_print(&b, &d);
		MUST(err == TOCSIN_OK || err == TOCSIN_ETOOLARGE ||
		     err == TOCSIN_EMALFORMED);
		if (err == TOCSIN_OK) {
			MUST(incident_parse(&back, buf_span(&b)) == TOCSIN_OK);
			incident_release(&back);
		}
		write_one(in.content, (struct span){ data, n });
	}
	free(json);
	form_in_release(&in);
	buf_release(&b);
	return 0;
}
