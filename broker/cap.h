/* SPDX-License-Identifier: ISC */
/*
 * cap.h - no more than so many bytes per second
 *
 * A bucket that fills at the rate, up to a tenth of a second's worth, and may
 * be overdrawn by what is taken last: so what is taken need not be split, and
 * over a while the rate is met exactly. Pure: time comes as an argument, in ms.
 */
#ifndef TOCSIN_BROKER_CAP_H
#define TOCSIN_BROKER_CAP_H

#include <stdint.h>

struct cap {
	uint64_t rate;	/* bytes per second; 0: no limit */
	int64_t credit; /* thousandths of a byte */
	int64_t at;
};

void cap_init(struct cap *c, uint64_t rate, int64_t now);

/* Until something may be taken; 0: now. */
int64_t cap_wait(struct cap *c, int64_t now);
void cap_take(struct cap *c, uint64_t bytes);

#endif
