/* SPDX-License-Identifier: ISC */
/*
 * fixture.h - a small federation in memory
 *
 * Three authorities (two sign), and for each nation that is asked for a broker
 * of its name and one member with an officer at desk1, a bot at escalator and a
 * reader at screen: sg has broker sg and singcert@sg. Every key is derived from
 * its name, so two programs with the same fixture agree, and a failure repeats.
 *
 * Nothing here stores or sends; it makes the bytes that would be. Functions
 * that can't go on end the test.
 */
#ifndef TOCSIN_TESTS_FIXTURE_H
#define TOCSIN_TESTS_FIXTURE_H

#include "crypto/keys.h"
#include "crypto/ticket.h"

#define FX_FEDERATION "asean.example"
#define FX_AUTHORITIES 3
#define FX_THRESHOLD 2
#define FX_EPOCH "2026-11"

struct fixture {
	int64_t now;	     /* the time that everything is dated by */
	size_t text_bytes;   /* of text in the tickets to come; at first 0 */
	const char *content; /* or what is in them; NULL: a short subject */
	char nation[8][NATION_MAX + 1];
	char member[8][MEMBER_MAX + 1];
	size_t n;

	uint8_t genesis[ID_LEN]; /* id of the first roster */
	struct roster *roster;	 /* the newest */
	struct buf file;	 /* its bytes, signed */
	struct keys *keys[8];	 /* of member i, the newest */
	struct buf keys_file[8];
};

/* Genesis roster and first announcements; nations as "sg my la". */
void fixture_init(struct fixture *f, const char *nations);
void fixture_release(struct fixture *f);

/*
 * Secret keys, by name: Ed25519 of "auth-a", "sg/sign", "sg/log",
 * "singcert@sg" (root) and "singcert@sg/desk1"; X25519 of a link, "sg" or
 * "singcert@sg/desk1"; and age's of a member and epoch.
 */
void fixture_sign_key(uint8_t sk[64], const char *name);
void fixture_noise_key(uint8_t sk[32], const char *name);
void fixture_age_key(uint8_t sk[32], const char *member, const char *epoch);

/*
 * The next roster: `change` edits a copy of the current one, if not NULL.
 * f->roster and f->file are replaced. A nation that joins so has no member in
 * f->member.
 */
void fixture_next_roster(
    struct fixture *f, void (*change)(struct roster *r, void *arg), void *arg);

/* A roster line for another broker and its nation, and a member's. */
struct roster_broker fixture_broker(const char *name, const char *nation);
struct roster_member fixture_member(const char *name);

/* For `change`: a member of that name, a char *, besides. */
void fixture_add_member(struct roster *r, void *name);

/* Another member and its first announcement; the roster is the caller's. */
void fixture_enrol(struct fixture *f, const char *member);

/* The next announcement of member i; `change` as above. */
void fixture_next_keys(struct fixture *f, size_t i,
    void (*change)(struct keys *k, void *arg), void *arg);

/*
 * For `change`: another device, of an exercise, or live if that is empty. Its
 * keys are those of its name.
 */
void fixture_add_device(struct keys *k, const char *label, enum keys_role role,
    const char *exercise);

/*
 * A sealed ticket of a device, "singcert@sg/desk1", to `to`, members with one
 * space between, to which the sender's own is added. `seq` and `prev` (NULL:
 * the first) are its place in the device's chain. The note, the body and the id
 * are appended and set. `edit`, if not NULL, changes the draft first.
 */
struct fx_ticket {
	struct buf note;
	struct buf body;
	uint8_t id[ID_LEN];
};
void fixture_ticket(struct fx_ticket *out, const struct fixture *f,
    const char *device, const char *to, uint64_t seq, const uint8_t *prev,
    void (*edit)(struct ticket *draft, void *arg), void *arg);
void fx_ticket_release(struct fx_ticket *t);

#endif
