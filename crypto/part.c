/* SPDX-License-Identifier: ISC */
#include "crypto/part.h"

#include "crypto/padding.h"
#include "crypto/sha256.h"

#include <string.h>

/* One X25519 stanza, header and nonce: always the same length. */
#define HEADER (70 + 98 + AGE_NONCE)

uint64_t
part_size(uint64_t plain_size)
{
	uint64_t padded = padme(plain_size, TICKET_PAD_FLOOR);

	if (padded > TICKET_PART_MAX)
		return UINT64_MAX;
	return age_sealed_size(padded, 1);
}

void
part_identity(uint8_t sk[32], struct buf *parts_age)
{
	char text[AGE_IDENTITY_TEXT + 1];
	uint8_t pk[32];

	age_keygen(sk, pk);
	age_identity_print(text, sk);
	buf_addz(parts_age, text);
	buf_u8(parts_age, '\n');
	sodium_memzero(text, sizeof(text));
}

static size_t
least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* ---- sealing ---- */

static void
count(struct part_sealer *s, const struct buf *out, size_t from)
{
	sha256_update(&s->hash, span_cut(buf_span(out), from, out->n));
	s->size += out->n - from;
}

enum tocsin_err
part_sealer_begin(struct part_sealer *s, struct buf *out, const uint8_t sk[32],
    uint64_t plain_size)
{
	uint8_t pk[1][32];
	size_t from = out->n;
	enum tocsin_err err;

	memset(s, 0, sizeof(*s));
	if (part_size(plain_size) > TICKET_PART_MAX)
		return TOCSIN_ETOOLARGE;
	age_public(pk[0], sk);
	s->left = plain_size;
	s->zeros = padme(plain_size, TICKET_PAD_FLOOR) - plain_size;
	crypto_hash_sha256_init(&s->hash);
	err = age_sealer_begin(&s->age, out, (const uint8_t(*)[32])pk, 1);
	if (err == TOCSIN_OK)
		count(s, out, from);
	return err;
}

static enum tocsin_err
seal_chunk(struct part_sealer *s, struct buf *out, bool last)
{
	size_t from = out->n;
	enum tocsin_err err;

	err = age_sealer_chunk(
	    &s->age, out, (struct span){ s->chunk, s->n }, last);
	if (err == TOCSIN_OK)
		count(s, out, from);
	s->n = 0;
	return err;
}

/* A full chunk leaves when more follows it, for the last is special. */
enum tocsin_err
part_sealer_feed(struct part_sealer *s, struct buf *out, struct span piece)
{
	enum tocsin_err err = TOCSIN_OK;

	if (piece.n > s->left)
		return TOCSIN_EUSAGE;
	while (piece.n > 0 && err == TOCSIN_OK) {
		size_t n = least(piece.n, AGE_CHUNK - s->n);

		memcpy(s->chunk + s->n, piece.p, n);
		piece = span_cut(piece, n, piece.n - n);
		s->n += n;
		s->left -= n;
		if (s->n == AGE_CHUNK && s->left + s->zeros > 0)
			err = seal_chunk(s, out, false);
	}
	return err;
}

enum tocsin_err
part_sealer_end(struct part_sealer *s, struct buf *out,
    struct ticket_part *part, bool *done)
{
	size_t n = least(s->zeros, AGE_CHUNK - s->n);
	enum tocsin_err err;

	*done = false;
	if (s->left > 0)
		return TOCSIN_EUSAGE;
	memset(s->chunk + s->n, 0, n);
	s->n += n;
	s->zeros -= n;
	err = seal_chunk(s, out, s->zeros == 0);
	if (err != TOCSIN_OK || s->zeros > 0)
		return err;
	part->size = s->size;
	crypto_hash_sha256_final(&s->hash, part->hash);
	*done = true;
	return TOCSIN_OK;
}

void
part_sealer_release(struct part_sealer *s)
{
	age_sealer_release(&s->age);
	sodium_memzero(s, sizeof(*s));
}

/* ---- opening ---- */

enum tocsin_err
part_opener_begin(struct part_opener *o, const struct ticket_part *part,
    const uint8_t sk[32], uint64_t plain_size)
{
	memset(o, 0, sizeof(*o));
	if (part->size > TICKET_PART_MAX)
		return TOCSIN_ETOOLARGE;
	if (part->size != part_size(plain_size))
		return TOCSIN_EMALFORMED;
	o->part = *part;
	o->left = plain_size;
	memcpy(o->sk, sk, sizeof(o->sk));
	crypto_hash_sha256_init(&o->hash);
	return TOCSIN_OK;
}

static enum tocsin_err
open_header(struct part_opener *o)
{
	struct age_rules rules = { .exact_stanzas = 1 };

	return age_opener_begin(
	    &o->age, (struct span){ o->chunk, o->n }, o->sk, &rules);
}

/* Hands out the attachment's bytes; those behind it must be zeros. */
static enum tocsin_err
open_chunk(struct part_opener *o, struct buf *plain, bool last)
{
	size_t from = plain->n, keep;
	enum tocsin_err err;

	err = age_opener_chunk(
	    &o->age, plain, (struct span){ o->chunk, o->n }, last);
	if (err != TOCSIN_OK)
		return err;
	keep = from + least(o->left, plain->n - from);
	o->left -= keep - from;
	if (keep < plain->n &&
	    !sodium_is_zero(plain->p + keep, plain->n - keep))
		err = TOCSIN_EMALFORMED;
	buf_cut(plain, err == TOCSIN_OK ? keep : from);
	return err;
}

/* Damage on the way shows only in the hash; blame the way until it is known. */
static enum tocsin_err
finish(struct part_opener *o)
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&o->hash, hash);
	if (memcmp(hash, o->part.hash, sizeof(hash)) != 0)
		return TOCSIN_EBODYMISMATCH;
	o->done = true;
	return TOCSIN_OK;
}

/* How many bytes make the header or chunk that we are in. */
static size_t
whole(const struct part_opener *o)
{
	uint64_t start = o->fed - o->n;

	if (start == 0)
		return HEADER;
	return least(o->part.size - start, sizeof(o->chunk));
}

static enum tocsin_err
step(struct part_opener *o, struct buf *plain)
{
	bool last = o->fed == o->part.size;
	enum tocsin_err err;

	if (o->fed == HEADER)
		err = open_header(o);
	else
		err = open_chunk(o, plain, last);
	o->n = 0;
	if (err == TOCSIN_OK && last)
		err = finish(o);
	return err;
}

enum tocsin_err
part_opener_feed(struct part_opener *o, struct buf *plain, struct span piece)
{
	size_t from = plain->n;
	enum tocsin_err err = TOCSIN_OK;

	if (piece.n > o->part.size - o->fed)
		return TOCSIN_EBODYMISMATCH;
	sha256_update(&o->hash, piece);
	while (piece.n > 0 && err == TOCSIN_OK) {
		size_t n = least(piece.n, whole(o) - o->n);

		memcpy(o->chunk + o->n, piece.p, n);
		piece = span_cut(piece, n, piece.n - n);
		o->n += n;
		o->fed += n;
		if (o->n == whole(o))
			err = step(o, plain);
	}
	if (err != TOCSIN_OK)
		buf_cut(plain, from);
	return err;
}

bool
part_opener_done(const struct part_opener *o)
{
	return o->done;
}

void
part_opener_release(struct part_opener *o)
{
	age_opener_release(&o->age);
	sodium_memzero(o, sizeof(*o));
}
