/* SPDX-License-Identifier: ISC */
/*
 * A broker that gives a live desk what is of an exercise, and a desk of the
 * exercise what is live; and a member with good keys that seals to the readers
 * of the other side, so that their keys would open it. What an officer sees of
 * that are rows that say why they are refused, and nothing else follows.
 */
#include "crypto/receipt.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXERCISE "Acid.2026"
#define MISMATCH "exercise-mismatch"

static struct fixture f;
static struct fakebroker *broker;
static char program[600];
static char *out; /* of the last command */

/* ---- what goes between ---- */

/* In the order in which they are made: two chains of two devices. */
enum what {
	LIVE,	      /* a live ticket */
	PLAYED,	      /* one of the exercise */
	LIVE_AS_PLAY, /* live, signed by a player */
	PLAY_AS_LIVE, /* of the exercise, signed by a live device */
	PLAY_IN_LIVE, /* a player's update in the live ticket */
	LIVE_IN_PLAY, /* a live device's in that of the exercise */
	PLAY_RECALL,  /* a player takes the live ticket back */
	LIVE_RECALL,  /* and a live device that of the exercise */
	OWN_LIVE,     /* ours */
	OWN_PLAYED,
	WHATS
};

static struct fx_ticket ticket[WHATS];
static char text[WHATS][ID_TEXT + 1];

static const struct made {
	const char *device;
	const char *exercise;
	enum what about; /* itself: nothing */
	enum ticket_kind kind;
} made[WHATS] = {
	[LIVE] = { "mycert@my/desk1", "", LIVE, TICKET_REPORT },
	[PLAYED] = { "mycert@my/play1", EXERCISE, PLAYED, TICKET_REPORT },
	[LIVE_AS_PLAY] = { "mycert@my/play1", "", LIVE_AS_PLAY, TICKET_REPORT },
	[PLAY_AS_LIVE] = { "mycert@my/desk1", EXERCISE, PLAY_AS_LIVE,
	    TICKET_REPORT },
	[PLAY_IN_LIVE] = { "mycert@my/play1", EXERCISE, LIVE, TICKET_UPDATE },
	[LIVE_IN_PLAY] = { "mycert@my/desk1", "", PLAYED, TICKET_UPDATE },
	[PLAY_RECALL] = { "mycert@my/play1", EXERCISE, LIVE, TICKET_RECALL },
	[LIVE_RECALL] = { "mycert@my/desk1", "", PLAYED, TICKET_RECALL },
	[OWN_LIVE] = { "singcert@sg/desk1", "", OWN_LIVE, TICKET_REPORT },
	[OWN_PLAYED] = { "singcert@sg/play1", EXERCISE, OWN_PLAYED,
	    TICKET_REPORT },
};

static void
draft(struct ticket *t, void *arg)
{
	const struct made *m = arg;

	t->exercise = span_of(m->exercise);
	t->kind = m->kind;
	t->precedence = TICKET_FLASH;
	t->ackby = m->kind == TICKET_REPORT ? t->time + 60 : 0;
	if (m == &made[m->about])
		return;
	t->has_thread = true;
	memcpy(t->thread, ticket[m->about].id, ID_LEN);
	memcpy(t->ref[t->nref++], ticket[m->about].id, ID_LEN);
}

static void
make_tickets(void)
{
	static const char *const device[] = { "mycert@my/desk1",
		"mycert@my/play1", "singcert@sg/desk1", "singcert@sg/play1" };
	uint64_t seq[4] = { 0 };
	const uint8_t *last[4] = { NULL };
	char content[256];
	unsigned i, d;

	for (i = 0; i < WHATS; i++) {
		snprintf(content, sizeof(content),
		    "{\"subject\":\"Words of %u.\",\"severity\":\"I\","
		    "\"text\":\"It calls c%u.example\"}",
		    i, i);
		f.content = content;
		for (d = 0; strcmp(device[d], made[i].device) != 0; d++)
			;
		fixture_ticket(&ticket[i], &f, device[d],
		    d < 2 ? "singcert@sg" : "mycert@my", ++seq[d], last[d],
		    draft, (void *)(uintptr_t)&made[i]);
		last[d] = ticket[i].id;
		id_print(text[i], ticket[i].id);
	}
}

/* One receipt about what is ours on both sides, which none may be. */
static void
mail_receipt(void)
{
	struct receipt *r = xmalloc(sizeof(*r));
	struct buf note = { 0 };
	uint8_t sk[64];

	receipt_init(r, FX_FEDERATION, "my", f.now);
	fixture_sign_key(sk, "my/sign");
	if (!receipt_stored(r, ticket[OWN_LIVE].id, 7) ||
	    !receipt_stored(r, ticket[OWN_PLAYED].id, 8) ||
	    receipt_sign(&note, r, sk) != TOCSIN_OK)
		abort();
	fb_mail(broker, 4, buf_span(&note), (struct span){ 0 }, false);
	buf_release(&note);
	free(r);
}

static void
add_player(struct keys *k, void *arg)
{
	(void)arg;
	fixture_add_device(k, "play1", KEYS_OFFICER, EXERCISE);
}

static void
begin(void)
{
	unsigned i;

	fixture_init(&f, "sg my");
	fixture_next_keys(&f, 0, add_player, NULL);
	fixture_next_keys(&f, 1, add_player, NULL);
	make_tickets();
	broker = fb_new(&f, "sg");
	for (i = 0; i < WHATS; i++)
		fb_mail(broker, 1, buf_span(&ticket[i].note),
		    buf_span(&ticket[i].body), false);
	mail_receipt();
}

/* ---- homes ---- */

static void
make_home(char dir[512], const char *device, const char *exercise)
{
	char path[640];
	FILE *config;

	home_make(dir, &f, device, fb_url(broker));
	snprintf(path, sizeof(path), "%s/config", dir);
	config = *exercise ? fopen(path, "a") : NULL;
	if (config != NULL) {
		fprintf(config, "exercise %s\n", exercise);
		fclose(config);
	}
}

/* The reason that the desk keeps it with; NOTFOUND: it has none. */
static enum tocsin_err
kept(const char *dir, enum what w, bool *body)
{
	struct desk_message m = { 0 };
	struct desk_tx *tx;
	struct home h;
	enum tocsin_err err;
	uint64_t n;

	home_open(&h, dir);
	if (desk_read(h.desk, &tx) != TOCSIN_OK)
		abort();
	err = desk_find(tx, ticket[w].id, &n);
	if (err == TOCSIN_OK)
		err = desk_get(tx, n, &m);
	*body = m.body.n > 0;
	desk_end(tx);
	home_close(&h);
	return err != TOCSIN_OK ? err : m.refused;
}

/* ---- the officer's commands ---- */

/* Its status; what it says, on both streams, is in `out`. */
static int
tocsin(const char *dir, const char *args)
{
	char cmd[2048];
	size_t n = 0, got;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "TOCSIN_HOME='%s' '%s' %s 2>&1 </dev/null",
	    dir, program, args);
	p = popen(cmd, "r");
	if (p == NULL)
		abort();
	free(out);
	out = xmalloc(1 << 20);
	while (n + 1 < 1 << 20 &&
	       (got = fread(out + n, 1, (1 << 20) - 1 - n, p)) > 0)
		n += got;
	out[n] = '\0';
	return WEXITSTATUS(pclose(p));
}

static int
of(const char *dir, const char *before, enum what w, const char *behind)
{
	char args[512];

	snprintf(args, sizeof(args), "%s %s %s", before, text[w], behind);
	return tocsin(dir, args);
}

static bool
has_words(enum what w)
{
	char subject[32], host[32];

	snprintf(subject, sizeof(subject), "Words of %u.", (unsigned)w);
	snprintf(host, sizeof(host), "c%u.example", (unsigned)w);
	return strstr(out, subject) != NULL || strstr(out, host) != NULL;
}

/* ---- the two sides ---- */

struct side {
	const char *name;
	const char *device;
	const char *exercise;
	enum what good, crossing, own, theirs, recall, update;
};

static const struct side sides[] = {
	{ "live", "singcert@sg/desk1", "", LIVE, PLAYED, OWN_LIVE, OWN_PLAYED,
	    LIVE_RECALL, PLAY_IN_LIVE },
	{ "exercise", "singcert@sg/play1", EXERCISE, PLAYED, LIVE, OWN_PLAYED,
	    OWN_LIVE, PLAY_RECALL, LIVE_IN_PLAY },
};

static void
test_rows(const char *dir, const struct side *s)
{
	static const enum what bad[] = { LIVE_AS_PLAY, PLAY_AS_LIVE };
	bool body;
	unsigned i;

	is_int(kept(dir, s->good, &body), TOCSIN_OK, "%s: its own is taken",
	    s->name);
	is_int(kept(dir, s->own, &body), TOCSIN_OK, "%s: so is what it sent",
	    s->name);
	for (i = 0; i < 2; i++)
		is_int(kept(dir, bad[i], &body), TOCSIN_EEXERCISEMISMATCH,
		    "%s: what the wrong device signed is refused (%u)", s->name,
		    i);
	is_int(kept(dir, s->crossing, &body), TOCSIN_EEXERCISEMISMATCH,
	    "%s: what is not of it is refused, also when its own recall it",
	    s->name);
	is_int(kept(dir, s->theirs, &body), TOCSIN_EEXERCISEMISMATCH,
	    "%s: also what its own team sent", s->name);
	is_int(kept(dir, s->update, &body), TOCSIN_EEXERCISEMISMATCH,
	    "%s: and what would be an update", s->name);
	is_int(kept(dir, s->recall, &body), TOCSIN_OK,
	    "%s: that recall is kept", s->name);
}

static void
test_lists(const char *dir, const struct side *s)
{
	is_int(of(dir, "show", s->good, ""), 0, "%s: its ticket is shown",
	    s->name);
	ok(has_words(s->good), "%s: with its text", s->name);
	ok(strstr(out, MISMATCH) != NULL,
	    "%s: and beside it the row that is refused", s->name);
	(void)tocsin(dir, "inbox --json");
	ok(strstr(out, text[s->good]) != NULL, "%s: the inbox has it", s->name);
	(void)of(dir, "show", s->crossing, "--no-receipt");
	ok(strstr(out, MISMATCH) != NULL && !has_words(s->crossing),
	    "%s: the other side's has no text, but its reason", s->name);
	(void)of(dir, "why", s->crossing, "");
	ok(strstr(out, MISMATCH) != NULL, "%s: and why says it", s->name);
	(void)tocsin(dir, "find example --json");
	ok(strstr(out, text[s->good]) != NULL && !has_words(s->crossing) &&
		!has_words(LIVE_AS_PLAY) && !has_words(PLAY_AS_LIVE),
	    "%s: find does not find it by what it says", s->name);
}

static void
test_deeds(const char *dir, const struct side *s)
{
	static const struct {
		const char *cmd, *behind;
		int status; /* those of 0 have what else is in its thread */
	} deed[] = { { "ack", "--accept", 1 },
		{ "escalate", "--to mycert@my", 1 },
		{ "share", "--to mycert@my", 1 }, { "close", "", 1 },
		{ "export", "--as misp", 0 }, { "export", "--as markdown", 0 },
		{ "export", "--as stix", 0 }, { "export", "--as bundle", 0 } };
	size_t i;

	for (i = 0; i < sizeof(deed) / sizeof(deed[0]); i++) {
		is_int(of(dir, deed[i].cmd, s->crossing, deed[i].behind),
		    deed[i].status, "%s: %s %s", s->name, deed[i].cmd,
		    deed[i].behind);
		if (!ok(!has_words(s->crossing) &&
			    (deed[i].status == 0 ||
				strstr(out, MISMATCH) != NULL),
			"%s: does nothing with what is not of it", s->name))
			diag("%s", out);
	}
}

static void
test_figures(const char *dir, const struct side *s)
{
	(void)tocsin(dir, "board --json");
	ok(strstr(out, *s->exercise ? "\"names\"" : "\"live\"") != NULL &&
		strstr(out, *s->exercise ? "mismatch" : EXERCISE) == NULL,
	    "%s: the board counts its own", s->name);
	(void)of(dir, "status", s->own, "");
	ok(strstr(out, "relayed") != NULL,
	    "%s: a receipt about both sides counts for its own", s->name);
	ok(of(dir, "status", s->theirs, "") != 0 ||
		strstr(out, "relayed") == NULL,
	    "%s: and not for the other's", s->name);
}

static void
test_events(const char *dir, const struct side *s)
{
	char *line, *rest, *event = NULL;

	is_int(tocsin(dir, "watch --json --from-start -n 4"), 0,
	    "%s: what has come is watched", s->name);
	for (line = strtok_r(out, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		if (event == NULL && strstr(line, text[s->crossing]) != NULL)
			event = line;
	ok(event != NULL && strstr(event, MISMATCH) != NULL &&
		strstr(event, "example") == NULL,
	    "%s: the event of it has the reason, and nothing else", s->name);
}

/* A rule for all that there is. */
static void
test_rules(const char *dir, const struct side *s)
{
	char path[640], args[700];
	FILE *rules;

	snprintf(path, sizeof(path), "%s/all.rules", dir);
	rules = fopen(path, "w");
	if (rules == NULL)
		abort();
	fputs("[hook bell]\nrun /bin/true\n"
	      "[rule all]\nwhen not closed\nafter 5m: notify bell\n",
	    rules);
	fclose(rules);
	snprintf(
	    args, sizeof(args), "bot --explain %s '%s'", text[s->good], path);
	ok(tocsin(dir, args) == 0 && strstr(out, "bell") != NULL,
	    "%s: a rule for all is about its own", s->name);
	snprintf(args, sizeof(args), "bot --explain %s '%s'", text[s->crossing],
	    path);
	ok(tocsin(dir, args) == 0 && strstr(out, "bell") == NULL,
	    "%s: and about nothing else", s->name);
}

int
main(int argc, char **argv)
{
	const char *b = getenv("B");
	char dir[512];
	size_t i;

	(void)argc;
	if (b != NULL)
		snprintf(program, sizeof(program), "%s/tocsin", b);
	else
		snprintf(program, sizeof(program), "%.*s/../../tocsin",
		    (int)(strrchr(argv[0], '/') - argv[0]), argv[0]);
	if (access(program, X_OK) != 0) {
		skip("there is no tocsin to run");
		return tap_done();
	}
	begin();
	for (i = 0; i < 2; i++) {
		make_home(dir, sides[i].device, sides[i].exercise);
		is_int(tocsin(dir, "inbox"), 0, "%s: it is all fetched",
		    sides[i].name);
		test_rows(dir, &sides[i]);
		test_lists(dir, &sides[i]);
		test_deeds(dir, &sides[i]);
		test_figures(dir, &sides[i]);
		test_events(dir, &sides[i]);
		test_rules(dir, &sides[i]);
	}
	for (i = 0; i < WHATS; i++)
		fx_ticket_release(&ticket[i]);
	fb_free(broker);
	fixture_release(&f);
	free(out);
	return tap_done();
}
