/* SPDX-License-Identifier: ISC */
/* PROTOCOL.md 7.1: a text of a later version is not wrong, only later. */
#include "crypto/card.h"
#include "crypto/keys.h"
#include "crypto/receipt.h"
#include "crypto/roster.h"
#include "crypto/ticket.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>

static enum tocsin_err
parse_roster(struct span text, struct span file)
{
	struct roster *r = NULL;
	enum tocsin_err err = roster_parse(&r, file);

	(void)text;
	roster_free(r);
	return err;
}

static enum tocsin_err
parse_keys(struct span text, struct span file)
{
	struct keys *k = NULL;
	enum tocsin_err err = keys_parse(&k, file);

	(void)text;
	keys_free(k);
	return err;
}

static enum tocsin_err
parse_receipt(struct span text, struct span file)
{
	static struct receipt r;

	(void)file;
	return receipt_parse(&r, text);
}

static enum tocsin_err
parse_card(struct span text, struct span file)
{
	struct card c;

	(void)file;
	return card_parse(&c, text);
}

static enum tocsin_err
parse_ticket(struct span text, struct span file)
{
	struct ticket t;
	struct note n;

	(void)text;
	return ticket_parse(&t, &n, file);
}

static const struct {
	const char *kind;
	enum tocsin_err (*parse)(struct span text, struct span file);
} kinds[] = {
	{ "roster", parse_roster },
	{ "keys", parse_keys },
	{ "receipt", parse_receipt },
	{ "card", parse_card },
	{ "ticket", parse_ticket },
};

/* A text with this first line and one that no version knows, signed. */
static void
heads(const char *before, const char *after, enum tocsin_err want,
    const char *what)
{
	uint8_t pk[32], sk[64], seed[32] = { 1 };
	size_t i;

	crypto_sign_seed_keypair(pk, sk, seed);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf text = { 0 }, file = { 0 };
		bool made;

		buf_addf(&text, "%s%s%s", before, kinds[i].kind, after);
		buf_addz(&text, "\nweather fine\n");
		made = note_sign(&file, buf_span(&text), span_of("mycert@my"),
			   sk) == TOCSIN_OK;
		ok(made && kinds[i].parse(buf_span(&text), buf_span(&file)) ==
			       want,
		    "%s: %s is %s", kinds[i].kind, what, tocsin_err_name(want));
		buf_release(&text);
		buf_release(&file);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	heads("asean.example/", "/v1", TOCSIN_EMALFORMED, "our version");
	heads("asean.example/", "/v2", TOCSIN_EUNSUPPORTED, "the next version");
	heads("asean.example/", "/v17", TOCSIN_EUNSUPPORTED, "a later version");
	heads("asean.example/", "/v0", TOCSIN_EMALFORMED, "version 0");
	heads(
	    "asean.example/", "/v02", TOCSIN_EMALFORMED, "a version with a 0");
	heads("asean.example/", "/v2x", TOCSIN_EMALFORMED, "no number");
	heads("asean/", "/v2", TOCSIN_EMALFORMED, "a federation that is none");
	heads("asean.example/x", "/v2", TOCSIN_EMALFORMED, "another kind");
	tap_done();
	return 0;
}
