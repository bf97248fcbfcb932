/* SPDX-License-Identifier: ISC */
/*
 * storm - post through the library without pause, and say what was taken
 *
 *	storm [-p MILLISECONDS] [-q QUEUED] HOME TO...
 *
 * Posts small tickets to one TO after another, with at most WIDTH of them not
 * yet acknowledged, and a pause after each. Prints the id of each when this
 * device's broker has acknowledged it, and to whom it is if there is a choice.
 * To the file QUEUED it adds an id as soon as the library says that the ticket
 * is in the outbox. While the disk of HOME has no room it says so, and tries
 * again. After SIGTERM it posts no more, and ends when all are
 * acknowledged, or fails a minute later. What it printed, nobody may lose.
 */
#include "client/tocsin.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH 64
#define PATIENCE 60 /* seconds */

struct posted {
	char id[TOCSIN_ID_TEXT];
	const char *to;
};

static struct tocsin *t;
static struct posted *waiting; /* not acknowledged; the oldest first */
static size_t n;
static FILE *queued;
static char **members;
static unsigned nmembers;

static void
die(const char *what, enum tocsin_err err)
{
	fprintf(stderr, "storm: %s: %s: %s\n", what, tocsin_err_name(err),
	    tocsin_error(t));
	exit(1);
}

static volatile sig_atomic_t ending;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

/* What is full may have room again. */
static void
full(void)
{
	const struct timespec moment = { .tv_nsec = 50000000 };

	fprintf(stderr, "storm: %s: %s\n", tocsin_err_name(TOCSIN_ENOSPACE),
	    tocsin_error(t));
	nanosleep(&moment, NULL);
}

static void
post(void)
{
	static unsigned count;
	const char *const to[] = { members[count % nmembers], NULL };
	char subject[64];
	struct tocsin_draft d = { .kind = "report",
		.to = to,
		.tlp = "GREEN",
		.precedence = "routine",
		.subject = subject };
	enum tocsin_err err;

	snprintf(subject, sizeof(subject), "storm %u", ++count);
	err = tocsin_post(t, &d, waiting[n].id);
	if (err == TOCSIN_ENOSPACE) {
		full();
		return;
	}
	if (err != TOCSIN_OK)
		die("post", err);
	if (queued != NULL && (fprintf(queued, "%s\n", waiting[n].id) < 0 ||
				  fflush(queued) != 0)) {
		perror("storm: queued");
		exit(1);
	}
	waiting[n++].to = to[0];
}

static bool
acknowledged(const char *id)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = tocsin_get(t, id, &m);
	bool there;

	if (err != TOCSIN_OK)
		die(id, err);
	if (m->refused != TOCSIN_OK)
		die(id, m->refused);
	there = m->received != 0;
	tocsin_message_free(m);
	return there;
}

/* The oldest first: the outbox is posted in its order. */
static void
tell(void)
{
	size_t done = 0;

	for (; done < n && acknowledged(waiting[done].id); done++)
		printf("%s%s%s\n", waiting[done].id, nmembers > 1 ? " " : "",
		    nmembers > 1 ? waiting[done].to : "");
	fflush(stdout);
	memmove(waiting, waiting + done, (n - done) * sizeof(*waiting));
	n -= done;
}

int
main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = 2000000 };
	time_t until = 0;
	enum tocsin_err err;

	if (argc > 3 && strcmp(argv[1], "-p") == 0) {
		pause.tv_nsec = strtol(argv[2], NULL, 10) * 1000000;
		argc -= 2;
		argv += 2;
	}
	if (argc > 3 && strcmp(argv[1], "-q") == 0) {
		queued = fopen(argv[2], "a");
		if (queued == NULL) {
			perror(argv[2]);
			return 1;
		}
		argc -= 2;
		argv += 2;
	}
	waiting = calloc(WIDTH, sizeof(*waiting));
	if (argc < 3 || waiting == NULL) {
		fputs("usage: storm [-p MILLISECONDS] [-q QUEUED] HOME TO...\n",
		    stderr);
		return 2;
	}
	members = argv + 2;
	nmembers = (unsigned)argc - 2;
	signal(SIGTERM, on_term);
	err = tocsin_open(&t, argv[1], NULL);
	if (err != TOCSIN_OK)
		die(argv[1], err);
	while (until == 0 || n > 0) {
		if (until == 0 && ending)
			until = time(NULL) + PATIENCE;
		if (until == 0 && n < WIDTH)
			post();
		if (until != 0 || n == WIDTH || pause.tv_nsec > 2000000)
			nanosleep(&pause, NULL);
		tell();
		if (until != 0 && time(NULL) > until) {
			fprintf(stderr, "storm: %zu never acknowledged\n", n);
			return 1;
		}
	}
	tocsin_close(t);
	free(waiting);
	return 0;
}
