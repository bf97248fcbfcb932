/* SPDX-License-Identifier: ISC */
/*
 * gatekeeper.h - keeps a door standing before the port
 *
 * Binds the port, starts the door, and starts another when it ends: at once
 * after a long life, else after 0.1 s and twice as long each time, up to 5 s.
 * The port stays bound meanwhile, so who connects then waits and is not
 * refused. All but gatekeeper_ask() is for one thread, which must live as long
 * as the broker: the door dies with it.
 */
#ifndef TOCSIN_BROKER_GATEKEEPER_H
#define TOCSIN_BROKER_GATEKEEPER_H

#include "broker/door.h"

#include <pthread.h>

struct gatekeeper {
	const struct door_config *door;
	int listen_fd;
	uint16_t port;
	pid_t pid;	 /* 0: none stands */
	int64_t started; /* ms */
	int64_t again;	 /* ms; when the next one is started */
	unsigned delay;	 /* ms */
	pthread_mutex_t lock;
	int control_fd; /* -1: none; under the lock */
};

/* EUNAVAILABLE with errno: the port cannot be had. */
MUST_USE enum tocsin_err gatekeeper_init(
    struct gatekeeper *g, const struct door_config *door);

/* Starts one if none stands and it is time; about twice a second. */
void gatekeeper_tend(struct gatekeeper *g, int64_t now_ms);

/* A child has ended; true if it was the door. */
bool gatekeeper_reap(struct gatekeeper *g, int64_t now_ms);

/* From any thread. */
MUST_USE bool gatekeeper_ask(struct gatekeeper *g, struct door_counters *out);

#endif
