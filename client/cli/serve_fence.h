/* SPDX-License-Identifier: ISC */
/*
 * serve_fence.h - the calls that are left to the process that answers browsers
 *
 * serve.h says what that process may: hand out pages that it is given. Who
 * takes it over, through a fault in what reads requests, must not get further
 * than that, though it runs as the officer. So it keeps the system calls that
 * its two threads make once it listens, and any other one ends it: it can open
 * no file, start nothing, look into no process and make no socket. The board
 * then says that its server has ended.
 *
 * Nothing is filtered in builds with a sanitizer, which needs calls of its own,
 * and on machines other than x86-64 and AArch64.
 */
#ifndef TOCSIN_CLI_SERVE_FENCE_H
#define TOCSIN_CLI_SERVE_FENCE_H

#include <stdbool.h>

/* For good, and for all threads. False with errno: the kernel cannot. */
bool serve_fence(void);

/* Whether this build filters at all. */
bool serve_fence_filters(void);

#endif
