/* SPDX-License-Identifier: ISC */
#include "client/circle.h"
#include "client/handle.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOME_FILE 1u

static const char good[] = "; who they are\n"
			   "[@asean]\n"
			   "text = the region, as of 2026\n"
			   "members = singcert@sg, mycert@my\n"
			   "members = lacert@la  mycert@my\r\n"
			   "\n"
			   "# nobody yet\n"
			   "[@mekong]\n"
			   "  [@sea]\n"
			   "members=mycert@my\n";

static enum tocsin_err
parse(
    struct circles *c, const char *text, unsigned file, struct circle_fault *f)
{
	size_t n = strlen(text);
	/* Of the exact size, so that a read past the end is seen. */
	uint8_t *copy = memcpy(malloc(n + 1), text, n);
	uint8_t *exact = realloc(copy, n > 0 ? n : 1);
	enum tocsin_err err =
	    circles_parse(c, (struct span){ exact, n }, file, f);

	free(exact);
	return err;
}

/* ---- the file ---- */

static void
test_good(void)
{
	struct circles c = { .n = 0 };
	struct circle_fault f;
	const struct circle *a;

	ok(parse(&c, good, 0, &f) == TOCSIN_OK && c.n == 3,
	    "a file of three circles");
	a = circles_find(&c, "@asean");
	ok(a != NULL && a->n == 3 && strcmp(a->member[0], "lacert@la") == 0 &&
		strcmp(a->member[1], "mycert@my") == 0 &&
		strcmp(a->member[2], "singcert@sg") == 0,
	    "members of several lines, in order, each once");
	ok(a != NULL && strcmp(a->text, "the region, as of 2026") == 0,
	    "what it is, in words");
	a = circles_find(&c, "@mekong");
	ok(a != NULL && a->n == 0, "one without members is one, and empty");
	ok(circles_find(&c, "asean") == NULL &&
		circles_find(&c, "@asea") == NULL,
	    "a name is a whole name, with its @");
	ok(parse(&c, "[@sea]\nmembers = lacert@la\n[@new]\n", HOME_FILE, &f) ==
		    TOCSIN_OK &&
		c.n == 4 && circles_find(&c, "@sea")->n == 1 &&
		strcmp(circles_find(&c, "@sea")->member[0], "lacert@la") == 0,
	    "the home's circle takes the place of the machine's, whole");
	circles_release(&c);
}

static void
test_wrong(void)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
		const char *what;
	} bad[] = {
		{ "members = a1@sg\n", 1, "not understood",
		    "members of no circle" },
		{ "[asean]\n", 1, "[@asean]", "a name without its @" },
		{ "[@asean\n", 1, "[@asean]", "a bracket that is missing" },
		{ "[@Asean]\n", 1, "[@asean]", "a name in capitals" },
		{ "[@asean]\nmembers = mycert\n", 2, "team@nation",
		    "a team without a nation" },
		{ "[@asean]\nmembers = mycert@my @sea\n", 2, "no circles in it",
		    "a circle in a circle" },
		{ "[@asean]\nmember = mycert@my\n", 2, "no other",
		    "a word that there is not" },
		{ "[@asean]\n\nmycert@my\n", 3, "not understood",
		    "a line that is none" },
		{ "[@asean]\n[@sea]\n[@asean]\n", 3, "twice",
		    "a circle that stands there twice" },
	};
	struct circles c = { .n = 0 };
	struct circle_fault f;
	size_t i, n;
	char cut[sizeof(good)], many[8192] = "";

	if (parse(&c, "[@old]\nmembers = mycert@my\n", 0, &f) != TOCSIN_OK)
		abort();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(parse(&c, bad[i].text, HOME_FILE, &f) == TOCSIN_EMALFORMED &&
			f.line == bad[i].line &&
			strstr(f.what, bad[i].says) != NULL && c.n == 1 &&
			circles_find(&c, "@old")->n == 1,
		    "%s is refused, with its line", bad[i].what);
	for (n = 0; n < sizeof(good); n++) {
		memcpy(cut, good, n);
		cut[n] = '\0';
		c.n = 1;
		if (parse(&c, cut, HOME_FILE, &f) == TOCSIN_EMALFORMED &&
		    (f.line == 0 || f.what[0] == '\0'))
			break;
	}
	ok(n == sizeof(good), "a file cut anywhere is judged (got to %zu)", n);
	circles_release(&c);

	for (i = 0; i <= CIRCLES_MAX; i++)
		snprintf(many + strlen(many), 32, "[@c%zu]\n", i);
	ok(parse(&c, many, 0, &f) == TOCSIN_EMALFORMED && c.n == 0,
	    "one circle too many is a fault");
	circles_release(&c);
}

static void
test_many_members(void)
{
	struct circles c = { .n = 0 };
	struct circle_fault f;
	char *text = calloc(1, 1 << 16);
	size_t i, n = 0;

	n += (size_t)sprintf(text, "[@all]\nmembers =");
	for (i = 0; i < TICKET_TO_MAX; i++)
		n += (size_t)sprintf(text + n, " team%zu@my", i);
	ok(parse(&c, text, 0, &f) == TOCSIN_OK &&
		c.circle[0].n == TICKET_TO_MAX,
	    "as many members as a ticket has, on one line");
	sprintf(text + n, " other@my");
	ok(parse(&c, text, HOME_FILE, &f) == TOCSIN_EMALFORMED && f.line == 2,
	    "one more is a fault");
	circles_release(&c);
	free(text);
}

/* ---- in a draft ---- */

static struct fixture f;
static struct tocsin *t;
static char dir[512];

static void
write_circles(const char *text)
{
	char path[640];
	FILE *to;

	snprintf(path, sizeof(path), "%s/circles.conf", dir);
	to = fopen(path, "w");
	if (to == NULL || fputs(text, to) < 0 || fclose(to) != 0)
		abort();
}

static void
begin(void)
{
	fixture_init(&f, "sg my la vn");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK) {
		diag("%s", tocsin_error(NULL));
		abort();
	}
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

static enum tocsin_err
post_to(const char *const *to, char id[TOCSIN_ID_TEXT])
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to,
		.tlp = "AMBER",
		.subject = "Beacons",
		.text = "From 192.0.2.7 every hour." };

	id[0] = '\0';
	return tocsin_post(t, &d, id);
}

static size_t
messages(void)
{
	struct desk_tx *tx;
	uint64_t at;
	size_t n = 0;

	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	for (at = 0; desk_next(tx, at, &at) == TOCSIN_OK;)
		n++;
	desk_end(tx);
	return n;
}

static void
refused(
    const char *name, enum tocsin_err want, const char *words, const char *what)
{
	const char *const to[] = { "vncert@vn", name, NULL };
	size_t before = messages();
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err = post_to(to, id);
	bool said = strstr(tocsin_error(t), words) != NULL;

	ok(err == want && said && id[0] == '\0' && messages() == before, "%s",
	    what);
	if (err != want || !said)
		diag("%s: %s", tocsin_err_name(err), tocsin_error(t));
}

static bool
is_in(struct span bytes, const char *word)
{
	return bytes.n > 0 &&
	       memmem(bytes.p, bytes.n, word, strlen(word)) != NULL;
}

/* Header, body and what is inside of it: neither name nor description. */
static bool
names_circle(const char *id)
{
	struct opened *o = calloc(1, sizeof(*o));
	struct desk_tx *tx = NULL;
	uint64_t n;
	bool named;

	if (o == NULL || begin_read(t, &tx) != TOCSIN_OK ||
	    find_message(t, tx, id, &n) != TOCSIN_OK ||
	    open_message(t, tx, n, o) != TOCSIN_OK || o->contents.json.n == 0)
		abort();
	named = is_in(buf_span(&o->note), "friends") ||
		is_in(o->contents.json, "friends") ||
		is_in(buf_span(&o->note), "whom we trust") ||
		is_in(o->contents.json, "whom we trust");
	desk_end(tx);
	opened_release(o);
	free(o);
	return named;
}

static bool
goes_to(const char *id, const char *want)
{
	struct tocsin_message *m;
	char got[256] = "";
	size_t i;

	if (tocsin_get(t, id, &m) != TOCSIN_OK)
		abort();
	for (i = 0; m->to[i] != NULL; i++) {
		strncat(got, i > 0 ? " " : "", sizeof(got) - strlen(got) - 1);
		strncat(got, m->to[i], sizeof(got) - strlen(got) - 1);
	}
	tocsin_message_free(m);
	if (strcmp(got, want) != 0)
		diag("to %s", got);
	return strcmp(got, want) == 0;
}

static const char circles_of_ours[] = "[@friends]\n"
				      "text = whom we trust\n"
				      "members = mycert@my lacert@la\n"
				      "[@empty]\n"
				      "[@gone]\n"
				      "members = mycert@my thcert@th\n"
				      "[@my]\n"
				      "members = lacert@la\n";

static void
test_post(void)
{
	static const char *const circle[] = { "@friends", "mycert@my", NULL };
	char id[TOCSIN_ID_TEXT];

	begin();
	refused("@friends", TOCSIN_EUSAGE, "nor any other",
	    "there is none before there is a file");
	write_circles(circles_of_ours);
	ok(post_to(circle, id) == TOCSIN_OK &&
		goes_to(id, "lacert@la mycert@my singcert@sg"),
	    "a circle is its members, each once, and ourselves");
	ok(!names_circle(id), "no byte of its name or description leaves");
	refused("@freinds", TOCSIN_EUSAGE, "nearest is @friends",
	    "a wrong name is answered with the nearest");
	refused("@empty", TOCSIN_EUSAGE, "it is nobody",
	    "an empty circle is nobody, and others beside it do not help");
	refused("@gone", TOCSIN_ENOTENROLLED, "thcert@th of the circle @gone",
	    "one that names somebody who has left the roster is refused");
	refused("@my", TOCSIN_EUSAGE, "is a nation, and a circle",
	    "no circle has a nation's name");
	refused("@vn", TOCSIN_EUSAGE, "team@vn",
	    "a nation is not addressed as a whole");
	write_circles("[@friends]\nmembers = mycert@my\n[@broken\n");
	refused("@friends", TOCSIN_EMALFORMED, "line 3",
	    "of a file with a fault no circle is used");
	write_circles("[@friends]\nmembers = mycert@my\n");
	ok(post_to(circle, id) == TOCSIN_OK &&
		goes_to(id, "mycert@my singcert@sg"),
	    "a file that was mended is used by who is running");
	end();
}

/* Clients and grants carry names inside, too. */
static void
test_thread(void)
{
	static const char *const to_vn[] = { "vncert@vn", NULL };
	static const char *const circle[] = { "@friends", NULL };
	struct tocsin_draft d = { .kind = "share", .to = circle };
	struct draft_look look;
	char id[TOCSIN_ID_TEXT], share[TOCSIN_ID_TEXT];

	begin();
	write_circles(circles_of_ours);
	if (post_to(to_vn, id) != TOCSIN_OK)
		abort();
	d.thread = id;
	ok(draft_look(t, &d, &look) == TOCSIN_OK && look.n == 4 &&
		strcmp(look.to[0], "lacert@la") == 0,
	    "who looks before sending sees the members");
	ok(tocsin_post(t, &d, share) == TOCSIN_OK &&
		goes_to(share, "lacert@la mycert@my singcert@sg vncert@vn") &&
		!names_circle(share),
	    "a share with a circle names its members alone");
	d.clients = circle;
	ok(tocsin_post(t, &d, share) == TOCSIN_EPOLICYDENIED &&
		strstr(tocsin_error(t), "lacert@la is of another nation"),
	    "and each of a circle of clients is judged by itself");
	end();
}

int
main(void)
{
	test_good();
	test_wrong();
	test_many_members();
	test_post();
	test_thread();
	return tap_done();
}
