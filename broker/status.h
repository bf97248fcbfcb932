/* SPDX-License-Identifier: ISC */
/*
 * status.h - how a broker fares, for a person and for a program
 *
 * JSON is one object on one line; its fields are in tocsind(8) and stay. A
 * broker that waits for its first roster has `ready` false and no more than
 * its names.
 */
#ifndef TOCSIN_BROKER_STATUS_H
#define TOCSIN_BROKER_STATUS_H

#include "broker/broker.h"
#include "broker/config.h"
#include "broker/door.h"

struct status_source {
	const struct config *conf;
	struct broker *broker;		  /* NULL: no roster yet */
	const struct door_counters *door; /* NULL: it doesn't answer */
	int64_t up_ms;
};

void status_json(struct buf *out, const struct status_source *s);
void status_text(struct buf *out, const struct status_source *s);

#endif
