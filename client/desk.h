/* SPDX-License-Identifier: ISC */
/*
 * desk.h - what one device keeps: messages, outbox, readers' places
 *
 * A small database in the home. A message is an envelope as it was sent or
 * received, never its plaintext; it gets a number in the order of its arrival
 * here, and that number is what readers count by. Everything else is an index
 * or a place: the outbox, what must still be uploaded, who is known to have a
 * ticket, how far each reader has come, what we believe of the roster and of
 * others' keys; and what was folded, sealed, which can be folded again.
 *
 * Several processes and threads may use a home. A change is a transaction: all
 * of it is synced, or nothing is there. A reading transaction is a snapshot;
 * its spans die with it, and it must not be held while waiting. Records carry a
 * hash: a damaged one is TOCSIN_EBODYMISMATCH and never handed out.
 */
#ifndef TOCSIN_CLIENT_DESK_H
#define TOCSIN_CLIENT_DESK_H

#include "crypto/shortid.h"
#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

struct desk;
struct desk_tx;

/*
 * Makes the folder's database if there is none. LMDB may open a file once in a
 * process, so who opens a folder again gets the same desk; each one closes.
 */
enum tocsin_err MUST_USE desk_open(struct desk **out, const char *dir);
void desk_close(struct desk *d);

enum tocsin_err MUST_USE desk_read(struct desk *d, struct desk_tx **tx);
enum tocsin_err MUST_USE desk_write(struct desk *d, struct desk_tx **tx);
enum tocsin_err MUST_USE desk_commit(struct desk_tx *tx); /* frees tx */
void desk_end(struct desk_tx *tx); /* snapshot or unwanted change; NULL is ok */

/*
 * Wait until somebody's change after `seen` is there, or for timeout_ms;
 * desk_changes() before reading tells what to wait beyond. Sees the changes of
 * other processes within a tenth of a second.
 */
uint64_t desk_changes(struct desk *d);
void desk_wait(struct desk *d, uint64_t seen, int timeout_ms);
void desk_wake(struct desk *d); /* those who wait look again */

/*
 * What was read of the file counts as this process's memory until the kernel
 * wants it for others. Who goes over all of it gives it back now and then; what
 * is read again is mapped again, and a snapshot is still good.
 */
void desk_trim(struct desk *d);

/* ---- messages ---- */

struct desk_message {
	uint64_t number;	 /* set by desk_put; from 1 */
	uint64_t seq;		 /* at the broker; 0: not there yet */
	int64_t posted;		 /* when the broker took it; 0: not yet */
	int64_t arrived;	 /* when it came to this desk */
	enum tocsin_err refused; /* kept, not to be opened, and why */
	bool own;		 /* written by this device */
	uint8_t id[ID_LEN];
	uint8_t thread[ID_LEN];
	struct span note;
	struct span body; /* empty while it is still to be fetched */
};

/* Keep a message. EDUPLICATE if its id is there; m->number tells where. */
enum tocsin_err MUST_USE desk_put(struct desk_tx *tx, struct desk_message *m);

/* Replace what may change: seq, posted, refused, note, body. */
enum tocsin_err MUST_USE desk_update(
    struct desk_tx *tx, const struct desk_message *m);

/*
 * The same, and the message takes the next number: readers get it again, as
 * what could not be shown them before.
 */
enum tocsin_err MUST_USE desk_again(struct desk_tx *tx, struct desk_message *m);

enum tocsin_err MUST_USE desk_get(
    struct desk_tx *tx, uint64_t number, struct desk_message *out);
enum tocsin_err MUST_USE desk_find(
    struct desk_tx *tx, const uint8_t id[ID_LEN], uint64_t *number);

/* Numbers in ascending order: the first beyond `after`, or NOTFOUND. */
enum tocsin_err MUST_USE desk_next(
    struct desk_tx *tx, uint64_t after, uint64_t *number);
enum tocsin_err MUST_USE desk_thread_next(struct desk_tx *tx,
    const uint8_t thread[ID_LEN], uint64_t after, uint64_t *number);
/* Threads, by their ids: the first beyond `after` (NULL: of all), or NOTFOUND.
 */
enum tocsin_err MUST_USE desk_thread_after(
    struct desk_tx *tx, const uint8_t *after, uint8_t thread[ID_LEN]);
/* The highest; 0: none. */
enum tocsin_err MUST_USE desk_last(struct desk_tx *tx, uint64_t *number);

/*
 * Ids of messages and of threads that a prefix fits, at most max of them; how
 * many there are, or more than max. Who came into a thread late knows its id
 * and not its first message.
 */
enum tocsin_err MUST_USE desk_match(struct desk_tx *tx,
    const struct id_prefix *prefix, uint8_t (*ids)[ID_LEN], size_t max,
    size_t *n);

/* ---- outbox and uploads ---- */

enum tocsin_err MUST_USE desk_outbox_add(struct desk_tx *tx, uint64_t number);
enum tocsin_err MUST_USE desk_outbox_next(
    struct desk_tx *tx, uint64_t after, uint64_t *number);
enum tocsin_err MUST_USE desk_outbox_done(struct desk_tx *tx, uint64_t number);

/* A part that lies sealed in the spool, home/spool/HEX, until it is put. */
enum tocsin_err MUST_USE desk_upload_add(
    struct desk_tx *tx, const uint8_t hash[ID_LEN], uint64_t size);
/* The first beyond `after` (NULL: from the start). */
enum tocsin_err MUST_USE desk_upload_next(struct desk_tx *tx,
    const uint8_t *after, uint8_t hash[ID_LEN], uint64_t *size);
bool desk_upload_has(struct desk_tx *tx, const uint8_t hash[ID_LEN]);
enum tocsin_err MUST_USE desk_upload_done(
    struct desk_tx *tx, const uint8_t hash[ID_LEN]);

/* ---- receipts ---- */

/* What a broker said of one recipient of one message; the first of a kind. */
struct desk_place {
	uint8_t kind; /* enum receipt_kind */
	int64_t time;
	struct span who; /* device, or nation for what a broker did; behind it
			    the hash of a part that was erased alone, or left
			    out */
	struct span by;	 /* broker; for delivered: "broker device" */
	struct span reason;
	struct span receipt; /* its id; the value "receipt/HEX" has it signed */
};

enum tocsin_err MUST_USE desk_place_put(
    struct desk_tx *tx, const uint8_t id[ID_LEN], const struct desk_place *p);
/* The i-th place of a message. */
enum tocsin_err MUST_USE desk_place_get(struct desk_tx *tx,
    const uint8_t id[ID_LEN], size_t i, struct desk_place *out);

/* ---- folds ---- */

/*
 * What a thread amounts to, and its words, so that a list need not open every
 * message anew (glance.h, which seals both). They are forgotten in each change
 * that touches a message of the thread or a receipt for one, so what is here is
 * a fold of what is here. All of it may be dropped at any time.
 *
 * Who folds does so in a snapshot, and keeps the result in a change of its own:
 * EDUPLICATE if the thread has changed, or was folded, since that snapshot.
 */
uint64_t desk_snapshot(const struct desk_tx *tx);
enum tocsin_err MUST_USE desk_fold_put(struct desk_tx *tx,
    const uint8_t thread[ID_LEN], uint64_t snapshot, struct span fold,
    struct span words);
/* Another number after each change of the thread, or fold; 0: none is known. */
uint64_t desk_fold_stamp(struct desk_tx *tx, const uint8_t thread[ID_LEN]);
/* NOTFOUND: forgotten, or never there. */
enum tocsin_err MUST_USE desk_fold_get(
    struct desk_tx *tx, const uint8_t thread[ID_LEN], struct span *out);
enum tocsin_err MUST_USE desk_words_get(
    struct desk_tx *tx, const uint8_t thread[ID_LEN], struct span *out);
enum tocsin_err MUST_USE desk_forget(
    struct desk_tx *tx, const uint8_t thread[ID_LEN]);

/* ---- named values ---- */

#define DESK_SELF "self"	 /* u64 and id: the last message we made */
#define DESK_PART_MAX "part-max" /* u64: what the broker takes */

/* Names up to 128 bytes; a value of any size. An empty value removes. */
enum tocsin_err MUST_USE desk_value_put(
    struct desk_tx *tx, const char *name, struct span value);
enum tocsin_err MUST_USE desk_value_get(
    struct desk_tx *tx, const char *name, struct span *out);
enum tocsin_err MUST_USE desk_u64_put(
    struct desk_tx *tx, const char *name, uint64_t v);
uint64_t desk_u64_get(struct desk_tx *tx, const char *name); /* 0: none */

/*
 * The first value after *name, by bytes, whose name begins with `prefix`; an
 * empty *name asks for the first of all. Both alias the map.
 */
enum tocsin_err MUST_USE desk_value_next(struct desk_tx *tx, const char *prefix,
    struct span *name, struct span *value);

#endif
