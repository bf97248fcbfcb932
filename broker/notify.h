/* SPDX-License-Identifier: ISC */
/*
 * notify.h - what a service manager is told, as by sd_notify(3)
 *
 * Datagrams to $NOTIFY_SOCKET, a path or, after '@', an abstract name; nothing
 * where there is none. If the manager asks for signs of life
 * ($WATCHDOG_USEC, for us or without $WATCHDOG_PID), WATCHDOG=1 is due twice in
 * that time.
 *
 * A sign of life is worth what stands behind it. Ours is a pulse: a job that
 * goes through the writer's queue and commits, synced, the time that it is. A
 * disk that hangs, or a thread that does, lets it stay away.
 */
#ifndef TOCSIN_BROKER_NOTIFY_H
#define TOCSIN_BROKER_NOTIFY_H

#include "broker/writer.h"

#include <stdatomic.h>

void notify(const char *what);

/* Milliseconds from one WATCHDOG=1 to the next; 0: nobody waits for it. */
int64_t notify_period(void);

/* One at a time; all zeros at first, and it outlives the writer. */
struct pulse {
	struct job job;
	atomic_bool out;
	atomic_bool back;
};

/* Unless one is out. A queue that is full is no sign of life. */
void pulse_send(struct pulse *p, struct writer *w);

/*
 * True once for each that came back. One that was refused for want of space
 * did, too: what works is the broker, and a new start makes no room.
 */
bool pulse_back(struct pulse *p);

#endif
