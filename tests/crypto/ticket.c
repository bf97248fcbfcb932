/* SPDX-License-Identifier: ISC */
#include "crypto/ticket.h"
#include "crypto/age.h"
#include "crypto/padding.h"
#include "crypto/tar.h"
#include "tests/lib/fixture.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "{\"subject\":\"phishing at a bank\"}\n"

/* The headers of these tests are of this time; checks take it as now. */
#define NOW 1795219200 /* 2026-11-21T00:00:00Z */

/* 250 members in the order of the roster; the first two have announcements. */
#define MEMBERS 250

static struct {
	struct fixture fx;
	struct roster *roster;
	struct {
		char name[MEMBER_MAX + 1];
		uint8_t device_sk[64]; /* of desk1 */
		uint8_t epoch_sk[32];
		uint8_t epoch_pk[32];
	} member[MEMBERS];
} world;

/* In force from a day before NOW, so that no test depends on today. */
static void
add_members(struct roster *r, void *arg)
{
	size_t i;

	(void)arg;
	r->issued = NOW - 86400;
	r->expires = NOW + 30 * 86400;
	for (i = 2; i < MEMBERS; i++) {
		struct roster_member m = fixture_member(world.member[i].name);

		if (roster_put_member(r, &m) != TOCSIN_OK)
			diag("roster_put_member failed");
	}
}

static void
date_keys(struct keys *k, void *arg)
{
	(void)arg;
	k->issued = NOW - 86400;
	k->expires = NOW + 40 * 86400;
}

static void
make_world(void)
{
	char device[DEVICE_MAX + 1];
	size_t i;

	fixture_init(&world.fx, "my sg");
	for (i = 0; i < MEMBERS; i++) {
		char *name = world.member[i].name;

		if (i < 2)
			strcpy(name, world.fx.member[i]);
		else
			snprintf(name, MEMBER_MAX + 1, "t%03zu@sg", i);
		snprintf(device, sizeof(device), "%s/desk1", name);
		fixture_sign_key(world.member[i].device_sk, device);
		fixture_age_key(world.member[i].epoch_sk, name, FX_EPOCH);
		age_public(world.member[i].epoch_pk, world.member[i].epoch_sk);
	}
	fixture_next_roster(&world.fx, add_members, NULL);
	fixture_next_keys(&world.fx, 0, date_keys, NULL);
	fixture_next_keys(&world.fx, 1, date_keys, NULL);
	world.roster = world.fx.roster;
}

/* A report of the first member to the first nto ones, itself included. */
static void
draft(struct ticket *t, size_t nto)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	strcpy(t->federation, FX_FEDERATION);
	t->roster_serial = world.roster->serial;
	memcpy(t->roster_id, world.roster->id, ID_LEN);
	t->from = span_of(world.member[0].name);
	t->device = span_of("desk1");
	t->seq = 1;
	t->time = NOW;
	t->precedence = TICKET_FLASH;
	t->tlp = TICKET_AMBER;
	t->ackby = NOW + 1800;
	t->nto = nto;
	for (i = 0; i < nto; i++)
		t->to[i] = (struct ticket_to){ span_of(world.member[i].name),
			span_of(FX_EPOCH) };
}

/* Seals it, without parts, to those that it names. */
static enum tocsin_err
seal_json(const struct ticket *t, const char *json, struct buf *note,
    struct buf *body)
{
	char device[DEVICE_MAX + 1];
	uint8_t pk[TICKET_TO_MAX][32], sk[64];
	size_t i, j;

	for (i = 0; i < t->nto; i++)
		for (j = 0; j < MEMBERS; j++)
			if (span_is(t->to[i].member, world.member[j].name))
				memcpy(pk[i], world.member[j].epoch_pk, 32);
	snprintf(device, sizeof(device), "%s/%.*s", world.member[0].name,
	    (int)t->device.n, (const char *)t->device.p);
	fixture_sign_key(sk, device);
	return ticket_seal(note, body, t, (const uint8_t(*)[32])pk,
	    span_of(json), (struct span){ 0 }, sk);
}

/* A ticket on its way: what a broker or a reader is given. */
struct post {
	struct buf note;
	struct buf body;
};

static void
drop(struct post *p)
{
	buf_release(&p->note);
	buf_release(&p->body);
}

static struct post
seal(const struct ticket *t)
{
	struct post p = { 0 };

	if (seal_json(t, JSON, &p.note, &p.body) != TOCSIN_OK)
		diag("sealing failed");
	return p;
}

static struct post
seal_plain(size_t nto)
{
	struct ticket t;

	draft(&t, nto);
	return seal(&t);
}

/*
 * A note of whatever bytes, as the device of member i signs them. By hand, for
 * note_sign() refuses what is no text.
 */
static void
sign_as(struct buf *note, struct span text, size_t i)
{
	const uint8_t *sk = world.member[i].device_sk;
	char name[DEVICE_MAX + 1];
	uint8_t line[KEYID_LEN + 64];
	struct vkey key;

	snprintf(name, sizeof(name), "%s/desk1", world.member[i].name);
	if (vkey_make(&key, span_of(name), sk + 32) != TOCSIN_OK)
		diag("vkey_make failed");
	memcpy(line, key.id, KEYID_LEN);
	crypto_sign_detached(line + KEYID_LEN, NULL, text.p, text.n, sk);
	buf_cut(note, 0);
	buf_add(note, text);
	buf_addf(note, "\n\xe2\x80\x94 %s ", name);
	buf_base64(note, SPAN(line));
	buf_u8(note, '\n');
}

static bool
always(void *arg, uint64_t serial, const uint8_t id[ID_LEN])
{
	(void)arg;
	return serial == world.roster->serial &&
	       memcmp(id, world.roster->id, ID_LEN) == 0;
}

static struct ticket_trust
trust_now(void)
{
	return (struct ticket_trust){ .roster = world.roster,
		.in_chain = always,
		.from_keys = world.fx.keys[0],
		.now = NOW };
}

static struct roster_member *
enrolled(const char *name)
{
	struct roster_member *m = world.roster->member;

	while (strcmp(m->name, name) != 0)
		m++;
	return m;
}

/* parse and check, of an exact-size copy. */
static enum tocsin_err
judge(struct span note_bytes, const struct ticket_trust *trust)
{
	uint8_t *copy = xcopy(note_bytes.p, note_bytes.n);
	struct ticket t;
	struct note note;
	enum tocsin_err err;

	err = ticket_parse(&t, &note, (struct span){ copy, note_bytes.n });
	if (err == TOCSIN_OK && trust != NULL)
		err = ticket_check(&t, &note, trust);
	free(copy);
	return err;
}

static enum tocsin_err
open_with(struct ticket_contents *c, const struct post *p, size_t reader,
    struct span epoch, const uint8_t *sk)
{
	struct span bytes = buf_span(&p->note), body = buf_span(&p->body);
	uint8_t *copy = xcopy(body.p, body.n);
	struct ticket_key key = { epoch, sk };
	struct ticket t;
	struct note note;
	enum tocsin_err err = ticket_parse(&t, &note, bytes);

	memset(c, 0, sizeof(*c));
	if (err == TOCSIN_OK)
		err = ticket_open(c, &t, (struct span){ copy, body.n }, &key, 1,
		    span_of(world.member[reader].name));
	free(copy);
	return err;
}

/* All that a reader does, for one who holds only the reason. */
static enum tocsin_err
read_as(const struct post *p, size_t reader)
{
	struct ticket_contents c;
	enum tocsin_err err;

	err = open_with(
	    &c, p, reader, span_of(FX_EPOCH), world.member[reader].epoch_sk);
	if (err == TOCSIN_OK && !span_is(c.json, JSON))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK && (c.plain.p != NULL || c.json.n > 0))
		err = TOCSIN_EINTERNAL; /* it let something out */
	ticket_contents_release(&c);
	return err;
}

static void
is_err(enum tocsin_err got, enum tocsin_err want, const char *what)
{
	is_str(tocsin_err_name(got), tocsin_err_name(want), "%s: %s", what,
	    tocsin_err_name(want));
}

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

	draft(t, 3);
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

	sign_as(&note, buf_span(&text), 0);
	err = ticket_parse(&t, &n, buf_span(&note));
	is_err(err, TOCSIN_OK, "a header with every line");
	ticket_print(&again, &t);
	ok(span_eq(buf_span(&again), buf_span(&text)),
	    "what was read is written as the same bytes");
	ok(t.nto == 3 && t.npart == 2 && t.nref == 2 && t.nlabel == 2 &&
		t.seq == 7 && t.has_prev && t.has_thread &&
		t.tlp == TICKET_AMBER && t.precedence == TICKET_FLASH &&
		t.ackby == NOW + 1800 && t.time == NOW &&
		span_is(t.exercise, "Tabletop.2026") &&
		span_is(t.from, world.member[0].name) &&
		span_is(t.device, "desk1") && t.part[0].size == 100000 &&
		t.ref[0][0] == 0xff,
	    "every line is where it belongs");
	ok(t.inner.n < t.text.n && t.text.p[t.inner.n - 1] == '\n' &&
		memcmp(t.text.p + t.inner.n, "body ", 5) == 0,
	    "inner is the text up to its body line");
	for (cut = 0; cut < note.n; cut++)
		if (judge(span_cut(buf_span(&note), 0, cut), NULL) !=
		    TOCSIN_EMALFORMED)
			break;
	ok(cut == note.n, "every proper prefix is malformed (got to %zu)", cut);
	buf_u8(&note, 'x');
	is_err(judge(buf_span(&note), NULL), TOCSIN_EMALFORMED,
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

/* `text` with the first `old` replaced; false if there is none. */
static bool
replace(struct buf *out, struct span text, const char *old, const char *new)
{
	const uint8_t *at = memmem(text.p, text.n, old, strlen(old));
	size_t before;

	if (at == NULL)
		return false;
	before = (size_t)(at - text.p);
	buf_add(out, span_cut(text, 0, before));
	buf_addz(out, new);
	buf_add(out, span_cut(text, before + strlen(old), text.n));
	return true;
}

static void
test_edits(void)
{
	struct buf text = full_text();
	size_t i;

	for (i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		const struct edit *e = &edits[i];
		struct buf edited = { 0 }, note = { 0 };

		if (!replace(&edited, buf_span(&text), e->old, e->new))
			diag("nothing to edit for \"%s\"", e->what);
		sign_as(&note, buf_span(&edited), 0);
		is_err(judge(buf_span(&note), NULL), e->want, e->what);
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
	if (!replace(&edited, buf_span(&text), old, new))
		diag("nothing to edit for \"%s\"", what);
	sign_as(&note, buf_span(&edited), 0);
	is_err(judge(buf_span(&note), NULL), want, what);
	buf_release(&text);
	buf_release(&edited);
	buf_release(&note);
}

static void
test_many_recipients(void)
{
	struct ticket t;

	draft(&t, TICKET_TO_MAX);
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
	struct post p = seal_plain(2);
	struct buf two = { 0 }, other = { 0 };
	struct note n;
	struct ticket t;

	is_err(ticket_parse(&t, &n, buf_span(&p.note)), TOCSIN_OK, "a ticket");
	if (note_add(&two, &n, span_of("my/log"), world.member[1].device_sk) !=
	    TOCSIN_OK)
		diag("note_add failed");
	is_err(judge(buf_span(&two), NULL), TOCSIN_EMALFORMED,
	    "a second signature line");
	sign_as(&other, t.text, 1);
	is_err(judge(buf_span(&other), NULL), TOCSIN_EMALFORMED,
	    "signed under another's name");
	is_err(judge(t.text, NULL), TOCSIN_EMALFORMED, "not signed at all");
	buf_cut(&other, 0);
	if (!replace(&other, buf_span(&p.note), "\xe2\x80\x94 mycert@my/desk1 ",
		"\xe2\x80\x94 mycert@my/desk2 "))
		diag("nothing to edit");
	is_err(judge(buf_span(&other), NULL), TOCSIN_EMALFORMED,
	    "signed under the name of another device");
	drop(&p);
	buf_release(&two);
	buf_release(&other);
}

/* ---- what can be checked without opening ---- */

static void
test_keys_in_time(struct span note)
{
	struct ticket_trust t = trust_now();
	struct keys *k = world.fx.keys[0];
	int64_t expires = k->expires;

	k->expires = NOW + 1;
	t.now = NOW + 1;
	is_err(judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "an announcement that is over now");
	t.reading = true;
	is_err(judge(note, &t), TOCSIN_OK, "read, it was in force then");
	k->expires = NOW;
	is_err(judge(note, &t), TOCSIN_EKEYSEXPIRED, "read, it was over then");
	k->expires = expires;
}

static void
test_trust(void)
{
	struct post p = seal_plain(2);
	struct span note = buf_span(&p.note);
	struct ticket_trust t = trust_now();
	struct roster_member *m = enrolled(world.member[0].name);

	is_err(judge(note, &t), TOCSIN_OK, "a ticket of now");
	t.from_keys = NULL;
	is_err(judge(note, &t), TOCSIN_EKEYSEXPIRED, "no announcement");
	t.from_keys = world.fx.keys[1];
	is_err(judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "the announcement of another member");
	t = trust_now();
	world.fx.keys[0]->federation[0]++;
	is_err(judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "the announcement of the same name in another federation");
	world.fx.keys[0]->federation[0]--;
	m->suspended = true;
	is_err(judge(note, &t), TOCSIN_ESUSPENDED, "a suspended member");
	m->suspended = false;

	t.now = world.roster->expires;
	is_err(judge(note, &t), TOCSIN_EROSTEREXPIRED, "an expired roster");
	t.reading = true;
	is_err(judge(note, &t), TOCSIN_OK,
	    "the same when it is only read, by keys of its time");
	test_keys_in_time(note);
	t = trust_now();
	t.now = NOW - 600;
	is_err(judge(note, &t), TOCSIN_OK, "ten minutes ahead");
	t.now--;
	is_err(judge(note, &t), TOCSIN_ECLOCKSKEW, "a second more");
	drop(&p);
}

static void
test_removed(void)
{
	struct post p = seal_plain(2);
	struct ticket_trust t = trust_now();
	struct roster_member *m = enrolled(world.member[0].name);
	struct keys_device *d = &world.fx.keys[0]->device[0];

	m->name[0]++; /* nycert: still in order */
	is_err(judge(buf_span(&p.note), &t), TOCSIN_ENOTENROLLED,
	    "a member that was removed");
	m->name[0]--;
	d->name[4]++;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_ENOTENROLLED,
	    "a device that is no longer announced");
	d->name[4]--;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_OK, "both back again");
	drop(&p);
}

static void
is_said(const char *device, enum ticket_kind kind, enum tocsin_err want,
    const char *what)
{
	struct ticket_trust trust = trust_now();
	struct ticket t;
	struct post p;

	draft(&t, 2);
	t.device = span_of(device);
	t.kind = kind;
	p = seal(&t);
	is_err(judge(buf_span(&p.note), &trust), want, what);
	drop(&p);
}

static void
test_roles_in_force(void)
{
	is_said("desk1", TICKET_RECALL, TOCSIN_OK, "an officer recalls");
	is_said("escalator", TICKET_ESCALATE, TOCSIN_OK, "a bot escalates");
	is_said("escalator", TICKET_RECALL, TOCSIN_EKINDNOTALLOWED,
	    "a bot recalls");
	is_said("screen", TICKET_ACK, TOCSIN_EKINDNOTALLOWED,
	    "a reader acknowledges");
	is_said("desk9", TICKET_ACK, TOCSIN_ENOTENROLLED,
	    "a device that nobody announced");
}

static void
test_revoked(void)
{
	struct post p = seal_plain(2);
	struct ticket_trust t = trust_now();
	struct roster *r = world.roster;
	struct roster_revoked line = { .time = NOW - 60 };
	const struct vkey *k = &world.fx.keys[0]->device[0].sign;

	memcpy(line.name, k->name, sizeof(line.name));
	memcpy(line.id, k->id, sizeof(line.id));
	strcpy(line.reason, "stolen");
	if (roster_put_revoked(r, &line) != TOCSIN_OK)
		diag("roster_put_revoked failed");
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED, "a stolen key");
	t.reading = true;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and nobody can say since when the ticket exists");
	t.logged = NOW - 61;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_OK,
	    "read, and logged before the theft");
	t.logged = NOW - 60;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and logged after it");
	t.reading = false;
	t.logged = NOW - 61;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "a post is never excused by a log");
	r->nrevoked--;

	snprintf(line.name, sizeof(line.name), "%s", world.fx.member[0]);
	memcpy(line.id, world.fx.keys[0]->root, sizeof(line.id));
	if (roster_put_revoked(r, &line) != TOCSIN_OK)
		diag("roster_put_revoked failed");
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "a device that a stolen root key stands behind");
	t.reading = true;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_OK,
	    "read, and logged before that theft");
	t.logged = 0;
	is_err(judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and nobody can say since when");
	r->nrevoked--;
	drop(&p);
}

static void
test_no_memory(void)
{
	struct buf note = { .max = 100 }, body = { 0 };
	struct ticket t;

	draft(&t, 2);
	is_err(seal_json(&t, JSON, &note, &body), TOCSIN_EINTERNAL,
	    "memory that is short for the note");
	buf_release(&note);
	buf_release(&body);
	note.max = 0;
	body.max = 100;
	is_err(seal_json(&t, JSON, &note, &body), TOCSIN_EINTERNAL,
	    "or for the body is no matter of a disk");
	ok(note.n == 0 && body.n == 0, "and leaves nothing");
	buf_release(&note);
	buf_release(&body);
}

static void
test_rosters(void)
{
	struct ticket_trust trust = trust_now();
	struct ticket t;
	struct post p;

	draft(&t, 2);
	strcpy(t.federation, "other.example");
	p = seal(&t);
	is_err(judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a ticket of another federation");
	drop(&p);
	draft(&t, 2);
	t.roster_id[31] ^= 1;
	p = seal(&t);
	is_err(judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a roster with our serial and another id");
	drop(&p);
	draft(&t, 2);
	t.roster_serial++;
	p = seal(&t);
	is_err(judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a roster that we don't have");
	drop(&p);
}

static void
test_own_team(void)
{
	struct ticket_trust trust = trust_now();
	struct ticket t;
	struct post p;

	draft(&t, 3);
	t.to[0] = t.to[1];
	t.to[1] = t.to[2];
	t.nto = 2;
	p = seal(&t);
	is_err(judge(buf_span(&p.note), &trust), TOCSIN_ENOTRECIPIENT,
	    "a ticket that hides from the sender's own team");
	drop(&p);
}

/* What a broker on the way could try: the text changes, the line stays. */
static void
test_broker_edits(void)
{
	static const char *const tries[][2] = {
		{ "tlp AMBER", "tlp CLEAR" },
		{ "tlp AMBER", "tlp RED" },
		{ "exercise -", "exercise Tabletop" },
		{ "to singcert@sg 2026-11\n", "" },
		{ "to singcert@sg", "to t002@sg" },
		{ "to singcert@sg", "to singcert@my" },
		{ "precedence flash", "precedence routine" },
		{ "2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z" },
		{ "/desk1 1 -",
		    "/desk1 2 "
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
	};
	struct post p = seal_plain(2);
	struct ticket_trust t = trust_now();
	size_t i, caught = 0;

	for (i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct buf edited = { 0 };

		if (!replace(
			&edited, buf_span(&p.note), tries[i][0], tries[i][1]))
			diag("nothing to edit: %s", tries[i][0]);
		if (judge(buf_span(&edited), &t) == TOCSIN_EBADSIGNATURE)
			caught++;
		else
			diag("%s passes", tries[i][1]);
		buf_release(&edited);
	}
	is_int(caught, i, "a header edited on the way: bad-signature");
	drop(&p);
}

static void
test_header_flips(void)
{
	struct post p = seal_plain(2);
	struct ticket_trust t = trust_now();
	size_t i, bit, passed = 0;

	for (i = 0; i < p.note.n; i++) {
		for (bit = 0; bit < 8; bit++) {
			p.note.p[i] ^= (uint8_t)(1 << bit);
			if (judge(buf_span(&p.note), &t) == TOCSIN_OK) {
				passed++;
				diag("byte %zu bit %zu", i, bit);
			}
			p.note.p[i] ^= (uint8_t)(1 << bit);
		}
	}
	is_int(passed, 0, "no bit of a note can be flipped, of %zu bytes",
	    p.note.n);
	drop(&p);
}

static void
test_chain(void)
{
	struct ticket t = { .seq = 5, .has_prev = true };
	uint8_t id[ID_LEN] = { 0 }, other[ID_LEN] = { 1 };

	is_int(ticket_chain(&t, 4, id), TICKET_NEXT, "the next follows");
	is_int(ticket_chain(&t, 4, other), TICKET_CONFLICT,
	    "the next of another last conflicts");
	is_int(ticket_chain(&t, 5, other), TICKET_CONFLICT,
	    "another message in the last one's place conflicts");
	is_int(ticket_chain(&t, 3, id), TICKET_GAP, "a later one leaves a gap");
	is_int(
	    ticket_chain(&t, 0, id), TICKET_GAP, "the fifth is no beginning");
	is_int(ticket_chain(&t, UINT64_MAX, id), TICKET_LATE,
	    "an earlier one is late");
	t.seq = 1;
	t.has_prev = false;
	is_int(ticket_chain(&t, 0, other), TICKET_NEXT, "the first begins");
}

/* ---- opening ---- */

static void
test_round_trip(size_t nto)
{
	struct post p = seal_plain(nto);
	struct ticket_trust trust = trust_now();
	struct ticket t;
	struct note n;
	size_t i, opened = 0;

	is_err(judge(buf_span(&p.note), &trust), TOCSIN_OK, "sealed");
	for (i = 0; i < nto; i++)
		opened += read_as(&p, i) == TOCSIN_OK;
	is_int(opened, nto, "each of %zu recipients opens it", nto);
	if (ticket_parse(&t, &n, buf_span(&p.note)) == TOCSIN_OK)
		is_err(ticket_check_body(&t, buf_span(&p.body)), TOCSIN_OK,
		    "a broker finds nothing wrong with the body");
	ok(p.note.n <= TEXT_MAX && p.body.n == t.body_size,
	    "header %zu and body %zu bytes", p.note.n, p.body.n);
	if (nto < MEMBERS)
		is_err(read_as(&p, nto), TOCSIN_ENOTRECIPIENT,
		    "the member that is not named");
	drop(&p);
}

static void
test_keys_held(void)
{
	struct post p = seal_plain(2);
	struct ticket_contents c;
	const uint8_t *sk = world.member[1].epoch_sk;
	struct ticket_key two[2] = {
		{ span_of(FX_EPOCH), world.member[2].epoch_sk },
		{ span_of(FX_EPOCH), sk },
	};
	struct ticket t;
	struct note n;

	is_err(open_with(&c, &p, 1, span_of("2026-10"), sk),
	    TOCSIN_ENOTRECIPIENT, "a key of another epoch");
	is_err(
	    open_with(&c, &p, 1, span_of(FX_EPOCH), world.member[2].epoch_sk),
	    TOCSIN_ERECIPIENTMISMATCH, "another's key of that epoch");
	if (ticket_parse(&t, &n, buf_span(&p.note)) == TOCSIN_OK)
		is_err(ticket_open(&c, &t, buf_span(&p.body), two, 2,
			   span_of(world.member[1].name)),
		    TOCSIN_OK, "one of two keys of that epoch");
	ticket_contents_release(&c);
	drop(&p);
}

static void
test_seal_refuses(void)
{
	struct buf note = { 0 }, body = { 0 };
	char *big = xmalloc(TICKET_BODY_MAX + 1);
	struct ticket t;

	buf_addz(&note, "kept");
	draft(&t, 2);
	is_err(
	    seal_json(&t, "", &note, &body), TOCSIN_EUSAGE, "sealing nothing");
	memset(big, ' ', TICKET_BODY_MAX);
	big[TICKET_BODY_MAX] = '\0';
	is_err(seal_json(&t, big, &note, &body), TOCSIN_ETOOLARGE,
	    "sealing 1 MiB");
	t.to[1] = t.to[0];
	is_err(seal_json(&t, JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing to one member twice");
	draft(&t, 2);
	t.npart = 1;
	t.part[0].size = 4000;
	is_err(seal_json(&t, JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing parts without their identity");
	draft(&t, 2);
	t.exercise = span_of("two words");
	is_err(seal_json(&t, JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing a name with a space");
	ok(note.n == 4 && body.n == 0, "a failure leaves the buffers alone");
	free(big);
	buf_release(&note);
	buf_release(&body);
}

/* ---- senders with valid keys and bad intent ---- */

/*
 * What a sender can make with the formats in his hands: any plaintext, sealed
 * to any keys, under any header, with body line and signature in order.
 */
static struct post
forge(const struct ticket *made_of, size_t signer, struct span plain,
    const uint8_t (*pk)[32], size_t npk)
{
	struct ticket t = *made_of;
	struct post p = { 0 };
	struct buf text = { 0 };

	if (age_seal(&p.body, pk, npk, plain) != TOCSIN_OK)
		diag("age_seal failed");
	t.body_size = p.body.n;
	crypto_hash_sha256(t.body_hash, p.body.p, p.body.n);
	ticket_print(&text, &t);
	sign_as(&p.note, buf_span(&text), signer);
	buf_release(&text);
	return p;
}

/* Signs the header of a post again, over the body as it now is. */
static void
sign_body(struct post *p, const struct ticket *made_of)
{
	struct ticket t = *made_of;
	struct buf text = { 0 };

	t.body_size = p->body.n;
	crypto_hash_sha256(t.body_hash, p->body.p, p->body.n);
	ticket_print(&text, &t);
	sign_as(&p->note, buf_span(&text), 0);
	buf_release(&text);
}

static struct span
inner_of(struct buf *b, const struct ticket *t)
{
	ticket_print(b, t);
	while (b->n > 0 && memcmp(b->p + b->n - 1, "\n", 1) == 0 &&
	       memmem(b->p, b->n, "\nbody ", 6) != NULL)
		buf_cut(
		    b, (size_t)((uint8_t *)memmem(b->p, b->n, "\nbody ", 6) -
				b->p) +
			   1);
	return buf_span(b);
}

/* The archive of an honest ticket, to be changed. */
static struct buf
archive(const struct ticket *t, const char *json)
{
	struct buf inner = { 0 }, plain = { 0 };

	tar_add(&plain, "header", inner_of(&inner, t));
	tar_add(&plain, "ticket.json", span_of(json));
	buf_release(&inner);
	return plain;
}

static void
finish(struct buf *plain)
{
	tar_end(plain, (size_t)padme(plain->n + TAR_END, TICKET_PAD_FLOOR));
	if (!buf_ok(plain))
		diag("the archive failed");
}

static void
keys_of(uint8_t (*pk)[32], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(pk[i], world.member[i].epoch_pk, 32);
}

static void
test_forge_is_sound(void)
{
	struct ticket t;
	struct buf plain;
	uint8_t pk[2][32];
	struct post p;

	draft(&t, 2);
	keys_of(pk, 2);
	plain = archive(&t, JSON);
	finish(&plain);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	is_err(read_as(&p, 1), TOCSIN_OK,
	    "the forger's tools can make a good ticket");
	buf_release(&plain);
	drop(&p);
}

/* Member 1 strips the signature of member 0 and puts its own. */
static void
test_stolen_body(void)
{
	struct post p = seal_plain(2), stolen = { 0 };
	struct ticket_trust trust = trust_now();
	struct ticket t;
	struct note n;
	struct buf text = { 0 };

	is_err(ticket_parse(&t, &n, buf_span(&p.note)), TOCSIN_OK, "a ticket");
	t.from = span_of(world.member[1].name);
	ticket_print(&text, &t);
	sign_as(&stolen.note, buf_span(&text), 1);
	buf_add(&stolen.body, buf_span(&p.body));
	trust.from_keys = world.fx.keys[1];
	is_err(judge(buf_span(&stolen.note), &trust), TOCSIN_OK,
	    "another's body under one's own name passes brokers");
	is_err(read_as(&stolen, 0), TOCSIN_EHEADERMISMATCH, "and no reader");
	buf_release(&text);
	drop(&p);
	drop(&stolen);
}

/* Member 1 seals what it read for member 2 and passes on the old header. */
static void
test_passed_on(void)
{
	struct post p = seal_plain(3);
	struct ticket t;
	struct buf plain;
	uint8_t pk[3][32];

	draft(&t, 3);
	keys_of(pk, 3);
	plain = archive(&t, JSON);
	finish(&plain);
	buf_cut(&p.body, 0);
	if (age_seal(&p.body, (const uint8_t(*)[32])pk, 3, buf_span(&plain)) !=
	    TOCSIN_OK)
		diag("age_seal failed");
	is_err(read_as(&p, 2), TOCSIN_EBODYMISMATCH,
	    "a body sealed again under the old header");
	buf_release(&plain);
	drop(&p);
}

/* tlp, exercise and the rest differ between outside and inside. */
static void
test_two_faces(void)
{
	struct ticket inside, outside;
	struct buf plain;
	uint8_t pk[2][32];
	struct post p;

	draft(&inside, 2);
	keys_of(pk, 2);
	plain = archive(&inside, JSON);
	finish(&plain);
	outside = inside;
	outside.tlp = TICKET_CLEAR;
	p = forge(&outside, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	is_err(read_as(&p, 1), TOCSIN_EHEADERMISMATCH,
	    "TLP:CLEAR outside, TLP:AMBER inside");
	drop(&p);
	outside = inside;
	outside.exercise = span_of("Tabletop");
	p = forge(&outside, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	is_err(read_as(&p, 1), TOCSIN_EHEADERMISMATCH,
	    "exercise outside, live inside");
	drop(&p);
	buf_release(&plain);
}

static void
test_stanzas(void)
{
	struct ticket t, broker;
	struct note n;
	struct buf plain;
	uint8_t pk[3][32], swapped[2][32];
	struct post p;

	draft(&t, 2);
	keys_of(pk, 3);
	memcpy(swapped[0], pk[1], 32);
	memcpy(swapped[1], pk[0], 32);
	plain = archive(&t, JSON);
	finish(&plain);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 3);
	is_err(read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "a reader whom the header hides");
	if (ticket_parse(&broker, &n, buf_span(&p.note)) == TOCSIN_OK)
		is_err(ticket_check_body(&broker, buf_span(&p.body)),
		    TOCSIN_ERECIPIENTMISMATCH, "seen by a broker, too");
	drop(&p);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])swapped, 2);
	is_err(read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH, "stanzas swapped");
	drop(&p);
	memcpy(pk[1], pk[2], 32);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	is_err(read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "one reader's stanza is another's");
	is_err(read_as(&p, 0), TOCSIN_OK, "which the other readers can't see");
	drop(&p);
	buf_release(&plain);
}

/* A recipient adds a stanza to the sender's file: the hash is another. */
static void
test_stanza_added(void)
{
	struct post p = seal_plain(2), more = { 0 };
	uint8_t *at = memmem(p.body.p, p.body.n, "\n---", 4);
	size_t head = (size_t)(at - p.body.p) + 1;
	struct ticket t;

	buf_add(&more.note, buf_span(&p.note));
	buf_add(&more.body, span_cut(buf_span(&p.body), 0, head));
	buf_add(&more.body, span_cut(buf_span(&p.body), head - 98, 98));
	buf_add(&more.body, span_cut(buf_span(&p.body), head, p.body.n));
	is_err(read_as(&more, 1), TOCSIN_EBODYMISMATCH, "a stanza added");
	draft(&t, 2);
	sign_body(&more, &t);
	is_err(read_as(&more, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "a stanza added, and signed");
	drop(&p);
	drop(&more);
}

/* One file more, fewer, other, elsewhere, or not quite the archive's end. */
static enum tocsin_err
read_archive(const struct ticket *t, struct buf *plain, bool end)
{
	uint8_t pk[2][32];
	enum tocsin_err err;
	struct post p;

	keys_of(pk, 2);
	if (end)
		finish(plain);
	p = forge(t, 0, buf_span(plain), (const uint8_t(*)[32])pk, 2);
	err = read_as(&p, 1);
	buf_release(plain);
	drop(&p);
	return err;
}

static void
test_archive(void)
{
	struct ticket t;
	struct buf plain, inner = { 0 };

	draft(&t, 2);
	inner_of(&inner, &t);
	plain = archive(&t, JSON);
	tar_add(&plain, "readme", span_of("hello"));
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "a file too many");
	plain = archive(&t, JSON);
	tar_add(&plain, "parts.age", span_of("x"));
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an identity without parts");
	plain = archive(&t, JSON);
	tar_add(&plain, "ticket.json", span_of(JSON));
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "two tickets in one");
	plain = archive(&t, "");
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an empty ticket.json");
	tar_add(&plain, "header", buf_span(&inner));
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "a header alone");
	tar_add(&plain, "ticket.json", span_of(JSON));
	tar_add(&plain, "header", buf_span(&inner));
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "files in another order");
	is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an empty archive");
	buf_release(&inner);
}

static void
test_padding(void)
{
	struct ticket t;
	struct buf plain;

	draft(&t, 2);
	plain = archive(&t, JSON);
	tar_end(&plain, 8192);
	is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "more padding than is due");
	plain = archive(&t, JSON);
	finish(&plain);
	plain.p[plain.n - 1] = 1;
	is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "a byte in the padding");
	plain = archive(&t, JSON);
	finish(&plain);
	buf_u8(&plain, 0);
	is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "a byte behind the padding");
	memset(buf_grow(&plain, 4096), 0, 4096);
	is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "nothing but zeros");
	memset(buf_grow(&plain, 4096), 'A', 4096);
	is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "nothing but letters");
}

/* ---- damage ---- */

/* Cut on the way, and cut by the sender, who then signs what is left. */
static void
test_body_cut(void)
{
	char *json = xmalloc(9001);
	struct post p = { 0 };
	size_t whole, wrong = 0, opened = 0;
	struct ticket t;

	draft(&t, 2);
	memset(json, ' ', 9000);
	json[9000] = '\0';
	if (seal_json(&t, json, &p.note, &p.body) != TOCSIN_OK)
		diag("sealing failed");
	whole = p.body.n;
	for (p.body.n = 0; p.body.n < whole; p.body.n++)
		wrong += read_as(&p, 1) != TOCSIN_EBODYMISMATCH;
	is_int(wrong, 0, "a body cut anywhere is body-mismatch");
	for (p.body.n = 4394; p.body.n < whole; p.body.n += 13) {
		sign_body(&p, &t);
		opened += read_as(&p, 1) != TOCSIN_EMALFORMED;
	}
	is_int(opened, 0, "a body cut and then signed is malformed");
	free(json);
	drop(&p);
}

static void
test_body_longer(void)
{
	struct post p = seal_plain(2);
	struct ticket t;

	draft(&t, 2);
	sign_body(&p, &t);
	is_err(read_as(&p, 1), TOCSIN_OK, "the same body, signed again");
	buf_u8(&p.body, 0);
	is_err(read_as(&p, 1), TOCSIN_EBODYMISMATCH, "a byte behind the body");
	sign_body(&p, &t);
	is_err(read_as(&p, 1), TOCSIN_EMALFORMED,
	    "a byte behind the body, signed");
	drop(&p);
}

static void
test_body_flips(void)
{
	struct post p = seal_plain(2);
	size_t i, unsigned_ok = 0, signed_ok = 0, other = 0;
	struct ticket t;
	enum tocsin_err err;

	draft(&t, 2);
	for (i = 0; i < p.body.n; i += i < 300 ? 1 : 61) {
		p.body.p[i] ^= 0x04;
		unsigned_ok += read_as(&p, 1) != TOCSIN_EBODYMISMATCH;
		sign_body(&p, &t);
		err = read_as(&p, 1);
		signed_ok += err == TOCSIN_OK;
		other += err != TOCSIN_EMALFORMED &&
			 err != TOCSIN_EUNSUPPORTED &&
			 err != TOCSIN_ERECIPIENTMISMATCH;
		p.body.p[i] ^= 0x04;
		sign_body(&p, &t);
	}
	is_int(unsigned_ok, 0, "a flipped bit is body-mismatch");
	is_int(signed_ok, 0, "a flipped bit, signed, opens nowhere");
	is_int(other, 0, "and is never taken for damage on the way");
	drop(&p);
}

int
main(void)
{
	make_world();
	test_words();
	test_roles();
	test_full();
	test_edits();
	test_many_recipients();
	test_many_labels();
	test_many_ids();
	test_lines();
	test_trust();
	test_removed();
	test_roles_in_force();
	test_revoked();
	test_no_memory();
	test_rosters();
	test_own_team();
	test_broker_edits();
	test_header_flips();
	test_chain();
	test_round_trip(1);
	test_round_trip(2);
	test_round_trip(10);
	test_round_trip(250);
	test_keys_held();
	test_seal_refuses();
	test_forge_is_sound();
	test_stolen_body();
	test_passed_on();
	test_two_faces();
	test_stanzas();
	test_stanza_added();
	test_archive();
	test_padding();
	test_body_cut();
	test_body_longer();
	test_body_flips();
	fixture_release(&world.fx);
	return tap_done();
}
