/* SPDX-License-Identifier: ISC */
/*
 * processor.h - instructions that not every processor has
 *
 * Code that uses them is built for all and asks here before it does. The
 * processor is asked once: in a virtual machine the question takes as long as
 * a block of what the answer is for. Elsewhere than on x86-64 it can nothing.
 */
#ifndef TOCSIN_CRYPTO_PROCESSOR_H
#define TOCSIN_CRYPTO_PROCESSOR_H

#include <stdbool.h>

enum processor {
	PROCESSOR_SHA = 1,    /* SHA-256's, and SSE 4.1 */
	PROCESSOR_AVX512 = 2, /* AVX-512F, and the kernel keeps its registers */
};

bool processor_can(enum processor what);

#endif
