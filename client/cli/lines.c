/* SPDX-License-Identifier: ISC */
#include "client/cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)16 * 1024)

/* What the last call gave is of no use any more. */
static void
drop_taken(struct lines *l)
{
	memmove(l->p, l->p + l->taken, l->n - l->taken);
	l->n -= l->taken;
	l->taken = 0;
}

/* The line that begins what is here; one byte more than `max` is too long. */
static bool
cut(struct lines *l, struct span *line, enum lines_got *got)
{
	const uint8_t *lf = l->n > 0 ? memchr(l->p, '\n', l->n) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - l->p) : l->n;
	bool whole = lf != NULL || (l->ended && n > 0);

	if (n > l->max)
		l->over = true;
	if (!whole && l->over)
		l->n = 0;
	if (!whole)
		return false;
	l->taken = n + (lf != NULL);
	*line = (struct span){ l->p, n };
	*got = l->over ? LINES_LONG : LINES_ONE;
	l->over = false;
	return true;
}

/* True: there are more bytes, or the end. */
static bool
wait_for(struct lines *l, enum lines_got *got)
{
	struct pollfd p[2] = { { .fd = l->stop, .events = POLLIN },
		{ .fd = l->fd, .events = POLLIN } };
	int n;

	do
		n = poll(p, 2, -1);
	while (n < 0 && errno == EINTR);
	*got = n < 0 ? LINES_FAILED : LINES_STOP;
	return n > 0 && p[0].revents == 0;
}

static bool
take(struct lines *l, enum lines_got *got)
{
	uint8_t *grown;
	ssize_t n;

	if (l->room - l->n < READ_SIZE) {
		grown = realloc(l->p, l->n + READ_SIZE);
		if (grown == NULL) {
			*got = LINES_FAILED;
			return false;
		}
		l->p = grown;
		l->room = l->n + READ_SIZE;
	}
	n = read(l->fd, l->p + l->n, READ_SIZE);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n < 0) {
		*got = LINES_FAILED;
		return false;
	}
	l->ended = n == 0;
	l->n += (size_t)n;
	return true;
}

enum lines_got
lines_next(struct lines *l, struct span *line)
{
	enum lines_got got = LINES_END;

	if (l->taken > 0)
		drop_taken(l);
	for (;;) {
		if (cut(l, line, &got))
			return got;
		if (l->ended && l->over) {
			l->over = false;
			return LINES_LONG;
		}
		if (l->ended)
			return LINES_END;
		if (!wait_for(l, &got) || !take(l, &got))
			return got;
	}
}

void
lines_release(struct lines *l)
{
	free(l->p);
	l->p = NULL;
	l->n = l->room = l->taken = 0;
}
