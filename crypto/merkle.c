/* SPDX-License-Identifier: ISC */
#include "crypto/merkle.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Hashes of a proof, gathered from the root down and given bottom up. */
struct path {
	uint8_t hash[MERKLE_PROOF_MAX][MERKLE_HASH];
	size_t n;
};

void
merkle_leaf(uint8_t out[32], struct span data)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)"\x00", 1);
	if (data.n > 0)
		crypto_hash_sha256_update(&st, data.p, data.n);
	crypto_hash_sha256_final(&st, out);
}

void
merkle_node(uint8_t out[32], const uint8_t left[32], const uint8_t right[32])
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)"\x01", 1);
	crypto_hash_sha256_update(&st, left, 32);
	crypto_hash_sha256_update(&st, right, 32);
	crypto_hash_sha256_final(&st, out);
}

uint64_t
merkle_nodes(uint64_t size)
{
	return 2 * size - (uint64_t)__builtin_popcountll(size);
}

uint64_t
merkle_pos(unsigned level, uint64_t n)
{
	return merkle_nodes(((n + 1) << level) - 1) + level;
}

enum tocsin_err
merkle_append(
    const struct merkle_store *s, uint64_t *size, const uint8_t data[32])
{
	uint8_t hash[32], left[32];
	enum tocsin_err err;
	uint64_t n = *size;
	unsigned level = 0;

	if (n >= MERKLE_SIZE_MAX)
		return TOCSIN_EUSAGE;
	merkle_leaf(hash, (struct span){ data, 32 });
	err = s->put(s->arg, merkle_pos(0, n), hash);
	/* An odd node completes its parent. */
	while (err == TOCSIN_OK && n % 2 == 1) {
		err = s->get(s->arg, merkle_pos(level, n - 1), left);
		if (err)
			return err;
		merkle_node(hash, left, hash);
		n /= 2;
		level++;
		err = s->put(s->arg, merkle_pos(level, n), hash);
	}
	if (err == TOCSIN_OK)
		++*size;
	return err;
}

/*
 * The hash of n > 0 leaves up to `end`, where the first is a multiple of a
 * power of two that is not below n: fold its complete subtrees from the right.
 */
static enum tocsin_err
range_root(
    const struct merkle_store *s, uint64_t end, uint64_t n, uint8_t out[32])
{
	uint8_t left[32];
	enum tocsin_err err;
	bool begun = false;
	unsigned level;

	assert(n > 0 && n <= end);
	for (level = 0; n >> level != 0; level++) {
		if ((n >> level) % 2 == 0)
			continue;
		err = s->get(s->arg, merkle_pos(level, (end >> level) - 1),
		    begun ? left : out);
		if (err)
			return err;
		if (begun)
			merkle_node(out, left, out);
		begun = true;
		end -= UINT64_C(1) << level;
	}
	return TOCSIN_OK;
}

enum tocsin_err
merkle_root(const struct merkle_store *s, uint64_t size, uint8_t root[32])
{
	if (size > MERKLE_SIZE_MAX)
		return TOCSIN_EUSAGE;
	if (size == 0) {
		crypto_hash_sha256(root, (const uint8_t *)"", 0);
		return TOCSIN_OK;
	}
	return range_root(s, size, size, root);
}

/* The largest power of two below n, n > 1: how many leaves go left. */
static uint64_t
split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static enum tocsin_err
path_add(struct path *p, const struct merkle_store *s, uint64_t end, uint64_t n)
{
	assert(p->n < MERKLE_PROOF_MAX);
	return range_root(s, end, n, p->hash[p->n++]);
}

static enum tocsin_err
path_give(const struct path *p, struct buf *proof)
{
	uint8_t *at = buf_grow(proof, p->n * MERKLE_HASH);
	size_t i;

	if (at == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < p->n; i++)
		memcpy(
		    at + i * MERKLE_HASH, p->hash[p->n - 1 - i], MERKLE_HASH);
	return TOCSIN_OK;
}

enum tocsin_err
merkle_inclusion(const struct merkle_store *s, uint64_t index, uint64_t size,
    struct buf *proof)
{
	struct path p = { .n = 0 };
	uint64_t start = 0, n = size, left;
	enum tocsin_err err;

	if (index >= size || size > MERKLE_SIZE_MAX)
		return TOCSIN_EUSAGE;
	while (n > 1) {
		left = split(n);
		if (index - start < left) {
			err = path_add(&p, s, start + n, n - left);
			n = left;
		} else {
			err = path_add(&p, s, start + left, left);
			start += left;
			n -= left;
		}
		if (err)
			return err;
	}
	return path_give(&p, proof);
}

enum tocsin_err
merkle_consistency(const struct merkle_store *s, uint64_t old, uint64_t size,
    struct buf *proof)
{
	struct path p = { .n = 0 };
	uint64_t start = 0, n = size, left;
	enum tocsin_err err = TOCSIN_OK;

	if (old > size || size > MERKLE_SIZE_MAX)
		return TOCSIN_EUSAGE;
	if (old == 0)
		return TOCSIN_OK;
	while (err == TOCSIN_OK && old - start < n) {
		left = split(n);
		if (old - start <= left) {
			err = path_add(&p, s, start + n, n - left);
			n = left;
		} else {
			err = path_add(&p, s, start + left, left);
			start += left;
			n -= left;
		}
	}
	/* The verifier knows the old root, but no other subtree's. */
	if (err == TOCSIN_OK && start > 0)
		err = path_add(&p, s, start + n, n);
	return err ? err : path_give(&p, proof);
}

/* ---- verifying ---- */

/* RFC 9162's fn and sn: the way of a leaf, and of the last, to the root. */
struct climb {
	uint64_t fn;
	uint64_t sn;
};

static void
up(struct climb *c)
{
	c->fn >>= 1;
	c->sn >>= 1;
}

/* Is the next hash of the proof a left neighbour? If so, skip to its level. */
static bool
from_left(struct climb *c)
{
	if (c->fn % 2 == 0 && c->fn != c->sn)
		return false;
	while (c->fn % 2 == 0 && c->fn != 0)
		up(c);
	return true;
}

static bool
is_proof(struct span proof)
{
	return proof.n % MERKLE_HASH == 0 &&
	       proof.n / MERKLE_HASH <= MERKLE_PROOF_MAX;
}

static enum tocsin_err
same(const uint8_t a[32], const uint8_t b[32])
{
	return memcmp(a, b, 32) == 0 ? TOCSIN_OK : TOCSIN_EBADSIGNATURE;
}

enum tocsin_err
merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[32],
    struct span proof, const uint8_t root[32])
{
	struct climb c = { index, size - 1 };
	const uint8_t *p = proof.p;
	uint8_t r[32];
	size_t left;

	if (index >= size || size > MERKLE_SIZE_MAX || !is_proof(proof))
		return TOCSIN_EMALFORMED;
	memcpy(r, leaf, 32);
	for (left = proof.n; left > 0; left -= 32, p += 32) {
		if (c.sn == 0)
			return TOCSIN_EMALFORMED;
		if (from_left(&c))
			merkle_node(r, p, r);
		else
			merkle_node(r, r, p);
		up(&c);
	}
	return c.sn == 0 ? same(r, root) : TOCSIN_EMALFORMED;
}

/* An empty tree begins every tree, and a tree itself, without proof. */
static enum tocsin_err
verify_trivial(uint64_t old, struct span proof, const uint8_t old_root[32],
    const uint8_t root[32])
{
	uint8_t none[32];

	if (proof.n > 0)
		return TOCSIN_EMALFORMED;
	if (old > 0)
		return same(old_root, root);
	crypto_hash_sha256(none, (const uint8_t *)"", 0);
	return same(old_root, none);
}

enum tocsin_err
merkle_verify_consistency(uint64_t old, uint64_t size, struct span proof,
    const uint8_t old_root[32], const uint8_t root[32])
{
	struct climb c = { old - 1, size - 1 };
	const uint8_t *p = proof.p;
	size_t left = proof.n;
	uint8_t fr[32], sr[32];

	if (old > size || size > MERKLE_SIZE_MAX || !is_proof(proof))
		return TOCSIN_EMALFORMED;
	if (old == size || old == 0)
		return verify_trivial(old, proof, old_root, root);
	if (left == 0)
		return TOCSIN_EMALFORMED;
	while (c.fn % 2 == 1)
		up(&c);
	/* A complete old tree is itself the first node; else the proof has it.
	 */
	memcpy(fr, c.fn == 0 ? old_root : p, 32);
	if (c.fn != 0) {
		left -= 32;
		p += 32;
	}
	memcpy(sr, fr, 32);
	for (; left > 0; left -= 32, p += 32) {
		if (c.sn == 0)
			return TOCSIN_EMALFORMED;
		if (from_left(&c)) {
			merkle_node(fr, p, fr);
			merkle_node(sr, p, sr);
		} else {
			merkle_node(sr, sr, p);
		}
		up(&c);
	}
	if (c.sn != 0)
		return TOCSIN_EMALFORMED;
	return same(fr, old_root) ? TOCSIN_EBADSIGNATURE : same(sr, root);
}
