/* SPDX-License-Identifier: ISC */
#include "crypto/chacha.h"

#include "crypto/processor.h"

#include <sodium.h>
#include <string.h>

#define BLOCK 64
#define STRIDE (16 * BLOCK)

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))
#define WIDE_INLINE __attribute__((target("avx512f"), always_inline)) inline

/* RFC 8439 2.1, for sixteen blocks: each vector is one word of all of them. */
WIDE_INLINE static void
quarter(__m512i *a, __m512i *b, __m512i *c, __m512i *d)
{
	*a = _mm512_add_epi32(*a, *b);
	*d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 16);
	*c = _mm512_add_epi32(*c, *d);
	*b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 12);
	*a = _mm512_add_epi32(*a, *b);
	*d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 8);
	*c = _mm512_add_epi32(*c, *d);
	*b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 7);
}

/* A column round and a diagonal round. */
WIDE_INLINE static void
two_rounds(__m512i v[16])
{
	quarter(&v[0], &v[4], &v[8], &v[12]);
	quarter(&v[1], &v[5], &v[9], &v[13]);
	quarter(&v[2], &v[6], &v[10], &v[14]);
	quarter(&v[3], &v[7], &v[11], &v[15]);
	quarter(&v[0], &v[5], &v[10], &v[15]);
	quarter(&v[1], &v[6], &v[11], &v[12]);
	quarter(&v[2], &v[7], &v[8], &v[13]);
	quarter(&v[3], &v[4], &v[9], &v[14]);
}

/* Four words of each block: after it, lane L of v[j] is block 4 L + j. */
WIDE_INLINE static void
turn(__m512i v[4])
{
	__m512i a = _mm512_unpacklo_epi32(v[0], v[1]);
	__m512i b = _mm512_unpackhi_epi32(v[0], v[1]);
	__m512i c = _mm512_unpacklo_epi32(v[2], v[3]);
	__m512i d = _mm512_unpackhi_epi32(v[2], v[3]);

	v[0] = _mm512_unpacklo_epi64(a, c);
	v[1] = _mm512_unpackhi_epi64(a, c);
	v[2] = _mm512_unpacklo_epi64(b, d);
	v[3] = _mm512_unpackhi_epi64(b, d);
}

WIDE_INLINE static void
xor_block(uint8_t *out, const uint8_t *in, size_t block, __m512i stream)
{
	__m512i text = _mm512_loadu_si512(in + block * BLOCK);

	_mm512_storeu_si512(
	    out + block * BLOCK, _mm512_xor_si512(text, stream));
}

/* Blocks j, 4 + j, 8 + j, 12 + j: a lane of each of the four groups. */
WIDE_INLINE static void
xor_lanes(uint8_t *out, const uint8_t *in, size_t j, const __m512i v[16])
{
	__m512i a = _mm512_shuffle_i32x4(v[j], v[4 + j], 0x44);
	__m512i b = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0x44);
	__m512i c = _mm512_shuffle_i32x4(v[j], v[4 + j], 0xee);
	__m512i d = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0xee);

	xor_block(out, in, j, _mm512_shuffle_i32x4(a, b, 0x88));
	xor_block(out, in, 4 + j, _mm512_shuffle_i32x4(a, b, 0xdd));
	xor_block(out, in, 8 + j, _mm512_shuffle_i32x4(c, d, 0x88));
	xor_block(out, in, 12 + j, _mm512_shuffle_i32x4(c, d, 0xdd));
}

/* The 16 words of RFC 8439 2.3 are `state`; its counter is that of `in`. */
WIDE static void
xor_strides(uint8_t *out, const uint8_t *in, size_t n, uint32_t state[16])
{
	const __m512i each = _mm512_set_epi32(
	    15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	__m512i v[16];
	size_t i;

	for (; n > 0; n--, in += STRIDE, out += STRIDE) {
		__m512i counter =
		    _mm512_add_epi32(_mm512_set1_epi32((int)state[12]), each);

#pragma GCC unroll 16
		for (i = 0; i < 16; i++)
			v[i] = _mm512_set1_epi32((int)state[i]);
		v[12] = counter;
		for (i = 0; i < 10; i++)
			two_rounds(v);
#pragma GCC unroll 16
		for (i = 0; i < 16; i++)
			v[i] = _mm512_add_epi32(
			    v[i], i == 12 ? counter
					  : _mm512_set1_epi32((int)state[i]));
#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			turn(v + 4 * i);
#pragma GCC unroll 4
		for (i = 0; i < 4; i++)
			xor_lanes(out, in, i, v);
		state[12] += 16;
	}
}

#else

static void
xor_strides(uint8_t *out, const uint8_t *in, size_t n, uint32_t state[16])
{
	(void)out;
	(void)in;
	(void)n;
	(void)state;
}

#endif

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void
begin(uint32_t state[16], const uint8_t key[CHACHA_KEY], uint32_t counter,
    const uint8_t nonce[CHACHA_NONCE])
{
	static const uint8_t words[] = "expand 32-byte k";
	size_t i;

	for (i = 0; i < 4; i++)
		state[i] = le32(words + 4 * i);
	for (i = 0; i < 8; i++)
		state[4 + i] = le32(key + 4 * i);
	state[12] = counter;
	for (i = 0; i < 3; i++)
		state[13 + i] = le32(nonce + 4 * i);
}

/* The stream from block 1 on; block 0 is the key of the tag. */
static void
xor_stream(uint8_t *out, struct span in, const uint8_t nonce[CHACHA_NONCE],
    const uint8_t key[CHACHA_KEY])
{
	size_t strides = in.n / STRIDE, done = strides * STRIDE;
	uint32_t state[16];

	begin(state, key, 1, nonce);
	xor_strides(out, in.p, strides, state);
	if (in.n > done)
		crypto_stream_chacha20_ietf_xor_ic(out + done, in.p + done,
		    in.n - done, nonce, state[12], key);
	sodium_memzero(state, sizeof(state));
}

static void
add_padded(crypto_onetimeauth_state *st, struct span s)
{
	static const uint8_t zeros[16];

	if (s.n > 0)
		crypto_onetimeauth_update(st, s.p, s.n);
	crypto_onetimeauth_update(st, zeros, (16 - s.n % 16) % 16);
}

static void
add_length(crypto_onetimeauth_state *st, uint64_t n)
{
	uint8_t le[8];
	size_t i;

	for (i = 0; i < sizeof(le); i++)
		le[i] = (uint8_t)(n >> 8 * i);
	crypto_onetimeauth_update(st, le, sizeof(le));
}

static void
make_tag(uint8_t tag[CHACHA_TAG], struct span sealed, struct span ad,
    const uint8_t nonce[CHACHA_NONCE], const uint8_t key[CHACHA_KEY])
{
	crypto_onetimeauth_state st;
	uint8_t block[BLOCK];

	crypto_stream_chacha20_ietf(block, sizeof(block), nonce, key);
	crypto_onetimeauth_init(&st, block);
	sodium_memzero(block, sizeof(block));
	add_padded(&st, ad);
	add_padded(&st, sealed);
	add_length(&st, ad.n);
	add_length(&st, sealed.n);
	crypto_onetimeauth_final(&st, tag);
	sodium_memzero(&st, sizeof(st));
}

void
chacha_seal(uint8_t *out, struct span plain, struct span ad,
    const uint8_t nonce[CHACHA_NONCE], const uint8_t key[CHACHA_KEY])
{
	if (plain.n < STRIDE || !processor_can(PROCESSOR_AVX512)) {
		crypto_aead_chacha20poly1305_ietf_encrypt(
		    out, NULL, plain.p, plain.n, ad.p, ad.n, NULL, nonce, key);
		return;
	}
	xor_stream(out, plain, nonce, key);
	make_tag(out + plain.n, (struct span){ out, plain.n }, ad, nonce, key);
}

enum tocsin_err
chacha_open(uint8_t *out, struct span sealed, struct span ad,
    const uint8_t nonce[CHACHA_NONCE], const uint8_t key[CHACHA_KEY])
{
	struct span text = span_cut(sealed, 0, sealed.n - CHACHA_TAG);
	uint8_t tag[CHACHA_TAG];

	if (text.n < STRIDE || !processor_can(PROCESSOR_AVX512))
		return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL,
			   NULL, sealed.p, sealed.n, ad.p, ad.n, nonce,
			   key) == 0
			   ? TOCSIN_OK
			   : TOCSIN_EBADSIGNATURE;
	make_tag(tag, text, ad, nonce, key);
	if (crypto_verify_16(tag, sealed.p + text.n) != 0)
		return TOCSIN_EBADSIGNATURE;
	xor_stream(out, text, nonce, key);
	return TOCSIN_OK;
}
