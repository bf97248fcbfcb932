/* SPDX-License-Identifier: ISC */
/*
 * ladder.h - what a thread amounts to: who stands where, and on whose word
 *
 * The state of a ticket is a pure function of the set of its messages and of
 * what brokers attested (PROTOCOL.md 11.3). The order in which they came, and
 * repeats, make no difference; so two desks with the same share of a thread
 * show the same, and one that gets a message late corrects itself. Two officers
 * who answer at once are two messages: both are steps of the place, and the
 * later one says where it stands.
 *
 * Nothing is copied: the strings of the result are those of the arguments,
 * which must outlive it.
 */
#ifndef TOCSIN_CLIENT_LADDER_H
#define TOCSIN_CLIENT_LADDER_H

#include "client/tocsin.h"
#include "crypto/wire.h"

struct ladder_message { /* one of a thread, opened */
	const char *id;
	const char *member; /* whose */
	const char *device;
	const char *kind;
	const char *answer; /* of an ack */
	const char *reason; /* of a refusal; of a close its resolution */
	int64_t time;
	int64_t ackby; /* an answer to this one is expected by then; or 0 */
	const char *const *to;
	bool posted;		    /* our broker has it */
	bool refused_here;	    /* or has refused it, for `reason` */
	uint64_t seq;		    /* in its device's chain; 0: not known */
	const char *const *ref;	    /* ids that it refers to, the thread's too;
				       NULL-terminated, or NULL */
	const char *const *recalls; /* of a recall: ids of messages and hashes
				       of their parts; or NULL */
	const char *const *parts;   /* hashes; NULL-terminated, or NULL */
	const char *action;	    /* what a rule did by it; or NULL */
};

/* What a broker said of a message. */
struct ladder_receipt {
	const char *id;	 /* of the message */
	const char *who; /* device or member; nation for what a broker did */
	const char *by;
	const char *reason;
	int64_t time;
	enum tocsin_rung rung; /* RELAYED, DELIVERED or REFUSED */
	bool erased;	       /* none of these: that it erased it, */
	const char *part;      /* or of it the part of that hash alone */
	const char *receipt;   /* the id of the receipt; or NULL */
};

struct ladder {
	struct tocsin_place *place; /* ascending by nation, then member */
	size_t n;
	bool closed;
	const struct ladder_message *turn; /* the last close or reopen of who
					      asked; or NULL */
	unsigned escalated;
	struct tocsin_holder *holder; /* by message and name */
	size_t nholder;
};

/*
 * A deadline is that of the first message that asked a recipient, or of the
 * last that asked anew, a request for example: who comes in by an escalation
 * has the escalation's.
 * EINTERNAL: no memory. The caller releases, after a failure too.
 */
enum tocsin_err MUST_USE ladder_fold(struct ladder *out,
    const struct ladder_message *m, size_t nm, const struct ladder_receipt *r,
    size_t nr, int64_t now);
void ladder_release(struct ladder *l);

/* Whether that message takes back all of this one, not parts alone. */
bool ladder_recalls(
    const struct ladder_message *recall, const struct ladder_message *m);

#endif
