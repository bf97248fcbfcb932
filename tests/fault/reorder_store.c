/* SPDX-License-Identifier: ISC */
#include "tests/fault/reorder.h"

#include "broker/store.h"

#include <stdio.h>

const char image_name[] = "log.mdb";

static const struct store_options opts = {
	.map_size = (uint64_t)1 << 30,
	.readers = 16,
};

static void
finding(void *arg, const struct store_finding *f)
{
	(void)arg;
	printf("# entry %llu: %s\n", (unsigned long long)f->seq, f->what);
}

/* It is there, and its record is what it was. */
static bool
kept(struct store_rx *rx, const uint8_t id[ID_LEN])
{
	struct store_entry e;
	uint64_t seq;

	return store_find(rx, id, &seq) == TOCSIN_OK &&
	       store_get(rx, seq, &e) == TOCSIN_OK;
}

int
image_check(const char *folder, const struct image_promise *p)
{
	const char *why = "";
	struct store_rx *rx;
	struct store *s;
	size_t i;

	if (store_open(&s, folder, &opts, &why) != TOCSIN_OK) {
		printf("# %s\n", why);
		fflush(stdout);
		return 1;
	}
	if (store_read(s, &rx) != TOCSIN_OK)
		return 1;
	for (i = 0; i < p->n; i++)
		if (!kept(rx, p->id[i]))
			return 2;
	store_read_end(rx);
	i = store_verify(s, finding, NULL, NULL) != TOCSIN_OK;
	fflush(stdout);
	return i ? 3 : 0;
}
