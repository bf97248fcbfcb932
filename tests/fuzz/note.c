/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/note.h"

#include <string.h>

/*
 * A note is its text, a blank line and its lines; what is taken for one says
 * the same when it is put together again. A vkey that is read prints back.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };
	struct buf b = { 0 };
	static struct note note;
	struct vkey k;
	size_t i;

	if (note_parse(&note, all, 4096) == TOCSIN_OK) {
		MUST(note.nsig > 0 && note.nsig <= NOTE_SIGS);
		MUST(span_eq(note.whole, all));
		buf_add(&b, note.text);
		buf_addz(&b, "\n");
		for (i = 0; i < note.nsig; i++) {
			MUST(note.sig[i].n <= NOTE_SIG_MAX);
			MUST(note.sig[i].name.n > 0);
		}
		MUST(b.n < n && memcmp(b.p, data, b.n) == 0);
		buf_cut(&b, 0);
	}
	if (vkey_parse(&k, all) == TOCSIN_OK) {
		vkey_print(&b, &k);
		MUST(span_eq(buf_span(&b), all));
	}
	buf_release(&b);
	return 0;
}
