/* SPDX-License-Identifier: ISC */
#include "broker/check.h"

#include <string.h>

#define STRIPE 32 /* eight bytes for each lane */

/* Primes with bits well spread; the algorithm's own. */
static const uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f,
		      p3 = 0x165667b19e3779f9, p4 = 0x85ebca77c2b2ae63,
		      p5 = 0x27d4eb2f165667c5;

static uint64_t
rotate(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

/* Little-endian, as the algorithm reads. */
static uint64_t
le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v)
						      : v;
}

static uint64_t
le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(v)
						      : v;
}

static uint64_t
mix(uint64_t lane, uint64_t v)
{
	return rotate(lane + v * p2, 31) * p1;
}

/* All whole stripes; takes them off *s. */
static uint64_t
stripes(struct span *s, uint64_t seed)
{
	uint64_t a = seed + p1 + p2, b = seed + p2, c = seed, d = seed - p1, h;
	uint64_t lane[4];
	size_t i;

	for (; s->n >= STRIPE; s->p += STRIPE, s->n -= STRIPE) {
		a = mix(a, le64(s->p));
		b = mix(b, le64(s->p + 8));
		c = mix(c, le64(s->p + 16));
		d = mix(d, le64(s->p + 24));
	}
	lane[0] = a;
	lane[1] = b;
	lane[2] = c;
	lane[3] = d;
	h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	for (i = 0; i < 4; i++)
		h = (h ^ mix(0, lane[i])) * p1 + p4;
	return h;
}

static uint64_t
rest(uint64_t h, struct span s)
{
	for (; s.n >= 8; s.p += 8, s.n -= 8)
		h = rotate(h ^ mix(0, le64(s.p)), 27) * p1 + p4;
	if (s.n >= 4) {
		h = rotate(h ^ le32(s.p) * p1, 23) * p2 + p3;
		s.p += 4;
		s.n -= 4;
	}
	for (; s.n > 0; s.p++, s.n--)
		h = rotate(h ^ *s.p * p5, 11) * p1;
	return h;
}

uint64_t
check_xxh64(struct span bytes, uint64_t seed)
{
	struct span left = bytes;
	uint64_t h = bytes.n < STRIPE ? seed + p5 : stripes(&left, seed);

	h = rest(h + bytes.n, left);
	h = (h ^ h >> 33) * p2;
	h = (h ^ h >> 29) * p3;
	return h ^ h >> 32;
}
