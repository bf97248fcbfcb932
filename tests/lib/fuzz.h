/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h - what every fuzz target is made of
 *
 * A target is tests/fuzz/NAME.c with the one function below, and a folder
 * tests/fuzz/corpus/NAME with a handful of inputs, never empty. `make fuzz
 * T=60` runs each under libFuzzer, and so does CI, a million inputs of each, for
 * which an input may take some 50 us (memo.c helps). `make test` replays the
 * corpus, and every prefix of it, without (replay.c). A crash that `make fuzz`
 * finds is put into the corpus with its repair.
 *
 * It is linked with crypto.a and testlib.a, and with broker.a or client.a if it
 * includes a header of that side.
 */
#ifndef TOCSIN_TESTS_FUZZ_H
#define TOCSIN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What must hold for all inputs, also where assert() is compiled out. */
#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

#endif
