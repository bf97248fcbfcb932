/* SPDX-License-Identifier: ISC */
#include "tests/fault/posing.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void
load_secret(uint8_t out[32], const char *keys, const char *role)
{
	char path[640], line[256];
	bool got = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.key", keys, role);
	f = fopen(path, "r");
	while (f && !got && fgets(line, sizeof(line), f))
		got =
		    strncmp(line, "key ", 4) == 0 &&
		    sodium_base642bin(out, 32, line + 4, strlen(line) - 4, "\n",
			NULL, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
	if (!got)
		die("%s: no key", path);
	fclose(f);
}

void
posing_begin(struct posing *p, const struct forger *f, const char *keys,
    const char *other, uint16_t port)
{
	const struct roster *r = f->belief.roster;
	const struct roster_broker *b =
	    roster_broker_of(r, member_nation(span_of(other)), 0);
	uint8_t pk[32], seed[32];

	load_secret(p->noise, keys, "noise");
	load_secret(seed, keys, "sign");
	crypto_sign_seed_keypair(pk, p->sign, seed);
	crypto_scalarmult_base(pk, p->noise);
	p->self = roster_broker_by_noise(r, pk);
	if (b == NULL || p->self == NULL)
		die("the roster has no such broker");
	noise_prologue(&p->there, span_of(r->federation), span_of(b->name),
	    f->belief.genesis);
	noise_prologue(&p->here, span_of(r->federation), span_of(p->self->name),
	    f->belief.genesis);
	p->who = (struct rawlink_who){ .port = port,
		.sk = p->noise,
		.peer = b->noise,
		.prologue = buf_span(&p->there) };
}

void
posing_end(struct posing *p)
{
	buf_release(&p->there);
	buf_release(&p->here);
	sodium_memzero(p, sizeof(*p));
}
