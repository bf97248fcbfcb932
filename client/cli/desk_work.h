/* SPDX-License-Identifier: ISC */
/*
 * desk_work.h - what a desk does for its officer, on a screen or in lines
 *
 * Stands between the model, which knows what is wanted, and the library, which
 * does it: opens tickets, looks whom a draft goes to, posts it. All of it works
 * on this disk and waits for no network; what is posted leaves by itself.
 *
 * A deed that was confirmed goes to whom the officer was shown, or not at all:
 * if somebody joined or left the ticket meanwhile, nothing is sent and that is
 * said.
 */
#ifndef TOCSIN_CLI_DESK_WORK_H
#define TOCSIN_CLI_DESK_WORK_H

#include "client/cli/desk_feed.h"
#include "client/cli/desk_model.h"
#include "client/cli/desk_save.h"

struct work {
	struct tocsin *t;
	struct model m;
	struct feed *feed;
	struct feed_state state;
	struct rows *rows;

	char own[MEMBER_MAX + 1];
	char **member; /* all others that may be sent to, and circles;
			  NULL-terminated */
	size_t nmember;
	uint64_t serial; /* of the roster that they are from */
	int64_t written; /* when the circles were */

	struct saver *saver; /* NULL: nothing is being saved */
	char *text;	     /* of the open ticket, with our colours; or NULL */
	char of[TOCSIN_ID_TEXT];
	size_t messages; /* that it had then, and what was here of it */
	uint64_t here;
};

/* 0, or a status and a sentence. The handle is the caller's. */
int work_begin(struct work *w, struct tocsin *t);
void work_end(struct work *w);

/* What came in the meantime; true if the rows are new. */
bool work_news(struct work *w);

/* How far an attachment is; at its end that is said. True while it is not. */
bool work_saving(struct work *w);

/* Until nothing more is wanted but WANT_PAINT or WANT_QUIT. */
enum want work_do(struct work *w, enum want want);

/* What the open ticket says, again: it is as wide as the terminal was. */
void work_read(struct work *w);

#endif
