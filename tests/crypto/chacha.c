/* SPDX-License-Identifier: ISC */
/*
 * The same bytes as libsodium's, for every length at which something else may
 * happen. On a processor without wide vectors both sides are libsodium's.
 */
#include "crypto/chacha.h"

#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MOST 61440

struct sample {
	uint8_t key[CHACHA_KEY], nonce[CHACHA_NONCE], ad[40];
	uint8_t *plain, *sealed, *want;
	size_t n, nad;
};

/* Blocks of the exact size, so that a sanitizer sees one byte too many. */
static void
begin(struct sample *s, size_t n)
{
	s->n = n;
	s->nad = n % (sizeof(s->ad) + 1);
	s->plain = xmalloc(n);
	s->sealed = xmalloc(n + CHACHA_TAG);
	s->want = xmalloc(n + CHACHA_TAG);
	randombytes_buf(s->key, sizeof(s->key));
	randombytes_buf(s->nonce, sizeof(s->nonce));
	randombytes_buf(s->ad, sizeof(s->ad));
	randombytes_buf(s->plain, n);
}

static void
end(struct sample *s)
{
	free(s->plain);
	free(s->sealed);
	free(s->want);
}

static struct span
ad_of(const struct sample *s)
{
	return (struct span){ s->ad, s->nad };
}

static bool
seals_alike(struct sample *s)
{
	chacha_seal(s->sealed, (struct span){ s->plain, s->n }, ad_of(s),
	    s->nonce, s->key);
	crypto_aead_chacha20poly1305_ietf_encrypt(s->want, NULL, s->plain, s->n,
	    s->ad, s->nad, NULL, s->nonce, s->key);
	return memcmp(s->sealed, s->want, s->n + CHACHA_TAG) == 0;
}

static enum tocsin_err
opened(struct sample *s, uint8_t *out)
{
	return chacha_open(out, (struct span){ s->sealed, s->n + CHACHA_TAG },
	    ad_of(s), s->nonce, s->key);
}

static bool
opens(struct sample *s)
{
	uint8_t *out = xmalloc(s->n);
	bool good =
	    opened(s, out) == TOCSIN_OK && memcmp(out, s->plain, s->n) == 0;

	free(out);
	return good;
}

/* A flip anywhere: in the text, its tag, what goes with it, key and nonce. */
static bool
refuses(struct sample *s)
{
	uint8_t *at[] = { s->sealed + s->n / 2, s->sealed + s->n,
		s->sealed + s->n + CHACHA_TAG - 1, s->ad, s->key + 31,
		s->nonce + 11 };
	uint8_t *out = xmalloc(s->n);
	bool good = true;
	size_t i;

	memset(out, 0, s->n);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		if (at[i] == s->ad && s->nad == 0)
			continue;
		*at[i] ^= 0x10;
		good = good && opened(s, out) == TOCSIN_EBADSIGNATURE;
		*at[i] ^= 0x10;
	}
	good = good && sodium_is_zero(out, s->n);
	free(out);
	return good;
}

struct failures {
	int seal, open, refuse;
};

static void
try(struct failures *f, size_t n)
{
	struct sample s;

	begin(&s, n);
	f->seal += !seals_alike(&s);
	f->open += !opens(&s);
	f->refuse += !refuses(&s);
	end(&s);
}

int
main(void)
{
	static const size_t more[] = { 8191, 16384, 40961, MOST - 1, MOST };
	struct failures f = { 0 };
	size_t n;

	if (sodium_init() < 0)
		return 1;
	for (n = 0; n <= 3200; n++)
		try(&f, n);
	for (n = 0; n < sizeof(more) / sizeof(more[0]); n++)
		try(&f, more[n]);
	is_int(f.seal, 0, "every length is sealed as libsodium seals it");
	is_int(f.open, 0, "and opened");
	is_int(f.refuse, 0, "what was altered gives EBADSIGNATURE, no text");
	return tap_done();
}
