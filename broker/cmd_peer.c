/* SPDX-License-Identifier: ISC */
/*
 * tocsind peer resume: after relay-cursor-ahead, when somebody has looked, a
 * running broker is told to count from where the peer is.
 */
#include "broker/admin.h"
#include "broker/cmd.h"
#include "broker/setup.h"

enum { CONFIG };

const struct cmd_option peer_resume_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

int
cmd_peer_resume(const char **opt, int argc, char **argv)
{
	struct buf answer = { 0 };
	struct setup setup;
	struct config c;
	enum tocsin_err err;
	int status = cmd_config(&c, opt[CONFIG]);

	if (status)
		return status;
	if (argc != 1)
		return cmd_fail(TOCSIN_EUSAGE, "one peer at a time");
	setup_init(&setup, &c);
	err = admin_ask(setup.admin, "resume", span_of(argv[0]), &answer);
	buf_release(&answer);
	if (err == TOCSIN_EUNAVAILABLE)
		return cmd_fail(err, "%s: the broker does not run", c.name);
	if (err == TOCSIN_ENOTFOUND)
		return cmd_fail(
		    err, "%s: nothing keeps us from sending to it", argv[0]);
	if (err)
		return cmd_fail_at(err, argv[0]);
	return 0;
}
