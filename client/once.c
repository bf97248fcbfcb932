/* SPDX-License-Identifier: ISC */
#include "client/once.h"

#include "crypto/buf.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 128
#define HEX_SIZE (2 * 32 + 1)
#define AT "once-at/"
#define DIGITS 20
#define FORGET 2 /* for each that comes */

bool
once_good(const char *key)
{
	size_t n;

	for (n = 0; key[n] != '\0'; n++)
		if (n == ONCE_KEY_MAX || key[n] < ' ' || key[n] > '~')
			return false;
	return n > 0;
}

static void
hash_of(char out[HEX_SIZE], const char *key)
{
	uint8_t hash[32];

	crypto_generichash(
	    hash, sizeof(hash), (const uint8_t *)key, strlen(key), NULL, 0);
	sodium_bin2hex(out, HEX_SIZE, hash, sizeof(hash));
}

static const char *
key_name(char out[NAME_SIZE], const char *hash)
{
	snprintf(out, NAME_SIZE, "once/%s", hash);
	return out;
}

enum tocsin_err
once_find(struct desk_tx *tx, const char *key, uint8_t id[ID_LEN])
{
	char hash[HEX_SIZE], name[NAME_SIZE];
	struct span value;
	enum tocsin_err err;
	struct rd r;

	hash_of(hash, key);
	err = desk_value_get(tx, key_name(name, hash), &value);
	if (err != TOCSIN_OK)
		return err;
	r = rd_init(value);
	rd_copy(&r, id, ID_LEN);
	rd_u64(&r);
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EBODYMISMATCH;
}

/* The oldest of all, if it is old; its key goes with it. */
static enum tocsin_err
forget_one(struct desk_tx *tx, int64_t before, bool *more)
{
	const size_t n = strlen(AT) + DIGITS + 1 + HEX_SIZE - 1;
	char oldest[NAME_SIZE], limit[NAME_SIZE], name[NAME_SIZE];
	struct span found = { 0 }, value;
	enum tocsin_err err = desk_value_next(tx, AT, &found, &value);

	*more = false;
	if (err != TOCSIN_OK)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	snprintf(limit, sizeof(limit), AT "%0*" PRId64 "/", DIGITS, before);
	if (found.n != n)
		return TOCSIN_EBODYMISMATCH;
	memcpy(oldest, found.p, n);
	oldest[n] = '\0';
	if (before <= 0 || strcmp(oldest, limit) >= 0)
		return TOCSIN_OK;
	*more = true;
	err = desk_value_put(tx, key_name(name, oldest + n - (HEX_SIZE - 1)),
	    (struct span){ 0 });
	return err == TOCSIN_OK ? desk_value_put(tx, oldest, (struct span){ 0 })
				: err;
}

enum tocsin_err
once_put(
    struct desk_tx *tx, const char *key, const uint8_t id[ID_LEN], int64_t now)
{
	const int64_t before = now - (int64_t)ONCE_DAYS * 24 * 60 * 60;
	char hash[HEX_SIZE], name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;
	struct buf b = { 0 };
	bool more = true;
	int i;

	hash_of(hash, key);
	buf_add(&b, (struct span){ id, ID_LEN });
	buf_u64(&b, (uint64_t)now);
	if (buf_ok(&b))
		err = desk_value_put(tx, key_name(name, hash), buf_span(&b));
	snprintf(name, sizeof(name), AT "%0*" PRId64 "/%s", DIGITS,
	    now > 0 ? now : 0, hash);
	if (err == TOCSIN_OK)
		err = desk_value_put(tx, name, buf_span(&b));
	buf_release(&b);
	for (i = 0; err == TOCSIN_OK && more && i < FORGET; i++)
		err = forget_one(tx, before, &more);
	return err;
}
