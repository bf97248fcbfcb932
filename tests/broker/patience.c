/* SPDX-License-Identifier: ISC */
#include "broker/patience.h"
#include "tests/lib/tap.h"

/* How often it may in that time, if it asks each millisecond. */
static unsigned
often(struct patience *p, int64_t from, int64_t ms)
{
	unsigned n = 0;
	int64_t now;

	for (now = from; now < from + ms; now++)
		n += patience_take(p, now);
	return n;
}

int
main(void)
{
	struct patience p = { 0 };
	int64_t hour = 3600 * 1000, now = 5000;

	is_int((int)often(&p, now, 1000), PATIENCE_BURST,
	    "a few at once, and then no more");
	ok(patience_at(&p) == now + PATIENCE_MS,
	    "it says when the next may be");
	ok(!patience_take(&p, now + PATIENCE_MS - 1), "not before");
	ok(patience_take(&p, now + PATIENCE_MS), "but then");
	ok(!patience_take(&p, now + PATIENCE_MS), "one");
	is_int((int)often(&p, now + PATIENCE_MS + 1, hour),
	    (int)(hour / PATIENCE_MS), "for ever one in a while");
	is_int((int)often(&p, now + 10 * hour, 1000), PATIENCE_BURST,
	    "after a long rest as at first");
	return tap_done();
}
