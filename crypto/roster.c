/* SPDX-License-Identifier: ISC */
#include "crypto/roster.h"
#include "crypto/pubkey.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "roster/v1";

/* ---- sorted arrays: every item begins with its name ---- */

/* Where `name` is in an array of items, or would be. */
static size_t
place(const void *base, size_t n, size_t size, struct span name)
{
	const char *items = base;
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (span_cmp(span_of(items + mid * size), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const void *
find(const void *base, size_t n, size_t size, struct span name)
{
	size_t at = place(base, n, size, name);
	const char *item = (const char *)base + at * size;

	return at < n && span_is(name, item) ? item : NULL;
}

/*
 * Make room for one item at `at`. An array has room for the next power of two,
 * so it is full when its count is one. NULL: no memory, and nothing changed.
 */
static void *
open_slot(void *base, size_t *n, size_t size, size_t at)
{
	char *items = base;

	if ((*n & (*n - 1)) == 0) {
		items = realloc(base, (*n > 0 ? *n * 2 : 1) * size);
		if (items == NULL)
			return NULL;
	}
	memmove(items + (at + 1) * size, items + at * size, (*n - at) * size);
	++*n;
	return items;
}

#define PUT(array, count, item, at, hit)                                \
	do {                                                            \
		if (!(hit)) {                                           \
			void *base_ = open_slot(                        \
			    (array), &(count), sizeof(*(array)), (at)); \
			if (base_ == NULL)                              \
				return TOCSIN_EINTERNAL;                \
			(array) = base_;                                \
		}                                                       \
		(array)[at] = *(item);                                  \
		return TOCSIN_OK;                                       \
	} while (0)

enum tocsin_err
roster_put_authority(struct roster *r, const struct roster_authority *a)
{
	struct span name = span_of(a->key.name);
	size_t at = place(r->authority, r->nauthority, sizeof(*a), name);
	bool hit = at < r->nauthority &&
		   strcmp(r->authority[at].key.name, a->key.name) == 0;

	if (!hit && r->nauthority == ROSTER_AUTHORITIES)
		return TOCSIN_ETOOLARGE;
	PUT(r->authority, r->nauthority, a, at, hit);
}

enum tocsin_err
roster_put_broker(struct roster *r, const struct roster_broker *b)
{
	size_t at = place(r->broker, r->nbroker, sizeof(*b), span_of(b->name));
	bool hit = at < r->nbroker && strcmp(r->broker[at].name, b->name) == 0;

	PUT(r->broker, r->nbroker, b, at, hit);
}

enum tocsin_err
roster_put_member(struct roster *r, const struct roster_member *m)
{
	size_t at = place(r->member, r->nmember, sizeof(*m), span_of(m->name));
	bool hit = at < r->nmember && strcmp(r->member[at].name, m->name) == 0;

	PUT(r->member, r->nmember, m, at, hit);
}

/* The revocations of one name stand together, by key id. */
static size_t
place_revoked(const struct roster *r, struct span name,
    const uint8_t id[KEYID_LEN], bool *hit)
{
	size_t at = place(r->revoked, r->nrevoked, sizeof(*r->revoked), name);

	while (at < r->nrevoked && span_is(name, r->revoked[at].name) &&
	       memcmp(r->revoked[at].id, id, KEYID_LEN) < 0)
		at++;
	*hit = at < r->nrevoked && span_is(name, r->revoked[at].name) &&
	       memcmp(r->revoked[at].id, id, KEYID_LEN) == 0;
	return at;
}

enum tocsin_err
roster_put_revoked(struct roster *r, const struct roster_revoked *v)
{
	bool hit;
	size_t at = place_revoked(r, span_of(v->name), v->id, &hit);

	PUT(r->revoked, r->nrevoked, v, at, hit);
}

/* ---- lookups ---- */

const struct roster_member *
roster_member(const struct roster *r, struct span name)
{
	return find(r->member, r->nmember, sizeof(*r->member), name);
}

const struct roster_broker *
roster_broker(const struct roster *r, struct span name)
{
	return find(r->broker, r->nbroker, sizeof(*r->broker), name);
}

const struct roster_broker *
roster_broker_by_noise(const struct roster *r, const uint8_t key[32])
{
	size_t i;

	for (i = 0; i < r->nbroker; i++)
		if (memcmp(r->broker[i].noise, key, 32) == 0)
			return &r->broker[i];
	return NULL;
}

const struct roster_broker *
roster_broker_of(const struct roster *r, struct span nation, size_t i)
{
	size_t at;

	for (at = 0; at < r->nbroker; at++)
		if (span_is(nation, r->broker[at].nation) && i-- == 0)
			return &r->broker[at];
	return NULL;
}

/* The one key that may have this name: names tell the roles apart. */
static const struct vkey *
key_named(const struct roster *r, struct span name)
{
	struct span base = device_member(name), part = device_label(name);
	const struct roster_authority *a;
	const struct roster_broker *b;
	const struct roster_member *m;

	if (base.n > 0) {
		b = roster_broker(r, base);
		if (b != NULL && span_is(part, "log"))
			return &b->log;
		return b != NULL && span_is(part, "sign") ? &b->sign : NULL;
	}
	m = roster_member(r, name);
	if (m != NULL)
		return &m->root;
	a = find(r->authority, r->nauthority, sizeof(*a), name);
	return a != NULL ? &a->key : NULL;
}

const struct vkey *
roster_key(
    const struct roster *r, struct span name, const uint8_t id[KEYID_LEN])
{
	const struct vkey *k = key_named(r, name);

	return k != NULL && memcmp(k->id, id, KEYID_LEN) == 0 ? k : NULL;
}

const struct roster_revoked *
roster_revoked(
    const struct roster *r, struct span keyname, const uint8_t id[KEYID_LEN])
{
	bool hit;
	size_t at = place_revoked(r, keyname, id, &hit);

	return hit ? &r->revoked[at] : NULL;
}

enum tocsin_err
roster_key_at(const struct roster *r, const struct vkey *key, int64_t at)
{
	const struct roster_revoked *v =
	    roster_revoked(r, span_of(key->name), key->id);

	return v != NULL && at >= v->time ? TOCSIN_EREVOKED : TOCSIN_OK;
}

bool
roster_expired(const struct roster *r, int64_t now)
{
	return now >= r->expires;
}

/* ---- reading and printing ---- */

bool
name_authority(struct span s)
{
	return name_exercise(s); /* the same characters and length */
}

static bool
any_name(struct span s)
{
	return s.n > 0;
}

/* A signing key that must be called `name` and `suffix`. */
static void
read_vkey(struct text *t, struct span f, struct vkey *out, const char *name,
    const char *suffix)
{
	size_t n = strlen(name);

	memset(out, 0, sizeof(*out));
	text_check(t, f.n > 0 && vkey_parse(out, f) == TOCSIN_OK);
	text_check(t, out->type == VKEY_ED25519 &&
			  strncmp(out->name, name, n) == 0 &&
			  strcmp(out->name + n, suffix) == 0);
}

static void
read_noise(struct text *t, struct span f, uint8_t out[32])
{
	text_id(t, f, out); /* 32 bytes as base64, like an id */
	text_check(t, !t->bad && pubkey_x25519_ok(out));
}

void
roster_read_broker(struct text *t, struct roster_broker *out)
{
	struct span f[7];

	memset(out, 0, sizeof(*out));
	text_line(t, "broker", 7, f);
	text_copy(t, f[0], name_broker, out->name, sizeof(out->name));
	text_copy(t, f[1], name_nation, out->nation, sizeof(out->nation));
	read_noise(t, f[2], out->noise);
	read_vkey(t, f[3], &out->log, out->name, "/log");
	read_vkey(t, f[4], &out->sign, out->name, "/sign");
	text_copy(t, f[5], name_url_opt, out->rpc, sizeof(out->rpc));
	text_copy(t, f[6], name_url_opt, out->relay, sizeof(out->relay));
}

void
roster_print_broker(struct buf *b, const struct roster_broker *in)
{
	buf_addf(b, "broker %s %s ", in->name, in->nation);
	buf_base64(b, SPAN(in->noise));
	buf_addz(b, " ");
	vkey_print(b, &in->log);
	buf_addz(b, " ");
	vkey_print(b, &in->sign);
	buf_addf(b, " %s %s\n", in->rpc, in->relay);
}

static void
read_authority(struct text *t, struct roster_authority *out)
{
	struct span f;

	text_line(t, "authority", 1, &f);
	memset(out, 0, sizeof(*out));
	text_check(t, f.n > 0 && vkey_parse(&out->key, f) == TOCSIN_OK);
	text_check(t, out->key.type == VKEY_ED25519 &&
			  name_authority(span_of(out->key.name)));
}

static const char *const standings[] = { "active", "suspended", NULL };

static void
read_member(struct text *t, struct roster_member *out)
{
	struct span f[3];

	text_line(t, "member", 3, f);
	text_copy(t, f[0], name_member, out->name, sizeof(out->name));
	out->suspended = text_word(t, f[1], standings) == 1;
	read_vkey(t, f[2], &out->root, out->name, "");
}

static void
read_revoked(struct text *t, struct roster_revoked *out)
{
	struct span f[4];
	char hex[2 * KEYID_LEN + 1];

	text_line(t, "revoked", 4, f);
	text_copy(t, f[0], any_name, out->name, sizeof(out->name));
	text_check(
	    t, f[1].n == 2 * KEYID_LEN &&
		   sodium_hex2bin(out->id, KEYID_LEN, (const char *)f[1].p,
		       f[1].n, NULL, NULL, NULL) == 0);
	if (!t->bad)
		sodium_bin2hex(hex, sizeof(hex), out->id, KEYID_LEN);
	text_check(t, !t->bad && span_is(f[1], hex)); /* lower case */
	out->time = text_time(t, f[2]);
	text_copy(t, f[3], name_token, out->reason, sizeof(out->reason));
}

/*
 * A list of one key. Each line must sort after the one before; a name that
 * comes twice would replace its elder, and then the text does not print back.
 */
#define READ_LIST(t, key, r, type, read, put, err)               \
	do {                                                     \
		struct span last_ = { 0 };                       \
		type item_;                                      \
                                                                 \
		while ((err) == TOCSIN_OK && text_has(t, key)) { \
			read(t, &item_);                         \
			text_ascend(t, &last_);                  \
			if (!(t)->bad)                           \
				(err) = put(r, &item_);          \
		}                                                \
	} while (0)

static enum tocsin_err
read_roster(struct roster *r, struct span bytes)
{
	struct text t = text_init(bytes);
	enum tocsin_err err = TOCSIN_OK;
	struct span f;
	uint64_t k;

	text_head(&t, head, r->federation);
	text_line(&t, "serial", 1, &f);
	r->serial = text_u64(&t, f);
	text_line(&t, "previous", 1, &f);
	r->has_previous = text_id_opt(&t, f, r->previous);
	text_line(&t, "issued", 1, &f);
	r->issued = text_time(&t, f);
	text_line(&t, "expires", 1, &f);
	r->expires = text_time(&t, f);
	text_line(&t, "threshold", 1, &f);
	k = text_u64(&t, f);
	r->threshold = k <= ROSTER_AUTHORITIES ? (unsigned)k : 0;

	READ_LIST(&t, "authority", r, struct roster_authority, read_authority,
	    roster_put_authority, err);
	READ_LIST(&t, "broker", r, struct roster_broker, roster_read_broker,
	    roster_put_broker, err);
	READ_LIST(&t, "member", r, struct roster_member, read_member,
	    roster_put_member, err);
	READ_LIST(&t, "revoked", r, struct roster_revoked, read_revoked,
	    roster_put_revoked, err);
	if (err)
		return err;
	return text_result(&t);
}

static void
print_head(struct buf *b, const struct roster *r)
{
	buf_addf(b, "%s/%s\nserial %" PRIu64 "\nprevious ", r->federation, head,
	    r->serial);
	text_put_id(b, r->has_previous ? r->previous : NULL);
	buf_addz(b, "\nissued ");
	text_put_time(b, r->issued);
	buf_addz(b, "\nexpires ");
	text_put_time(b, r->expires);
	buf_addf(b, "\nthreshold %u\n", r->threshold);
}

static void
print_revoked(struct buf *b, const struct roster_revoked *v)
{
	char hex[2 * KEYID_LEN + 1];

	sodium_bin2hex(hex, sizeof(hex), v->id, KEYID_LEN);
	buf_addf(b, "revoked %s %s ", v->name, hex);
	text_put_time(b, v->time);
	buf_addf(b, " %s\n", v->reason);
}

void
roster_print(struct buf *b, const struct roster *r)
{
	size_t i;

	print_head(b, r);
	for (i = 0; i < r->nauthority; i++) {
		buf_addz(b, "authority ");
		vkey_print(b, &r->authority[i].key);
		buf_addz(b, "\n");
	}
	for (i = 0; i < r->nbroker; i++)
		roster_print_broker(b, &r->broker[i]);
	for (i = 0; i < r->nmember; i++) {
		buf_addf(b, "member %s %s ", r->member[i].name,
		    standings[r->member[i].suspended]);
		vkey_print(b, &r->member[i].root);
		buf_addz(b, "\n");
	}
	for (i = 0; i < r->nrevoked; i++)
		print_revoked(b, &r->revoked[i]);
}

/* ---- what a roster can be wrong about by itself ---- */

static enum tocsin_err
one_key_one_role(const struct roster *r)
{
	struct keyset s = { 0 };
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < r->nauthority; i++)
		keyset_ed25519(&s, r->authority[i].key.pk);
	for (i = 0; i < r->nbroker; i++) {
		keyset_x25519(&s, r->broker[i].noise);
		keyset_ed25519(&s, r->broker[i].log.pk);
		keyset_ed25519(&s, r->broker[i].sign.pk);
	}
	for (i = 0; i < r->nmember; i++)
		keyset_ed25519(&s, r->member[i].root.pk);
	err = keyset_distinct(&s);
	keyset_release(&s);
	return err;
}

static bool
uses_revoked(const struct roster *r)
{
	size_t i;

	for (i = 0; i < r->nrevoked; i++)
		if (roster_key(r, span_of(r->revoked[i].name),
			r->revoked[i].id) != NULL)
			return true;
	return false;
}

static bool
is_sound(const struct roster *r)
{
	return r->serial >= 1 && r->has_previous == (r->serial > 1) &&
	       r->expires > r->issued && r->threshold <= r->nauthority &&
	       2 * (size_t)r->threshold > r->nauthority && !uses_revoked(r);
}

/* One encoding per value: the fields print back to the bytes. */
static enum tocsin_err
prints_back(const struct roster *r)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	roster_print(&b, r);
	if (!buf_ok(&b))
		err = TOCSIN_EINTERNAL;
	else if (!span_eq(buf_span(&b), r->text))
		err = TOCSIN_EMALFORMED;
	buf_release(&b);
	return err;
}

struct roster *
roster_new(void)
{
	return calloc(1, sizeof(struct roster));
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	free(r->authority);
	free(r->broker);
	free(r->member);
	free(r->revoked);
	free((void *)(uintptr_t)r->whole.p);
	free(r);
}

/* Our own copy of the bytes. */
static enum tocsin_err
keep(struct roster *r, const struct note *n)
{
	uint8_t *copy = malloc(n->whole.n);

	if (copy == NULL)
		return TOCSIN_EINTERNAL;
	memcpy(copy, n->whole.p, n->whole.n);
	r->whole = (struct span){ copy, n->whole.n };
	r->text = (struct span){ copy, n->text.n };
	note_id(r->id, r->text);
	return TOCSIN_OK;
}

enum tocsin_err
roster_parse(struct roster **out, struct span file)
{
	struct roster *r = NULL;
	enum tocsin_err err;
	struct note n;

	err = note_parse_draft(&n, file, ROSTER_TEXT_MAX);
	if (err)
		return err;
	r = roster_new();
	if (r == NULL)
		return TOCSIN_EINTERNAL;
	err = keep(r, &n);
	if (err)
		goto out;
	err = read_roster(r, r->text);
	if (err)
		goto out;
	err = prints_back(r);
	if (err)
		goto out;
	err = is_sound(r) ? one_key_one_role(r) : TOCSIN_EMALFORMED;
out:
	if (err)
		roster_free(r);
	else
		*out = r;
	return err;
}

/* ---- who signed, and what may follow what ---- */

/*
 * Enough authorities of `by` signed `n`. Their names and keys are distinct, so
 * a valid line each is a signer each. The word of a key that `next` revokes no
 * longer counts.
 */
static enum tocsin_err
enough(const struct roster *by, const struct roster *next, const struct note *n)
{
	unsigned signers = 0;
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < by->nauthority; i++) {
		const struct vkey *k = &by->authority[i].key;

		if (roster_revoked(next, span_of(k->name), k->id) != NULL)
			continue;
		err = note_verify(n, k);
		if (err == TOCSIN_OK)
			signers++;
		else if (err != TOCSIN_ENOTFOUND)
			return err;
	}
	return signers >= by->threshold ? TOCSIN_OK : TOCSIN_EBADSIGNATURE;
}

static enum tocsin_err
check_signed(const struct roster *cur, const struct roster *next, int64_t now)
{
	enum tocsin_err err;
	struct note n;

	err = note_parse_draft(&n, next->whole, ROSTER_TEXT_MAX);
	if (err == TOCSIN_OK && cur != NULL)
		err = enough(cur, next, &n);
	if (err == TOCSIN_OK)
		err = enough(next, next, &n);
	if (err == TOCSIN_OK && next->issued > now + CLOCK_SKEW)
		err = TOCSIN_ECLOCKSKEW;
	return err;
}

enum tocsin_err
roster_check(const struct roster *r, int64_t now)
{
	return check_signed(NULL, r, now);
}

enum tocsin_err
roster_accept(const struct roster *cur, const struct roster *next, int64_t now)
{
	enum tocsin_err err;

	if (cur == NULL && next->serial != 1)
		return TOCSIN_EROSTERUNKNOWN;
	if (cur == NULL)
		return check_signed(NULL, next, now);
	if (strcmp(cur->federation, next->federation) != 0)
		return TOCSIN_EROSTERUNKNOWN;
	if (next->serial < cur->serial ||
	    memcmp(next->id, cur->id, ID_LEN) == 0)
		return TOCSIN_EDUPLICATE;
	if (next->serial > cur->serial + 1)
		return TOCSIN_EROSTERUNKNOWN;
	/* Signatures first: an alarm is not for anyone to raise. */
	err = check_signed(cur, next, now);
	if (err)
		return err;
	if (next->serial == cur->serial ||
	    memcmp(next->previous, cur->id, ID_LEN) != 0)
		return TOCSIN_ECHAINCONFLICT;
	return TOCSIN_OK;
}

/* ---- what people compare ---- */

void
roster_fingerprint(char out[ROSTER_FINGERPRINT + 1], const struct roster *r)
{
	uint8_t hash[64];
	size_t i, j;

	crypto_hash_sha512(hash, r->text.p, r->text.n);
	for (i = 0; i < 12; i++) {
		uint64_t v = 0;

		for (j = 0; j < 5; j++)
			v = v << 8 | hash[i * 5 + j];
		v %= 100000;
		for (j = 5; j-- > 0; v /= 10)
			out[i * 6 + j] = (char)('0' + v % 10);
		out[i * 6 + 5] = i < 11 ? ' ' : '\0';
	}
}

bool
roster_fingerprint_is(const struct roster *r, struct span typed)
{
	char want[ROSTER_FINGERPRINT + 1];
	const char *at = want;
	size_t i;

	roster_fingerprint(want, r);
	for (i = 0; i < typed.n; i++) {
		if (typed.p[i] == ' ' || typed.p[i] == '-')
			continue;
		at += *at == ' ';
		if (*at == '\0' || typed.p[i] != (uint8_t)*at++)
			return false;
	}
	return *at == '\0';
}
