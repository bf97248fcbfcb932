/* SPDX-License-Identifier: ISC */
/*
 * patience.h - how often a peer may have us begin anew
 *
 * That a peer counts otherwise than we do, or lacks what it had, is put right
 * at once, and costs a walk through our log or its outbox. It is rare between
 * honest brokers; one that lies can say it each time. So there are
 * PATIENCE_BURST of these, and one more each PATIENCE_MS. Pure: time comes as
 * an argument, in ms of a clock that does not go back. A struct patience starts
 * as zeros.
 */
#ifndef TOCSIN_BROKER_PATIENCE_H
#define TOCSIN_BROKER_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_BURST 8
#define PATIENCE_MS 30000

struct patience {
	unsigned spent;
	int64_t since; /* when the oldest of them began to come back */
};

/* Once more; false: not before patience_at(). */
bool patience_take(struct patience *p, int64_t now);
int64_t patience_at(const struct patience *p);

#endif
