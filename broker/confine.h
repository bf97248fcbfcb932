/* SPDX-License-Identifier: ISC */
/*
 * confine.h - what the door gives up before it meets anybody
 *
 * A stranger who takes over the door must not get what the broker's user can
 * read. So the door keeps the system calls that its loop makes, and no other:
 * no file is opened, nothing is executed, no process is looked into, no socket
 * is made but a local one. A call that is missing here fails with EPERM; the
 * door then loses a connection, not its life.
 *
 * Nothing is filtered in builds with a sanitizer, which needs calls of its own,
 * and on machines other than x86-64 and AArch64.
 */
#ifndef TOCSIN_BROKER_CONFINE_H
#define TOCSIN_BROKER_CONFINE_H

#include <stdbool.h>

/* For good. False with errno: the kernel doesn't know how. */
bool confine_calls(void);

/* Whether this build filters at all. */
bool confine_filters(void);

#endif
