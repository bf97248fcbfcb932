/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"

#include <jansson.h>
#include <string.h>

static int
authority_new(struct cli *c, int argc, char **argv)
{
	bool ask = false, without = false;
	const char *name = NULL, *pass;
	const struct opt opts[] = {
		{ "--name", OPT_WORD, &name },
		{ "--passphrase", OPT_FLAG, &ask },
		{ "--no-passphrase", OPT_FLAG, &without },
		{ NULL, OPT_FLAG, NULL },
	};
	struct buf b = { 0 };
	struct vkey key;
	enum tocsin_err err;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (name == NULL || !name_authority(span_of(name)))
		return cli_usage("--name needs a name of letters, digits, '.', "
				 "'_' and '-'");
	if (ask && without)
		return cli_usage("--passphrase or --no-passphrase?");
	status = cli_new_passphrase(c, c->words[0], without, &pass);
	if (status != 0)
		return status;
	err = authority_create(c->words[0], name, pass, &key);
	if (err == TOCSIN_EDUPLICATE)
		return cli_usage(
		    "%s is there already; it is not replaced", c->words[0]);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s: it cannot be written: %s",
		    c->words[0], file_text(err));
	vkey_print(&b, &key);
	buf_u8(&b, '\0');
	if (!buf_ok(&b))
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	if (c->json)
		print_json(json_pack("{s:s, s:s, s:s}", "file", c->words[0],
		    "name", name, "vkey", (const char *)b.p));
	else
		printf("%s\n", (const char *)b.p);
	buf_release(&b);
	return 0;
}

int
cmd_authority(struct cli *c, int argc, char **argv)
{
	static const struct sub subs[] = {
		{ "new", authority_new },
		{ NULL, NULL },
	};

	return cli_sub(c, argc, argv, subs);
}
