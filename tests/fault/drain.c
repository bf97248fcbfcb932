/* SPDX-License-Identifier: ISC */
/*
 * drain - a reader that may be killed anywhere and handles each message once
 *
 *	drain HOME READER JOURNAL
 *
 * What every program should do that cannot bear a message twice: it keeps the
 * number of the message with what it made of it, here in one line of a journal,
 * synced, and only then commits it to the library. When it is started again it
 * first commits the last number of its own, and so never asks for a message
 * that it has handled. A line that a crash has torn is taken back.
 *
 * It ends after SIGTERM, or with a sentence when the library fails.
 */
#include "client/tocsin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_MS 200 /* how soon a signal is noticed */
#define LINE (TOCSIN_ID_TEXT + 24)

static volatile sig_atomic_t ending;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "drain: %s: %s\n", what, why);
	exit(1);
}

static void
must(struct tocsin *t, const char *what, enum tocsin_err err)
{
	if (err == TOCSIN_OK)
		return;
	fprintf(stderr, "drain: %s: %s: %s\n", what, tocsin_err_name(err),
	    tocsin_error(t));
	exit(1);
}

/* Cut the journal behind its last whole line; the number in that line, or 0. */
static uint64_t
last_of(int fd)
{
	struct stat st;
	char *text, *line;
	uint64_t number = 0;
	size_t n, whole;

	if (fstat(fd, &st) != 0)
		die("journal", strerror(errno));
	n = (size_t)st.st_size;
	text = calloc(1, n + 1);
	if (text == NULL || pread(fd, text, n, 0) != st.st_size)
		die("journal", "cannot be read");
	for (whole = n; whole > 0 && text[whole - 1] != '\n';)
		whole--;
	if (whole < n && ftruncate(fd, (off_t)whole) != 0)
		die("journal", strerror(errno));
	if (whole > 0) {
		text[whole - 1] = '\0';
		line = strrchr(text, '\n');
		number = strtoull(line ? line + 1 : text, NULL, 10);
	}
	free(text);
	return number;
}

/* A message that is kept but not to be opened has no id, and is no ticket. */
static void
handle(int fd, const struct tocsin_message *m)
{
	char line[LINE];
	int n = snprintf(line, sizeof(line), "%" PRIu64 " %s\n", m->number,
	    m->refused == TOCSIN_OK ? m->id : "-");

	if (write(fd, line, (size_t)n) != n || fdatasync(fd) != 0)
		die("journal", strerror(errno));
}

int
main(int argc, char **argv)
{
	struct tocsin_message *m = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err;
	uint64_t last;
	int fd;

	if (argc != 4) {
		fputs("usage: drain HOME READER JOURNAL\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_term);
	fd = open(argv[3], O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die(argv[3], strerror(errno));
	last = last_of(fd);
	must(t, argv[1], tocsin_open(&t, argv[1], NULL));
	if (last > 0)
		must(t, "commit", tocsin_commit(t, argv[2], last));
	while (!ending) {
		err = tocsin_next(t, argv[2], SLICE_MS, &m);
		if (err == TOCSIN_ETIMEOUT)
			continue;
		must(t, "next", err);
		handle(fd, m);
		must(t, "commit", tocsin_commit(t, argv[2], m->number));
		tocsin_message_free(m);
	}
	tocsin_close(t);
	close(fd);
	return 0;
}
