/* SPDX-License-Identifier: ISC */
#include "crypto/hkdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* libsodium hands its pointers to memcpy(), which must not see NULL. */
static struct span
never_null(struct span s)
{
	return s.p != NULL ? s : (struct span){ (const uint8_t *)"", 0 };
}

static void
update(crypto_auth_hmacsha256_state *st, struct span s)
{
	s = never_null(s);
	crypto_auth_hmacsha256_update(st, s.p, s.n);
}

void
hmac_sha256(
    uint8_t out[static 32], struct span key, struct span a, struct span b)
{
	crypto_auth_hmacsha256_state st;

	key = never_null(key);
	crypto_auth_hmacsha256_init(&st, key.p, key.n);
	update(&st, a);
	update(&st, b);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

void
hkdf_sha256(
    uint8_t *out, size_t n, struct span ikm, struct span salt, struct span info)
{
	crypto_auth_hmacsha256_state st;
	uint8_t prk[32], t[32];
	size_t done, take;
	uint8_t i = 1;

	assert(n <= HKDF_SHA256_MAX);
	hmac_sha256(prk, salt, ikm, (struct span){ 0 });
	for (done = 0; done < n; done += take, i++) {
		crypto_auth_hmacsha256_init(&st, prk, sizeof(prk));
		if (done > 0)
			crypto_auth_hmacsha256_update(&st, t, sizeof(t));
		update(&st, info);
		crypto_auth_hmacsha256_update(&st, &i, 1);
		crypto_auth_hmacsha256_final(&st, t);
		take = n - done < sizeof(t) ? n - done : sizeof(t);
		memcpy(out + done, t, take);
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(t, sizeof(t));
	sodium_memzero(&st, sizeof(st));
}
