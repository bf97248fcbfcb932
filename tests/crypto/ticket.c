/* SPDX-License-Identifier: ISC */
/*
 * The words of a ticket and the grammar of its header, line by line.
 */
#include "crypto/ticket.h"
#include "tests/lib/tap.h"
#include "tests/lib/tickets.h"

#include <stdlib.h>
#include <string.h>

/* ---- words and roles ---- */

static void
test_words(void)
{
	enum ticket_kind kind = TICKET_KINDS;
	enum ticket_precedence precedence = TICKET_PRECEDENCES;
	enum ticket_tlp tlp = TICKET_TLPS;
	unsigned i, good = 0;

	for (i = 0; i < TICKET_KINDS; i++)
		good += ticket_kind_from(&kind,
			    span_of(ticket_kind_name((enum ticket_kind)i))) &&
			kind == i;
	for (i = 0; i < TICKET_PRECEDENCES; i++)
		good += ticket_precedence_from(
			    &precedence, span_of(ticket_precedence_name(
					     (enum ticket_precedence)i))) &&
			precedence == i;
	for (i = 0; i < TICKET_TLPS; i++)
		good += ticket_tlp_from(&tlp,
			    span_of(ticket_tlp_name((enum ticket_tlp)i))) &&
			tlp == i;
	is_int(good, TICKET_KINDS + TICKET_PRECEDENCES + TICKET_TLPS,
	    "every word comes back as its value");
	ok(!ticket_tlp_from(&tlp, span_of("amber")) &&
		!ticket_tlp_from(&tlp, span_of("WHITE")) &&
		!ticket_kind_from(&kind, span_of("")) &&
		!ticket_precedence_from(&precedence, span_of("flash ")),
	    "a word in another case, of another year, empty or longer is "
	    "none");
	ok(ticket_kind_name(TICKET_KINDS) == NULL &&
		ticket_tlp_name(TICKET_TLPS) == NULL,
	    "a value out of range has no word");
}

static void
test_roles(void)
{
	static const char bot[] = "report request update ack query result "
				  "escalate ";
	char got[256] = "";
	unsigned i, officer = 0, reader = 0;

	for (i = 0; i < TICKET_KINDS; i++) {
		enum ticket_kind k = (enum ticket_kind)i;

		officer += ticket_role_may(KEYS_OFFICER, k);
		reader += ticket_role_may(KEYS_READER, k);
		if (ticket_role_may(KEYS_BOT, k) &&
		    strstr(bot, ticket_kind_name(k)) != NULL)
			strcat(strcat(got, ticket_kind_name(k)), " ");
		else if (ticket_role_may(KEYS_BOT, k))
			strcat(got, "more");
	}
	is_int(officer, TICKET_KINDS, "an officer may say everything");
	is_int(reader, 0, "a reader may say nothing");
	is_int(strlen(got), strlen(bot), "a bot may say what it should");
	ok(!ticket_role_may((enum keys_role)99, TICKET_ACK) &&
		!ticket_role_may(KEYS_OFFICER, TICKET_KINDS),
	    "a role or kind that is not in the table may not");
}

/* ---- grammar ---- */

/* A header that uses every line there is. */
static void
full_draft(struct ticket *t)
{
	size_t i;

	tk_draft(t, 3);
	t->seq = 7;
	t->has_prev = true;
	t->has_thread = true;
	memset(t->prev, 0x11, ID_LEN);
	memset(t->thread, 0x22, ID_LEN);
	t->exercise = span_of("Tabletop.2026");
	t->nlabel = 2;
	t->label[0] = span_of("personal-data");
	t->label[1] = span_of("legal");
	t->nref = 2;
	memset(t->ref[0], 0xff, ID_LEN);
	memset(t->ref[1], 0x33, ID_LEN);
	t->npart = 2;
	for (i = 0; i < t->npart; i++) {
		t->part[i].size = i ? 100000 : 2000;
		memset(t->part[i].hash, (int)i, 32);
	}
	t->body_size = 9000; /* room for a few more stanzas */
	memset(t->body_hash, 0x44, 32);
	ticket_sort(t);
}

static struct buf
full_text(void)
{
	struct ticket t;
	struct buf text = { 0 };

	full_draft(&t);
	ticket_print(&text, &t);
	return text;
}

static void
test_full(void)
{
	struct buf text = full_text(), note = { 0 }, again = { 0 };
	struct ticket t;
	struct note n;
	enum tocsin_err err;
	size_t cut;

	tk_sign_as(&note, buf_span(&text), 0);
	err = ticket_parse(&t, &n, buf_span(&note));
	tk_is_err(err, TOCSIN_OK, "a header with every line");
	ticket_print(&again, &t);
	ok(span_eq(buf_span(&again), buf_span(&text)),
	    "what was read is written as the same bytes");
	ok(t.nto == 3 && t.npart == 2 && t.nref == 2 && t.nlabel == 2 &&
		t.seq == 7 && t.has_prev && t.has_thread &&
		t.tlp == TICKET_AMBER && t.precedence == TICKET_FLASH &&
		t.ackby == TK_NOW + 1800 && t.time == TK_NOW &&
		span_is(t.exercise, "Tabletop.2026") &&
		span_is(t.from, tk.member[0].name) &&
		span_is(t.device, "desk1") && t.part[0].size == 100000 &&
		t.ref[0][0] == 0xff,
	    "every line is where it belongs");
	ok(t.inner.n < t.text.n && t.text.p[t.inner.n - 1] == '\n' &&
		memcmp(t.text.p + t.inner.n, "body ", 5) == 0,
	    "inner is the text up to its body line");
	for (cut = 0; cut < note.n; cut++)
		if (tk_judge(span_cut(buf_span(&note), 0, cut), NULL) !=
		    TOCSIN_EMALFORMED)
			break;
	ok(cut == note.n, "every proper prefix is malformed (got to %zu)", cut);
	buf_u8(&note, 'x');
	tk_is_err(tk_judge(buf_span(&note), NULL), TOCSIN_EMALFORMED,
	    "a byte after the note");
	buf_release(&text);
	buf_release(&note);
	buf_release(&again);
}

/* Each edit of the full header, signed anew by the same device. */
static const struct edit {
	const char *what;
	const char *old;
	const char *new;
	enum tocsin_err want;
} edits[] = {
	{ "a later version", "/ticket/v1\n", "/ticket/v2\n",
	    TOCSIN_EUNSUPPORTED },
	{ "version zero", "/ticket/v1\n", "/ticket/v0\n", TOCSIN_EMALFORMED },
	{ "another text", "/ticket/v1\n", "/keys/v1\n", TOCSIN_EMALFORMED },
	{ "a roster serial with a zero before", "roster 2 ", "roster 02 ",
	    TOCSIN_EMALFORMED },
	{ "place zero of the chain", "/desk1 7 ", "/desk1 0 ",
	    TOCSIN_EMALFORMED },
	{ "place one with a predecessor", "/desk1 7 ", "/desk1 1 ",
	    TOCSIN_EMALFORMED },
	{ "a later place without one",
	    "/desk1 7 ERERERERERERERERERERERERERERERERERERERERERE=",
	    "/desk1 7 -", TOCSIN_EMALFORMED },
	{ "a sender without a device", "/desk1 7 ", " 7 ", TOCSIN_EMALFORMED },
	{ "a day that is not", "time 2026-11-21T", "time 2026-11-31T",
	    TOCSIN_EMALFORMED },
	{ "a kind that is not", "kind report", "kind rumour",
	    TOCSIN_EMALFORMED },
	{ "a precedence that is not", "precedence flash", "precedence now",
	    TOCSIN_EMALFORMED },
	{ "a TLP that is not", "tlp AMBER", "tlp WHITE", TOCSIN_EMALFORMED },
	{ "a TLP in lower case", "tlp AMBER", "tlp amber", TOCSIN_EMALFORMED },
	{ "no TLP", "tlp AMBER\n", "", TOCSIN_EMALFORMED },
	{ "TLP twice", "tlp AMBER\n", "tlp AMBER\ntlp AMBER\n",
	    TOCSIN_EMALFORMED },
	{ "no exercise line", "exercise Tabletop.2026\n", "",
	    TOCSIN_EMALFORMED },
	{ "an exercise of another alphabet", "Tabletop.2026", "Table/top",
	    TOCSIN_EMALFORMED },
	{ "a label in upper case", "label legal", "label LEGAL",
	    TOCSIN_EMALFORMED },
	{ "an epoch of another alphabet", "singcert@sg 2026-11",
	    "singcert@sg 2026/11", TOCSIN_EMALFORMED },
	{ "labels out of order", "label legal\nlabel personal-data\n",
	    "label personal-data\nlabel legal\n", TOCSIN_EMALFORMED },
	{ "a label twice", "label legal\n", "label legal\nlabel legal\n",
	    TOCSIN_EMALFORMED },
	{ "an answer by 1970", "ackby 2026-11-21T00:30:00Z",
	    "ackby 1970-01-01T00:00:00Z", TOCSIN_EMALFORMED },
	{ "bits behind the thread's id",
	    "thread IiIiIiIiIiIiIiIiIiIiIiIiIiI"
	    "iIiIiIiIiIiIiIiI=",
	    "thread IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiJ=",
	    TOCSIN_EMALFORMED },
	{ "a line that nobody knows", "\nto mycert", "\ncc mycert",
	    TOCSIN_EMALFORMED },
	{ "a recipient twice", "to mycert@my 2026-11\n",
	    "to mycert@my 2026-11\nto mycert@my 2026-11\n", TOCSIN_EMALFORMED },
	{ "a recipient with two epochs", "to mycert@my 2026-11\n",
	    "to mycert@my 2026-10\nto mycert@my 2026-11\n", TOCSIN_EMALFORMED },
	{ "recipients out of order", "to singcert@sg 2026-11\n",
	    "to singcert@sg 2026-11\nto mycert@sg 2026-11\n",
	    TOCSIN_EMALFORMED },
	{ "a circle as recipient", "to singcert@sg ", "to @asean ",
	    TOCSIN_EMALFORMED },
	{ "two spaces", "to singcert@sg ", "to singcert@sg  ",
	    TOCSIN_EMALFORMED },
	{ "a space at the end", "2026-11\nto singcert", "2026-11 \nto singcert",
	    TOCSIN_EMALFORMED },
	{ "a carriage return", "tlp AMBER\n", "tlp AMBER\r\n",
	    TOCSIN_EMALFORMED },
	{ "an escape sequence", "Tabletop.2026", "\033[2J", TOCSIN_EMALFORMED },
	{ "a part that holds nothing", "part 2000 ", "part 199 ",
	    TOCSIN_EMALFORMED },
	{ "parts out of order", "part 2000 ", "part 1000 ", TOCSIN_EMALFORMED },
	{ "a part of two sizes",
	    "part 2000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	    "part 2000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	    "part 3000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	    TOCSIN_EMALFORMED },
	{ "a part of 4 GiB and one", "part 2000 ", "part 4294967297 ",
	    TOCSIN_ETOOLARGE },
	{ "a part of 2^64", "part 2000 ", "part 18446744073709551616 ",
	    TOCSIN_EMALFORMED },
	{ "a body of 1 MiB and one", "body 9000 ", "body 1048577 ",
	    TOCSIN_ETOOLARGE },
	{ "an empty body", "body 9000 ", "body 0 ", TOCSIN_EMALFORMED },
	{ "a body too small for its stanzas", "body 9000 ", "body 4491 ",
	    TOCSIN_EMALFORMED },
	{ "a body just large enough", "body 9000 ", "body 4492 ", TOCSIN_OK },
	{ "a line behind the body", "body 9000 ", "body 9000 -\nbody 9000 ",
	    TOCSIN_EMALFORMED },
};

static void
test_edits(void)
{
	struct buf text = full_text();
	size_t i;

	for (i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const struct edit *e = &edits[i];
		struct buf edited = { 0 }, note = { 0 };

		if (!tk_replace(&edited, buf_span(&text), e->old, e->new))
			diag("nothing to edit for \"%s\"", e->what);
		tk_sign_as(&note, buf_span(&edited), 0);
		tk_is_err(tk_judge(buf_span(&note), NULL), e->want, e->what);
		buf_release(&edited);
		buf_release(&note);
	}
	buf_release(&text);
}

/* The draft, with `new` for `old` in its text, signed. */
static void
is_judged(const struct ticket *t, const char *old, const char *new,
    enum tocsin_err want, const char *what)
{
	struct buf text = { 0 }, edited = { 0 }, note = { 0 };

	ticket_print(&text, t);
	if (!tk_replace(&edited, buf_span(&text), old, new))
		diag("nothing to edit for \"%s\"", what);
	tk_sign_as(&note, buf_span(&edited), 0);
	tk_is_err(tk_judge(buf_span(&note), NULL), want, what);
	buf_release(&text);
	buf_release(&edited);
	buf_release(&note);
}

static void
test_many_recipients(void)
{
	struct ticket t;

	tk_draft(&t, TICKET_TO_MAX);
	t.body_size = 100000;
	is_judged(&t, "", "", TOCSIN_OK, "250 recipients");
	is_judged(&t, "to singcert@sg ",
	    "to nycert@my 2026-11\nto singcert@sg ", TOCSIN_EMALFORMED,
	    "251 recipients");
	t.nto = 0;
	is_judged(&t, "", "", TOCSIN_EMALFORMED, "no recipient");
}

static void
test_many_labels(void)
{
	static const char *const words[] = { "a", "b", "c", "d", "e", "f", "g",
		"h" };
	struct ticket t;
	size_t i;

	full_draft(&t);
	t.nlabel = TICKET_LABELS_MAX;
	for (i = 0; i < t.nlabel; i++)
		t.label[i] = span_of(words[t.nlabel - 1 - i]);
	ticket_sort(&t);
	is_judged(&t, "", "", TOCSIN_OK, "8 labels, sorted");
	is_judged(&t, "label h\n", "label h\nlabel i\n", TOCSIN_EMALFORMED,
	    "9 labels");
}

static void
test_many_ids(void)
{
	struct ticket t;
	size_t i;

	full_draft(&t);
	t.nref = TICKET_REFS_MAX;
	for (i = 0; i < t.nref; i++)
		memset(t.ref[i], 0xf0 - (int)i, ID_LEN);
	t.npart = TICKET_PARTS_MAX;
	for (i = 0; i < t.npart; i++) {
		t.part[i].size = 5000 - i * 37;
		memset(t.part[i].hash, (int)i, 32);
	}
	ticket_sort(&t);
	is_judged(&t, "", "", TOCSIN_OK, "16 refs and 64 parts, sorted");
	is_judged(&t, "\nto mycert",
	    "\nref zMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMw=\nto mycert",
	    TOCSIN_EMALFORMED, "17 refs");
	is_judged(&t, "\nbody ",
	    "\npart 9999 zMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMw=\n"
	    "body ",
	    TOCSIN_EMALFORMED, "65 parts");
}

static void
test_lines(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct buf two = { 0 }, other = { 0 };
	struct note n;
	struct ticket t;

	tk_is_err(
	    ticket_parse(&t, &n, buf_span(&p.note)), TOCSIN_OK, "a ticket");
	if (note_add(&two, &n, span_of("my/log"), tk.member[1].device_sk) !=
	    TOCSIN_OK)
		diag("note_add failed");
	tk_is_err(tk_judge(buf_span(&two), NULL), TOCSIN_EMALFORMED,
	    "a second signature line");
	tk_sign_as(&other, t.text, 1);
	tk_is_err(tk_judge(buf_span(&other), NULL), TOCSIN_EMALFORMED,
	    "signed under another's name");
	tk_is_err(
	    tk_judge(t.text, NULL), TOCSIN_EMALFORMED, "not signed at all");
	buf_cut(&other, 0);
	if (!tk_replace(&other, buf_span(&p.note),
		"\xe2\x80\x94 mycert@my/desk1 ",
		"\xe2\x80\x94 mycert@my/desk2 "))
		diag("nothing to edit");
	tk_is_err(tk_judge(buf_span(&other), NULL), TOCSIN_EMALFORMED,
	    "signed under the name of another device");
	tk_drop(&p);
	buf_release(&two);
	buf_release(&other);
}

int
main(void)
{
	tk_begin();
	test_words();
	test_roles();
	test_full();
	test_edits();
	test_many_recipients();
	test_many_labels();
	test_many_ids();
	test_lines();
	tk_end();
	return tap_done();
}
