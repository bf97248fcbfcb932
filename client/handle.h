/* SPDX-License-Identifier: ISC */
/*
 * handle.h - what a struct tocsin is, for the files that implement tocsin.h
 *
 *	tocsin.c   open, close, sync, the last error
 *	compose.c  drafts to sealed messages (compose_impl.h)
 *	read.c     sealed messages to what a caller sees
 *	reader.c   how far each reader has come
 *	status.c   who has it
 *	recall.c   what was taken back
 *	permit.c   what labels let us do, and their authors' word for more
 *	save.c     attachments
 *	export.c   a message as files
 *	glance.c   what a list shows of each thread, remembered
 *
 * The belief is used with its lock held, and never while waiting. Who needs
 * both takes that lock first and begins the desk's change then, or two threads
 * wait for each other for ever.
 */
#ifndef TOCSIN_CLIENT_HANDLE_H
#define TOCSIN_CLIENT_HANDLE_H

#include "client/due.h"
#include "client/incident.h"
#include "client/ladder.h"
#include "client/sync.h"
#include "client/tocsin.h"

struct tocsin {
	struct sync_parts parts;
	struct sync *sync; /* NULL until there is a roster */
	struct belief belief;
	pthread_mutex_t lock;
	struct due_table clocks; /* does not change while it is open */
	char clocks_wrong[800];	 /* what is wrong with their file; or "" */

	/* Who loads a list is told, in its own thread, of messages that have to
	   be opened for it: so many of so many. Or NULL. */
	void (*opening)(void *arg, size_t done, size_t of);
	void *opening_arg;
};

/* Tell them. */
static inline void
tell_opening(const struct tocsin *t, size_t done, size_t of)
{
	if (t->opening != NULL)
		t->opening(t->opening_arg, done, of);
}

/* Remember a sentence for tocsin_error() and give back its reason. */
enum tocsin_err fail(enum tocsin_err err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A snapshot of the desk, or a sentence. */
enum tocsin_err MUST_USE begin_read(struct tocsin *t, struct desk_tx **tx);

/* An id in full, from what was typed: of a message, thread or one to come. */
enum tocsin_err MUST_USE find_id(
    struct desk_tx *tx, const char *typed, uint8_t id[ID_LEN]);

/*
 * The message that a person or program named, by a short id or a full one; for
 * the id of a thread whose first message never came here, the oldest that did.
 */
enum tocsin_err MUST_USE find_message(
    struct tocsin *t, struct desk_tx *tx, const char *typed, uint64_t *number);

/* A message opened: the header, what was inside, and the rows behind it. */
struct opened {
	struct desk_message row;
	struct buf note; /* the row's bytes, which outlive the transaction */
	struct buf body;
	struct ticket ticket;
	struct note parsed;
	struct ticket_contents contents;
};

/*
 * Copy message `number` out of the desk and open it. `contents` is empty if
 * row.refused says why it is not to be opened; nothing but the number is known
 * of what is damaged. The caller releases.
 */
enum tocsin_err MUST_USE open_message(
    struct tocsin *t, struct desk_tx *tx, uint64_t number, struct opened *out);
void opened_release(struct opened *o);

/*
 * May a bot that its announcement lets do `may` give this answer? If not, *word
 * is what would have to be among it.
 */
bool answer_allowed(unsigned may, const char *answer, enum keys_word *word);

/* What a bot that wrote the ack of this id may: a value of two bytes. */
#define BOT_VALUE "bot/"
#define BOT_NAME (sizeof(BOT_VALUE) + 2 * ID_LEN)
void bot_value(char out[BOT_NAME], const uint8_t id[ID_LEN]);

/* The key that opens the body of this one message, to be shown to others. */
enum tocsin_err MUST_USE body_key_of(
    struct tocsin *t, const struct opened *o, uint8_t key[TICKET_BODY_KEY]);

/* Desk value: when the part of that hash was saved last. */
const char *saved_name(char out[72], const uint8_t hash[32]);

/* The same, as a caller sees it. */
enum tocsin_err MUST_USE message_of(struct tocsin *t, struct desk_tx *tx,
    uint64_t number, struct tocsin_message **out);

/* What this home has of a part, of which `sealed` is known. */
void part_of(struct tocsin *t, struct desk_tx *tx, const uint8_t hash[32],
    struct tocsin_part *p);

/* tocsin_coming() within a snapshot: of each ticket that is not here, one. */
enum tocsin_err MUST_USE list_tickets_coming(
    struct tocsin *t, struct desk_tx *tx, struct tocsin_list *l);

/* tocsin_status_of() within a snapshot; `given` may be NULL. */
enum tocsin_err MUST_USE status_fold(struct tocsin *t, struct desk_tx *tx,
    const uint8_t thread[ID_LEN], const struct tocsin_message *given,
    int64_t now, struct tocsin_status **out);
/* The same of what was known by then (status_known()). */
enum tocsin_err MUST_USE status_fold_until(struct tocsin *t, struct desk_tx *tx,
    const uint8_t thread[ID_LEN], const struct tocsin_message *given,
    int64_t until, struct tocsin_status **out);
/* When a message could be known to our team: its broker had it. */
int64_t status_known(const struct desk_message *row);

/* The i-th message that a status counts; it dies with the status. */
struct behind {
	const struct tocsin_message *m;
	const struct incident *in; /* empty if it has no content */
	const struct ladder_message *ladder;
	int epoch;   /* of our keystore; -1: sealed for none of them */
	uint64_t at; /* in our broker's log; 0: not there yet */
	const char *const *labels; /* NULL-terminated; or NULL */
};
bool status_behind(const struct tocsin_status *s, size_t i, struct behind *out);

/*
 * To whom a draft would go now, ours included, and under which label; nothing
 * is written. Fails as tocsin_post() would.
 */
struct draft_look {
	const char *tlp;
	size_t n;
	char to[TICKET_TO_MAX][MEMBER_MAX + 1]; /* ascending */
};
enum tocsin_err MUST_USE draft_look(
    struct tocsin *t, const struct tocsin_draft *draft, struct draft_look *out);

/* A string that lives as long as the message; NULL: no memory. */
const char *message_keep(struct tocsin_message *m, struct span s);

/* The part of that hash, fetched, as the sealed file `to`. */
enum tocsin_err MUST_USE save_sealed(struct tocsin *t, const struct opened *o,
    const uint8_t hash[32], const char *to);

/* tocsin_err_text(), but for what fetching a part makes of a reason. */
const char *save_text(enum tocsin_err err);

/*
 * Tell who has recalled messages that this desk has erased them. What cannot be
 * told now, is told another time.
 */
void confirm_recalls(struct tocsin *t);

#endif
