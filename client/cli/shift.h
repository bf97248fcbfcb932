/* SPDX-License-Identifier: ISC */
/*
 * shift.h - the passphrase for the length of a shift
 *
 * `tocsin unlock` gives it to the kernel's keyring of this user, where it is
 * never swapped or written, and from where the kernel itself takes it away when
 * its time is over; `tocsin lock` does so at once. Until then whoever acts as
 * this user on this machine can use the home, as with any agent.
 *
 * One entry for each home, by the real path of its folder.
 */
#ifndef TOCSIN_CLI_SHIFT_H
#define TOCSIN_CLI_SHIFT_H

#include "crypto/tocsin_err.h"

#include <stdbool.h>
#include <stddef.h>

/* Kept for so many seconds, in place of what was there. errno tells why not. */
bool shift_keep(const char *home, const char *passphrase, unsigned seconds);

/* False: there is none, or no more, or this machine has no keyrings. */
bool shift_passphrase(const char *home, char *out, size_t size);

/* False: there was none. */
bool shift_forget(const char *home);

#endif
