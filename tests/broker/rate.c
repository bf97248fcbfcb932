/* SPDX-License-Identifier: ISC */
#include "broker/rate.h"

#include "tests/lib/tap.h"

#include <stdio.h>

int
main(void)
{
	struct rates *r = rates_new(10, 20), *none = rates_new(0, 0);
	struct span a = { (const uint8_t *)"a@sg", 4 };
	struct span b = { (const uint8_t *)"b@sg", 4 };
	uint32_t retry = 0;
	int i;

	ok(rate_take(r, a, 15, 0, &retry), "a full bucket gives what is asked");
	ok(!rate_take(r, a, 6, 0, &retry), "and not more than it holds");
	ok(retry >= 100 && retry <= 102, "but says when (%u ms)", retry);
	ok(rate_take(r, a, 6, retry, &retry), "and keeps its word");
	ok(rate_take(r, b, 20, 0, &retry), "another member has its own");
	ok(!rate_take(r, a, 128, 200, &retry) && retry < 2100,
	    "more than a bucket waits for a full one (%u ms)", retry);
	ok(rate_take(r, a, 128, 200 + retry, &retry), "and gets it");
	for (i = 0; i < 1000 && rate_take(none, a, 128, 0, &retry); i++)
		;
	is_int(i, 1000, "without a rate there is no limit");
	rates_free(r);
	rates_free(none);
	return tap_done();
}
