/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "client/incident.h"

#include <string.h>

/*
 * What is read can join a ticket of our own, and then says the same: subject,
 * text and answer are taken over, attachments are not ours to give.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct incident in, back;
	struct incident_draft d = { 0 };
	struct buf b = { 0 };
	char *json;

	if (incident_parse(&in, (struct span){ data, n }) != TOCSIN_OK)
		return 0;
	json = strndup((const char *)data, n);
	MUST(json != NULL);
	d.json = json;
	if (strlen(json) == n && incident_print(&b, &d) == TOCSIN_OK) {
		MUST(incident_parse(&back, buf_span(&b)) == TOCSIN_OK);
		MUST((in.subject == NULL) == (back.subject == NULL));
		MUST(in.subject == NULL ||
		     strcmp(in.subject, back.subject) == 0);
		MUST((in.answer == NULL) == (back.answer == NULL));
		MUST(in.nattachment == back.nattachment);
		incident_release(&back);
	}
	incident_release(&in);
	free(json);
	buf_release(&b);
	return 0;
}
