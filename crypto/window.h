/* SPDX-License-Identifier: ISC */
/*
 * window.h - which numbers were there already (RFC 6479)
 *
 * A bitmap over the newest WINDOW_SIZE numbers. Anything above is new, anything
 * below too old to tell, so it counts as seen. The bitmap is a ring of words:
 * going forward clears words and never shifts bits.
 *
 * Ask before decrypting, to save the work; mark after decrypting, since only
 * what is authentic may move the window. Between the two another thread may
 * have marked the same number: window_mark()'s answer decides. A window is not
 * locked; its owner is.
 *
 * { 0 } is a window that has seen nothing, not even 0.
 */
#ifndef TOCSIN_CRYPTO_WINDOW_H
#define TOCSIN_CRYPTO_WINDOW_H

#include <stdint.h>

#define WINDOW_SIZE 1024
#define WINDOW_WORDS (WINDOW_SIZE / 64 + 1) /* one is always being cleared */

struct window {
	uint64_t next; /* one above the highest number seen */
	uint64_t bits[WINDOW_WORDS];
};

enum window_state {
	WINDOW_NEW,
	WINDOW_SEEN, /* a repeat: answer it from the cache */
	WINDOW_OLD,  /* too old to tell: refuse */
};

/* UINT64_MAX is always WINDOW_OLD: no number follows it. */
enum window_state window_check(const struct window *w, uint64_t n);

/* The same answer; if it is WINDOW_NEW, n is seen from now on. */
enum window_state window_mark(struct window *w, uint64_t n);

#endif
