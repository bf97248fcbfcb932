/* SPDX-License-Identifier: ISC */
#include "tests/lib/fixture.h"

#include "crypto/age.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(x)                                                             \
	do {                                                                \
		if (!(x)) {                                                 \
			diag("fixture: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                            \
		}                                                           \
	} while (0)

/* ---- keys ---- */

static void
seed(uint8_t out[32], const char *use, const char *name)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)use, strlen(use) + 1);
	crypto_hash_sha256_update(&st, (const uint8_t *)name, strlen(name));
	crypto_hash_sha256_final(&st, out);
}

void
fixture_sign_key(uint8_t sk[64], const char *name)
{
	uint8_t s[32], pk[32];

	seed(s, "sign", name);
	crypto_sign_seed_keypair(pk, sk, s);
}

void
fixture_noise_key(uint8_t sk[32], const char *name)
{
	seed(sk, "noise", name);
}

void
fixture_age_key(uint8_t sk[32], const char *member, const char *epoch)
{
	char name[MEMBER_MAX + TOKEN_MAX + 2];

	snprintf(name, sizeof(name), "%s %s", member, epoch);
	seed(sk, "age", name);
}

static struct vkey
vkey_of(const char *name)
{
	struct vkey k;
	uint8_t sk[64];

	fixture_sign_key(sk, name);
	MUST(vkey_make(&k, span_of(name), sk + 32) == TOCSIN_OK);
	return k;
}

static void
noise_public(uint8_t pk[32], const char *name)
{
	uint8_t sk[32];

	fixture_noise_key(sk, name);
	MUST(crypto_scalarmult_base(pk, sk) == 0);
}

/* ---- the roster ---- */

struct roster_broker
fixture_broker(const char *name, const char *nation)
{
	struct roster_broker b = { 0 };
	char key[KEYNAME_MAX + 1];

	snprintf(b.name, sizeof(b.name), "%s", name);
	snprintf(b.nation, sizeof(b.nation), "%s", nation);
	noise_public(b.noise, name);
	snprintf(key, sizeof(key), "%s/log", name);
	b.log = vkey_of(key);
	snprintf(key, sizeof(key), "%s/sign", name);
	b.sign = vkey_of(key);
	snprintf(b.rpc, sizeof(b.rpc), "-");
	snprintf(b.relay, sizeof(b.relay), "-");
	return b;
}

struct roster_member
fixture_member(const char *name)
{
	struct roster_member m = { 0 };

	snprintf(m.name, sizeof(m.name), "%s", name);
	m.root = vkey_of(name);
	return m;
}

void
fixture_add_member(struct roster *r, void *name)
{
	struct roster_member m = fixture_member(name);

	if (roster_put_member(r, &m) != TOCSIN_OK)
		abort();
}

static void
sign_roster(struct fixture *f, const struct roster *draft)
{
	static const char *const signer[FX_THRESHOLD] = { "auth-a", "auth-b" };
	struct buf text = { 0 }, next = { 0 };
	struct note note;
	size_t i;

	roster_print(&text, draft);
	for (i = 0; i < FX_THRESHOLD; i++) {
		uint8_t sk[64];

		fixture_sign_key(sk, signer[i]);
		MUST(note_parse_draft(
			 &note, buf_span(&text), ROSTER_TEXT_MAX) == 0);
		MUST(note_add(&next, &note, span_of(signer[i]), sk) == 0);
		buf_release(&text);
		text = next;
		next = (struct buf){ 0 };
	}
	buf_release(&f->file);
	f->file = text;
	roster_free(f->roster);
	MUST(roster_parse(&f->roster, buf_span(&f->file)) == TOCSIN_OK);
}

static void
add_nation(struct fixture *f, struct roster *r, const char *nation)
{
	const char *team = strcmp(nation, "sg") == 0 ? "singcert" : NULL;
	struct roster_broker b = fixture_broker(nation, nation);
	struct roster_member m;
	char *name = f->member[f->n];

	if (team)
		snprintf(name, MEMBER_MAX + 1, "%s@%s", team, nation);
	else
		snprintf(name, MEMBER_MAX + 1, "%scert@%s", nation, nation);
	snprintf(f->nation[f->n], NATION_MAX + 1, "%s", nation);
	m = fixture_member(name);
	MUST(roster_put_broker(r, &b) == TOCSIN_OK);
	MUST(roster_put_member(r, &m) == TOCSIN_OK);
	f->n++;
}

static void
genesis(struct fixture *f, const char *nations)
{
	struct roster *r = roster_new();
	char *list = strdup(nations), *save = NULL, *word;
	int i;

	MUST(r && list);
	snprintf(r->federation, sizeof(r->federation), FX_FEDERATION);
	r->serial = 1;
	r->issued = f->now - 3600;
	r->expires = f->now + 365 * 86400;
	r->threshold = FX_THRESHOLD;
	for (i = 0; i < FX_AUTHORITIES; i++) {
		char name[] = "auth-?";
		struct roster_authority a;

		name[5] = (char)('a' + i);
		a.key = vkey_of(name);
		MUST(roster_put_authority(r, &a) == TOCSIN_OK);
	}
	for (word = strtok_r(list, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		add_nation(f, r, word);
	sign_roster(f, r);
	memcpy(f->genesis, f->roster->id, ID_LEN);
	roster_free(r);
	free(list);
}

void
fixture_next_roster(
    struct fixture *f, void (*change)(struct roster *, void *), void *arg)
{
	struct roster *r = NULL;

	MUST(roster_parse(&r, f->roster->text) == TOCSIN_OK);
	r->serial++;
	r->has_previous = true;
	memcpy(r->previous, f->roster->id, ID_LEN);
	r->issued++;
	if (change)
		change(r, arg);
	sign_roster(f, r);
	roster_free(r);
}

/* ---- announcements ---- */

static void
sign_keys(struct fixture *f, size_t i, const struct keys *draft)
{
	struct buf text = { 0 };
	uint8_t sk[64];

	keys_print(&text, draft);
	fixture_sign_key(sk, f->member[i]);
	buf_release(&f->keys_file[i]);
	MUST(note_sign(&f->keys_file[i], buf_span(&text), span_of(f->member[i]),
		 sk) == TOCSIN_OK);
	buf_release(&text);
	keys_free(f->keys[i]);
	f->keys[i] = NULL;
	MUST(keys_parse(&f->keys[i], buf_span(&f->keys_file[i])) == TOCSIN_OK);
}

void
fixture_add_device(struct keys *k, const char *label, enum keys_role role,
    const char *exercise)
{
	struct keys_device *d = &k->device[k->ndevice++];
	char name[KEYNAME_MAX + 1];

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", label);
	snprintf(name, sizeof(name), "%s/%s", k->member, label);
	d->role = role;
	d->sign = vkey_of(name);
	noise_public(d->noise, name);
	snprintf(d->exercise, sizeof(d->exercise), "%s", exercise);
	keys_sort(k);
}

static void
first_keys(struct fixture *f, size_t i)
{
	struct keys *k = calloc(1, sizeof(*k));
	struct keys_recipient *r;
	uint8_t sk[32];

	MUST(k);
	snprintf(k->federation, sizeof(k->federation), FX_FEDERATION);
	snprintf(k->member, sizeof(k->member), "%s", f->member[i]);
	k->serial = 1;
	k->issued = f->now - 1800;
	k->expires = f->now + 60 * 86400;
	fixture_add_device(k, "desk1", KEYS_OFFICER, "");
	fixture_add_device(k, "escalator", KEYS_BOT, "");
	fixture_add_device(k, "screen", KEYS_READER, "");
	r = &k->recipient[k->nrecipient++];
	snprintf(r->epoch, sizeof(r->epoch), FX_EPOCH);
	fixture_age_key(sk, k->member, r->epoch);
	MUST(crypto_scalarmult_base(r->pk, sk) == 0);
	r->notbefore = f->now - 86400;
	r->notafter = f->now + 40 * 86400;
	sign_keys(f, i, k);
	free(k);
}

void
fixture_next_keys(struct fixture *f, size_t i,
    void (*change)(struct keys *, void *), void *arg)
{
	struct keys *k = NULL;

	MUST(keys_parse(&k, f->keys[i]->text) == TOCSIN_OK);
	k->serial++;
	k->has_previous = true;
	memcpy(k->previous, f->keys[i]->id, ID_LEN);
	k->issued++;
	if (change)
		change(k, arg);
	sign_keys(f, i, k);
	keys_free(k);
}

void
fixture_enrol(struct fixture *f, const char *member)
{
	struct span nation = member_nation(span_of(member));

	snprintf(f->member[f->n], sizeof(f->member[0]), "%s", member);
	snprintf(f->nation[f->n], sizeof(f->nation[0]), "%.*s", (int)nation.n,
	    (const char *)nation.p);
	first_keys(f, f->n++);
}

void
fixture_init(struct fixture *f, const char *nations)
{
	size_t i;

	MUST(sodium_init() >= 0);
	memset(f, 0, sizeof(*f));
	f->now = time(NULL);
	genesis(f, nations);
	for (i = 0; i < f->n; i++)
		first_keys(f, i);
}

void
fixture_release(struct fixture *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		keys_free(f->keys[i]);
		buf_release(&f->keys_file[i]);
	}
	roster_free(f->roster);
	buf_release(&f->file);
	memset(f, 0, sizeof(*f));
}

/* ---- tickets ---- */

static void
add_to(struct ticket *t, struct span member)
{
	if (ticket_to_find(t, member) < 0) {
		t->to[t->nto].member = member;
		t->to[t->nto].epoch = span_of(FX_EPOCH);
		t->nto++;
	}
}

static void
address(struct ticket *t, const char *to)
{
	while (*to) {
		size_t n = strcspn(to, " ");

		add_to(t, (struct span){ (const uint8_t *)to, n });
		to += n + (to[n] == ' ');
	}
	add_to(t, t->from);
}

/* The one-time identity that a ticket with parts carries, as a line. */
static void
parts_identity(struct buf *out)
{
	char text[AGE_IDENTITY_TEXT + 1];
	uint8_t sk[32];

	fixture_age_key(sk, "parts", "");
	age_identity_print(text, sk);
	buf_addf(out, "%s\n", text);
}

static void
recipients(uint8_t (*pk)[32], const struct ticket *t)
{
	size_t i;

	for (i = 0; i < t->nto; i++) {
		char member[MEMBER_MAX + 1];
		uint8_t sk[32];

		snprintf(member, sizeof(member), "%.*s", (int)t->to[i].member.n,
		    (const char *)t->to[i].member.p);
		fixture_age_key(sk, member, FX_EPOCH);
		MUST(crypto_scalarmult_base(pk[i], sk) == 0);
	}
}

static void
json(struct buf *out, size_t text_bytes)
{
	uint8_t *text;

	buf_addz(out, "{\"subject\":\"test\"");
	if (text_bytes > 0) {
		buf_addz(out, ",\"text\":\"");
		text = buf_grow(out, text_bytes);
		MUST(text);
		memset(text, 'x', text_bytes);
		buf_addz(out, "\"");
	}
	buf_addz(out, "}");
}

void
fixture_ticket(struct fx_ticket *out, const struct fixture *f,
    const char *device, const char *to, uint64_t seq, const uint8_t *prev,
    void (*edit)(struct ticket *, void *), void *arg)
{
	struct ticket *t = calloc(1, sizeof(*t));
	uint8_t(*pk)[32] = calloc(TICKET_TO_MAX, 32);
	struct buf parts = { 0 }, inside = { 0 };
	uint8_t sk[64];
	struct note note;

	MUST(t && pk);
	memset(out, 0, sizeof(*out));
	snprintf(t->federation, sizeof(t->federation), FX_FEDERATION);
	t->roster_serial = f->roster->serial;
	memcpy(t->roster_id, f->roster->id, ID_LEN);
	t->from = device_member(span_of(device));
	t->device = device_label(span_of(device));
	t->seq = seq;
	t->has_prev = prev != NULL;
	if (prev)
		memcpy(t->prev, prev, ID_LEN);
	t->time = f->now;
	t->kind = TICKET_REPORT;
	t->precedence = TICKET_ROUTINE;
	t->tlp = TICKET_AMBER;
	address(t, to);
	if (edit)
		edit(t, arg);
	ticket_sort(t);
	recipients(pk, t);
	if (t->npart)
		parts_identity(&parts);
	fixture_sign_key(sk, device);
	if (f->content != NULL)
		buf_addz(&inside, f->content);
	else
		json(&inside, f->text_bytes);
	MUST(ticket_seal(&out->note, &out->body, t, (const uint8_t(*)[32])pk,
		 buf_span(&inside), buf_span(&parts), sk) == TOCSIN_OK);
	MUST(note_parse(&note, buf_span(&out->note), TEXT_MAX) == TOCSIN_OK);
	note_id(out->id, note.text);
	buf_release(&parts);
	buf_release(&inside);
	free(t);
	free(pk);
}

void
fx_ticket_release(struct fx_ticket *t)
{
	buf_release(&t->note);
	buf_release(&t->body);
}
