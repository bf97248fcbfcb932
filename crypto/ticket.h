/* SPDX-License-Identifier: ISC */
/*
 * ticket.h - the ticket: a signed header, a sealed body, parts beside it
 *
 * The header is a signed note (note.h) that brokers read and route by. The body
 * is an age file (age.h) with a ustar archive inside that only the members of
 * the `to` lines open. Two things tie them together: the header's last line is
 * the hash of the whole body, and the first file inside the body is the header
 * without that line. So nobody can sign another's body as his own, send
 * another's words to somebody else, or add a reader, and not be seen.
 * PROTOCOL.md 7.6 and 8.
 *
 * Who checks what, in the order of PROTOCOL.md 8.5:
 *
 *	ticket_parse		everybody: sizes, grammar, one encoding
 *	ticket_check		everybody: roster, sender, role, signature, time
 *	ticket_check_body	brokers: the body's size, hash and stanzas
 *	ticket_open		a reader: all of that, then what is inside
 *	ticket_chain		who keeps the last message of each device
 *
 * Whether an id was seen before is asked of a store, by the caller, before
 * ticket_chain(). Whether the `to` members exist is asked by who routes.
 *
 * A struct ticket owns nothing: its spans alias the note's bytes, and its ids
 * are copies. It is about 13 KiB. Parsing allocates nothing.
 * Ids and hashes are 32 bytes, times are seconds since 1970 UTC.
 */
#ifndef TOCSIN_CRYPTO_TICKET_H
#define TOCSIN_CRYPTO_TICKET_H

#include "crypto/keys.h"

#define TICKET_BODY_MAX ((uint64_t)1 << 20) /* body file */
#define TICKET_PART_MAX ((uint64_t)4 << 30) /* part file */
#define TICKET_TO_MAX 250
#define TICKET_PARTS_MAX 64
#define TICKET_REFS_MAX 16
#define TICKET_LABELS_MAX 8
#define TICKET_PAD_FLOOR 4096 /* the smallest plaintext of body and part */

enum ticket_kind {
	TICKET_REPORT,
	TICKET_REQUEST,
	TICKET_UPDATE,
	TICKET_ACK,
	TICKET_RESULT,
	TICKET_QUERY,
	TICKET_ESCALATE,
	TICKET_CLOSE,
	TICKET_RECALL,
	TICKET_SHARE,
	TICKET_REOPEN,
	TICKET_KINDS
};

/* Also the lanes of the relay: 0 overtakes 3. */
enum ticket_precedence {
	TICKET_FLASH,
	TICKET_IMMEDIATE,
	TICKET_PRIORITY,
	TICKET_ROUTINE,
	TICKET_PRECEDENCES
};

/* From the narrowest to the widest. */
enum ticket_tlp {
	TICKET_RED,
	TICKET_AMBER_STRICT,
	TICKET_AMBER,
	TICKET_GREEN,
	TICKET_CLEAR,
	TICKET_TLPS
};

/* The word of the header, "AMBER+STRICT"; NULL for a value out of range. */
const char *ticket_kind_name(enum ticket_kind kind);
const char *ticket_precedence_name(enum ticket_precedence precedence);
const char *ticket_tlp_name(enum ticket_tlp tlp);

/* False, and *out untouched, if there is no such word. Case matters. */
MUST_USE bool ticket_kind_from(enum ticket_kind *out, struct span word);
MUST_USE bool ticket_precedence_from(
    enum ticket_precedence *out, struct span word);
MUST_USE bool ticket_tlp_from(enum ticket_tlp *out, struct span word);

/*
 * What a device may say: an officer everything, a bot everything but share,
 * close, reopen and recall, a reader nothing.
 */
bool ticket_role_may(enum keys_role role, enum ticket_kind kind);

/* The same of a device, with what its announcement lets it do besides. */
bool ticket_device_may(const struct keys_device *d, enum ticket_kind kind);

struct ticket_to {
	struct span member; /* mycert@my */
	struct span epoch;  /* 2026-11: which of its keys */
};

struct ticket_part {
	uint64_t size; /* of the age file, not of what is in it */
	uint8_t hash[32];
};

/*
 * The header as values. A reader gets it from ticket_parse(). A sender fills
 * in one of its own, a draft: everything but text, inner, id and body_*.
 */
struct ticket {
	char federation[FEDERATION_MAX + 1];
	uint64_t roster_serial;
	uint8_t roster_id[ID_LEN];
	struct span from;   /* the member, mycert@my */
	struct span device; /* desk1 */
	uint64_t seq;	    /* 1 for the first that this key signs */
	bool has_prev;	    /* false exactly if seq is 1 */
	uint8_t prev[ID_LEN];
	int64_t time;
	enum ticket_kind kind;
	enum ticket_precedence precedence;
	enum ticket_tlp tlp;
	struct span exercise; /* its name; empty: live */
	size_t nlabel;
	struct span label[TICKET_LABELS_MAX];
	bool has_thread; /* false: this message begins one */
	uint8_t thread[ID_LEN];
	int64_t ackby; /* 0: no answer is expected */
	size_t nref;
	uint8_t ref[TICKET_REFS_MAX][ID_LEN];
	size_t nto;
	struct ticket_to to[TICKET_TO_MAX]; /* in the order of the stanzas */
	size_t npart;
	struct ticket_part part[TICKET_PARTS_MAX];
	uint64_t body_size;
	uint8_t body_hash[32];

	struct span text;  /* the signed text; its SHA-256 is the id */
	struct span inner; /* the text without its body line */
	uint8_t id[ID_LEN];
};

/*
 * Parses a note of exactly one signature line. *note and *out alias `bytes`.
 * Judges sizes and grammar only; nothing is verified yet. malformed,
 * unsupported (a later version of the format) or too-large; *out is of no use
 * then.
 */
MUST_USE enum tocsin_err ticket_parse(
    struct ticket *out, struct note *note, struct span bytes);

/* The text that is signed. The counts must be within their limits. */
void ticket_print(struct buf *b, const struct ticket *t);

/* Puts the lists of a draft into the one order that the format allows. */
void ticket_sort(struct ticket *t);

/* The place of a member in the `to` lines, or -1. */
int ticket_to_find(const struct ticket *t, struct span member);

/*
 * What stands behind a header: whom we believe, and when. The roster is our
 * current one, from_keys the announcement by which we judge the sender's
 * device, or NULL if we have none: a broker takes the newest, if it stands
 * (keys_stand()), a reader the newest one that lists the device.
 *
 * A broker accepts what is sent now. A reader (`reading`) judges what was sent
 * then: for it an expired roster still opens, and the announcement must have
 * been in force at the ticket's time. `logged` is when a log that the reader
 * believes took the ticket in, 0 if it can't say: a key that was revoked
 * afterwards does not undo the ticket.
 */
struct ticket_trust {
	const struct roster *roster;
	bool (*in_chain)(void *arg, uint64_t serial, const uint8_t id[ID_LEN]);
	void *arg;
	const struct keys *from_keys;
	int64_t now;
	bool reading;
	int64_t logged;
};

/*
 * Everything that can be checked without opening, in this order:
 *
 *	roster-unknown	  another federation, or a roster not in our chain
 *	roster-expired	  ours has; not for readers
 *	not-enrolled	  no such member, or no such device of it
 *	suspended	  the member is
 *	keys-expired	  no announcement of the member, or one out of its time
 *	revoked		  the device's key is, or the root key behind it
 *	kind-not-allowed  the device's role may not say that
 *	bad-signature	  not by that device's key
 *	exercise-mismatch the device is of another exercise, or live
 *	not-recipient	  the sender's own member is not in `to`
 *	clock-skew	  from the future; last, so that a caller may keep a
 *			  ticket that is good but for this, and ask again later
 */
MUST_USE enum tocsin_err ticket_check(const struct ticket *t,
    const struct note *note, const struct ticket_trust *trust);

/*
 * The body as a broker sees it: size and hash (body-mismatch), and exactly one
 * X25519 stanza for each `to` line (recipient-mismatch, malformed).
 */
MUST_USE enum tocsin_err ticket_check_body(
    const struct ticket *t, struct span body);

/* Where a message stands to the last one that we have of the same key. */
enum ticket_link {
	TICKET_NEXT,	/* follows it */
	TICKET_GAP,	/* later; what lies between is not here (yet) */
	TICKET_LATE,	/* earlier; compare with what we have at that seq */
	TICKET_CONFLICT /* two messages for one place: keep both, alarm */
};

/*
 * last_seq 0: we have none. Ask for duplicates first: the last message itself
 * is a duplicate, not a conflict. A gap is evidence at the sender's own broker,
 * which sees all that the device sends; elsewhere it is normal, because a
 * recipient sees its share only.
 */
enum ticket_link ticket_chain(
    const struct ticket *t, uint64_t last_seq, const uint8_t last_id[ID_LEN]);

/*
 * Seals and signs a draft: adds the note to note_out and the body file to
 * body_out. recipient_pk are X25519 keys in the order of draft->to.
 * parts_age is empty exactly if the draft has no parts. Verifies what it made.
 * usage: the draft is not one that ticket_parse() would take.
 */
MUST_USE enum tocsin_err ticket_seal(struct buf *note_out, struct buf *body_out,
    const struct ticket *draft, const uint8_t (*recipient_pk)[32],
    struct span ticket_json, struct span parts_age, const uint8_t sign_sk[64]);

/* A key that we hold: the X25519 secret of one epoch of our member. */
struct ticket_key {
	struct span epoch;
	const uint8_t *sk; /* 32 bytes */
};

/* What was inside. It owns `plain`, which the spans alias. */
struct ticket_contents {
	struct buf plain;
	struct span json;      /* not empty; not yet known to be JSON */
	struct span parts_age; /* the one-time identity as text, or empty */
	uint8_t parts_sk[32];  /* the same as a key; zeros without parts */
};

/*
 * Opens the body for `member` and hands out its contents only if all is well:
 *
 *	not-recipient	    no `to` line for us, or its epoch's key not held
 *	body-mismatch	    not the body that was signed: fetch it again
 *	recipient-mismatch  not sealed to exactly the `to` lines, in their order
 *	malformed	    not an age file, damaged before it was signed, or
 *			    not exactly our files inside
 *	header-mismatch	    sealed for another header than this one
 *
 * Does not repeat ticket_check(), which comes first. The caller releases *out,
 * also after a failure.
 */
MUST_USE enum tocsin_err ticket_open(struct ticket_contents *out,
    const struct ticket *t, struct span body, const struct ticket_key *keys,
    size_t nkeys, struct span member);

/*
 * The key of this one body, for a third party who is to read it and nothing
 * else (age.h), and opening with such a key. The reasons are those of
 * ticket_open(); who opens must have made ticket_check().
 */
#define TICKET_BODY_KEY 16
MUST_USE enum tocsin_err ticket_body_key(uint8_t out[TICKET_BODY_KEY],
    const struct ticket *t, struct span body, const struct ticket_key *keys,
    size_t nkeys, struct span member);
MUST_USE enum tocsin_err ticket_open_disclosed(struct ticket_contents *out,
    const struct ticket *t, struct span body,
    const uint8_t key[TICKET_BODY_KEY]);

/* The last step of ticket_open(), for plaintext that is already here. */
MUST_USE enum tocsin_err ticket_unpack(
    struct ticket_contents *out, const struct ticket *t, struct span plain);

void ticket_contents_release(struct ticket_contents *c); /* wipes */

#endif
