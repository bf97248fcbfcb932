/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/tar.h"

#include <string.h>

/* Whatever the reader takes to its end, the writer writes the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n }, name, content;
	struct tar t = tar_init(all);
	struct buf again = { 0 };
	enum tocsin_err err;
	char z[TAR_NAME_MAX + 1];

	while ((err = tar_next(&t, &name, &content)) == TOCSIN_OK) {
		MUST(name.n < sizeof(z));
		memcpy(z, name.p, name.n);
		z[name.n] = '\0';
		tar_add(&again, z, content);
	}
	if (err == TOCSIN_ENOTFOUND) {
		tar_end(&again, n);
		MUST(buf_ok(&again) && span_eq(buf_span(&again), all));
	} else
		MUST(tar_next(&t, &name, &content) == TOCSIN_EMALFORMED);
	buf_release(&again);
	return 0;
}
