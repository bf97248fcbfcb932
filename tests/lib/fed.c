/* SPDX-License-Identifier: ISC */
#include "tests/lib/fed.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
must(bool good, const char *what)
{
	if (good)
		return;
	printf("Bail out! fed: %s\n", what);
	fflush(stdout);
	abort();
}

static void
seed(uint8_t out[32], const char *role, const char *name)
{
	crypto_hash_sha256_state st;

	must(sodium_init() >= 0, "sodium_init");
	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)role, strlen(role));
	crypto_hash_sha256_update(&st, (const uint8_t *)name, strlen(name));
	crypto_hash_sha256_final(&st, out);
}

struct signer
signer(const char *name)
{
	struct signer s;
	uint8_t pk[32], bytes[32];

	seed(bytes, "sign ", name);
	crypto_sign_seed_keypair(pk, s.sk, bytes);
	must(vkey_make(&s.vkey, span_of(name), pk) == TOCSIN_OK, name);
	return s;
}

void
x25519_pair(uint8_t pk[32], uint8_t sk[32], const char *name)
{
	seed(sk, "x25519 ", name);
	crypto_scalarmult_base(pk, sk);
}

static void
put_broker(struct roster *r, const char *name)
{
	struct roster_broker b = { 0 };
	char key[KEYNAME_MAX + 1];
	uint8_t sk[32];

	snprintf(b.name, sizeof(b.name), "%s", name);
	snprintf(b.nation, sizeof(b.nation), "%s", name);
	x25519_pair(b.noise, sk, name);
	snprintf(key, sizeof(key), "%s/log", name);
	b.log = signer(key).vkey;
	snprintf(key, sizeof(key), "%s/sign", name);
	b.sign = signer(key).vkey;
	snprintf(b.rpc, sizeof(b.rpc), "tcp://%s.example:4700", name);
	snprintf(b.relay, sizeof(b.relay), "tcp://%s.example:4701", name);
	must(roster_put_broker(r, &b) == TOCSIN_OK, name);
}

static void
put_member(struct roster *r, const char *name)
{
	struct roster_member m = { .root = signer(name).vkey };

	snprintf(m.name, sizeof(m.name), "%s", name);
	must(roster_put_member(r, &m) == TOCSIN_OK, name);
}

static void
put_authority(struct roster *r, const char *name)
{
	struct roster_authority a = { .key = signer(name).vkey };

	must(roster_put_authority(r, &a) == TOCSIN_OK, name);
}

struct roster *
fed_fields(void)
{
	struct roster *r = roster_new();

	must(r != NULL, "memory");
	snprintf(r->federation, sizeof(r->federation), FED);
	r->serial = 1;
	r->issued = FED_NOW - FED_DAY;
	r->expires = FED_NOW + 90 * FED_DAY;
	r->threshold = 2;
	/* Not in order: the roster sorts. */
	put_authority(r, "cc");
	put_authority(r, "aa");
	put_authority(r, "bb");
	put_broker(r, "sg");
	put_broker(r, "my");
	put_member(r, "singcert@sg");
	put_member(r, "mycert@my");
	return r;
}

struct roster *
fed_next(const struct roster *cur)
{
	struct roster *r = NULL;

	must(roster_parse(&r, cur->text) == TOCSIN_OK, "the current roster");
	r->serial++;
	r->has_previous = true;
	memcpy(r->previous, cur->id, ID_LEN);
	return r;
}

struct buf
fed_print(const struct roster *r)
{
	struct buf b = { 0 };

	roster_print(&b, r);
	must(buf_ok(&b), "memory");
	return b;
}

struct buf
fed_sign(struct span text, ...)
{
	struct buf b = { 0 }, more;
	const char *name;
	struct note n;
	va_list ap;

	buf_add(&b, text);
	va_start(ap, text);
	while ((name = va_arg(ap, const char *)) != NULL) {
		struct signer s = signer(name);

		more = (struct buf){ 0 };
		must(note_parse_draft(&n, buf_span(&b), SIZE_MAX) == 0,
		    "a text to sign");
		must(note_add(&more, &n, span_of(name), s.sk) == 0, name);
		buf_release(&b);
		b = more;
	}
	va_end(ap);
	return b;
}

struct roster *
fed_roster(void)
{
	struct roster *fields = fed_fields(), *r = NULL;
	struct buf text = fed_print(fields);
	struct buf file = fed_sign(buf_span(&text), "aa", "bb", NULL);

	must(roster_parse(&r, buf_span(&file)) == TOCSIN_OK, "the roster");
	buf_release(&text);
	buf_release(&file);
	roster_free(fields);
	return r;
}

static void
put_device(struct keys *k, const char *name, enum keys_role role)
{
	struct keys_device *d = &k->device[k->ndevice++];
	char whole[KEYNAME_MAX + 1];
	uint8_t sk[32];

	snprintf(d->name, sizeof(d->name), "%s", name);
	d->role = role;
	snprintf(whole, sizeof(whole), "%s/%s", k->member, name);
	d->sign = signer(whole).vkey;
	x25519_pair(d->noise, sk, whole);
}

static void
put_recipient(struct keys *k, const char *epoch, int64_t from, int64_t to)
{
	struct keys_recipient *r = &k->recipient[k->nrecipient++];
	char whole[KEYNAME_MAX + 1];
	uint8_t sk[32];

	snprintf(r->epoch, sizeof(r->epoch), "%s", epoch);
	snprintf(whole, sizeof(whole), "%s %s", k->member, epoch);
	x25519_pair(r->pk, sk, whole);
	r->notbefore = from;
	r->notafter = to;
}

struct keys *
fed_keys_fields(const char *member)
{
	struct keys *k = calloc(1, sizeof(*k));

	must(k != NULL, "memory");
	snprintf(k->federation, sizeof(k->federation), FED);
	snprintf(k->member, sizeof(k->member), "%s", member);
	k->serial = 1;
	k->issued = FED_NOW - FED_DAY;
	k->expires = k->issued + 60 * FED_DAY;
	put_device(k, "desk1", KEYS_OFFICER);
	put_device(k, "escalator", KEYS_BOT);
	put_device(k, "wall", KEYS_READER);
	put_recipient(k, "2026-11", k->issued, FED_NOW + 20 * FED_DAY);
	put_recipient(
	    k, "2026-12", FED_NOW + 10 * FED_DAY, FED_NOW + 50 * FED_DAY);
	return k;
}

struct keys *
fed_keys(const char *member)
{
	struct keys *fields = fed_keys_fields(member), *k = NULL;
	struct buf text = { 0 }, file;

	keys_print(&text, fields);
	file = fed_sign(buf_span(&text), member, NULL);
	must(keys_parse(&k, buf_span(&file)) == TOCSIN_OK, member);
	buf_release(&text);
	buf_release(&file);
	keys_free(fields);
	return k;
}

struct buf
edit(struct span text, const char *from, const char *to)
{
	const uint8_t *at = memmem(text.p, text.n, from, strlen(from));
	struct buf b = { 0 };
	size_t n;

	must(at != NULL, from);
	n = (size_t)(at - text.p);
	buf_add(&b, span_cut(text, 0, n));
	buf_addz(&b, to);
	buf_add(&b, span_cut(text, n + strlen(from), text.n));
	return b;
}
