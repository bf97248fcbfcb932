/* SPDX-License-Identifier: ISC */
/*
 * The primitives as we call them, against Wycheproof: a libsodium that was
 * built badly, or a wrapper that forgets a check, is found here and not by a
 * peer. Ed25519 is in note.c, HKDF in hkdf.c.
 */
#include "crypto/noise.h"
#include "crypto/pubkey.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

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
is(json_t *t, const char *key, const char *value)
{
	return strcmp(json_string_value(json_object_get(t, key)), value) == 0;
}

/* Calls `test` for each, with its group; returns how many it was content with.
 */
static long long
each(const char *file, bool (*test)(json_t *group, json_t *t), long long *all)
{
	json_t *root = json_load_file(top(file), 0, NULL), *group, *t;
	long long good = 0;
	size_t i, j;

	*all = 0;
	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), j, t)
		{
			bool fine = test(group, t);

			good += fine;
			++*all;
			if (!fine)
				diag("%s %lld", file,
				    (long long)json_integer_value(
					json_object_get(t, "tcId")));
		}
	}
	json_decref(root);
	return good;
}

/* ---- X25519 ---- */

static long long zero_shares, refused_keys;

/* The one thing we ask beyond the function: no share that is all zero. */
static bool
x25519_agrees(json_t *group, json_t *t)
{
	struct span pk = hex(t, "public"), sk = hex(t, "private");
	struct span want = hex(t, "shared");
	bool zero = sodium_is_zero(want.p, want.n);
	uint8_t got[32];
	int rc = crypto_scalarmult(got, sk.p, pk.p);
	bool good;

	(void)group;
	zero_shares += zero;
	refused_keys += !pubkey_x25519_ok(pk.p);
	if (zero)
		good = rc != 0 && !pubkey_x25519_ok(pk.p);
	else
		good = rc == 0 && memcmp(got, want.p, 32) == 0;
	drop(pk);
	drop(sk);
	drop(want);
	return good;
}

/* ---- ChaCha20-Poly1305 ---- */

static long long other_nonces, explicit_nonces;

static struct span
ct_and_tag(json_t *t)
{
	struct span ct = hex(t, "ct"), tag = hex(t, "tag");
	uint8_t *p = xmalloc(ct.n + tag.n);
	size_t n = ct.n + tag.n;

	memcpy(p, ct.p, ct.n);
	memcpy(p + ct.n, tag.p, tag.n);
	drop(ct);
	drop(tag);
	return (struct span){ p, n };
}

static bool
aead(struct span key, struct span iv, struct span ad, struct span msg,
    struct span sealed, bool valid)
{
	uint8_t *in = xmalloc(sealed.n), *out = xmalloc(sealed.n);
	bool opens, good;

	opens = crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL,
		    sealed.p, sealed.n, ad.p, ad.n, iv.p, key.p) == 0;
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    in, NULL, msg.p, msg.n, ad.p, ad.n, NULL, iv.p, key.p);
	good = opens == valid && (!opens || memcmp(out, msg.p, msg.n) == 0) &&
	       (memcmp(in, sealed.p, sealed.n) == 0) == valid;
	free(in);
	free(out);
	return good;
}

/* The same through noise.h, where the nonce has the form that it makes. */
static bool
noise_agrees(struct span key, struct span iv, struct span ad, struct span msg,
    struct span sealed, bool valid)
{
	struct buf in = { 0 }, out = { 0 };
	uint64_t nonce = 0;
	size_t i;
	bool good;

	if (!sodium_is_zero(iv.p, 4))
		return true;
	explicit_nonces++;
	for (i = iv.n; i > 4; i--)
		nonce = nonce << 8 | iv.p[i - 1];
	if (nonce == UINT64_MAX)
		return noise_open(&out, key.p, nonce, ad, sealed) ==
		       TOCSIN_EUSAGE;
	good = (noise_open(&out, key.p, nonce, ad, sealed) == TOCSIN_OK) ==
		   valid &&
	       (!valid || span_eq(buf_span(&out), msg)) &&
	       noise_seal(&in, key.p, nonce, ad, msg) == TOCSIN_OK &&
	       span_eq(buf_span(&in), sealed) == valid;
	buf_release(&in);
	buf_release(&out);
	return good;
}

static bool
aead_agrees(json_t *group, json_t *t)
{
	struct span key = hex(t, "key"), iv = hex(t, "iv"), ad = hex(t, "aad");
	struct span msg = hex(t, "msg"), sealed = ct_and_tag(t);
	bool valid = is(t, "result", "valid"), good = true;

	if (json_integer_value(json_object_get(group, "ivSize")) != 96)
		other_nonces++; /* cannot be given to our function at all */
	else
		good = aead(key, iv, ad, msg, sealed, valid) &&
		       noise_agrees(key, iv, ad, msg, sealed, valid);
	drop(key);
	drop(iv);
	drop(ad);
	drop(msg);
	drop(sealed);
	return good;
}

int
main(void)
{
	long long all;

	if (sodium_init() < 0)
		return 1;
	is_int(each("tests/vectors/wycheproof/x25519_test.json", x25519_agrees,
		   &all),
	    518, "518 X25519 vectors agree");
	is_int(all, 518, "of 518");
	is_int(zero_shares, 31, "31 with a share of zero, which is refused");
	ok(refused_keys > zero_shares,
	    "public keys in a second encoding are refused too (%lld in all)",
	    refused_keys);
	is_int(each("tests/vectors/wycheproof/chacha20_poly1305_test.json",
		   aead_agrees, &all),
	    325, "325 ChaCha20-Poly1305 vectors agree");
	is_int(all, 325, "of 325");
	is_int(other_nonces, 9, "9 with nonces of other lengths");
	ok(explicit_nonces > 0,
	    "%lld through noise.h, where its nonces have that form",
	    explicit_nonces);
	return tap_done();
}
