/* SPDX-License-Identifier: ISC */
#include "crypto/pubkey.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

bool
pubkey_ed25519_ok(const uint8_t pk[32])
{
	return crypto_core_ed25519_is_valid_point(pk) == 1;
}

/* Below 2^255 - 19, little-endian. */
static bool
is_reduced(const uint8_t pk[32])
{
	size_t i;

	if (pk[31] != 0x7f)
		return pk[31] < 0x7f;
	for (i = 30; i > 0; i--)
		if (pk[i] != 0xff)
			return true;
	return pk[0] < 0xed;
}

bool
pubkey_x25519_ok(const uint8_t pk[32])
{
	static const uint8_t any[32] = { 8 };
	uint8_t shared[32];

	return is_reduced(pk) && crypto_scalarmult(shared, any, pk) == 0;
}

void
keyset_ed25519(struct keyset *s, const uint8_t pk[32])
{
	uint8_t point[32];

	if (crypto_sign_ed25519_pk_to_curve25519(point, pk) != 0)
		s->bad = true;
	else
		keyset_x25519(s, point);
}

void
keyset_x25519(struct keyset *s, const uint8_t pk[32])
{
	buf_add(&s->points, (struct span){ pk, 32 });
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

enum tocsin_err
keyset_distinct(struct keyset *s)
{
	size_t i;

	if (!buf_ok(&s->points))
		return TOCSIN_EINTERNAL;
	if (s->bad)
		return TOCSIN_EMALFORMED;
	if (s->points.n > 0)
		qsort(s->points.p, s->points.n / 32, 32, by_bytes);
	for (i = 32; i < s->points.n; i += 32)
		if (memcmp(s->points.p + i - 32, s->points.p + i, 32) == 0)
			return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

void
keyset_release(struct keyset *s)
{
	buf_release(&s->points);
}
