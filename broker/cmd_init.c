/* SPDX-License-Identifier: ISC */
/*
 * tocsind init: a broker's folder, keys and configuration. What is there
 * already is never replaced.
 */
#include "broker/cmd.h"
#include "broker/file.h"
#include "broker/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FEDERATION, NATION, NAME, LISTEN, URL, STATE, CONFIG };

const struct cmd_option init_options[] = {
	{ "federation", "name", "the federation, such as asean.example" },
	{ "nation", "code", "the nation it serves, such as my" },
	{ "name", "name", "the broker's name; default: the nation's code" },
	{ "listen", "host:port", "where it listens; default: 0.0.0.0:7401" },
	{ "url", "url", "how others dial it; default: from --listen" },
	{ "state", "folder", "of keys, store and sockets; it is made" },
	{ "config", "file", "its configuration; default: in the folder" },
	{ 0 },
};

/* The state folder is used from anywhere, so its path must be absolute. */
static bool
absolute(char out[CONFIG_PATH_MAX + 1], const char *path)
{
	char cwd[CONFIG_PATH_MAX + 1];
	int n;

	if (path[0] == '/')
		n = snprintf(out, CONFIG_PATH_MAX + 1, "%s", path);
	else if (getcwd(cwd, sizeof(cwd)))
		n = snprintf(out, CONFIG_PATH_MAX + 1, "%s/%s", cwd, path);
	else
		return false;
	while (n > 1 && n <= CONFIG_PATH_MAX && out[n - 1] == '/')
		out[--n] = '\0';
	return n <= CONFIG_PATH_MAX;
}

/* An address that one can dial is its own url. */
static enum tocsin_err
url_from_listen(struct config *c, struct config_fault *f)
{
	char url[URL_MAX + 8];

	if (c->listen[0] == ':' || strncmp(c->listen, "0.0.0.0:", 8) == 0 ||
	    strncmp(c->listen, "[::]:", 5) == 0) {
		snprintf(f->text, sizeof(f->text),
		    "%s is no address to dial: give --url tcp://host:port, or "
		    "--url - if nobody can dial it",
		    c->listen);
		return TOCSIN_EUSAGE;
	}
	snprintf(url, sizeof(url), "tcp://%s", c->listen);
	return config_set(c, "broker", "url", url, f);
}

static enum tocsin_err
configure(struct config *c, const char **opt, struct config_fault *f)
{
	static const struct {
		int option;
		const char *key;
	} given[] = { { FEDERATION, "federation" }, { NATION, "nation" },
		{ NAME, "name" }, { LISTEN, "listen" }, { URL, "url" } };
	char state[CONFIG_PATH_MAX + 1];
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	config_defaults(c);
	if (!opt[NAME])
		opt[NAME] = opt[NATION];
	for (i = 0; i < sizeof(given) / sizeof(given[0]) && !err; i++)
		if (opt[given[i].option])
			err = config_set(
			    c, "broker", given[i].key, opt[given[i].option], f);
	if (!err && absolute(state, opt[STATE]))
		err = config_set(c, "broker", "state", state, f);
	if (!err && !opt[URL])
		err = url_from_listen(c, f);
	return err ? err : config_check(c, f);
}

static int
write_config(const struct config *c, const char *file)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	errno = 0;
	config_print(&b, c);
	if (buf_ok(&b))
		err = file_write_new(file, buf_span(&b), 0644);
	buf_release(&b);
	return err ? cmd_fail_at(err, file) : 0;
}

static int
make(const struct config *c, const char *file)
{
	char keys[CONFIG_PATH_MAX + 1], why[IDENTITY_WHY];
	enum tocsin_err err;
	int status;

	config_path(keys, c, "keys");
	if (access(file, F_OK) == 0)
		return cmd_fail(
		    TOCSIN_EDUPLICATE, "%s exists; nothing was changed", file);
	if (access(keys, F_OK) == 0)
		return cmd_fail(
		    TOCSIN_EDUPLICATE, "%s exists; nothing was changed", keys);
	errno = 0;
	err = folder_private(c->state);
	if (err)
		return cmd_fail_at(err, c->state);
	err = identity_create(keys, c->name, why);
	if (err)
		return cmd_fail_at(err, why);
	status = write_config(c, file);
	return status ? status : cmd_print_card(c);
}

int
cmd_init(const char **opt, int argc, char **argv)
{
	char file[CONFIG_PATH_MAX + 1];
	struct config_fault fault;
	struct config c;
	enum tocsin_err err;

	(void)argc;
	(void)argv;
	if (!opt[FEDERATION] || !opt[NATION] || !opt[STATE])
		return cmd_fail(TOCSIN_EUSAGE,
		    "--federation, --nation and --state are needed");
	err = configure(&c, opt, &fault);
	if (err)
		return cmd_fail(TOCSIN_EUSAGE, "%s", fault.text);
	config_path(file, &c, "tocsind.conf");
	return make(&c, opt[CONFIG] ? opt[CONFIG] : file);
}
