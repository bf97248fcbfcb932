/* SPDX-License-Identifier: ISC */
#include "broker/admin.h"
#include "broker/cmd.h"
#include "broker/setup.h"

#include <errno.h>
#include <stdio.h>

enum { CONFIG, JSON };

const struct cmd_option status_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ "json", NULL, "one object on one line" },
	{ 0 },
};

int
cmd_status(const char **opt, int argc, char **argv)
{
	struct buf answer = { 0 };
	struct setup setup;
	struct config c;
	enum tocsin_err err;
	int status = cmd_config(&c, opt[CONFIG]);

	(void)argc;
	(void)argv;
	if (status)
		return status;
	setup_init(&setup, &c);
	err = admin_ask(setup.admin, opt[JSON] ? "status-json" : "status",
	    (struct span){ 0 }, &answer);
	if (err == TOCSIN_OK)
		fwrite(answer.p, 1, answer.n, stdout);
	else if (err == TOCSIN_EUNAVAILABLE)
		status = cmd_fail(err, "%s: the broker does not run", c.name);
	else
		status = cmd_fail_at(err, setup.admin);
	buf_release(&answer);
	return status;
}
