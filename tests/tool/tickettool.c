/* SPDX-License-Identifier: ISC */
/*
 * tickettool.c - tickets as files, for tests that look at them from outside
 *
 *	tickettool DIR [WHAT]
 *
 * A report of mycert@my/desk1 to itself and singcert@sg, with an attachment of
 * 100,000 bytes, and all that is needed to open it:
 *
 *	note body part		the ticket
 *	attachment		what is in the part
 *	sg.age my.age		the identities that open it
 *	device.vkey root.vkey	mycert@my/desk1 and mycert@my
 *	keys			the announcement of mycert@my
 *
 * WHAT is "good", or a wrong that a sender with valid keys can do:
 *
 *	two-faces		TLP:CLEAR outside, TLP:AMBER inside
 *	hidden			sealed to one reader more than the header names
 *	extra			a file more in the archive
 *	folder			an archive that is no ticket's but unpacks
 *				elsewhere
 */
#include "crypto/padding.h"
#include "crypto/part.h"
#include "crypto/tar.h"
#include "tests/lib/fixture.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTACHMENT 100000

static const char *dir;

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "tickettool: %s failed\n", what);
	exit(1);
}

static void
put(const char *name, struct span s)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	must(
	    f != NULL && fwrite(s.p, 1, s.n, f) == s.n && fclose(f) == 0, path);
}

static void
put_identity(const char *name, const char *member)
{
	char text[AGE_IDENTITY_TEXT + 1];
	uint8_t sk[32];

	fixture_age_key(sk, member, FX_EPOCH);
	age_identity_print(text, sk);
	put(name, span_of(text));
}

static void
put_vkey(const char *name, const char *keyname)
{
	struct buf b = { 0 };
	struct vkey k;
	uint8_t sk[64];

	fixture_sign_key(sk, keyname);
	must(vkey_make(&k, span_of(keyname), sk + 32) == TOCSIN_OK, "vkey");
	vkey_print(&b, &k);
	put(name, buf_span(&b));
	buf_release(&b);
}

/* Makes and puts the part and the attachment; adds its identity. */
static struct ticket_part
put_part(struct buf *identity)
{
	struct part_sealer *s = xmalloc(sizeof(*s));
	uint8_t *plain = xmalloc(ATTACHMENT), sk[32];
	struct buf file = { 0 };
	struct ticket_part part;
	bool done = false;
	size_t i;

	for (i = 0; i < ATTACHMENT; i++)
		plain[i] = (uint8_t)(i * 2654435761U >> 24);
	part_identity(sk, identity);
	must(part_sealer_begin(s, &file, sk, ATTACHMENT) == TOCSIN_OK &&
		 part_sealer_feed(
		     s, &file, (struct span){ plain, ATTACHMENT }) == TOCSIN_OK,
	    "sealing the part");
	while (!done)
		must(part_sealer_end(s, &file, &part, &done) == TOCSIN_OK,
		    "sealing the part's end");
	put("part", buf_span(&file));
	put("attachment", (struct span){ plain, ATTACHMENT });
	part_sealer_release(s);
	buf_release(&file);
	free(plain);
	free(s);
	return part;
}

static void
make_draft(struct ticket *t, const struct fixture *f)
{
	memset(t, 0, sizeof(*t));
	strcpy(t->federation, FX_FEDERATION);
	t->roster_serial = f->roster->serial;
	memcpy(t->roster_id, f->roster->id, ID_LEN);
	t->from = span_of(f->member[0]);
	t->device = span_of("desk1");
	t->seq = 1;
	t->time = f->now;
	t->precedence = TICKET_FLASH;
	t->tlp = TICKET_AMBER;
	t->nto = 2;
	t->to[0] =
	    (struct ticket_to){ span_of(f->member[0]), span_of(FX_EPOCH) };
	t->to[1] =
	    (struct ticket_to){ span_of(f->member[1]), span_of(FX_EPOCH) };
}

static void
recipients(uint8_t pk[3][32])
{
	static const char *const who[] = { "mycert@my", "singcert@sg",
		"mole@zz" };
	uint8_t sk[32];
	size_t i;

	for (i = 0; i < 3; i++) {
		fixture_age_key(sk, who[i], FX_EPOCH);
		age_public(pk[i], sk);
	}
}

static void
make_good(struct ticket *t, struct span json, struct span identity)
{
	struct buf note = { 0 }, body = { 0 };
	uint8_t pk[3][32], sk[64];

	recipients(pk);
	fixture_sign_key(sk, "mycert@my/desk1");
	must(ticket_seal(&note, &body, t, (const uint8_t(*)[32])pk, json,
		 identity, sk) == TOCSIN_OK,
	    "ticket_seal");
	put("note", buf_span(&note));
	put("body", buf_span(&body));
	buf_release(&note);
	buf_release(&body);
}

/* The header's text but its last line, with body values that don't matter. */
static void
inner(struct buf *b, const struct ticket *t)
{
	ticket_print(b, t);
	do
		buf_cut(b, b->n - 1);
	while (b->p[b->n - 1] != '\n');
}

static void
pack(struct buf *plain, const struct ticket *t, struct span json,
    struct span identity, const char *what)
{
	struct buf text = { 0 };
	size_t at;

	inner(&text, t);
	tar_add(plain, "header", buf_span(&text));
	tar_add(plain, "ticket.json", json);
	at = plain->n;
	tar_add(plain, "parts.age", identity);
	if (strcmp(what, "extra") == 0)
		tar_add(plain, "readme", span_of("hello\n"));
	tar_end(plain, (size_t)padme(plain->n + TAR_END, TICKET_PAD_FLOOR));
	must(buf_ok(plain), "the archive");
	if (strcmp(what, "folder") == 0) { /* name and checksum alone */
		memcpy(plain->p + at, "../x.age", 9);
		snprintf((char *)plain->p + at + 148, 8, "%06o",
		    (unsigned)strtoul((char *)plain->p + at + 148, NULL, 8) +
			'.' + '.' + '/' + 'x' + '.' + 'a' + 'g' + 'e' - 'p' -
			'a' - 'r' - 't' - 's' - '.' - 'a' - 'g' - 'e');
	}
	buf_release(&text);
}

static void
make_bad(
    struct ticket *t, struct span json, struct span identity, const char *what)
{
	size_t npk = strcmp(what, "hidden") == 0 ? 3 : 2;
	struct buf plain = { 0 }, body = { 0 }, text = { 0 }, note = { 0 };
	uint8_t pk[3][32], sk[64];

	pack(&plain, t, json, identity, what);
	recipients(pk);
	must(age_seal(&body, (const uint8_t(*)[32])pk, npk, buf_span(&plain)) ==
		 TOCSIN_OK,
	    "age_seal");
	if (strcmp(what, "two-faces") == 0)
		t->tlp = TICKET_CLEAR;
	t->body_size = body.n;
	crypto_hash_sha256(t->body_hash, body.p, body.n);
	ticket_print(&text, t);
	fixture_sign_key(sk, "mycert@my/desk1");
	must(note_sign(&note, buf_span(&text), span_of("mycert@my/desk1"),
		 sk) == TOCSIN_OK,
	    "note_sign");
	put("note", buf_span(&note));
	put("body", buf_span(&body));
	buf_release(&plain);
	buf_release(&body);
	buf_release(&text);
	buf_release(&note);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "good";
	struct buf identity = { 0 }, json = { 0 };
	struct fixture f;
	struct ticket t;

	must(argc > 1, "usage: tickettool DIR [WHAT]: it");
	dir = argv[1];
	fixture_init(&f, "my sg");
	make_draft(&t, &f);
	t.npart = 1;
	t.part[0] = put_part(&identity);
	buf_addf(&json,
	    "{\"subject\":\"test\",\"attachments\":[{\"size\":%d}]}\n",
	    ATTACHMENT);
	if (strcmp(what, "good") == 0)
		make_good(&t, buf_span(&json), buf_span(&identity));
	else
		make_bad(&t, buf_span(&json), buf_span(&identity), what);
	put_identity("my.age", "mycert@my");
	put_identity("sg.age", "singcert@sg");
	put_vkey("device.vkey", "mycert@my/desk1");
	put_vkey("root.vkey", "mycert@my");
	put("keys", buf_span(&f.keys_file[0]));
	buf_release(&identity);
	buf_release(&json);
	fixture_release(&f);
	return 0;
}
