/* SPDX-License-Identifier: ISC */
#include "broker/cap.h"
#include "tests/lib/tap.h"

/* Bytes in `ms`, taken in frames of n whenever it is allowed. */
static uint64_t
taken(uint64_t rate, uint64_t n, int64_t ms)
{
	struct cap c;
	int64_t now = 5000, end = 5000 + ms;
	uint64_t sum = 0;

	cap_init(&c, rate, now);
	while (now < end) {
		int64_t wait = cap_wait(&c, now);

		now += wait;
		if (wait > 0)
			continue;
		cap_take(&c, n);
		sum += n;
	}
	return sum;
}

int
main(void)
{
	struct cap c;
	uint64_t n;

	n = taken(250000, 16384, 60000);
	ok(n > 250000 * 59 && n < 250000 * 61,
	    "2 Mbit/s for a minute, in large frames: %llu bytes",
	    (unsigned long long)n);
	n = taken(1000, 16384, 600000);
	ok(n > 580000 && n < 640000, "8 kbit/s for ten minutes: %llu bytes",
	    (unsigned long long)n);
	n = taken(12500000000u, 16384, 10);
	ok(n > 100000000, "100 Gbit/s is no limit in practice");

	cap_init(&c, 0, 0);
	cap_take(&c, UINT64_C(1) << 60);
	is_int(cap_wait(&c, 1), 0, "no rate is no limit");
	cap_init(&c, 1000, 0);
	cap_take(&c, 100);
	ok(cap_wait(&c, 0) > 0, "an empty bucket lets one wait");
	cap_take(&c, 900);
	ok(cap_wait(&c, 500) > 390 && cap_wait(&c, 901) == 0,
	    "until what was overdrawn is paid");
	(void)cap_wait(&c, INT64_C(1) << 50);
	cap_take(&c, 101);
	ok(cap_wait(&c, INT64_C(1) << 50) > 0, "a long rest saves up little");
	return tap_done();
}
