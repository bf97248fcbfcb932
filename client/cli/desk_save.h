/* SPDX-License-Identifier: ISC */
/*
 * desk_save.h - an attachment on its way to a folder, while the desk goes on
 *
 * tocsin_save() fetches what is not here yet, over a line that may be thin, so
 * it has a thread of its own. One is saved at a time. Stopping it loses
 * nothing: what has come so far is kept, and the next try goes on behind it.
 */
#ifndef TOCSIN_CLI_DESK_SAVE_H
#define TOCSIN_CLI_DESK_SAVE_H

#include "client/cli/cli.h"

struct saver;

/*
 * Message `id` has an attachment of that name; "~/" in front of a folder is the
 * user's own. False with a sentence: no such folder, no memory, no thread.
 */
bool saver_start(struct saver **out, struct tocsin *t, const char *id,
    const char *name, const char *folder, char why[1024]);

/* True at its end, with a sentence for that; *bad: it was not saved. */
bool saver_ended(struct saver *s, char said[1024], bool *bad);

/* Waits for the thread; NULL is ok. */
void saver_stop(struct saver *s);

/* ", saving mail.eml: 120 of 960 KiB", or nothing for NULL. */
void saver_text(const struct saver *s, struct buf *out);

#endif
