/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/cli/stix.h"
#include "client/incident.h"

#include <string.h>

/* Whatever is read out of a bundle can join a ticket, and is read back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct incident_draft d = { 0 };
	struct incident back;
	struct buf b = { 0 };
	struct stix s;
	enum tocsin_err err;

	if (stix_parse(&s, (struct span){ data, n }) == TOCSIN_OK) {
		d.subject = s.subject;
		d.text = s.text;
		d.json = s.json;
		err = incident_print(&b, &d);
		MUST(err == TOCSIN_OK || err == TOCSIN_ETOOLARGE);
		if (err == TOCSIN_OK) {
			MUST(incident_parse(&back, buf_span(&b)) == TOCSIN_OK);
			MUST(s.subject == NULL ||
			     strcmp(back.subject, s.subject) == 0);
			incident_release(&back);
		}
	}
	stix_release(&s);
	buf_release(&b);
	return 0;
}
