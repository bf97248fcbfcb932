/* SPDX-License-Identifier: ISC */
/*
 * lines.h - lines of another program, as they come on a descriptor
 *
 * Nothing is read but when a line is asked for, and never more than one line
 * and a little is kept, so who takes its time with a line holds the writer up:
 * the pipe is the only queue. A line that is longer than it may be is passed
 * over, in pieces, and told. What stands behind the last line feed is a line
 * too: its writer may have died within it, and who reads judges what it says.
 */
#ifndef TOCSIN_CLI_LINES_H
#define TOCSIN_CLI_LINES_H

#include "crypto/wire.h"

struct lines {
	int fd;
	int stop;   /* readable: end the wait; -1: there is none */
	size_t max; /* bytes of a line, without its line feed */

	/* Its own. */
	uint8_t *p;
	size_t n, room, taken;
	bool over, ended;
};

enum lines_got {
	LINES_ONE,    /* *line, until the next call */
	LINES_LONG,   /* there was one that is too long */
	LINES_END,    /* there is no more */
	LINES_STOP,   /* `stop` came first */
	LINES_FAILED, /* errno says why */
};

enum lines_got lines_next(struct lines *l, struct span *line);
void lines_release(struct lines *l);

#endif
