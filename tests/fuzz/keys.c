/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/keys.h"

/* What is read prints back; what covers a time does. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct keys_recipient *r;
	struct keys *k = NULL;
	struct buf b = { 0 };
	size_t i;

	if (keys_parse(&k, (struct span){ data, n }) != TOCSIN_OK)
		return 0;
	keys_print(&b, k);
	MUST(span_eq(buf_span(&b), k->text));
	for (i = 0; i < k->ndevice; i++)
		MUST(keys_device(k, span_of(k->device[i].name)) ==
		     &k->device[i]);
	for (i = 0; i < k->nrecipient; i++) {
		r = keys_recipient(k, span_of(k->recipient[i].exercise),
		    k->recipient[i].notbefore);
		MUST(r != NULL && r >= &k->recipient[i]);
	}
	keys_free(k);
	buf_release(&b);
	return 0;
}
