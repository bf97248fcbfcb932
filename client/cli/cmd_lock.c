/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/shift.h"
#include "client/cli/view.h"

#include <errno.h>
#include <string.h>

#define SHIFT (8 * 3600)
#define SHIFT_MAX (7 * 86400)

/* From the one who has it, not from the keyring that it is to go into. */
static int
unlock(struct cli *c, const char *home, unsigned seconds)
{
	const char *pass = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err;
	int status = cli_passphrase(c, home, false, &pass);

	if (status != 0)
		return status;
	err = tocsin_open(&t, home, pass);
	if (err != TOCSIN_OK)
		return cli_error(NULL, err);
	tocsin_close(t);
	if (!shift_keep(home, pass, seconds))
		return cli_fail(TOCSIN_EUNAVAILABLE,
		    "the kernel keeps no keys for this user: %s; use "
		    "--passphrase-file",
		    strerror(errno));
	cli_note("%s is open for %u minutes; `tocsin lock` ends that", home,
	    (seconds + 59) / 60);
	return 0;
}

int
cmd_unlock(struct cli *c, int argc, char **argv)
{
	const char *until = NULL;
	const struct opt opts[] = {
		{ "--for", OPT_WORD, &until },
		{ NULL, OPT_FLAG, NULL },
	};
	int64_t end = cli_now() + SHIFT, left;
	char home[512];

	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	if (until != NULL && !view_when("--for", until, &end))
		return 2;
	left = end - cli_now();
	if (left < 1 || left > SHIFT_MAX)
		return cli_usage("--for: a shift is at most 7 days");
	if (!cli_home(c, home))
		return 2;
	if (!keystore_locked(home)) {
		cli_note("%s needs no passphrase", home);
		return 0;
	}
	return unlock(c, home, (unsigned)left);
}

int
cmd_lock(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	char home[512];

	if (!cli_options(c, argc, argv, none, 0, 0))
		return 2;
	if (!cli_home(c, home))
		return 2;
	if (!shift_forget(home))
		cli_note("%s was not unlocked", home);
	return 0;
}
