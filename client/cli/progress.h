/* SPDX-License-Identifier: ISC */
/*
 * progress.h - how far a transfer is, how fast, and how long it will take
 *
 * Said on a terminal only, on one line of standard error that is written over
 * and wiped before anything else is printed; a pipe gets nothing. The rate is
 * that of the last seconds, since what came before a cut says nothing about
 * what comes now. Times are milliseconds of the monotonic clock.
 */
#ifndef TOCSIN_CLI_PROGRESS_H
#define TOCSIN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_MARKS 8

struct progress {
	bool tty;	 /* progress_begin() looks */
	bool things;	 /* they are counted; else bytes, in KiB */
	bool shown;	 /* there is a line to wipe */
	int64_t printed; /* when it last was */
	uint64_t total;
	struct progress_mark {
		int64_t at;
		uint64_t done;
	} mark[PROGRESS_MARKS]; /* a ring of the last seconds */
	unsigned first, n;
};

void progress_begin(struct progress *p);

/* Pure: note it; what it says then, "120 of 960 KiB, 36 KiB/s, 24 s left", or
 * "120 of 960, 24 s left". */
void progress_note(
    struct progress *p, int64_t now, uint64_t done, uint64_t total);
void progress_text(char out[96], const struct progress *p);

/* Note it and show it behind `what`, which is somebody's; at most twice a
 * second. */
void progress_show(
    struct progress *p, const char *what, uint64_t done, uint64_t total);

/* The line is gone, as if there had been none. */
void progress_wipe(struct progress *p);

#endif
