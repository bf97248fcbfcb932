/* SPDX-License-Identifier: ISC */
#include "crypto/sha256.h"

#include "crypto/processor.h"

#define BLOCK 64

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

/* FIPS 180-4, 4.2.2. */
static const uint32_t k[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
	0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138,
	0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
	0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f,
	0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2 };

__attribute__((target("sha,sse4.1"))) static __m128i
load(const void *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

/*
 * The instructions keep a state as two vectors of four words, A B E F and C D G
 * H, and do two rounds at a time; w holds the last sixteen words of the message
 * schedule.
 */
__attribute__((target("sha,sse4.1"))) static void
compress(uint32_t h[8], const uint8_t *p, size_t blocks)
{
	const __m128i swap =
	    _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abef =
	    _mm_set_epi32((int)h[0], (int)h[1], (int)h[4], (int)h[5]);
	__m128i cdgh =
	    _mm_set_epi32((int)h[2], (int)h[3], (int)h[6], (int)h[7]);
	__m128i abef0, cdgh0, w[4], t;
	int i;

	for (; blocks > 0; blocks--, p += BLOCK) {
		abef0 = abef;
		cdgh0 = cdgh;
#pragma GCC unroll 16
		for (i = 0; i < 16; i++) {
			__m128i *w0 = &w[i & 3], w1 = w[(i + 1) & 3];
			__m128i w2 = w[(i + 2) & 3], w3 = w[(i + 3) & 3];

			if (i < 4) {
				*w0 = _mm_shuffle_epi8(load(p + 16 * i), swap);
			} else {
				t = _mm_add_epi32(_mm_sha256msg1_epu32(*w0, w1),
				    _mm_alignr_epi8(w3, w2, 4));
				*w0 = _mm_sha256msg2_epu32(t, w3);
			}
			t = _mm_add_epi32(*w0, load(k + 4 * i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, t);
			abef = _mm_sha256rnds2_epu32(
			    abef, cdgh, _mm_shuffle_epi32(t, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	h[0] = (uint32_t)_mm_extract_epi32(abef, 3);
	h[1] = (uint32_t)_mm_extract_epi32(abef, 2);
	h[2] = (uint32_t)_mm_extract_epi32(cdgh, 3);
	h[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
	h[4] = (uint32_t)_mm_extract_epi32(abef, 1);
	h[5] = (uint32_t)_mm_extract_epi32(abef, 0);
	h[6] = (uint32_t)_mm_extract_epi32(cdgh, 1);
	h[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

#else

static void
compress(uint32_t h[8], const uint8_t *p, size_t blocks)
{
	(void)h;
	(void)p;
	(void)blocks;
}

#endif

/* As many bytes as libsodium still wants for the block that it has begun. */
static size_t
missing(const crypto_hash_sha256_state *st)
{
	return (BLOCK - st->count / 8 % BLOCK) % BLOCK;
}

void
sha256_update(crypto_hash_sha256_state *st, struct span bytes)
{
	struct span head = span_cut(bytes, 0, missing(st)), whole;

	if (!processor_can(PROCESSOR_SHA) || bytes.n < head.n + BLOCK) {
		if (bytes.n > 0)
			crypto_hash_sha256_update(st, bytes.p, bytes.n);
		return;
	}
	if (head.n > 0)
		crypto_hash_sha256_update(st, head.p, head.n);
	whole = span_cut(bytes, head.n, (bytes.n - head.n) / BLOCK * BLOCK);
	compress(st->state, whole.p, whole.n / BLOCK);
	st->count += (uint64_t)whole.n * 8; /* bits */
	bytes = span_cut(bytes, head.n + whole.n, bytes.n);
	if (bytes.n > 0)
		crypto_hash_sha256_update(st, bytes.p, bytes.n);
}

void
sha256(uint8_t out[crypto_hash_sha256_BYTES], struct span bytes)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	sha256_update(&st, bytes);
	crypto_hash_sha256_final(&st, out);
}
