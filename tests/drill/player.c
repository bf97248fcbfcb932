/* SPDX-License-Identifier: ISC */
/*
 * player - a member in an exercise that answers as its plan says
 *
 *	player HOME PLAN JOURNAL
 *
 * A line of the plan is INJECT MILLISECONDS WORD [MEMBER]: so long after that
 * inject has come, this is said. WORD is opened, accepted, deferred, refused,
 * invalid or in-progress, or result, escalate, close. It writes to its journal
 *
 *	seen INJECT ID			what came
 *	said ID WORD INJECT		what it answered
 *
 * and ends after SIGTERM, when all of it is at its broker.
 */
#include "client/tocsin.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_MS 100
#define LINES 512
#define LAST_MS 20000

struct planned {
	char inject[33];
	long long delay;
	char word[16], to[64];
	long long due; /* 0: its inject has not come; -1: done */
	char id[TOCSIN_ID_TEXT], thread[TOCSIN_ID_TEXT];
};

static struct planned plan[LINES];
static size_t n;
static struct tocsin *t;
static FILE *journal;
static volatile sig_atomic_t ending;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

static void
must(const char *what, enum tocsin_err err)
{
	if (err == TOCSIN_OK)
		return;
	fprintf(stderr, "player: %s: %s: %s\n", what, tocsin_err_name(err),
	    t != NULL ? tocsin_error(t) : "");
	exit(1);
}

static long long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
read_plan(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];

	if (f == NULL)
		must(path, TOCSIN_ENOTFOUND);
	while (n < LINES && fgets(line, sizeof(line), f) != NULL) {
		struct planned *p = &plan[n];

		if (sscanf(line, "%32s %lld %15s %63s", p->inject, &p->delay,
			p->word, p->to) >= 3)
			n++;
	}
	fclose(f);
}

/* The name that an inject gives itself; an escalation has it inside. */
static bool
inject_of(const struct tocsin_message *m, char out[33])
{
	const char *at = m->json != NULL ? strstr(m->json, "\"drill\"") : NULL;

	if (strcmp(m->kind, "escalate") == 0)
		return false;
	at = at != NULL ? strstr(at, "\"inject\"") : NULL;
	return at != NULL && sscanf(at, "\"inject\": \"%32[^\"]\"", out) == 1;
}

static void
take(const struct tocsin_message *m)
{
	char inject[33];
	size_t i;

	if (m->refused != TOCSIN_OK || !inject_of(m, inject))
		return;
	fprintf(journal, "seen %s %s\n", inject, m->id);
	fflush(journal);
	for (i = 0; i < n; i++)
		if (plan[i].due == 0 && strcmp(plan[i].inject, inject) == 0) {
			plan[i].due = now_ms() + plan[i].delay;
			memcpy(plan[i].id, m->id, sizeof(plan[i].id));
			memcpy(
			    plan[i].thread, m->thread, sizeof(plan[i].thread));
		}
}

static void
say(struct planned *p)
{
	const char *to[] = { p->to, NULL };
	bool ack = strcmp(p->word, "result") != 0 &&
		   strcmp(p->word, "escalate") != 0 &&
		   strcmp(p->word, "close") != 0;
	struct tocsin_draft d = { .kind = ack ? "ack" : p->word,
		.thread = p->id,
		.to = p->to[0] != '\0' ? to : NULL,
		.text = ack ? NULL : "as the plan says",
		.answer = ack ? p->word : NULL,
		.reason = strcmp(p->word, "refused") == 0 ? "other" : NULL };
	char id[TOCSIN_ID_TEXT];

	must(p->word, tocsin_post(t, &d, id));
	fprintf(journal, "said %s %s %s\n", id, p->word, p->inject);
	fflush(journal);
	p->due = -1;
}

int
main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_term };
	struct tocsin_message *m;
	enum tocsin_err err;
	size_t i;

	if (argc != 4)
		return 2;
	sigaction(SIGTERM, &act, NULL);
	read_plan(argv[2]);
	journal = fopen(argv[3], "ae");
	if (journal == NULL)
		must(argv[3], TOCSIN_ENOTFOUND);
	must("open", tocsin_open(&t, argv[1], NULL));
	while (!ending) {
		m = NULL;
		err = tocsin_next(t, "player", SLICE_MS, &m);
		if (err == TOCSIN_OK) {
			take(m);
			must("commit", tocsin_commit(t, "player", m->number));
		} else if (err != TOCSIN_ETIMEOUT) {
			must("next", err);
		}
		tocsin_message_free(m);
		for (i = 0; i < n; i++)
			if (plan[i].due > 0 && plan[i].due <= now_ms())
				say(&plan[i]);
	}
	must("sync", tocsin_sync(t, LAST_MS));
	tocsin_close(t);
	return fclose(journal) == 0 ? 0 : 1;
}
