/* SPDX-License-Identifier: ISC */
/*
 * merkle.h - the tree of a log (RFC 6962), kept as a list
 *
 * A leaf is the id of an entry, so that content can be erased while the tree
 * stays provable. Every complete subtree's hash is stored once, in the order of
 * completion: leaf, then each parent that this leaf completes. That order gives
 * node n of a level (0: leaves) the position
 *
 *	pos(level, n) = 2m - popcount(m) + level,  m = ((n + 1) << level) - 1
 *
 * and all writing is appending: a store that has lost its tail is a shorter
 * tree, not a broken one. A tree of n leaves has 2n - popcount(n) nodes.
 *
 * The tree does not own its store. What `get` and `put` return, other than OK,
 * is returned. Proofs are hashes of 32 bytes one after the other, at most
 * MERKLE_PROOF_MAX of them; they are appended to `proof`, which is as before
 * when it fails. PROTOCOL.md 10.
 */
#ifndef TOCSIN_CRYPTO_MERKLE_H
#define TOCSIN_CRYPTO_MERKLE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define MERKLE_HASH 32
#define MERKLE_SIZE_MAX (UINT64_C(1) << 62)
#define MERKLE_PROOF_MAX 64 /* one more than that size can need */

struct merkle_store {
	void *arg;
	/* ENOTFOUND if nothing was put there. */
	enum tocsin_err (*get)(void *arg, uint64_t pos, uint8_t hash[32]);
	/* Positions come in ascending order without a gap. */
	enum tocsin_err (*put)(void *arg, uint64_t pos, const uint8_t hash[32]);
};

/* SHA-256 of 0x00 and the leaf's data; of 0x01 and both children. */
void merkle_leaf(uint8_t out[32], struct span data);
void merkle_node(
    uint8_t out[32], const uint8_t left[32], const uint8_t right[32]);

/* Where a node is, and how many there are: the first free position. */
uint64_t merkle_pos(unsigned level, uint64_t n);
uint64_t merkle_nodes(uint64_t size);

/*
 * Add a leaf; *size grows by one. When it fails *size is as before and the
 * caller drops what was put (one transaction). EUSAGE beyond MERKLE_SIZE_MAX.
 */
MUST_USE enum tocsin_err merkle_append(
    const struct merkle_store *s, uint64_t *size, const uint8_t data[32]);

/* The root of the first `size` leaves; of none, SHA-256 of nothing. */
MUST_USE enum tocsin_err merkle_root(
    const struct merkle_store *s, uint64_t size, uint8_t root[32]);

/* That leaf `index` is in the first `size`. EUSAGE unless index < size. */
MUST_USE enum tocsin_err merkle_inclusion(const struct merkle_store *s,
    uint64_t index, uint64_t size, struct buf *proof);

/* That the first `old` begin the first `size`; empty for old 0 and size. */
MUST_USE enum tocsin_err merkle_consistency(const struct merkle_store *s,
    uint64_t old, uint64_t size, struct buf *proof);

/*
 * RFC 9162, 2.1.3.2 and 2.1.4.2, without a tree. EMALFORMED if the proof cannot
 * be one of those numbers: its length is wrong, index or old beyond size, size
 * beyond MERKLE_SIZE_MAX. EBADSIGNATURE if it does not lead to the root. `leaf`
 * is a merkle_leaf().
 */
MUST_USE enum tocsin_err merkle_verify_inclusion(uint64_t index, uint64_t size,
    const uint8_t leaf[32], struct span proof, const uint8_t root[32]);
MUST_USE enum tocsin_err merkle_verify_consistency(uint64_t old, uint64_t size,
    struct span proof, const uint8_t old_root[32], const uint8_t root[32]);

#endif
