/* SPDX-License-Identifier: ISC */
/* The text forms of recipients and identities. */
#include "crypto/age.h"
#include "crypto/bech32.h"

#include <sodium.h>
#include <string.h>

static const char recipient_hrp[] = "age";
static const char identity_hrp[] = "AGE-SECRET-KEY-";

/* `out` has room for `n` characters and a NUL; empty if memory was short. */
static void
print(char *out, size_t n, const char *hrp, const uint8_t key[AGE_KEY])
{
	struct buf b = { .max = n };

	bech32_encode(&b, hrp, (struct span){ key, AGE_KEY });
	memset(out, 0, n + 1);
	if (buf_ok(&b))
		memcpy(out, b.p, b.n);
	buf_release(&b);
}

static enum tocsin_err
parse(uint8_t key[AGE_KEY], const char *hrp, size_t n, struct span text)
{
	struct buf b = { .max = n };
	enum tocsin_err err;

	if (text.n != n)
		return TOCSIN_EMALFORMED;
	err = bech32_decode(&b, hrp, text);
	if (err == TOCSIN_OK && b.n != AGE_KEY)
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		memcpy(key, b.p, AGE_KEY);
	buf_release(&b);
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
