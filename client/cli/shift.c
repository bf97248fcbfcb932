/* SPDX-License-Identifier: ISC */
#include "client/cli/shift.h"

#include <keyutils.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
name_of(const char *home, char out[PATH_MAX + 16])
{
	char path[PATH_MAX];

	if (realpath(home, path) == NULL)
		return false;
	snprintf(out, PATH_MAX + 16, "tocsin:%s", path);
	return true;
}

static key_serial_t
find(const char *home)
{
	char name[PATH_MAX + 16];

	if (!name_of(home, name))
		return -1;
	return (key_serial_t)keyctl_search(
	    KEY_SPEC_USER_KEYRING, "user", name, 0);
}

bool
shift_keep(const char *home, const char *passphrase, unsigned seconds)
{
	char name[PATH_MAX + 16];
	key_serial_t key;

	if (!name_of(home, name))
		return false;
	key = add_key("user", name, passphrase, strlen(passphrase),
	    KEY_SPEC_USER_KEYRING);
	if (key < 0)
		return false;
	if (keyctl_set_timeout(key, seconds) == 0)
		return true;
	(void)shift_forget(home); /* never without an end */
	return false;
}

bool
shift_passphrase(const char *home, char *out, size_t size)
{
	key_serial_t key = find(home);
	long n;

	if (key < 0)
		return false;
	n = keyctl_read(key, out, size);
	if (n <= 0 || (size_t)n >= size) {
		sodium_memzero(out, size);
		return false;
	}
	out[n] = '\0';
	return true;
}

bool
shift_forget(const char *home)
{
	key_serial_t key = find(home);

	return key >= 0 && (keyctl_invalidate(key) == 0 ||
			       keyctl_unlink(key, KEY_SPEC_USER_KEYRING) == 0);
}
