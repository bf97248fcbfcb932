/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/link.h"

#include <sodium.h>

static const uint8_t sk_i[32] = { 8 }, sk_r[32] = { 16 };

/* A link that asked request 1, as if its handshake had made these keys. */
static struct link
asked(void)
{
	return (struct link){ .session = { 's' },
		.keys = { .tx = { 1 }, .rx = { 2 } },
		.next = 2 };
}

static void
answer_any(struct span bytes)
{
	struct link l = asked();
	struct buf reply = { 0 };
	uint32_t retry_ms = 0;
	enum tocsin_err err = link_answer(&l, 1, bytes, &reply, &retry_ms);

	if (err == TOCSIN_OK)
		MUST(reply.n + FRAME_HEAD + NOISE_TAG == bytes.n);
	else
		MUST(reply.n == 0);
	buf_release(&reply);
}

/* What does not become a link leaves no keys, and nothing to send. */
static void
finish_any(struct span bytes)
{
	struct link l = { 0 };
	struct buf hello = { 0 }, finish = { 0 };
	struct span request = span_of("r");
	uint8_t pk[32];

	crypto_scalarmult_base(pk, sk_r);
	MUST(link_hello(&l, sk_i, pk, span_of("p"), &hello) == TOCSIN_OK);
	if (link_finish(&l, bytes, request, &finish) != TOCSIN_OK) {
		MUST(sodium_is_zero((const uint8_t *)&l, sizeof(l)));
		MUST(finish.n == 0 && link_spent(&l));
	}
	link_wipe(&l);
	buf_release(&hello);
	buf_release(&finish);
}

/* The first byte says to what the rest is the answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span bytes = span_cut((struct span){ data, n }, 1, n);

	if (n > 0 && data[0] % 2 == 1)
		answer_any(bytes);
	else
		finish_any(bytes);
	return 0;
}
