/* SPDX-License-Identifier: ISC */
#include "crypto/shortid.h"

#include <string.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* Five bits, the i-th such group from the left. */
static unsigned
group(const uint8_t id[ID_LEN], size_t i)
{
	size_t bit = i * 5;
	unsigned pair = (unsigned)id[bit / 8] << 8;

	if (bit / 8 + 1 < ID_LEN)
		pair |= id[bit / 8 + 1];
	return pair >> (11 - bit % 8) & 31;
}

void
shortid_print(char out[SHORTID_TEXT + 1], const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < 12; i++) {
		if (i == 4 || i == 8)
			*out++ = '-';
		*out++ = alphabet[group(id, i)];
	}
	*out = '\0';
}

/* The value of a typed character; 32 if it has none, and -1 to skip it. */
static int
value(uint8_t c)
{
	const char *at;

	if (c == '-' || c == ' ')
		return -1;
	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	if (c == 'o')
		c = '0';
	if (c == 'i' || c == 'l')
		c = '1';
	at = c != '\0' ? strchr(alphabet, c) : NULL;
	return at != NULL ? (int)(at - alphabet) : 32;
}

enum tocsin_err
shortid_parse(struct id_prefix *out, struct span typed)
{
	struct id_prefix p = { 0 };
	unsigned at, bit;
	size_t i;

	for (i = 0; i < typed.n; i++) {
		int v = value(typed.p[i]);

		if (v < 0)
			continue;
		if (v > 31 || p.nbits + 5 > SHORTID_MAX * 5)
			return TOCSIN_EUSAGE;
		for (bit = 0; bit < 5; bit++) {
			at = p.nbits++;
			if (v >> (4 - bit) & 1)
				p.bits[at / 8] |= (uint8_t)(0x80 >> at % 8);
		}
	}
	if (p.nbits < SHORTID_MIN * 5)
		return TOCSIN_EUSAGE;
	*out = p;
	return TOCSIN_OK;
}

bool
shortid_fits(const struct id_prefix *p, const uint8_t id[ID_LEN])
{
	unsigned whole = p->nbits / 8, left = p->nbits % 8;

	if (memcmp(p->bits, id, whole) != 0)
		return false;
	return left == 0 || (p->bits[whole] ^ id[whole]) >> (8 - left) == 0;
}
