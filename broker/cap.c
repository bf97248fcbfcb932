/* SPDX-License-Identifier: ISC */
#include "broker/cap.h"

#define BURST_MS 100

void
cap_init(struct cap *c, uint64_t rate, int64_t now)
{
	*c = (struct cap){ .rate = rate, .at = now };
	c->credit = (int64_t)rate * BURST_MS;
}

int64_t
cap_wait(struct cap *c, int64_t now)
{
	int64_t most = (int64_t)c->rate * BURST_MS;
	int64_t passed = now > c->at ? now - c->at : 0;

	if (c->rate == 0)
		return 0;
	c->at = now;
	/* A longer time fills it anyway, and must not overflow. */
	if (passed > BURST_MS && c->credit >= 0)
		passed = BURST_MS;
	c->credit += passed * (int64_t)c->rate;
	if (c->credit > most)
		c->credit = most;
	return c->credit > 0 ? 0 : -c->credit / (int64_t)c->rate + 1;
}

void
cap_take(struct cap *c, uint64_t bytes)
{
	if (c->rate > 0)
		c->credit -= (int64_t)bytes * 1000;
}
