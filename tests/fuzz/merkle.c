/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/merkle.h"

static unsigned
bits(uint64_t v)
{
	return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

/* Below the last common node with the last leaf, and above it. */
static size_t
inclusion_length(uint64_t index, uint64_t size)
{
	unsigned inner = bits(index ^ (size - 1));

	return inner + (inner < 64
			       ? (unsigned)__builtin_popcountll(index >> inner)
			       : 0);
}

/* From the largest complete subtree at the old tree's end. */
static size_t
consistency_length(uint64_t old, uint64_t size)
{
	unsigned down = (unsigned)__builtin_ctzll(old);
	bool complete = old == UINT64_C(1) << down;

	return inclusion_length(old - 1, size) - down + !complete;
}

static void
inclusion(uint64_t index, uint64_t size, struct span proof)
{
	static const uint8_t leaf[32] = { 1 }, root[32] = { 2 };
	enum tocsin_err err =
	    merkle_verify_inclusion(index, size, leaf, proof, root);
	bool shaped = index < size && size <= MERKLE_SIZE_MAX &&
		      proof.n % 32 == 0 &&
		      proof.n / 32 == inclusion_length(index, size);

	MUST(err == (shaped ? TOCSIN_EBADSIGNATURE : TOCSIN_EMALFORMED));
}

static void
consistency(uint64_t old, uint64_t size, struct span proof)
{
	static const uint8_t before[32] = { 1 }, root[32] = { 2 };
	enum tocsin_err err =
	    merkle_verify_consistency(old, size, proof, before, root);
	bool shaped =
	    old <= size && size <= MERKLE_SIZE_MAX && proof.n % 32 == 0;

	if (old == 0 || old == size)
		shaped = shaped && proof.n == 0;
	else if (old < size)
		shaped =
		    shaped && proof.n / 32 == consistency_length(old, size);
	MUST(err == (shaped ? TOCSIN_EBADSIGNATURE : TOCSIN_EMALFORMED));
}

/*
 * Two numbers and a proof: it is malformed exactly if its length is not the one
 * that the numbers give, worked out in another way here.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rd r = rd_init((struct span){ data, n });
	uint64_t a = rd_u64(&r), b = rd_u64(&r);
	struct span proof = rd_rest(&r);

	if (!rd_done(&r))
		return 0;
	inclusion(a, b, proof);
	consistency(a, b, proof);
	return 0;
}
