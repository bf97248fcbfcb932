/* SPDX-License-Identifier: ISC */
#include "broker/identity.h"

#include "broker/file.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HEAD "tocsin-broker-key/v1"
#define KEY_FILE_MAX 512

static const char *const roles[] = { "noise", "log", "sign" };

enum { ROLE_NOISE, ROLE_LOG, ROLE_SIGN, ROLES };

static void
key_path(char out[IDENTITY_WHY], const char *keys, const char *role)
{
	snprintf(out, IDENTITY_WHY, "%s/%s.key", keys, role);
}

/* ---- one key ---- */

static enum tocsin_err
write_key(const char *path, const char *name, const char *role)
{
	struct secret *seed = secret_new(32);
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (!seed)
		return TOCSIN_EINTERNAL;
	randombytes_buf(secret_bytes(seed), 32);
	buf_addf(&b, "%s\nname %s/%s\nkey ", HEAD, name, role);
	buf_base64(&b, secret_span(seed));
	buf_addz(&b, "\n");
	if (buf_ok(&b))
		err = file_write_new(path, buf_span(&b), 0600);
	buf_release(&b);
	secret_free(seed);
	return err;
}

static enum tocsin_err
parse_key(
    struct secret *seed, struct span file, const char *name, const char *role)
{
	char want[LABEL_MAX + 8];
	struct text t = text_init(file);
	struct span f;

	snprintf(want, sizeof(want), "%s/%s", name, role);
	text_line(&t, HEAD, 0, NULL);
	text_line(&t, "name", 1, &f);
	text_check(&t, span_is(f, want));
	text_line(&t, "key", 1, &f);
	text_id(&t, f, secret_bytes(seed));
	return text_done(&t) ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

static enum tocsin_err
read_key(
    struct secret **out, const char *path, const char *name, const char *role)
{
	struct secret *seed = secret_new(32);
	struct buf b = { 0 };
	enum tocsin_err err;

	if (!seed)
		return TOCSIN_EINTERNAL;
	err = file_read_private(path, KEY_FILE_MAX, &b);
	if (!err) {
		errno = 0;
		err = parse_key(seed, buf_span(&b), name, role);
	}
	buf_release(&b);
	if (err)
		secret_free(seed);
	else
		*out = seed;
	return err;
}

/* The whole of an Ed25519 key from its seed, which is freed. */
static enum tocsin_err
expand(struct secret **key, struct vkey *public, const char *name,
    const char *role)
{
	struct secret *sk = secret_new(64);
	char keyname[KEYNAME_MAX + 1];
	uint8_t pk[32];

	if (!sk)
		return TOCSIN_EINTERNAL;
	crypto_sign_seed_keypair(pk, secret_bytes(sk), secret_bytes(*key));
	secret_free(*key);
	*key = sk;
	snprintf(keyname, sizeof(keyname), "%s/%s", name, role);
	return vkey_make(public, span_of(keyname), pk);
}

/* ---- all three ---- */

enum tocsin_err
identity_create(const char *keys, const char *name, char why[IDENTITY_WHY])
{
	enum tocsin_err err;
	size_t i;

	snprintf(why, IDENTITY_WHY, "%s", keys);
	err = folder_private(keys);
	for (i = 0; i < ROLES && !err; i++) {
		key_path(why, keys, roles[i]);
		err = write_key(why, name, roles[i]);
	}
	return err;
}

enum tocsin_err
identity_open(struct identity *out, const char *keys, const char *name,
    char why[IDENTITY_WHY])
{
	struct identity id = { 0 };
	struct secret **key[ROLES] = { &id.noise, &id.log, &id.sign };
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	snprintf(id.name, sizeof(id.name), "%s", name);
	for (i = 0; i < ROLES && !err; i++) {
		key_path(why, keys, roles[i]);
		err = read_key(key[i], why, name, roles[i]);
	}
	if (!err &&
	    crypto_scalarmult_base(id.noise_pk, secret_bytes(id.noise)) != 0)
		err = TOCSIN_EMALFORMED;
	if (!err)
		err = expand(&id.log, &id.log_key, name, "log");
	if (!err)
		err = expand(&id.sign, &id.sign_key, name, "sign");
	if (err)
		identity_release(&id);
	else
		*out = id;
	return err;
}

void
identity_release(struct identity *id)
{
	secret_free(id->noise);
	secret_free(id->log);
	secret_free(id->sign);
	memset(id, 0, sizeof(*id));
}

void
identity_broker(struct roster_broker *out, const struct identity *id)
{
	memcpy(out->name, id->name, sizeof(out->name));
	memcpy(out->noise, id->noise_pk, sizeof(out->noise));
	out->log = id->log_key;
	out->sign = id->sign_key;
}

bool
identity_is(const struct identity *id, const struct roster_broker *b)
{
	return strcmp(b->name, id->name) == 0 &&
	       memcmp(b->noise, id->noise_pk, 32) == 0 &&
	       vkey_eq(&b->log, &id->log_key) &&
	       vkey_eq(&b->sign, &id->sign_key);
}
