/* SPDX-License-Identifier: ISC */
/* What devices see of a log that was restored. */
#include "broker/epochs.h"
#include "tests/lib/entries.h"
#include "tests/lib/tap.h"

#include <stdlib.h>

static const struct store_options opts = { .map_size = 16 << 20, .readers = 4 };

#define MUST(e)                  \
	do {                     \
		if (!(e))        \
			abort(); \
	} while (0)

static void
append(struct store *s, uint64_t from, uint64_t n, bool restore)
{
	struct store_tx *tx;
	struct made m;
	uint64_t seq;

	MUST(store_begin(s, &tx) == TOCSIN_OK);
	for (; n > 0; n--, from++) {
		made_init(&m, from, 100);
		MUST(store_append(tx, &m.e, &seq) == TOCSIN_OK);
		made_release(&m);
	}
	if (restore)
		MUST(epochs_begin(tx) == TOCSIN_OK);
	MUST(store_commit(tx) == TOCSIN_OK);
}

static struct epochs
load(struct store *s)
{
	struct store_rx *rx;
	struct epochs e;

	MUST(store_read(s, &rx) == TOCSIN_OK);
	MUST(epochs_load(&e, rx) == TOCSIN_OK);
	store_read_end(rx);
	return e;
}

static const uint64_t one = UINT64_C(1) << EPOCHS_SHIFT;

static void
test_map(struct store *s)
{
	struct epochs e = load(s);
	uint64_t seq, last = 0;
	bool good = true;

	is_int(e.n, 2, "each restore is noted");
	for (seq = 0; seq <= 40; seq++) {
		uint64_t wire = epochs_wire(&e, seq);

		good = good && epochs_seq(&e, wire) == seq &&
		       (seq == 0 || wire > last);
		last = wire;
	}
	ok(good, "a seq goes there and back, and the order stays");
	is_int((long long)epochs_wire(&e, 10), 10, "what was before keeps it");
	ok(epochs_wire(&e, 11) == one + 11 &&
		epochs_wire(&e, 21) == 2 * one + 21,
	    "what came after a restore is beyond all that was");
	is_int((long long)epochs_seq(&e, 900), 10,
	    "a cursor into what was lost is the end of what was not");
	is_int((long long)epochs_seq(&e, one + 33), 20, "in a later epoch too");
	is_int((long long)epochs_seq(&e, one + 3), 10,
	    "one that no broker gave is no way round");
	ok(epochs_seq(&e, 9 * one) > 1000, "nor one from the future");
}

int
main(void)
{
	struct store *s;
	unsigned i;

	MUST(store_open(&s, scratch(), &opts, NULL) == TOCSIN_OK);
	append(s, 1, 10, false);
	ok(load(s).n == 0 && epochs_wire(&(struct epochs){ 0 }, 7) == 7,
	    "a log that was never restored counts as it is");
	append(s, 100, 0, true);
	append(s, 11, 10, true);
	test_map(s);
	for (i = 2; i < EPOCHS_MAX; i++)
		append(s, 0, 0, true);
	{
		struct store_tx *tx;

		MUST(store_begin(s, &tx) == TOCSIN_OK);
		is_int(epochs_begin(tx), TOCSIN_EQUOTA,
		    "there is an end to restoring");
		store_abort(tx);
	}
	store_close(s);
	return tap_done();
}
