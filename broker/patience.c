/* SPDX-License-Identifier: ISC */
#include "broker/patience.h"

bool
patience_take(struct patience *p, int64_t now)
{
	int64_t back = (now - p->since) / PATIENCE_MS;

	if (back >= p->spent) {
		p->spent = 0;
		p->since = now;
	} else {
		p->spent -= (unsigned)back;
		p->since += back * PATIENCE_MS;
	}
	if (p->spent >= PATIENCE_BURST)
		return false;
	p->spent++;
	return true;
}

int64_t
patience_at(const struct patience *p)
{
	return p->spent < PATIENCE_BURST ? p->since : p->since + PATIENCE_MS;
}
