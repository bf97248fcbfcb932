/* SPDX-License-Identifier: ISC */
/*
 * fakebroker.h - a broker to be at the other end of a client
 *
 * A thread of the test listens on loopback and speaks the protocol of
 * PROTOCOL.md 3 to 5 as the broker of a fixture's nation would, without
 * verifying or storing anything: what is posted is counted, what the test puts
 * into the mailbox is fetched. The test says what goes wrong: answers that are
 * lost, late or cut off, refusals, forged hints, silence, a restart.
 *
 * Tests wait for counters, never for a time. What can't go on ends the test.
 */
#ifndef TOCSIN_TESTS_FAKEBROKER_H
#define TOCSIN_TESTS_FAKEBROKER_H

#include "crypto/msg.h"
#include "tests/lib/fixture.h"

struct fakebroker;

struct fakebroker *fb_new(const struct fixture *f, const char *name);
void fb_free(struct fakebroker *b);
const char *fb_url(const struct fakebroker *b);

/* ---- what goes wrong ---- */

#define FB_HELLO 200 /* as op: the first frame of a link */

enum fb_fault {
	FB_LOSE,   /* it is done, and the answer is lost */
	FB_HOLD,   /* it is done, and answered by fb_release() */
	FB_CUT,	   /* it is done, and the connection is closed */
	FB_HALF,   /* half of the answer, and nothing more on that connection */
	FB_REFUSE, /* it is not done: `code` */
	FB_HINT,   /* it is not done: an error frame, which anybody can make */
};

/* The next n requests of that op meet it. Faults of an op queue up. */
void fb_fault(struct fakebroker *b, uint8_t op, enum fb_fault fault,
    enum tocsin_err code, unsigned n);

/* Send what is held, the last one first. */
void fb_release(struct fakebroker *b);

/* What a post of this ticket is answered; OK: as usual again. */
void fb_code(
    struct fakebroker *b, const uint8_t id[ID_LEN], enum tocsin_err code);

void fb_silence(struct fakebroker *b, bool silent); /* nothing is answered */
void fb_forget(struct fakebroker *b);		    /* all sessions */
void fb_down(struct fakebroker *b); /* the port is closed, mail stays */
void fb_up(struct fakebroker *b);   /* the same port again */

/* Devices are strangers until they announce. */
void fb_strange(struct fakebroker *b);

/* The serial that hello tells of, and the file that `roster` gives. */
void fb_roster(struct fakebroker *b, uint64_t serial, struct span file);

/* ---- what it has ---- */

/* An entry for everybody's mailbox; its seq. */
uint64_t fb_mail(struct fakebroker *b, uint8_t kind, struct span note,
    struct span body, bool detached);

/* A body or part that `get` gives. */
void fb_part(struct fakebroker *b, struct span bytes);

enum fb_count {
	FB_CONNECTIONS,
	FB_LINKS,
	FB_HELLOS,     /* of links, and by themselves */
	FB_POSTS,      /* requests */
	FB_TAKEN,      /* tickets, each once */
	FB_DUPLICATES, /* tickets that were there */
	FB_FETCHES,
	FB_PARKED, /* now */
	FB_ACKED,  /* the highest */
	FB_ANNOUNCED,
	FB_PUTS,  /* with bytes */
	FB_GOT,	  /* bytes in answers to get */
	FB_WHOLE, /* parts */
	FB_FAULTS,
	FB_HELD, /* now */
	FB_COUNTS
};
uint64_t fb_count(struct fakebroker *b, enum fb_count c);

/* Waits until it is at least n; false after 20 s. */
bool fb_reaches(struct fakebroker *b, enum fb_count c, uint64_t n);

/* Whether a ticket was taken, and a part is whole and is these bytes. */
bool fb_has(struct fakebroker *b, const uint8_t id[ID_LEN]);
bool fb_has_part(struct fakebroker *b, struct span bytes);

#endif
