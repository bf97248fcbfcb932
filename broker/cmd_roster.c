/* SPDX-License-Identifier: ISC */
/* tocsind roster install, tocsind status, tocsind check. */
#include "broker/admin.h"
#include "broker/cmd.h"
#include "broker/file.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONFIG, FINGERPRINT };

const struct cmd_option roster_install_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ "fingerprint", "digits", "of the first roster, 60 digits" },
	{ 0 },
};

const struct cmd_option status_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ "json", NULL, "one JSON object on one line" },
	{ 0 },
};

const struct cmd_option check_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

/* ---- installing ---- */

struct install {
	struct setup setup;
	struct broker *broker; /* ours for the moment, if none runs */
	const char *fingerprint;
};

static int
read_roster(const char *path, struct buf *file, struct roster **r)
{
	enum tocsin_err err;

	errno = 0;
	err = file_read(path, ROSTER_FILE_MAX, file);
	if (err)
		return cmd_fail_at(err, path);
	err = roster_parse(r, buf_span(file));
	if (err)
		return cmd_fail(
		    err, "%s is no roster: %s", path, tocsin_err_text(err));
	return 0;
}

/* The one thing that people compare; everything later follows from it. */
static int
compare(struct install *in, const struct roster *r, const char *path)
{
	char shown[ROSTER_FINGERPRINT + 1], line[256];

	roster_fingerprint(shown, r);
	fprintf(stderr, "%s is the first roster; its fingerprint:\n  %s\n",
	    path, shown);
	if (!in->fingerprint) {
		if (!isatty(STDIN_FILENO))
			return cmd_fail(TOCSIN_EUSAGE,
			    "give --fingerprint with the 60 digits that an "
			    "authority reads to you");
		fprintf(stderr, "type the digits that an authority reads: ");
		if (!fgets(line, sizeof(line), stdin))
			line[0] = '\0';
		line[strcspn(line, "\n")] = '\0';
		in->fingerprint = line;
		if (roster_fingerprint_is(r, span_of(line)))
			return 0;
	} else if (roster_fingerprint_is(r, span_of(in->fingerprint))) {
		return 0;
	}
	return cmd_fail(TOCSIN_EBADSIGNATURE,
	    "the fingerprint is another one: do not trust %s", path);
}

static enum tocsin_err
install_genesis(struct install *in, struct span file)
{
	struct store *s = NULL;
	const char *why = NULL;
	enum tocsin_err err;

	err = store_open(&s, in->setup.store, &in->setup.broker.store, &why);
	if (err) {
		fprintf(stderr, "tocsind: %s\n", why ? why : "the store");
		return err;
	}
	err = trust_install_genesis(s, file, time(NULL));
	store_close(s);
	return err;
}

/* A broker without a door: the same judge as when it runs. */
static enum tocsin_err
wake_broker(struct install *in)
{
	const char *why = NULL;
	enum tocsin_err err = TOCSIN_OK;

	if (in->broker)
		return TOCSIN_OK;
	log_open(STDERR_FILENO, LOG_ERROR);
	err = folder_private(in->setup.sockets);
	if (!err)
		err = broker_start(&in->broker, &in->setup.broker, &why);
	if (err && why)
		fprintf(stderr, "tocsind: %s\n", why);
	return err;
}

static bool
has_genesis(struct install *in)
{
	struct store *s = NULL;
	struct store_rx *rx = NULL;
	struct span v;
	bool has = false;

	if (store_open(&s, in->setup.store, &in->setup.broker.store, NULL) !=
	    TOCSIN_OK)
		return false;
	if (store_read(s, &rx) == TOCSIN_OK)
		has = store_value_get(rx, span_of("genesis"), &v) == TOCSIN_OK;
	store_read_end(rx);
	store_close(s);
	return has;
}

static int
install_stopped(struct install *in, const struct roster *r, struct span file,
    const char *path, enum tocsin_err *err)
{
	int rc;

	if (!in->broker && !has_genesis(in)) {
		rc = compare(in, r, path);
		if (rc)
			return rc;
		*err = install_genesis(in, file);
		return 0;
	}
	*err = wake_broker(in);
	if (!*err)
		*err = intake_install(in->broker, STORE_ROSTER, file);
	return 0;
}

static int
install(struct install *in, const char *path)
{
	struct buf file = { 0 }, answer = { 0 };
	struct roster *r = NULL;
	enum tocsin_err err = TOCSIN_OK;
	int rc;

	rc = read_roster(path, &file, &r);
	if (!rc) {
		err = admin_ask(
		    in->setup.admin, "install", buf_span(&file), &answer);
		if (err == TOCSIN_EUNAVAILABLE)
			rc =
			    install_stopped(in, r, buf_span(&file), path, &err);
	}
	if (!rc && err == TOCSIN_EDUPLICATE)
		printf("%s: roster %llu is installed already\n", path,
		    (unsigned long long)r->serial);
	else if (!rc && err)
		rc = cmd_fail(err, "%s: roster %llu is not accepted: %s", path,
		    (unsigned long long)r->serial, tocsin_err_text(err));
	else if (!rc)
		printf("%s: roster %llu of %s is installed\n", path,
		    (unsigned long long)r->serial, r->federation);
	roster_free(r);
	buf_release(&file);
	buf_release(&answer);
	return rc;
}

int
cmd_roster_install(const char **opt, int argc, char **argv)
{
	static struct install in;
	int rc, i;

	in.fingerprint = opt[FINGERPRINT];
	rc = setup_open(&in.setup, opt[CONFIG]);
	for (i = 0; !rc && i < argc; i++)
		rc = install(&in, argv[i]);
	if (in.broker) {
		broker_halt(in.broker);
		fflush(stdout);
		_exit(rc); /* nng may hang when it is closed */
	}
	setup_release(&in.setup);
	return rc;
}

/* ---- looking ---- */

int
cmd_status(const char **opt, int argc, char **argv)
{
	struct config c;
	struct buf answer = { 0 };
	char path[CONFIG_PATH_MAX + 1];
	enum tocsin_err err;
	int rc = cmd_config(&c, opt[CONFIG]);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	config_path(path, &c, "admin.sock");
	err = admin_ask(path, "status", (struct span){ 0 }, &answer);
	if (err)
		rc = cmd_fail(
		    err, "%s does not run, or not as this user", c.name);
	else
		fwrite(answer.p, 1, answer.n, stdout);
	buf_release(&answer);
	return rc;
}

static void
show_finding(void *arg, uint64_t seq, const char *what)
{
	++*(int *)arg;
	if (seq > 0)
		printf("entry %llu: ", (unsigned long long)seq);
	printf("%s\n", what);
}

static int
check_store(struct setup *s)
{
	struct store *store = NULL;
	const char *why = NULL;
	int found = 0;
	enum tocsin_err err;

	if (access(s->store, F_OK) != 0) {
		printf("store: none yet; `tocsind roster install` makes it\n");
		return 0;
	}
	err = store_open(&store, s->store, &s->broker.store, &why);
	if (err == TOCSIN_EBUSY) {
		printf("store: in use by a running broker, not looked at\n");
		return 0;
	}
	if (err)
		return cmd_fail(err, "%s", why ? why : s->store);
	err = store_verify(store, show_finding, &found);
	store_close(store);
	if (err)
		return cmd_fail(err, "the store has %d faults", found);
	printf("store: every entry, index and proof is right\n");
	return 0;
}

int
cmd_check(const char **opt, int argc, char **argv)
{
	struct setup s;
	int rc = setup_open(&s, opt[CONFIG]);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	printf("configuration and keys: in order\n");
	rc = check_store(&s);
	setup_release(&s);
	return rc;
}
