/* SPDX-License-Identifier: ISC */
/* A script is taken whole, or its first fault is named with its line. */
#include "client/drill/clock.h"
#include "client/drill/script.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct script s;
static struct script_fault f;

/* From a copy of the exact size, so that ASan sees a read past the end. */
static enum tocsin_err
parse_n(const char *text, size_t n)
{
	uint8_t *copy = xcopy(text, n);
	enum tocsin_err err;

	script_release(&s);
	err = script_parse(&s, (struct span){ n > 0 ? copy : NULL, n }, &f);
	free(copy);
	return err;
}

static enum tocsin_err
parse(const char *text)
{
	return parse_n(text, strlen(text));
}

#define HEAD                         \
	"[drill]\n"                  \
	"title = Tabletop\n"         \
	"exercise = tabletop-2026\n" \
	"length = 4h\n"              \
	"tlp = GREEN\n"              \
	"[player mycert@my]\n"       \
	"[player phcert@ph]\n" /* 7 lines */
#define ONE              \
	"[inject one]\n" \
	"at = T+5m\n"    \
	"to = all\n"     \
	"subject = First\n" /* lines 8 to 11 */

/* ---- what is taken ---- */

static void
test_whole(void)
{
	static const char text[] =
	    "; a comment\r\n"
	    "[drill]\r\n"
	    "title = Tabletop 2026, a \xc3\xa9tude\r\n"
	    "exercise = tabletop-2026\r\n"
	    "start = 2026-11-24T01:00:00Z\r\n"
	    "length = 1d\r\n"
	    "tlp = TLP:GREEN\r\n"
	    "precedence = priority\r\n"
	    "ackby = 30m\r\n"
	    "\r\n"
	    "[player mycert@my]\r\n"
	    "name = Malaysia\r\n"
	    "contact = +60 0000 0000\r\n"
	    "[player phcert@ph]\r\n"
	    "[inject late]\r\n"
	    "at = T+1h30m\r\n"
	    "in = early\r\n"
	    "attach = a.txt\r\n"
	    "attach = /b.txt\r\n"
	    "text = begins here\r\n"
	    "\tand goes on\r\n"
	    "\r\n"
	    "\r\n"
	    "\t  moved in\r\n"
	    "\t; no comment\r\n"
	    "\r\n"
	    "[inject early]\r\n"
	    "at = T+0\r\n"
	    "to = phcert@ph , mycert@my\r\n"
	    "kind = query\r\n"
	    "subject = a = b ; c\r\n"
	    "class = fraud:phishing\r\n"
	    "severity = III\r\n"
	    "tlp = red\r\n"
	    "ackby = none\r\n"
	    "expect = accepted within 1h5m by mycert@my\r\n"
	    "expect = escalated by any\r\n"
	    "expect = delivered\r\n"
	    "note = mine";
	const struct script_inject *early, *late;

	is_str(tocsin_err_name(parse(text)), "ok", "a script is taken: %u %s",
	    f.line, f.what);
	if (s.ninject != 2)
		return;
	early = &s.inject[0];
	late = &s.inject[1];
	is_str(s.title, "Tabletop 2026, a \xc3\xa9tude", "a title is a text");
	is_int(s.start, 1795482000, "its start is a time in UTC");
	is_int(s.length, 86400, "its length is a span");
	is_str(s.player[0].contact, "+60 0000 0000", "a contact is kept");
	ok(s.player[1].contact == NULL, "or there is none");
	is_str(early->name, "early", "injects stand in the order of times");
	ok(early->n == 2 && early->to[0] == 0 && early->to[1] == 1,
	    "players in that of their sections");
	is_str(
	    early->subject, "a = b ; c", "behind the first = all is the value");
	is_str(early->tlp, "RED", "a label is spelt as it is");
	is_str(early->severity, "GB/T 20986:III", "a severity has its scale");
	is_int(early->ackby, 0, "`none` asks for no answer");
	is_str(early->precedence, "priority", "[drill] gives what is not said");
	is_int((long long)early->nexpect, 3, "three things are expected");
	is_int(early->expect[0].within, 3900, "within a span");
	ok(early->expect[0].n == 1 && !early->expect[0].any &&
		early->expect[1].any && early->expect[1].n == 2 &&
		early->expect[2].n == 2 && early->expect[2].within == 0,
	    "of one, of any, of each");
	ok(late->in == early && late->n == 2 && !script_asks(late),
	    "who goes on in a ticket has its players, and asks for nothing");
	is_str(late->kind, "update", "that is an update");
	is_str(late->text,
	    "begins here\nand goes on\n\n\n  moved in\n; no comment",
	    "a text keeps its lines and what they are moved in further");
	ok(late->nfile == 2 && strcmp(late->file[1], "/b.txt") == 0,
	    "attachments are in order");
	ok(late->tlp == NULL, "its label is the ticket's");
}

/* ---- each fault, its line and its sentence ---- */

static const struct {
	const char *text;
	unsigned line;
	const char *says;
} faults[] = {
	{ "", 0, "[drill] has no title" },
	{ "title = x\n", 1, "a section comes first: [drill]" },
	{ "[drill\n", 1, "a section ends with ]" },
	{ "[]\n", 1, "there is no such section: " },
	{ "[dril]\n", 1, "there is no such section: dril; is it drill?" },
	{ "[drill x]\n", 1, "[drill]" },
	{ "[player]\n", 1, "[player NAME]" },
	{ "[drill]\ntitle = x\n[drill]\n", 3, "[drill] was there before" },
	{ "[drill]\njust words\n", 2,
	    "a line is [section], key = value or a comment behind ;" },
	{ "[drill]\ntitel = x\n", 2,
	    "there is no such key here: titel; is it title?" },
	{ "[drill]\nzzzzzzz = x\n", 2, "there is no such key here: zzzzzzz" },
	{ "[drill]\nat = T+0\n", 2, "there is no such key here: at" },
	{ "[drill]\ntitle =\n", 2, "title has no value" },
	{ "[drill]\ntitle = x\ntitle = y\n", 3, "title was said before" },
	{ "[drill]\n\ttitle = x\n", 2,
	    "this line is moved in, and belongs to no text" },
	{ "[drill]\ntitle = \x1b[2J\n", 2, "this line is no text in UTF-8" },
	{ "[drill]\ntitle = \xff\n", 2, "this line is no text in UTF-8" },
	{ "[drill]\ntitle = \xed\xa0\x80\n", 2,
	    "this line is no text in UTF-8" },
	{ "[drill]\nexercise = -\n", 2,
	    "- cannot be an exercise's name: letters, digits, dots and dashes, "
	    "as in acid-2026" },
	{ "[drill]\nstart = tomorrow\n", 2,
	    "tomorrow is no time in UTC: write 2026-11-21T01:00:00Z" },
	{ "[drill]\nlength = 4\n", 2,
	    "4 is no time: write 45s, 30m, 1h30m or 2d, of 60d at most" },
	{ "[drill]\nlength = 61d\n", 2,
	    "61d is no time: write 45s, 30m, 1h30m or 2d, of 60d at most" },
	{ "[drill]\nlength = 5m1h\n", 2,
	    "5m1h is no time: write 45s, 30m, 1h30m or 2d, of 60d at most" },
	{ "[drill]\nlength = 0s\n", 2,
	    "0s is no time: write 45s, 30m, 1h30m or 2d, of 60d at most" },
	{ "[drill]\nackby = none\n", 2,
	    "none is no time: write 45s, 30m, 1h30m or 2d, of 60d at most" },
	{ "[drill]\ntlp = GREN\n", 2,
	    "tlp has no such word: GREN; is it GREEN?" },
	{ "[drill]\nprecedence = flush\n", 2,
	    "precedence has no such word: flush; is it flash?" },
	{ "[player mycert]\n", 1,
	    "a player is a member, as in [player mycert@my]" },
	{ "[player aa@my]\n[player aa@my]\n", 2, "aa@my is in line 1 already" },
	{ "[inject One]\n", 1,
	    "an inject has a name of small letters, digits and dashes: [inject "
	    "phishing-1]" },
	{ HEAD ONE "[inject one]\n", 12, "one is in line 8 already" },
	{ "[drill]\nexercise = x\nlength = 1h\n", 0, "[drill] has no title" },
	{ "[drill]\ntitle = x\nlength = 1h\n", 0, "[drill] names no exercise" },
	{ "[drill]\ntitle = x\nexercise = x\n", 0,
	    "[drill] has no length: length = 4h" },
	{ "[drill]\ntitle = x\nexercise = x\nlength = 1h\n", 0,
	    "nobody plays: [player mycert@my]" },
	{ HEAD, 0, "nothing happens: [inject phishing-1]" },
	{ HEAD "[inject one]\nsubject = x\n", 8,
	    "inject one has no time: at = T+5m" },
	{ HEAD "[inject one]\nat = 5m\n", 9,
	    "5m is no time after the start: write T+0, T+5m or T+1h30m" },
	{ HEAD "[inject one]\nat = T+4h\nto = all\nsubject = x\n", 8,
	    "inject one comes when the exercise is over" },
	{ HEAD "[inject one]\nat = T+0\nsubject = x\n", 8,
	    "inject one is to nobody: to = all, or members" },
	{ HEAD "[inject one]\nat = T+0\nto = mycrt@my\nsubject = x\n", 10,
	    "there is no such [player]: mycrt@my; is it mycert@my?" },
	{ HEAD "[inject one]\nat = T+0\nto = mycert@my, mycert@my\n"
	       "subject = x\n",
	    10, "mycert@my stands there twice" },
	{ HEAD "[inject one]\nat = T+0\nto = all\n", 8,
	    "inject one has no subject" },
	{ HEAD ONE "kind = ack\n", 12,
	    "an inject is no such kind of message: ack" },
	{ HEAD ONE "kind = requst\n", 12,
	    "an inject is no such kind of message: requst; is it request?" },
	{ HEAD ONE "kind = update\n", 8,
	    "inject one: update goes on in a ticket: say in = INJECT" },
	{ HEAD ONE "class = phishing\n", 12,
	    "class has no such word: phishing" },
	{ HEAD ONE "severity = bad\n", 12, "severity has no such word: bad" },
	{ HEAD ONE "text =\n", 12,
	    "the text is empty; its lines begin with a tab or a space" },
	{ HEAD ONE "expect = acepted\n", 12,
	    "nothing of the kind can be expected: acepted; is it accepted?" },
	{ HEAD ONE "expect = accepted soon\n", 12,
	    "write what, within when, by whom: accepted within 30m by "
	    "mycert@my, or by any" },
	{ HEAD ONE "expect = accepted within 5h\n", 12,
	    "the exercise ends before that" },
	{ HEAD ONE "expect = accepted by bncert@bn\n", 12,
	    "there is no such [player]: bncert@bn; is it mycert@my?" },
	{ HEAD "[inject one]\nat = T+0\nto = mycert@my\nsubject = x\n"
	       "expect = accepted by phcert@ph\n",
	    12, "phcert@ph does not get this inject" },
	{ HEAD ONE "[inject two]\nat = T+9m\nin = on\n", 14,
	    "there is no such inject: on; is it one?" },
	{ HEAD ONE "[inject two]\nat = T+1m\nin = one\n", 14,
	    "one comes after this one" },
	{ HEAD ONE "[inject two]\nat = T+9m\nin = one\n[inject three]\n"
		   "at = T+10m\nin = two\n",
	    17, "two opens no ticket, but goes on in that of one" },
	{ HEAD ONE "[inject two]\nat = T+9m\nin = one\nkind = report\n", 12,
	    "inject two: a report opens a ticket of its own; update, request, "
	    "query and close go on in one" },
	{ HEAD ONE "[inject two]\nat = T+9m\nin = one\nackby = 1h\n", 12,
	    "inject two: update asks for no answer, so it has no ackby" },
	{ HEAD "[inject one]\nat = T+0\nto = mycert@my\nsubject = x\n"
	       "[inject two]\nat = T+9m\nin = one\nto = phcert@ph\n",
	    15, "phcert@ph has not got the ticket of one" },
	{ "[drill]\ntitle = x\nexercise = x\nlength = 1h\n[player aa@my]\n"
	  "[inject one]\nat = T+0\nto = all\nsubject = x\n",
	    6, "inject one has no tlp, nor has [drill]" },
};

static void
test_faults(void)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		enum tocsin_err err = parse(faults[i].text);

		ok(err == TOCSIN_EMALFORMED && f.line == faults[i].line &&
			strcmp(f.what, faults[i].says) == 0,
		    "line %u: %s", faults[i].line, faults[i].says);
		if (f.line != faults[i].line ||
		    strcmp(f.what, faults[i].says) != 0)
			diag("got line %u: %s", f.line, f.what);
	}
	ok(s.ninject == 0 && s.nplayer == 0, "of a fault nothing is left");
}

/* ---- bounds ---- */

static void
test_bounds(void)
{
	static char text[700000];
	size_t i, n;

	n = (size_t)snprintf(text, sizeof(text), "%s", HEAD);
	for (i = 0; i < SCRIPT_INJECTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "[inject i%zu]\nat = T+%zus\nto = all\nsubject = x\n", i,
		    i + 1);
	is_str(tocsin_err_name(parse(text)), "ok", "as many injects as may be");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "[inject more]\n");
	ok(parse(text) == TOCSIN_EMALFORMED && strstr(f.what, "more than"),
	    "and one more is a fault");

	n = 0;
	for (i = 0; i <= SCRIPT_PLAYERS; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "[player p%zu@my]\n", i);
	ok(parse(text) == TOCSIN_EMALFORMED && f.line == SCRIPT_PLAYERS + 1,
	    "so is a player too many");

	n = (size_t)snprintf(text, sizeof(text), "%s%s", HEAD, ONE);
	for (i = 0; i <= SCRIPT_EXPECTS; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "expect = opened\n");
	ok(parse(text) == TOCSIN_EMALFORMED && f.line == 12 + SCRIPT_EXPECTS,
	    "an expectation too many");
	n = (size_t)snprintf(text, sizeof(text), "%s%s", HEAD, ONE);
	for (i = 0; i <= SCRIPT_FILES; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "attach = x\n");
	ok(parse(text) == TOCSIN_EMALFORMED && f.line == 12 + SCRIPT_FILES,
	    "an attachment too many");

	n = (size_t)snprintf(text, sizeof(text), "%s%stext =\n", HEAD, ONE);
	memset(text + n, 'x', SCRIPT_TEXT + 1);
	text[n] = '\t';
	text[n + SCRIPT_TEXT + 1] = '\0';
	is_str(tocsin_err_name(parse(text)), "ok", "the longest text");
	text[n + SCRIPT_TEXT + 1] = 'x';
	text[n + SCRIPT_TEXT + 2] = '\0';
	ok(parse(text) == TOCSIN_EMALFORMED && f.line == 12,
	    "and a longer one is not");
	ok(parse_n(text, SCRIPT_FILE_MAX + 1) == TOCSIN_EMALFORMED &&
		f.line == 0,
	    "a script that is too long is not looked at");
}

/* Whatever is cut off, it is a script or has a fault within it. */
static void
test_truncated(void)
{
	size_t n, i, taken = 0, lines = 1;
	uint8_t *text = slurp(top("docs/examples/drill/lantern.drill"), &n);
	bool good = true;

	is_str(tocsin_err_name(parse_n((char *)text, n)), "ok",
	    "the example is taken: %u %s", f.line, f.what);
	ok(s.ninject == 16 && s.nplayer == 10 && s.length == 4 * 3600,
	    "ten nations, sixteen injects, four hours");
	for (i = 0; i < n; i++) {
		enum tocsin_err err = parse_n((char *)text, i);

		taken += err == TOCSIN_OK;
		good = good &&
		       (err == TOCSIN_OK || (err == TOCSIN_EMALFORMED &&
						f.what[0] && f.line <= lines));
		lines += text[i] == '\n';
	}
	ok(good && taken > 0, "each of its beginnings is one or has a fault");
	free(text);
}

/* ---- times ---- */

static void
test_spans(void)
{
	static const struct {
		const char *span;
		int64_t seconds;
		const char *at;
	} rows[] = {
		{ "1s", 1, "T+1s" },
		{ "90m", 5400, "T+1h30m" },
		{ "1h5m", 3900, "T+1h05m" },
		{ "2d", 172800, "T+2d" },
		{ "1d1s", 86401, "T+1d01s" },
		{ "60d", SCRIPT_LENGTH, "T+60d" },
	};
	static const char *const none[] = { "", "5", "m", "-5m", "1m1m", "5x",
		"0m", "61d", "999999999s", "1h 5m" };
	char text[24];
	int64_t got;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = 0;
		ok(script_span(span_of(rows[i].span), &got) &&
			got == rows[i].seconds,
		    "%s is %lld seconds", rows[i].span,
		    (long long)rows[i].seconds);
		script_at(text, rows[i].seconds);
		is_str(text, rows[i].at, "and written so");
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ok(!script_span(span_of(none[i]), &got), "\"%s\" is none",
		    none[i]);
	script_at(text, 0);
	is_str(text, "T+0", "the start is T+0");
}

/* ---- the clock ---- */

static void
test_clock(void)
{
	struct drill_clock c = drill_clock_start(1000000, 60, 0), d;
	struct buf b = { 0 };
	size_t i;

	is_int(drill_clock_over(&c, 1000000), 0, "it begins at nothing");
	is_int(drill_clock_over(&c, 1010000), 600000, "sixty times as fast");
	is_int(drill_clock_over(&c, 900000), 0, "a clock set back takes none");
	is_int(drill_clock_when(&c, 600000), 1010000, "and says when");
	is_int(drill_clock_when(&c, 600001), 1010001, "never too early");
	ok(drill_clock_hold(&c, 1010000) && !drill_clock_hold(&c, 1020000),
	    "it is held once");
	is_int(drill_clock_over(&c, 5000000), 600000, "and stands still");
	ok(drill_clock_when(&c, 600001) == INT64_MAX, "with no end");
	ok(drill_clock_go_on(&c, 2000000) && !drill_clock_go_on(&c, 3000000),
	    "it goes on once");
	is_int(drill_clock_over(&c, 2001000), 660000, "from where it stood");

	drill_clock_print(&b, &c);
	ok(drill_clock_parse(&d, buf_span(&b)) == TOCSIN_OK &&
		memcmp(&c, &d, sizeof(c)) == 0,
	    "it is kept as it is");
	for (i = 0; i < b.n; i++)
		if (drill_clock_parse(&d, (struct span){ b.p, i }) !=
		    TOCSIN_EMALFORMED)
			break;
	ok(i == b.n, "every proper prefix is refused");
	b.p[b.n - 1] = 2;
	ok(drill_clock_parse(&d, buf_span(&b)) == TOCSIN_EMALFORMED,
	    "and what is neither held nor not");
	buf_release(&b);
	c = drill_clock_start(1000000, 1, 0);
	ok(drill_clock_due(&c, 5000, 1005000) &&
		!drill_clock_due(&c, 5001, 1005000),
	    "what comes in its time is due then");
	ok(!drill_clock_due(&c, 0, 999999), "nothing is before it begins");
	ok(drill_clock_hold(&c, 1010000) && !drill_clock_due(&c, 5000, 1020000),
	    "nor while it is held, though it was due before");
	ok(drill_clock_go_on(&c, 1030000) && drill_clock_due(&c, 5000, 1030000),
	    "but then");
	c = drill_clock_start(1000000, 1, 0);
	ok(drill_clock_hold(&c, 500000) && drill_clock_go_on(&c, 600000) &&
		!drill_clock_due(&c, 0, 700000) &&
		drill_clock_due(&c, 0, 1000000),
	    "who holds it before it begins, and goes on, does not begin it");
	ok(drill_clock_hold(&c, 500000) && drill_clock_go_on(&c, 1500000) &&
		drill_clock_over(&c, 1500000) == 0 &&
		drill_clock_due(&c, 0, 1500000),
	    "nor loses what came while it was held");
	c = drill_clock_start(1000, 1, 3600000);
	is_int(drill_clock_over(&c, 2000), 3601000, "it can begin later on");
}

int
main(void)
{
	test_whole();
	test_faults();
	test_bounds();
	test_truncated();
	test_spans();
	test_clock();
	script_release(&s);
	return tap_done();
}
