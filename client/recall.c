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

static void
value_name(char out[160], const struct ticket *of, const uint8_t id[ID_LEN])
{
	char hex[HEX];

	sodium_bin2hex(hex, sizeof(hex), id, ID_LEN);
	snprintf(out, 160, "recalled/%s/%.*s", hex, (int)of->from.n,
	    (const char *)of->from.p);
}

static void
part_name(char out[160], const uint8_t hash[32])
{
	char hex[HEX];

	sodium_bin2hex(hex, sizeof(hex), hash, 32);
	snprintf(out, 160, "recalled-part/%s", hex);
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

static bool
takes_back(const struct ticket *recall, const struct ticket *t)
{
	return span_eq(recall->from, t->from) && t->kind != TICKET_RECALL;
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
	size_t i;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	err = desk_get(tx, number, &row);
	if (err == TOCSIN_OK && ticket_parse(t, &note, row.note) == TOCSIN_OK &&
	    takes_back(recall, t) && !row.own) {
		for (i = 0; i < t->npart; i++)
			drop_part(k, t->part[i].hash);
		row.body = (struct span){ 0 };
		row.refused = TOCSIN_ERECALLED;
		err = desk_update(tx, &row);
	}
	free(t);
	return err == TOCSIN_EBODYMISMATCH ? TOCSIN_OK : err;
}

static enum tocsin_err
take_back(struct desk_tx *tx, const struct keystore *k,
    const struct ticket *recall, const uint8_t id[ID_LEN])
{
	char name[160];
	uint64_t number;
	enum tocsin_err err;

	value_name(name, recall, id);
	err = desk_value_put(tx, name, SPAN(recall->id));
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

bool
recall_covers(struct desk_tx *tx, const struct ticket *t)
{
	char name[160];

	value_name(name, t, t->id);
	return t->kind != TICKET_RECALL && has(tx, name);
}

enum tocsin_err
recall_part(
    struct desk_tx *tx, const struct keystore *k, const uint8_t hash[32])
{
	char name[160];

	part_name(name, hash);
	drop_part(k, hash);
	return desk_value_put(tx, name, (struct span){ hash, 32 });
}

bool
recall_has_part(struct desk_tx *tx, const uint8_t hash[32])
{
	char name[160];

	part_name(name, hash);
	return has(tx, name);
}

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
