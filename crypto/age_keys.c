/* SPDX-License-Identifier: ISC */
/* The text forms of recipients and identities. */
#include "crypto/age.h"
#include "crypto/bech32.h"

#include <sodium.h>
#include <string.h>

static const char recipient_hrp[] = "age";
static const char identity_hrp[] = "AGE-SECRET-KEY-";

/*
 * On the stack, the longest of the texts and what it decodes to: with memory
 * that can be short, a good key would sometimes be none.
 */
#define ROOM (AGE_IDENTITY_TEXT + 1)

static struct buf
on(uint8_t room[ROOM])
{
	return (struct buf){ .p = room, .cap = ROOM, .max = ROOM };
}

/* `out` has room for `n` characters and a NUL. */
static void
print(char *out, size_t n, const char *hrp, const uint8_t key[AGE_KEY])
{
	uint8_t room[ROOM];
	struct buf b = on(room);

	bech32_encode(&b, hrp, (struct span){ key, AGE_KEY });
	memset(out, 0, n + 1);
	if (buf_ok(&b) && b.n == n)
		memcpy(out, b.p, n);
	sodium_memzero(room, sizeof(room));
}

static enum tocsin_err
parse(uint8_t key[AGE_KEY], const char *hrp, size_t n, struct span text)
{
	uint8_t room[ROOM];
	struct buf b = on(room);
	enum tocsin_err err;

	if (text.n != n)
		return TOCSIN_EMALFORMED;
	err = bech32_decode(&b, hrp, text);
	if (err == TOCSIN_OK && b.n != AGE_KEY)
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		memcpy(key, b.p, AGE_KEY);
	sodium_memzero(room, sizeof(room));
	return err;
}

void
age_recipient_print(char out[AGE_RECIPIENT_TEXT + 1], const uint8_t pk[AGE_KEY])
{
	print(out, AGE_RECIPIENT_TEXT, recipient_hrp, pk);
}

enum tocsin_err
age_recipient_parse(uint8_t pk[AGE_KEY], struct span text)
{
	return parse(pk, recipient_hrp, AGE_RECIPIENT_TEXT, text);
}

void
age_identity_print(char out[AGE_IDENTITY_TEXT + 1], const uint8_t sk[AGE_KEY])
{
	print(out, AGE_IDENTITY_TEXT, identity_hrp, sk);
}

enum tocsin_err
age_identity_parse(uint8_t sk[AGE_KEY], struct span text)
{
	return parse(sk, identity_hrp, AGE_IDENTITY_TEXT, text);
}

static enum tocsin_err
read_identities(
    uint8_t (*sks)[AGE_KEY], size_t max, size_t *n, struct span text)
{
	struct rd r = rd_init(text);
	uint8_t sk[AGE_KEY];
	struct span line;
	enum tocsin_err err;

	while (r.rest.n > 0) {
		line = rd_text_line(&r);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		err = age_identity_parse(sk, line);
		if (err != TOCSIN_OK)
			return err;
		if (*n == max)
			err = TOCSIN_ETOOLARGE;
		else
			memcpy(sks[(*n)++], sk, sizeof(sk));
		sodium_memzero(sk, sizeof(sk));
		if (err != TOCSIN_OK)
			return err;
	}
	return *n > 0 ? TOCSIN_OK : TOCSIN_ENOTFOUND;
}

enum tocsin_err
age_identity_file(
    uint8_t (*sks)[AGE_KEY], size_t max, size_t *n, struct span text)
{
	enum tocsin_err err;

	*n = 0;
	err = read_identities(sks, max, n, text);
	if (err != TOCSIN_OK) {
		sodium_memzero(sks, max * AGE_KEY);
		*n = 0;
	}
	return err;
}
