/* SPDX-License-Identifier: ISC */
/*
 * patrol.h - the watchman of the store
 *
 * Disks lose bytes of what nobody has read for a year. So one thread goes
 * through all that is in the store, once in `check` seconds, and looks at it as
 * `tocsind verify` does (store_check): what readers would find damaged is found
 * before they come, and the mender (mend.h) asks the peers for it.
 *
 * It is in nobody's way: a step is a quarter of a MiB in a snapshot of its own;
 * then it pauses, so that it reads at most PATROL_RATE bytes a second and uses
 * at most a tenth of a processor.
 *
 * Values: patrol/at is where a round is, patrol/round since when, how much it
 * went through and what it found, patrol/done when the last whole round ended
 * and what that found. So a round goes on after a restart, from where it was up
 * to PATROL_KEEP_MS before.
 */
#ifndef TOCSIN_BROKER_PATROL_H
#define TOCSIN_BROKER_PATROL_H

#include "crypto/wire.h"

#define PATROL_RATE (4u << 20)
#define PATROL_STEP (256u << 10)
#define PATROL_KEEP_MS 10000

struct broker;
struct patrol;

/* With a `check` of 0 in the broker's configuration it does nothing. */
MUST_USE enum tocsin_err patrol_start(struct patrol **out, struct broker *b);
void patrol_stop(struct patrol *p);
void patrol_free(struct patrol *p);

struct patrol_status {
	bool walking;
	uint64_t bytes; /* of this round; about as many as the store uses */
	uint64_t found; /* in this round */
	int64_t done;	/* when the last round ended; 0: none did */
	uint64_t done_found;
};
void patrol_status(struct patrol *p, struct patrol_status *out);

#endif
