/* SPDX-License-Identifier: ISC */
/*
 * store_impl.h - what the files of the store share; nobody else includes it
 *
 * The engine is LMDB with its default flags, because those are the ones that
 * kept every acknowledged commit through power cuts. It has no checksums, so
 * every row carries a check of its own: eight bytes over table, key and value
 * for small rows (row_get, row_put), sixteen for records and ranges of parts. A
 * flipped bit then makes a row unreadable, never wrong. They are SipHash and
 * Poly1305 under keys that are no secret: fast enough for a replay, and they
 * need not withstand an attacker, whom the hashes in signed texts are for.
 *
 * An entry is a record in a segment. A commit packs all its entries into one
 * segment: the engine rounds a large value up to whole pages, and one value a
 * commit is rounded once. What hangs over the last whole page goes into the row
 * of the segment's first entry, since rows share pages (ARCHITECTURE.md, The
 * store).
 *
 * The commit of one ticket takes as long as it writes pages, and for each table
 * that it touches these are a path of two or three. So what is written together
 * stands together: the place of a record, the tail and the nodes of the tree
 * that the entry completes are one row, and the segment is the next one.
 */
#ifndef TOCSIN_BROKER_STORE_IMPL_H
#define TOCSIN_BROKER_STORE_IMPL_H

#include "broker/store.h"

#include <lmdb.h>
#include <pthread.h>
#include <sodium.h>

#define SEGMENT_MAX (1024 * 1024) /* a segment that reaches it is closed */
#define RECORD_MAX (4 * 1024 * 1024)
#define CHECK_LEN 8

_Static_assert(sizeof(size_t) == 8, "the engine's format is that of 64 bits");

/* A range of a part: with its check it fills 14 pages of 4 KiB exactly. */
#define CHUNK_MAX (14 * 4096 - 16 - CHECK_LEN)

/* Chunks of dropped parts that one commit takes away; small parts go whole. */
#define SWEEP_MAX 256

enum table {
	T_META,	    /* name -> value: the format */
	T_LOG,	    /* 2 seq -> struct entry_row and what follows it;
		     * 2 seq + 1 -> the segment that begins with the entry */
	T_IDS,	    /* id -> seq */
	T_MAILBOX,  /* member 00 seq -> */
	T_OUTBOX,   /* peer 00 lane n -> struct out_row */
	T_COUNTERS, /* peer 00 lane -> last n; survives trimming */
	T_VALUES,   /* name -> value */
	T_PARTS,    /* hash -> struct part_row */
	T_CHUNKS,   /* part number, index -> bytes and their check */
	T_GARBAGE,  /* part number -> chunks that are left of a dropped part */
	T_AMENDS,   /* seq -> the record, in place of one that is damaged */
	TABLES
};

/*
 * Where a record is, and its check. The record names its own seq. In the table
 * follow the nodes that the entry completes, one for each level (entry_fixed(),
 * merkle.h), a check of all that, and the tail of the segment that begins with
 * this entry, if one does.
 */
struct entry_row {
	uint64_t segment;
	uint32_t offset;
	uint32_t len;
	uint8_t check[CHECK_LEN];
};

/* A record that fell across segment and tail, joined for a snapshot. */
struct joined {
	struct joined *next;
	uint8_t bytes[];
};

struct store_rx {
	struct store *s;
	struct store_tx *tx; /* the writer's own view, else NULL */
	MDB_txn *txn;
	struct joined *joined;
	uint64_t head;
	uint64_t all_after;    /* everybody's next entry after this is ... */
	uint64_t all_seq;      /* ... this; 0: not known, UINT64_MAX: none */
	struct store_rx *next; /* in the pool */
};

struct store_tx {
	struct store_rx view;
	enum tocsin_err failed; /* sticky: it can only be aborted */
	bool live;

	uint64_t head;	/* with what is pending */
	uint64_t first; /* seq of the pending segment's first record */
	struct buf segment;
	struct buf rows; /* struct entry_row per pending record */

	uint64_t nodes_base; /* nodes of the tree before this transaction */
	struct buf nodes;    /* those that are not, 32 bytes each */

	uint64_t pages;	   /* about how many this transaction takes */
	uint64_t room;	   /* how many were free inside, if counted */
	bool room_counted; /* once a transaction, and only when near the end */
	uint8_t *chunk;	   /* work space of CHUNK_MAX + CHECK_LEN bytes */
};

struct store {
	MDB_env *env;
	MDB_dbi dbi[TABLES];
	int dir;
	int lock;
	int file;      /* the engine's */
	uintptr_t map; /* where it begins; 0: not known */
	uint64_t page;
	uint64_t limit;	    /* bytes of the map */
	uint64_t file_size; /* runs ahead of what is used; see file_reach() */
	uint64_t solid;	    /* up to here the disk gave it, surely */
	uint64_t written;   /* up to here are blocks, not promises of them */
	bool hollow;	    /* the file system does not allocate */
	bool broken; /* a commit is in doubt: nothing is written any more */

	struct store_tx tx;

	pthread_mutex_t damaged_lock;
	size_t ndamaged;
	uint64_t damaged[STORE_DAMAGED_MAX];
	size_t nparts_damaged;
	uint8_t parts_damaged[STORE_DAMAGED_MAX][32];

	pthread_mutex_t pool_lock;
	struct store_rx *pool; /* snapshots to be renewed */
};

/*
 * Whether this thread is inside the engine, for a handler of signals. Every
 * call that reads or writes pages goes through ENGINE().
 */
extern _Thread_local volatile int store_depth;

static inline int
engine_left(int rc)
{
	store_depth--;
	return rc;
}

#define ENGINE(call) (store_depth++, engine_left(call))

/*
 * Takes what the engine gives out. A damaged page may say that a value lies
 * beyond the file, where touching it would kill the process: false then.
 */
bool value_take(const struct store_rx *rx, const MDB_val *v, struct span *out);

/* The engine's code as ours; the one place that knows both. */
enum tocsin_err store_from_mdb(const struct store *s, int rc);

/* The transaction can only be aborted from now on; returns err. */
enum tocsin_err tx_refuse(struct store_tx *tx, enum tocsin_err err);

/* Who asks, and so how much of the reserve is left alone: fourths of it. */
enum room {
	ROOM_TICKET = 4,
	ROOM_ANSWER = 3,
	ROOM_CONTROL = 2,
};

/* ENOSPACE if so many pages more would eat what others need. */
enum tocsin_err tx_room(struct store_tx *tx, uint64_t pages, enum room who);

/* The file is at least this long from now on; see store_open.c. */
enum tocsin_err file_reach(struct store *s, uint64_t bytes);

/* True: it is shorter than we made it; the process ends, if it can be told. */
bool file_is_cut(const struct store *s);

/* Whether the disk holds these bytes for the file; allocates if it must. */
bool file_solid(struct store *s, uint64_t bytes);

/* Pages that the engine has used so far, as of the last commit. */
uint64_t pages_in_file(const struct store *s);

/* Rows with a check. get: ENOTFOUND, EBODYMISMATCH; the value aliases. */
struct span key_u64(const uint64_t *key);
enum tocsin_err row_get(const struct store_rx *rx, enum table t,
    struct span key, struct span *value);
enum tocsin_err row_put(
    struct store_tx *tx, enum table t, struct span key, struct span value);
enum tocsin_err row_del(struct store_tx *tx, enum table t, struct span key);

/* Takes the check off a stored value; false if it is not right. */
bool row_open(enum table t, struct span key, struct span *value);

/*
 * The check of a record or range: XXH64, a hash without a secret. It finds what
 * disks and memory do to bytes, not what an attacker does, whom the hashes in
 * signed texts are for. `name` keeps one from another's place.
 */
void bytes_check(uint8_t check[CHECK_LEN], struct span name, struct span bytes);

/* Rows without one: what they point to or hold has its own. */
enum tocsin_err raw_get(const struct store_rx *rx, enum table t,
    struct span key, struct span *value);
enum tocsin_err raw_put(
    struct store_tx *tx, enum table t, struct span key, struct span value);

/* The first row with a key >= `key`, with its check; ENOTFOUND at the end. */
enum tocsin_err row_seek(const struct store_rx *rx, enum table t,
    struct span key, struct span *found, struct span *stored);

/* The check of a row, and how much of an entry's row is before it. */
void row_check(
    uint8_t check[CHECK_LEN], enum table t, struct span key, struct span value);
size_t entry_fixed(uint64_t seq);

/* An entry as bytes, and back; spans alias. */
void record_encode(struct buf *b, uint64_t seq, const struct store_entry *e);
bool record_decode(struct store_entry *out, struct span record);

/* Where a row says that its record is, and the check that it has there. */
enum tocsin_err record_find(
    struct store_rx *rx, const struct entry_row *row, struct span *record);
void record_check(uint8_t check[CHECK_LEN], struct span record);

/* Write the pending records. They are read from the tables afterwards. */
enum tocsin_err tx_seal(struct store_tx *tx);

/* store_amend.c: the record that stands in for a damaged one; NOTFOUND. */
enum tocsin_err amended_get(
    struct store_rx *rx, uint64_t seq, struct store_entry *out);
void damaged_note(struct store *s, uint64_t seq);

/* Keys "name 00 ...", which is why a name holds no NUL. */
#define KEY_MAX (STORE_NAME_MAX + 1 + 1 + 8)
struct key {
	uint8_t p[KEY_MAX];
	size_t n;
};
void key_be64(struct key *k, uint64_t v);
struct span key_span(const struct key *k);

void rx_free(struct store_rx *rx);
void rx_forget_joined(struct store_rx *rx);

#define STORE_DATA "log.mdb"
#define STORE_NEW "log.new" /* until it is whole */

/* Why something failed, as *why; the error to return. */
enum tocsin_err store_fault_errno(const char **why, const char *what);
enum tocsin_err store_fault_mdb(
    struct store *s, const char **why, const char *what, int rc);

/* That the name of a new folder is on disk. */
enum tocsin_err store_sync_parent(const char *dir, const char **why);

/* All but the folder and its lock. */
void store_close_engine(struct store *s);

/* A part's row: where its chunks are and how far its hash has come. */
struct part_row {
	uint64_t no; /* of its chunks; never used again */
	uint64_t total;
	uint64_t have;
	uint64_t first_seq;
	uint64_t last_seq;
	uint32_t complete;
	uint32_t names; /* tickets that are not erased; 0: it is staged */
	crypto_hash_sha256_state sha;
};

enum tocsin_err part_row_get(
    const struct store_rx *rx, const uint8_t hash[32], struct part_row *row);

uint64_t chunks_of(const struct part_row *row);

/* The bytes of a chunk, verified; ENOTFOUND, EBODYMISMATCH. */
enum tocsin_err chunk_get(
    const struct store_rx *rx, uint64_t no, uint64_t index, struct span *bytes);

/* Take away some of what dropped parts have left behind. */
enum tocsin_err parts_sweep(struct store_tx *tx);

#endif
