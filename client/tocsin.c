/* SPDX-License-Identifier: ISC */
#include "client/coming.h"
#include "client/handle.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCHES 8 /* ids that are named when several fit */

static _Thread_local char sentence[1024];

enum tocsin_err
fail(enum tocsin_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return err;
}

const char *
tocsin_error(const struct tocsin *t)
{
	(void)t;
	return sentence;
}

enum tocsin_err
begin_read(struct tocsin *t, struct desk_tx **tx)
{
	enum tocsin_err err = desk_read(t->parts.desk, tx);

	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

static enum tocsin_err
open_desk(struct tocsin *t, const char *home)
{
	char path[640];
	enum tocsin_err err;

	keystore_path(path, home, "desk");
	err = desk_open(&t->parts.desk, path);
	if (err != TOCSIN_OK)
		return fail(err, "%s: the desk does not open: %s", path,
		    tocsin_err_text(err));
	return TOCSIN_OK;
}

static enum tocsin_err
load_belief(struct tocsin *t)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = desk_read(t->parts.desk, &tx);

	if (err == TOCSIN_OK)
		err = belief_load(&t->belief, tx);
	desk_end(tx);
	return err;
}

static enum tocsin_err
open_keys(struct tocsin *t, const char *home, const char *passphrase)
{
	enum tocsin_err err = keystore_open(home, passphrase, &t->parts.keys);
	const char *file;

	if (err == TOCSIN_OK)
		return err;
	if (err == TOCSIN_EPASSPHRASE)
		return fail(err, "%s: %s", home, tocsin_err_text(err));
	file = keystore_faulty(home, passphrase);
	if (err != TOCSIN_ENOTFOUND)
		return fail(err, "%s/%s: %s", home, file, tocsin_err_text(err));
	if (strcmp(file, "config") == 0)
		return fail(
		    err, "%s is no home; make one with `tocsin init`", home);
	return fail(err,
	    "%s/%s is missing: bring it back from a backup, or make a new "
	    "device with `tocsin init --join` in another home",
	    home, file);
}

/* A table that is wrong keeps nobody from answering a ticket; it is told. */
static void
load_clocks(struct tocsin *t, const char *home)
{
	struct due_fault f = { 0, "" };
	char file[600];

	if (due_load(&t->clocks, home, &f, file) != TOCSIN_OK)
		snprintf(t->clocks_wrong, sizeof(t->clocks_wrong),
		    "%s, line %u: %s", file, f.line, f.what);
}

static void
speak(void *arg)
{
	confirm_recalls(arg);
}

enum tocsin_err
tocsin_open(struct tocsin **out, const char *home, const char *passphrase)
{
	struct tocsin *t;
	char path[512];
	enum tocsin_err err;

	if (sodium_init() < 0 || (t = calloc(1, sizeof(*t))) == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	pthread_mutex_init(&t->lock, NULL);
	t->parts.lock = &t->lock;
	t->parts.belief = &t->belief;
	err = keystore_home(path, home);
	if (err != TOCSIN_OK)
		fail(err, "no home: set TOCSIN_HOME or HOME");
	if (err == TOCSIN_OK)
		err = open_keys(t, path, passphrase);
	if (err == TOCSIN_OK)
		err = open_desk(t, path);
	if (err == TOCSIN_OK) {
		err = load_belief(t);
		if (err != TOCSIN_OK)
			fail(err, "the desk's roster does not load: %s",
			    tocsin_err_text(err));
	}
	if (err == TOCSIN_OK)
		load_clocks(t, path);
	t->parts.speak = speak;
	t->parts.arg = t;
	if (err == TOCSIN_OK && t->belief.roster != NULL) {
		err = sync_start(&t->sync, &t->parts);
		if (err != TOCSIN_OK)
			fail(err, "%s: no link can be made: %s",
			    t->parts.keys->broker, tocsin_err_text(err));
	}
	if (err != TOCSIN_OK)
		tocsin_close(t);
	else
		*out = t;
	return err;
}

void
tocsin_close(struct tocsin *t)
{
	if (t == NULL)
		return;
	sync_stop(t->sync);
	belief_release(&t->belief);
	desk_close(t->parts.desk);
	keystore_close(t->parts.keys);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const char *
tocsin_device(const struct tocsin *t)
{
	return t->parts.keys->device;
}

enum tocsin_err
tocsin_sync(struct tocsin *t, int timeout_ms)
{
	enum tocsin_err err;

	if (t->sync == NULL)
		return fail(TOCSIN_EROSTERUNKNOWN,
		    "there is no roster yet; `tocsin trust` takes the first");
	err = sync_wait(t->sync, timeout_ms);
	if (err != TOCSIN_OK)
		return fail(
		    err, "%s: %s", t->parts.keys->broker, tocsin_err_text(err));
	return TOCSIN_OK;
}

static enum tocsin_err
ambiguous(uint8_t (*ids)[ID_LEN], size_t n, const char *typed)
{
	char list[512] = "", name[SHORTID_TEXT + 1];
	size_t i, shown = n < MATCHES ? n : MATCHES;

	for (i = 0; i < shown; i++) {
		shortid_print(name, ids[i]);
		strncat(list, " ", sizeof(list) - strlen(list) - 1);
		strncat(list, name, sizeof(list) - strlen(list) - 1);
	}
	return fail(TOCSIN_EAMBIGUOUS, "%s fits more than one:%s%s", typed,
	    list, n > shown ? " ..." : "");
}

enum tocsin_err
find_id(struct desk_tx *tx, const char *typed, uint8_t id[ID_LEN])
{
	uint8_t ids[MATCHES][ID_LEN];
	struct id_prefix p;
	enum tocsin_err err;
	size_t n;

	if (id_parse(span_of(typed), id))
		return TOCSIN_OK;
	if (shortid_parse(&p, span_of(typed)) != TOCSIN_OK)
		return fail(TOCSIN_EUSAGE,
		    "%s is no id: give at least %d characters of one, like "
		    "7k2m-9xq4-t0af",
		    typed, SHORTID_MIN);
	err = desk_match(tx, &p, ids, MATCHES, &n);
	if (err == TOCSIN_OK)
		err = coming_match(tx, &p, ids, MATCHES, &n);
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	if (n == 0)
		return fail(TOCSIN_ENOTFOUND,
		    "no message here has an id that begins with %s", typed);
	if (n > 1)
		return ambiguous(ids, n, typed);
	memcpy(id, ids[0], ID_LEN);
	return TOCSIN_OK;
}

enum tocsin_err
find_message(
    struct tocsin *t, struct desk_tx *tx, const char *typed, uint64_t *number)
{
	uint8_t id[ID_LEN];
	enum tocsin_err err = find_id(tx, typed, id);
	struct coming c;

	(void)t;
	if (err != TOCSIN_OK)
		return err;
	err = desk_find(tx, id, number);
	if (err == TOCSIN_ENOTFOUND)
		err = desk_thread_next(tx, id, 0, number);
	if (err == TOCSIN_ENOTFOUND && coming_find(tx, id, &c) == TOCSIN_OK)
		return fail(err,
		    "only the header of %s is here, its body is still to come; "
		    "`tocsin show %s` tells how much of it is",
		    typed, typed);
	if (err == TOCSIN_ENOTFOUND)
		return fail(err, "no message here has the id %s", typed);
	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}
