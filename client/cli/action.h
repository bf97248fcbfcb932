/* SPDX-License-Identifier: ISC */
/*
 * action.h - what a handler wants said, as lines of JSON
 *
 *	{"do":"ack","answer":"accepted","text":"Taken."}
 *	{"do":"escalate","to":["lead@my"],"ackby":"30m"}
 *
 * Each line becomes a draft. They are posted together with the step that says
 * that the message is handled, or none is (tocsin_commit_post()). So a handler
 * is a function of the message: it may be killed and started again at any
 * moment, in any language, and what it says is said once. Commands of tocsin
 * that the handler would run itself could not promise that: each would be a
 * change of its own.
 *
 * A member that the action does not know refuses the line, and a line all of
 * them: half of an answer is none.
 */
#ifndef TOCSIN_CLI_ACTION_H
#define TOCSIN_CLI_ACTION_H

#include "client/tocsin.h"
#include "crypto/wire.h"

#define ACTIONS_MAX 64
#define ACTION_LIST_MAX 256 /* words in an array */

struct json_t;

struct actions {
	struct tocsin_draft draft[ACTIONS_MAX];
	size_t n;

	struct json_t *root[ACTIONS_MAX]; /* whose strings the drafts have */
	void **owned;
	size_t nowned;
};

/*
 * `ticket` is the message that is answered if a line names none. On failure
 * `why` says which line, and what about it; the caller releases in any case.
 */
bool actions_parse(
    struct actions *out, struct span lines, const char *ticket, char why[512]);
void actions_release(struct actions *a);

#endif
