/* SPDX-License-Identifier: ISC */
/*
 * tocsind check: what an operator wants to know before something breaks. One
 * line for each finding: `problem:` fails the check, `note:` does not.
 */
#include "broker/admin.h"
#include "broker/clock.h"
#include "broker/cmd.h"
#include "broker/setup.h"
#include "broker/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG };

enum {
	ROSTER_SOON = 14 * 86400, /* before it expires, this is worth a note */
	KEYS_SOON = 7 * 86400,
};

const struct cmd_option check_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ 0 },
};

struct check {
	struct config conf;
	struct setup setup;
	struct identity id;
	bool have_id;
	unsigned problems;
};

static void __attribute__((format(printf, 2, 3)))
problem(struct check *c, const char *fmt, ...)
{
	va_list ap;

	c->problems++;
	printf("problem: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	va_list ap;

	printf("note: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- files ---- */

static void
check_folder(struct check *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		problem(c, "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode) || (st.st_mode & 077) != 0)
		problem(c, "%s: not a folder of mode 0700", path);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		problem(c, "%s: belongs to another user", path);
}

static void
check_config_file(struct check *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 022) != 0)
		problem(c, "%s: others than its owner may write it", path);
}

static void
check_keys(struct check *c)
{
	char keys[CONFIG_PATH_MAX + 1], why[IDENTITY_WHY];
	enum tocsin_err err;

	config_path(keys, &c->conf, "keys");
	check_folder(c, keys);
	errno = 0;
	err = identity_open(&c->id, keys, c->conf.name, why);
	c->have_id = err == TOCSIN_OK;
	if (err)
		problem(c, "%s: %s [%s]", why,
		    errno ? strerror(errno) : tocsin_err_text(err),
		    tocsin_err_name(err));
	if (!secret_can_lock())
		note("memory cannot be locked: keys may be swapped to disk");
}

/* ---- what is believed ---- */

static void
check_expiry(struct check *c, const char *what, int64_t expires, int64_t soon)
{
	char text[TIME_TEXT + 1];
	int64_t left = expires - clock_now();

	time_print(text, expires);
	if (left <= 0)
		problem(c, "%s has expired on %s", what, text);
	else if (left < soon)
		note("%s expires on %s", what, text);
}

static void
check_listed(struct check *c, const struct roster *r)
{
	const struct roster_broker *b = roster_broker(r, span_of(c->conf.name));

	if (!b) {
		problem(c, "roster %" PRIu64 " does not list the broker %s",
		    r->serial, c->conf.name);
		return;
	}
	if (strcmp(b->nation, c->conf.nation) != 0)
		problem(c, "the roster has it in the nation %s, not %s",
		    b->nation, c->conf.nation);
	if (c->have_id && !identity_is(&c->id, b))
		problem(c, "the keys are not those that the roster lists");
	if (strcmp(b->rpc, c->conf.url) != 0)
		note("the roster has it at %s, the configuration at %s", b->rpc,
		    c->conf.url);
}

/* A misspelt name would be a limit that nobody keeps to. */
static void
check_peers(const struct check *c, const struct roster *r)
{
	size_t i;

	for (i = 0; i < c->conf.npeer; i++)
		if (!roster_broker(r, span_of(c->conf.peer[i].name)))
			note("[peer %s]: roster %" PRIu64
			     " lists no broker of that name",
			    c->conf.peer[i].name, r->serial);
}

static bool
dialled(const struct roster_broker *b)
{
	return strcmp(b->rpc, "-") != 0 && strcmp(b->relay, "-") != 0;
}

/* A broker that nobody can dial dials the others, which must have addresses. */
static void
check_reach(struct check *c, const struct roster *r)
{
	const struct roster_broker *us =
	    roster_broker(r, span_of(c->conf.name));
	size_t i;

	for (i = 0; us && !dialled(us) && i < r->nbroker; i++)
		if (&r->broker[i] != us && !dialled(&r->broker[i]))
			problem(c,
			    "%s and this broker cannot reach one another: "
			    "the roster has no address of either; give one "
			    "of them an address that can be dialled",
			    r->broker[i].name);
}

static void
check_announcements(struct check *c, struct trust *t)
{
	const struct roster *r = trust_roster(t);
	char what[MEMBER_MAX + 32];
	size_t i;

	for (i = 0; i < r->nmember; i++) {
		struct span name = span_of(r->member[i].name);
		const struct keys *k = trust_keys(t, name);

		if (r->member[i].suspended ||
		    !span_is(member_nation(name), c->conf.nation))
			continue;
		snprintf(what, sizeof(what), "the announcement of %s",
		    r->member[i].name);
		if (k)
			check_expiry(c, what, k->expires, KEYS_SOON);
		else
			note("%s has announced no keys yet", r->member[i].name);
	}
}

/* ---- the store ---- */

static void
check_trust(struct check *c, struct store *s)
{
	struct store_rx *rx = NULL;
	struct trust *t = NULL;
	enum tocsin_err err = store_read(s, &rx);

	if (!err) {
		err = trust_load(&t, rx);
		store_read_end(rx);
	}
	if (err == TOCSIN_EROSTERUNKNOWN) {
		note("no roster is installed yet");
	} else if (err) {
		problem(
		    c, "the rosters cannot be read [%s]", tocsin_err_name(err));
	} else {
		check_listed(c, trust_roster(t));
		check_reach(c, trust_roster(t));
		check_expiry(
		    c, "the roster", trust_roster(t)->expires, ROSTER_SOON);
		check_peers(c, trust_roster(t));
		check_announcements(c, t);
	}
	trust_put(t);
}

/* The one that has the store should be a broker that answers. */
static void
check_running(struct check *c)
{
	struct buf answer = { 0 };
	uint64_t serial;
	enum tocsin_err err =
	    admin_ask(c->setup.admin, "roster", (struct span){ 0 }, &answer);

	if (err == TOCSIN_EUNAVAILABLE)
		problem(c,
		    "%s: another process has it open, and no broker "
		    "answers at %s",
		    c->setup.store, c->setup.admin);
	else if (err || !num_parse(buf_span(&answer), &serial))
		problem(c, "the broker runs and does not answer [%s]",
		    tocsin_err_name(err ? err : TOCSIN_EMALFORMED));
	else if (serial == 0)
		note("the broker runs and waits for its first roster");
	else
		note("the broker runs, with roster %" PRIu64
		     ": see tocsind verify for its store",
		    serial);
	buf_release(&answer);
}

static void
check_store(struct check *c)
{
	struct store *s = NULL;
	const char *why = NULL;
	struct store_walked walked;
	enum tocsin_err err;

	if (access(c->setup.store, F_OK) != 0) {
		note("there is no store yet");
		return;
	}
	err = store_open(&s, c->setup.store, &c->setup.broker.store, &why);
	if (err == TOCSIN_EBUSY) {
		check_running(c);
		return;
	}
	if (err) {
		problem(c, "%s: %s [%s]", c->setup.store,
		    why ? why : tocsin_err_text(err), tocsin_err_name(err));
		return;
	}
	check_trust(c, s);
	store_close(s);
	c->problems += verify_store(c->setup.store, &walked);
}

static int
check(struct check *c, const char *file)
{
	if (!cmd_become_owner(&c->conf))
		note("looked at as root, not as the user whose %s is: %s",
		    c->conf.state, strerror(errno));
	check_config_file(c, file ? file : CONFIG_DEFAULT_FILE);
	check_folder(c, c->conf.state);
	check_keys(c);
	check_store(c);
	identity_release(&c->id);
	if (c->problems == 0)
		printf("%s: no problem found\n", c->conf.name);
	return c->problems > 0;
}

int
cmd_check(const char **opt, int argc, char **argv)
{
	struct check *c = calloc(1, sizeof(*c));
	int status;

	(void)argc;
	(void)argv;
	if (!c)
		return cmd_fail(TOCSIN_EINTERNAL, "out of memory");
	status = cmd_config(&c->conf, opt[CONFIG]);
	if (status == 0) {
		setup_init(&c->setup, &c->conf);
		status = check(c, opt[CONFIG]);
	}
	free(c);
	return status;
}
