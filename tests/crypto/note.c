/* SPDX-License-Identifier: ISC */
#include "crypto/note.h"
#include "crypto/pubkey.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "asean.example/x/v1\nserial 1\n";

static uint8_t sk[64], sk2[64];
static struct vkey key, key2;

static void
make_keys(void)
{
	static const uint8_t seed[32] = { 1 }, seed2[32] = { 2 };
	uint8_t pk[32];

	crypto_sign_seed_keypair(pk, sk, seed);
	is_int(vkey_make(&key, span_of("aa"), pk), TOCSIN_OK, "a key is made");
	crypto_sign_seed_keypair(pk, sk2, seed2);
	is_int(vkey_make(&key2, span_of("bb"), pk), TOCSIN_OK, "and another");
}

static struct buf
signed_note(void)
{
	struct buf b = { 0 };

	ok(note_sign(&b, span_of(text), span_of("aa"), sk) == TOCSIN_OK,
	    "a text is signed");
	return b;
}

/* ---- others' notes ---- */

static struct span
file(const char *name, uint8_t **held)
{
	char path[256];
	size_t n;

	snprintf(path, sizeof(path), "tests/vectors/signed-note/%s", name);
	*held = slurp(top(path), &n);
	return (struct span){ *held, n };
}

/* Every vkey of a file verifies the note, and prints as it was. */
static size_t
verify_all(const struct note *n, struct span vkeys, bool want)
{
	size_t good = 0, at, i;
	struct vkey k;

	for (at = 0; at < vkeys.n; at = i + 1) {
		struct buf b = { 0 };
		struct span line;

		for (i = at; i < vkeys.n && vkeys.p[i] != '\n'; i++)
			;
		line = span_cut(vkeys, at, i - at);
		if (vkey_parse(&k, line) != TOCSIN_OK)
			return 0;
		vkey_print(&b, &k);
		if (span_eq(buf_span(&b), line) &&
		    (note_verify(n, &k) == TOCSIN_OK) == want)
			good++;
		buf_release(&b);
	}
	return good;
}

static void
test_vector(const char *name, const char *keys, size_t nkeys)
{
	uint8_t *held, *held_keys;
	struct span bytes = file(name, &held);
	struct span vkeys = file(keys, &held_keys);
	struct note n;

	ok(note_parse(&n, bytes, TEXT_MAX) == TOCSIN_OK, "%s is a note", name);
	is_int((long long)verify_all(&n, vkeys, true), (long long)nkeys,
	    "each key verifies it");
	held[3] ^= 1;
	ok(note_parse(&n, bytes, TEXT_MAX) == TOCSIN_OK,
	    "with another byte it is a note");
	is_int((long long)verify_all(&n, vkeys, false), (long long)nkeys,
	    "that no key verifies");
	free(held);
	free(held_keys);
}

/* ---- vkeys ---- */

static void
test_vkeys(void)
{
	static const char good[] =
	    "PeterNeumann+c74f20a3+"
	    "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
	static const struct {
		size_t at;
		const char *to;
		const char *why;
	} bad[] = {
		{ 13, "d", "an id that is another key's" },
		{ 13, "C", "an id in upper case" },
		{ 12, "-", "one plus" },
		{ 21, "-", "one plus at the other end" },
		{ 0, "p", "another name" },
		{ 0, " ", "a space in the name" },
		{ 0, "\n", "a line break in the name" },
		{ 0, "\xc3", "a name beyond ASCII" },
		{ 64, "=", "31 bytes of key" },
		{ 30, "_", "the URL alphabet" },
		{ 22, "B", "another type, whose id differs" },
	};
	size_t i, n = sizeof(good) - 1, cut;
	struct vkey k;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char bent[sizeof(good)];

		memcpy(bent, good, sizeof(good));
		bent[bad[i].at] = bad[i].to[0];
		ok(vkey_parse(&k, span_of(bent)) != TOCSIN_OK, "refused: %s",
		    bad[i].why);
	}
	for (cut = 0; cut < n; cut++) {
		uint8_t *copy = xcopy(good, cut);
		enum tocsin_err err =
		    vkey_parse(&k, (struct span){ copy, cut });

		free(copy);
		if (err != TOCSIN_EMALFORMED)
			break;
	}
	ok(cut == n, "every proper prefix is refused (got to %zu)", cut);
	ok(vkey_parse(&k, span_of("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/"
				  "LDE4izWy10TW")) == TOCSIN_EMALFORMED,
	    "a key without a name is refused");
	ok(vkey_eq(&key, &key) && !vkey_eq(&key, &key2), "keys are told apart");
}

/* ---- our own ---- */

static void
test_sign(void)
{
	struct buf b = signed_note(), two = { 0 }, more = { 0 };
	uint8_t id[ID_LEN], whole[ID_LEN];
	struct note n;

	is_int(note_parse(&n, buf_span(&b), TEXT_MAX), TOCSIN_OK,
	    "what we sign is a note");
	ok(span_is(n.text, text) && n.nsig == 1, "with the text, and one line");
	is_int(note_verify(&n, &key), TOCSIN_OK, "that our key verifies");
	is_int(note_verify(&n, &key2), TOCSIN_ENOTFOUND,
	    "a key that did not sign has no line");
	note_id(id, n.text);
	crypto_hash_sha256(whole, (const uint8_t *)text, sizeof(text) - 1);
	ok(memcmp(id, whole, ID_LEN) == 0, "the id is that of the text alone");

	is_int(note_add(&two, &n, span_of("bb"), sk2), TOCSIN_OK,
	    "another signs too");
	is_int(note_parse(&n, buf_span(&two), TEXT_MAX), TOCSIN_OK,
	    "it is a note");
	ok(note_verify(&n, &key) == TOCSIN_OK &&
		note_verify(&n, &key2) == TOCSIN_OK,
	    "that both keys verify");
	is_int(note_add(&more, &n, span_of("bb"), sk2), TOCSIN_EDUPLICATE,
	    "nobody signs twice");
	ok(more.n == 0, "and nothing is written then");
	buf_release(&b);
	buf_release(&two);
	buf_release(&more);
}

static void
test_made_elsewhere(void)
{
	struct buf b = { 0 };
	struct note n;
	uint8_t sig[64];

	is_int(note_parse_draft(&n, span_of(text), TEXT_MAX), TOCSIN_OK,
	    "a text alone is a draft");
	is_int(note_parse(&n, span_of(text), TEXT_MAX), TOCSIN_EMALFORMED,
	    "but no note");
	crypto_sign_detached(
	    sig, NULL, (const uint8_t *)text, sizeof(text) - 1, sk);
	is_int(note_add_made(&b, &n, &key2, sig), TOCSIN_EBADSIGNATURE,
	    "a signature by another key is not put in");
	is_int(note_add_made(&b, &n, &key, sig), TOCSIN_OK,
	    "one that verifies is");
	buf_release(&b);
}

/* A key whose public half is not its own, as a fault or an attack leaves it. */
static void
test_fault(void)
{
	struct buf b = { 0 };
	uint8_t mixed[64];

	memcpy(mixed, sk, 32);
	memcpy(mixed + 32, sk2 + 32, 32);
	is_int(note_sign(&b, span_of(text), span_of("aa"), mixed),
	    TOCSIN_EINTERNAL, "halves of two keys sign nothing");
	ok(b.n == 0, "and nothing is let out");
	is_int(note_sign(&b, span_of("no line"), span_of("aa"), sk),
	    TOCSIN_EMALFORMED, "a text ends with LF");
	is_int(note_sign(&b, span_of("a\n\nb\n"), span_of("aa"), sk),
	    TOCSIN_EMALFORMED, "and has no blank line");
	is_int(note_sign(&b, span_of(text), span_of("a a"), sk),
	    TOCSIN_EMALFORMED, "a name has no space");
	buf_release(&b);
}

static enum tocsin_err
parse_copy(struct note *n, const uint8_t *p, size_t len)
{
	uint8_t *copy = xcopy(p, len);
	enum tocsin_err err = note_parse(n, (struct span){ copy, len }, 64);

	free(copy);
	return err;
}

static void
test_truncated(void)
{
	struct buf b = signed_note();
	struct note n;
	size_t cut;

	for (cut = 0; cut < b.n; cut++)
		if (parse_copy(&n, b.p, cut) != TOCSIN_EMALFORMED)
			break;
	ok(cut == b.n, "every proper prefix is refused (got to %zu)", cut);
	buf_release(&b);
}

/* No bit can change and leave a note that our key verifies. */
static void
test_every_bit(void)
{
	struct buf b = signed_note();
	struct note n;
	size_t i;

	for (i = 0; i < 8 * b.n; i++) {
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		if (note_parse(&n, buf_span(&b), TEXT_MAX) == TOCSIN_OK &&
		    note_verify(&n, &key) == TOCSIN_OK)
			break;
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ok(i == 8 * b.n, "no bit may change (got to %zu)", i);
	buf_release(&b);
}

#define DASH "\xe2\x80\x94 "

static void
test_lines(void)
{
	static const struct {
		const char *bytes;
		enum tocsin_err want;
		const char *why;
	} cases[] = {
		{ "a\n\n" DASH "x AAAAAAA=\n", TOCSIN_OK,
		    "a short signature of a kind that we don't know" },
		{ "a\n\n" DASH "x AAAAAA==\n", TOCSIN_EMALFORMED,
		    "a line with a key id alone" },
		{ "a\n\n" DASH "x AAAAAAB=\n", TOCSIN_EMALFORMED,
		    "base64 with loose bits" },
		{ "a\n\n" DASH "x AAAAAAA\n", TOCSIN_EMALFORMED,
		    "base64 without padding" },
		{ "a\n\n" DASH "x AAAAAAA= \n", TOCSIN_EMALFORMED,
		    "a space at the end" },
		{ "a\n\n" DASH "x  AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "two spaces" },
		{ "a\n\n" DASH " AAAAAAA=\n", TOCSIN_EMALFORMED, "no name" },
		{ "a\n\n" DASH "x+y AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "a plus in a name" },
		{ "a\n\n" DASH "x\xc2\xa0y AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "a no-break space in a name" },
		{ "a\n\n" DASH "\xe3\x81\x82 AAAAAAA=\n", TOCSIN_OK,
		    "a name in kana" },
		{ "a\n\n" DASH "\xe3\x81 AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "half a character" },
		{ "a\n\n" DASH "x AAAAAAA=", TOCSIN_EMALFORMED, "no LF" },
		{ "a\n\n" DASH "x AAAAAAA=\r\n", TOCSIN_EMALFORMED, "CR LF" },
		{ "a\n\n- x AAAAAAA=\n", TOCSIN_EMALFORMED, "a hyphen" },
		{ "a\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "no blank line" },
		{ "a\n\n", TOCSIN_EMALFORMED, "no line" },
		{ "\n\n" DASH "x AAAAAAA=\n", TOCSIN_OK, "a text of one LF" },
		{ "\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED, "no text" },
		{ "a\n\nb\n\n" DASH "x AAAAAAA=\n", TOCSIN_OK,
		    "the last blank line counts" },
		{ "\xc3\xa9\n\n" DASH "x AAAAAAA=\n", TOCSIN_OK, "UTF-8" },
		{ "\xc0\xa0\n\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "UTF-8 that is too long" },
		{ "\xed\xa0\x80\n\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "half a surrogate pair" },
		{ "\xf4\x90\x80\x80\n\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED,
		    "beyond Unicode" },
		{ "a\tb\n\n" DASH "x AAAAAAA=\n", TOCSIN_EMALFORMED, "a tab" },
		{ "0123456789012345678901234567890123456789012345678901234567"
		  "89012\n\n" DASH "x AAAAAAA=\n",
		    TOCSIN_OK, "64 bytes, where 64 are the most" },
		{ "0123456789012345678901234567890123456789012345678901234567"
		  "890123\n\n" DASH "x AAAAAAA=\n",
		    TOCSIN_ETOOLARGE, "65 bytes, where 64 are the most" },
	};
	struct note n;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(parse_copy(&n, (const uint8_t *)cases[i].bytes,
			   strlen(cases[i].bytes)),
		    cases[i].want, "%s", cases[i].why);
}

/* ---- who else may write on it ---- */

static void
test_foreign_lines(void)
{
	struct buf b = signed_note(), bent = { 0 };
	struct note n;
	size_t i, line = b.n - sizeof(text);

	buf_addz(&b, DASH "xx AAAAAAA=\n");
	ok(note_parse(&n, buf_span(&b), TEXT_MAX) == TOCSIN_OK &&
		note_verify(&n, &key) == TOCSIN_OK,
	    "a line of an unknown key is ignored");
	for (i = n.nsig; i < NOTE_SIGS; i++)
		buf_addz(&b, DASH "xx AAAAAAA=\n");
	is_int(note_parse(&n, buf_span(&b), TEXT_MAX), TOCSIN_OK,
	    "64 lines are a note");
	buf_addz(&b, DASH "xx AAAAAAA=\n");
	is_int(note_parse(&n, buf_span(&b), TEXT_MAX), TOCSIN_ETOOLARGE,
	    "65 are too many");
	buf_release(&b);

	b = signed_note();
	buf_add(&bent, buf_span(&b));
	buf_add(&bent, span_cut(buf_span(&b), sizeof(text), line));
	ok(note_parse(&n, buf_span(&bent), TEXT_MAX) == TOCSIN_OK &&
		note_verify(&n, &key) == TOCSIN_EMALFORMED,
	    "two lines of one key are refused");
	buf_cut(&bent, b.n);
	bent.p[bent.n - 10] = bent.p[bent.n - 10] == 'A' ? 'B' : 'A';
	ok(note_parse(&n, buf_span(&bent), TEXT_MAX) == TOCSIN_OK &&
		note_verify(&n, &key) == TOCSIN_EBADSIGNATURE,
	    "a line of a known key that fails is no stranger's");
	buf_release(&b);
	buf_release(&bent);
}

static void
test_other_types(void)
{
	struct buf b = signed_note();
	struct vkey cosigner = key;
	struct note n;
	uint8_t line[KEYID_LEN + NOTE_SIG_MAX] = { 0 };

	cosigner.type = VKEY_COSIGNER;
	ok(note_parse(&n, buf_span(&b), TEXT_MAX) == TOCSIN_OK &&
		note_verify(&n, &cosigner) == TOCSIN_EUNSUPPORTED,
	    "a cosigner signs something else");
	memcpy(line, key2.id, KEYID_LEN);
	buf_addz(&b, DASH "bb ");
	buf_base64(&b, SPAN(line));
	buf_addz(&b, "\n");
	ok(note_parse(&n, buf_span(&b), TEXT_MAX) == TOCSIN_OK &&
		n.sig[1].n == NOTE_SIG_MAX,
	    "a cosigner's line is kept");
	is_int(note_verify(&n, &key2), TOCSIN_EBADSIGNATURE,
	    "a line of a known key and another length fails");
	buf_release(&b);
}

/* ---- keys that one must not use ---- */

static bool
unhex(json_t *o, const char *name, uint8_t *out, size_t max, size_t *n)
{
	const char *hex = json_string_value(json_object_get(o, name));

	return hex != NULL &&
	       sodium_hex2bin(out, max, hex, strlen(hex), NULL, n, NULL) == 0;
}

/*
 * Of these edge cases libsodium verifies 43. 42 of them have a key with a part
 * of small order, and one is clean; our check of keys leaves that one.
 */
static void
test_edge_keys(void)
{
	json_t *all = json_load_file(
	    top("tests/vectors/cctv-ed25519/ed25519vectors.json"), 0, NULL);
	unsigned verified = 0, left = 0;
	size_t i, n;
	json_t *v;

	is_int((long long)json_array_size(all), 914, "914 edge cases");
	json_array_foreach(all, i, v)
	{
		const char *msg = json_string_value(json_object_get(v, "msg"));
		uint8_t pk[32], sig[64];

		if (msg == NULL || !unhex(v, "key", pk, sizeof(pk), &n) ||
		    !unhex(v, "sig", sig, sizeof(sig), &n))
			break;
		if (crypto_sign_verify_detached(
			sig, (const uint8_t *)msg, strlen(msg), pk) != 0)
			continue;
		verified++;
		left += pubkey_ed25519_ok(pk);
	}
	is_int((long long)i, 914, "all were read");
	is_int(verified, 43, "libsodium alone verifies 43 of them");
	is_int(left, 1, "with our check of keys one is left");
	json_decref(all);
}

static void
test_wycheproof(void)
{
	json_t *all = json_load_file(
	    top("tests/vectors/wycheproof/ed25519_test.json"), 0, NULL);
	unsigned agree = 0, total = 0;
	json_t *group, *test;
	size_t i, j, n, nmsg;

	json_array_foreach(json_object_get(all, "testGroups"), i, group)
	{
		uint8_t pk[32], sig[256], msg[2048];

		if (!unhex(json_object_get(group, "publicKey"), "pk", pk,
			sizeof(pk), &n))
			break;
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			bool want = strcmp(json_string_value(
					       json_object_get(test, "result")),
					"valid") == 0;
			bool got =
			    unhex(test, "sig", sig, sizeof(sig), &n) &&
			    unhex(test, "msg", msg, sizeof(msg), &nmsg) &&
			    n == 64 && pubkey_ed25519_ok(pk) &&
			    crypto_sign_verify_detached(sig, msg, nmsg, pk) ==
				0;

			total++;
			agree += got == want;
		}
	}
	is_int(total, json_integer_value(json_object_get(all, "numberOfTests")),
	    "all of Wycheproof's Ed25519 cases were read");
	is_int(agree, total, "and we agree with each");
	json_decref(all);
}

static void
test_x25519_keys(void)
{
	static const uint8_t one[32] = { 1 }, zero[32] = { 0 };
	uint8_t pk[32], p[32];

	crypto_scalarmult_base(pk, sk);
	ok(pubkey_x25519_ok(pk), "an X25519 key is good");
	pk[31] |= 0x80;
	ok(!pubkey_x25519_ok(pk), "but not with a bit that means nothing");
	ok(!pubkey_x25519_ok(one) && !pubkey_x25519_ok(zero),
	    "low order is refused");
	memset(p, 0xff, sizeof(p));
	p[31] = 0x7f;
	p[0] = 0xed;
	ok(!pubkey_x25519_ok(p), "the prime is not reduced");
	p[0] = 0xf6; /* 9 and the prime: the base point, misspelt */
	ok(!pubkey_x25519_ok(p), "nor is a key beyond it");
}

static void
test_keyset(void)
{
	struct keyset s = { 0 };
	uint8_t curve[32];

	ok(keyset_distinct(&s) == TOCSIN_OK, "no key is no double");
	keyset_ed25519(&s, key.pk);
	keyset_ed25519(&s, key2.pk);
	ok(keyset_distinct(&s) == TOCSIN_OK, "two keys are two");
	ok(crypto_sign_ed25519_pk_to_curve25519(curve, key.pk) == 0,
	    "a signing key has a place on the other curve");
	keyset_x25519(&s, curve);
	ok(keyset_distinct(&s) == TOCSIN_EMALFORMED,
	    "one secret in two curves is a double");
	keyset_release(&s);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	make_keys();
	test_vector("c2sp-example.note", "c2sp-example.vkey", 1);
	test_vector("sumdb-peterneumann.note", "sumdb-peterneumann.vkey", 1);
	test_vector(
	    "sumgolang-6476701.checkpoint", "sumgolang-6476701.vkeys", 4);
	test_vkeys();
	test_sign();
	test_made_elsewhere();
	test_fault();
	test_truncated();
	test_every_bit();
	test_lines();
	test_foreign_lines();
	test_other_types();
	test_edge_keys();
	test_wycheproof();
	test_x25519_keys();
	test_keyset();
	return tap_done();
}
