/* SPDX-License-Identifier: ISC */
/*
 * buf.h - bytes being written
 *
 * A buffer that grows, and that remembers the first failure: a writer adds
 * every field in order and asks buf_ok() once, at the end. It fails when memory
 * is short or when it would pass `max` (0: no limit but memory). After a
 * failure it stays as it was.
 *
 * It starts as { 0 } or { .max = n }. The owner calls buf_release(), which
 * wipes: a buffer may hold plaintext or a key. Growing wipes the old copy too.
 * Integers are big-endian.
 */
#ifndef TOCSIN_CRYPTO_BUF_H
#define TOCSIN_CRYPTO_BUF_H

#include "crypto/wire.h"

struct buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t max;
	bool failed;
};

/* Room for n more bytes, counted as written, or NULL. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* A hint that n more bytes will come: they are added without moving. */
void buf_reserve(struct buf *b, size_t n);

void buf_add(struct buf *b, struct span s);
void buf_addz(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

/* Standard base64 with padding; 32 bytes make 44 characters. */
void buf_base64(struct buf *b, struct span s);

bool buf_ok(const struct buf *b);
struct span buf_span(const struct buf *b);

void buf_cut(struct buf *b, size_t n); /* back to n bytes */
void buf_release(struct buf *b);       /* wipes, frees, and is empty again */
void buf_drop(struct buf *b);	       /* the same without wiping: ciphertext */

#endif
