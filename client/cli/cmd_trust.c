/* SPDX-License-Identifier: ISC */
#include "client/belief.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct trusting {
	struct cli *c;
	const char *fingerprint; /* as an option; NULL: ask */
	struct keystore config;
	struct desk *desk;
	struct belief belief;
};

static int
wrong_fingerprint(const char *path)
{
	return cli_fail(TOCSIN_EBADSIGNATURE,
	    "%s has another fingerprint than the one that was given; it is "
	    "not the roster that you were told of, do not trust it",
	    path);
}

/* A person was told it by telephone, and types it. */
static int
compare(struct trusting *w, const struct roster *r, const char *path)
{
	char shown[ROSTER_FINGERPRINT + 1], typed[256];

	if (w->fingerprint != NULL)
		return roster_fingerprint_is(r, span_of(w->fingerprint))
			   ? 0
			   : wrong_fingerprint(path);
	roster_fingerprint(shown, r);
	fprintf(stderr,
	    "The first roster of %s, serial %llu, has the fingerprint\n\n"
	    "    %.35s\n    %s\n\n"
	    "Ask somebody whom you know, by telephone, and type what they "
	    "read to you:\n",
	    r->federation, (unsigned long long)r->serial, shown, shown + 36);
	if (fgets(typed, sizeof(typed), stdin) == NULL)
		return cli_usage(
		    "no fingerprint was given; nothing is trusted");
	typed[strcspn(typed, "\r\n")] = '\0';
	return roster_fingerprint_is(r, span_of(typed))
		   ? 0
		   : wrong_fingerprint(path);
}

static int
refused(const struct roster *r, const char *path, enum tocsin_err err)
{
	unsigned long long serial = (unsigned long long)r->serial;

	switch (err) {
	case TOCSIN_EROSTERUNKNOWN:
		return cli_fail(err,
		    "%s: roster %llu of %s does not follow the newest one "
		    "here; the rosters between are needed first",
		    path, serial, r->federation);
	case TOCSIN_EBADSIGNATURE:
		return cli_fail(err,
		    "%s: too few authorities signed roster %llu, or a "
		    "signature fails; do not trust it",
		    path, serial);
	case TOCSIN_ECHAINCONFLICT:
		return cli_fail(err,
		    "%s: another roster %llu is trusted here, and authorities "
		    "signed both: keep the file, tell them",
		    path, serial);
	default:
		return cli_fail(err, "%s: %s", path, tocsin_err_text(err));
	}
}

static enum tocsin_err
take(struct trusting *w, struct span note, bool genesis)
{
	struct desk_tx *tx;
	enum tocsin_err err = desk_write(w->desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = belief_take_roster(&w->belief, tx, note, genesis, cli_now());
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	err = desk_commit(tx);
	if (err == TOCSIN_OK)
		err = desk_read(w->desk, &tx);
	if (err == TOCSIN_OK) {
		err = belief_load(&w->belief, tx);
		desk_end(tx);
	}
	return err;
}

/* So that all commands warn from now on, and the text is not lost. */
static void
keep_evidence(struct trusting *w, struct span note)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = desk_write(w->desk, &tx);

	if (err == TOCSIN_OK)
		err = belief_keep_conflict(tx, note);
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		tx = NULL;
	}
	desk_end(tx);
	if (err != TOCSIN_OK)
		cli_note("it could not be kept as evidence: %s",
		    tocsin_err_text(err));
}

static void
report(const struct cli *c, const struct roster *r, bool known)
{
	char id[ID_TEXT + 1], expires[TIME_TEXT + 1];

	id_print(id, r->id);
	time_print(expires, r->expires);
	if (c->json)
		print_json(json_pack("{s:s, s:I, s:s, s:s, s:b}", "federation",
		    r->federation, "serial", (json_int_t)r->serial, "id", id,
		    "expires", expires, "new", !known));
	else
		printf("roster %llu of %s is trusted%s; it expires %s\n",
		    (unsigned long long)r->serial, r->federation,
		    known ? " already" : "", expires);
	if (roster_expired(r, cli_now()))
		cli_note("roster %llu has expired: tickets can be read, not "
			 "sent",
		    (unsigned long long)r->serial);
}

static int
trust_one(struct trusting *w, const char *path)
{
	struct buf b = { 0 };
	struct roster *r = NULL;
	enum tocsin_err err;
	bool genesis = w->belief.roster == NULL;
	int status = cli_read(path, ROSTER_FILE_MAX, &b);

	if (status != 0)
		goto out;
	err = roster_parse(&r, buf_span(&b));
	if (err != TOCSIN_OK) {
		status = cli_fail(
		    err, "%s is no roster: %s", path, tocsin_err_text(err));
		goto out;
	}
	if (strcmp(r->federation, w->config.federation) != 0) {
		status = cli_fail(TOCSIN_EROSTERUNKNOWN,
		    "%s is of %s; this home is of %s", path, r->federation,
		    w->config.federation);
		goto out;
	}
	if (genesis && r->serial != 1) {
		status = cli_fail(TOCSIN_EROSTERUNKNOWN,
		    "%s is roster %llu; trust begins with roster 1, and the "
		    "later ones are given after it, in order",
		    path, (unsigned long long)r->serial);
		goto out;
	}
	if (genesis)
		status = compare(w, r, path);
	if (status != 0)
		goto out;
	err = take(w, buf_span(&b), genesis);
	if (err == TOCSIN_ECHAINCONFLICT)
		keep_evidence(w, buf_span(&b));
	if (err == TOCSIN_OK || err == TOCSIN_EDUPLICATE)
		report(w->c, r, err == TOCSIN_EDUPLICATE);
	else
		status = refused(r, path, err);
out:
	roster_free(r);
	buf_release(&b);
	return status;
}

int
cmd_trust(struct cli *c, int argc, char **argv)
{
	struct trusting w = { .c = c };
	const struct opt opts[] = {
		{ "--fingerprint", OPT_WORD, &w.fingerprint },
		{ NULL, OPT_FLAG, NULL },
	};
	size_t i;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, SIZE_MAX))
		return 2;
	status = cli_desk(c, &w.config, &w.desk, &w.belief);
	for (i = 0; status == 0 && i < c->nword; i++)
		status = trust_one(&w, c->words[i]);
	belief_release(&w.belief);
	desk_close(w.desk);
	return status;
}
