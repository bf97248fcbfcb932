/* SPDX-License-Identifier: ISC */
/*
 * tocsin.h - send, read and answer incident tickets from a program
 *
 * A handle is one device of one member: its keys, its roster and its desk, a
 * folder ($TOCSIN_HOME) in which everything that was sent or received is kept.
 * Each call works on the desk; a thread of the handle moves what is in it to
 * and from the broker. So posting succeeds without a network, and what was
 * fetched can be read without one.
 *
 * A ticket is a thread: one message opens it, later ones (acknowledgements,
 * updates, escalations, a close) refer to it. Every message is signed by the
 * device that wrote it and encrypted to the members it names; the library
 * opens a message only after all checks of PROTOCOL.md 7 and 8 have passed.
 *
 * Rules. Strings are UTF-8, from others hostile: not to be sent to a terminal
 * raw. Ids are 44 characters of base64; where an id is asked for, a short id or
 * an unambiguous prefix of one ("7k2m-9xq4-t0af") is taken too. Times are
 * seconds since 1970, 0 for none. A handle may be used by several threads, and
 * a home by several processes. Nothing here prints or exits. What a call
 * returns in a struct belongs to that struct and dies with its _free().
 * libtocsin(3) has an example.
 */
#ifndef TOCSIN_H
#define TOCSIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tocsin;

#define TOCSIN_ID_TEXT 45    /* an id with its NUL */
#define TOCSIN_SHORT_TEXT 15 /* a short id with its NUL */

/*
 * Open a home that `tocsin init` made; NULL takes $TOCSIN_HOME or the default.
 * The passphrase opens the key files if they are locked (EPASSPHRASE); NULL if
 * they are not.
 */
TOCSIN_API enum tocsin_err tocsin_open(struct tocsin **out, const char *home,
    const char *passphrase) TOCSIN_MUST_USE;
/* No call on the handle may be under way, in any thread. NULL is ok. */
TOCSIN_API void tocsin_close(struct tocsin *t);

/* The sentence of this thread's last failed call, with the names it is about.
 */
TOCSIN_API const char *tocsin_error(const struct tocsin *t);

/* "mycert@my/night" */
TOCSIN_API const char *tocsin_device(const struct tocsin *t);

/*
 * Exchange with the broker until the outbox is empty and nothing newer is to
 * fetch, or until the time is over: EUNAVAILABLE or ETIMEOUT; what did not
 * leave, waits. Calls that write return before; this is how to wait for them.
 * Attachments that another process of the home is sending are not waited for,
 * unless they were written through this handle.
 */
TOCSIN_API enum tocsin_err tocsin_sync(struct tocsin *t, int timeout_ms);

/* ---- writing ---- */

struct tocsin_attachment {
	const char *path;
	const char *name;  /* NULL: the path's last component */
	const char *media; /* NULL: application/octet-stream */
};

struct tocsin_draft {
	const char *kind;	/* report request query open a ticket; in one
				   update result escalate share close reopen
				   recall ack, and these three again */
	const char *const *to;	/* members, "mycert@my", and circles, "@asean",
				   which are expanded here; NULL-terminated. In
				   a thread NULL means its participants */
	const char *tlp;	/* RED AMBER+STRICT AMBER GREEN CLEAR; needed.
				   In a thread NULL takes the thread's */
	const char *precedence; /* flash immediate priority routine */
	const char *thread;	/* id of the ticket; NULL opens a new one */
	const char *exercise;	/* NULL, or what the home is of: its name */
	const char *const *labels;
	int64_t ackby; /* an answer is expected by then */

	const char *subject;
	const char *text;
	const char *severity;	    /* "II" or "GB/T 20986:II" */
	const char *importance;	    /* of the system, and its loss: the words */
	const char *loss;	    /* of GB/T 20986, which give the level */
	const char *classification; /* RSIT: "malicious-code:c2-server" */
	const char *outlook;	    /* improving stable worsening */
	const char *pap; /* what may be done: RED AMBER GREEN CLEAR */
	const char *const *sectors; /* of NIS2: "energy"; NULL-terminated */
	int64_t occurred, detected, reported; /* of the incident; or 0 */
	/* Deadlines, for the own member alone: one of the three, and when. */
	const char *clock_start; /* a regime applies, "nis2" */
	const char *clock_stop;	 /* it does not */
	const char *clock_done;	 /* what a clock asks for was done */
	int64_t clock_at;	 /* 0: now, or as the table says */
	const char *json;	 /* an object whose members join ticket.json */
	const struct tocsin_attachment *attachments;
	size_t nattachments;

	const char *answer;	/* of an ack, and needed there: opened accepted
				   deferred refused invalid in-progress
				   received */
	const char *reason;	/* of one that refuses; needed there */
	const char *resolution; /* of a close; NULL: none is given */
	const char *const *clients; /* of a share or escalation: those of `to`
				       that are our clients */
	const char *const *recall;  /* of a recall, whose `thread` is what is
				       taken back: of its attachments only
				       these, NULL-terminated; NULL: all */

	/*
	 * The caller's own key for this message, 1 to 128 bytes of printable
	 * ASCII, or NULL. Posted again under a key that this home knows, in
	 * whatever process, nothing is written, the rest of the draft is not
	 * looked at, and the id is that of the first; *repeated, if not NULL,
	 * says which it was. The key is kept in the change that keeps the
	 * message, for 400 days. EUSAGE if it stands for one of another ticket.
	 */
	const char *once;
	bool *repeated;

	/*
	 * When it is not worth saying any more; 0: never. What has not left
	 * this home by then does not, and is refused as TIMEOUT; nor does what
	 * was posted before the clock was set back by more than ten minutes.
	 */
	int64_t until;
};

/*
 * Seal, sign and put into the outbox; done when it is on this disk. The id is
 * final. Fails without a trace: unknown member ENOTENROLLED, member without
 * keys EKEYSEXPIRED, expired roster EROSTEREXPIRED, wrong word EUSAGE,
 * attachment ETOOLARGE or ENOTFOUND. Who may be killed before it has noted that
 * it posted gives the draft a key, `once`, and posts again.
 */
TOCSIN_API enum tocsin_err tocsin_post(struct tocsin *t,
    const struct tocsin_draft *draft, char id[TOCSIN_ID_TEXT]) TOCSIN_MUST_USE;

enum tocsin_answer {
	TOCSIN_OPENED, /* by a bot's device it says TOCSIN_RECEIVED */
	TOCSIN_ACCEPTED,
	TOCSIN_DEFERRED,
	TOCSIN_REFUSED, /* with a reason word of RID, or one of ours */
	TOCSIN_INVALID,
	TOCSIN_IN_PROGRESS,
	TOCSIN_RECEIVED, /* a program has it, nobody has read it */
};

/* Answer a ticket: the draft of an ack, posted. */
TOCSIN_API enum tocsin_err tocsin_ack(struct tocsin *t, const char *id,
    enum tocsin_answer answer, const char *reason, const char *text,
    char ack[TOCSIN_ID_TEXT]) TOCSIN_MUST_USE;

/* ---- reading ---- */

/* The word of a nation's broker that it took our message without a part. */
struct tocsin_left {
	const char *message; /* whose part it is */
	const char *part;    /* its hash */
	const char *name;    /* of the attachment; "" if that is not known */
	const char *nation;
	const char *by;	    /* its broker */
	const char *reason; /* a reason code, "too-large" */
	const char *receipt;
	int64_t time;
};

struct tocsin_part {
	const char *name; /* "" while the message is to come, as media */
	const char *media;
	uint64_t size;	 /* 0 while the message is to come */
	uint64_t sealed; /* what is fetched: padded and encrypted */
	uint64_t here;	 /* so much of it is; 0 after it was saved */
	int64_t saved;	 /* when tocsin_save() wrote it last; 0: never */
	bool recalled;	 /* its sender has taken it back */
	size_t nleft;	 /* of our own: who has it not, and never will */
	const struct tocsin_left *left;
};

/*
 * One message, opened and verified; or, if `coming`, what the signed header of
 * one says whose body is still to come. Such a one has no number, no subject,
 * text or json, and `refused` is EUNAVAILABLE, or says what is wrong with the
 * header. tocsin_next() never gives it: it comes there once, when it is whole.
 */
struct tocsin_message {
	uint64_t number; /* in this desk's order of arrival, from 1 */
	char id[TOCSIN_ID_TEXT];
	char thread[TOCSIN_ID_TEXT]; /* its own id if it opened one */
	char short_id[TOCSIN_SHORT_TEXT];
	const char *from;      /* device: "singcert@sg/desk1" */
	const char *const *to; /* members, NULL-terminated */
	const char *kind;
	const char *tlp; /* tocsin_thread(), _refresh(): as its author last
			    said */
	const char *precedence;
	const char *exercise;	   /* NULL: live */
	const char *const *labels; /* classes of data; NULL-terminated */
	const char *pap;  /* what may be done, if this one says so; or NULL */
	int64_t time;	  /* the sender's */
	int64_t received; /* 0: not yet at a broker */
	int64_t ackby;
	bool own;		 /* written by this device */
	enum tocsin_err refused; /* not OK: kept, but not opened, and why */

	const char *subject;
	const char *text;
	const char *json; /* ticket.json as it came, unknown members included */
	const struct tocsin_part *parts;
	size_t nparts;

	/* The same two: NULL, or the label that its author lets us use; who
	 * let another member show it to us, signed; that nobody did. */
	const char *allowed;
	const char *permitted_by;
	bool unpermitted;

	bool coming;
	uint64_t body_size, body_here; /* of one that is coming; bytes */
};

TOCSIN_API void tocsin_message_free(struct tocsin_message *m);

/* A message by its id. EAMBIGUOUS: tocsin_error() lists the candidates. */
TOCSIN_API enum tocsin_err tocsin_get(struct tocsin *t, const char *id,
    struct tocsin_message **out) TOCSIN_MUST_USE;

/*
 * The next message after what the reader of this name has committed; waits up
 * to timeout_ms (-1: for ever), ETIMEOUT if there is none. Until it commits, a
 * reader gets the same message again, also after a crash; after that, never.
 * What this device wrote is passed over. Readers of different names, of 1 to 64
 * bytes, don't disturb each other. A new reader starts with the oldest message.
 */
TOCSIN_API enum tocsin_err tocsin_next(struct tocsin *t, const char *reader,
    int timeout_ms, struct tocsin_message **out) TOCSIN_MUST_USE;
TOCSIN_API enum tocsin_err tocsin_commit(
    struct tocsin *t, const char *reader, uint64_t number) TOCSIN_MUST_USE;

/*
 * For who has several under way: the next one beyond `after`, a number that it
 * was given before, whether that is committed or not. A commit is of all up to
 * its number, so of several the lowest is committed first. 0 is tocsin_next().
 */
TOCSIN_API enum tocsin_err tocsin_next_after(struct tocsin *t,
    const char *reader, uint64_t after, int timeout_ms,
    struct tocsin_message **out) TOCSIN_MUST_USE;

/* The number that the reader has committed; 0: none. */
TOCSIN_API enum tocsin_err tocsin_place_of(
    struct tocsin *t, const char *reader, uint64_t *number) TOCSIN_MUST_USE;

/*
 * Handled, and answered: the drafts are posted, `n` of them or none, and the
 * reader moves on, in one change of the desk. Either all of it is on disk or
 * nothing is; so what is answered with this call is answered once, whenever the
 * process is killed. ids[i] is that of drafts[i]; NULL if nobody wants them.
 * EDUPLICATE: the reader is beyond `number` already (another process has its
 * name), and nothing was posted. Fails otherwise as tocsin_post() does. A draft
 * whose key `once` is known is not posted again, and the step is made.
 */
TOCSIN_API enum tocsin_err tocsin_commit_post(struct tocsin *t,
    const char *reader, uint64_t number, const struct tocsin_draft *drafts,
    size_t n, char (*ids)[TOCSIN_ID_TEXT]) TOCSIN_MUST_USE;

/*
 * For who acts outside of tocsin: say so before. *attempt counts how often that
 * was said of this message, this time included; 1 means that nothing was done
 * for it yet, more that it may have been. *left is how often it may still be
 * said, of `most` (0: for ever). *attempt 0: none was left, nothing is noted.
 * EDUPLICATE as above.
 */
TOCSIN_API enum tocsin_err tocsin_begin(struct tocsin *t, const char *reader,
    uint64_t number, unsigned most, unsigned *attempt,
    unsigned *left) TOCSIN_MUST_USE;

/*
 * The reader moves on without having handled the message, which is kept in a
 * list of the reader's with `why`, some words; tocsin_again() makes it the
 * reader's next. An answer or a commit takes it from the list.
 */
TOCSIN_API enum tocsin_err tocsin_set_aside(struct tocsin *t,
    const char *reader, uint64_t number, const char *why) TOCSIN_MUST_USE;
TOCSIN_API enum tocsin_err tocsin_again(
    struct tocsin *t, const char *reader, const char *id) TOCSIN_MUST_USE;

struct tocsin_aside {
	struct tocsin_message *message;
	int64_t since;
	unsigned attempts;
	bool again; /* it is the reader's next, or one of them */
	const char *why;
};
struct tocsin_asides {
	size_t n;
	struct tocsin_aside *aside; /* in order of arrival */
};
TOCSIN_API enum tocsin_err tocsin_asides(struct tocsin *t, const char *reader,
    struct tocsin_asides **out) TOCSIN_MUST_USE;
TOCSIN_API void tocsin_asides_free(struct tocsin_asides *l);

/*
 * The reader goes back, or on, to the first message that came here at `since`
 * or later; tocsin_rewind() goes to the oldest. What comes again is not aside.
 */
TOCSIN_API enum tocsin_err tocsin_seek(
    struct tocsin *t, const char *reader, int64_t since) TOCSIN_MUST_USE;
TOCSIN_API enum tocsin_err tocsin_rewind(
    struct tocsin *t, const char *reader) TOCSIN_MUST_USE;

/*
 * All messages of one thread, its first one first, the others as they came; all
 * tickets, newest last; all messages that are coming, in the order in which
 * they will. Those that are coming stand behind the others, also in the first
 * two lists.
 */
struct tocsin_list {
	size_t n;
	struct tocsin_message **message;
};
TOCSIN_API enum tocsin_err tocsin_thread(
    struct tocsin *t, const char *id, struct tocsin_list **out) TOCSIN_MUST_USE;
TOCSIN_API enum tocsin_err tocsin_tickets(
    struct tocsin *t, struct tocsin_list **out) TOCSIN_MUST_USE;
TOCSIN_API enum tocsin_err tocsin_coming(
    struct tocsin *t, struct tocsin_list **out) TOCSIN_MUST_USE;
TOCSIN_API void tocsin_list_free(struct tocsin_list *l);

/* ---- who has it ---- */

enum tocsin_rung {
	TOCSIN_RUNG_QUEUED,    /* in our outbox */
	TOCSIN_RUNG_POSTED,    /* our broker has it */
	TOCSIN_RUNG_RELAYED,   /* a broker of theirs has it */
	TOCSIN_RUNG_DELIVERED, /* a device of theirs has it */
	TOCSIN_RUNG_OPENED,
	TOCSIN_RUNG_ACCEPTED,
	TOCSIN_RUNG_DEFERRED,
	TOCSIN_RUNG_REFUSED,
	TOCSIN_RUNG_INVALID,
	TOCSIN_RUNG_IN_PROGRESS,
	TOCSIN_RUNG_RESULT, /* it has sent one */
	TOCSIN_RUNG_CLOSED,
};

/* One word about a place, and what it stands on: a message or a receipt. */
struct tocsin_step {
	enum tocsin_rung rung;
	int64_t time;
	const char *by;
	const char *reason;
	const char *message; /* id; NULL: a broker's word */
	const char *receipt; /* id; NULL: a message, or our own knowledge */
};

struct tocsin_place {
	const char *member;
	enum tocsin_rung rung;
	int64_t since;
	const char *by;	     /* the broker or device whose word it is */
	const char *reason;  /* of a refusal, by them or by a broker */
	int64_t ackby;	     /* when it should have answered; or 0 */
	bool overdue;	     /* no answer to what asked it by its ackby */
	bool recalled;	     /* what asked it first was taken back */
	const char *message; /* what asked it, first or anew; and when */
	int64_t asked;
	int64_t first_asked; /* `asked` of what asked it first */
	int64_t heard; /* when a person or bot of it last wrote, not counting
			  that it was received; 0: never */
	size_t nstep;
	const struct tocsin_step *step; /* brokers' words, then its own */
};

/* Who had what was recalled: a device, or a nation's broker by the nation. */
struct tocsin_holder {
	const char *recall;  /* id of the recall */
	const char *message; /* of what it takes back, or a part of */
	const char *who;
	int64_t since;
	int64_t erased; /* 0: it still has it */
	const char *by; /* whose word that is, and where; as in a step */
	const char *proof;
	const char *receipt;
};

/* What must be done by when, by law or procedure; due.h. */
struct tocsin_deadline {
	const char *clock; /* "nis2/early-warning" */
	const char *text;
	int64_t started;
	int64_t due;
	int64_t done; /* 0: not yet */
};

struct tocsin_status {
	char id[TOCSIN_ID_TEXT];
	int64_t ackby;
	bool closed;
	unsigned escalated; /* how often */
	size_t n;
	const struct tocsin_place *place; /* one per recipient member, those of
					     a nation together */
	const char *turned_by; /* who closed or reopened it last; or NULL */
	int64_t turned;
	const char *turned_in;	/* the id of that message */
	const char *resolution; /* of the close; or NULL */
	const char *pap;	/* of what opened it, as far as it is here */
	size_t nholder;
	const struct tocsin_holder *holder;
	size_t nleft; /* parts that were left at a border */
	const struct tocsin_left *left;
	size_t ndeadline;
	const struct tocsin_deadline *deadline; /* the next first */
};

TOCSIN_API enum tocsin_err tocsin_status(struct tocsin *t, const char *id,
    int64_t now, struct tocsin_status **out) TOCSIN_MUST_USE;
/*
 * The same for the ticket of a message that the caller has, which is not opened
 * once more. It must outlive *out.
 */
TOCSIN_API enum tocsin_err tocsin_status_of(struct tocsin *t,
    const struct tocsin_message *m, int64_t now,
    struct tocsin_status **out) TOCSIN_MUST_USE;
/*
 * And the message as the whole of its ticket makes it, which tocsin_next() and
 * tocsin_get() don't look at: its label as its author last said, and whether
 * it may be shown. For who acts on a message that came alone.
 */
TOCSIN_API enum tocsin_err tocsin_refresh(struct tocsin *t,
    struct tocsin_message *m, int64_t now,
    struct tocsin_status **out) TOCSIN_MUST_USE;
TOCSIN_API void tocsin_status_free(struct tocsin_status *s);
TOCSIN_API const char *tocsin_rung_name(enum tocsin_rung rung);

/* ---- attachments ---- */

/*
 * Fetch an attachment into `dir` under its name (made safe) or under `as`; it
 * appears there only when it is whole and verified. Resumes where an earlier
 * try ended. EUNAVAILABLE: not all of it is at the broker yet. ETOOLARGE: our
 * nation takes none of that size from abroad, so it will not come.
 * progress may be NULL; returning false stops.
 */
TOCSIN_API enum tocsin_err tocsin_save(struct tocsin *t, const char *id,
    const char *name, const char *dir, const char *as,
    bool (*progress)(void *arg, uint64_t done, uint64_t total),
    void *arg) TOCSIN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
