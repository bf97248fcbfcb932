/* SPDX-License-Identifier: ISC */
#include "broker/trust.h"

#include "broker/value.h"
#include "tests/lib/fixture.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct store *store;

static struct trust *
load(void)
{
	struct store_rx *rx;
	struct trust *t = NULL;

	if (store_read(store, &rx) || trust_load(&t, rx))
		abort();
	store_read_end(rx);
	return t;
}

static struct trust *
with_keys(struct trust *t, size_t i)
{
	struct keys *k = NULL;
	struct trust *next = NULL;

	if (keys_parse(&k, buf_span(&fed.keys_file[i])) ||
	    trust_with_keys(&next, t, k))
		abort();
	trust_put(t);
	return next;
}

static struct trust *
with_roster(struct trust *t)
{
	struct roster *r = NULL;
	struct trust *next = NULL;

	if (roster_parse(&r, buf_span(&fed.file)) ||
	    trust_with_roster(&next, t, r))
		abort();
	trust_put(t);
	return next;
}

static enum trust_kind
who(struct trust_who *out, const struct trust *t, const char *name)
{
	uint8_t sk[32], pk[32];

	fixture_noise_key(sk, name);
	if (crypto_scalarmult_base(pk, sk))
		abort();
	trust_identify(out, t, pk, fed.now);
	return out->kind;
}

static void
test_genesis(void)
{
	struct store_rx *rx;
	struct trust *t = NULL;
	uint8_t bad[] = "not a roster\n";

	if (store_read(store, &rx))
		abort();
	is_int(trust_load(&t, rx), TOCSIN_EROSTERUNKNOWN,
	    "a store without a roster has no trust to load");
	store_read_end(rx);
	is_int(trust_install_genesis(
		   store, (struct span){ bad, sizeof(bad) - 1 }, fed.now),
	    TOCSIN_EMALFORMED, "what is no roster is not installed");
	is_int(trust_install_genesis(store, buf_span(&fed.file), fed.now),
	    TOCSIN_OK, "the first roster is");
	is_int(trust_install_genesis(store, buf_span(&fed.file), fed.now),
	    TOCSIN_EDUPLICATE, "once");
	t = load();
	ok(memcmp(trust_genesis(t), fed.roster->id, ID_LEN) == 0,
	    "its id is the genesis");
	is_int((long long)trust_roster(t)->serial, 1, "and it is current");
	trust_put(t);
}

static void
test_identify(void)
{
	struct trust *t = load();
	struct trust_who w;

	is_int(
	    who(&w, t, "sg"), TRUST_BROKER, "a broker's key is the broker's");
	ok(!strcmp(w.broker, "sg") && !strcmp(w.nation, "sg"),
	    "with name and nation");
	is_int(who(&w, t, "singcert@sg/desk1"), TRUST_NOBODY,
	    "a device that was not announced is nobody");
	t = with_keys(t, 0);
	is_int(who(&w, t, "singcert@sg/desk1"), TRUST_DEVICE,
	    "announced, it is a device");
	ok(!strcmp(w.member, "singcert@sg") && !strcmp(w.device, "desk1") &&
		!strcmp(w.nation, "sg") && w.role == KEYS_OFFICER,
	    "with member, name, nation and role");
	t = with_keys(t, 1);
	is_int(who(&w, t, "mycert@my/screen"), TRUST_DEVICE,
	    "another member's announcement comes beside it");
	ok(w.role == KEYS_READER && who(&w, t, "singcert@sg/desk1"),
	    "and not in its place");
	trust_put(t);
}

static void
rename_device(struct keys *k, void *arg)
{
	uint8_t sk[32];

	fixture_noise_key(sk, arg);
	if (crypto_scalarmult_base(k->device[0].noise, sk))
		abort();
}

static void
test_replace(void)
{
	char fresh[] = "a new key";
	struct trust *t = with_keys(load(), 0), *held = trust_hold(t);
	struct trust_who w;

	fixture_next_keys(&fed, 0, rename_device, fresh);
	t = with_keys(t, 0);
	is_int(who(&w, t, fresh), TRUST_DEVICE,
	    "the next announcement replaces the last");
	is_int(who(&w, t, "singcert@sg/desk1"), TRUST_NOBODY,
	    "so a key that it drops is nobody's");
	is_int(who(&w, held, "singcert@sg/desk1"), TRUST_DEVICE,
	    "a snapshot that is held stays what it was");
	trust_put(held);
	trust_put(t);
}

static void
suspend(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member(arg);

	m.suspended = true;
	if (roster_put_member(r, &m))
		abort();
}

static void
revoke(struct roster *r, void *arg)
{
	struct roster_revoked v = { .time = fed.now - 1 };
	struct vkey k;
	uint8_t sk[64];

	fixture_sign_key(sk, arg);
	if (vkey_make(&k, span_of(arg), sk + 32))
		abort();
	snprintf(v.name, sizeof(v.name), "%s", k.name);
	memcpy(v.id, k.id, KEYID_LEN);
	snprintf(v.reason, sizeof(v.reason), "lost");
	if (roster_put_revoked(r, &v))
		abort();
}

static void
test_rosters(void)
{
	char device[] = "mycert@my/desk1";
	struct trust *t = with_keys(load(), 1);
	struct trust_who w;
	uint8_t first[ID_LEN];

	memcpy(first, fed.roster->id, ID_LEN);
	is_int(who(&w, t, device), TRUST_DEVICE, "a device, to begin with");
	fixture_next_roster(&fed, revoke, device);
	t = with_roster(t);
	is_int(who(&w, t, device), TRUST_NOBODY,
	    "a roster that revokes its key makes it nobody");
	is_int(who(&w, t, "mycert@my/screen"), TRUST_DEVICE,
	    "and leaves its neighbour");
	fixture_next_roster(&fed, suspend, fed.member[1]);
	t = with_roster(t);
	is_int(who(&w, t, "mycert@my/screen"), TRUST_NOBODY,
	    "a suspended member has no devices");
	ok(trust_in_chain(t, 1, first) && trust_in_chain(t, 3, fed.roster->id),
	    "first and last roster are in the chain");
	ok(!trust_in_chain(t, 2, first) && !trust_in_chain(t, 4, first) &&
		!trust_in_chain(t, 0, first),
	    "but not under another serial");
	trust_put(t);
}

static void
new_root(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member(arg);
	uint8_t sk[64];

	fixture_sign_key(sk, "another root");
	if (vkey_make(&m.root, span_of(arg), sk + 32) ||
	    roster_put_member(r, &m))
		abort();
}

/* The newest roster, or the announcement of member 1, as a commit leaves it. */
static void
keep(enum store_kind kind)
{
	struct store_entry e = { .kind = kind, .time = fed.now };
	const uint8_t *id =
	    kind == STORE_ROSTER ? fed.roster->id : fed.keys[1]->id;
	struct store_tx *tx;
	uint64_t seq;

	memcpy(e.id, id, ID_LEN);
	e.note = buf_span(kind == STORE_ROSTER ? &fed.file : &fed.keys_file[1]);
	if (store_begin(store, &tx) || store_append(tx, &e, &seq) ||
	    (kind == STORE_ROSTER
		    ? trust_store_roster(tx, fed.roster, seq)
		    : value_put_u64(tx, seq, "keys/%s", fed.member[1])) ||
	    store_commit(tx))
		abort();
}

static void
test_new_root_loaded(void)
{
	struct trust *t;

	keep(STORE_KEYS);
	t = load();
	ok(trust_keys(t, span_of(fed.member[1])) != NULL,
	    "an announcement is loaded with the store");
	trust_put(t);
	fixture_next_roster(&fed, new_root, fed.member[1]);
	keep(STORE_ROSTER);
	t = load();
	ok(trust_keys(t, span_of(fed.member[1])) == NULL,
	    "but not if its root key has been replaced");
	trust_put(t);
}

static void
test_new_root(void)
{
	struct trust *t = with_keys(with_keys(load(), 0), 1);
	struct trust_who w;

	is_int(who(&w, t, "mycert@my/screen"), TRUST_DEVICE,
	    "a device, to begin with");
	fixture_next_roster(&fed, new_root, fed.member[1]);
	t = with_roster(t);
	is_int(who(&w, t, "mycert@my/screen"), TRUST_NOBODY,
	    "a roster with another root key ends what the last one announced");
	ok(trust_keys(t, span_of(fed.member[1])) == NULL,
	    "so the member has no announcement");
	ok(trust_keys(t, span_of(fed.member[0])) != NULL,
	    "and its neighbour still has");
	trust_put(t);
}

int
main(void)
{
	struct store_options opt = { .map_size = 64 << 20, .readers = 8 };
	char dir[4096];

	fixture_init(&fed, "sg my");
	snprintf(dir, sizeof(dir), "%s/store", scratch());
	if (store_open(&store, dir, &opt, NULL))
		abort();
	test_genesis();
	test_identify();
	test_replace();
	test_rosters();
	test_new_root();
	store_close(store);
	fixture_release(&fed);

	fixture_init(&fed, "sg my");
	snprintf(dir, sizeof(dir), "%s/another", scratch());
	if (store_open(&store, dir, &opt, NULL) ||
	    trust_install_genesis(store, buf_span(&fed.file), fed.now))
		abort();
	test_new_root_loaded();
	store_close(store);
	fixture_release(&fed);
	return tap_done();
}
