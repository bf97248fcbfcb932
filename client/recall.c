/* SPDX-License-Identifier: ISC */
#include "client/recall.h"

#include "client/sync.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWED "confirm/"
#define HEX (2 * ID_LEN + 1)
#define NAMED_MAX 64 /* recalls of one message that are looked at */

static void
value_name(char out[160], const struct ticket *of, const uint8_t id[ID_LEN])
{
	char hex[HEX];

	sodium_bin2hex(hex, sizeof(hex), id, ID_LEN);
	snprintf(out, 160, "recalled/%s/%.*s", hex, (int)of->from.n,
	    (const char *)of->from.p);
}

static bool
has(struct desk_tx *tx, const char *name)
{
	struct span value;

	return desk_value_get(tx, name, &value) == TOCSIN_OK;
}

/* What is here of a sealed part, whole or not. */
static void
drop_part(const struct keystore *k, const uint8_t hash[32])
{
	char path[768], partial[800];

	sync_spool(path, k->home, hash);
	snprintf(partial, sizeof(partial), "%s.part", path);
	(void)unlink(path);
	(void)unlink(partial);
}

/* ---- what two headers say ---- */

static bool
has_ref(const struct ticket *recall, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < recall->nref; i++)
		if (memcmp(recall->ref[i], id, ID_LEN) == 0)
			return true;
	return false;
}

static bool
takes_back(const struct ticket *recall, const struct ticket *t)
{
	return recall->kind == TICKET_RECALL && t->kind != TICKET_RECALL &&
	       span_eq(recall->from, t->from) &&
	       span_eq(recall->exercise, t->exercise) && has_ref(recall, t->id);
}

static bool
is_of_parts(const struct ticket *recall, const struct ticket *t)
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (has_ref(recall, t->part[i].hash))
			return true;
	return false;
}

bool
recall_names(const struct ticket *recall, const struct ticket *t)
{
	return takes_back(recall, t) && !is_of_parts(recall, t);
}

static bool
names_part(
    const struct ticket *recall, const struct ticket *t, const uint8_t hash[32])
{
	return takes_back(recall, t) &&
	       (has_ref(recall, hash) || !is_of_parts(recall, t));
}

/* ---- obeying ---- */

static enum tocsin_err
drop_parts(const struct keystore *k, const struct ticket *recall,
    const struct ticket *t)
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (names_part(recall, t, t->part[i].hash))
			drop_part(k, t->part[i].hash);
	return TOCSIN_OK;
}

/*
 * What is gone of it counts as a message that was good (PROTOCOL.md 7.6), so
 * one that was refused keeps its reason. If that may pass, so does its body
 * until then: it is judged as a whole, and is recalled.
 */
static enum tocsin_err
erase_body(struct desk_tx *tx, struct desk_message *row)
{
	switch (row->refused) {
	case TOCSIN_OK:
		row->refused = TOCSIN_ERECALLED;
		break;
	case TOCSIN_EROSTERUNKNOWN:
	case TOCSIN_ENOTENROLLED:
	case TOCSIN_EKEYSEXPIRED:
	case TOCSIN_ECLOCKSKEW:
		return TOCSIN_OK;
	default:
		break;
	}
	row->body = (struct span){ 0 };
	return desk_update(tx, row);
}

/* A message that is here; the span that the desk gave dies with the update. */
static enum tocsin_err
erase(struct desk_tx *tx, const struct keystore *k, const struct ticket *recall,
    uint64_t number)
{
	struct ticket *t = malloc(sizeof(*t));
	struct desk_message row;
	enum tocsin_err err;
	struct note note;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	err = desk_get(tx, number, &row);
	if (err == TOCSIN_OK && ticket_parse(t, &note, row.note) == TOCSIN_OK &&
	    !row.own) {
		err = drop_parts(k, recall, t);
		if (recall_names(recall, t))
			err = erase_body(tx, &row);
		else if (err == TOCSIN_OK)
			err = desk_forget(tx, row.thread);
	}
	free(t);
	return err == TOCSIN_EBODYMISMATCH ? TOCSIN_OK : err;
}

/* The recalls that name it, this one with them. */
static enum tocsin_err
note_recall(struct desk_tx *tx, const struct ticket *recall, const char *name)
{
	struct buf list = { 0 };
	struct span had = { 0 };
	enum tocsin_err err = desk_value_get(tx, name, &had);

	if (err == TOCSIN_OK || err == TOCSIN_ENOTFOUND) {
		buf_add(&list, had);
		buf_add(&list, SPAN(recall->id));
		err = !buf_ok(&list) ? TOCSIN_EINTERNAL
		      : had.n >= (size_t)NAMED_MAX * ID_LEN
			  ? TOCSIN_OK
			  : desk_value_put(tx, name, buf_span(&list));
	}
	buf_release(&list);
	return err;
}

static enum tocsin_err
take_back(struct desk_tx *tx, const struct keystore *k,
    const struct ticket *recall, const uint8_t id[ID_LEN])
{
	char name[160];
	uint64_t number;
	enum tocsin_err err;

	value_name(name, recall, id);
	err = note_recall(tx, recall, name);
	if (err == TOCSIN_OK)
		err = desk_find(tx, id, &number);
	if (err == TOCSIN_OK)
		err = erase(tx, k, recall, number);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
recall_obey(
    struct desk_tx *tx, const struct keystore *k, const struct ticket *recall)
{
	struct recall_owed o;
	char hex[HEX];
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (span_is(recall->from, k->member))
		return TOCSIN_OK;
	for (i = 0; err == TOCSIN_OK && i < recall->nref; i++)
		err = take_back(tx, k, recall, recall->ref[i]);
	sodium_bin2hex(hex, sizeof(hex), recall->id, ID_LEN);
	snprintf(o.name, sizeof(o.name), OWED "%s", hex);
	return err == TOCSIN_OK ? desk_value_put(tx, o.name, SPAN(recall->id))
				: err;
}

/* ---- what was recalled ---- */

/* One recall that was obeyed; its header stays in the desk. */
static bool
one_covers(struct desk_tx *tx, const uint8_t id[ID_LEN], const struct ticket *t,
    const uint8_t *hash)
{
	struct ticket *recall = malloc(sizeof(*recall));
	struct desk_message row;
	struct note note;
	bool covers = false;
	uint64_t n;

	if (recall != NULL && desk_find(tx, id, &n) == TOCSIN_OK &&
	    desk_get(tx, n, &row) == TOCSIN_OK &&
	    ticket_parse(recall, &note, row.note) == TOCSIN_OK)
		covers = hash != NULL ? names_part(recall, t, hash)
				      : recall_names(recall, t);
	free(recall);
	return covers;
}

static bool
covers(struct desk_tx *tx, const struct ticket *t, const uint8_t *hash)
{
	char name[160];
	struct span list;
	bool yes = false;

	value_name(name, t, t->id);
	if (t->kind == TICKET_RECALL ||
	    desk_value_get(tx, name, &list) != TOCSIN_OK)
		return false;
	for (; !yes && list.n >= ID_LEN;
	     list = span_cut(list, ID_LEN, list.n - ID_LEN))
		yes = one_covers(tx, list.p, t, hash);
	return yes;
}

bool
recall_covers(struct desk_tx *tx, const struct ticket *t)
{
	return covers(tx, t, NULL);
}

bool
recall_covers_part(
    struct desk_tx *tx, const struct ticket *t, const uint8_t hash[32])
{
	return covers(tx, t, hash);
}

/* ---- what is owed ---- */

enum tocsin_err
recall_owed_next(struct desk_tx *tx, struct recall_owed *after)
{
	struct span name = span_of(after->name), value;
	enum tocsin_err err = desk_value_next(tx, OWED, &name, &value);

	if (err != TOCSIN_OK)
		return err;
	if (name.n >= sizeof(after->name) || value.n != ID_LEN)
		return TOCSIN_EBODYMISMATCH;
	memcpy(after->name, name.p, name.n);
	after->name[name.n] = '\0';
	memcpy(after->id, value.p, ID_LEN);
	return TOCSIN_OK;
}

enum tocsin_err
recall_told(struct desk_tx *tx, const struct recall_owed *o)
{
	if (!has(tx, o->name))
		return TOCSIN_ENOTFOUND;
	return desk_value_put(tx, o->name, (struct span){ 0 });
}
