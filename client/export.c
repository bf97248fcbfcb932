/* SPDX-License-Identifier: ISC */
#include "client/export.h"

#include "client/handle.h"
#include "client/incident.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct exporting {
	struct tocsin *t;
	struct opened *o;
	struct buf keys, roster; /* copies: a belief may change meanwhile */
	const char *dir;
};

/* What an earlier try wrote. */
static bool
holds(const char *path, struct span bytes)
{
	struct buf b = { 0 };
	bool same = file_read(path, bytes.n, &b) == TOCSIN_OK &&
		    span_eq(buf_span(&b), bytes);

	buf_release(&b);
	return same;
}

enum tocsin_err
export_file(const char *dir, const char *name, struct span bytes)
{
	char path[1024];
	enum tocsin_err err;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return fail(TOCSIN_EUSAGE, "%s is too long", dir);
	err = file_write(path, bytes, false);
	if (err == TOCSIN_EDUPLICATE && holds(path, bytes))
		err = TOCSIN_OK;
	if (err == TOCSIN_EDUPLICATE)
		return fail(TOCSIN_EUSAGE,
		    "%s is there already; it is not replaced", path);
	if (err != TOCSIN_OK)
		return fail(err, "%s: %s", path, file_text(err));
	return TOCSIN_OK;
}

static enum tocsin_err
put(const struct exporting *x, const char *name, struct span bytes)
{
	if (bytes.n == 0) /* not known here */
		return TOCSIN_OK;
	return export_file(x->dir, name, bytes);
}

/* All that can be there is written, whatever else is missing. */
static enum tocsin_err
put_parts(const struct exporting *x)
{
	enum tocsin_err worst = TOCSIN_OK, err;
	struct incident in = { 0 };
	char path[1024];
	size_t i;

	if (x->o->contents.json.n == 0)
		return TOCSIN_OK; /* not opened: the note and body must do */
	err = incident_parse(&in, x->o->contents.json);
	if (err != TOCSIN_OK)
		return fail(err, "its content is not readable");
	for (i = 0; i < in.nattachment; i++) {
		snprintf(path, sizeof(path), "%s/part-%zu.age", x->dir, i + 1);
		err = save_sealed(x->t, x->o, in.attachment[i].part, path);
		if (err == TOCSIN_EDUPLICATE)
			worst = fail(TOCSIN_EUSAGE,
			    "%s is there already; it is not replaced", path);
		else if (err != TOCSIN_OK)
			worst = fail(err, "%s: %s", in.attachment[i].name,
			    save_text(err));
	}
	incident_release(&in);
	return worst;
}

/* Whose word the signature is, as far as it is known here. */
static void
copy_belief(struct exporting *x, struct desk_tx *tx)
{
	const struct opened *o = x->o;
	struct belief *b = &x->t->belief;
	struct ticket_trust trust;

	if (belief_load(b, tx) != TOCSIN_OK)
		return;
	if (belief_trust(&trust, b, tx, &o->ticket, &o->parsed, 0,
		o->row.posted) == TOCSIN_OK &&
	    trust.from_keys != NULL)
		buf_add(&x->keys, trust.from_keys->whole);
	if (b->roster != NULL)
		buf_add(&x->roster, b->roster->whole);
}

static enum tocsin_err
gather(struct exporting *x, const char *id)
{
	struct tocsin *t = x->t;
	struct desk_tx *tx = NULL;
	uint64_t number = 0;
	enum tocsin_err err;

	pthread_mutex_lock(&t->lock);
	err = desk_read(t->parts.desk, &tx);
	if (err == TOCSIN_OK)
		err = find_message(t, tx, id, &number);
	if (err == TOCSIN_OK)
		err = open_message(t, tx, number, x->o);
	if (err == TOCSIN_OK)
		copy_belief(x, tx);
	desk_end(tx);
	pthread_mutex_unlock(&t->lock);
	if (err != TOCSIN_OK)
		return err;
	return buf_ok(&x->keys) && buf_ok(&x->roster)
		   ? TOCSIN_OK
		   : fail(TOCSIN_EINTERNAL, "no memory");
}

enum tocsin_err
export_message(struct tocsin *t, const char *id, const char *dir)
{
	struct exporting x = { .t = t, .dir = dir };
	enum tocsin_err err;

	x.o = calloc(1, sizeof(*x.o));
	if (x.o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = gather(&x, id);
	if (err == TOCSIN_OK && mkdir(dir, 0700) != 0 && errno != EEXIST)
		err = fail(file_error(errno), "%s: %s", dir, strerror(errno));
	if (err == TOCSIN_OK)
		err = put(&x, "note", buf_span(&x.o->note));
	if (err == TOCSIN_OK)
		err = put(&x, "body", buf_span(&x.o->body));
	if (err == TOCSIN_OK)
		err = put(&x, "keys", buf_span(&x.keys));
	if (err == TOCSIN_OK)
		err = put(&x, "roster", buf_span(&x.roster));
	if (err == TOCSIN_OK)
		err = put_parts(&x);
	opened_release(x.o);
	free(x.o);
	buf_release(&x.keys);
	buf_release(&x.roster);
	return err;
}
