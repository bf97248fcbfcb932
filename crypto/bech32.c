/* SPDX-License-Identifier: ISC */
#include "crypto/bech32.h"

#include <sodium.h>
#include <string.h>

#define CHECKSUM 6 /* characters */

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* One step of BIP 173's BCH code over five-bit values. */
static uint32_t
polymod(uint32_t c, uint8_t v)
{
	static const uint32_t gen[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
		0x3d4233dd, 0x2a1462b3 };
	uint32_t top = c >> 25;
	int i;

	c = (c & 0x1ffffff) << 5 ^ v;
	for (i = 0; i < 5; i++)
		c ^= (uint32_t) - (top >> i & 1) & gen[i];
	return c;
}

static bool
is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static uint8_t
lower(uint8_t c)
{
	return is_upper(c) ? c + ('a' - 'A') : c;
}

static bool
wants_upper(const char *hrp)
{
	for (; *hrp != '\0'; hrp++)
		if (is_upper((uint8_t)*hrp))
			return true;
	return false;
}

/* The checksum covers the hrp in lower case, whatever is written. */
static uint32_t
hrp_mod(const char *hrp)
{
	uint32_t c = 1;
	const char *s;

	for (s = hrp; *s != '\0'; s++)
		c = polymod(c, lower((uint8_t)*s) >> 5);
	c = polymod(c, 0);
	for (s = hrp; *s != '\0'; s++)
		c = polymod(c, lower((uint8_t)*s) & 31);
	return c;
}

static void
put(struct buf *out, uint8_t v, bool upper)
{
	uint8_t c = (uint8_t)charset[v & 31];

	buf_u8(out, upper && is_lower(c) ? c - ('a' - 'A') : c);
}

void
bech32_encode(struct buf *out, const char *hrp, struct span data)
{
	bool upper = wants_upper(hrp);
	uint32_t mod = hrp_mod(hrp), acc = 0;
	unsigned bits = 0;
	size_t i;

	buf_addz(out, hrp);
	buf_u8(out, '1');
	for (i = 0; i < data.n; i++) {
		acc = (acc << 8 | data.p[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5) {
			uint8_t v = acc >> (bits - 5) & 31;

			mod = polymod(mod, v);
			put(out, v, upper);
		}
	}
	if (bits > 0) {
		mod = polymod(mod, acc << (5 - bits) & 31);
		put(out, acc << (5 - bits) & 31, upper);
	}
	for (i = 0; i < CHECKSUM; i++)
		mod = polymod(mod, 0);
	mod ^= 1;
	for (i = 0; i < CHECKSUM; i++)
		put(out, mod >> (5 * (CHECKSUM - 1 - i)) & 31, upper);
}

/* The five bits of a character in the right case, or -1. */
static int
value(uint8_t c, bool upper)
{
	const char *at;

	if (c == '\0' || (upper ? is_lower(c) : is_upper(c)))
		return -1;
	at = strchr(charset, lower(c));
	return at != NULL ? (int)(at - charset) : -1;
}

/* Five-bit values to bytes; false if bits are left that say something. */
static bool
unpack(struct buf *out, struct span text, bool upper)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t i;

	for (i = 0; i < text.n; i++) {
		acc = (acc << 5 | (uint32_t)value(text.p[i], upper)) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			buf_u8(out, (uint8_t)(acc >> bits));
		}
	}
	return bits < 5 && (acc & ((1u << bits) - 1)) == 0;
}

enum tocsin_err
bech32_decode(struct buf *out, const char *hrp, struct span text)
{
	struct rd r = rd_init(text);
	bool upper = wants_upper(hrp);
	size_t before = out->n, i;
	uint32_t mod = hrp_mod(hrp);
	struct span rest;

	if (!span_is(rd_span(&r, strlen(hrp)), hrp) || rd_u8(&r) != '1')
		return TOCSIN_EMALFORMED;
	rest = rd_rest(&r);
	if (rest.n < CHECKSUM)
		return TOCSIN_EMALFORMED;
	for (i = 0; i < rest.n; i++) {
		int v = value(rest.p[i], upper);

		if (v < 0)
			return TOCSIN_EMALFORMED;
		mod = polymod(mod, (uint8_t)v);
	}
	if (mod != 1)
		return TOCSIN_EMALFORMED;
	rest.n -= CHECKSUM;
	if (!unpack(out, rest, upper)) {
		buf_cut(out, before);
		return TOCSIN_EMALFORMED;
	}
	if (!buf_ok(out)) {
		buf_cut(out, before);
		return TOCSIN_EINTERNAL;
	}
	return TOCSIN_OK;
}
