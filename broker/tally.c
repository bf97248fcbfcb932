/* SPDX-License-Identifier: ISC */
#include "broker/tally.h"

#include <sodium.h>
#include <string.h>

void
tally_add(struct tally *t, const uint8_t mark[TALLY_MARK])
{
	uint8_t in[TALLY_HASH + TALLY_MARK], out[crypto_hash_sha256_BYTES];

	memcpy(in, t->hash, TALLY_HASH);
	memcpy(in + TALLY_HASH, mark, TALLY_MARK);
	crypto_hash_sha256(out, in, sizeof(in));
	memcpy(t->hash, out, TALLY_HASH);
	t->n++;
}

void
tally_mark(uint8_t mark[TALLY_MARK], struct span note)
{
	if (note.n == 0)
		memset(mark, 0, TALLY_MARK);
	else
		crypto_hash_sha256(mark, note.p, note.n);
}
