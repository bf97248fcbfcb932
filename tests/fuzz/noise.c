/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/noise.h"

#include <sodium.h>

static const uint8_t sk_i[32] = { 8 }, sk_r[32] = { 16 };
static const uint8_t e_i[32] = { 24 }, e_r[32] = { 32 };

static void
begin(struct noise *i, struct noise *r)
{
	uint8_t pk[32];

	crypto_scalarmult_base(pk, sk_r);
	MUST(noise_init_initiator(i, sk_i, pk, span_of("p")) == TOCSIN_OK);
	MUST(noise_init_responder(r, sk_r, span_of("p")) == TOCSIN_OK);
	noise_fix_ephemeral(i, e_i);
	noise_fix_ephemeral(r, e_r);
}

/* A message between the two, so that the next can be anybody's. */
static void
pass(struct noise *from, struct noise *to)
{
	struct buf msg = { 0 }, none = { 0 };
	struct span empty = { 0 };

	MUST(noise_write(from, &msg, empty) == TOCSIN_OK);
	MUST(noise_read(to, &none, buf_span(&msg)) == TOCSIN_OK);
	buf_release(&msg);
	buf_release(&none);
}

/* What is refused leaves no payload and no state; what is taken goes on. */
static void
read_any(struct noise *x, struct span msg)
{
	struct buf payload = { 0 };

	if (noise_read(x, &payload, msg) == TOCSIN_OK)
		MUST(payload.n < msg.n);
	else {
		MUST(payload.n == 0);
		MUST(sodium_is_zero((const uint8_t *)x, sizeof(*x)));
	}
	buf_release(&payload);
}

/* The first byte says which message of the handshake the rest stands for. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span msg = span_cut((struct span){ data, n }, 1, n);
	struct noise i, r;
	unsigned which = n > 0 ? data[0] % 3 : 0;

	begin(&i, &r);
	if (which > 0)
		pass(&i, &r);
	if (which > 1)
		pass(&r, &i);
	read_any(which == 1 ? &i : &r, msg);
	noise_release(&i);
	noise_release(&r);
	return 0;
}
