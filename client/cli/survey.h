/* SPDX-License-Identifier: ISC */
/*
 * survey.h - all tickets of a desk as rows for a picture
 *
 * What a picture counts stands almost all in the signed headers, which need no
 * key: who was asked, by when, how urgent, with what label, who wrote again,
 * who closed it. So a screen on a wall can have a home whose keys are locked.
 * With a handle three things are looked up inside of messages: what an
 * acknowledgement says, the severity, the outlook. Without one, an
 * acknowledgement is taken for an answer whatever it says, also if it says only
 * that the ticket was opened, or that what was recalled is erased.
 *
 * Only what a reader would believe counts: messages that were refused are left
 * out, except our own. Words from inside are those of vocab.h or none; subjects
 * and texts are not kept, and nothing that a message says in its own words can
 * reach the picture.
 */
#ifndef TOCSIN_CLI_SURVEY_H
#define TOCSIN_CLI_SURVEY_H

#include "client/cli/picture.h"
#include "client/handle.h"

/* What is inside of a message; words of vocab.h, or NULL. */
struct survey_words {
	bool known; /* it was opened, or need not be */
	const char *answer, *severity, *outlook;
};

/* Begins as { 0 }; may be taken again and again. */
struct survey {
	struct picture_ticket *ticket;
	size_t n;
	unsigned queued;   /* messages in our outbox */
	unsigned left_out; /* messages that were refused, or are held */
	int64_t newest;	   /* when the last message came here; 0: none did */

	struct survey_words *words; /* by number: a message is opened once */
	size_t nwords;
	struct survey_block *block; /* what the rows' strings are in */
};

/*
 * `t` NULL: headers alone. The rows are good until the next time. EINTERNAL: no
 * memory, and there are no rows.
 */
enum tocsin_err MUST_USE survey_take(
    struct survey *s, struct desk *desk, struct tocsin *t, int64_t now);
void survey_release(struct survey *s);

#endif
