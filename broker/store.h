/* SPDX-License-Identifier: ISC */
/*
 * store.h - the log on disk
 *
 * One append-only log of entries. An entry is a signed text, with a body if it
 * is a ticket; its id is the SHA-256 of the text and is unique; its seq counts
 * from 1 without a hole. Everything else is an index into the log and moves in
 * the same transaction: who finds an entry in the mailbox, which peer must
 * still get it, how far a reader or a peer has come, the Merkle tree over the
 * ids. So a crash leaves either all of a commit or nothing of it.
 *
 * One thread writes (struct store_tx); any number read a snapshot (struct
 * store_rx) and never wait for the writer. A snapshot keeps pages alive: end it
 * before waiting for anything. Spans that a snapshot gives out alias the map
 * and die with it.
 *
 * Every record carries a hash that is checked when it is read: a damaged one is
 * TOCSIN_EBODYMISMATCH and never handed out. No space is TOCSIN_ENOSPACE and
 * changes nothing. Anything that makes the next commit doubtful (a failed
 * sync) is TOCSIN_EINTERNAL, and the broker must stop: the log is the truth.
 *
 * What the engine keeps for itself has no checks. When it falls over that, it
 * ends the process: store_on_fatal() says how, and store_inside() tells a
 * handler of signals that this thread was in the engine.
 *
 * This header knows nothing of the engine below it; a second one must fit.
 */
#ifndef TOCSIN_BROKER_STORE_H
#define TOCSIN_BROKER_STORE_H

#include "crypto/buf.h"
#include "crypto/merkle.h"
#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#define STORE_LANES 5
#define STORE_NAME_MAX 160 /* bytes of a mailbox, peer or value name */

enum store_kind {
	STORE_TICKET = 1,
	STORE_ROSTER = 2,
	STORE_KEYS = 3,
	STORE_RECEIPT = 4,
};

struct store_options {
	uint64_t map_size; /* bytes; the file is allocated up to `prealloc` */
	uint64_t prealloc;
	unsigned readers; /* snapshots open at once */
	bool harmed;	  /* for store_repair(): its end may be damaged */
};

struct store;
struct store_tx;
struct store_rx;

/*
 * An entry. Appending reads it; reading fills it with spans into the map. A
 * body that is large is not inline: it is the part with the header's body
 * hash, and `detached` says so.
 */
struct store_entry {
	uint64_t seq; /* 0 when appending */
	enum store_kind kind;
	int64_t time; /* seconds; when this broker took it */
	uint8_t id[32];
	struct span member; /* whose it is: sender, or subject of a receipt */
	struct span via;    /* the peer it came from; empty: posted here */
	struct span note;   /* signed text with its signature lines */
	struct span body;
	bool detached;
	bool erased; /* its content is gone: note and body are empty */
	bool answer; /* appending: may use what is kept for answers */
};

/* What a peer must get: an entry, or a part; all zeros, what is no more. */
struct store_out {
	uint64_t n;   /* per peer and lane, from 1 */
	uint64_t seq; /* 0: a part */
	uint8_t part[32];
	uint64_t ticket; /* seq of one that names the part */
};

struct store_part {
	uint64_t total;
	uint64_t have;	    /* bytes on disk, from the first on */
	bool complete;	    /* have == total and the hash was right */
	uint64_t first_seq; /* entry that named it first; 0: staged, unnamed */
	uint64_t last_seq;  /* and last */
};

/*
 * Open or create the store in `dir` (mode 0700, made if missing). Takes a lock
 * that a second process does not get: TOCSIN_EBUSY. Refuses file systems that
 * cannot be trusted with it, and a file that is shorter than it says. *why, if
 * not NULL, is set to a sentence (static or owned by the store layer) for the
 * operator when it fails.
 */
enum tocsin_err MUST_USE store_open(struct store **out, const char *dir,
    const struct store_options *opt, const char **why);
void store_close(struct store *s);

/*
 * Open the store of a broker that may be running, to read beside it, from
 * another process than the broker's. Takes no lock, writes nothing, and judges
 * less than store_open(): what is damaged is opened too, for store_verify().
 */
enum tocsin_err MUST_USE store_open_beside(
    struct store **out, const char *dir, const char **why);

/*
 * Copy what is committed now into the folder `dir`, which is made, without what
 * is free; synced. Nobody waits for it. Works on a store that was opened beside
 * its owner.
 */
enum tocsin_err MUST_USE store_copy(
    struct store *s, const char *dir, const char **why);

/*
 * The same in place of the store itself. Afterwards it can only be closed,
 * whatever is returned; what is on disk is the old file or the new one.
 */
enum tocsin_err MUST_USE store_compact(struct store *s, const char **why);

/* Forget snapshots of processes that died; about once a minute. */
void store_tidy(struct store *s);

/*
 * Get the file ready for what comes: for the thread that writes, when it has
 * nothing to write. Takes a fraction of a millisecond at most, and usually
 * nothing.
 */
void store_prepare(struct store *s);

/* Writing. One transaction at a time, by one thread. */
enum tocsin_err MUST_USE store_begin(struct store *s, struct store_tx **tx);
enum tocsin_err MUST_USE store_commit(struct store_tx *tx); /* frees tx */
void store_abort(struct store_tx *tx);

/*
 * Append an entry and its leaf. TOCSIN_EDUPLICATE: the id is there already;
 * *seq tells where, and nothing was written.
 *
 * Not all of the room is for tickets. A reserve is left for what has to go on
 * when there is none: first answers, which may use store_reserve() bytes of it,
 * then receipts, rosters, announcements and values, then erasing. ENOSPACE for
 * want of room alone leaves the transaction as it was.
 */
enum tocsin_err MUST_USE store_append(
    struct store_tx *tx, const struct store_entry *e, uint64_t *seq);

/*
 * Put a damaged entry back. TOCSIN_EBODYMISMATCH if the id is not that of the
 * leaf, TOCSIN_EDUPLICATE if the entry is in order. `e->seq` says which.
 */
enum tocsin_err MUST_USE store_mend(
    struct store_tx *tx, const struct store_entry *e);

/*
 * Erase what an entry says: note and body. Its place, id, kind, time, member
 * and leaf stay, and so do the rows that point to it; erased again is OK. The
 * bytes are gone from the log at once, and from the disk when the engine uses
 * their pages again, or with store_compact().
 */
enum tocsin_err MUST_USE store_erase(struct store_tx *tx, uint64_t seq);

/* Put an entry into a member's mailbox; "*" is everybody's. */
enum tocsin_err MUST_USE store_mail(
    struct store_tx *tx, struct span member, uint64_t seq);

/* Queue for a peer; `out->n` is set. Trim forgets all up to n, inclusive. */
enum tocsin_err MUST_USE store_out_add(struct store_tx *tx, struct span peer,
    unsigned lane, struct store_out *out);
enum tocsin_err MUST_USE store_out_trim(
    struct store_tx *tx, struct span peer, unsigned lane, uint64_t n);

/*
 * An empty lane's next number is n + 1, whatever it was: for a peer that counts
 * otherwise than we do. EUSAGE: something is queued.
 */
enum tocsin_err MUST_USE store_out_restart(
    struct store_tx *tx, struct span peer, unsigned lane, uint64_t n);

/* A small named value of at most 256 bytes: cursors, serials, our identity. */
enum tocsin_err MUST_USE store_value_put(
    struct store_tx *tx, struct span name, struct span value);
enum tocsin_err MUST_USE store_value_drop(/* OK if there is none */
    struct store_tx *tx, struct span name);

/*
 * Parts and large bodies: content-addressed, written front to back in ranges of
 * any size. expect makes the row (idempotent; TOCSIN_EMALFORMED if the size
 * differs); write takes bytes at exactly `have` (else TOCSIN_EDUPLICATE, with
 * *have set, nothing written) and checks the hash with the last byte: a wrong
 * one empties the part and is TOCSIN_EBODYMISMATCH.
 */
enum tocsin_err MUST_USE store_part_expect(struct store_tx *tx,
    const uint8_t hash[32], uint64_t total, uint64_t first_seq);
enum tocsin_err MUST_USE store_part_write(struct store_tx *tx,
    const uint8_t hash[32], uint64_t offset, struct span bytes, uint64_t *have);
enum tocsin_err MUST_USE store_part_drop(
    struct store_tx *tx, const uint8_t hash[32]);

/*
 * What one source says of a part and sends of it must not spoil what another
 * does. name is as expect, but as long as the part is not whole its size is
 * what anybody said first, and another is no error. aside is as write, of a
 * part that has a row and is not whole, but the bytes are kept apart until all
 * `total` are here, under `key`, 32 bytes that are no part's hash. Then they
 * are the part, whatever was here of it, and its size is theirs; or, if they
 * don't have its hash, they are dropped: EBODYMISMATCH. store_part_drop(key)
 * takes back those that are not all here.
 */
enum tocsin_err MUST_USE store_part_name(struct store_tx *tx,
    const uint8_t hash[32], uint64_t total, uint64_t first_seq);
enum tocsin_err MUST_USE store_part_aside(struct store_tx *tx,
    const uint8_t key[32], const uint8_t hash[32], uint64_t total,
    uint64_t offset, struct span bytes, uint64_t *have);

/*
 * One entry that named the part is erased; the part is dropped with the last.
 * Once for each entry and part. NOTFOUND: there is none.
 */
enum tocsin_err MUST_USE store_part_unname(
    struct store_tx *tx, const uint8_t hash[32]);

/*
 * Put a damaged range of a part back: one range of STORE_RANGE bytes, or what
 * there is of the last one. Its bytes are believed: the caller has seen that
 * with them the part has the hash that store_part_sum() says. EDUPLICATE: the
 * range is in order. EUSAGE: there is no such range.
 */
#define STORE_RANGE (14 * 4096 - 24) /* what one check is over */
enum tocsin_err MUST_USE store_part_mend(struct store_tx *tx,
    const uint8_t hash[32], uint64_t offset, struct span bytes);

/* A writer sees its own transaction through this snapshot; don't end it. */
struct store_rx *store_tx_view(struct store_tx *tx);

/* Reading. */
enum tocsin_err MUST_USE store_read(struct store *s, struct store_rx **rx);
void store_read_end(struct store_rx *rx);

uint64_t store_head(struct store_rx *rx); /* seq of the newest entry, or 0 */
enum tocsin_err MUST_USE store_get(
    struct store_rx *rx, uint64_t seq, struct store_entry *out);
enum tocsin_err MUST_USE store_find(
    struct store_rx *rx, const uint8_t id[32], uint64_t *seq);

/*
 * Entries that were found damaged since the store was opened, and are still:
 * up to STORE_DAMAGED_MAX of them, in no order. Returns how many.
 */
#define STORE_DAMAGED_MAX 256
size_t store_damaged(struct store *s, uint64_t seqs[STORE_DAMAGED_MAX]);

/* The id of an entry, also of one that is damaged; it is looked for. */
enum tocsin_err MUST_USE store_id(
    struct store_rx *rx, uint64_t seq, uint8_t id[32]);

/* The next entry for `member` or everybody after `after`; NOTFOUND: none. */
enum tocsin_err MUST_USE store_mail_next(
    struct store_rx *rx, struct span member, uint64_t after, uint64_t *seq);

/* True if `seq` is in the member's mailbox (or everybody's). */
bool store_mail_has(struct store_rx *rx, struct span member, uint64_t seq);

/* The next item for a peer with n > after; NOTFOUND: none. */
enum tocsin_err MUST_USE store_out_next(struct store_rx *rx, struct span peer,
    unsigned lane, uint64_t after, struct store_out *out);

/* The highest n that this lane of the peer ever had, trimmed or not; or 0. */
uint64_t store_out_last(struct store_rx *rx, struct span peer, unsigned lane);

enum tocsin_err MUST_USE store_value_get(
    struct store_rx *rx, struct span name, struct span *value);

enum tocsin_err MUST_USE store_part_stat(
    struct store_rx *rx, const uint8_t hash[32], struct store_part *out);
/* Appends up to `max` bytes from `offset` of what is there. */
enum tocsin_err MUST_USE store_part_read(struct store_rx *rx,
    const uint8_t hash[32], uint64_t offset, size_t max, struct buf *out);

/* The SHA-256 of what is there, as it was when it was written. */
enum tocsin_err MUST_USE store_part_sum(
    struct store_rx *rx, const uint8_t hash[32], uint8_t sum[32]);

/*
 * The first part after `after` (NULL: of all) that an entry names and that is
 * not whole; looks at `max` parts at most. NOTFOUND: there is none; EBUSY: not
 * among those, and *hash is where to go on. `hash` may be `after`.
 */
enum tocsin_err MUST_USE store_part_lacking(
    struct store_rx *rx, const uint8_t *after, unsigned max, uint8_t hash[32]);

/*
 * As store_damaged(): parts that an entry names, a range of which readers found
 * damaged. It stays so until it is said to be mended.
 */
size_t store_parts_damaged(
    struct store *s, uint8_t hashes[STORE_DAMAGED_MAX][32]);
void store_part_mended(struct store *s, const uint8_t hash[32]);

/* The next value by name after `after`, empty for the first; NOTFOUND: none. */
enum tocsin_err MUST_USE store_value_next(struct store_rx *rx,
    struct span after, struct span *name, struct span *value);

/* The tree of this snapshot; its size is store_head(). Leaf i is seq i + 1. */
struct merkle_store store_tree(struct store_rx *rx);

/* What is wrong, as a sentence, and what to do about it; seq 0: no entry. */
struct store_finding {
	uint64_t seq;
	const uint8_t *part; /* its hash, or NULL */
	const char *what;
	const char *todo;
	bool fetched; /* a running broker asks its peers for it */
};

/* What was walked, for whoever wants to see that something was. */
struct store_walked {
	uint64_t entries;
	uint64_t rows; /* of all other tables */
	uint64_t parts;
	uint8_t root[MERKLE_HASH];
};

/*
 * Walk everything: each record and range by its check, each index by what it
 * points to, the tree by the ids. Calls back with each finding. OK if there
 * was none. `walked` may be NULL.
 */
enum tocsin_err MUST_USE store_verify(struct store *s,
    void (*finding)(void *arg, const struct store_finding *f), void *arg,
    struct store_walked *walked);

/*
 * The same in steps of about *bytes, beside a writer, each in a snapshot of its
 * own; but for what takes counting all rows or hashing a whole part. What a
 * reader would find damaged is then in store_damaged() and
 * store_parts_damaged(). *bytes is set to how many were gone through.
 * ENOTFOUND: that was the end. Any other error but OK: nothing was done.
 *
 * A place that is all zeros is the beginning. The first n bytes of p may be
 * kept, to go on there another day.
 */
#define STORE_PLACE 256
struct store_place {
	size_t n;
	uint8_t p[STORE_PLACE];
	uint64_t offset; /* in a part */
};
enum tocsin_err MUST_USE store_check(struct store *s, struct store_place *at,
    size_t *bytes, void (*finding)(void *arg, const struct store_finding *f),
    void *arg);

/*
 * Mending what is beside the records, in two steps of a store that nobody else
 * has open. store_repair() leaves out rows that are damaged and puts back what
 * the store knows itself: ids, places and the tree. One damaged row of an
 * outbox empties all of them, with their counters. What rows mean, mailboxes,
 * values and the naming of parts, is the caller's to put back then; after that
 * store_repair_parts() finds their bytes again for parts that lost their row.
 *
 * done() is told what was done. keep() is asked about a value that is damaged:
 * if the name is one that must not be left out nothing is done, EUNSUPPORTED.
 */
struct store_repair {
	void (*done)(void *arg, const struct store_finding *f);
	bool (*keep)(void *arg, struct span name);
	void *arg;
	bool parts;  /* set: rows of parts were left out */
	bool outbox; /* set: the outboxes were emptied */
};
enum tocsin_err MUST_USE store_repair(
    struct store_tx *tx, struct store_repair *how);
enum tocsin_err MUST_USE store_repair_parts(
    struct store_tx *tx, struct store_repair *how);

/* Called with what the engine says before it ends the process; for all stores
 * that are opened afterwards. It must not return. */
void store_on_fatal(void (*fatal)(const char *what));

/* Safe in a handler of signals. */
bool store_inside(void);

/* What answers may use of the reserve, in bytes. */
uint64_t store_reserve(const struct store *s);

/* True if a ticket of `bytes` could be appended. In the writer's thread, with
 * no transaction open. */
bool store_has_room(struct store *s, uint64_t bytes);

/* Name and version of what is below, for --version. */
const char *store_engine(void);

/* Bytes of the file in use and allowed, for logs and status. */
void store_usage(struct store *s, uint64_t *used, uint64_t *limit);

#endif
