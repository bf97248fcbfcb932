/* SPDX-License-Identifier: ISC */
/*
 * card.h - what a member or a broker hands in to be put on the roster
 *
 * A card is a text in the grammar of the signed texts, without a signature: it
 * carries no authority. People see that it came from the right hands, and the
 * authorities sign the roster that it ends in (PROTOCOL.md 7.7).
 *
 *	asean.example/card/v1
 *	member mycert@my mycert@my+1a2b3c4d+AQ...
 *	device desk1 officer mycert@my/desk1+... NOISEKEY	optional
 *
 * A further device of a member has a card of its own, for the member's root key
 * to announce and not for the roster: the same without the member line.
 *
 *	asean.example/card/v1
 *	broker my my NOISEKEY my/log+... my/sign+... tcp://... tcp://...
 */
#ifndef TOCSIN_CRYPTO_CARD_H
#define TOCSIN_CRYPTO_CARD_H

#include "crypto/keys.h"

enum card_kind {
	CARD_MEMBER,
	CARD_BROKER,
	CARD_DEVICE, /* member.name is the device's; no root key */
};

struct card {
	char federation[FEDERATION_MAX + 1];
	enum card_kind kind;
	struct roster_member member;
	bool has_device; /* of a member */
	struct keys_device device;
	struct roster_broker broker;
};

MUST_USE enum tocsin_err card_parse(struct card *out, struct span text);
void card_print(struct buf *b, const struct card *c);

#endif
