/* SPDX-License-Identifier: ISC */
/*
 * forge.h - tickets of a device, to be spoilt before they are signed
 *
 * For programs that hold valid keys and misuse them. A forger is a home, read
 * only; where its chain is stands in HOME/rogue-chain, and nobody else posts
 * from there. A ticket is drafted, changed at will, sealed, changed again, and
 * signed by whatever key it then has. What fails ends the program.
 */
#ifndef TOCSIN_TESTS_FORGE_H
#define TOCSIN_TESTS_FORGE_H

#include "client/belief.h"
#include "client/keystore.h"

struct forger {
	const char *home;
	struct keystore *keys;
	struct desk *desk;
	struct belief belief;
	struct {
		uint64_t seq;
		uint8_t id[ID_LEN];
	} chain; /* the last that was posted */
};

void forger_open(struct forger *f, const char *home);
void forger_save(const struct forger *f);
void forger_close(struct forger *f);

/* What is made, and may be spoilt before it is signed and posted. */
struct made {
	struct ticket t;
	uint8_t pk[TICKET_TO_MAX][32];
	size_t npk; /* stanzas */
	uint8_t sk[64];
	char signer[KEYNAME_MAX + 1];
	struct buf note, body;
	uint8_t id[ID_LEN];
};

/* The next of the chain, of the home's exercise, to nobody yet. */
struct made *made_draft(const struct forger *f);
/* One recipient more, and its stanza; members in their order. */
void made_to(struct made *m, const struct forger *f, const char *member);
void made_seal(struct made *m); /* a body that its readers open */
void made_sign(struct made *m);
void made_sign_text(struct made *m, struct span text);
void made_make(struct made *m); /* seal, and sign */
/* What was signed, as if it were of the other side; its signature stays. */
void made_cross(struct made *m, const struct forger *f);
void made_free(struct made *m);

/* Of an exercise if the home is live, live if it is of one. */
#define FORGE_EXERCISE "Acid.2026"
struct span forger_other_side(const struct forger *f);

int64_t forge_now(void);
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
