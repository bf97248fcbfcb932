/* SPDX-License-Identifier: ISC */
/*
 * memo - what curve arithmetic said before, said again at once
 *
 * Fuzz targets are linked with $(MEMO_WRAP) in place of libsodium's calls. An
 * input that differs from the last in a byte mostly asks for the same products
 * of the same fixed keys, and each is worth some twenty inputs of everything
 * else. Only answers that were worked out are given, and none is guessed: a key
 * or a point not seen yet costs what it costs.
 */
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define KEPT 4096 /* answers; a newer one takes an older one's place */

struct answer {
	uint8_t asked[1 + 32 + 32]; /* which function, and its arguments */
	uint8_t product[32];
	int status;
	bool used;
};

static struct answer kept[KEPT];

#define WRAP(name, params)        \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params

/* Its place; true if the answer is there. */
static bool
recall(struct answer **a, uint8_t which, const uint8_t *n, const uint8_t *p)
{
	uint8_t asked[sizeof((*a)->asked)] = { which };
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t h[crypto_shorthash_BYTES];

	if (n != NULL)
		memcpy(asked + 1, n, 32);
	if (p != NULL)
		memcpy(asked + 33, p, 32);
	crypto_shorthash(h, asked, sizeof(asked), key);
	*a = &kept[(h[0] | h[1] << 8) % KEPT];
	if ((*a)->used && memcmp((*a)->asked, asked, sizeof(asked)) == 0)
		return true;
	memcpy((*a)->asked, asked, sizeof(asked));
	(*a)->used = true;
	return false;
}

WRAP(crypto_scalarmult, (uint8_t * q, const uint8_t *n, const uint8_t *p))
{
	struct answer *a;

	if (!recall(&a, 0, n, p))
		a->status = __real_crypto_scalarmult(a->product, n, p);
	memcpy(q, a->product, 32);
	return a->status;
}

WRAP(crypto_scalarmult_base, (uint8_t * q, const uint8_t *n))
{
	struct answer *a;

	if (!recall(&a, 1, n, NULL))
		a->status = __real_crypto_scalarmult_base(a->product, n);
	memcpy(q, a->product, 32);
	return a->status;
}

WRAP(crypto_core_ed25519_is_valid_point, (const uint8_t *p))
{
	struct answer *a;

	if (!recall(&a, 2, NULL, p))
		a->status = __real_crypto_core_ed25519_is_valid_point(p);
	return a->status;
}
