/* SPDX-License-Identifier: ISC */
/*
 * wire.h - bounded reading of bytes we don't trust
 *
 * A cursor walks a byte range that it does not own. Each rd_*() takes exactly
 * what it names, or marks the cursor bad and takes nothing. A bad cursor stays
 * bad and yields zeros, so a decoder reads every field in order and asks
 * rd_done() once, at the end.
 *
 * Spans alias the range given to rd_init() and die with it. Nothing here
 * allocates, logs or exits. Integers are big-endian (PROTOCOL.md 3).
 * Writing is buf.h.
 */
#ifndef TOCSIN_CRYPTO_WIRE_H
#define TOCSIN_CRYPTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

struct span {
	const uint8_t *p; /* NULL only when n is 0 */
	size_t n;
};

struct rd {
	struct span rest;
	bool bad;
};

struct rd rd_init(struct span bytes);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
struct span rd_span(struct rd *r, size_t n);

/* Copies n bytes to `out`; zeros if they are not there. */
void rd_copy(struct rd *r, void *out, size_t n);

/* Up to the next LF, which is taken and not given; bad if there is none. */
struct span rd_line(struct rd *r);

/* As editors leave it: ended by LF, CRLF or the end. Asks for no more. */
struct span rd_text_line(struct rd *r);

/* Everything that is left; never fails. */
struct span rd_rest(struct rd *r);

/* True if every read succeeded and no byte is left over. */
bool rd_done(const struct rd *r);

/* A span of a C string, without its NUL; and of all bytes of an array. */
struct span span_of(const char *s);
#define SPAN(x)                                                                \
	((struct span){ (const uint8_t *)(x), sizeof(x) + ARRAY_ONLY(x) })

/* 0; does not compile for a pointer, whose size is not that of the bytes. */
#define ARRAY_ONLY(x)                                                          \
	(0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(x),   \
				     __typeof__(&(x)[0]))]))
struct span span_cut(struct span s, size_t from, size_t n);

bool span_eq(struct span a, struct span b);
bool span_is(struct span a, const char *s);
int span_cmp(struct span a, struct span b); /* by bytes, as memcmp */

/*
 * No byte above 0x7f. Ask before sodium_base642bin(): that of libsodium 1.0.18
 * reads every such byte as one digit or another, so a signature line, or an id,
 * would have many spellings.
 */
bool span_ascii(struct span s);

#endif
