/* SPDX-License-Identifier: ISC */
/*
 * ready.h - what a program wants said, as it can be posted
 *
 * action.h reads lines and knows no desk. What some of them say is known only
 * there: who wrote the message that permission is asked for, what the request
 * asks that is granted, which clocks there are, and who we are. It is looked up
 * here, and what comes of it is a draft like all others; so it is posted like
 * them, alone or with the step of a handler, and under a key.
 */
#ifndef TOCSIN_CLI_READY_H
#define TOCSIN_CLI_READY_H

#include "client/cli/action.h"
#include "client/cli/cmds.h"
#include "client/permit.h"

/* Stays where it is; strings are the action's, which lives longer. */
struct ready {
	struct tocsin_draft draft;
	struct permit_draft permit;
	struct due_to own;
};

/*
 * With a sentence for tocsin_error() if it fails. What was said before under
 * its key is not looked up again: it may be gone. The caller releases in any
 * case.
 */
enum tocsin_err MUST_USE ready_make(
    struct ready *out, struct tocsin *t, const struct action *a);
void ready_release(struct ready *r);

#endif
