/* SPDX-License-Identifier: ISC */
#include "crypto/secret.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <string.h>

int
main(void)
{
	struct secret *s, *copy;

	if (sodium_init() < 0)
		return 1;
	s = secret_new(33);
	ok(s != NULL && secret_span(s).n == 33 &&
		sodium_is_zero(secret_bytes(s), 33),
	    "a new secret is zeros");
	if (s == NULL)
		return 1;
	memset(secret_bytes(s), 0x5a, 33);
	copy = secret_of(secret_span(s));
	ok(copy != NULL && span_eq(secret_span(copy), secret_span(s)) &&
		secret_bytes(copy) != secret_bytes(s),
	    "a copy has its own bytes");
	secret_free(s);
	ok(copy != NULL && secret_bytes(copy)[32] == 0x5a,
	    "and outlives what it was copied from");
	secret_free(copy);
	secret_free(NULL);
	s = secret_of((struct span){ 0 });
	ok(s != NULL && secret_span(s).n == 0, "nothing can be a secret too");
	secret_free(s);
	s = secret_new(SIZE_MAX);
	ok(s == NULL, "more than there is of memory is no secret");
	secret_free(s);
	diag("memory %s be locked here", secret_can_lock() ? "can" : "can't");
	return tap_done();
}
