/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_model.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1000000
#define MANY 8

static const char *const members[] = { "lacert@la", "lead@my", "mycert@my",
	NULL };

/* ---- a desk of a few tickets ---- */

struct given {
	const char *id;
	const char *subject;
	const char *precedence;
	int64_t ackby;
	bool closed;
};

static struct tocsin_message messages[MANY];
static struct row_place places[MANY];
static struct row row[MANY];
static struct rows rows = { .row = row };

static void
give(size_t i, const struct given *t)
{
	struct tocsin_message *m = &messages[i];

	*m = (struct tocsin_message){ .number = i + 1,
		.from = "mycert@my/night",
		.tlp = "AMBER",
		.kind = "report",
		.precedence = t->precedence,
		.subject = t->subject,
		.time = NOW - 1000 + (int64_t)i };
	snprintf(m->id, sizeof(m->id), "%s", t->id);
	snprintf(m->thread, sizeof(m->thread), "%s", t->id);
	snprintf(m->short_id, sizeof(m->short_id), "%s", t->id);
	places[i] = (struct row_place){ .p = { .member = "singcert@sg",
					    .rung = TOCSIN_RUNG_DELIVERED,
					    .ackby = t->ackby },
		.counts = true };
	row[i] = (struct row){ .m = m,
		.state = "delivered",
		.closed = t->closed,
		.unacked = !t->closed,
		.nplace = 1,
		.place = &places[i],
		.messages = 1 };
}

static void
fill(const struct given *t, size_t n)
{
	for (rows.n = 0; rows.n < n; rows.n++)
		give(rows.n, &t[rows.n]);
}

static const struct given tickets[] = {
	{ "aaaa", "Scanner", "routine", 0, false },
	{ "bbbb", "Phishing", "flash", NOW + 3600, false },
	{ "cccc", "Beacon", "priority", NOW - 720, false },
	{ "dddd", "Old", "flash", NOW - 99999, true },
	{ "eeee", "Worm", "immediate", 0, false },
};

static void
begin(struct model *m)
{
	fill(tickets, 5);
	model_init(m, "singcert@sg", members);
	model_resize(m, 10);
	model_take(m, &rows, NOW);
}

/* "cccc bbbb ...", the chosen one in brackets. */
static const char *
listed(const struct model *m)
{
	static char out[512];
	size_t i;

	out[0] = '\0';
	for (i = 0; i < m->nitem; i++) {
		strcat(out, i > 0 ? " " : "");
		strcat(out, i == m->chosen ? "[" : "");
		strcat(out, m->item[i].line != NULL ? m->item[i].line->text
						    : m->item[i].row->m->id);
		strcat(out, i == m->chosen ? "]" : "");
	}
	return out;
}

static enum want
keys(struct model *m, const char *letters)
{
	enum want want = WANT_NOTHING;

	for (; *letters != '\0'; letters++)
		want = model_key(m, (uint32_t)(uint8_t)*letters);
	return want;
}

static enum want
looked(struct model *m)
{
	static const char *const to[] = { "mycert@my", "singcert@sg" };

	return model_looked(m, "AMBER", to, 2);
}

/* ---- the list ---- */

static void
test_order(void)
{
	struct model m;
	char left[32];

	begin(&m);
	is_str(listed(&m), "[cccc] bbbb eeee aaaa",
	    "what is open, by its deadline, then its precedence");
	keys(&m, "f");
	is_str(listed(&m), "[cccc] bbbb eeee aaaa", "what has no answer");
	keys(&m, "f");
	is_str(listed(&m), "[cccc]", "what is overdue");
	keys(&m, "f");
	is_str(listed(&m), "[cccc] bbbb eeee aaaa dddd", "all of it");
	keys(&m, "t");
	is_str(listed(&m), "[eeee] dddd cccc bbbb aaaa", "the newest first");
	model_left(left, &row[1], NOW);
	is_str(left, "1h00m", "an hour is left");
	model_left(left, &row[2], NOW);
	is_str(left, "late 12m", "twelve minutes late");
	model_left(left, &row[3], NOW);
	is_str(left, "", "what is closed has no deadline");
	model_left(left, &row[0], NOW);
	is_str(left, "", "nor has what never had one");
	row[1].clock = "nis2/early-warning";
	row[1].due = NOW + 59;
	model_left(left, &row[1], NOW);
	is_str(left, "59s", "of several the next counts");
	places[1].p.rung = TOCSIN_RUNG_ACCEPTED;
	row[1].due = NOW - 2 * 86400;
	model_left(left, &row[1], NOW);
	is_str(left, "late 2d", "of an answer that was given none");
	model_release(&m);
}

static void
test_stays(void)
{
	struct model m;

	begin(&m);
	keys(&m, "j");
	is_str(listed(&m), "cccc [bbbb] eeee aaaa", "a key moves on");
	row[1].closed = true;
	model_take(&m, &rows, NOW);
	is_str(listed(&m), "cccc eeee aaaa [bbbb]",
	    "what is closed meanwhile stays chosen and listed");
	keys(&m, "k");
	is_str(listed(&m), "cccc eeee [aaaa]", "until a key moves on");
	fill(tickets, 5);
	places[0].p.ackby = NOW + 1;
	model_take(&m, &rows, NOW);
	is_str(listed(&m), "cccc [aaaa] bbbb eeee",
	    "and stays chosen when it moves up");
	keys(&m, "kkkk");
	is_str(listed(&m), "[cccc] aaaa bbbb eeee", "the first is the first");
	model_key(&m, KEY_OF_END);
	is_str(listed(&m), "cccc aaaa bbbb [eeee]", "the end is the end");
	rows.n = 0;
	model_take(&m, &rows, NOW);
	is_str(listed(&m), "", "a desk may be empty");
	is_int(keys(&m, "jka"), WANT_NOTHING, "then no key does anything");
	ok(m.said != NULL && m.bad, "and that is said");
	model_release(&m);
}

static void
test_damaged(void)
{
	struct model m;

	begin(&m);
	for (rows.n = 0; rows.n < 3; rows.n++) {
		give(rows.n, &tickets[0]);
		messages[rows.n].refused = TOCSIN_EBODYMISMATCH;
	}
	model_take(&m, &rows, NOW);
	model_key(&m, KEY_OF_HOME);
	keys(&m, "jj");
	is_int((long long)m.chosen, 2,
	    "what is damaged has one id, and is told apart all the same");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_NOTHING, "it is not opened");
	is_int(keys(&m, "a"), WANT_NOTHING, "nor answered");
	ok(m.bad, "which is said");
	model_release(&m);
}

static void
test_scroll(void)
{
	struct model m;

	begin(&m);
	keys(&m, "fff");
	model_resize(&m, 2);
	keys(&m, "jjj");
	ok(m.chosen == 3 && m.top == 2, "the chosen one is in sight");
	model_resize(&m, 1);
	is_int((long long)m.top, 3, "also when there is less of it");
	model_resize(&m, 50);
	is_int((long long)m.top, 0, "and nothing is hidden without need");
	model_release(&m);
}

/* ---- search ---- */

static void
test_search(void)
{
	struct model m;

	begin(&m);
	keys(&m, "/o");
	is_str(listed(&m), "[cccc] eeee aaaa", "a letter finds");
	keys(&m, "r ");
	is_str(listed(&m), "[cccc] eeee", "two find less");
	keys(&m, "imm");
	is_str(listed(&m), "[eeee]", "all of the words");
	keys(&m, "x");
	is_str(listed(&m), "", "or nothing");
	model_key(&m, KEY_OF_BACKSPACE);
	is_str(listed(&m), "[eeee]", "a letter less finds more");
	model_key(&m, KEY_OF_ENTER);
	is_int(m.mode, MODE_LIST, "Enter keeps it");
	is_str(listed(&m), "[eeee]", "as it was");
	model_key(&m, KEY_OF_ESCAPE);
	is_str(listed(&m), "cccc bbbb [eeee] aaaa",
	    "Escape ends it, and what was found stays chosen");
	keys(&m, "/tlp:amber");
	is_int((long long)m.nitem, 4, "a label is a word");
	keys(&m, "+strict");
	is_int((long long)m.nitem, 0, "and the whole of one");
	is_int(keys(&m, "aq"), WANT_FIND,
	    "letters are letters there, and texts are searched for them");
	model_release(&m);
}

/* ---- folds ---- */

static struct model_line *
two_lines(void)
{
	struct model_line *l = calloc(2, sizeof(*l));

	l[0].text = strdup("one");
	l[1].text = strdup("two");
	return l;
}

static void
test_folds(void)
{
	struct model m;

	begin(&m);
	keys(&m, " ");
	is_str(model_stale(&m), "cccc", "its messages are to be read");
	model_unfold(&m, "cccc", two_lines(), 2);
	ok(model_stale(&m) == NULL, "once");
	is_str(listed(&m), "[cccc] one two bbbb eeee aaaa", "they are listed");
	keys(&m, "jj");
	is_str(listed(&m), "cccc one [two] bbbb eeee aaaa", "and chosen");
	is_str(m.at, "cccc", "which is to choose their ticket");
	model_take(&m, &rows, NOW);
	is_str(listed(&m), "cccc one [two] bbbb eeee aaaa",
	    "new rows leave it at that");
	ok(model_stale(&m) == NULL, "nor are they read again");
	row[2].messages++;
	model_take(&m, &rows, NOW);
	is_str(model_stale(&m), "cccc", "but when there is one more");
	model_unfold(&m, "cccc", two_lines(), 2);
	model_key(&m, KEY_OF_LEFT);
	is_str(listed(&m), "[cccc] bbbb eeee aaaa", "left folds them");
	model_unfold(&m, "cccc", two_lines(), 2);
	is_str(listed(&m), "[cccc] bbbb eeee aaaa",
	    "what comes too late is let go");
	model_release(&m);
}

/* ---- deeds ---- */

static void
test_one_key(void)
{
	static const struct {
		const char *key, *answer;
	} acks[] = { { "s", "opened" }, { "a", "accepted" },
		{ "d", "deferred" }, { "w", "in-progress" } };
	struct tocsin_draft d;
	struct model m;
	size_t i;

	begin(&m);
	for (i = 0; i < 4; i++) {
		is_int(keys(&m, acks[i].key), WANT_POST, "%s is one key",
		    acks[i].answer);
		model_draft_of(&m.draft, &d);
		ok(strcmp(d.kind, "ack") == 0 &&
			strcmp(d.answer, acks[i].answer) == 0 &&
			strcmp(d.thread, "cccc") == 0 && d.to == NULL,
		    "for the chosen ticket");
		model_told(&m, "sent");
		ok(m.said != NULL && !m.bad && m.mode == MODE_LIST,
		    "and it is told");
	}
	row[2].m = &messages[2];
	messages[2].coming = true;
	model_take(&m, &rows, NOW);
	is_int(keys(&m, "a"), WANT_NOTHING,
	    "what is still to come is not answered");
	model_release(&m);
}

static void
test_refuse(void)
{
	struct tocsin_draft d;
	const char *other;
	struct model m;

	begin(&m);
	is_int(keys(&m, "r"), WANT_NOTHING, "a refusal asks why");
	ok(m.mode == MODE_ASK && model_choices(&m) != NULL,
	    "and has words to choose from");
	model_key(&m, KEY_OF_ENTER);
	ok(m.mode == MODE_ASK && m.bad, "nothing is no reason");
	keys(&m, "encrypton");
	model_key(&m, KEY_OF_ENTER);
	is_str(m.input, "Encryption", "a wrong one becomes the nearest");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_LOOK, "which Enter takes");
	looked(&m);
	is_int(m.asking, ASK_TEXT, "then what is to be said");
	keys(&m, "no");
	model_key(&m, KEY_OF_ENTER);
	is_int(m.mode, MODE_SURE, "then whether it is right");
	is_str((const char *)m.draft.goes.p, "mycert@my",
	    "with whom it goes to, but us");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_NOTHING, "Enter is no yes");
	for (other = " Yjx1"; *other != '\0'; other++)
		is_int(model_key(&m, (uint32_t)*other), WANT_NOTHING,
		    "nor is '%c'", *other);
	is_int(m.mode, MODE_SURE, "it goes on asking");
	is_int(keys(&m, "y"), WANT_POST, "y is");
	model_draft_of(&m.draft, &d);
	ok(strcmp(d.answer, "refused") == 0 &&
		strcmp(d.reason, "Encryption") == 0 &&
		strcmp(d.text, "no") == 0,
	    "what was answered is in the draft");
	model_failed(&m, "no");
	ok(m.mode == MODE_LIST && m.bad, "a failure ends it, and is told");
	model_release(&m);
}

static void
test_escalate(void)
{
	struct tocsin_draft d;
	struct model m;

	begin(&m);
	model_key(&m, KEY_OF_ENTER);
	is_int(m.mode, MODE_TICKET, "a ticket is open");
	keys(&m, "e");
	keys(&m, "la");
	model_key(&m, KEY_OF_TAB);
	is_str(m.input, "lacert@la ", "Tab completes a member");
	keys(&m, "led@my");
	model_key(&m, KEY_OF_ENTER);
	is_str(m.input, "lacert@la lead@my", "one that is none is replaced");
	ok(m.mode == MODE_ASK && m.bad && strstr(m.said, "led@my") != NULL,
	    "which is said first");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_LOOK, "Enter takes it");
	looked(&m);
	model_key(&m, KEY_OF_ENTER);
	model_draft_of(&m.draft, &d);
	ok(m.mode == MODE_SURE && d.text == NULL && d.to != NULL &&
		strcmp(d.to[0], "lacert@la") == 0 &&
		strcmp(d.to[1], "lead@my") == 0 && d.to[2] == NULL,
	    "it goes before both");
	keys(&m, "n");
	is_int(m.mode, MODE_TICKET, "no goes back to the ticket");
	ok(m.draft.deed == NULL, "and forgets it");
	model_release(&m);
}

/* ---- request, share, reopen, save ---- */

static void
test_request(void)
{
	struct tocsin_draft d;
	struct model m;

	begin(&m);
	is_int(keys(&m, "h"), WANT_LOOK, "a request says whom it goes to");
	looked(&m);
	model_key(&m, KEY_OF_ENTER);
	ok(m.mode == MODE_ASK && m.bad &&
		strstr(m.said, "request needs a text") != NULL,
	    "it needs a text");
	keys(&m, "logs?");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_NOTHING, "then by when");
	keys(&m, "soon");
	model_key(&m, KEY_OF_ENTER);
	ok(m.asking == ASK_WHEN && m.bad, "a word is no time");
	model_key(&m, KEY_OF_WIPE);
	keys(&m, "2h");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_POST, "and it is sent");
	model_draft_of(&m.draft, &d);
	ok(strcmp(d.kind, "request") == 0 && strcmp(d.text, "logs?") == 0 &&
		d.ackby > NOW && d.to == NULL,
	    "to all that have the ticket, with a deadline");
	model_release(&m);
}

static void
test_share(void)
{
	static const char *const keys_of[] = { "gu", "share", "reopen" };
	struct tocsin_draft d;
	struct model m;
	size_t i;

	for (i = 0; i < 2; i++) {
		begin(&m);
		model_key(&m, (uint32_t)keys_of[0][i]);
		if (i == 0) {
			is_int(m.asking, ASK_TO, "a share asks whom");
			keys(&m, "lacert@la");
			model_key(&m, KEY_OF_ENTER);
		}
		looked(&m);
		model_key(&m, KEY_OF_ENTER);
		is_int(
		    m.mode, MODE_SURE, "a %s asks once more", keys_of[i + 1]);
		is_int(model_key(&m, KEY_OF_ENTER), WANT_NOTHING,
		    "Enter is no yes");
		is_int(keys(&m, "y"), WANT_POST, "y is");
		model_draft_of(&m.draft, &d);
		ok(strcmp(d.kind, keys_of[i + 1]) == 0 &&
			strcmp(d.thread, "cccc") == 0 &&
			(d.to != NULL) == (i == 0),
		    "the chosen ticket");
		model_release(&m);
	}
}

static void
test_save(void)
{
	static const char *const names[] = { "2", "a.eml", "b.eml" };
	struct model m;

	begin(&m);
	is_int(keys(&m, "v"), WANT_PARTS, "what may be saved is asked for");
	model_parts(&m, names, 0);
	ok(m.mode == MODE_LIST && m.bad, "nothing: that is said");
	keys(&m, "v");
	model_parts(&m, names, 3);
	is_int(m.asking, ASK_PART, "of several it asks which");
	keys(&m, "c.eml");
	model_key(&m, KEY_OF_ENTER);
	ok(m.bad && strcmp(m.input, "a.eml") == 0,
	    "one that there is not is answered with the nearest");
	model_key(&m, KEY_OF_WIPE);
	keys(&m, "2");
	model_key(&m, KEY_OF_ENTER);
	is_str(m.draft.chosen, "2", "a name comes before a place");
	is_str(m.input, ".", "and it asks into which folder");
	model_key(&m, KEY_OF_WIPE);
	model_key(&m, KEY_OF_ENTER);
	ok(m.bad && m.asking == ASK_FOLDER, "none is no folder");
	keys(&m, "/cases");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_SAVE, "then it is saved");
	is_str(m.draft.folder, "/cases", "there");
	model_told(&m, "saved");
	keys(&m, "v");
	model_parts(&m, names + 1, 1);
	is_str(m.input, "a.eml", "a single one is offered");
	model_key(&m, KEY_OF_ENTER);
	is_str(m.input, "/cases", "as is the last folder");
	model_key(&m, KEY_OF_ESCAPE);
	ok(m.mode == MODE_LIST && m.draft.part == NULL, "Escape gives it up");
	model_release(&m);
}

/* Words may stand in the list or in a text, each in either. */
static void
test_texts(void)
{
	unsigned *found = calloc(MANY, sizeof(*found));
	char word[256];
	struct model m;

	begin(&m);
	is_int(keys(&m, "/scan"), WANT_FIND, "texts are searched as well");
	keys(&m, " kit  x");
	ok(model_word(&m, 1, word) && strcmp(word, "kit") == 0 &&
		model_word(&m, 2, word) && strcmp(word, "x") == 0 &&
		!model_word(&m, 3, word),
	    "for each of the words");
	is_str(listed(&m), "", "which stand nowhere in the list");
	found[0] = 1u << 1 | 1u << 2; /* the scanner's */
	found[1] = 1u << 1;	      /* the phishing's */
	model_found(&m, found, true);
	is_str(listed(&m), "[aaaa]",
	    "a word of the list and two of a text are all of them");
	model_take(&m, &rows, NOW);
	is_str(listed(&m), "[aaaa]", "new rows leave the chosen one");
	model_key(&m, KEY_OF_ESCAPE);
	is_int((long long)m.nitem, 4, "Escape ends it");
	model_release(&m);
}

static void
test_close(void)
{
	struct tocsin_draft d;
	struct model m;

	begin(&m);
	keys(&m, "x");
	is_int(m.asking, ASK_RESOLUTION, "a close asks how it ended");
	is_int(
	    model_key(&m, KEY_OF_ENTER), WANT_LOOK, "which need not be said");
	looked(&m);
	model_key(&m, KEY_OF_ENTER);
	is_int(m.mode, MODE_SURE, "and whether it is right");
	/* The list goes on meanwhile. */
	fill(tickets, 2);
	model_take(&m, &rows, NOW);
	is_int(keys(&m, "y"), WANT_POST, "yes");
	model_draft_of(&m.draft, &d);
	is_str(d.thread, "cccc", "closes the one that was asked about");
	model_told(&m, "sent");
	model_release(&m);
}

static void
test_paste(void)
{
	struct model m;

	begin(&m);
	model_key(&m, KEY_OF_PASTE);
	is_int(keys(&m, "xaq"), WANT_NOTHING, "what is pasted is no command");
	model_key(&m, KEY_OF_PASTED);
	is_int(m.mode, MODE_LIST, "in the list it is nothing");
	is_int(keys(&m, "n"), WANT_LOOK, "a note");
	looked(&m);
	model_key(&m, KEY_OF_PASTE);
	keys(&m, "one\r");
	model_key(&m, KEY_OF_ENTER);
	keys(&m, "\033two");
	model_key(&m, KEY_OF_PASTED);
	is_str(m.input, "one\n\ntwo", "has the lines that were pasted");
	is_int(model_key(&m, KEY_OF_ENTER), WANT_POST, "and is one message");
	model_told(&m, "sent");
	keys(&m, "n");
	looked(&m);
	is_int(model_key(&m, KEY_OF_ENTER), WANT_NOTHING,
	    "a note of nothing is none");
	model_key(&m, 0x1f600);
	model_key(&m, 0xe9);
	is_str(m.input, "\xf0\x9f\x98\x80\xc3\xa9", "letters of any kind");
	model_key(&m, KEY_OF_BACKSPACE);
	is_str(m.input, "\xf0\x9f\x98\x80", "go one by one");
	model_key(&m, KEY_OF_BACKSPACE);
	model_key(&m, KEY_OF_BACKSPACE);
	is_str(m.input, "", "to the first");
	model_key(&m, KEY_OF_ESCAPE);
	is_int(m.mode, MODE_LIST, "Escape gives it up");
	model_release(&m);
}

/* More than fits is refused, never cut within a letter. */
static void
test_long(void)
{
	struct model m;
	size_t i;

	begin(&m);
	keys(&m, "n");
	looked(&m);
	for (i = 0; i < MODEL_INPUT; i++)
		model_key(&m, 0xe9);
	ok(m.bad && m.ninput < MODEL_INPUT && m.ninput % 2 == 0,
	    "a text that is too long is told");
	model_key(&m, KEY_OF_WIPE);
	is_int((long long)m.ninput, 0, "and wiped");
	model_key(&m, KEY_OF_ESCAPE);
	keys(&m, "e");
	for (i = 0; i < MODEL_INPUT; i++)
		model_key(&m, i % 9 == 8 ? ' ' : 'q');
	for (i = 0; i < 3; i++)
		model_key(&m, KEY_OF_ENTER);
	ok(m.mode == MODE_ASK && m.ninput < MODEL_INPUT,
	    "so are members beyond all measure");
	model_release(&m);
}

/* In line mode whole lines answer. */
static void
test_lines(void)
{
	struct tocsin_draft d;
	struct model m;

	begin(&m);
	ok(model_deed("dance") == NULL, "there is no such deed");
	ok(model_at(&m, "dddd"), "a ticket is chosen that is not listed");
	model_begin(&m, model_deed("refuse"));
	is_int(model_enter(&m, "6"), WANT_LOOK, "a number chooses a word");
	looked(&m);
	model_enter(&m, "");
	is_int(model_enter(&m, "y"), WANT_NOTHING, "y is no yes in lines");
	is_int(m.mode, MODE_LIST, "it is a no");
	model_begin(&m, model_deed("close"));
	model_enter(&m, "resolved");
	looked(&m);
	model_enter(&m, "done");
	is_int(model_enter(&m, "yes"), WANT_POST, "yes is");
	model_draft_of(&m.draft, &d);
	ok(strcmp(d.thread, "dddd") == 0 && strcmp(d.text, "done") == 0 &&
		strcmp(d.resolution, "resolved") == 0,
	    "with what was said");
	ok(!model_at(&m, "zzzz"), "what is not here is not chosen");
	model_release(&m);
}

/* No key is a command by mistake, and each in the table has one meaning. */
static void
test_table(void)
{
	const struct deed *a, *b;
	bool once = true;

	for (a = deeds; a->word != NULL; a++)
		for (b = a + 1; b->word != NULL; b++)
			once &=
			    a->key != b->key && strcmp(a->word, b->word) != 0;
	ok(once, "no two deeds have one key or word");
	for (a = deeds; a->word != NULL; a++)
		if (strcmp(a->word, "close") == 0 ||
		    strcmp(a->word, "escalate") == 0 ||
		    strcmp(a->word, "refuse") == 0)
			ok(a->asks & ASKS(ASK_SURE) && a->asks & ASKS(ASK_LOOK),
			    "%s asks, and shows whom it goes to", a->word);
}

int
main(void)
{
	test_order();
	test_stays();
	test_damaged();
	test_scroll();
	test_search();
	test_folds();
	test_one_key();
	test_refuse();
	test_escalate();
	test_request();
	test_share();
	test_save();
	test_texts();
	test_close();
	test_paste();
	test_long();
	test_lines();
	test_table();
	return tap_done();
}
