/* SPDX-License-Identifier: ISC */
/*
 * letters.h - words as they are searched: without case, marks and spacing
 *
 * Who searches types what is quick: "ha noi" for "Hà Nội", "server" for
 * "SERVER" in wide letters. So both sides are made plain: a letter becomes its
 * small one without marks, of letter and mark that are written apart the mark
 * is left out, all spacing is one space, and what is invisible is nothing, so
 * that nobody hides a word by splitting it with it. Other scripts have neither
 * case nor such marks and stay as they are. What is no UTF-8 is U+FFFD.
 *
 * Pure. What is plain is UTF-8, and plain once more it is the same.
 */
#ifndef TOCSIN_CLI_LETTERS_H
#define TOCSIN_CLI_LETTERS_H

#include "crypto/buf.h"

/* The letter that it is searched as; 0 for what is left out. */
uint32_t letter_plain(uint32_t c);

/* Appended to *out, which remembers if memory was short. */
void plain_add(struct buf *out, struct span text);

/* What of `text` became the n plain bytes from `from` on. */
struct span plain_where(struct span text, size_t from, size_t n);

#endif
