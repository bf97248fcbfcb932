/* SPDX-License-Identifier: ISC */
/*
 * grant.h - what the author of a message lets others do with it, signed
 *
 * A TLP label says how far a message may go; only its author may say more. A
 * grant is his word, a note of its own: it goes along with what it permits, to
 * readers who do not see the ticket that brought it (PROTOCOL.md 7.9, 8.11).
 *
 * grant_may() is the whole rule, a pure function of a label, of grants that
 * were believed, and of who somebody is.
 */
#ifndef TOCSIN_CRYPTO_GRANT_H
#define TOCSIN_CRYPTO_GRANT_H

#include "crypto/keys.h"
#include "crypto/roster.h"
#include "crypto/ticket.h"

#define GRANT_TO_MAX 64
#define GRANT_FILE_MAX 8192 /* bytes of a signed one */

struct grant {
	char federation[FEDERATION_MAX + 1];
	char from[DEVICE_MAX + 1];
	int64_t time;
	uint8_t message[ID_LEN];
	char holder[MEMBER_MAX + 1]; /* empty: everybody who has it */
	enum ticket_tlp tlp;
	char to[GRANT_TO_MAX][MEMBER_MAX + 1]; /* empty: no more than `tlp` */
	size_t nto;
	uint8_t id[ID_LEN]; /* set by parsing */
};

/* Sorts the members and drops doubles. */
void grant_print(struct buf *b, struct grant *g);
MUST_USE enum tocsin_err grant_parse(struct grant *out, struct span text);

MUST_USE enum tocsin_err grant_sign(
    struct buf *out, struct grant *g, const uint8_t sk[64]);

/*
 * A signed grant, believed: `keys` gives the announcement of its member that it
 * is judged by, or NULL; `exercise` is that of its message (empty: live).
 * ENOTENROLLED: not listed there; EEXERCISEMISMATCH: of another;
 * EKINDNOTALLOWED: no officer's device; EBADSIGNATURE, EREVOKED;
 * EROSTERUNKNOWN: of another federation.
 */
MUST_USE enum tocsin_err grant_open(struct grant *out, const struct roster *r,
    const struct keys *(*keys)(
	void *arg, const struct grant *g, const struct note *note),
    void *arg, struct span exercise, struct span file);

/* Who somebody is to the holder, from near to far as the labels are. */
enum grant_reach {
	GRANT_NAMED,	    /* the message was sent to it */
	GRANT_ORGANISATION, /* of the holder's own member */
	GRANT_CLIENT,
	GRANT_COMMUNITY, /* on the roster */
	GRANT_PUBLIC,
};

/* A message, and the grants that are known; those of others do no harm. */
struct grant_case {
	const uint8_t *message;
	struct span author;  /* a member */
	enum ticket_tlp tlp; /* of its header */
	const struct grant *grant;
	size_t n;
};

/* Its label now: as its author last said. */
enum ticket_tlp grant_label(const struct grant_case *c);

/* The widest label that the holder may treat it as. */
enum ticket_tlp grant_widest(const struct grant_case *c, struct span holder);

/*
 * May the holder show it to `to`, labelled `as`? If a grant was needed, *by is
 * that one; else NULL. `by` may be NULL. The author may.
 */
bool grant_may(const struct grant_case *c, struct span holder, struct span to,
    enum grant_reach reach, enum ticket_tlp as, const struct grant **by);

#endif
