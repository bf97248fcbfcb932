/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/ticket.h"

/* A header that is taken has its limits kept and is written back the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span bytes = { data, n };
	struct buf again = { 0 };
	struct ticket t;
	struct note note;

	if (ticket_parse(&t, &note, bytes) != TOCSIN_OK)
		return 0;
	MUST(t.nto > 0 && t.nto <= TICKET_TO_MAX);
	MUST(t.npart <= TICKET_PARTS_MAX && t.nref <= TICKET_REFS_MAX);
	MUST(t.nlabel <= TICKET_LABELS_MAX && t.text.n <= TEXT_MAX);
	MUST(t.body_size <= TICKET_BODY_MAX && t.inner.n < t.text.n);
	MUST(t.seq > 0 && note.nsig == 1);
	MUST(ticket_to_find(&t, t.to[t.nto - 1].member) == (int)t.nto - 1);
	ticket_sort(&t);
	ticket_print(&again, &t);
	MUST(buf_ok(&again) && span_eq(buf_span(&again), t.text));
	buf_release(&again);
	return 0;
}
