/* SPDX-License-Identifier: ISC */
#include "client/belief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP "belief"
#define ROSTERS "roster/"
#define KEYS "keys/"

void
belief_release(struct belief *b)
{
	size_t i;

	roster_free(b->roster);
	for (i = 0; i < b->nkeys; i++)
		keys_free(b->keys[i]);
	free(b->keys);
	free(b->chain);
	*b = (struct belief){ 0 };
}

/* Serials are padded, so that the desk lists them in order. */
static void
roster_name(char out[40], uint64_t serial)
{
	snprintf(out, 40, ROSTERS "%020llu", (unsigned long long)serial);
}

static void
keys_name(char out[128], const struct keys *k)
{
	snprintf(out, 128, KEYS "%s/%020llu", k->member,
	    (unsigned long long)k->serial);
}

static enum tocsin_err
load_rosters(struct belief *b, struct desk_tx *tx)
{
	enum tocsin_err err = TOCSIN_OK;
	struct span name, note;
	size_t i;

	for (i = 0; err == TOCSIN_OK &&
		    desk_value_at(tx, ROSTERS, i, &name, &note) == TOCSIN_OK;
	     i++) {
		struct roster *r = NULL;
		void *grown = realloc(b->chain, (i + 1) * sizeof(b->chain[0]));

		if (grown == NULL)
			return TOCSIN_EINTERNAL;
		b->chain = grown;
		err = roster_parse(&r, note);
		if (err != TOCSIN_OK)
			break;
		if (i == 0) {
			b->first = r->serial;
			memcpy(b->genesis, r->id, ID_LEN);
		}
		memcpy(b->chain[i], r->id, ID_LEN);
		b->nchain = i + 1;
		roster_free(b->roster);
		b->roster = r;
	}
	return err;
}

static enum tocsin_err
load_keys(struct belief *b, struct desk_tx *tx)
{
	enum tocsin_err err = TOCSIN_OK;
	struct span name, note;

	while (err == TOCSIN_OK &&
	       desk_value_at(tx, KEYS, b->nkeys, &name, &note) == TOCSIN_OK) {
		struct keys **grown =
		    realloc(b->keys, (b->nkeys + 1) * sizeof(b->keys[0]));

		if (grown == NULL)
			return TOCSIN_EINTERNAL;
		b->keys = grown;
		err = keys_parse(&b->keys[b->nkeys], note);
		if (err == TOCSIN_OK)
			b->nkeys++;
	}
	return err;
}

enum tocsin_err
belief_load(struct belief *b, struct desk_tx *tx)
{
	uint64_t stamp = desk_u64_get(tx, STAMP);
	enum tocsin_err err;

	if (b->roster != NULL && stamp == b->stamp)
		return TOCSIN_OK;
	belief_release(b);
	b->stamp = stamp;
	err = load_rosters(b, tx);
	if (err == TOCSIN_OK)
		err = load_keys(b, tx);
	if (err != TOCSIN_OK)
		belief_release(b);
	return err;
}

static enum tocsin_err
keep(struct desk_tx *tx, const char *name, struct span note)
{
	enum tocsin_err err = desk_value_put(tx, name, note);

	if (err == TOCSIN_OK)
		err = desk_u64_put(tx, STAMP, desk_u64_get(tx, STAMP) + 1);
	return err;
}

static bool
in_chain(void *arg, uint64_t serial, const uint8_t id[ID_LEN])
{
	const struct belief *b = arg;

	return serial >= b->first && serial - b->first < b->nchain &&
	       memcmp(b->chain[serial - b->first], id, ID_LEN) == 0;
}

enum tocsin_err
belief_take_roster(struct belief *b, struct desk_tx *tx, struct span note,
    bool genesis, int64_t now)
{
	struct roster *r = NULL;
	enum tocsin_err err = belief_load(b, tx);
	char name[40];

	if (err == TOCSIN_OK)
		err = roster_parse(&r, note);
	if (err != TOCSIN_OK)
		return err;
	if (in_chain(b, r->serial, r->id))
		err = TOCSIN_EDUPLICATE;
	else if (genesis && b->roster != NULL)
		err = TOCSIN_EUSAGE;
	else if (genesis)
		err = roster_check(r, now);
	else if (b->roster == NULL)
		err = TOCSIN_EROSTERUNKNOWN;
	else
		err = roster_accept(b->roster, r, now);
	roster_name(name, r->serial);
	if (err == TOCSIN_OK)
		err = keep(tx, name, note);
	roster_free(r);
	return err;
}

enum tocsin_err
belief_take_keys(
    struct belief *b, struct desk_tx *tx, struct span note, int64_t now)
{
	const struct keys *cur;
	struct keys *k = NULL;
	enum tocsin_err err = belief_load(b, tx);
	char name[128];

	if (err == TOCSIN_OK && b->roster == NULL)
		err = TOCSIN_EROSTERUNKNOWN;
	if (err == TOCSIN_OK)
		err = keys_parse(&k, note);
	if (err != TOCSIN_OK)
		return err;
	cur = belief_keys(b, span_of(k->member));
	if (cur != NULL && k->serial <= cur->serial)
		err = TOCSIN_EDUPLICATE;
	else
		err = keys_accept(b->roster, cur, k, now);
	keys_name(name, k);
	if (err == TOCSIN_OK)
		err = keep(tx, name, note);
	keys_free(k);
	return err;
}

const struct keys *
belief_keys(const struct belief *b, struct span member)
{
	size_t i;

	for (i = b->nkeys; i-- > 0;) /* the newest of a member is its last */
		if (span_is(member, b->keys[i]->member))
			return b->keys[i];
	return NULL;
}

const struct keys *
belief_keys_of(const struct belief *b, const struct ticket *t)
{
	size_t i;

	for (i = b->nkeys; i-- > 0;)
		if (span_is(t->from, b->keys[i]->member) &&
		    keys_device(b->keys[i], t->device) != NULL)
			return b->keys[i];
	return belief_keys(b, t->from);
}

struct ticket_trust
belief_trust(const struct belief *b, const struct ticket *t, int64_t now)
{
	return (struct ticket_trust){
		.roster = b->roster,
		.in_chain = in_chain,
		.arg = (void *)(uintptr_t)b,
		.from_keys = belief_keys_of(b, t),
		.now = now,
		.reading = true,
	};
}
