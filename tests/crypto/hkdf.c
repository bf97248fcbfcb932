/* SPDX-License-Identifier: ISC */
#include "crypto/hkdf.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* An exact-size heap copy of a hexadecimal field. */
static struct span
hex(json_t *t, const char *key)
{
	const char *s = json_string_value(json_object_get(t, key));
	size_t n = strlen(s) / 2;
	uint8_t *p = xmalloc(n);

	if (sodium_hex2bin(p, n, s, 2 * n, NULL, &n, NULL) != 0)
		abort();
	return (struct span){ p, n };
}

static void
drop(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

static bool
agrees(json_t *t)
{
	size_t n = (size_t)json_integer_value(json_object_get(t, "size"));
	struct span ikm = hex(t, "ikm"), salt = hex(t, "salt");
	struct span info = hex(t, "info"), okm = hex(t, "okm");
	uint8_t *out = xmalloc(n);
	bool good;

	hkdf_sha256(out, n, ikm, salt, info);
	good = span_eq((struct span){ out, n }, okm);
	free(out);
	drop(ikm);
	drop(salt);
	drop(info);
	drop(okm);
	return good;
}

static void
test_vectors(void)
{
	json_t *all, *group, *t;
	size_t i, j, good = 0, bad = 0, large = 0;

	all = json_load_file(
	    top("tests/vectors/wycheproof/hkdf_sha256_test.json"), 0, NULL);
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), j, t)
		{
			long long n =
			    json_integer_value(json_object_get(t, "size"));

			if (n > (long long)HKDF_SHA256_MAX)
				large++;
			else if (agrees(t))
				good++;
			else
				bad++;
		}
	}
	is_int((long long)good, 83, "83 Wycheproof vectors agree");
	is_int((long long)bad, 0, "and none differs");
	is_int((long long)large, 3, "3 ask for more than there is");
	json_decref(all);
}

static void
test_empty(void)
{
	struct span none = { 0 }, empty = span_of("");
	uint8_t a[40], b[40];

	hkdf_sha256(a, sizeof(a), none, none, none);
	hkdf_sha256(b, sizeof(b), empty, empty, empty);
	ok(memcmp(a, b, sizeof(a)) == 0, "no bytes are no bytes, NULL or not");
	hkdf_sha256(b, 33, span_of("x"), none, none);
	ok(memcmp(a, b, 33) != 0, "another secret gives other keys");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_vectors();
	test_empty();
	return tap_done();
}
