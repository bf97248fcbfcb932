/* SPDX-License-Identifier: ISC */
#include "client/memo.h"

#include "crypto/hkdf.h"
#include "crypto/secret.h"

#include <sodium.h>
#include <string.h>

#define PAD 256
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES

enum tocsin_err
memo_init(struct memo *m, const struct keystore *k)
{
	*m = (struct memo){ .keys = k };
	m->key = secret_new((size_t)32 * KEYSTORE_EPOCHS);
	return m->key != NULL ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

void
memo_release(struct memo *m)
{
	secret_free(m->key);
	*m = (struct memo){ 0 };
}

int
memo_epoch(const struct keystore *k, struct span epoch)
{
	size_t i;

	for (i = 0; i < k->nepoch; i++)
		if (span_is(epoch, k->epoch[i]))
			return (int)i;
	return -1;
}

static const uint8_t *
key_of(struct memo *m, size_t epoch)
{
	uint8_t *key = secret_bytes(m->key) + 32 * epoch;
	struct span sk = { secret_span(m->keys->epochs).p + 32 * epoch, 32 };

	if (!m->made[epoch])
		hkdf_sha256(key, 32, sk, span_of("tocsin-memo/v1"),
		    span_of(m->keys->device));
	m->made[epoch] = true;
	return key;
}

void
memo_seal(struct buf *out, struct memo *m, size_t epoch, struct span context,
    struct span plain)
{
	size_t n = (4 + plain.n + PAD - 1) / PAD * PAD;
	const char *name = m->keys->epoch[epoch];
	struct buf padded = { 0 };
	uint8_t nonce[NONCE], *room;

	buf_reserve(&padded, n);
	buf_u32(&padded, (uint32_t)plain.n);
	buf_add(&padded, plain);
	room = buf_grow(&padded, n - padded.n);
	if (room != NULL)
		memset(room, 0, n - 4 - plain.n);
	randombytes_buf(nonce, sizeof(nonce));
	buf_u8(out, (uint8_t)strlen(name));
	buf_addz(out, name);
	buf_add(out, SPAN(nonce));
	room = buf_grow(out, n + TAG);
	if (!buf_ok(&padded))
		out->failed = true;
	else if (room != NULL)
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(room, NULL,
		    padded.p, n, context.p, context.n, NULL, nonce,
		    key_of(m, epoch));
	buf_release(&padded);
}

bool
memo_open(
    struct buf *plain, struct memo *m, struct span context, struct span sealed)
{
	struct rd r = rd_init(sealed);
	int epoch = memo_epoch(m->keys, rd_span(&r, rd_u8(&r)));
	struct span nonce = rd_span(&r, NONCE), box = rd_rest(&r), inside;
	uint8_t *room;
	uint32_t n;

	buf_cut(plain, 0);
	if (r.bad || epoch < 0 || box.n < TAG + 4)
		return false;
	room = buf_grow(plain, box.n - TAG);
	if (room == NULL || crypto_aead_xchacha20poly1305_ietf_decrypt(room,
				NULL, NULL, box.p, box.n, context.p, context.n,
				nonce.p, key_of(m, (size_t)epoch)) != 0)
		return false;
	r = rd_init(buf_span(plain));
	n = rd_u32(&r);
	inside = rd_span(&r, n);
	if (r.bad)
		return false;
	memmove(plain->p, inside.p, inside.n);
	buf_cut(plain, inside.n);
	return true;
}
