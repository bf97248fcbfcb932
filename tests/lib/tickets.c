/* SPDX-License-Identifier: ISC */
#include "tests/lib/tickets.h"

#include "crypto/age.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tk tk;

/* In force from a day before TK_NOW, so that no test depends on today. */
static void
add_members(struct roster *r, void *arg)
{
	size_t i;

	(void)arg;
	r->issued = TK_NOW - 86400;
	r->expires = TK_NOW + 30 * 86400;
	for (i = 2; i < TK_MEMBERS; i++) {
		struct roster_member m = fixture_member(tk.member[i].name);

		if (roster_put_member(r, &m) != TOCSIN_OK)
			diag("roster_put_member failed");
	}
}

static void
date_keys(struct keys *k, void *arg)
{
	(void)arg;
	k->issued = TK_NOW - 86400;
	k->expires = TK_NOW + 40 * 86400;
}

void
tk_begin(void)
{
	char device[DEVICE_MAX + 1];
	size_t i;

	fixture_init(&tk.fx, "my sg");
	for (i = 0; i < TK_MEMBERS; i++) {
		char *name = tk.member[i].name;

		if (i < 2)
			strcpy(name, tk.fx.member[i]);
		else
			snprintf(name, MEMBER_MAX + 1, "t%03zu@sg", i);
		snprintf(device, sizeof(device), "%s/desk1", name);
		fixture_sign_key(tk.member[i].device_sk, device);
		fixture_age_key(tk.member[i].epoch_sk, name, FX_EPOCH);
		age_public(tk.member[i].epoch_pk, tk.member[i].epoch_sk);
	}
	fixture_next_roster(&tk.fx, add_members, NULL);
	fixture_next_keys(&tk.fx, 0, date_keys, NULL);
	fixture_next_keys(&tk.fx, 1, date_keys, NULL);
	tk.roster = tk.fx.roster;
}

void
tk_draft(struct ticket *t, size_t nto)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	strcpy(t->federation, FX_FEDERATION);
	t->roster_serial = tk.roster->serial;
	memcpy(t->roster_id, tk.roster->id, ID_LEN);
	t->from = span_of(tk.member[0].name);
	t->device = span_of("desk1");
	t->seq = 1;
	t->time = TK_NOW;
	t->precedence = TICKET_FLASH;
	t->tlp = TICKET_AMBER;
	t->ackby = TK_NOW + 1800;
	t->nto = nto;
	for (i = 0; i < nto; i++)
		t->to[i] = (struct ticket_to){ span_of(tk.member[i].name),
			span_of(FX_EPOCH) };
}

enum tocsin_err
tk_seal_json(const struct ticket *t, const char *json, struct buf *note,
    struct buf *body)
{
	char device[DEVICE_MAX + 1];
	uint8_t pk[TICKET_TO_MAX][32], sk[64];
	size_t i, j;

	for (i = 0; i < t->nto; i++)
		for (j = 0; j < TK_MEMBERS; j++)
			if (span_is(t->to[i].member, tk.member[j].name))
				memcpy(pk[i], tk.member[j].epoch_pk, 32);
	snprintf(device, sizeof(device), "%s/%.*s", tk.member[0].name,
	    (int)t->device.n, (const char *)t->device.p);
	fixture_sign_key(sk, device);
	return ticket_seal(note, body, t, (const uint8_t(*)[32])pk,
	    span_of(json), (struct span){ 0 }, sk);
}

void
tk_drop(struct tk_post *p)
{
	buf_release(&p->note);
	buf_release(&p->body);
}

struct tk_post
tk_seal(const struct ticket *t)
{
	struct tk_post p = { 0 };

	if (tk_seal_json(t, TK_JSON, &p.note, &p.body) != TOCSIN_OK)
		diag("sealing failed");
	return p;
}

struct tk_post
tk_seal_plain(size_t nto)
{
	struct ticket t;

	tk_draft(&t, nto);
	return tk_seal(&t);
}

void
tk_sign_as(struct buf *note, struct span text, size_t i)
{
	const uint8_t *sk = tk.member[i].device_sk;
	char name[DEVICE_MAX + 1];
	uint8_t line[KEYID_LEN + 64];
	struct vkey key;

	snprintf(name, sizeof(name), "%s/desk1", tk.member[i].name);
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
	return serial == tk.roster->serial &&
	       memcmp(id, tk.roster->id, ID_LEN) == 0;
}

struct ticket_trust
tk_trust(void)
{
	return (struct ticket_trust){ .roster = tk.roster,
		.in_chain = always,
		.from_keys = tk.fx.keys[0],
		.now = TK_NOW };
}

struct roster_member *
tk_member(const char *name)
{
	struct roster_member *m = tk.roster->member;

	while (strcmp(m->name, name) != 0)
		m++;
	return m;
}

enum tocsin_err
tk_judge(struct span note_bytes, const struct ticket_trust *trust)
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

enum tocsin_err
tk_open_with(struct ticket_contents *c, const struct tk_post *p, size_t reader,
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
		    span_of(tk.member[reader].name));
	free(copy);
	return err;
}

enum tocsin_err
tk_read_as(const struct tk_post *p, size_t reader)
{
	struct ticket_contents c;
	enum tocsin_err err;

	err = tk_open_with(
	    &c, p, reader, span_of(FX_EPOCH), tk.member[reader].epoch_sk);
	if (err == TOCSIN_OK && !span_is(c.json, TK_JSON))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK && (c.plain.p != NULL || c.json.n > 0))
		err = TOCSIN_EINTERNAL; /* it let something out */
	ticket_contents_release(&c);
	return err;
}

void
tk_is_err(enum tocsin_err got, enum tocsin_err want, const char *what)
{
	is_str(tocsin_err_name(got), tocsin_err_name(want), "%s: %s", what,
	    tocsin_err_name(want));
}

bool
tk_replace(struct buf *out, struct span text, const char *old, const char *new)
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

void
tk_end(void)
{
	fixture_release(&tk.fx);
}
