/* SPDX-License-Identifier: ISC */
/*
 * Readers: steps, attempts, what is set aside; and that who answers and commits
 * in one call answers once, killed at whatever moment. KILLS says how often,
 * SEED repeats the choice of moments.
 */
#include "client/handle.h"
#include "client/intake.h"
#include "tests/lib/home.h"
#include "tests/lib/kill.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* We are singcert@sg/desk1; what comes is of mycert@my/desk1. */
static struct fixture f;
static struct tocsin *t;
static char dir[512];
static uint64_t cursor;

static void
open_it(void)
{
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
}

static void
reopen(void)
{
	tocsin_close(t);
	open_it();
}

static void
arrive(uint64_t n)
{
	uint8_t prev[ID_LEN];
	struct fx_ticket k;

	memset(prev, (int)n, sizeof(prev));
	fixture_ticket(
	    &k, &f, "mycert@my/desk1", "singcert@sg", 2 * n, prev, NULL, NULL);
	home_give(
	    &t->parts, &f, &cursor, 1, buf_span(&k.note), buf_span(&k.body));
	fx_ticket_release(&k);
}

static void
begin(uint64_t tickets)
{
	uint64_t n;

	cursor = 0;
	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	open_it();
	for (n = 1; n <= tickets; n++)
		arrive(n);
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

static uint64_t
next(const char *reader)
{
	struct tocsin_message *m = NULL;
	uint64_t n;

	if (tocsin_next(t, reader, 0, &m) != TOCSIN_OK)
		return 0;
	n = m->number;
	tocsin_message_free(m);
	return n;
}

static void
id_of(const char *reader, char id[TOCSIN_ID_TEXT])
{
	struct tocsin_message *m = NULL;

	if (tocsin_next(t, reader, 0, &m) != TOCSIN_OK)
		abort();
	memcpy(id, m->id, TOCSIN_ID_TEXT);
	tocsin_message_free(m);
}

/* How many messages of ours stand in a thread; all of ours for NULL. */
static size_t
answers(const char *id)
{
	struct tocsin_list *l = NULL;
	size_t i, n = 0;

	if (tocsin_thread(t, id, &l) != TOCSIN_OK)
		abort();
	for (i = 0; i < l->n; i++)
		n += l->message[i]->own;
	tocsin_list_free(l);
	return n;
}

/* An answer of two messages to the ticket, and the step. */
static enum tocsin_err
answer(const char *reader, uint64_t number, const char *id)
{
	const struct tocsin_draft d[] = {
		{ .kind = "ack", .thread = id, .answer = "accepted" },
		{ .kind = "update", .thread = id, .text = "We are on it." },
	};
	char ids[2][TOCSIN_ID_TEXT];

	return tocsin_commit_post(t, reader, number, d, 2, ids);
}

static void
test_step(void)
{
	char id[TOCSIN_ID_TEXT];

	begin(3);
	id_of("bot", id);
	is_int(answer("bot", 1, id), TOCSIN_OK, "a reader answers and commits");
	reopen();
	ok(next("bot") == 2 && answers(id) == 2,
	    "both are there after a crash");
	is_int(answer("bot", 1, id), TOCSIN_EDUPLICATE,
	    "who comes too late is told so");
	is_int((long long)answers(id), 2, "and has written nothing");
	is_int(answer("bot", 99, id), TOCSIN_EUSAGE,
	    "nor who answers what is not here");
	is_int(tocsin_commit_post(t, "bot", 2,
		   (const struct tocsin_draft[]){
		       { .kind = "ack", .thread = id, .answer = "accepted" },
		       { .kind = "ack", .thread = id, .answer = "perhaps" } },
		   2, NULL),
	    TOCSIN_EUSAGE, "of two answers one is wrong");
	ok(answers(id) == 2 && next("bot") == 2,
	    "so neither is sent, and the reader stays");
	is_int(tocsin_commit_post(t, "bot", 2,
		   (const struct tocsin_draft[]){
		       { .kind = "ack", .thread = id, .answer = "accepted" },
		       { .kind = "escalate",
			   .thread = id,
			   .to = (const char *const[]){ "nobody@la", NULL } } },
		   2, NULL),
	    TOCSIN_EPOLICYDENIED, "the second may not be sent");
	ok(answers(id) == 2 && next("bot") == 2, "the same");
	is_int(tocsin_commit_post(t, "bot", 2, NULL, 0, NULL), TOCSIN_OK,
	    "a step needs no answer");
	ok(next("bot") == 3, "and is one");
	end();
}

static void
test_attempts(void)
{
	unsigned n = 0, left = 0;

	begin(3);
	is_int(tocsin_begin(t, "bot", 1, 3, &n, &left), TOCSIN_OK,
	    "a reader says that it begins");
	ok(n == 1 && left == 2, "for the first time of three");
	reopen();
	ok(tocsin_begin(t, "bot", 1, 3, &n, &left) == TOCSIN_OK && n == 2 &&
		left == 1,
	    "a crash later it is the second time");
	ok(tocsin_begin(t, "other", 1, 3, &n, &left) == TOCSIN_OK && n == 1,
	    "and the first of another reader");
	ok(tocsin_begin(t, "bot", 1, 3, &n, &left) == TOCSIN_OK && n == 3 &&
		left == 0,
	    "the third is the last");
	ok(tocsin_begin(t, "bot", 1, 3, &n, &left) == TOCSIN_OK && n == 0,
	    "there is no fourth");
	ok(tocsin_begin(t, "bot", 1, 0, &n, &left) == TOCSIN_OK && n == 4 &&
		left > 0,
	    "unless there is no limit");
	ok(tocsin_commit(t, "bot", 1) == TOCSIN_OK &&
		tocsin_begin(t, "bot", 2, 3, &n, &left) == TOCSIN_OK && n == 1,
	    "the next message is begun for the first time");
	is_int(tocsin_begin(t, "bot", 1, 3, &n, &left), TOCSIN_EDUPLICATE,
	    "what is handled is not begun");
	end();
}

static size_t
aside(const char *reader, unsigned *attempts, bool *again)
{
	struct tocsin_asides *l = NULL;
	size_t n;

	if (tocsin_asides(t, reader, &l) != TOCSIN_OK)
		abort();
	n = l->n;
	if (n > 0) {
		*attempts = l->aside[0].attempts;
		*again = l->aside[0].again;
	}
	tocsin_asides_free(l);
	return n;
}

static void
test_aside(void)
{
	unsigned n = 0, left = 0, attempts = 0;
	bool again = false;
	char id[TOCSIN_ID_TEXT];

	begin(3);
	id_of("bot", id);
	ok(tocsin_begin(t, "bot", 1, 2, &n, &left) == TOCSIN_OK &&
		tocsin_begin(t, "bot", 1, 2, &n, &left) == TOCSIN_OK &&
		tocsin_set_aside(t, "bot", 1, "it fell") == TOCSIN_OK,
	    "what fails twice is set aside");
	reopen();
	ok(next("bot") == 2, "the reader goes on");
	ok(aside("bot", &attempts, &again) == 1 && attempts == 2 && !again,
	    "and the message is listed");
	ok(aside("bo", &attempts, &again) == 0 &&
		aside("t", &attempts, &again) == 0,
	    "for this reader only");
	is_int(tocsin_again(t, "other", id), TOCSIN_ENOTFOUND,
	    "another has nothing to try again");
	is_int(tocsin_again(t, "bot", id), TOCSIN_OK, "this one has");
	reopen();
	ok(next("bot") == 1, "which comes before all else");
	ok(tocsin_begin(t, "bot", 1, 2, &n, &left) == TOCSIN_OK && n == 3 &&
		left == 1,
	    "for the third time, with two to go again");
	ok(tocsin_set_aside(t, "bot", 1, "again") == TOCSIN_OK &&
		next("bot") == 2 && aside("bot", &attempts, &again) == 1 &&
		attempts == 3,
	    "it may be set aside again");
	ok(tocsin_again(t, "bot", id) == TOCSIN_OK &&
		answer("bot", 1, id) == TOCSIN_OK,
	    "and be answered at last");
	ok(next("bot") == 2 && aside("bot", &attempts, &again) == 0,
	    "then it is off the list");
	is_int(answer("bot", 1, id), TOCSIN_EDUPLICATE, "and is so once");
	ok(tocsin_set_aside(t, "bot", 2, "") == TOCSIN_OK &&
		tocsin_rewind(t, "bot") == TOCSIN_OK && next("bot") == 1 &&
		aside("bot", &attempts, &again) == 0,
	    "who goes back to the start has nothing aside");
	end();
}

/* ---- killed ---- */

/* ---- several under way, and other places ---- */

static uint64_t
next_after(const char *reader, uint64_t after)
{
	struct tocsin_message *m = NULL;
	uint64_t n;

	if (tocsin_next_after(t, reader, after, 0, &m) != TOCSIN_OK)
		return 0;
	n = m->number;
	tocsin_message_free(m);
	return n;
}

static uint64_t
place(const char *reader)
{
	uint64_t n = 99;

	return tocsin_place_of(t, reader, &n) == TOCSIN_OK ? n : 99;
}

static void
test_window(void)
{
	begin(4);
	ok(place("bot") == 0 && next_after("bot", 0) == 1 &&
		next_after("bot", 1) == 2 && next_after("bot", 2) == 3,
	    "a reader may have several under way");
	ok(next("bot") == 1, "which are not handled by that");
	ok(tocsin_commit(t, "bot", 2) == TOCSIN_OK && place("bot") == 2 &&
		next("bot") == 3,
	    "a commit is of all up to its number");
	ok(next_after("bot", 1) == 3, "and none of them comes again");
	ok(next_after("bot", 4) == 0, "after the last there is none");
	ok(tocsin_set_aside(t, "bot", 3, "later") == TOCSIN_OK &&
		next_after("bot", 3) == 4,
	    "what is aside is passed over");
	is_int(tocsin_next_after(t, "", 0, 0, &(struct tocsin_message *){ 0 }),
	    TOCSIN_EUSAGE, "a reader has a name");
	end();
}

/* The clock of this desk, as the n-th message came. */
static void
came_at(uint64_t n, int64_t when)
{
	struct desk_message row;
	struct desk_tx *tx;

	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	row.arrived = when;
	if (desk_update(tx, &row) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
}

static void
test_seek(void)
{
	bool again;
	unsigned n;
	uint64_t i;

	begin(4);
	for (i = 1; i <= 4; i++)
		came_at(i, 1000 * (int64_t)i);
	ok(tocsin_seek(t, "bot", 2000) == TOCSIN_OK && next("bot") == 2,
	    "a new reader may begin with what came at some time");
	ok(tocsin_seek(t, "bot", 2001) == TOCSIN_OK && next("bot") == 3,
	    "or later");
	ok(tocsin_seek(t, "bot", 9000) == TOCSIN_OK && next("bot") == 0,
	    "or with what will come");
	if (tocsin_seek(t, "bot", 0) != TOCSIN_OK ||
	    tocsin_set_aside(t, "bot", 1, "why") != TOCSIN_OK ||
	    tocsin_set_aside(t, "bot", 2, "why") != TOCSIN_OK ||
	    tocsin_set_aside(t, "bot", 3, "why") != TOCSIN_OK)
		abort();
	ok(tocsin_seek(t, "bot", 2000) == TOCSIN_OK && next("bot") == 2 &&
		aside("bot", &n, &again) == 1,
	    "what comes again is not aside, what does not come is");
	came_at(3, 500); /* it was held, and has another number since */
	ok(tocsin_seek(t, "bot", 2000) == TOCSIN_OK && next("bot") == 2 &&
		tocsin_seek(t, "bot", 3000) == TOCSIN_OK && next("bot") == 4,
	    "a clock that went back leaves nothing out");
	end();
}

/* Answers all that there is, in a process of its own; 0 at the end of it. */
static int
child(void)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = TOCSIN_OK;

	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK ||
	    write(STDOUT_FILENO, "r", 1) != 1)
		return 1;
	while (err == TOCSIN_OK) {
		err = tocsin_next(t, "bot", 0, &m);
		if (err != TOCSIN_OK)
			break;
		err = answer("bot", m->number, m->id);
		tocsin_message_free(m);
	}
	return err == TOCSIN_ETIMEOUT ? 0 : 1;
}

static void
test_killed(const char *self)
{
	const unsigned kills = kill_number("KILLS", 25);
	const unsigned seed =
	    kill_number("SEED", (unsigned)time(NULL) % 100000);
	unsigned state = seed, k, once = 0;
	struct tocsin_list *l = NULL;
	bool failed = false;
	size_t i;

	diag("SEED=%u KILLS=%u", seed, kills);
	begin(3 * kills);
	tocsin_close(t);
	for (k = 0; k < kills && !failed; k++) {
		state = state * 1103515245 + 12345;
		if (!kill_child(self, dir, (state >> 8) % 25000, &failed))
			break;
	}
	if (k < kills)
		diag("all was answered after %u kills", k);
	while (!failed && kill_child(self, dir, 900000, &failed))
		;
	open_it();
	ok(!failed && next("bot") == 0, "killed %u times, it comes to the end",
	    k);
	if (tocsin_tickets(t, &l) != TOCSIN_OK)
		abort();
	for (i = 0; i < l->n; i++)
		once += answers(l->message[i]->id) == 2;
	ok(l->n == 3 * kills && once == l->n,
	    "and has answered each of %zu tickets once (seed %u)", l->n, seed);
	tocsin_list_free(l);
	end();
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		snprintf(dir, sizeof(dir), "%s", argv[2]);
		_exit(child());
	}
	test_step();
	test_attempts();
	test_aside();
	test_window();
	test_seek();
	test_killed(argv[0]);
	return tap_done();
}
