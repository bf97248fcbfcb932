/* SPDX-License-Identifier: ISC */
/*
 * What is posted under a key of the caller's is posted once: repeated, in
 * another process, beside a reader's step, with attachments that are gone, and
 * by one that is killed at whatever moment. KILLS says how often, SEED repeats
 * the choice of moments.
 */
#include "client/once.h"

#include "client/handle.h"
#include "tests/lib/home.h"
#include "tests/lib/kill.h"
#include "tests/lib/nth.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY (24 * 60 * 60)

static struct fixture f;
static struct tocsin *t;
static char dir[512];

static const char *const to_my[] = { "mycert@my", NULL };

static void
open_it(void)
{
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
}

static void
begin(void)
{
	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	open_it();
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

static struct tocsin_draft
ticket(const char *key, bool *repeated)
{
	return (struct tocsin_draft){ .kind = "report",
		.to = to_my,
		.tlp = "AMBER",
		.subject = "Beacons",
		.once = key,
		.repeated = repeated };
}

static struct tocsin_draft
note(const char *thread, const char *key, bool *repeated)
{
	return (struct tocsin_draft){ .kind = "update",
		.thread = thread,
		.text = "Still there.",
		.once = key,
		.repeated = repeated };
}

static size_t
messages(void)
{
	struct desk_tx *tx;
	uint64_t n = 0;
	size_t count = 0;

	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	while (desk_next(tx, n, &n) == TOCSIN_OK)
		count++;
	desk_end(tx);
	return count;
}

/* Values of the desk whose names begin so. */
static size_t
values(const char *prefix)
{
	struct span name = { 0 }, value;
	struct desk_tx *tx;
	size_t n = 0;

	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	while (desk_value_next(tx, prefix, &name, &value) == TOCSIN_OK)
		n++;
	desk_end(tx);
	return n;
}

static bool
post(struct tocsin_draft d, char id[TOCSIN_ID_TEXT])
{
	enum tocsin_err err = tocsin_post(t, &d, id);

	if (err != TOCSIN_OK)
		diag("%s", tocsin_error(t));
	return err == TOCSIN_OK;
}

static enum tocsin_err
refused(struct tocsin_draft d)
{
	char id[TOCSIN_ID_TEXT];

	return tocsin_post(t, &d, id);
}

static void
test_repeat(void)
{
	char first[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT], said[TOCSIN_ID_TEXT];
	bool repeated = true;

	begin();
	ok(post(ticket("alarm 17", &repeated), first) && !repeated,
	    "a ticket is posted under a key");
	ok(post(ticket("alarm 17", &repeated), id) && repeated &&
		strcmp(id, first) == 0 && messages() == 1,
	    "again: nothing is written, and the id is that of the first");
	tocsin_close(t);
	open_it();
	ok(post(ticket("alarm 17", NULL), id) && strcmp(id, first) == 0 &&
		messages() == 1,
	    "another process of the home knows the key, too");
	ok(post(ticket("alarm 18", &repeated), id) && !repeated &&
		strcmp(id, first) != 0 && messages() == 2,
	    "another key is another ticket");
	ok(post(ticket(NULL, &repeated), id) && !repeated && messages() == 3,
	    "and what has none is a new one each time");
	ok(post(note(first, "note", &repeated), said) && !repeated &&
		post(note(first, "note", &repeated), id) && repeated &&
		strcmp(id, said) == 0 && messages() == 4,
	    "so it is with what is said in a ticket");
	end();
}

static void
test_refused(void)
{
	char first[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT];
	struct tocsin_draft bad = ticket("bad", NULL);
	char longest[ONCE_KEY_MAX + 2];
	bool repeated = true;

	begin();
	memset(longest, 'k', sizeof(longest));
	longest[ONCE_KEY_MAX + 1] = '\0';
	is_int(refused(ticket(longest, NULL)), TOCSIN_EUSAGE,
	    "a key has %d bytes at most", ONCE_KEY_MAX);
	ok(post(ticket(longest + 1, NULL), id), "and may have as many");
	is_int(refused(ticket("", NULL)), TOCSIN_EUSAGE, "and one at least");
	is_int(refused(ticket("a\nb", NULL)), TOCSIN_EUSAGE, "all printable");
	is_int(
	    refused(ticket("\303\251", NULL)), TOCSIN_EUSAGE, "and of ASCII");

	bad.tlp = "PURPLE";
	is_int(refused(bad), TOCSIN_EUSAGE, "what is refused is not posted");
	ok(post(ticket("bad", &repeated), first) && !repeated,
	    "so its key is free for what is better");
	is_int(refused(note(first, "bad", NULL)), TOCSIN_OK,
	    "of the same ticket it stands for the first");
	is_int(refused(note(id, "bad", NULL)), TOCSIN_EUSAGE,
	    "in another ticket it would hide what is said, and is refused");
	ok(strstr(tocsin_error(t), "another ticket") != NULL,
	    "with a sentence");
	is_int(refused(ticket("bad", NULL)), TOCSIN_OK,
	    "the ticket itself is known");
	ok(post(note(first, "said", NULL), id) &&
		refused(ticket("said", NULL)) == TOCSIN_EUSAGE,
	    "and a word in one is no new ticket");
	end();
}

/* A message of ours is as good as any to be handled. */
static void
test_step(void)
{
	char first[TOCSIN_ID_TEXT], ids[3][TOCSIN_ID_TEXT];
	struct tocsin_message *m = NULL;
	struct tocsin_draft d[3];
	bool repeated[3];

	begin();
	if (!post(ticket(NULL, NULL), first))
		abort();
	d[0] = note(first, "a", &repeated[0]);
	d[1] = note(first, "b", &repeated[1]);
	d[2] = note(first, "a", &repeated[2]);
	ok(tocsin_commit_post(t, "bot", 1, d, 3, ids) == TOCSIN_OK &&
		!repeated[0] && !repeated[1] && repeated[2] &&
		strcmp(ids[0], ids[2]) == 0 && messages() == 3,
	    "three answers with a step, of two keys: two are posted");
	is_int(tocsin_commit_post(t, "bot", 1, d, 3, ids), TOCSIN_EDUPLICATE,
	    "who comes too late is told so");
	d[1] = note(first, "c", &repeated[1]);
	ok(tocsin_commit_post(t, "other", 1, d, 2, ids) == TOCSIN_OK &&
		repeated[0] && !repeated[1] && messages() == 4,
	    "another reader of the same says what was not said");
	ok(tocsin_next(t, "other", 0, &m) == TOCSIN_ETIMEOUT,
	    "and has made its step");
	d[0] = note(first, "d", NULL);
	d[1] = note("nowhere", "e", NULL);
	ok(tocsin_commit_post(t, "third", 1, d, 2, ids) != TOCSIN_OK &&
		messages() == 4 && values("once/") == 3,
	    "what is refused together leaves no key either");
	end();
}

static void
test_attachments(void)
{
	char path[600], first[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT];
	struct tocsin_attachment a = { .path = path };
	struct tocsin_draft d = ticket("with a file", NULL);
	FILE *to;
	size_t files;

	begin();
	snprintf(path, sizeof(path), "%s/sample", scratch());
	to = fopen(path, "w");
	if (to == NULL || fputs("bytes", to) < 0 || fclose(to) != 0)
		abort();
	d.attachments = &a;
	d.nattachments = 1;
	ok(post(d, first), "a ticket with an attachment");
	files = home_files(dir, "spool");
	ok(post(d, id) && strcmp(id, first) == 0 &&
		home_files(dir, "spool") == files,
	    "is not sealed a second time");
	(void)remove(path);
	ok(post(d, id) && strcmp(id, first) == 0, "and needs the file no more");
	end();
}

/* ---- forgetting ---- */

static void
put(const char *key, int64_t now)
{
	uint8_t id[ID_LEN] = { 7 };
	struct desk_tx *tx;

	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    once_put(tx, key, id, now) != TOCSIN_OK ||
	    desk_commit(tx) != TOCSIN_OK)
		abort();
}

static bool
known(const char *key)
{
	uint8_t id[ID_LEN];
	struct desk_tx *tx;
	enum tocsin_err err;

	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	err = once_find(tx, key, id);
	desk_end(tx);
	return err == TOCSIN_OK;
}

static void
test_forgets(void)
{
	const int64_t start = 1700000000;
	char key[32];
	int i;

	begin();
	for (i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "old %d", i);
		put(key, start + i);
	}
	put("later", start + (int64_t)ONCE_DAYS * DAY);
	ok(known("old 0"), "a key is known for %d days", ONCE_DAYS);
	put("ahead", start + (int64_t)2000 * DAY);
	ok(!known("old 0") && !known("old 1") && known("old 2"),
	    "a clock that runs ahead takes two keys with each, the oldest");
	put("back", start + (int64_t)ONCE_DAYS * DAY + 5);
	ok(!known("old 2") && !known("old 3") && known("old 4"),
	    "what is too old goes by and by");
	for (i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "new %d", i);
		put(key, start + (int64_t)(ONCE_DAYS + 1) * DAY + i);
	}
	ok(!known("old 9") && known("later") && known("ahead") &&
		known("new 0"),
	    "all of it, and nothing else");
	is_int((long long)values("once-at/"), (long long)values("once/"),
	    "the list by time has what there is");
	put("before all time", -5);
	ok(known("before all time"), "a clock before 1970 is no failure");
	end();
}

/* ---- whatever fails ---- */

static void
test_nth(void)
{
	char first[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT];
	struct tocsin_draft d = ticket("nth", NULL);
	bool posted, met, clean = true;
	unsigned n = 0;

	begin();
	do {
		nth_set_mine(++n);
		posted = tocsin_post(t, &d, first) == TOCSIN_OK;
		met = nth_clear();
		if (met && !posted)
			clean = messages() == 0 && values("once") == 0;
	} while (clean && met && !posted);
	ok(clean && posted && messages() == 1 && values("once") == 2,
	    "whichever of %u calls fails, there is neither message nor key", n);
	ok(post(d, id) && strcmp(id, first) == 0, "and then there are both");
	end();
}

/* ---- killed ---- */

#define POSTS 40

/* Posts all, again and again, without a memory of its own. */
static int
child(void)
{
	char key[32], first[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT];
	int i;

	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK ||
	    write(STDOUT_FILENO, "r", 1) != 1)
		return 1;
	if (!post(ticket("ticket", NULL), first))
		return 1;
	for (i = 0; i < POSTS; i++) {
		snprintf(key, sizeof(key), "%.14s/note/%d", first, i);
		if (!post(note(first, key, NULL), id))
			return 1;
	}
	return 0;
}

static void
test_killed(const char *self)
{
	const unsigned kills = kill_number("KILLS", 25);
	const unsigned seed =
	    kill_number("SEED", (unsigned)time(NULL) % 100000);
	unsigned state = seed, k;
	bool failed = false;

	diag("SEED=%u KILLS=%u", seed, kills);
	begin();
	tocsin_close(t);
	for (k = 0; k < kills && !failed; k++) {
		state = state * 1103515245 + 12345;
		kill_child(self, dir, (state >> 8) % 40000, &failed);
	}
	while (!failed && kill_child(self, dir, 900000, &failed))
		;
	open_it();
	ok(!failed, "killed %u times, it comes to the end", k);
	ok(messages() == 1 + POSTS,
	    "and each of %d messages was posted once (seed %u)", 1 + POSTS,
	    seed);
	end();
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		snprintf(dir, sizeof(dir), "%s", argv[2]);
		_exit(child());
	}
	test_repeat();
	test_refused();
	test_step();
	test_attachments();
	test_forgets();
	test_nth();
	test_killed(argv[0]);
	return tap_done();
}
