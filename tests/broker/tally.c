/* SPDX-License-Identifier: ISC */
#include "broker/tally.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <string.h>

int
main(void)
{
	static const uint8_t none[TALLY_MARK];
	struct tally a = { 0 }, b = { 0 }, c = { 0 };
	uint8_t mark[TALLY_MARK], other[TALLY_MARK], want[48], hash[32];

	tally_mark(mark, (struct span){ (const uint8_t *)"a note", 6 });
	tally_mark(other, (struct span){ (const uint8_t *)"another", 7 });
	tally_add(&a, mark);
	memset(want, 0, 16);
	crypto_hash_sha256(want + 16, (const uint8_t *)"a note", 6);
	crypto_hash_sha256(hash, want, sizeof(want));
	ok(a.n == 1 && memcmp(a.hash, hash, TALLY_HASH) == 0,
	    "a count is a hash over the one before and the item's mark");
	tally_add(&a, other);
	tally_add(&b, other);
	tally_add(&b, mark);
	ok(a.n == b.n && memcmp(a.hash, b.hash, TALLY_HASH) != 0,
	    "the order counts");
	tally_mark(mark, (struct span){ 0 });
	is_int(memcmp(mark, none, sizeof(none)), 0,
	    "one that is no more is zeros");
	tally_add(&c, mark);
	ok(memcmp(c.hash, none, TALLY_HASH) != 0, "and counts");
	return tap_done();
}
