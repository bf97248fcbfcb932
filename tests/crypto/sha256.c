/* SPDX-License-Identifier: ISC */
#include "crypto/sha256.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 400

static uint8_t bytes[1 << 20];

static bool
same(const uint8_t *p, size_t n)
{
	uint8_t want[32], got[32];

	crypto_hash_sha256(want, p, n);
	sha256(got, (struct span){ p, n });
	return memcmp(want, got, 32) == 0;
}

/* FIPS 180-4's own examples: libsodium might be wrong as well. */
static void
known_answers(void)
{
	static const char two[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char hex[65];
	uint8_t h[32];

	sha256(h, span_of(two));
	sodium_bin2hex(hex, sizeof(hex), h, sizeof(h));
	is_str(hex,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	    "the two-block message of FIPS 180-4");
	memset(bytes, 'a', 1000000);
	sha256(h, (struct span){ bytes, 1000000 });
	sodium_bin2hex(hex, sizeof(hex), h, sizeof(h));
	is_str(hex,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	    "a million times the letter a");
}

/* On the heap at their exact size, so that a byte too far is seen. */
static void
every_length(void)
{
	size_t n, wrong = 0;
	uint8_t *copy;

	for (n = 0; n <= LONGEST; n++) {
		copy = xcopy(bytes, n);
		wrong += !same(copy, n);
		free(copy);
	}
	is_int((long long)wrong, 0,
	    "every length up to %d hashes as with libsodium", LONGEST);
	for (n = 0; n < 64; n++)
		wrong += !same(bytes + n, 4733);
	is_int((long long)wrong, 0, "and every alignment");
}

static void
split(size_t a, size_t b, const uint8_t want[32], size_t *wrong)
{
	crypto_hash_sha256_state st;
	uint8_t got[32];

	crypto_hash_sha256_init(&st);
	sha256_update(&st, (struct span){ bytes, a });
	sha256_update(&st, (struct span){ bytes + a, b - a });
	sha256_update(&st, (struct span){ bytes + b, LONGEST - b });
	crypto_hash_sha256_final(&st, got);
	*wrong += memcmp(want, got, 32) != 0;
}

static void
every_split(void)
{
	size_t a, b, wrong = 0;
	uint8_t want[32];

	crypto_hash_sha256(want, bytes, LONGEST);
	for (a = 0; a <= LONGEST; a += 3)
		for (b = a; b <= LONGEST; b++)
			split(a, b, want, &wrong);
	is_int((long long)wrong, 0, "in three pieces, cut anywhere");
}

/* A part's row keeps a state on disk; another machine may have begun it. */
static void
mixed(void)
{
	crypto_hash_sha256_state a, b;
	size_t at, wrong = 0;

	for (at = 0; at <= LONGEST; at++) {
		crypto_hash_sha256_init(&a);
		crypto_hash_sha256_init(&b);
		crypto_hash_sha256_update(&a, bytes, at);
		sha256_update(&b, (struct span){ bytes, at });
		wrong += memcmp(a.state, b.state, sizeof(a.state)) != 0 ||
			 a.count != b.count ||
			 memcmp(a.buf, b.buf, at % 64) != 0;
	}
	is_int((long long)wrong, 0, "the state is libsodium's after any byte");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	known_answers();
	randombytes_buf_deterministic(bytes, sizeof(bytes),
	    (const uint8_t *)"sha256 of thirty-two bytes: seed");
	every_length();
	every_split();
	mixed();
	return tap_done();
}
