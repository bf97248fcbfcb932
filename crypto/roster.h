/* SPDX-License-Identifier: ISC */
/*
 * roster.h - who belongs to the federation
 *
 * A roster lists the authorities, brokers and members, and the keys that were
 * revoked. It follows its predecessor in a chain, and counts only if enough
 * authorities of the predecessor and enough of its own signed it: who may
 * change the roster is itself in the roster (PROTOCOL.md 7.3).
 *
 * Names of keys are derived, so no key can pass as another's: an authority
 * NAME has a key of that name (no '@' or '/' in it), a broker has NAME/log and
 * NAME/sign, a member's root key has the name of the member.
 *
 * A roster is one heap object with its own copy of the bytes. Once parsed it is
 * not changed, and may be read by any number of threads. The arrays ascend by
 * name. To make the next one, parse the current one, change it with
 * roster_put_*() and the plain fields, print it, and parse what was printed.
 */
#ifndef TOCSIN_CRYPTO_ROSTER_H
#define TOCSIN_CRYPTO_ROSTER_H

#include "crypto/note.h"

#define ROSTER_TEXT_MAX (1024 * 1024)
#define ROSTER_FILE_MAX (ROSTER_TEXT_MAX + NOTE_SIGS * NOTE_LINE_MAX)
#define ROSTER_AUTHORITIES 64
#define ROSTER_FINGERPRINT 71 /* 12 groups of 5 digits, a space between */

struct roster_authority {
	struct vkey key;
};

struct roster_broker {
	char name[LABEL_MAX + 1];
	char nation[NATION_MAX + 1];
	uint8_t noise[32]; /* X25519 */
	struct vkey log;
	struct vkey sign;
	char rpc[URL_MAX + 1]; /* "-": cannot be dialled */
	char relay[URL_MAX + 1];
};

struct roster_member {
	char name[MEMBER_MAX + 1];
	bool suspended;
	struct vkey root;
};

struct roster_revoked {
	char name[KEYNAME_MAX + 1];
	uint8_t id[KEYID_LEN];
	int64_t time; /* what the key signed from then on is refused */
	char reason[TOKEN_MAX + 1];
};

struct roster {
	char federation[FEDERATION_MAX + 1];
	uint64_t serial; /* the first is 1 */
	bool has_previous;
	uint8_t previous[ID_LEN];
	int64_t issued;
	int64_t expires;
	unsigned threshold;

	struct roster_authority *authority;
	size_t nauthority;
	struct roster_broker *broker;
	size_t nbroker;
	struct roster_member *member;
	size_t nmember;
	struct roster_revoked *revoked;
	size_t nrevoked;

	uint8_t id[ID_LEN];
	struct span text;  /* in `whole` */
	struct span whole; /* our own copy, with the signature lines */
};

/*
 * `file` is a signed roster, or the text of one that nobody signed yet. All
 * that a roster can be wrong about by itself is refused here: grammar, order,
 * threshold of at most half, a key in two roles, a key that is no good point, a
 * revoked key still in use. Signatures are roster_accept()'s business.
 */
MUST_USE enum tocsin_err roster_parse(struct roster **out, struct span file);
void roster_free(struct roster *r);

/* The text; what was parsed gives the same bytes. */
void roster_print(struct buf *b, const struct roster *r);

/* An empty roster to build on, or NULL. */
struct roster *roster_new(void);

/*
 * Insert in order, or replace what has the same name (an authority or a
 * revocation: the same name and key id).
 */
MUST_USE enum tocsin_err roster_put_authority(
    struct roster *r, const struct roster_authority *a);
MUST_USE enum tocsin_err roster_put_broker(
    struct roster *r, const struct roster_broker *b);
MUST_USE enum tocsin_err roster_put_member(
    struct roster *r, const struct roster_member *m);
MUST_USE enum tocsin_err roster_put_revoked(
    struct roster *r, const struct roster_revoked *v);

/*
 * May `next` follow `cur`? cur is NULL for the genesis roster, which a person
 * has compared (roster_fingerprint) and which has serial 1.
 *
 *	EDUPLICATE	is `cur`, or older: nothing to do
 *	EROSTERUNKNOWN	another federation's, or rosters between are missing
 *	ECHAINCONFLICT	signed well, but another roster has that place: an
 *			alarm, keep both
 *	EBADSIGNATURE	too few authorities signed, or a line of one fails
 *	ECLOCKSKEW	issued more than ten minutes from now
 *
 * An expired roster is accepted: a chain is followed through old ones.
 */
MUST_USE enum tocsin_err roster_accept(
    const struct roster *cur, const struct roster *next, int64_t now);

/* Enough of its own authorities signed, and the clock is right; no chain. */
MUST_USE enum tocsin_err roster_check(const struct roster *r, int64_t now);

/* Tickets can be read under it, not sent. */
bool roster_expired(const struct roster *r, int64_t now);

/* Lookups; NULL if there is none. */
const struct roster_member *roster_member(
    const struct roster *r, struct span name);
const struct roster_broker *roster_broker(
    const struct roster *r, struct span name);
const struct roster_broker *roster_broker_by_noise(
    const struct roster *r, const uint8_t key[32]);

/* The i-th broker of a nation, by name. A nation without one has none. */
const struct roster_broker *roster_broker_of(
    const struct roster *r, struct span nation, size_t i);

/* Any authority's, broker's or member's key, by name and id. */
const struct vkey *roster_key(
    const struct roster *r, struct span name, const uint8_t id[KEYID_LEN]);
const struct roster_revoked *roster_revoked(
    const struct roster *r, struct span keyname, const uint8_t id[KEYID_LEN]);

/*
 * OK, or EREVOKED if the key was revoked at or before `at`: what it signed
 * earlier, by a log's clock, stays good.
 */
MUST_USE enum tocsin_err roster_key_at(
    const struct roster *r, const struct vkey *key, int64_t at);

/* What two people compare over the telephone: "01234 56789 ...". */
void roster_fingerprint(
    char out[ROSTER_FINGERPRINT + 1], const struct roster *r);

/* Compares with what a person typed; spaces and '-' don't matter. */
bool roster_fingerprint_is(const struct roster *r, struct span typed);

/* One broker line, for cards as well. */
void roster_read_broker(struct text *t, struct roster_broker *out);
void roster_print_broker(struct buf *b, const struct roster_broker *in);

/* Authority names: [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
bool name_authority(struct span s);

#endif
