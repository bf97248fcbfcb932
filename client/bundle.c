/* SPDX-License-Identifier: ISC */
#include "client/bundle.h"

#include "client/handle.h"
#include "client/intake.h"
#include "crypto/tar.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST "bundle"
#define FORMAT "tocsin-bundle/v1\n"
#define PARTS_MAX 4096 /* attachments, of all messages */

/* The files are named by these, a number from 1, and perhaps an ending. */
#define ROSTER "roster-"
#define KEYS "keys-"
#define TICKET "ticket-"
#define PART "part-"

/* ---- writing ---- */

struct writing {
	struct tocsin *t;
	struct buf *out;
	struct bundle_counts *n;
	bool with_attachments;
	uint8_t thread[ID_LEN];
	struct buf senders; /* members with a NUL behind each */
};

static void
put(struct writing *w, const char *kind, size_t number, const char *ending,
    struct span bytes)
{
	char name[TAR_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s%05zu%s", kind, number, ending);
	tar_add(w->out, name, bytes);
}

static bool
sent_one(const struct writing *w, struct span member)
{
	struct span rest = buf_span(&w->senders);
	size_t n;

	for (; rest.n > 0; rest = span_cut(rest, n + 1, rest.n)) {
		for (n = 0; rest.p[n] != '\0'; n++)
			;
		if (span_eq(span_cut(rest, 0, n), member))
			return true;
	}
	return false;
}

/* The sealed attachments, fetched if need be, by way of a file. */
static enum tocsin_err
put_parts(struct writing *w, const struct opened *o)
{
	enum tocsin_err err = TOCSIN_OK;
	char path[768];
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < o->ticket.npart; i++) {
		const struct ticket_part *p = &o->ticket.part[i];
		struct buf bytes = { .max = BUNDLE_MAX };

		if (!w->with_attachments || w->n->attachments == PARTS_MAX) {
			w->n->left_out++;
			continue;
		}
		if (w->out->n + p->size > BUNDLE_MAX)
			return fail(TOCSIN_ETOOLARGE,
			    "with its attachments it is larger than %d MiB; "
			    "carry them apart (`tocsin show --export`)",
			    BUNDLE_MAX >> 20);
		keystore_path(path, w->t->parts.keys->home, "bundle.tmp");
		unlink(path);
		err = save_sealed(w->t, o, p->hash, path);
		if (err == TOCSIN_OK)
			err = file_read(path, p->size, &bytes);
		unlink(path);
		if (err == TOCSIN_ERECALLED) { /* the others go all the same */
			w->n->left_out++;
			err = TOCSIN_OK;
		} else if (err != TOCSIN_OK)
			err = fail(err, "an attachment: %s", save_text(err));
		else
			put(w, PART, ++w->n->attachments, ".age",
			    buf_span(&bytes));
		buf_release(&bytes);
	}
	return err;
}

static bool
is_of_home(const struct tocsin *t, const struct ticket *ticket)
{
	return span_is(ticket->exercise, t->parts.keys->exercise);
}

static enum tocsin_err
put_message(struct writing *w, struct opened *o)
{
	if (o->note.n == 0 || o->body.n == 0) /* known by its header alone */
		return TOCSIN_OK;
	if (!is_of_home(w->t, &o->ticket)) /* kept as evidence, no more */
		return TOCSIN_OK;
	w->n->messages++;
	put(w, TICKET, w->n->messages, ".note", buf_span(&o->note));
	put(w, TICKET, w->n->messages, ".body", buf_span(&o->body));
	buf_add(&w->senders, o->ticket.from);
	buf_u8(&w->senders, '\0');
	return put_parts(w, o);
}

/* Outside of any transaction, because attachments come over the network. */
static enum tocsin_err
next_message(struct writing *w, uint64_t *number, struct opened *o)
{
	struct tocsin *t = w->t;
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(&t->lock);
	err = desk_read(t->parts.desk, &tx);
	if (err == TOCSIN_OK)
		err = desk_thread_next(tx, w->thread, *number, number);
	if (err == TOCSIN_OK)
		err = open_message(t, tx, *number, o);
	desk_end(tx);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static enum tocsin_err
put_messages(struct writing *w)
{
	struct opened *o = calloc(1, sizeof(*o));
	enum tocsin_err err = o != NULL ? TOCSIN_OK : TOCSIN_EINTERNAL;
	uint64_t number = 0;

	while (err == TOCSIN_OK) {
		err = next_message(w, &number, o);
		if (err == TOCSIN_OK)
			err = put_message(w, o);
		if (o != NULL)
			opened_release(o);
	}
	free(o);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* All rosters, because they are a chain, and the senders' announcements. */
static enum tocsin_err
put_belief(struct writing *w, struct desk_tx *tx)
{
	struct span name = { 0 }, note, member;
	enum tocsin_err err;
	size_t n = 0;

	while ((err = belief_next_roster(tx, &name, &note)) == TOCSIN_OK)
		put(w, ROSTER, ++n, "", note);
	if (err != TOCSIN_ENOTFOUND)
		return err;
	n = 0;
	name = (struct span){ 0 };
	while ((err = belief_next_keys(tx, &name, &member, &note)) == TOCSIN_OK)
		if (sent_one(w, member))
			put(w, KEYS, ++n, "", note);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
thread_of(struct writing *w, const char *id)
{
	struct tocsin *t = w->t;
	struct desk_message row;
	struct desk_tx *tx = NULL;
	uint64_t number;
	enum tocsin_err err;

	pthread_mutex_lock(&t->lock);
	err = begin_read(t, &tx);
	if (err == TOCSIN_OK)
		err = find_message(t, tx, id, &number);
	if (err == TOCSIN_OK)
		err = desk_get(tx, number, &row);
	if (err == TOCSIN_OK)
		memcpy(w->thread, row.thread, ID_LEN);
	desk_end(tx);
	pthread_mutex_unlock(&t->lock);
	return err;
}

enum tocsin_err
bundle_write(struct tocsin *t, const char *id, bool with_attachments,
    struct buf *out, struct bundle_counts *n)
{
	struct writing w = {
		.t = t, .out = out, .n = n, .with_attachments = with_attachments
	};
	struct desk_tx *tx = NULL;
	enum tocsin_err err = thread_of(&w, id);

	*n = (struct bundle_counts){ 0 };
	tar_add(out, FIRST, span_of(FORMAT));
	if (err == TOCSIN_OK)
		err = put_messages(&w);
	if (err == TOCSIN_OK)
		err = begin_read(t, &tx);
	if (err == TOCSIN_OK)
		err = put_belief(&w, tx);
	desk_end(tx);
	buf_release(&w.senders);
	if (err != TOCSIN_OK)
		return err;
	tar_end(out, out->n + TAR_END);
	return buf_ok(out) ? TOCSIN_OK : fail(TOCSIN_EINTERNAL, "no memory");
}

/* ---- reading ---- */

struct reading {
	struct tocsin *t;
	struct bundle_counts *n;
	struct msg_entries *m; /* one kind at a time */
	struct ticket_part *part;
	size_t npart;
};

bool
bundle_is(struct span file)
{
	struct tar tar = tar_init(file);
	struct span name, content;

	return tar_next(&tar, &name, &content) == TOCSIN_OK &&
	       span_is(name, FIRST) && span_is(content, FORMAT);
}

static bool
begins(struct span name, const char *with)
{
	size_t n = strlen(with);

	return name.n > n && memcmp(name.p, with, n) == 0;
}

static bool
ends(struct span name, const char *with)
{
	size_t n = strlen(with);

	return name.n > n && memcmp(name.p + name.n - n, with, n) == 0;
}

static enum tocsin_err
no_more(void *arg, struct span request, struct buf *fields)
{
	(void)arg;
	(void)request;
	(void)fields;
	return TOCSIN_EUNAVAILABLE;
}

static enum tocsin_err
take(struct reading *r)
{
	const struct intake in = { .parts = &r->t->parts,
		.ask = no_more,
		.now = (int64_t)time(NULL) };
	enum tocsin_err err = TOCSIN_OK;

	if (r->m->n > 0)
		err = intake_by_hand(&in, r->m);
	r->m->n = 0;
	return err;
}

static enum tocsin_err
add(struct reading *r, uint8_t kind, struct span note, struct span body)
{
	struct msg_entry *e = &r->m->entry[r->m->n++];

	*e = (struct msg_entry){ .kind = kind, .note = note, .body = body };
	return r->m->n == MSG_ENTRIES_MAX ? take(r) : TOCSIN_OK;
}

/* All files of one kind; whatever else there is, is passed over. */
static enum tocsin_err
take_texts(struct reading *r, struct span file, const char *named, uint8_t kind)
{
	struct tar tar = tar_init(file);
	struct span name, content;
	enum tocsin_err err;

	while ((err = tar_next(&tar, &name, &content)) == TOCSIN_OK)
		if (begins(name, named)) {
			err = add(r, kind, content, (struct span){ 0 });
			if (err != TOCSIN_OK)
				return err;
		}
	return err == TOCSIN_ENOTFOUND ? take(r) : err;
}

/* Which attachments may come with it, and whether it is known. */
static enum tocsin_err
look_at(struct reading *r, struct span note)
{
	struct ticket *t = malloc(sizeof(*t));
	struct desk_tx *tx = NULL;
	struct note parsed;
	uint64_t number;
	size_t i;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	r->n->messages++;
	if (ticket_parse(t, &parsed, note) == TOCSIN_OK) {
		for (i = 0; i < t->npart && r->npart < PARTS_MAX; i++)
			r->part[r->npart++] = t->part[i];
		if (desk_read(r->t->parts.desk, &tx) == TOCSIN_OK &&
		    desk_find(tx, t->id, &number) == TOCSIN_OK)
			r->n->known++;
		desk_end(tx);
	}
	free(t);
	return TOCSIN_OK;
}

static enum tocsin_err
take_tickets(struct reading *r, struct span file)
{
	struct span name, content, note = { 0 };
	struct tar tar = tar_init(file);
	enum tocsin_err err;

	while ((err = tar_next(&tar, &name, &content)) == TOCSIN_OK) {
		if (!begins(name, TICKET))
			continue;
		if (ends(name, ".note")) {
			note = content;
			continue;
		}
		err = look_at(r, note);
		if (err == TOCSIN_OK)
			err = add(r, 1, note, content);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? take(r) : err;
}

/* As if it had come from the broker; `save` finds it complete. */
static enum tocsin_err
keep_part(struct reading *r, struct span bytes)
{
	char path[768], whole[800], folder[640];
	uint8_t hash[32];
	enum tocsin_err err;
	size_t i;

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	for (i = 0; i < r->npart && memcmp(r->part[i].hash, hash, 32) != 0; i++)
		;
	if (i == r->npart) /* of no ticket in it */
		return TOCSIN_OK;
	keystore_path(folder, r->t->parts.keys->home, "spool");
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return fail(
		    file_error(errno), "%s: %s", folder, strerror(errno));
	sync_spool(path, r->t->parts.keys->home, hash);
	snprintf(whole, sizeof(whole), "%s.part", path);
	err = file_write(whole, bytes, true);
	if (err == TOCSIN_OK)
		r->n->attachments++;
	return err == TOCSIN_OK ? err
				: fail(err, "%s: %s", whole, file_text(err));
}

static enum tocsin_err
keep_parts(struct reading *r, struct span file)
{
	struct tar tar = tar_init(file);
	struct span name, content;
	enum tocsin_err err;

	while ((err = tar_next(&tar, &name, &content)) == TOCSIN_OK)
		if (begins(name, PART)) {
			err = keep_part(r, content);
			if (err != TOCSIN_OK)
				return err;
		}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* Each ticket is looked up again: what the desk thinks of it now. */
static enum tocsin_err
count_refused(struct reading *r, struct span file)
{
	struct tar tar = tar_init(file);
	struct span name, content;
	struct desk_message row;
	struct desk_tx *tx = NULL;
	enum tocsin_err err = begin_read(r->t, &tx);
	uint8_t id[ID_LEN];
	uint64_t number;
	struct note n;

	while (err == TOCSIN_OK &&
	       (err = tar_next(&tar, &name, &content)) == TOCSIN_OK) {
		if (!begins(name, TICKET) || !ends(name, ".note") ||
		    note_parse(&n, content, TEXT_MAX) != TOCSIN_OK)
			continue;
		crypto_hash_sha256(id, n.text.p, n.text.n);
		if (desk_find(tx, id, &number) == TOCSIN_OK &&
		    desk_get(tx, number, &row) == TOCSIN_OK &&
		    row.refused != TOCSIN_OK)
			r->n->refused++;
	}
	desk_end(tx);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* The whole archive is good before anything of it is taken. */
static enum tocsin_err
walk(struct span file)
{
	struct tar tar = tar_init(file);
	struct span name, content;
	enum tocsin_err err;

	while ((err = tar_next(&tar, &name, &content)) == TOCSIN_OK)
		;
	return err == TOCSIN_ENOTFOUND && bundle_is(file)
		   ? TOCSIN_OK
		   : fail(TOCSIN_EMALFORMED,
			 "it is no whole bundle; carry it here once more");
}

/* One ticket of another exercise, or a live one, and none is taken. */
static enum tocsin_err
same_exercise(struct tocsin *t, struct span file)
{
	const char *own = t->parts.keys->exercise;
	struct tar tar = tar_init(file);
	struct span name, content;
	struct ticket *h = malloc(sizeof(*h));
	enum tocsin_err err = TOCSIN_OK;
	struct note n;

	if (h == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (
	    err == TOCSIN_OK && tar_next(&tar, &name, &content) == TOCSIN_OK) {
		if (!begins(name, TICKET) || !ends(name, ".note") ||
		    ticket_parse(h, &n, content) != TOCSIN_OK ||
		    is_of_home(t, h))
			continue;
		if (h->exercise.n > 0)
			err = fail(TOCSIN_EEXERCISEMISMATCH,
			    "it is of the exercise %.*s: a home of that "
			    "exercise takes it, this one %s%s",
			    (int)h->exercise.n, (const char *)h->exercise.p,
			    own[0] != '\0' ? "is of " : "is live", own);
		else
			err = fail(TOCSIN_EEXERCISEMISMATCH,
			    "it is live, no part of the exercise %s", own);
	}
	free(h);
	return err;
}

static bool
believes(struct tocsin *t)
{
	bool yes;

	pthread_mutex_lock(&t->lock);
	yes = t->belief.roster != NULL;
	pthread_mutex_unlock(&t->lock);
	return yes;
}

enum tocsin_err
bundle_read(struct tocsin *t, struct span file, struct bundle_counts *n)
{
	struct reading r = { .t = t, .n = n };
	enum tocsin_err err = walk(file);

	*n = (struct bundle_counts){ 0 };
	if (err == TOCSIN_OK && !believes(t))
		err = fail(TOCSIN_EROSTERUNKNOWN,
		    "this home believes no roster yet; `tocsin trust` takes "
		    "the first one, from people");
	if (err == TOCSIN_OK)
		err = same_exercise(t, file);
	if (err != TOCSIN_OK)
		return err;
	r.m = calloc(1, sizeof(*r.m));
	r.part = calloc(PARTS_MAX, sizeof(*r.part));
	if (r.m == NULL || r.part == NULL)
		err = fail(TOCSIN_EINTERNAL, "no memory");
	if (err == TOCSIN_OK)
		err = take_texts(&r, file, ROSTER, 2);
	if (err == TOCSIN_OK)
		err = take_texts(&r, file, KEYS, 3);
	if (err == TOCSIN_OK)
		err = take_tickets(&r, file);
	if (err == TOCSIN_OK)
		err = keep_parts(&r, file);
	if (err == TOCSIN_OK)
		err = count_refused(&r, file);
	free(r.m);
	free(r.part);
	return err;
}
