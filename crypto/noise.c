/* SPDX-License-Identifier: ISC */
#include "crypto/noise.h"
#include "crypto/chacha.h"
#include "crypto/hkdf.h"
#include "crypto/pubkey.h"

#include <sodium.h>
#include <string.h>

#define MESSAGES 3

/* Exactly 32 bytes, so it is the first hash as it stands. */
static const char protocol[] = "Noise_XK_25519_ChaChaPoly_SHA256";

/* Noise's ChaChaPoly nonce: 32 zero bits, then the number, little-endian. */
static void
put_nonce(uint8_t out[CHACHA_NONCE], uint64_t n)
{
	size_t i;

	memset(out, 0, 4);
	for (i = 4; i < CHACHA_NONCE; i++) {
		out[i] = (uint8_t)n;
		n >>= 8;
	}
}

enum tocsin_err
noise_seal(struct buf *out, const uint8_t key[32], uint64_t nonce,
    struct span ad, struct span plain)
{
	uint8_t npub[CHACHA_NONCE];
	uint8_t *at;

	if (nonce == UINT64_MAX) /* Noise keeps it for rekeying */
		return TOCSIN_EUSAGE;
	if (plain.n > NOISE_MAX - NOISE_TAG)
		return TOCSIN_ETOOLARGE;
	at = buf_grow(out, plain.n + NOISE_TAG);
	if (at == NULL)
		return TOCSIN_EINTERNAL;
	put_nonce(npub, nonce);
	chacha_seal(at, plain, ad, npub, key);
	return TOCSIN_OK;
}

enum tocsin_err
noise_open(struct buf *out, const uint8_t key[32], uint64_t nonce,
    struct span ad, struct span sealed)
{
	uint8_t npub[CHACHA_NONCE];
	size_t was = out->n;
	enum tocsin_err err;
	uint8_t *at;

	if (nonce == UINT64_MAX)
		return TOCSIN_EUSAGE;
	if (sealed.n < NOISE_TAG)
		return TOCSIN_EMALFORMED;
	if (sealed.n > NOISE_MAX)
		return TOCSIN_ETOOLARGE;
	at = buf_grow(out, sealed.n - NOISE_TAG);
	if (at == NULL)
		return TOCSIN_EINTERNAL;
	put_nonce(npub, nonce);
	err = chacha_open(at, sealed, ad, npub, key);
	if (err != TOCSIN_OK)
		buf_cut(out, was);
	return err;
}

/* ---- the symmetric state ---- */

static void
mix_hash(struct noise *x, struct span data)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, x->h, sizeof(x->h));
	if (data.n > 0)
		crypto_hash_sha256_update(&st, data.p, data.n);
	crypto_hash_sha256_final(&st, x->h);
}

static void
mix_key(struct noise *x, const uint8_t shared[32])
{
	struct span none = { 0 };
	uint8_t out[64];

	hkdf_sha256(
	    out, sizeof(out), (struct span){ shared, 32 }, SPAN(x->ck), none);
	memcpy(x->ck, out, 32);
	memcpy(x->k, out + 32, 32);
	x->n = 0;
	sodium_memzero(out, sizeof(out));
}

static enum tocsin_err
mix_dh(struct noise *x, const uint8_t sk[32], const uint8_t pk[32])
{
	uint8_t shared[32];

	if (crypto_scalarmult(shared, sk, pk) != 0)
		return TOCSIN_EMALFORMED; /* of low order */
	mix_key(x, shared);
	sodium_memzero(shared, sizeof(shared));
	return TOCSIN_OK;
}

static enum tocsin_err
seal_and_hash(struct noise *x, struct buf *out, struct span plain)
{
	size_t was = out->n;
	enum tocsin_err err;

	err = noise_seal(out, x->k, x->n++, SPAN(x->h), plain);
	if (err == TOCSIN_OK)
		mix_hash(x, span_cut(buf_span(out), was, out->n));
	return err;
}

static enum tocsin_err
open_and_hash(struct noise *x, struct buf *out, struct span sealed)
{
	enum tocsin_err err;

	err = noise_open(out, x->k, x->n++, SPAN(x->h), sealed);
	if (err == TOCSIN_OK)
		mix_hash(x, sealed);
	return err;
}

/* ---- tokens ---- */

static enum tocsin_err
write_e(struct noise *x, struct buf *out)
{
	uint8_t pk[NOISE_KEY];

	if (!x->e_fixed)
		randombytes_buf(x->e, sizeof(x->e));
	crypto_scalarmult_base(pk, x->e);
	buf_add(out, SPAN(pk));
	mix_hash(x, SPAN(pk));
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

static void
read_e(struct noise *x, struct rd *r)
{
	rd_copy(r, x->re, sizeof(x->re));
	mix_hash(x, SPAN(x->re));
}

static enum tocsin_err
write_s(struct noise *x, struct buf *out)
{
	uint8_t pk[NOISE_KEY];

	crypto_scalarmult_base(pk, x->s);
	return seal_and_hash(x, out, SPAN(pk));
}

static enum tocsin_err
read_s(struct noise *x, struct rd *r)
{
	struct buf pk = { .max = sizeof(x->rs) };
	enum tocsin_err err;

	err = open_and_hash(x, &pk, rd_span(r, NOISE_KEY + NOISE_TAG));
	if (err == TOCSIN_OK)
		memcpy(x->rs, pk.p, sizeof(x->rs));
	buf_release(&pk);
	return err;
}

/* es, ee, se: what the message after `done` others mixes in. */
static enum tocsin_err
mix_token(struct noise *x)
{
	switch (x->done) {
	case 0:
		return x->initiator ? mix_dh(x, x->e, x->rs)
				    : mix_dh(x, x->s, x->re);
	case 1:
		return mix_dh(x, x->e, x->re);
	default:
		return x->initiator ? mix_dh(x, x->s, x->re)
				    : mix_dh(x, x->e, x->rs);
	}
}

/* ---- the handshake ---- */

static void
init(struct noise *x, const uint8_t sk[NOISE_KEY], struct span prologue)
{
	*x = (struct noise){ .live = true };
	memcpy(x->h, protocol, sizeof(x->h));
	memcpy(x->ck, x->h, sizeof(x->ck));
	memcpy(x->s, sk, sizeof(x->s));
	mix_hash(x, prologue);
}

enum tocsin_err
noise_init_initiator(struct noise *x, const uint8_t sk[NOISE_KEY],
    const uint8_t responder[NOISE_KEY], struct span prologue)
{
	*x = (struct noise){ 0 };
	if (!pubkey_x25519_ok(responder))
		return TOCSIN_EMALFORMED;
	init(x, sk, prologue);
	x->initiator = true;
	memcpy(x->rs, responder, sizeof(x->rs));
	mix_hash(x, SPAN(x->rs));
	return TOCSIN_OK;
}

enum tocsin_err
noise_init_responder(
    struct noise *x, const uint8_t sk[NOISE_KEY], struct span prologue)
{
	uint8_t pk[NOISE_KEY];

	init(x, sk, prologue);
	crypto_scalarmult_base(pk, x->s);
	mix_hash(x, SPAN(pk));
	return TOCSIN_OK;
}

void
noise_fix_ephemeral(struct noise *x, const uint8_t e[NOISE_KEY])
{
	memcpy(x->e, e, sizeof(x->e));
	x->e_fixed = true;
}

static bool
our_turn(const struct noise *x)
{
	return x->live && x->done < MESSAGES &&
	       (x->done % 2 == 0) == x->initiator;
}

static bool
their_turn(const struct noise *x)
{
	return x->live && x->done < MESSAGES && !our_turn(x);
}

static enum tocsin_err
write_message(struct noise *x, struct buf *out, struct span payload)
{
	enum tocsin_err err;

	if (!our_turn(x))
		return TOCSIN_EUSAGE;
	if (payload.n > NOISE_MAX - NOISE_XK3)
		return TOCSIN_ETOOLARGE;
	err = x->done < 2 ? write_e(x, out) : write_s(x, out);
	if (err == TOCSIN_OK)
		err = mix_token(x);
	if (err == TOCSIN_OK)
		err = seal_and_hash(x, out, payload);
	return err;
}

static enum tocsin_err
read_message(struct noise *x, struct buf *payload, struct span msg)
{
	enum tocsin_err err = TOCSIN_OK;
	struct rd r = rd_init(msg);

	if (!their_turn(x))
		return TOCSIN_EUSAGE;
	if (msg.n > NOISE_MAX)
		return TOCSIN_ETOOLARGE;
	if (msg.n < (x->done < 2 ? NOISE_XK1 : NOISE_XK3))
		return TOCSIN_EMALFORMED;
	if (x->done < 2)
		read_e(x, &r);
	else
		err = read_s(x, &r);
	if (err == TOCSIN_OK)
		err = mix_token(x);
	if (err == TOCSIN_OK)
		err = open_and_hash(x, payload, rd_rest(&r));
	return err;
}

enum tocsin_err
noise_write(struct noise *x, struct buf *out, struct span payload)
{
	size_t was = out->n;
	enum tocsin_err err = write_message(x, out, payload);

	if (err == TOCSIN_OK) {
		x->done++;
		return TOCSIN_OK;
	}
	buf_cut(out, was);
	noise_release(x);
	return err;
}

enum tocsin_err
noise_read(struct noise *x, struct buf *payload, struct span msg)
{
	size_t was = payload->n;
	enum tocsin_err err = read_message(x, payload, msg);

	if (err == TOCSIN_OK) {
		x->done++;
		return TOCSIN_OK;
	}
	buf_cut(payload, was);
	noise_release(x);
	return err;
}

bool
noise_done(const struct noise *x)
{
	return x->live && x->done == MESSAGES;
}

const uint8_t *
noise_remote(const struct noise *x)
{
	return x->initiator || noise_done(x) ? x->rs : NULL;
}

void
noise_hash(const struct noise *x, uint8_t h[32])
{
	memcpy(h, x->h, sizeof(x->h));
}

enum tocsin_err
noise_split(struct noise *x, uint8_t tx[NOISE_KEY], uint8_t rx[NOISE_KEY])
{
	struct span none = { 0 };
	uint8_t out[2 * NOISE_KEY];

	if (!noise_done(x))
		return TOCSIN_EUSAGE;
	hkdf_sha256(out, sizeof(out), none, SPAN(x->ck), none);
	memcpy(x->initiator ? tx : rx, out, NOISE_KEY);
	memcpy(x->initiator ? rx : tx, out + NOISE_KEY, NOISE_KEY);
	sodium_memzero(out, sizeof(out));
	noise_release(x);
	return TOCSIN_OK;
}

void
noise_release(struct noise *x)
{
	sodium_memzero(x, sizeof(*x));
}

void
noise_prologue(struct buf *out, struct span federation, struct span broker,
    const uint8_t genesis[32])
{
	buf_add(out, federation);
	buf_addz(out, "/noise/v1\n");
	buf_add(out, broker);
	buf_addz(out, "\n");
	buf_add(out, (struct span){ genesis, 32 });
}
