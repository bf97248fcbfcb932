/* SPDX-License-Identifier: ISC */
#include "crypto/processor.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define ASKED 0x80U

/* XMM, YMM, and the three parts of ZMM: does the kernel keep them for us? */
#define SAVED 0xe6

__attribute__((target("xsave"))) static bool
kernel_saves(void)
{
	return (_xgetbv(0) & SAVED) == SAVED;
}

static unsigned
ask(void)
{
	unsigned a, b, c, d, basic, can = ASKED;

	if (!__get_cpuid(1, &a, &b, &basic, &d) ||
	    !__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return can;
	if ((b & bit_SHA) && (basic & bit_SSSE3) && (basic & bit_SSE4_1))
		can |= PROCESSOR_SHA;
	if ((b & bit_AVX512F) && (basic & bit_OSXSAVE) && kernel_saves())
		can |= PROCESSOR_AVX512;
	return can;
}

bool
processor_can(enum processor what)
{
	static atomic_uint known;
	unsigned can = atomic_load_explicit(&known, memory_order_relaxed);

	if (can == 0) {
		can = ask();
		atomic_store_explicit(&known, can, memory_order_relaxed);
	}
	return can & what;
}

#else

bool
processor_can(enum processor what)
{
	(void)what;
	return false;
}

#endif
