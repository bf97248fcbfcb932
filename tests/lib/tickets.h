/* SPDX-License-Identifier: ISC */
/*
 * tickets.h - tickets of a large federation, to be sealed, judged and opened
 *
 * 250 members, each with a device and an epoch whose keys follow from its name,
 * in the order of the roster; the first two have announcements. All of it is in
 * force from a day before TK_NOW, so that no test depends on today. What is
 * judged or opened is a copy of the exact size, so that ASan sees a read beyond
 * its end.
 */
#ifndef TOCSIN_TESTS_LIB_TICKETS_H
#define TOCSIN_TESTS_LIB_TICKETS_H

#include "tests/lib/fixture.h"

#define TK_JSON "{\"subject\":\"phishing at a bank\"}\n"
#define TK_NOW 1795219200 /* 2026-11-21T00:00:00Z */
#define TK_MEMBERS 250

struct tk {
	struct fixture fx;
	struct roster *roster;
	struct {
		char name[MEMBER_MAX + 1];
		uint8_t device_sk[64]; /* of desk1 */
		uint8_t epoch_sk[32];
		uint8_t epoch_pk[32];
	} member[TK_MEMBERS];
};
extern struct tk tk;

void tk_begin(void);
void tk_end(void);

struct roster_member *tk_member(const char *name); /* in the roster */

/* A report of the first member to the first nto ones, itself included. */
void tk_draft(struct ticket *t, size_t nto);

/* A ticket on its way: what a broker or a reader is given. */
struct tk_post {
	struct buf note;
	struct buf body;
};
void tk_drop(struct tk_post *p);

/* Sealed, without parts, to those that it names. */
struct tk_post tk_seal(const struct ticket *t);
struct tk_post tk_seal_plain(size_t nto);
enum tocsin_err tk_seal_json(const struct ticket *t, const char *json,
    struct buf *note, struct buf *body);

/*
 * A note of whatever bytes, as the device of member i signs them. By hand, for
 * note_sign() refuses what is no text.
 */
void tk_sign_as(struct buf *note, struct span text, size_t i);

/* `text` with the first `old` replaced; false if there is none. */
bool tk_replace(
    struct buf *out, struct span text, const char *old, const char *new);

/* Parse, and check unless trust is NULL. */
struct ticket_trust tk_trust(void);
enum tocsin_err tk_judge(struct span note, const struct ticket_trust *trust);

/* Parse and open. tk_read_as(): whether TK_JSON comes out, and only then. */
enum tocsin_err tk_open_with(struct ticket_contents *c, const struct tk_post *p,
    size_t reader, struct span epoch, const uint8_t *sk);
enum tocsin_err tk_read_as(const struct tk_post *p, size_t reader);

/* A check: the reason's name, behind `what`. */
void tk_is_err(enum tocsin_err got, enum tocsin_err want, const char *what);

#endif
