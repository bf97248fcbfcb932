/* SPDX-License-Identifier: ISC */
/*
 * The desk in lines: for a screen reader, a printer, a terminal that can do
 * nothing, or a script of an exercise. A number is that of the list that was
 * printed last, whatever has come since.
 */
#include "client/cli/desk_screen.h"
#include "client/cli/desk_text.h"
#include "client/cli/print.h"
#include "client/handle.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define PAGE 20
#define READING 60 /* seconds that the first rows may take */

/* A ticket as it was when it was told. */
struct known {
	char id[TOCSIN_ID_TEXT];
	size_t messages;
	const char *state; /* a constant of rows.h */
	bool late;
};

struct plain {
	struct work *w;
	bool prompt; /* somebody types */
	char *line;
	size_t room;

	char (*number)[TOCSIN_ID_TEXT]; /* of the list that was printed */
	size_t count, told;		/* of them, and printed so far */
	struct known *known;		/* ascending */
	size_t nknown;
};

/* ---- lines ---- */

static char *
read_line(struct plain *p, const char *prompt)
{
	ssize_t n;

	if (p->prompt)
		fputs(prompt, stdout);
	fflush(stdout);
	n = getline(&p->line, &p->room, stdin);
	if (n <= 0)
		return NULL;
	p->line[strcspn(p->line, "\r\n")] = '\0';
	return p->line;
}

/* Cuts the next word off. */
static char *
next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");

	*rest = word + strcspn(word, " \t");
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " \t");
	return word;
}

static void
print_said(const struct model *m)
{
	if (m->said == NULL)
		return;
	safe_print(stdout, m->said);
	putchar('\n');
}

/* ---- lists ---- */

static void
print_more(struct plain *p)
{
	struct model *m = &p->w->m;
	size_t end = p->told + PAGE;

	for (; p->told < p->count && p->told < end; p->told++) {
		if (!model_at(m, p->number[p->told]))
			continue;
		printf("%zu. ", p->told + 1);
		desk_spoken(stdout, m, model_row(m));
	}
	if (p->told < p->count)
		printf("%zu more: next\n", p->count - p->told);
}

static void
print_list(struct plain *p)
{
	struct model *m = &p->w->m;
	char(*number)[TOCSIN_ID_TEXT] = calloc(m->nitem + 1, sizeof(*number));
	size_t i;

	if (number == NULL)
		return;
	free(p->number);
	p->number = number;
	p->count = p->told = 0;
	for (i = 0; i < m->nitem; i++)
		if (m->item[i].line == NULL)
			memcpy(number[p->count++], m->item[i].row->m->thread,
			    TOCSIN_ID_TEXT);
	if (p->w->t->parts.keys->exercise[0] != '\0')
		printf("EXERCISE %s: ", p->w->t->parts.keys->exercise);
	printf("%zu of %zu tickets, %s", p->count, m->norder,
	    model_shows[m->show]);
	if (m->search.n > 0) {
		fputs(", with: ", stdout);
		safe_title(stdout, (const char *)m->search.p, 60);
	}
	putchar('\n');
	print_more(p);
}

static void
list(struct plain *p, char *rest)
{
	const char *word = next_word(&rest);
	struct model *m = &p->w->m;
	int i;

	for (i = 0; word[0] != '\0' && i < SHOWS; i++)
		if (strcasecmp(model_shows[i], word) == 0)
			break;
	if (i == SHOWS) {
		printf("list takes one of: open, unanswered, overdue, all\n");
		return;
	}
	model_list(m, word[0] != '\0' ? (enum model_show)i : m->show);
	print_list(p);
}

static void
search(struct plain *p, char *rest)
{
	(void)work_do(p->w, model_search(&p->w->m, rest));
	model_list(&p->w->m, p->w->m.show);
	print_list(p);
}

/* ---- what is new ---- */

static int
by_id(const void *a, const void *b)
{
	return strcmp(
	    ((const struct known *)a)->id, ((const struct known *)b)->id);
}

static bool
is_known(const struct plain *p, const struct known *k)
{
	const struct known *old =
	    p->nknown > 0 ? bsearch(k, p->known, p->nknown, sizeof(*k), by_id)
			  : NULL;

	return old != NULL && old->messages == k->messages &&
	       old->late == k->late && strcmp(old->state, k->state) == 0;
}

/* Tickets that are new, or not as they were told; how many. */
static size_t
tell_news(struct plain *p, bool aloud)
{
	const struct model *m = &p->w->m;
	struct known *now = calloc(m->norder + 1, sizeof(*now));
	size_t i, n = 0;

	for (i = 0; now != NULL && i < m->norder; i++) {
		const struct row *r = m->order[i];

		memcpy(now[i].id, r->m->thread, TOCSIN_ID_TEXT);
		now[i].messages = r->messages + r->ncoming;
		now[i].state = r->state;
		now[i].late = model_late(r, m->now);
		if (is_known(p, &now[i]))
			continue;
		n++;
		if (aloud)
			desk_spoken(stdout, m, r);
	}
	if (now == NULL)
		return 0;
	qsort(now, m->norder, sizeof(*now), by_id);
	free(p->known);
	p->known = now;
	p->nknown = m->norder;
	return n;
}

static bool
wait_rows(struct plain *p, int timeout_ms)
{
	struct pollfd fds[] = { { .fd = feed_fd(p->w->feed), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	bool first = p->w->rows == NULL || p->w->rows->left > 0;
	nfds_t n = first ? 1 : 2;

	if (poll(fds, n, timeout_ms) <= 0 || (n == 2 && fds[1].revents))
		return false;
	return work_news(p->w);
}

static void
first_rows(struct plain *p)
{
	int64_t end = cli_now() + READING;

	while ((p->w->rows == NULL || p->w->rows->left > 0) &&
	       p->w->state.trouble[0] == '\0' && cli_now() < end)
		(void)wait_rows(p, 1000);
}

/* Until something is new, or the next line is typed. */
static void
wait_for_news(struct plain *p)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	if (p->prompt)
		printf("Waiting; Enter ends it.\n");
	fflush(stdout);
	while (tell_news(p, true) == 0) {
		(void)wait_rows(p, 1000);
		if (poll(&in, 1, 0) > 0) {
			if (p->prompt)
				(void)read_line(p, "");
			return;
		}
	}
}

static void
state(struct plain *p)
{
	desk_state(stdout, p->w, 2000);
	putchar('\n');
}

/* ---- one ticket ---- */

/* By its number in the list, or by its short id or the beginning of one. */
static bool
choose(struct plain *p, const char *typed)
{
	const struct model *m = &p->w->m;
	const char *found = NULL;
	size_t i, n = strlen(typed);
	unsigned number;
	char end;

	if (sscanf(typed, "%u%c", &number, &end) == 1 && number >= 1 &&
	    number <= p->count && n < 4)
		found = p->number[number - 1];
	for (i = 0; found == NULL && n >= 4 && i < m->norder; i++)
		if (strncasecmp(m->order[i]->m->short_id, typed, n) == 0 ||
		    strcmp(m->order[i]->m->thread, typed) == 0)
			found = m->order[i]->m->thread;
	if (found != NULL && model_at(&p->w->m, found))
		return true;
	printf("There is no ticket %s: give its number in the list, or its "
	       "id.\n",
	    typed[0] != '\0' ? typed : "without a number");
	return false;
}

static void
open_one(struct plain *p, char *rest)
{
	const char *typed = next_word(&rest);

	if (!choose(p, typed))
		return;
	p->w->m.mode = MODE_TICKET;
	(void)work_do(p->w, WANT_OPEN);
	if (p->w->m.mode == MODE_TICKET && p->w->text != NULL)
		fputs(p->w->text, stdout);
	p->w->m.mode = MODE_LIST;
	print_said(&p->w->m);
}

/* Question by question; what stood on the line is the first answer. */
static void
answer_all(struct plain *p, const char *first)
{
	struct model *m = &p->w->m;
	const char *line;

	while (m->mode == MODE_ASK || m->mode == MODE_SURE) {
		if (first == NULL || m->mode == MODE_SURE) {
			desk_deed(stdout, m);
			putchar('\n');
			print_said(m);
			if (m->ninput > 0)
				printf("Enter takes: %s\n", m->input);
			line = read_line(p, m->mode == MODE_SURE
						? "yes, or anything else: "
						: "(cancel gives it up): ");
		} else {
			line = first;
		}
		first = NULL;
		if (line != NULL && line[0] == '\0' && m->ninput > 0)
			(void)work_do(p->w, model_key(m, KEY_OF_ENTER));
		else if (line == NULL || strcmp(line, "cancel") == 0)
			(void)work_do(p->w, model_key(m, KEY_OF_ESCAPE));
		else
			(void)work_do(p->w, model_enter(m, line));
	}
	print_said(m);
}

/* In lines one thing comes after another. */
static void
wait_saved(struct plain *p)
{
	const struct timespec look = { 0, 50000000L };

	if (p->w->saver == NULL)
		return;
	fflush(stdout);
	while (work_saving(p->w))
		nanosleep(&look, NULL);
	print_said(&p->w->m);
}

static void
act(struct plain *p, const struct deed *d, char *rest)
{
	struct model *m = &p->w->m;
	char *first;

	if (!choose(p, next_word(&rest)))
		return;
	if (rest[0] != '\0' && (d->asks & ~ASKS(ASK_LOOK)) == 0) {
		printf("%s takes a ticket and no more; a note says more.\n",
		    d->word);
		return;
	}
	m->mode = MODE_LIST;
	(void)work_do(p->w, model_begin(m, d));
	first = rest[0] != '\0' ? strdup(rest) : NULL;
	answer_all(p, first);
	free(first);
	wait_saved(p);
}

/* ---- commands ---- */

static void
print_help(void)
{
	const struct deed *d;

	printf("list [open|unanswered|overdue|all]: the tickets, the most "
	       "urgent first\n"
	       "next: more of the list\n"
	       "open N, or N alone: one ticket; its sender is told that we "
	       "have seen it\n"
	       "search WORDS: only those with all of them, in the list or in "
	       "a text; search alone: all\n"
	       "news: what is new or has changed\n"
	       "wait: until something is\n"
	       "state: the broker, and what is queued\n");
	for (d = deeds; d->word != NULL; d++)
		printf("%s N: %s\n", d->word, d->help);
	printf("help, quit\n"
	       "N is a number of the list that was printed last, or an id.\n");
}

/* False: it is over. */
static bool
obey(struct plain *p, char *line)
{
	char *rest = line, *word = next_word(&rest);
	const struct deed *d = model_deed(word);

	(void)work_news(p->w);
	if (word[0] == '\0')
		return true;
	if (strcmp(word, "quit") == 0 || strcmp(word, "q") == 0)
		return false;
	if (d != NULL)
		act(p, d, rest);
	else if (strcmp(word, "list") == 0)
		list(p, rest);
	else if (strcmp(word, "next") == 0)
		print_more(p);
	else if (strcmp(word, "open") == 0)
		open_one(p, rest);
	else if (word[strspn(word, "0123456789")] == '\0')
		open_one(p, word);
	else if (strcmp(word, "search") == 0)
		search(p, rest);
	else if (strcmp(word, "news") == 0)
		printf("%zu new or changed\n", tell_news(p, true));
	else if (strcmp(word, "wait") == 0)
		wait_for_news(p);
	else if (strcmp(word, "state") == 0)
		state(p);
	else if (strcmp(word, "help") == 0)
		print_help();
	else
		printf("There is no command of that name; help lists all.\n");
	return true;
}

/* What a file or a pipe holds is done line by line, as typed. */
int
plain_run(struct work *w)
{
	struct plain p = { .w = w, .prompt = isatty(STDIN_FILENO) };
	char *line, *mine;
	bool on = true;

	first_rows(&p);
	state(&p);
	print_list(&p);
	(void)tell_news(&p, false);
	if (p.prompt)
		printf("help lists the commands\n");
	while (on && (line = read_line(&p, "desk> ")) != NULL) {
		mine = strdup(line); /* questions read lines of their own */
		on = mine != NULL && obey(&p, mine);
		free(mine);
	}
	free(p.line);
	free(p.number);
	free(p.known);
	return 0;
}
