/* SPDX-License-Identifier: ISC */
#include "client/keystore.h"

#include "crypto/age.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME_HEAD "tocsin-home/v1"
#define DEVICE_HEAD "tocsin-device-key/v1"
#define ROOT_HEAD "tocsin-root-key/v1"
#define AUTHORITY_HEAD "tocsin-authority-key/v1"
#define EPOCH_MARK "# epoch "
#define RING "keys/recipient.txt"

enum tocsin_err
keystore_home(char out[512], const char *given)
{
	const char *base = getenv("XDG_DATA_HOME");
	int n;

	if (given == NULL)
		given = getenv("TOCSIN_HOME");
	if (given != NULL && given[0] != '\0')
		n = snprintf(out, 512, "%s", given);
	else if (base != NULL && base[0] == '/')
		n = snprintf(out, 512, "%s/tocsin", base);
	else if (getenv("HOME") != NULL)
		n = snprintf(
		    out, 512, "%s/.local/share/tocsin", getenv("HOME"));
	else
		return TOCSIN_EUSAGE;
	return n > 0 && n < 512 ? TOCSIN_OK : TOCSIN_EUSAGE;
}

void
keystore_path(char out[640], const char *home, const char *name)
{
	snprintf(out, 640, "%s/%s", home, name);
}

/* ---- one secret of 32 bytes and its name, as a text ---- */

static enum tocsin_err
read_seed(struct text *t, const char *key, struct secret **out)
{
	struct span f = { 0 };
	uint8_t seed[32];

	text_line(t, key, 1, &f);
	text_id(t, f, seed);
	*out = secret_of(SPAN(seed));
	sodium_memzero(seed, sizeof(seed));
	return *out != NULL ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static void
add_seed(struct buf *b, const char *key, const uint8_t seed[32])
{
	buf_addf(b, "%s ", key);
	buf_base64(b, (struct span){ seed, 32 });
	buf_addz(b, "\n");
}

/* The 64-byte secret key of a seed, with its public half. */
static struct secret *
expand(struct secret *seed, uint8_t pk[32])
{
	struct secret *sk = secret_new(crypto_sign_SECRETKEYBYTES);

	if (sk != NULL)
		crypto_sign_seed_keypair(
		    pk, secret_bytes(sk), secret_bytes(seed));
	return sk;
}

/* A key file of a head, a name and one Ed25519 seed: root and authority. */
static enum tocsin_err
named_key_write(const char *path, const char *head, const char *name,
    const char *passphrase, struct vkey *vkey)
{
	uint8_t seed[32], pk[32], sk[64];
	struct buf b = { 0 };
	enum tocsin_err err;

	randombytes_buf(seed, sizeof(seed));
	crypto_sign_seed_keypair(pk, sk, seed);
	err = vkey_make(vkey, span_of(name), pk);
	buf_addf(&b, "%s\nname %s\n", head, name);
	add_seed(&b, "key", seed);
	if (err == TOCSIN_OK)
		err = keyfile_write(path, buf_span(&b), passphrase, false);
	buf_release(&b);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(sk, sizeof(sk));
	return err;
}

static enum tocsin_err
named_key_read(const char *path, const char *head, const char *passphrase,
    struct secret **sk, struct vkey *vkey)
{
	struct secret *seed = NULL;
	struct buf b = { 0 };
	struct span name = { 0 };
	enum tocsin_err err;
	uint8_t pk[32] = { 0 };
	struct text t;

	*sk = NULL;
	err = keyfile_read(path, passphrase, &b);
	if (err != TOCSIN_OK)
		goto out;
	t = text_init(buf_span(&b));
	text_line(&t, head, 0, NULL);
	text_line(&t, "name", 1, &name);
	err = read_seed(&t, "key", &seed);
	if (err == TOCSIN_OK && !text_done(&t))
		err = TOCSIN_EMALFORMED;
	if (err != TOCSIN_OK)
		goto out;
	*sk = expand(seed, pk);
	err = *sk != NULL ? vkey_make(vkey, name, pk) : TOCSIN_EINTERNAL;
out:
	if (err != TOCSIN_OK) {
		secret_free(*sk);
		*sk = NULL;
	}
	secret_free(seed);
	buf_release(&b);
	return err;
}

enum tocsin_err
authority_create(const char *path, const char *name, const char *passphrase,
    struct vkey *out)
{
	return named_key_write(path, AUTHORITY_HEAD, name, passphrase, out);
}

enum tocsin_err
authority_open(const char *path, const char *passphrase, struct secret **sk,
    struct vkey *vkey)
{
	return named_key_read(path, AUTHORITY_HEAD, passphrase, sk, vkey);
}

enum tocsin_err
keystore_root(const struct keystore *k, const char *path,
    const char *passphrase, struct secret **sk, struct vkey *vkey)
{
	char own[640];
	enum tocsin_err err;

	keystore_path(own, k->home, "keys/root.key");
	err = named_key_read(
	    path != NULL ? path : own, ROOT_HEAD, passphrase, sk, vkey);
	if (err == TOCSIN_OK && strcmp(vkey->name, k->member) != 0) {
		secret_free(*sk);
		*sk = NULL;
		err = TOCSIN_ENOTENROLLED;
	}
	return err;
}

/* ---- what is not secret ---- */

static enum tocsin_err
config_write(const struct keystore *k)
{
	struct buf b = { 0 };
	char path[640];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_addf(&b, "%s\nfederation %s\nmember %s\ndevice %s %s\nbroker %s\n",
	    HOME_HEAD, k->federation, k->member, k->label,
	    keys_role_name(k->role), k->broker);
	if (k->exercise[0] != '\0')
		buf_addf(&b, "exercise %s\n", k->exercise);
	keystore_path(path, k->home, "config");
	if (buf_ok(&b))
		err = file_write(path, buf_span(&b), false);
	buf_release(&b);
	return err;
}

static void
name_device_of(struct keystore *k)
{
	snprintf(k->device, sizeof(k->device), "%s/%s", k->member, k->label);
}

static enum tocsin_err
config_parse(struct keystore *k, struct span bytes)
{
	struct text t = text_init(bytes);
	struct span f[2] = { 0 };

	text_line(&t, HOME_HEAD, 0, NULL);
	text_line(&t, "federation", 1, f);
	text_copy(
	    &t, f[0], name_federation, k->federation, sizeof(k->federation));
	text_line(&t, "member", 1, f);
	text_copy(&t, f[0], name_member, k->member, sizeof(k->member));
	text_line(&t, "device", 2, f);
	text_copy(&t, f[0], name_label, k->label, sizeof(k->label));
	text_check(&t, keys_role_parse(f[1], &k->role));
	text_line(&t, "broker", 1, f);
	text_copy(&t, f[0], name_url, k->broker, sizeof(k->broker));
	if (text_has(&t, "exercise")) {
		text_line(&t, "exercise", 1, f);
		text_copy(
		    &t, f[0], name_exercise, k->exercise, sizeof(k->exercise));
	}
	name_device_of(k);
	return text_done(&t) ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

static enum tocsin_err
config_read(struct keystore *k)
{
	struct buf b = { 0 };
	char path[640];
	enum tocsin_err err;

	keystore_path(path, k->home, "config");
	err = file_read(path, KEYFILE_MAX, &b);
	if (err == TOCSIN_OK)
		err = config_parse(k, buf_span(&b));
	buf_release(&b);
	return err;
}

/* ---- the device's own key ---- */

static enum tocsin_err
device_write(const struct keystore *k, const char *passphrase)
{
	uint8_t sign[32], noise[32];
	struct buf b = { 0 };
	char path[640];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	randombytes_buf(sign, sizeof(sign));
	randombytes_buf(noise, sizeof(noise));
	buf_addf(&b, "%s\ndevice %s\n", DEVICE_HEAD, k->device);
	add_seed(&b, "sign", sign);
	add_seed(&b, "noise", noise);
	sodium_memzero(sign, sizeof(sign));
	sodium_memzero(noise, sizeof(noise));
	keystore_path(path, k->home, "keys/device.key");
	if (buf_ok(&b))
		err = keyfile_write(path, buf_span(&b), passphrase, false);
	buf_release(&b);
	return err;
}

static enum tocsin_err
device_read(struct keystore *k, const char *passphrase)
{
	struct secret *seed = NULL;
	struct buf b = { 0 };
	struct span name = { 0 };
	char path[640];
	enum tocsin_err err;
	uint8_t pk[32];
	struct text t;

	keystore_path(path, k->home, "keys/device.key");
	err = keyfile_read(path, passphrase, &b);
	if (err != TOCSIN_OK)
		goto out;
	t = text_init(buf_span(&b));
	text_line(&t, DEVICE_HEAD, 0, NULL);
	text_line(&t, "device", 1, &name);
	err = read_seed(&t, "sign", &seed);
	if (err == TOCSIN_OK)
		err = read_seed(&t, "noise", &k->noise);
	if (err == TOCSIN_OK && (!text_done(&t) || !span_is(name, k->device)))
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK && (k->sign = expand(seed, pk)) == NULL)
		err = TOCSIN_EINTERNAL;
out:
	secret_free(seed);
	buf_release(&b);
	return err;
}

enum tocsin_err
keystore_device(const struct keystore *k, struct keys_device *out)
{
	uint8_t pk[32];

	*out = (struct keys_device){ .role = k->role };
	snprintf(out->name, sizeof(out->name), "%s", k->label);
	memcpy(out->exercise, k->exercise, sizeof(out->exercise));
	crypto_sign_ed25519_sk_to_pk(pk, secret_span(k->sign).p);
	crypto_scalarmult_base(out->noise, secret_span(k->noise).p);
	return vkey_make(&out->sign, span_of(k->device), pk);
}

/* ---- epochs ---- */

/*
 * A file that age reads as well: a comment names the epoch of the identity on
 * the line after it.
 */
static enum tocsin_err
epochs_parse(struct keystore *k, struct span file)
{
	const char *mark = EPOCH_MARK;
	struct span epoch = { 0 };
	size_t i, start = 0;

	k->nepoch = 0;
	for (i = 0; i < file.n; i++) {
		struct span line;

		if (file.p[i] != '\n')
			continue;
		line = span_cut(file, start, i - start);
		start = i + 1;
		if (span_is(span_cut(line, 0, strlen(mark)), mark)) {
			epoch = span_cut(line, strlen(mark), line.n);
			continue;
		}
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!name_token(epoch) || k->nepoch == KEYSTORE_EPOCHS ||
		    age_identity_parse(secret_bytes(k->epochs) + 32 * k->nepoch,
			line) != TOCSIN_OK)
			return TOCSIN_EMALFORMED;
		memcpy(k->epoch[k->nepoch], epoch.p, epoch.n);
		k->epoch[k->nepoch++][epoch.n] = '\0';
		epoch = (struct span){ 0 };
	}
	return start == file.n ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

static void
epochs_print(struct buf *b, const struct keystore *k)
{
	char line[AGE_IDENTITY_TEXT + 1];
	size_t i;

	buf_addf(b, "# age identities of %s", k->member);
	if (k->exercise[0] != '\0')
		buf_addf(b, " for the exercise %s", k->exercise);
	buf_addz(b, "; keep them secret\n");
	for (i = 0; i < k->nepoch; i++) {
		age_identity_print(line, secret_span(k->epochs).p + 32 * i);
		buf_addf(b, EPOCH_MARK "%s\n%s\n", k->epoch[i], line);
	}
	sodium_memzero(line, sizeof(line));
}

static enum tocsin_err
epochs_write(const struct keystore *k, const char *passphrase)
{
	struct buf b = { 0 };
	char path[640];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	epochs_print(&b, k);
	keystore_path(path, k->home, k->ring);
	if (buf_ok(&b))
		err = keyfile_write(path, buf_span(&b), passphrase, true);
	buf_release(&b);
	return err;
}

/* A joining device has no such file until it is copied from another one. */
static enum tocsin_err
epochs_read(struct keystore *k, const char *passphrase)
{
	struct buf b = { 0 };
	char path[640];
	enum tocsin_err err;

	k->epochs = secret_new((size_t)32 * KEYSTORE_EPOCHS);
	if (k->epochs == NULL)
		return TOCSIN_EINTERNAL;
	keystore_path(path, k->home, k->ring);
	err = keyfile_read(path, passphrase, &b);
	if (err == TOCSIN_OK)
		err = epochs_parse(k, buf_span(&b));
	else if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	buf_release(&b);
	return err;
}

const uint8_t *
keystore_epoch(const struct keystore *k, struct span epoch)
{
	size_t i;

	for (i = 0; i < k->nepoch; i++)
		if (span_is(epoch, k->epoch[i]))
			return secret_span(k->epochs).p + 32 * i;
	return NULL;
}

enum tocsin_err
keystore_make_epoch(
    struct keystore *k, const char *epoch, const char *passphrase)
{
	uint8_t pk[32];

	if (keystore_epoch(k, span_of(epoch)) != NULL)
		return TOCSIN_OK;
	if (!name_token(span_of(epoch)))
		return TOCSIN_EUSAGE;
	if (k->nepoch == KEYSTORE_EPOCHS)
		return TOCSIN_ETOOLARGE;
	age_keygen(secret_bytes(k->epochs) + 32 * k->nepoch, pk);
	snprintf(k->epoch[k->nepoch], sizeof(k->epoch[0]), "%s", epoch);
	k->nepoch++;
	return epochs_write(k, passphrase);
}

enum tocsin_err
keystore_exercise(const struct keystore *k, const char *exercise,
    const char *passphrase, struct keystore **out)
{
	struct keystore *x = calloc(1, sizeof(*x));
	enum tocsin_err err = TOCSIN_EUSAGE;

	if (x == NULL)
		return TOCSIN_EINTERNAL;
	memcpy(x->home, k->home, sizeof(x->home));
	memcpy(x->member, k->member, sizeof(x->member));
	snprintf(x->exercise, sizeof(x->exercise), "%s", exercise);
	snprintf(x->ring, sizeof(x->ring), "keys/exercise-%s.txt", x->exercise);
	if (name_exercise(span_of(exercise)))
		err = epochs_read(x, passphrase);
	if (err != TOCSIN_OK) {
		keystore_close(x);
		return err;
	}
	*out = x;
	return TOCSIN_OK;
}

/* ---- homes ---- */

static enum tocsin_err
make_folder(const char *home, const char *name)
{
	char path[640];

	keystore_path(path, home, name);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return file_error(errno);
	return TOCSIN_OK;
}

/* The folders above it too, as a first user of XDG_DATA_HOME has none. */
static enum tocsin_err
make_home(const char *home)
{
	char path[512];
	char *slash;

	snprintf(path, sizeof(path), "%s", home);
	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return file_error(errno);
		*slash = '/';
	}
	return make_folder(home, "");
}

static enum tocsin_err
adopt(struct keystore *k, const char *home, const struct keystore_new *w)
{
	if (!name_federation(span_of(w->federation)) ||
	    !name_member(span_of(w->member)) ||
	    !name_label(span_of(w->label)) || !name_url(span_of(w->broker)) ||
	    (w->exercise != NULL && !name_exercise(span_of(w->exercise))))
		return TOCSIN_EUSAGE;
	snprintf(k->home, sizeof(k->home), "%s", home);
	snprintf(k->federation, sizeof(k->federation), "%s", w->federation);
	snprintf(k->member, sizeof(k->member), "%s", w->member);
	snprintf(k->label, sizeof(k->label), "%s", w->label);
	snprintf(k->broker, sizeof(k->broker), "%s", w->broker);
	if (w->exercise != NULL)
		snprintf(k->exercise, sizeof(k->exercise), "%s", w->exercise);
	k->role = w->role;
	name_device_of(k);
	return TOCSIN_OK;
}

/* What an earlier try made, if it is of this name, is as good as new. */
static enum tocsin_err
make_device(const struct keystore *k, const char *passphrase)
{
	struct keystore *there;
	enum tocsin_err err = device_write(k, passphrase);

	if (err != TOCSIN_EDUPLICATE)
		return err;
	there = malloc(sizeof(*there));
	if (there == NULL)
		return TOCSIN_EINTERNAL;
	*there = *k;
	err = device_read(there, passphrase);
	keystore_close(there);
	return err == TOCSIN_EMALFORMED ? TOCSIN_EDUPLICATE : err;
}

static enum tocsin_err
make_root(const struct keystore *k, const char *passphrase)
{
	struct secret *sk = NULL;
	struct vkey root;
	char path[640];
	enum tocsin_err err;

	keystore_path(path, k->home, "keys/root.key");
	err = named_key_write(path, ROOT_HEAD, k->member, passphrase, &root);
	if (err != TOCSIN_EDUPLICATE)
		return err;
	err = keystore_root(k, NULL, passphrase, &sk, &root);
	secret_free(sk);
	return err == TOCSIN_EMALFORMED || err == TOCSIN_ENOTENROLLED
		   ? TOCSIN_EDUPLICATE
		   : err;
}

enum tocsin_err
keystore_create(
    const char *home, const struct keystore_new *what, struct keystore **out)
{
	struct keystore k = { 0 };
	char path[640];
	enum tocsin_err err;

	err = adopt(&k, home, what);
	keystore_path(path, home, "config");
	if (err == TOCSIN_OK && access(path, F_OK) == 0)
		err = TOCSIN_EDUPLICATE;
	if (err == TOCSIN_OK)
		err = make_home(home);
	if (err == TOCSIN_OK)
		err = make_folder(home, "keys");
	if (err == TOCSIN_OK)
		err = make_device(&k, what->passphrase);
	if (err == TOCSIN_OK && !what->join)
		err = make_root(&k, what->passphrase);
	if (err == TOCSIN_OK) /* last: a home with it is complete */
		err = config_write(&k);
	if (err != TOCSIN_OK)
		return err;
	return keystore_open(home, what->passphrase, out);
}

enum tocsin_err
keystore_open(const char *home, const char *passphrase, struct keystore **out)
{
	struct keystore *k = calloc(1, sizeof(*k));
	enum tocsin_err err;

	if (k == NULL)
		return TOCSIN_EINTERNAL;
	snprintf(k->home, sizeof(k->home), "%s", home);
	snprintf(k->ring, sizeof(k->ring), RING);
	err = config_read(k);
	if (err == TOCSIN_OK)
		err = device_read(k, passphrase);
	if (err == TOCSIN_OK)
		err = epochs_read(k, passphrase);
	if (err != TOCSIN_OK) {
		keystore_close(k);
		return err;
	}
	*out = k;
	return TOCSIN_OK;
}

const char *
keystore_faulty(const char *home, const char *passphrase)
{
	struct keystore *k = calloc(1, sizeof(*k));
	const char *file = "config";

	if (k == NULL)
		return file;
	snprintf(k->home, sizeof(k->home), "%s", home);
	if (config_read(k) == TOCSIN_OK)
		file = device_read(k, passphrase) != TOCSIN_OK
			   ? "keys/device.key"
			   : "keys/recipient.txt";
	keystore_close(k);
	return file;
}

enum tocsin_err
keystore_config(const char *home, struct keystore *out)
{
	*out = (struct keystore){ 0 };
	snprintf(out->home, sizeof(out->home), "%s", home);
	return config_read(out);
}

bool
keystore_locked(const char *home)
{
	char path[640];

	keystore_path(path, home, "keys/device.key");
	return keyfile_locked(path);
}

void
keystore_close(struct keystore *k)
{
	if (k == NULL)
		return;
	secret_free(k->sign);
	secret_free(k->noise);
	secret_free(k->epochs);
	free(k);
}
