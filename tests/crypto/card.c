/* SPDX-License-Identifier: ISC */
#include "crypto/card.h"
#include "tests/lib/fed.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum tocsin_err
parse_copy(struct card *out, struct span s)
{
	uint8_t *copy = xcopy(s.p, s.n);
	enum tocsin_err err = card_parse(out, (struct span){ copy, s.n });

	free(copy);
	return err;
}

/* How many proper prefixes are cards; they are counted by the caller. */
static size_t
prefixes(struct span text)
{
	struct card c;
	size_t cut, n = 0;

	for (cut = 0; cut < text.n; cut++)
		n += parse_copy(&c, span_cut(text, 0, cut)) == TOCSIN_OK;
	return n;
}

static void
test_member(void)
{
	struct keys *k = fed_keys("mycert@my");
	struct card c = { .federation = FED, .kind = CARD_MEMBER }, back;
	struct buf text = { 0 }, bent;

	snprintf(c.member.name, sizeof(c.member.name), "mycert@my");
	c.member.root = signer("mycert@my").vkey;
	card_print(&text, &c);
	ok(parse_copy(&back, buf_span(&text)) == TOCSIN_OK &&
		back.kind == CARD_MEMBER && !back.has_device &&
		vkey_eq(&back.member.root, &c.member.root),
	    "a member hands in its root key");
	bent = edit(buf_span(&text), "member mycert@my ", "member mycert@sg ");
	is_int(parse_copy(&back, buf_span(&bent)), TOCSIN_EMALFORMED,
	    "a root key of another name is refused");
	buf_release(&bent);
	buf_release(&text);

	c.has_device = true;
	c.device = k->device[0];
	card_print(&text, &c);
	ok(parse_copy(&back, buf_span(&text)) == TOCSIN_OK && back.has_device &&
		back.device.role == KEYS_OFFICER &&
		memcmp(back.device.noise, c.device.noise, 32) == 0,
	    "and perhaps a device");
	is_int((long long)prefixes(buf_span(&text)), 1,
	    "of its prefixes only the card without device is one");
	bent = edit(buf_span(&text), "member mycert@my ", "member mycert@sg ");
	is_int(parse_copy(&back, buf_span(&bent)), TOCSIN_EMALFORMED,
	    "a root key of another name is refused");
	buf_release(&bent);
	bent = edit(buf_span(&text), "device desk1 ", "device desk2 ");
	is_int(parse_copy(&back, buf_span(&bent)), TOCSIN_EMALFORMED,
	    "a device's key of another name is refused");
	buf_release(&bent);
	buf_addz(&text, "\n");
	is_int(parse_copy(&back, buf_span(&text)), TOCSIN_EMALFORMED,
	    "and so is a blank line");
	buf_release(&text);
	keys_free(k);
}

/* Alone, as a further device hands it in, and with its member. */
static void
test_exercise(void)
{
	struct keys *k = fed_keys("mycert@my");
	struct card c = { .federation = FED, .kind = CARD_DEVICE }, back;
	struct buf text = { 0 };

	memcpy(c.member.name, "mycert@my", 10);
	c.has_device = true;
	c.device = k->device[0];
	memcpy(c.device.exercise, "Tabletop.2026", 14);
	card_print(&text, &c);
	ok(parse_copy(&back, buf_span(&text)) == TOCSIN_OK &&
		back.kind == CARD_DEVICE &&
		strcmp(back.member.name, "mycert@my") == 0 &&
		strcmp(back.device.exercise, "Tabletop.2026") == 0,
	    "a device hands in the exercise that it is of");
	is_int((long long)prefixes(buf_span(&text)), 0,
	    "no proper prefix is a card");
	buf_release(&text);
	c.kind = CARD_MEMBER;
	c.member.root = signer("mycert@my").vkey;
	card_print(&text, &c);
	ok(parse_copy(&back, buf_span(&text)) == TOCSIN_OK &&
		strcmp(back.device.exercise, "Tabletop.2026") == 0,
	    "and so does the first one of a member");
	buf_release(&text);
	keys_free(k);
}

static void
test_broker(void)
{
	struct roster *r = fed_roster();
	struct card c = { .federation = FED, .kind = CARD_BROKER }, back;
	struct buf text = { 0 }, bent;

	c.broker = r->broker[0];
	card_print(&text, &c);
	ok(parse_copy(&back, buf_span(&text)) == TOCSIN_OK &&
		back.kind == CARD_BROKER &&
		strcmp(back.broker.rpc, "tcp://my.example:4700") == 0,
	    "a broker hands in its line");
	is_int((long long)prefixes(buf_span(&text)), 0,
	    "no proper prefix is a card");
	bent = edit(buf_span(&text), "/card/v1", "/roster/v1");
	is_int(parse_copy(&back, buf_span(&bent)), TOCSIN_EMALFORMED,
	    "a roster is no card");
	buf_release(&bent);
	buf_release(&text);
	roster_free(r);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_member();
	test_exercise();
	test_broker();
	return tap_done();
}
