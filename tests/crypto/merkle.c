/* SPDX-License-Identifier: ISC */
#include "crypto/merkle.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES 70 /* beyond 64, so that seven levels come up */

/* ---- a store that insists on appending ---- */

struct mem {
	uint8_t hash[2 * LEAVES][32];
	uint64_t n;
	uint64_t fail_at; /* of the n-th put or get, from 1 */
	uint64_t calls;
	bool out_of_order;
};

static enum tocsin_err
mem_get(void *arg, uint64_t pos, uint8_t hash[32])
{
	struct mem *m = arg;

	if (++m->calls == m->fail_at)
		return TOCSIN_EINTERNAL;
	if (pos >= m->n)
		return TOCSIN_ENOTFOUND;
	memcpy(hash, m->hash[pos], 32);
	return TOCSIN_OK;
}

static enum tocsin_err
mem_put(void *arg, uint64_t pos, const uint8_t hash[32])
{
	struct mem *m = arg;

	if (++m->calls == m->fail_at)
		return TOCSIN_ENOSPACE;
	if (pos != m->n || pos >= 2 * LEAVES) {
		m->out_of_order = true;
		return TOCSIN_EINTERNAL;
	}
	memcpy(m->hash[m->n++], hash, 32);
	return TOCSIN_OK;
}

static struct mem mem;
static const struct merkle_store store = { &mem, mem_get, mem_put };
static uint8_t ids[LEAVES][32];

/* RFC 6962 2.1, as it is written there. */
static void
slow_root(const uint8_t (*leaf)[32], size_t n, uint8_t out[32])
{
	uint8_t left[32], right[32];
	size_t k = 1;

	if (n == 0) {
		crypto_hash_sha256(out, (const uint8_t *)"", 0);
		return;
	}
	if (n == 1) {
		merkle_leaf(out, SPAN(leaf[0]));
		return;
	}
	while (2 * k < n)
		k *= 2;
	slow_root(leaf, k, left);
	slow_root(leaf + k, n - k, right);
	merkle_node(out, left, right);
}

static void
test_append(void)
{
	uint8_t want[32], got[32];
	uint64_t size = 0;
	size_t wrong = 0;

	while (size < LEAVES) {
		randombytes_buf(ids[size], 32);
		if (merkle_append(&store, &size, ids[size]) != TOCSIN_OK)
			break;
		slow_root((const uint8_t(*)[32])ids, size, want);
		if (merkle_root(&store, size, got) != TOCSIN_OK ||
		    memcmp(want, got, 32) != 0 || merkle_nodes(size) != mem.n)
			wrong++;
	}
	is_int((long long)size, LEAVES, "leaves are appended");
	ok(!mem.out_of_order, "and nodes only at the end");
	is_int((long long)wrong, 0, "every root is that of the definition");
	for (wrong = 0, size = 0; size <= LEAVES; size++) {
		slow_root((const uint8_t(*)[32])ids, size, want);
		if (merkle_root(&store, size, got) != TOCSIN_OK ||
		    memcmp(want, got, 32) != 0)
			wrong++;
	}
	is_int((long long)wrong, 0, "and can still be had later");
}

static void
test_positions(void)
{
	is_int((long long)merkle_pos(0, 0), 0, "the first leaf is at 0");
	is_int((long long)merkle_pos(0, 1), 1, "the second at 1");
	is_int((long long)merkle_pos(1, 0), 2, "their parent at 2");
	is_int((long long)merkle_pos(2, 0), 6, "the parent of four at 6");
	is_int((long long)merkle_pos(20, 0), 2097150,
	    "the root of a million leaves behind all of them");
	ok(merkle_pos(62, 0) == (UINT64_C(1) << 63) - 2,
	    "the root of the largest tree has a place");
}

/* Every proof of every tree; then each of them spoilt. */
static void
test_inclusion(void)
{
	uint64_t size, i;
	size_t wrong = 0, taken = 0, proofs = 0;

	for (size = 1; size <= LEAVES; size++) {
		uint8_t root[32], leaf[32];

		slow_root((const uint8_t(*)[32])ids, size, root);
		for (i = 0; i < size; i++, proofs++) {
			struct buf p = { 0 };

			merkle_leaf(leaf, SPAN(ids[i]));
			if (merkle_inclusion(&store, i, size, &p) ||
			    merkle_verify_inclusion(
				i, size, leaf, buf_span(&p), root))
				wrong++;
			taken += merkle_verify_inclusion(i ^ 1, size, leaf,
				     buf_span(&p), root) == TOCSIN_OK;
			taken += merkle_verify_inclusion(i, size, root,
				     buf_span(&p), leaf) == TOCSIN_OK &&
				 size > 1;
			buf_add(&p, SPAN(root));
			taken += merkle_verify_inclusion(i, size, leaf,
				     buf_span(&p), root) == TOCSIN_OK;
			buf_cut(&p, p.n - 33);
			taken += merkle_verify_inclusion(i, size, leaf,
				     buf_span(&p), root) == TOCSIN_OK;
			buf_release(&p);
		}
	}
	is_int((long long)wrong, 0, "%zu inclusion proofs hold", proofs);
	is_int((long long)taken, 0, "none holds for another index or length");
}

static void
test_consistency(void)
{
	uint64_t old, size;
	size_t wrong = 0, taken = 0, proofs = 0;

	for (size = 0; size <= LEAVES; size++) {
		uint8_t root[32], before[32];

		slow_root((const uint8_t(*)[32])ids, size, root);
		for (old = 0; old <= size; old++, proofs++) {
			struct buf p = { 0 };

			slow_root((const uint8_t(*)[32])ids, old, before);
			if (merkle_consistency(&store, old, size, &p) ||
			    merkle_verify_consistency(
				old, size, buf_span(&p), before, root))
				wrong++;
			before[0] ^= 1;
			taken += merkle_verify_consistency(old, size,
				     buf_span(&p), before, root) == TOCSIN_OK;
			before[0] ^= 1;
			root[31] ^= 1;
			taken += merkle_verify_consistency(old, size,
				     buf_span(&p), before, root) == TOCSIN_OK &&
				 old > 0;
			root[31] ^= 1;
			if (p.n > 0) {
				p.p[p.n - 1] ^= 1;
				taken += merkle_verify_consistency(old, size,
					     buf_span(&p), before,
					     root) == TOCSIN_OK;
				buf_cut(&p, p.n - 32);
				taken += merkle_verify_consistency(old, size,
					     buf_span(&p), before,
					     root) == TOCSIN_OK;
			}
			buf_release(&p);
		}
	}
	is_int((long long)wrong, 0, "%zu consistency proofs hold", proofs);
	is_int((long long)taken, 0, "none holds for another root");
}

static void
test_misuse(void)
{
	struct buf p = { 0 };
	uint8_t root[32];
	uint64_t size = MERKLE_SIZE_MAX;

	ok(merkle_inclusion(&store, 5, 5, &p) == TOCSIN_EUSAGE &&
		merkle_consistency(&store, 6, 5, &p) == TOCSIN_EUSAGE &&
		merkle_append(&store, &size, root) == TOCSIN_EUSAGE &&
		merkle_root(&store, size + 1, root) == TOCSIN_EUSAGE,
	    "what cannot be proved is not asked of the store");
	ok(merkle_root(&store, LEAVES + 10, root) == TOCSIN_ENOTFOUND &&
		merkle_inclusion(&store, 0, LEAVES * 2, &p) ==
		    TOCSIN_ENOTFOUND &&
		merkle_consistency(&store, 1, LEAVES * 2, &p) ==
		    TOCSIN_ENOTFOUND &&
		p.n == 0,
	    "a tree that isn't there has no root and no proof");
	buf_release(&p);
}

/* Any call of the store may fail; then nothing has changed but the store. */
static void
test_faults(void)
{
	const struct mem before = mem;
	struct buf p = { 0 };
	uint8_t root[32];
	uint64_t size = 63;
	size_t faults = 0;
	bool good = true;

	for (mem.fail_at = 1;; mem.fail_at++, faults++) {
		uint64_t at = mem.fail_at;

		mem = before;
		mem.n = merkle_nodes(63);
		mem.calls = 0;
		mem.fail_at = at;
		if (merkle_append(&store, &size, ids[63]) == TOCSIN_OK)
			break;
		good = good && size == 63;
	}
	ok(good && faults == 13 && size == 64,
	    "a leaf is appended whole or not at all (%zu faults)", faults);
	mem = before;
	for (mem.fail_at = 1;; mem.fail_at++) {
		mem.calls = 0;
		if (merkle_root(&store, 63, root) == TOCSIN_OK)
			break;
	}
	is_int((long long)mem.fail_at, 7, "a root reads its six subtrees");
	for (mem.fail_at = 1; mem.fail_at < 6; mem.fail_at++) {
		mem.calls = 0;
		good = good &&
		       merkle_inclusion(&store, 3, 69, &p) != TOCSIN_OK &&
		       p.n == 0;
		mem.calls = 0;
		good = good &&
		       merkle_consistency(&store, 3, 69, &p) != TOCSIN_OK &&
		       p.n == 0;
	}
	ok(good, "a proof is given whole or not at all");
	mem = before;
	buf_release(&p);
}

/* ---- vectors of others ---- */

static bool
decode(const char *s, uint8_t *out, size_t max, size_t *n)
{
	return sodium_base642bin(out, max, s, strlen(s), NULL, n, NULL,
		   sodium_base64_VARIANT_ORIGINAL) == 0;
}

/* A field of 32 bytes; false if it is of another length. */
static bool
field(json_t *v, const char *name, uint8_t out[32])
{
	const char *s = json_string_value(json_object_get(v, name));
	size_t n = 0;

	return decode(s, out, 32, &n) && n == 32;
}

/*
 * False if the list holds something empty, which our form, hashes one after the
 * other, cannot say. Everything else goes to the verifier.
 */
static bool
proof_of(json_t *v, struct buf *out)
{
	uint8_t hash[64];
	bool good = true;
	json_t *p;
	size_t i, n;

	json_array_foreach(json_object_get(v, "proof"), i, p)
	{
		if (!decode(json_string_value(p), hash, sizeof(hash), &n))
			abort();
		good = good && n > 0;
		buf_add(out, (struct span){ hash, n });
	}
	return good;
}

static uint64_t
number(json_t *v, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(v, name));
}

static bool
inclusion_agrees(json_t *v)
{
	bool bad = json_is_true(json_object_get(v, "wantErr"));
	struct buf p = { 0 };
	uint8_t root[32], leaf[32];
	bool got;

	got = proof_of(v, &p) && field(v, "root", root) &&
	      field(v, "leafHash", leaf) &&
	      merkle_verify_inclusion(number(v, "leafIdx"),
		  number(v, "treeSize"), leaf, buf_span(&p), root) == TOCSIN_OK;
	buf_release(&p);
	return got == !bad;
}

static bool
consistency_agrees(json_t *v)
{
	bool bad = json_is_true(json_object_get(v, "wantErr"));
	struct buf p = { 0 };
	uint8_t root[32], old[32];
	bool got;

	got = proof_of(v, &p) && field(v, "root1", old) &&
	      field(v, "root2", root) &&
	      merkle_verify_consistency(number(v, "size1"), number(v, "size2"),
		  buf_span(&p), old, root) == TOCSIN_OK;
	buf_release(&p);
	return got == !bad;
}

/* jansson reads signed numbers; the set has indices up to 2^64 - 1. */
static json_t *
load(const char *name)
{
	static const char huge[] = "18446744073709551615";
	static const char same[] = "-1                  ";
	size_t n;
	char *text = (char *)slurp(top(name), &n), *at;
	json_t *all;

	for (at = text; (at = strstr(at, huge)) != NULL;)
		memcpy(at, same, sizeof(same) - 1);
	all = json_loads(text, 0, NULL);
	free(text);
	return all;
}

static void
test_vectors(
    const char *name, bool (*agrees)(json_t *), long long want, const char *odd)
{
	json_t *all = load(name), *v;
	long long good = 0;
	size_t i;

	json_array_foreach(all, i, v)
	{
		const char *file =
		    json_string_value(json_object_get(v, "file"));

		if (agrees(v))
			good++;
		else if (odd == NULL || strcmp(file, odd) != 0)
			diag("%s: differs", file);
	}
	is_int(good, want, "%s: %lld of %zu agree", name, want,
	    json_array_size(all));
	json_decref(all);
}

static bool
unhex(char *s, uint8_t *out, size_t max, size_t *n)
{
	s[strcspn(s, "\r\n")] = '\0';
	return sodium_hex2bin(out, max, s, strlen(s), NULL, n, NULL) == 0;
}

/* Leaves of any length, so the tree is made by the definition. */
static void
test_known_roots(void)
{
	size_t n, len, leaves = 0, roots = 0, good = 0;
	uint8_t leaf[8][32], want[32], got[32], data[32];
	char *text, *line, *save = NULL;

	text = (char *)slurp(
	    top("tests/vectors/merkle/rfc6962-known-roots.txt"), &n);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "leaf ", 5) == 0 && leaves < 8 &&
		    unhex(line + 5, data, sizeof(data), &len))
			merkle_leaf(leaf[leaves++], (struct span){ data, len });
		if (strncmp(line, "root ", 5) != 0 ||
		    !unhex(line + 5, want, sizeof(want), &len))
			continue;
		/* Odd and lonely nodes rise, as in merkle_root(). */
		mem = (struct mem){ 0 };
		for (n = 0; n < roots; n++) {
			uint64_t at = n;
			unsigned level = 0;

			memcpy(got, leaf[n], 32);
			while (mem_put(&mem, merkle_pos(level, at), got) ==
				   TOCSIN_OK &&
			       at % 2 == 1) {
				merkle_node(got,
				    mem.hash[merkle_pos(level, at - 1)], got);
				at /= 2;
				level++;
			}
		}
		good += merkle_root(&store, roots++, got) == TOCSIN_OK &&
			memcmp(got, want, 32) == 0;
	}
	is_int((long long)good, 9, "the roots of 0 to 8 known leaves");
	free(text);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_append();
	test_positions();
	test_inclusion();
	test_consistency();
	test_misuse();
	test_faults();
	test_vectors(
	    "tests/vectors/merkle/inclusion.json", inclusion_agrees, 98, NULL);
	/* The odd one has "roots" of 12 bytes and wants them taken. */
	test_vectors("tests/vectors/merkle/consistency.json",
	    consistency_agrees, 97,
	    "additional/sizes-are-equal-one-and-proof-is-empty.json");
	test_known_roots();
	return tap_done();
}
