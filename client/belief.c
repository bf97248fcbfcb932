/* SPDX-License-Identifier: ISC */
#include "client/belief.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP "belief"
#define ROSTERS "roster/"
#define KEYS "keys/"
#define CONFLICTS "conflict/"

void
belief_release(struct belief *b)
{
	size_t i;

	roster_free(b->roster);
	for (i = 0; i < b->nkeys; i++)
		keys_free(b->keys[i]);
	keys_free(b->old);
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

/* The name of the member's announcement after those that the desk has. */
static enum tocsin_err
keys_name(char out[128], struct desk_tx *tx, const char *member)
{
	char prefix[sizeof(KEYS) + MEMBER_MAX + 1], digits[21] = "";
	struct span name = { 0 }, note, last = { 0 };
	enum tocsin_err err;

	snprintf(prefix, sizeof(prefix), KEYS "%s/", member);
	while ((err = desk_value_next(tx, prefix, &name, &note)) == TOCSIN_OK)
		last = name;
	if (err != TOCSIN_ENOTFOUND)
		return err;
	if (last.n > 20)
		memcpy(digits, last.p + last.n - 20, 20);
	snprintf(out, 128, "%s%020llu", prefix, strtoull(digits, NULL, 10) + 1);
	return TOCSIN_OK;
}

/* ---- what is held ---- */

static enum tocsin_err
hold_id(struct belief *b, const uint8_t id[ID_LEN])
{
	void *grown = realloc(b->chain, (b->nchain + 1) * sizeof(b->chain[0]));

	if (grown == NULL)
		return TOCSIN_EINTERNAL;
	b->chain = grown;
	memcpy(b->chain[b->nchain++], id, ID_LEN);
	if (b->nchain == 1)
		memcpy(b->genesis, id, ID_LEN);
	return TOCSIN_OK;
}

static enum tocsin_err
hold_roster(struct belief *b, struct roster *r)
{
	enum tocsin_err err = hold_id(b, r->id);

	if (err != TOCSIN_OK)
		return err;
	roster_free(b->roster);
	b->roster = r;
	return TOCSIN_OK;
}

/* In the place of the member's last one, if there is one. */
static enum tocsin_err
hold_keys(struct belief *b, struct keys *k)
{
	struct keys **grown;
	size_t i;

	for (i = 0; i < b->nkeys; i++)
		if (strcmp(b->keys[i]->member, k->member) == 0) {
			keys_free(b->keys[i]);
			b->keys[i] = k;
			return TOCSIN_OK;
		}
	grown = realloc(b->keys, (b->nkeys + 1) * sizeof(*grown));
	if (grown == NULL)
		return TOCSIN_EINTERNAL;
	b->keys = grown;
	b->keys[b->nkeys++] = k;
	return TOCSIN_OK;
}

/* A new roster may have other root keys than the one before. */
static void
drop_fallen(struct belief *b)
{
	size_t i, kept = 0;

	for (i = 0; i < b->nkeys; i++) {
		if (keys_stand(b->roster, b->keys[i]))
			b->keys[kept++] = b->keys[i];
		else
			keys_free(b->keys[i]);
	}
	b->nkeys = kept;
}

/* ---- reading the desk ---- */

/* Of all but the newest, the id is enough. */
static enum tocsin_err
load_id(struct belief *b, struct span file)
{
	uint8_t id[ID_LEN];
	struct note n;
	enum tocsin_err err = note_parse_draft(&n, file, ROSTER_TEXT_MAX);

	if (err != TOCSIN_OK)
		return err;
	note_id(id, n.text);
	return hold_id(b, id);
}

static enum tocsin_err
load_rosters(struct belief *b, struct desk_tx *tx)
{
	struct span name = { 0 }, note = { 0 }, newest = { 0 };
	struct roster *r = NULL;
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK && (err = desk_value_next(tx, ROSTERS, &name,
					&note)) == TOCSIN_OK) {
		if (newest.n > 0)
			err = load_id(b, newest);
		newest = note;
	}
	if (err != TOCSIN_ENOTFOUND)
		return err;
	if (newest.n == 0)
		return TOCSIN_OK;
	err = roster_parse(&r, newest);
	if (err == TOCSIN_OK)
		err = hold_roster(b, r);
	if (err != TOCSIN_OK)
		roster_free(r);
	return err;
}

static enum tocsin_err
load_one(struct belief *b, struct span note)
{
	struct keys *k = NULL;
	enum tocsin_err err = keys_parse(&k, note);

	if (err == TOCSIN_OK)
		err = hold_keys(b, k);
	if (err != TOCSIN_OK)
		keys_free(k);
	return err;
}

/* "keys/MEMBER/NUMBER" without the number. */
static struct span
of_member(struct span name)
{
	return span_cut(name, 0, name.n > 20 ? name.n - 20 : 0);
}

/* They stand by member, then number: the last of a member is its newest. */
static enum tocsin_err
load_keys(struct belief *b, struct desk_tx *tx)
{
	struct span name = { 0 }, note = { 0 };
	struct span member = { 0 }, newest = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK &&
	       (err = desk_value_next(tx, KEYS, &name, &note)) == TOCSIN_OK) {
		if (newest.n > 0 && !span_eq(of_member(name), member))
			err = load_one(b, newest);
		member = of_member(name);
		newest = note;
	}
	if (err != TOCSIN_ENOTFOUND)
		return err;
	err = newest.n > 0 ? load_one(b, newest) : TOCSIN_OK;
	if (err == TOCSIN_OK && b->nkeys > 0 && b->roster != NULL)
		drop_fallen(b);
	return err;
}

enum tocsin_err
belief_next_roster(struct desk_tx *tx, struct span *name, struct span *note)
{
	return desk_value_next(tx, ROSTERS, name, note);
}

enum tocsin_err
belief_next_keys(struct desk_tx *tx, struct span *name, struct span *member,
    struct span *note)
{
	enum tocsin_err err = desk_value_next(tx, KEYS, name, note);

	if (err == TOCSIN_OK)
		*member = span_cut(of_member(*name), strlen(KEYS),
		    of_member(*name).n - strlen(KEYS) - 1);
	return err;
}

uint64_t
belief_stamp(struct desk_tx *tx)
{
	return desk_u64_get(tx, STAMP);
}

enum tocsin_err
belief_load(struct belief *b, struct desk_tx *tx)
{
	uint64_t stamp = belief_stamp(tx);
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

/* ---- accepting ---- */

/*
 * A stamp is never used again, so what is read under one is what was written
 * under it, even if that was never committed.
 */
static enum tocsin_err
keep(struct belief *b, struct desk_tx *tx, const char *name, struct span note)
{
	enum tocsin_err err = desk_value_put(tx, name, note);

	do
		randombytes_buf(&b->stamp, sizeof(b->stamp));
	while (b->stamp == 0);
	if (err == TOCSIN_OK)
		err = desk_u64_put(tx, STAMP, b->stamp);
	return err;
}

/* Whether the roster of this serial has this id. */
static bool
belief_has(const struct belief *b, uint64_t serial, const uint8_t id[ID_LEN])
{
	return serial >= 1 && serial <= b->nchain &&
	       memcmp(b->chain[serial - 1], id, ID_LEN) == 0;
}

static bool
in_chain(void *arg, uint64_t serial, const uint8_t id[ID_LEN])
{
	return belief_has(arg, serial, id);
}

/* One that we believe, from the desk. */
static enum tocsin_err
read_roster(struct roster **out, struct desk_tx *tx, uint64_t serial)
{
	struct span note;
	enum tocsin_err err;
	char name[40];

	*out = NULL;
	roster_name(name, serial);
	err = desk_value_get(tx, name, &note);
	return err == TOCSIN_OK ? roster_parse(out, note) : err;
}

/*
 * For a place that we have another roster for. Who could have signed for it is
 * in the one before, or for the first in that itself: anybody can found a
 * federation of the same name, and call himself its authority.
 */
static enum tocsin_err
judge_fork(struct desk_tx *tx, const struct roster *r, int64_t now)
{
	struct roster *before = NULL;
	enum tocsin_err err =
	    read_roster(&before, tx, r->serial > 1 ? r->serial - 1 : 1);

	if (err == TOCSIN_OK)
		err = roster_accept(before, r, now);
	roster_free(before);
	return err == TOCSIN_OK ? TOCSIN_ECHAINCONFLICT : err;
}

static enum tocsin_err
judge_roster(const struct belief *b, struct desk_tx *tx, const struct roster *r,
    bool genesis, int64_t now)
{
	if (belief_has(b, r->serial, r->id))
		return TOCSIN_EDUPLICATE;
	if (genesis && b->roster != NULL)
		return TOCSIN_EUSAGE;
	if (!genesis && b->roster == NULL)
		return TOCSIN_EROSTERUNKNOWN;
	if (b->roster != NULL && r->serial <= b->roster->serial)
		return judge_fork(tx, r, now);
	return roster_accept(b->roster, r, now);
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
	if (err == TOCSIN_OK)
		err = judge_roster(b, tx, r, genesis, now);
	if (err == TOCSIN_OK) {
		roster_name(name, r->serial);
		err = keep(b, tx, name, note);
	}
	if (err == TOCSIN_OK)
		err = hold_roster(b, r);
	if (err != TOCSIN_OK)
		roster_free(r);
	else
		drop_fallen(b);
	return err;
}

enum tocsin_err
belief_take_keys(
    struct belief *b, struct desk_tx *tx, struct span note, int64_t now)
{
	struct keys *k = NULL;
	enum tocsin_err err = belief_load(b, tx);
	char name[128];

	if (err == TOCSIN_OK && b->roster == NULL)
		err = TOCSIN_EROSTERUNKNOWN;
	if (err == TOCSIN_OK)
		err = keys_parse(&k, note);
	if (err == TOCSIN_OK) {
		int64_t at = keys_expired(k, now) ? k->expires - 1 : now;

		err = keys_accept(
		    b->roster, belief_keys(b, span_of(k->member)), k, at);
	}
	if (err == TOCSIN_OK)
		err = keys_name(name, tx, k->member);
	if (err == TOCSIN_OK)
		err = keep(b, tx, name, note);
	if (err == TOCSIN_OK)
		err = hold_keys(b, k);
	if (err != TOCSIN_OK)
		keys_free(k);
	return err;
}

/* ---- evidence ---- */

enum tocsin_err
belief_keep_conflict(struct desk_tx *tx, struct span note)
{
	uint8_t id[ID_LEN];
	char hex[65], name[128];
	struct note n;

	/* One for each text: anybody can add signature lines to it. */
	if (note_parse_draft(&n, note, ROSTER_TEXT_MAX) != TOCSIN_OK)
		return TOCSIN_OK;
	note_id(id, n.text);
	sodium_bin2hex(hex, sizeof(hex), id, sizeof(id));
	snprintf(name, sizeof(name), CONFLICTS "%s", hex);
	return desk_value_put(tx, name, note);
}

enum tocsin_err
belief_next_conflict(
    struct desk_tx *tx, struct span *name, struct conflict *out)
{
	struct roster *r = NULL;
	struct keys *k = NULL;
	enum tocsin_err err;

	*out = (struct conflict){ 0 };
	err = desk_value_next(tx, CONFLICTS, name, &out->note);
	if (err != TOCSIN_OK)
		return err;
	if (roster_parse(&r, out->note) == TOCSIN_OK) {
		out->serial = r->serial;
	} else if (keys_parse(&k, out->note) == TOCSIN_OK) {
		out->serial = k->serial;
		snprintf(out->member, sizeof(out->member), "%s", k->member);
	}
	roster_free(r);
	keys_free(k);
	return TOCSIN_OK;
}

/* ---- asking ---- */

const struct keys *
belief_keys(const struct belief *b, struct span member)
{
	size_t i;

	for (i = 0; i < b->nkeys; i++)
		if (span_is(member, b->keys[i]->member))
			return b->keys[i];
	return NULL;
}

/* Something signed by a device at a time. */
struct signing {
	struct span member, device;
	int64_t time;
	const struct note *note;
};

/* In force when it was written, and with the key that signed it. */
static bool
speaks_for(const struct keys *k, const struct signing *s)
{
	const struct keys_device *d = keys_device(k, s->device);

	return d != NULL && s->note->nsig == 1 && !keys_expired(k, s->time) &&
	       memcmp(d->sign.id, s->note->sig[0].id, KEYID_LEN) == 0;
}

/*
 * The newest of all announcements of the sender's member that does, and whose
 * root key was not yet revoked `at` that time.
 */
static enum tocsin_err
look_back(
    struct belief *b, struct desk_tx *tx, const struct signing *s, int64_t at)
{
	char prefix[sizeof(KEYS) + MEMBER_MAX + 1];
	struct span name = { 0 }, note;
	enum tocsin_err err;

	keys_free(b->old);
	b->old = NULL;
	snprintf(prefix, sizeof(prefix), KEYS "%.*s/", (int)s->member.n,
	    (const char *)s->member.p);
	while ((err = desk_value_next(tx, prefix, &name, &note)) == TOCSIN_OK) {
		struct keys *k = NULL;

		err = keys_parse(&k, note);
		if (err != TOCSIN_OK)
			return err;
		if (speaks_for(k, s) &&
		    keys_root_at(b->roster, k, at) == TOCSIN_OK) {
			keys_free(b->old);
			b->old = k;
		} else {
			keys_free(k);
		}
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
belief_trust(struct ticket_trust *out, struct belief *b, struct desk_tx *tx,
    const struct ticket *t, const struct note *note, int64_t now,
    int64_t logged)
{
	const struct keys *newest = belief_keys(b, t->from);
	const struct signing s = { t->from, t->device, t->time, note };
	enum tocsin_err err;

	*out = (struct ticket_trust){
		.roster = b->roster,
		.in_chain = in_chain,
		.arg = b,
		.from_keys = newest,
		.now = now,
		.reading = true,
		.logged = logged,
	};
	if (b->roster == NULL)
		return TOCSIN_EROSTERUNKNOWN;
	if (newest != NULL && speaks_for(newest, &s))
		return TOCSIN_OK;
	err = look_back(b, tx, &s, logged != 0 && logged < now ? logged : now);
	if (err == TOCSIN_OK && b->old != NULL)
		out->from_keys = b->old;
	return err;
}

const struct keys *
belief_keys_at(struct belief *b, struct desk_tx *tx, struct span device,
    const struct note *note, int64_t time)
{
	const struct signing s = { device_member(device), device_label(device),
		time, note };
	const struct keys *newest = belief_keys(b, s.member);

	if (b->roster == NULL || (newest != NULL && speaks_for(newest, &s)) ||
	    look_back(b, tx, &s, time) != TOCSIN_OK || b->old == NULL)
		return newest;
	return b->old;
}

enum tocsin_err
belief_device_at(struct keys_device *out, struct desk_tx *tx,
    const struct ticket *t, const struct note *note, int64_t at)
{
	const struct signing s = { t->from, t->device, t->time, note };
	char prefix[sizeof(KEYS) + MEMBER_MAX + 1];
	struct span name = { 0 }, bytes;
	bool found = false;
	enum tocsin_err err;

	snprintf(prefix, sizeof(prefix), KEYS "%.*s/", (int)t->from.n,
	    (const char *)t->from.p);
	while (
	    (err = desk_value_next(tx, prefix, &name, &bytes)) == TOCSIN_OK) {
		struct keys *k = NULL;

		err = keys_parse(&k, bytes);
		if (err != TOCSIN_OK)
			return err;
		if (speaks_for(k, &s) && (!found || k->issued <= at)) {
			const unsigned before = found ? out->may : 0;

			*out = *keys_device(k, t->device);
			if (k->issued == at) /* which came first? */
				out->may |= before;
			found = true;
		}
		keys_free(k);
	}
	return err == TOCSIN_ENOTFOUND && found ? TOCSIN_OK : err;
}
