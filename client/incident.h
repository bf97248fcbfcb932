/* SPDX-License-Identifier: ISC */
/*
 * incident.h - what a message says: ticket.json
 *
 * ticket.json is the content of one message (PROTOCOL.md 8.4). Known members
 * are read out; all others are kept and shown, because a newer version or
 * another program may have meant something by them.
 */
#ifndef TOCSIN_CLIENT_INCIDENT_H
#define TOCSIN_CLIENT_INCIDENT_H

#include "client/tocsin.h"
#include "crypto/text.h"

#define INCIDENT_TEXT_MAX (256 * 1024)
#define INCIDENT_DEPTH 16
#define INCIDENT_ACTION_MAX 128 /* bytes of an action's id */

struct json_t;

struct incident_attachment {
	const char *name;
	const char *media;
	uint64_t size;
	uint8_t part[ID_LEN]; /* hash of its part line in the header */
};

/*
 * Parsed content; strings belong to it. What carries another's first message
 * (an escalation) and has no subject, pap or attachments has those of that one.
 */
struct incident {
	struct json_t *root;
	const char *subject;
	const char *text;
	const char *answer; /* of an ack: "accepted"; else NULL */
	const char *reason;
	const char *resolution; /* of a close; else NULL */
	const char *pap;	/* as it was written, or NULL */
	const char *recall_of;	/* of a recall of attachments, whose hashes */
	uint8_t (*recall)[ID_LEN];
	size_t nrecall;
	int64_t occurred, detected, reported; /* or 0 */
	char severity[64];		      /* "GB/T 20986:II"; or "" */
	const char *clock_start, *clock_stop, *clock_done; /* or NULL */
	int64_t clock_at;
	/* What a rule did by this message, or will do, until then (8.12). */
	const char *action, *action_rule, *action_hook; /* or NULL */
	int64_t action_step;
	bool action_failed;
	const char *claim; /* or NULL */
	int64_t claim_until;
	struct incident_attachment *attachment;
	size_t nattachment;
};

/* EMALFORMED: not an object, doubled members, too deep, wrong types. */
enum tocsin_err MUST_USE incident_parse(struct incident *out, struct span json);
void incident_release(struct incident *i);

/* What to write. NULL and 0 leave a member out. */
struct incident_draft {
	const char *subject;
	const char *text;
	const char *severity;	/* "GB/T 20986:II", checked */
	const char *importance; /* what the severity was made of */
	const char *loss;
	const char *classification; /* "malicious-code:c2-server", checked */
	const char *outlook;
	const char *pap;
	const char *const *sector; /* NULL-terminated, or NULL */
	const char *answer;
	const char *reason;
	const char *resolution;
	int64_t occurred, detected, reported;
	const char *clock_start, *clock_stop, *clock_done;
	int64_t clock_at;
	const char *recall_of; /* attachments of that message */
	const uint8_t (*recall)[ID_LEN];
	size_t nrecall;
	const char *const *grants;  /* notes that go along; NULL-terminated */
	const char *const *clients; /* who the recipients are to us */
	const char *json;	    /* an object whose members join */
	const char
	    *original; /* of an escalation: the first message's content */
	const char *original_id;
	const struct incident_attachment *attachment;
	size_t nattachment;
};
enum tocsin_err MUST_USE incident_print(
    struct buf *out, const struct incident_draft *d);

#endif
