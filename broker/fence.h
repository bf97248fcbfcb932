/* SPDX-License-Identifier: ISC */
/*
 * fence.h - the files that a process can still reach
 *
 * Who takes over the broker gets its keys: they are in its memory. He need not
 * get what else its user can read, nor leave anything behind outside the state
 * folder. Linux' Landlock takes that away for good, from the calling thread and
 * from all threads and processes that it makes afterwards: so it comes before
 * the first of them, and the folders must be there.
 *
 * What is left for reading is what a program cannot do without on any machine:
 * its libraries, /etc (names of hosts), /proc, /sys, /run. What is open stays
 * open. Sockets are no matter of this.
 */
#ifndef TOCSIN_BROKER_FENCE_H
#define TOCSIN_BROKER_FENCE_H

#include <stdbool.h>

/* The kernel's Landlock, 1 and up; 0: it has none, or it is switched off. */
int fence_abi(void);

/*
 * `own` are folders to do anything in, `read` files and folders to read; NULL
 * ends each. One that does not exist is passed over. False with errno: nothing
 * is taken away.
 */
bool fence_files(const char *const *own, const char *const *read);

#endif
