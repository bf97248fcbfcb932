/* SPDX-License-Identifier: ISC */
/*
 * tocsind card: what is handed in to be put on the roster, once more. It says
 * what configuration and keys say now, so a broker that moves prints it after
 * its `url` was changed.
 */
#include "broker/cmd.h"
#include "broker/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG };

const struct cmd_option card_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

int
cmd_print_card(const struct config *c)
{
	char keys[CONFIG_PATH_MAX + 1], why[IDENTITY_WHY];
	struct card card = { .kind = CARD_BROKER };
	struct identity id = { 0 };
	struct buf b = { 0 };
	enum tocsin_err err;

	config_path(keys, c, "keys");
	err = identity_open(&id, keys, c->name, why);
	if (err)
		return cmd_fail_at(err, why);
	memcpy(card.federation, c->federation, sizeof(card.federation));
	identity_broker(&card.broker, &id);
	memcpy(card.broker.nation, c->nation, sizeof(card.broker.nation));
	memcpy(card.broker.rpc, c->url, sizeof(card.broker.rpc));
	memcpy(card.broker.relay, c->url, sizeof(card.broker.relay));
	card_print(&b, &card);
	if (buf_ok(&b))
		fwrite(b.p, 1, b.n, stdout);
	else
		err = TOCSIN_EINTERNAL;
	buf_release(&b);
	identity_release(&id);
	return err ? cmd_fail_at(err, "card") : 0;
}

int
cmd_card(const char **opt, int argc, char **argv)
{
	struct config c;
	int status = cmd_config(&c, opt[CONFIG]);

	(void)argc;
	(void)argv;
	if (status)
		return status;
	if (!cmd_become_owner(&c))
		return cmd_fail_at(TOCSIN_EPERMISSIONS, c.state);
	return cmd_print_card(&c);
}
