/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/padding.h"
#include "crypto/tar.h"
#include "crypto/ticket.h"

#include <string.h>

/* The archive as its three contents make it. */
static void
pack(struct buf *out, const struct ticket *t, const struct ticket_contents *c)
{
	tar_add(out, "header", t->inner);
	tar_add(out, "ticket.json", c->json);
	if (t->npart > 0)
		tar_add(out, "parts.age", c->parts_age);
	tar_end(out, (size_t)padme(out->n + TAR_END, TICKET_PAD_FLOOR));
}

/*
 * What a body decrypts to, for a header that says what is inside: otherwise no
 * input would ever pass. What is taken can have been packed in one way only.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span plain = { data, n }, name, inner;
	struct tar tar = tar_init(plain);
	static struct ticket t;
	struct ticket_contents c;
	struct buf again = { 0 };

	t.inner = (struct span){ 0 };
	if (tar_next(&tar, &name, &inner) == TOCSIN_OK)
		t.inner = inner;
	t.npart =
	    t.inner.n > 0 && memmem(inner.p, inner.n, "\npart ", 6) != NULL;
	if (ticket_unpack(&c, &t, plain) == TOCSIN_OK) {
		MUST(c.json.n > 0 && (c.parts_age.n > 0) == (t.npart > 0));
		pack(&again, &t, &c);
		MUST(buf_ok(&again) && span_eq(buf_span(&again), plain));
	} else
		MUST(c.json.n == 0 && c.parts_age.n == 0 && c.plain.n == 0);
	buf_release(&again);
	ticket_contents_release(&c);
	t.inner = (struct span){ 0 };
	MUST(ticket_unpack(&c, &t, plain) != TOCSIN_OK);
	return 0;
}
