/* SPDX-License-Identifier: ISC */
/*
 * desk_screen.h - the desk on a full screen, and in lines
 *
 * The screen is of ncursesw, which sends what has changed and no more: a key
 * costs a slow line some two hundred bytes. The cursor stands in the chosen
 * line, where a reader of the screen looks for it. It waits for keys, for news
 * of the feed and for signals at once, and never for the network.
 *
 * In lines (desk_plain.c) the same is said in words, without a movement of the
 * cursor: numbered tickets, and commands that are typed.
 */
#ifndef TOCSIN_CLI_DESK_SCREEN_H
#define TOCSIN_CLI_DESK_SCREEN_H

#include "client/cli/desk_work.h"

/* Whether this terminal can; else the desk is for lines. */
bool screen_can(void);

/* Until the officer ends it; 0, or a status and a sentence. */
int screen_run(struct work *w);
int plain_run(struct work *w);

#endif
