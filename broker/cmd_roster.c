/* SPDX-License-Identifier: ISC */
/*
 * tocsind roster install: a broker that runs is asked to take the rosters; one
 * that doesn't has its store opened here. Each is judged as if a peer had sent
 * it. The first one of all cannot be judged by another: a person compares its
 * fingerprint.
 */
#include "broker/admin.h"
#include "broker/clock.h"
#include "broker/cmd.h"
#include "broker/file.h"
#include "broker/intake.h"
#include "broker/setup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG, FINGERPRINT };

const struct cmd_option roster_install_options[] = {
	{ "config", "file", "default: " CONFIG_DEFAULT_FILE },
	{ "fingerprint", "digits", "of the first roster, as others told it" },
	{ 0 },
};

/* Where rosters go. */
struct target {
	struct config conf;
	struct setup setup;
	bool running;
	struct store *store; /* if not */
	struct broker *idle; /* once there is a first roster */
	uint64_t serial;     /* the newest installed; 0: none */
};

/* A roster that was read, and its file's bytes. */
struct sheet {
	const char *path;
	struct buf file;
	struct roster *r;
};

/* ---- the target ---- */

static enum tocsin_err
open_idle(struct target *t)
{
	enum tocsin_err err = idle_open(&t->idle, &t->setup, t->store);
	struct trust *trust;

	if (err)
		return err == TOCSIN_EROSTERUNKNOWN ? TOCSIN_OK : err;
	trust = trust_get(t->idle->trust);
	t->serial = trust_roster(trust)->serial;
	trust_put(trust);
	return TOCSIN_OK;
}

static int
target_open(struct target *t)
{
	struct buf answer = { 0 };
	const char *why = NULL;
	enum tocsin_err err;

	err = admin_ask(t->setup.admin, "roster", (struct span){ 0 }, &answer);
	t->running = err != TOCSIN_EUNAVAILABLE;
	if (err == TOCSIN_OK && !num_parse(buf_span(&answer), &t->serial))
		err = TOCSIN_EMALFORMED;
	buf_release(&answer);
	if (t->running)
		return err ? cmd_fail_at(err, t->setup.admin) : 0;
	err =
	    store_open(&t->store, t->setup.store, &t->setup.broker.store, &why);
	if (err)
		return cmd_fail(err, "%s: %s", t->setup.store,
		    why ? why : tocsin_err_text(err));
	err = open_idle(t);
	return err ? cmd_fail(err, "%s: the rosters in it cannot be read",
			 t->setup.store)
		   : 0;
}

static void
target_close(struct target *t)
{
	idle_close(t->idle);
	store_close(t->store);
	if (t->store)
		folder_give(t->setup.store, t->conf.state);
}

static enum tocsin_err
install_here(struct target *t, struct span file)
{
	enum tocsin_err err;

	if (t->idle)
		return intake_install(t->idle, STORE_ROSTER, file);
	err = trust_install_genesis(t->store, file, clock_now());
	return err ? err : open_idle(t);
}

static enum tocsin_err
install(struct target *t, struct span file)
{
	struct buf answer = { 0 };
	enum tocsin_err err;

	if (!t->running)
		return install_here(t, file);
	err = admin_ask(t->setup.admin, "install", file, &answer);
	buf_release(&answer);
	return err;
}

/* ---- the rosters ---- */

static int
sheet_read(struct sheet *s, const char *path, const struct config *c)
{
	enum tocsin_err err;

	s->path = path;
	errno = 0;
	err = file_read(path, ROSTER_FILE_MAX, &s->file);
	if (!err) {
		errno = 0;
		err = roster_parse(&s->r, buf_span(&s->file));
	}
	if (err)
		return cmd_fail_at(err, path);
	if (strcmp(s->r->federation, c->federation) != 0)
		return cmd_fail(TOCSIN_EROSTERUNKNOWN,
		    "%s: a roster of %s, and this broker is of %s", path,
		    s->r->federation, c->federation);
	return 0;
}

/* What a person typed, or gave as an option. */
static int
confirm_fingerprint(const struct sheet *s, const char *given)
{
	char print[ROSTER_FINGERPRINT + 1], typed[256];

	roster_fingerprint(print, s->r);
	printf("The first roster of %s has the fingerprint\n\n    %s\n\n",
	    s->r->federation, print);
	fflush(stdout);
	if (!given && isatty(STDIN_FILENO)) {
		printf("Compare it with what an authority tells you in person "
		       "or by telephone,\nand type what you were told: ");
		fflush(stdout);
		given = fgets(typed, sizeof(typed), stdin);
		if (given)
			typed[strcspn(typed, "\n")] = '\0';
	}
	if (!given)
		return cmd_fail(TOCSIN_EUSAGE,
		    "%s: give --fingerprint with the digits that an authority "
		    "told you",
		    s->path);
	if (!roster_fingerprint_is(s->r, span_of(given)))
		return cmd_fail(TOCSIN_EBADSIGNATURE,
		    "%s: that is another fingerprint; nothing was installed",
		    s->path);
	return 0;
}

static void
say_installed(const struct target *t, const struct roster *r)
{
	char expires[TIME_TEXT + 1];

	time_print(expires, r->expires);
	printf("roster %" PRIu64 " installed; brokers %zu, members %zu, "
	       "until %s\n",
	    r->serial, r->nbroker, r->nmember, expires);
	if (roster_expired(r, clock_now()))
		printf("note: it has expired; a newer one is needed to send\n");
	if (!roster_broker(r, span_of(t->conf.name)))
		printf(
		    "note: it does not list this broker, %s\n", t->conf.name);
}

static int
refused(const struct target *t, const struct sheet *s, enum tocsin_err err)
{
	if (err == TOCSIN_EROSTERUNKNOWN && t->serial > 0)
		return cmd_fail(err,
		    "%s: roster %" PRIu64 " does not follow the installed "
		    "one, %" PRIu64 "; those between are missing",
		    s->path, s->r->serial, t->serial);
	if (err == TOCSIN_EROSTERUNKNOWN)
		return cmd_fail(err,
		    "%s: roster %" PRIu64 " is not the first of the "
		    "federation; install them from the first on",
		    s->path, s->r->serial);
	return cmd_fail(err, "%s: roster %" PRIu64 ": %s", s->path,
	    s->r->serial, tocsin_err_text(err));
}

static int
take(struct target *t, struct sheet *s, const char *fingerprint)
{
	enum tocsin_err err;
	int status;

	if (t->serial == 0 && s->r->serial == 1) {
		/* Wrongly signed: nothing for a person to look at. */
		err = roster_accept(NULL, s->r, clock_now());
		if (err)
			return refused(t, s, err);
		status = confirm_fingerprint(s, fingerprint);
		if (status)
			return status;
	}
	err = t->serial == 0 && s->r->serial != 1
		  ? TOCSIN_EROSTERUNKNOWN
		  : install(t, buf_span(&s->file));
	if (err == TOCSIN_EDUPLICATE) {
		printf(
		    "roster %" PRIu64 " was installed already\n", s->r->serial);
		return 0;
	}
	if (err)
		return refused(t, s, err);
	t->serial = s->r->serial;
	say_installed(t, s->r);
	return 0;
}

static int
take_all(struct target *t, int n, char **paths, const char *fingerprint)
{
	int i, status = target_open(t);

	for (i = 0; i < n && status == 0; i++) {
		struct sheet s = { 0 };

		status = sheet_read(&s, paths[i], &t->conf);
		if (status == 0)
			status = take(t, &s, fingerprint);
		roster_free(s.r);
		buf_release(&s.file);
	}
	target_close(t);
	return status;
}

int
cmd_roster_install(const char **opt, int argc, char **argv)
{
	struct target *t = calloc(1, sizeof(*t));
	int status;

	if (!t)
		return cmd_fail(TOCSIN_EINTERNAL, "out of memory");
	status = cmd_config(&t->conf, opt[CONFIG]);
	if (status == 0) {
		setup_init(&t->setup, &t->conf);
		status = take_all(t, argc, argv, opt[FINGERPRINT]);
	}
	free(t);
	return status;
}
