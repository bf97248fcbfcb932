/* SPDX-License-Identifier: ISC */
/*
 * secret.h - bytes that must not leak
 *
 * A secret lives in memory of its own between guard pages, locked into RAM as
 * far as the system allows, and is wiped when it is freed. There is nothing
 * here to print, compare or append one with: who needs the bytes asks for them
 * by name, secret_bytes(), which is easy to find in a review.
 *
 * Whoever holds the pointer owns it and calls secret_free() once. NULL means
 * that memory was short. secret_free(NULL) does nothing. sodium_init() first.
 */
#ifndef TOCSIN_CRYPTO_SECRET_H
#define TOCSIN_CRYPTO_SECRET_H

#include "crypto/wire.h"

struct secret;

void secret_free(struct secret *s);

/* n zero bytes to fill in; and a copy, whose origin the caller wipes. */
MUST_USE struct secret *secret_new(size_t n);
MUST_USE struct secret *secret_of(struct span bytes);

uint8_t *secret_bytes(struct secret *s);
struct span secret_span(const struct secret *s);

/*
 * Whether memory can be locked now. libsodium's allocator goes on silently when
 * it can't, so a program asks once at its start and says so (SECURITY.md).
 */
MUST_USE bool secret_can_lock(void);

#endif
