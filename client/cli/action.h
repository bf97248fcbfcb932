/* SPDX-License-Identifier: ISC */
/*
 * action.h - what a program wants said or told, as lines of JSON
 *
 *	{"do":"ack","answer":"accepted","text":"Taken."}
 *	{"do":"escalate","to":["lead@my"],"ackby":"30m"}
 *	{"do":"status","id":"7k2m-9xq4-t0af","tag":17}
 *
 * One table says what may be said and asked, and with which members. A line
 * that says something becomes a draft; `tocsin do` takes lines of both sorts,
 * one at a time.
 *
 * A handler of `tocsin watch --apply` only says. Its drafts are posted together
 * with the step that says that the message is handled, or none is
 * (tocsin_commit_post()). So a handler is a function of the message: it may be
 * killed and started again at any moment, in any language, and what it says is
 * said once. Commands of tocsin that the handler would run itself could not
 * promise that: each would be a change of its own.
 *
 * A member that the action does not know refuses the line, and a line all of
 * them: half of an answer is none.
 */
#ifndef TOCSIN_CLI_ACTION_H
#define TOCSIN_CLI_ACTION_H

#include "client/cli/rows.h"
#include "crypto/wire.h"

#define ACTIONS_MAX 64
#define ACTION_LIST_MAX 256 /* words in an array */
#define ACTION_LINE_MAX (1024 * 1024)
#define ACTION_DEPTH 20 /* of JSON; what is deeper fits into no ticket */

enum action_word {
	/* what is said: a draft */
	ACTION_ACK,
	ACTION_NOTE,
	ACTION_REQUEST,
	ACTION_QUERY,
	ACTION_RESULT,
	ACTION_ESCALATE,
	ACTION_SHARE,
	ACTION_CLOSE,
	ACTION_REOPEN,
	ACTION_RECALL,
	ACTION_ASK,
	ACTION_PERMIT,
	ACTION_RELABEL,
	ACTION_POST,
	/* what is asked */
	ACTION_STATUS,
	ACTION_SHOW,
	ACTION_GET,
	ACTION_INBOX,
	ACTION_SAVE,
	ACTION_WHY,
	ACTION_MEMBERS,
	ACTION_SYNC,
	/* said if it names a clock, else asked */
	ACTION_DUE,
	ACTIONS
};

/* One line, read. Strings belong to it. */
struct action {
	enum action_word word;	   /* ACTIONS: none was understood */
	struct tocsin_draft draft; /* its thread is the id that is asked of;
				      ready.h makes it one that can be posted */
	struct rows_filter filter;
	uint64_t limit;			  /* of inbox */
	uint64_t wait;			  /* of sync: seconds */
	bool all;			  /* of due */
	const char *name, *folder, *code; /* of save; of why */
	const struct json_t *tag;	  /* a scalar, or NULL */

	struct json_t *root;
	void **owned;
	size_t nowned;
};

const char *action_name(enum action_word word);
bool action_says(const struct action *a);

/*
 * `tagged`: a line of `do`, which may ask, has a tag, and names its ticket.
 * EMALFORMED: it is no JSON, or no object; EUSAGE: it is none of the table. On
 * failure `why` is a sentence; tag and word are set as far as they were good.
 * The caller releases in any case.
 */
enum tocsin_err MUST_USE action_parse(
    struct action *out, struct span line, bool tagged, char why[512]);
void action_release(struct action *a);

/* ---- of a handler ---- */

struct actions {
	struct tocsin_draft draft[ACTIONS_MAX];
	size_t n;
	struct action action[ACTIONS_MAX]; /* whose strings the drafts have */
};

/*
 * `ticket` is the message that is answered if a line names none. On failure
 * `why` says which line, and what about it; the caller releases in any case.
 */
bool actions_parse(
    struct actions *out, struct span lines, const char *ticket, char why[512]);
void actions_release(struct actions *a);

#endif
