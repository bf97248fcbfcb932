/* SPDX-License-Identifier: ISC */
#include "broker/trust.h"

#include "broker/value.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What snapshots share. */
struct shared {
	atomic_uint refs;
	struct roster *roster; /* one of the two */
	struct keys *keys;
};

/* A link key and whose it is; an open hash table, empty where owner is 0. */
struct link_key {
	const uint8_t *key;
	uint32_t owner; /* index in keys, plus 1 */
	uint32_t device;
};

struct trust {
	atomic_uint refs;
	uint8_t genesis[ID_LEN];
	struct trust_chain *chain;
	size_t nchain;
	struct shared *roster;
	struct shared **keys; /* by member */
	size_t nkeys;
	struct link_key *index;
	size_t cap; /* a power of two */
};

struct trust_box {
	pthread_mutex_t lock;
	struct trust *current;
};

/* ---- shared objects ---- */

static struct shared *
shared_new(struct roster *r, struct keys *k)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->roster = r;
	s->keys = k;
	return s;
}

static struct shared *
shared_hold(struct shared *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static void
shared_put(struct shared *s)
{
	if (!s ||
	    atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	roster_free(s->roster);
	keys_free(s->keys);
	free(s);
}

/* ---- the snapshot ---- */

struct trust *
trust_hold(struct trust *t)
{
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
trust_put(struct trust *t)
{
	size_t i;

	if (!t ||
	    atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (i = 0; i < t->nkeys; i++)
		shared_put(t->keys[i]);
	shared_put(t->roster);
	free(t->keys);
	free(t->chain);
	free(t->index);
	free(t);
}

/* Room for so many of each; all of it zero. */
static struct trust *
trust_new(size_t nchain, size_t nkeys)
{
	struct trust *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	t->chain = calloc(nchain + 1, sizeof(*t->chain));
	t->keys = calloc(nkeys + 1, sizeof(struct shared *));
	if (!t->chain || !t->keys) {
		trust_put(t);
		return NULL;
	}
	return t;
}

static size_t
key_hash(const uint8_t key[32])
{
	size_t h;

	memcpy(&h, key, sizeof(h)); /* a public key is random enough */
	return h;
}

static struct link_key *
index_find(const struct trust *t, const uint8_t key[32])
{
	size_t i = key_hash(key) & (t->cap - 1);

	while (t->index[i].owner && memcmp(t->index[i].key, key, 32) != 0)
		i = (i + 1) & (t->cap - 1);
	return &t->index[i];
}

/* The table of link keys: the last step of making a snapshot. */
static bool
index_build(struct trust *t)
{
	size_t n = 0, i, d;

	for (i = 0; i < t->nkeys; i++)
		n += t->keys[i]->keys->ndevice;
	for (t->cap = 16; t->cap < n * 2; t->cap *= 2)
		;
	t->index = calloc(t->cap, sizeof(*t->index));
	if (!t->index)
		return false;
	for (i = 0; i < t->nkeys; i++) {
		const struct keys *k = t->keys[i]->keys;

		for (d = 0; d < k->ndevice; d++)
			*index_find(t, k->device[d].noise) =
			    (struct link_key){ k->device[d].noise,
				    (uint32_t)i + 1, (uint32_t)d };
	}
	return true;
}

/* Where the member's announcement is, or would be inserted. */
static size_t
keys_place(const struct trust *t, struct span member, bool *found)
{
	size_t lo = 0, hi = t->nkeys;

	*found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = span_cmp(span_of(t->keys[mid]->keys->member), member);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A copy with room for one of each more, without an index yet. */
static struct trust *
trust_copy(const struct trust *t)
{
	struct trust *n = trust_new(t->nchain + 1, t->nkeys + 1);
	size_t i;

	if (!n)
		return NULL;
	memcpy(n->genesis, t->genesis, ID_LEN);
	memcpy(n->chain, t->chain, t->nchain * sizeof(*t->chain));
	n->nchain = t->nchain;
	n->roster = shared_hold(t->roster);
	for (i = 0; i < t->nkeys; i++)
		n->keys[i] = shared_hold(t->keys[i]);
	n->nkeys = t->nkeys;
	return n;
}

/* What the old roster stood behind and this one doesn't. */
static void
drop_fallen(struct trust *n, const struct roster *r)
{
	size_t i, kept = 0;

	for (i = 0; i < n->nkeys; i++) {
		if (keys_stand(r, n->keys[i]->keys))
			n->keys[kept++] = n->keys[i];
		else
			shared_put(n->keys[i]);
	}
	n->nkeys = kept;
}

enum tocsin_err
trust_with_roster(struct trust **out, const struct trust *t, struct roster *r)
{
	struct trust *n = trust_copy(t);
	struct shared *s = shared_new(NULL, NULL);

	if (n)
		drop_fallen(n, r);
	if (!n || !s || !index_build(n)) {
		trust_put(n);
		shared_put(s);
		return TOCSIN_EINTERNAL;
	}
	s->roster = r;
	shared_put(n->roster);
	n->roster = s;
	n->chain[n->nchain].serial = r->serial;
	memcpy(n->chain[n->nchain++].id, r->id, ID_LEN);
	*out = n;
	return TOCSIN_OK;
}

/* Puts a shared announcement into its place; there is room. */
static void
keys_insert(struct trust *n, struct shared *s)
{
	bool found;
	size_t at = keys_place(n, span_of(s->keys->member), &found);

	if (found) {
		shared_put(n->keys[at]);
	} else {
		memmove(&n->keys[at + 1], &n->keys[at],
		    (n->nkeys - at) * sizeof(struct shared *));
		n->nkeys++;
	}
	n->keys[at] = s;
}

enum tocsin_err
trust_with_keys(struct trust **out, const struct trust *t, struct keys *k)
{
	struct trust *n = trust_copy(t);
	struct shared *s = n ? shared_new(NULL, k) : NULL;

	if (!s) {
		trust_put(n);
		return TOCSIN_EINTERNAL;
	}
	keys_insert(n, s);
	if (!index_build(n)) {
		s->keys = NULL; /* it stays the caller's */
		trust_put(n);
		return TOCSIN_EINTERNAL;
	}
	*out = n;
	return TOCSIN_OK;
}

/* ---- loading ---- */

static enum tocsin_err
load_chain(struct trust *t, struct store_rx *rx, uint64_t serial)
{
	enum tocsin_err err;
	struct store_entry e;
	struct roster *r = NULL;
	uint64_t s, seq;

	for (s = 1; s <= serial; s++) {
		err = value_get_u64(rx, &seq, "roster/%" PRIu64, s);
		if (!err)
			err = store_get(rx, seq, &e);
		if (err)
			return err;
		t->chain[t->nchain].serial = s;
		memcpy(t->chain[t->nchain++].id, e.id, ID_LEN);
	}
	err = roster_parse(&r, e.note);
	if (err)
		return err;
	t->roster = shared_new(r, NULL);
	if (!t->roster)
		roster_free(r);
	return t->roster ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static enum tocsin_err
load_keys(struct trust *t, struct store_rx *rx, const char *member)
{
	struct keys *k = NULL;
	struct store_entry e;
	enum tocsin_err err;
	uint64_t seq;

	err = value_get_u64(rx, &seq, "keys/%s", member);
	if (err || seq == 0)
		return err;
	err = store_get(rx, seq, &e);
	if (!err)
		err = keys_parse(&k, e.note);
	if (err)
		return err;
	if (!keys_stand(t->roster->roster, k)) {
		keys_free(k);
		return TOCSIN_OK;
	}
	t->keys[t->nkeys] = shared_new(NULL, k);
	if (!t->keys[t->nkeys]) {
		keys_free(k);
		return TOCSIN_EINTERNAL;
	}
	t->nkeys++;
	return TOCSIN_OK;
}

static enum tocsin_err
load(struct trust **out, struct store_rx *rx, uint64_t serial,
    struct span genesis)
{
	struct trust *t = trust_new(serial, 0);
	enum tocsin_err err;
	const struct roster *r;
	size_t i;

	if (!t)
		return TOCSIN_EINTERNAL;
	*out = t;
	memcpy(t->genesis, genesis.p, ID_LEN);
	err = load_chain(t, rx, serial);
	if (err)
		return err;
	r = t->roster->roster;
	free(t->keys);
	t->keys = calloc(r->nmember + 1, sizeof(struct shared *));
	if (!t->keys)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < r->nmember && !err; i++)
		err = load_keys(t, rx, r->member[i].name);
	if (!err && !index_build(t))
		err = TOCSIN_EINTERNAL;
	return err;
}

enum tocsin_err
trust_load(struct trust **out, struct store_rx *rx)
{
	struct trust *t = NULL;
	struct span genesis;
	enum tocsin_err err;
	uint64_t serial;

	err = value_get(rx, &genesis, "genesis");
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_EROSTERUNKNOWN;
	if (!err)
		err = value_get_u64(rx, &serial, "roster/current");
	if (err)
		return err;
	if (genesis.n != ID_LEN || serial == 0)
		return TOCSIN_EINTERNAL;
	err = load(&t, rx, serial, genesis);
	if (err)
		trust_put(t);
	else
		*out = t;
	return err;
}

enum tocsin_err
trust_store_roster(struct store_tx *tx, const struct roster *r, uint64_t seq)
{
	enum tocsin_err err = TOCSIN_OK;

	if (r->serial == 1)
		err = value_put(tx, SPAN(r->id), "genesis");
	if (!err)
		err = value_put_u64(tx, seq, "roster/%" PRIu64, r->serial);
	if (!err)
		err = value_put_u64(tx, r->serial, "roster/current");
	return err;
}

static enum tocsin_err
write_genesis(struct store_tx *tx, const struct roster *r, int64_t now)
{
	struct store_entry e = { .kind = STORE_ROSTER, .time = now };
	struct span had;
	enum tocsin_err err;
	uint64_t seq;

	err = value_get(store_tx_view(tx), &had, "genesis");
	if (err != TOCSIN_ENOTFOUND)
		return err ? err
			   : (span_eq(had, SPAN(r->id))
				     ? TOCSIN_EDUPLICATE
				     : TOCSIN_ECHAINCONFLICT);
	memcpy(e.id, r->id, ID_LEN);
	e.note = r->whole;
	err = store_append(tx, &e, &seq);
	if (!err)
		err = store_mail(tx, span_of("*"), seq);
	if (!err)
		err = trust_store_roster(tx, r, seq);
	return err;
}

enum tocsin_err
trust_install_genesis(struct store *s, struct span file, int64_t now)
{
	struct store_tx *tx = NULL;
	struct roster *r = NULL;
	enum tocsin_err err;

	err = roster_parse(&r, file);
	if (!err)
		err = roster_accept(NULL, r, now);
	if (!err)
		err = store_begin(s, &tx);
	if (err)
		goto out;
	err = write_genesis(tx, r, now);
	if (!err)
		err = store_commit(tx);
	else
		store_abort(tx);
out:
	roster_free(r);
	return err;
}

/* ---- questions ---- */

const struct roster *
trust_roster(const struct trust *t)
{
	return t->roster->roster;
}

const uint8_t *
trust_genesis(const struct trust *t)
{
	return t->genesis;
}

const struct keys *
trust_keys(const struct trust *t, struct span member)
{
	bool found;
	size_t at = keys_place(t, member, &found);

	return found ? t->keys[at]->keys : NULL;
}

/* Serials are 1, 2, 3 and so on: the chain is its own index. */
bool
trust_in_chain(void *arg, uint64_t serial, const uint8_t id[ID_LEN])
{
	const struct trust *t = arg;

	return serial >= 1 && serial <= t->nchain &&
	       memcmp(t->chain[serial - 1].id, id, ID_LEN) == 0;
}

bool
trust_link_owner(
    const struct trust *t, const uint8_t noise[32], struct span *member)
{
	const struct link_key *l = index_find(t, noise);

	if (l->owner)
		*member = span_of(t->keys[l->owner - 1]->keys->member);
	return l->owner != 0;
}

static void
copy_name(char *out, size_t size, struct span s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

static void
identify_device(struct trust_who *who, const struct trust *t,
    const struct link_key *l, int64_t now)
{
	const struct roster *r = t->roster->roster;
	const struct keys *k = t->keys[l->owner - 1]->keys;
	const struct keys_device *d = &k->device[l->device];
	struct span member = span_of(k->member);
	const struct roster_member *m = roster_member(r, member);

	if (!m || m->suspended || roster_key_at(r, &d->sign, now))
		return;
	who->kind = TRUST_DEVICE;
	who->role = d->role;
	copy_name(who->member, sizeof(who->member), member);
	copy_name(who->device, sizeof(who->device), span_of(d->name));
	copy_name(who->nation, sizeof(who->nation), member_nation(member));
	copy_name(who->exercise, sizeof(who->exercise), span_of(d->exercise));
	mailbox_name(who->mailbox, member, span_of(d->exercise));
}

void
trust_identify(struct trust_who *out, const struct trust *t,
    const uint8_t noise[32], int64_t now)
{
	const struct link_key *l = index_find(t, noise);
	const struct roster_broker *b;

	memset(out, 0, sizeof(*out));
	b = roster_broker_by_noise(t->roster->roster, noise);
	if (b) {
		out->kind = TRUST_BROKER;
		copy_name(out->broker, sizeof(out->broker), span_of(b->name));
		copy_name(out->nation, sizeof(out->nation), span_of(b->nation));
	} else if (l->owner) {
		identify_device(out, t, l, now);
	}
}

/* ---- the box ---- */

struct trust_box *
trust_box_new(void)
{
	struct trust_box *box = calloc(1, sizeof(*box));

	if (box)
		pthread_mutex_init(&box->lock, NULL);
	return box;
}

void
trust_box_free(struct trust_box *box)
{
	if (!box)
		return;
	trust_put(box->current);
	pthread_mutex_destroy(&box->lock);
	free(box);
}

struct trust *
trust_get(struct trust_box *box)
{
	struct trust *t;

	pthread_mutex_lock(&box->lock);
	t = trust_hold(box->current);
	pthread_mutex_unlock(&box->lock);
	return t;
}

void
trust_publish(struct trust_box *box, struct trust *t)
{
	struct trust *old;

	pthread_mutex_lock(&box->lock);
	old = box->current;
	box->current = t;
	pthread_mutex_unlock(&box->lock);
	trust_put(old);
}
