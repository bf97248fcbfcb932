/* SPDX-License-Identifier: ISC */
/*
 * msg.h - what is asked over a link, and what is answered
 *
 * A request is one byte of operation and its fields; a reply is a reason code
 * and, if that is ok, the operation's fields (PROTOCOL.md 5). Both travel
 * inside a link's frames, so they are authentic but not harmless: a member may
 * be hostile. Each message has an encoder and a decoder; decoded spans alias
 * the bytes they were read from.
 *
 * Who may send what, and what it does, is the broker's dispatch table.
 */
#ifndef TOCSIN_CRYPTO_MSG_H
#define TOCSIN_CRYPTO_MSG_H

#include "crypto/buf.h"
#include "crypto/text.h"
#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#define MSG_MAX 61440	       /* a request or reply, before sealing */
#define MSG_ENVELOPE_MAX 57344 /* note + body that travel in one message */
#define MSG_RANGE_MAX 57328    /* bytes of a part in one message */
#define MSG_POSTS_MAX 128      /* envelopes in one post */
#define MSG_ENTRIES_MAX 256    /* entries in one fetch reply */
#define MSG_WAIT_MAX 25000     /* ms that a fetch or relay.wait may park */
#define MSG_DETAIL_MAX 200     /* bytes of the sentence in a refusal */
#define MSG_AFTER_CONTINUE UINT64_MAX
#define MSG_LANES 5

enum msg_op {
	MSG_POST = 1,
	MSG_FETCH = 2,
	MSG_PUT = 3,
	MSG_GET = 4,
	MSG_ANNOUNCE = 5,
	MSG_ROSTER = 6,
	MSG_PROOF = 7,
	MSG_CHECKPOINT = 8,
	MSG_HELLO = 9,
	MSG_URGENT = 10,
	MSG_RELAY_OPEN = 16,
	MSG_RELAY_WAIT = 17,
	MSG_RELAY_KEYS = 18,
	MSG_ENTRY_GET = 19, /* as MSG_GET */
	MSG_ENTRY_LIST = 20,
	MSG_RELAY_HAVE = 21, /* ids; answered by a bit for each that lacks */
	MSG_RELAY_PULL = 22,
};

/* The operation of a request, 0 if there is none; *body is what follows. */
uint8_t msg_op(struct span request, struct span *body);

/* Replies: a refusal, or the head of an answer to which fields are added. */
void msg_refuse(struct buf *out, enum tocsin_err code, uint32_t retry_ms,
    const char *detail);
void msg_accept(struct buf *out);

struct msg_reply {
	enum tocsin_err code;
	uint32_t retry_ms; /* 0: no hint */
	struct span rest;  /* the answer's fields, or the refusal's sentence */
};
enum tocsin_err MUST_USE msg_reply_decode(
    struct msg_reply *out, struct span reply);

/* post: several envelopes, answered one by one in the same order. */
struct msg_envelope {
	struct span note;
	struct span body; /* empty: it was put as a part before */
};
struct msg_post {
	size_t n;
	struct msg_envelope env[MSG_POSTS_MAX];
};
struct msg_posted {
	size_t n;
	struct {
		enum tocsin_err code;
		uint64_t seq;
	} item[MSG_POSTS_MAX];
};
void msg_post_encode(struct buf *out, const struct msg_envelope *env, size_t n);
enum tocsin_err MUST_USE msg_post_decode(
    struct msg_post *out, struct span body);
void msg_posted_encode(struct buf *out, const struct msg_posted *m);
enum tocsin_err MUST_USE msg_posted_decode(
    struct msg_posted *out, struct span rest);

/*
 * fetch: `acked` says up to which seq everything is safe at the device;
 * `after` where to begin, or MSG_AFTER_CONTINUE: after what this link was
 * sent already. An empty answer means the wait ended. Answers to several
 * fetches may overtake one another; `from` in the answer chains them: a reader
 * uses one only when it has come as far as its `from`.
 */
struct msg_fetch {
	uint64_t acked;
	uint64_t after;
	uint32_t wait_ms;
	uint32_t max_bytes;
};
void msg_fetch_encode(struct buf *out, const struct msg_fetch *m);
enum tocsin_err MUST_USE msg_fetch_decode(
    struct msg_fetch *out, struct span body);

/* An entry of a fetch; kind is enum store_kind's value. */
struct msg_entry {
	uint64_t seq;
	int64_t time;  /* when the broker took it */
	uint8_t kind;  /* 1 ticket, 2 roster, 3 keys, 4 receipt */
	bool detached; /* body, or the note of a roster: ask for it apart */
	struct span note;
	struct span body;
};
#define MSG_ENTRY_HEAD 26 /* bytes of an entry beside note and body */
struct msg_entries {
	bool more;     /* ask again at once */
	uint64_t from; /* these are all there are for us beyond this seq */
	size_t n;
	struct msg_entry entry[MSG_ENTRIES_MAX];
};
/* Written piecewise: head, then each entry, then nothing. */
size_t msg_entries_begin(struct buf *out, uint64_t from);
void msg_entries_add(struct buf *out, const struct msg_entry *e);
void msg_entries_end(struct buf *out, size_t mark, bool more, size_t n);
enum tocsin_err MUST_USE msg_entries_decode(
    struct msg_entries *out, struct span rest);

/*
 * urgent: what beyond `after` should not wait for its turn; as a fetch, but for
 * entries in between that are left out. `to` is how far the broker looked.
 */
struct msg_urgent {
	uint64_t after;
	uint32_t max_bytes;
};
void msg_urgent_encode(struct buf *out, const struct msg_urgent *m);
enum tocsin_err MUST_USE msg_urgent_decode(
    struct msg_urgent *out, struct span body);
/* The answer is written as that of a fetch, and then u64 to. */
enum tocsin_err MUST_USE msg_urgents_decode(
    struct msg_entries *out, uint64_t *to, struct span rest);

/* put: bytes of a part at `offset`; none to ask how much is there. */
struct msg_put {
	uint8_t hash[32];
	uint64_t total;
	uint64_t offset;
	struct span bytes;
};
struct msg_have {
	uint64_t have;
	bool complete;
};
void msg_put_encode(struct buf *out, const struct msg_put *m);
enum tocsin_err MUST_USE msg_put_decode(struct msg_put *out, struct span body);
void msg_have_encode(struct buf *out, const struct msg_have *m);
enum tocsin_err MUST_USE msg_have_decode(
    struct msg_have *out, struct span rest);

/* get: a range of a part, or of the detached body, of the ticket `id`. */
struct msg_get {
	uint8_t id[32];
	uint8_t hash[32];
	uint64_t offset;
	uint32_t max;
};
struct msg_range {
	uint64_t total;
	uint64_t have; /* how much of it the broker has */
	struct span bytes;
};
void msg_get_encode(struct buf *out, const struct msg_get *m);
enum tocsin_err MUST_USE msg_get_decode(struct msg_get *out, struct span body);
void msg_range_encode(struct buf *out, const struct msg_range *m);
enum tocsin_err MUST_USE msg_range_decode(
    struct msg_range *out, struct span rest);

/* entry.list: where to go on, 0: that was all, and ids of 32 bytes. */
#define MSG_IDS_MAX 1024
void msg_ids_encode(struct buf *out, uint64_t next, struct span ids);
enum tocsin_err MUST_USE msg_ids_decode(
    uint64_t *next, struct span *ids, struct span rest);

/* roster: bytes of the note of roster `serial`; 0 asks for the current one. */
struct msg_roster {
	uint64_t serial;
	uint32_t offset;
};
struct msg_roster_range {
	uint64_t current; /* the newest serial */
	uint64_t serial;  /* of these bytes */
	uint32_t total;
	struct span bytes;
};
void msg_roster_encode(struct buf *out, const struct msg_roster *m);
enum tocsin_err MUST_USE msg_roster_decode(
    struct msg_roster *out, struct span body);
void msg_roster_range_encode(struct buf *out, const struct msg_roster_range *m);
enum tocsin_err MUST_USE msg_roster_range_decode(
    struct msg_roster_range *out, struct span rest);

/* proof(id) and checkpoint(old size): hashes and a signed checkpoint. */
struct msg_proof {
	uint64_t index; /* of the leaf; of a checkpoint answer: the old size */
	struct span hashes; /* n * 32 bytes, n <= 64 */
	struct span checkpoint;
};
void msg_proof_encode(struct buf *out, const struct msg_proof *m);
enum tocsin_err MUST_USE msg_proof_decode(
    struct msg_proof *out, struct span rest);

/* hello: what each side is and accepts. */
struct msg_hello {
	uint32_t version; /* of tocsin: major << 16 | minor << 8 | patch */
	int64_t time;	  /* the broker's clock */
	uint64_t part_max;
	uint64_t roster; /* the broker's current serial */
};
void msg_hello_encode(struct buf *out, const struct msg_hello *m);
enum tocsin_err MUST_USE msg_hello_decode(
    struct msg_hello *out, struct span rest);

/*
 * How far a peer has come, per lane: the last item that is whole and safe, and
 * how many bytes of the one after it are.
 */
struct msg_cursors {
	uint64_t item[MSG_LANES];
	uint64_t offset[MSG_LANES];
};

/* relay.open has no fields; its answer makes a new link of frames. */
/*
 * What a broker does not take from its peers, beside what nobody does: who
 * sends does not ship it. A set of kinds is a bit for each, 1 << enum
 * ticket_kind.
 */
#define MSG_LABELS 16
struct msg_accept {
	uint64_t part; /* the largest, in bytes */
	uint32_t body; /* of a ticket */
	uint16_t kinds_refused;
	uint8_t nlabel;
	char label[MSG_LABELS][TOKEN_MAX + 1]; /* refused */
};

struct msg_relay {
	uint8_t link[16];
	uint8_t key[32];
	uint32_t window;       /* bytes that may be on the way unacknowledged */
	uint8_t waits;	       /* relay.waits that may be parked at once */
	struct msg_cursors at; /* what is safe */
	uint8_t tally[MSG_LANES][16]; /* of its items */
	struct msg_cursors from;      /* what is in hand: send from there */
	struct msg_accept accept;
};
void msg_relay_encode(struct buf *out, const struct msg_relay *m);
enum tocsin_err MUST_USE msg_relay_decode(
    struct msg_relay *out, struct span rest);

/*
 * relay.wait: parked until the receiver has come further than it has told on
 * this link: by an item or that many bytes, or for a moment by anything.
 */
struct msg_relay_wait {
	uint8_t link[16];
	uint32_t wait_ms;
	uint32_t bytes;
};

/*
 * A set of lanes is a bit for each, 1 << lane. `at` is where those have come
 * that moved. In those of `missing` something was lost: the sender goes back to
 * `from`, unless it did since the round in which that was seen. `full`: there
 * is no room for tickets.
 */
struct msg_relay_at {
	uint8_t moved;
	uint8_t missing;
	bool full; /* bit 7 of `missing` on the wire */
	struct msg_cursors at;
	uint8_t tally[MSG_LANES][16];
	uint32_t round[MSG_LANES];
	struct msg_cursors from;
};
void msg_relay_wait_encode(struct buf *out, const struct msg_relay_wait *m);
enum tocsin_err MUST_USE msg_relay_wait_decode(
    struct msg_relay_wait *out, struct span body);
void msg_relay_at_encode(struct buf *out, const struct msg_relay_at *m);
enum tocsin_err MUST_USE msg_relay_at_decode(
    struct msg_relay_at *out, struct span rest);

/* relay.keys: a member's announcement, unless it is the one with this id. */
struct msg_relay_keys {
	uint8_t id[32]; /* zeros: we have none */
	struct span member;
};
void msg_relay_keys_encode(struct buf *out, const struct msg_relay_keys *m);
enum tocsin_err MUST_USE msg_relay_keys_decode(
    struct msg_relay_keys *out, struct span body);

/*
 * relay.pull: a broker that cannot be dialled fetches what is for it. A parcel
 * is a frame of a relay link, or a request, or the answer to one: what would
 * have gone over connections that the other side dials. The answer is u8 how
 * many pulls may be parked, and parcels; answers are numbered, because they
 * overtake one another and parcels must not.
 */
#define MSG_PULL_MIN 20480 /* bytes: any parcel fits */
#define MSG_PARCEL_HEAD 12
struct msg_pull {
	uint32_t wait_ms;
	uint32_t bytes;	     /* of parcels in the answer, at most */
	bool fresh;	     /* the first over a new link */
	struct span parcels; /* answers to requests that came before */
};
struct msg_pulled {
	uint8_t pulls;
	uint32_t number; /* among those with parcels, from 1; 0: it has none */
	struct span parcels;
};
struct msg_parcel {
	uint64_t call; /* 0: a frame of a relay link */
	struct span bytes;
};
void msg_pull_encode(struct buf *out, const struct msg_pull *m);
enum tocsin_err MUST_USE msg_pull_decode(
    struct msg_pull *out, struct span body);
void msg_pulled_encode(struct buf *out, const struct msg_pulled *m);
enum tocsin_err MUST_USE msg_pulled_decode(
    struct msg_pulled *out, struct span rest);
void msg_parcel_encode(struct buf *out, const struct msg_parcel *m);
/* The next of those that were decoded; false: there is none. */
bool msg_parcel_take(struct msg_parcel *out, struct span *parcels);

#endif
