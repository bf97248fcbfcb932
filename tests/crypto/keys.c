/* SPDX-License-Identifier: ISC */
#include "crypto/keys.h"
#include "tests/lib/fed.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char me[] = "mycert@my";
static const struct span live;

static struct buf
print(const struct keys *k)
{
	struct buf b = { 0 };

	keys_print(&b, k);
	return b;
}

static enum tocsin_err
parse_copy(struct keys **out, struct span s)
{
	uint8_t *copy = xcopy(s.p, s.n);
	struct keys *k = NULL;
	enum tocsin_err err = keys_parse(&k, (struct span){ copy, s.n });

	free(copy);
	if (out != NULL && err == TOCSIN_OK)
		*out = k;
	else
		keys_free(k);
	return err;
}

static void
test_reads(void)
{
	struct keys *k = fed_keys(me);
	struct buf again = print(k);
	const struct keys_device *d;
	enum keys_role role = KEYS_OFFICER;

	ok(span_eq(buf_span(&again), k->text), "an announcement prints back");
	ok(k->ndevice == 3 && k->nrecipient == 2, "with all its lines");
	d = keys_device(k, span_of("escalator"));
	ok(d == &k->device[1] && d->role == KEYS_BOT, "a device is found");
	is_str(d->sign.name, "mycert@my/escalator", "its key has its name");
	ok(keys_device(k, span_of("escal")) == NULL &&
		keys_device(k, span_of("mycert@my/desk1")) == NULL,
	    "others are not");
	ok(keys_device_by_noise(k, k->device[2].noise) == &k->device[2] &&
		keys_device_by_noise(k, k->device[2].sign.pk) == NULL,
	    "a link key says whose link it is");
	ok(keys_role_parse(span_of("reader"), &role) && role == KEYS_READER &&
		!keys_role_parse(span_of("root"), &role) && role == KEYS_READER,
	    "a role is one of three words");
	ok(!keys_expired(k, k->expires - 1) && keys_expired(k, k->expires),
	    "it expires when it says");
	buf_release(&again);
	keys_free(k);
}

static void
test_recipient(void)
{
	struct keys *k = fed_keys(me);
	const struct keys_recipient *one = &k->recipient[0];
	const struct keys_recipient *two = &k->recipient[1];

	ok(keys_recipient(k, live, one->notbefore - 1) == NULL,
	    "nobody receives before the first epoch");
	ok(keys_recipient(k, live, one->notbefore) == one,
	    "an epoch begins when it says");
	ok(keys_recipient(k, live, two->notbefore - 1) == one &&
		keys_recipient(k, live, two->notbefore) == two,
	    "where two cover a time the later one is taken");
	ok(keys_recipient(k, live, two->notafter - 1) == two &&
		keys_recipient(k, live, two->notafter) == NULL,
	    "and ends when it says");
	ok(keys_recipient_of(k, live, span_of("2026-11")) == one &&
		keys_recipient_of(k, live, span_of("2026-1")) == NULL,
	    "an epoch is found by name");
	keys_free(k);
}

/* Print and parse these fields, and free them. */
static void
want(struct keys *fields, enum tocsin_err err, const char *what)
{
	struct buf text = print(fields);

	is_int(parse_copy(NULL, buf_span(&text)), err, "%s", what);
	buf_release(&text);
	keys_free(fields);
}

/* Of an exercise, two bots that may something, and recipients of both. */
static struct keys *
played_fields(void)
{
	struct keys *k = fed_keys_fields(me);
	uint8_t sk[32];

	memcpy(k->device[0].exercise, "Tabletop.2026", 14);
	k->device[1].may = 1U << KEYS_ACCEPT | 1U << KEYS_SHARE;
	k->device[2].role = KEYS_BOT;
	k->device[2].may = 1U << KEYS_IN_PROGRESS | 1U << KEYS_INVALID;
	k->recipient[2] = k->recipient[0];
	x25519_pair(k->recipient[2].pk, sk, "of the exercise");
	memcpy(k->recipient[2].exercise, "Tabletop.2026", 14);
	k->nrecipient = 3;
	keys_sort(k);
	return k;
}

static struct keys *
played(void)
{
	struct keys *fields = played_fields(), *k = NULL;
	struct buf text = print(fields);
	struct buf file = fed_sign(buf_span(&text), me, NULL);

	if (keys_parse(&k, buf_span(&file)) != TOCSIN_OK)
		abort();
	buf_release(&text);
	buf_release(&file);
	keys_free(fields);
	return k;
}

static void
test_exercise(void)
{
	struct keys *k = played();
	const struct span of = span_of("Tabletop.2026");
	const struct keys_recipient *r = keys_recipient(k, of, FED_NOW);
	struct buf again = print(k);
	enum keys_word word;

	ok(span_eq(buf_span(&again), k->text),
	    "one with an exercise and may lines prints back");
	is_str(k->device[0].exercise, "Tabletop.2026",
	    "a device is of the exercise");
	is_str(k->device[1].exercise, "", "another one is live");
	ok(r != NULL && strcmp(r->exercise, "Tabletop.2026") == 0 &&
		strcmp(r->epoch, "2026-11") == 0,
	    "the exercise has a recipient of its own");
	ok(keys_recipient(k, live, FED_NOW) != r &&
		keys_recipient_of(k, live, span_of("2026-11")) != r &&
		keys_recipient_of(k, of, span_of("2026-11")) == r,
	    "which is none for live traffic, though its epoch is called so");
	ok(keys_recipient(k, span_of("Tabletop"), FED_NOW) == NULL,
	    "nor for an exercise of half the name");
	ok(k->device[1].may == (1U << KEYS_ACCEPT | 1U << KEYS_SHARE) &&
		k->device[0].may == 0 &&
		k->device[2].may ==
		    (1U << KEYS_IN_PROGRESS | 1U << KEYS_INVALID),
	    "each bot may what its lines say");
	ok(keys_word_parse(span_of("recall"), &word) && word == KEYS_RECALL &&
		!keys_word_parse(span_of("update"), &word) &&
		strcmp(keys_word_name(KEYS_CLOSE), "close") == 0 &&
		keys_word_name(KEYS_WORDS) == NULL,
	    "a word is one of nine");
	buf_release(&again);
	keys_free(k);
}

static void
test_many_epochs(void)
{
	struct keys *k = fed_keys_fields(me);
	struct keys_recipient *r;
	char name[32];
	uint8_t sk[32];
	size_t i;

	for (i = 0; i < KEYS_RECIPIENTS; i++) {
		r = &k->recipient[i];
		*r = k->recipient[0];
		snprintf(r->epoch, sizeof(r->epoch), "e%zu", i % KEYS_EPOCHS);
		snprintf(name, sizeof(name), "key %zu", i);
		x25519_pair(r->pk, sk, name);
		snprintf(
		    r->exercise, sizeof(r->exercise), "x%zu", i / KEYS_EPOCHS);
	}
	k->nrecipient = KEYS_RECIPIENTS;
	keys_sort(k);
	want(k, TOCSIN_OK, "eight exercises of four epochs");
	k = played_fields();
	k->recipient[0].exercise[0] = '\0';
	k->recipient[1].exercise[0] = '\0';
	want(k, TOCSIN_EMALFORMED, "refused: an epoch twice in live traffic");
	k = fed_keys_fields(me);
	for (i = 2; i < 5; i++) {
		r = &k->recipient[i];
		*r = k->recipient[0];
		snprintf(r->epoch, sizeof(r->epoch), "f%zu", i);
		x25519_pair(r->pk, sk, r->epoch);
	}
	k->nrecipient = 5;
	want(k, TOCSIN_EMALFORMED, "refused: five epochs of live traffic");
}

static void
test_truncated(void)
{
	struct roster *r = fed_roster();
	struct keys *k = played(), *cut_k;
	size_t cut, refused = 0;

	for (cut = 0; cut < k->whole.n; cut++) {
		cut_k = NULL;
		if (parse_copy(&cut_k, span_cut(k->whole, 0, cut)) ||
		    keys_accept(r, NULL, cut_k, FED_NOW))
			refused++;
		keys_free(cut_k);
	}
	is_int((long long)refused, (long long)k->whole.n,
	    "every proper prefix is refused");
	keys_free(k);
	roster_free(r);
}

struct bent {
	const char *from;
	const char *to;
	const char *why;
};

/* clang-format off */
static const struct bent bents[] = {
	{ "/keys/v1", "/keys/v0", "another version" },
	{ "/keys/v1", "/roster/v1", "another kind of text" },
	{ "member mycert@my", "member mycert@sg", "another member's devices" },
	{ "member mycert@my", "member mycert", "no member" },
	{ "serial 1", "serial 0", "serial 0" },
	{ "serial 1", "serial 2", "a second one without a predecessor" },
	{ "serial 1", "serial 1\nserial 1", "a key twice" },
	{ "device desk1 officer", "device desk2 officer", "another device's key" },
	{ "device desk1 officer", "device desk1 boss", "a role that is none" },
	{ "device desk1 officer", "device desk1  officer", "two spaces" },
	{ "device desk1", "device zdesk1", "devices out of order" },
	{ "recipient 2026-11 age1", "recipient 2026-11 AGE1", "mixed case" },
	{ "recipient 2026-11 age1", "recipient 2026-11 age2", "no age key" },
	{ "recipient 2026-11 ", "recipient 2026-13 ", "epochs out of order" },
	{ "recipient 2026-11 ", "recipient 2026-12 ", "an epoch twice" },
	{ "recipient 2026-11 ", "recipient ", "a field too few" },
	{ "device desk1", "recipient x\ndevice desk1", "lists out of order" },
};
/* clang-format on */

/* clang-format off */
static const struct bent played_bents[] = {
	{ " Tabletop.2026\n", " Table/top\n", "no name of an exercise" },
	{ " Tabletop.2026\n", " -\n", "a dash, where live is nothing" },
	{ " Tabletop.2026\n", " \n", "a space at the end" },
	{ " Tabletop.2026\n", " Tabletop.2026 x\n", "a field too many" },
	{ "may escalator accept", "may nobody accept", "a line of no device" },
	{ "may escalator accept", "may desk1 accept", "a line of an officer" },
	{ "may escalator accept", "may escalator update", "a word that is none" },
	{ "may escalator accept", "may escalator", "no word at all" },
	{ "may escalator accept", "may escalator share", "a word twice" },
	{ "may wall in-progress", "may wall reopen", "words out of order" },
	{ "recipient", "may wall share\nrecipient x\nrecipient",
	    "lists out of order" },
};
/* clang-format on */

static void
test_played_grammar(void)
{
	struct keys *fields = played_fields();
	struct buf text = print(fields), bent;
	size_t i;

	for (i = 0; i < sizeof(played_bents) / sizeof(*played_bents); i++) {
		bent = edit(
		    buf_span(&text), played_bents[i].from, played_bents[i].to);
		is_int(parse_copy(NULL, buf_span(&bent)), TOCSIN_EMALFORMED,
		    "refused: %s", played_bents[i].why);
		buf_release(&bent);
	}
	buf_release(&text);
	keys_free(fields);
}

static void
test_grammar(void)
{
	struct keys *fields = fed_keys_fields(me);
	struct buf text = print(fields), bent;
	size_t i;

	is_int(parse_copy(NULL, buf_span(&text)), TOCSIN_OK,
	    "an announcement is read");
	for (i = 0; i < sizeof(bents) / sizeof(bents[0]); i++) {
		bent = edit(buf_span(&text), bents[i].from, bents[i].to);
		is_int(parse_copy(NULL, buf_span(&bent)), TOCSIN_EMALFORMED,
		    "refused: %s", bents[i].why);
		buf_release(&bent);
	}
	buf_release(&text);
	keys_free(fields);
}

static void
test_times(void)
{
	struct keys *k = fed_keys_fields(me);

	k->expires = k->issued + 100 * FED_DAY;
	want(k, TOCSIN_OK, "100 days are allowed");
	k = fed_keys_fields(me);
	k->expires = k->issued + 100 * FED_DAY + 1;
	want(k, TOCSIN_EMALFORMED, "a second more is not");
	k = fed_keys_fields(me);
	k->expires = k->issued;
	want(k, TOCSIN_EMALFORMED, "nor no time at all");
	k = fed_keys_fields(me);
	k->recipient[0].notafter = k->recipient[0].notbefore + 45 * FED_DAY;
	want(k, TOCSIN_OK, "45 days of an epoch are allowed");
	k = fed_keys_fields(me);
	k->recipient[0].notafter = k->recipient[0].notbefore + 45 * FED_DAY + 1;
	want(k, TOCSIN_EMALFORMED, "a second more is not");
	k = fed_keys_fields(me);
	k->recipient[0].notafter = k->recipient[0].notbefore;
	want(k, TOCSIN_EMALFORMED, "nor an epoch of no time");
}

static void
test_one_key_one_role(void)
{
	struct keys *k = fed_keys_fields(me);

	memcpy(k->device[0].noise, k->device[1].noise, 32);
	want(k, TOCSIN_EMALFORMED, "refused: two devices, one link key");
	k = fed_keys_fields(me);
	memcpy(k->recipient[0].pk, k->recipient[1].pk, 32);
	want(k, TOCSIN_EMALFORMED, "refused: two epochs, one key");
	k = fed_keys_fields(me);
	memcpy(k->recipient[0].pk, k->device[0].noise, 32);
	want(k, TOCSIN_EMALFORMED, "refused: a link key that opens tickets");
	k = fed_keys_fields(me);
	if (crypto_sign_ed25519_pk_to_curve25519(
		k->device[0].noise, k->device[1].sign.pk) != 0)
		abort();
	want(k, TOCSIN_EMALFORMED, "refused: a signing key that opens links");
	k = fed_keys_fields(me);
	if (vkey_make(&k->device[1].sign, span_of("mycert@my/escalator"),
		k->device[0].sign.pk) != TOCSIN_OK)
		abort();
	want(k, TOCSIN_EMALFORMED, "refused: two devices, one signing key");
	k = fed_keys_fields(me);
	k->device[1] = k->device[2];
	memcpy(k->device[1].name, "desk1", 6);
	if (vkey_make(&k->device[1].sign, span_of("mycert@my/desk1"),
		signer("mycert@my/wall").vkey.pk) != TOCSIN_OK)
		abort();
	k->ndevice = 2;
	want(k, TOCSIN_EMALFORMED, "refused: one device, two keys");
	k = fed_keys_fields(me);
	memset(k->device[0].noise, 0, 32);
	want(k, TOCSIN_EMALFORMED, "refused: a link key of small order");
	k = fed_keys_fields(me);
	memset(k->recipient[0].pk, 0, 32);
	want(k, TOCSIN_EMALFORMED, "refused: a recipient of small order");
}

static void
test_counts(void)
{
	struct keys *k = fed_keys_fields(me);
	struct buf b = { 0 };
	char name[LABEL_MAX + 1], whole[KEYNAME_MAX + 1];
	uint8_t sk[32];
	size_t i;

	k->ndevice = k->nrecipient = 0;
	want(k, TOCSIN_OK, "a member may have lost everything");

	k = fed_keys_fields(me);
	for (i = 0; i < KEYS_DEVICES; i++) {
		snprintf(name, sizeof(name), "desk%02zu", i);
		snprintf(whole, sizeof(whole), "%s/%s", me, name);
		memcpy(k->device[i].name, name, sizeof(name));
		k->device[i].role = KEYS_OFFICER;
		k->device[i].sign = signer(whole).vkey;
		x25519_pair(k->device[i].noise, sk, whole);
	}
	k->ndevice = KEYS_DEVICES;
	k->nrecipient = 0;
	b = print(k);
	is_int(parse_copy(NULL, buf_span(&b)), TOCSIN_OK, "64 devices");
	memcpy(k->device[0].name, "eesk", 5);
	k->device[0].sign = signer("mycert@my/eesk").vkey;
	x25519_pair(k->device[0].noise, sk, "eesk");
	keys_print_device(&b, &k->device[0]);
	is_int(
	    parse_copy(NULL, buf_span(&b)), TOCSIN_EMALFORMED, "are the most");
	buf_release(&b);
	keys_free(k);

	k = fed_keys_fields(me);
	for (i = 2; i < 4; i++) {
		k->recipient[i] = k->recipient[0];
		snprintf(k->recipient[i].epoch, sizeof(k->recipient[i].epoch),
		    "2027-0%zu", i);
		x25519_pair(k->recipient[i].pk, sk, k->recipient[i].epoch);
	}
	k->nrecipient = 4;
	b = print(k);
	is_int(parse_copy(NULL, buf_span(&b)), TOCSIN_OK, "four epochs");
	k->device[0].name[0] = '\0';
	k->recipient[0] = k->recipient[3];
	snprintf(k->recipient[0].epoch, TOKEN_MAX, "2027-04");
	x25519_pair(k->recipient[0].pk, sk, "2027-04");
	k->ndevice = 0;
	k->nrecipient = 1;
	{
		struct buf one = print(k);
		const uint8_t *at = memmem(one.p, one.n, "recipient", 9);

		buf_add(
		    &b, span_cut(buf_span(&one), (size_t)(at - one.p), one.n));
		buf_release(&one);
	}
	is_int(
	    parse_copy(NULL, buf_span(&b)), TOCSIN_EMALFORMED, "are the most");
	buf_release(&b);
	keys_free(k);
}

/* ---- whose word it is ---- */

/* Sign these fields as `by`, parse, and ask; frees the fields. */
static enum tocsin_err
accept_by(const struct roster *r, const struct keys *cur, struct keys *fields,
    const char *by)
{
	struct buf text = print(fields), file = { 0 };
	struct keys *next = NULL;
	enum tocsin_err err;

	if (by != NULL)
		file = fed_sign(buf_span(&text), by, NULL);
	else
		buf_add(&file, buf_span(&text));
	err = keys_parse(&next, buf_span(&file));
	if (err == TOCSIN_OK)
		err = keys_accept(r, cur, next, FED_NOW);
	else
		diag("it does not even parse");
	keys_free(next);
	keys_free(fields);
	buf_release(&text);
	buf_release(&file);
	return err;
}

static struct keys *
after(const struct keys *cur, uint64_t serial)
{
	struct keys *k = fed_keys_fields(cur->member);

	k->serial = serial;
	k->has_previous = true;
	memcpy(k->previous, cur->id, ID_LEN);
	return k;
}

static void
test_accept(void)
{
	struct roster *r = fed_roster();
	struct keys *k;

	is_int(accept_by(r, NULL, fed_keys_fields(me), me), TOCSIN_OK,
	    "a member says what it uses");
	is_int(accept_by(r, NULL, fed_keys_fields(me), NULL),
	    TOCSIN_EBADSIGNATURE, "not without a signature");
	is_int(accept_by(r, NULL, fed_keys_fields(me), "singcert@sg"),
	    TOCSIN_EBADSIGNATURE, "nor for another member");
	is_int(accept_by(r, NULL, fed_keys_fields(me), "mycert@my/desk1"),
	    TOCSIN_EBADSIGNATURE, "nor does a device for its member");
	is_int(accept_by(r, NULL, fed_keys_fields("lacert@la"), "lacert@la"),
	    TOCSIN_ENOTENROLLED, "a stranger says nothing");
	k = fed_keys_fields(me);
	snprintf(k->federation, sizeof(k->federation), "other.example");
	is_int(accept_by(r, NULL, k, me), TOCSIN_ENOTENROLLED,
	    "nor what is said in another federation");
	k = fed_keys_fields(me);
	k->issued = FED_NOW + 601;
	is_int(accept_by(r, NULL, k, me), TOCSIN_ECLOCKSKEW,
	    "nor what is said tomorrow");
	k = fed_keys_fields(me);
	k->issued = FED_NOW - 60 * FED_DAY;
	k->expires = FED_NOW;
	is_int(
	    accept_by(r, NULL, k, me), TOCSIN_EKEYSEXPIRED, "nor what is over");
	k = fed_keys_fields(me);
	k->serial = 7;
	k->has_previous = true;
	is_int(accept_by(r, NULL, k, me), TOCSIN_OK,
	    "the first one that we hear may be the seventh");
	k = fed_keys_fields(me);
	memcpy(k->device[0].noise, r->broker[1].noise, 32);
	is_int(accept_by(r, NULL, k, me), TOCSIN_EMALFORMED,
	    "nobody takes a broker's link key");
	k = fed_keys_fields(me);
	if (vkey_make(&k->device[0].sign, span_of("mycert@my/desk1"),
		signer(me).vkey.pk) != TOCSIN_OK)
		abort();
	is_int(accept_by(r, NULL, k, me), TOCSIN_EMALFORMED,
	    "the root key stays offline");
	roster_free(r);
}

static void
test_chain(void)
{
	struct roster *r = fed_roster();
	struct keys *cur = fed_keys(me), *k;

	is_int(accept_by(r, cur, fed_keys_fields(me), me), TOCSIN_EDUPLICATE,
	    "the same again is nothing new");
	is_int(accept_by(r, cur, after(cur, 2), me), TOCSIN_OK,
	    "the second follows the first");
	is_int(accept_by(r, cur, after(cur, 5), me), TOCSIN_OK,
	    "the fifth replaces it too");
	k = after(cur, 2);
	k->previous[0] ^= 1;
	is_int(accept_by(r, cur, k, me), TOCSIN_ECHAINCONFLICT,
	    "but the second of another first does not");
	k = fed_keys_fields(me);
	k->ndevice--;
	is_int(accept_by(r, cur, k, me), TOCSIN_ECHAINCONFLICT,
	    "two first ones are an alarm");
	k = fed_keys_fields(me);
	k->ndevice--;
	is_int(accept_by(r, cur, k, "singcert@sg"), TOCSIN_EBADSIGNATURE,
	    "that only the member itself can raise");
	cur->serial = 3;
	is_int(accept_by(r, cur, after(cur, 2), me), TOCSIN_EDUPLICATE,
	    "an older one is nothing new");
	keys_free(cur);
	roster_free(r);
}

static void
test_roster_says_no(void)
{
	struct roster_revoked gone = { .name = "mycert@my",
		.time = FED_NOW - 2 * FED_DAY,
		.reason = "stolen" };
	struct roster *r = fed_roster();

	r->member[0].suspended = true;
	is_int(accept_by(r, NULL, fed_keys_fields(me), me), TOCSIN_ESUSPENDED,
	    "a suspended member announces nothing");
	r->member[0].suspended = false;
	memcpy(gone.id, r->member[0].root.id, KEYID_LEN);
	ok(roster_put_revoked(r, &gone) == TOCSIN_OK, "a root key is stolen");
	is_int(accept_by(r, NULL, fed_keys_fields(me), me), TOCSIN_EREVOKED,
	    "it announces nothing from then on");
	roster_free(r);
}

/* The roster after this one has another root key for the member. */
static void
test_new_root(void)
{
	struct roster *r = fed_roster();
	struct keys *fields = fed_keys_fields(me), *cur = NULL;
	struct roster_revoked gone = { .name = "mycert@my",
		.time = FED_NOW - FED_DAY,
		.reason = "stolen" };
	struct vkey had = r->member[0].root, fresh;
	struct buf text, file;

	/* What a thief would do: take the last serial there is. */
	fields->serial = UINT64_MAX;
	fields->has_previous = true;
	text = print(fields);
	file = fed_sign(buf_span(&text), me, NULL);
	if (keys_parse(&cur, buf_span(&file)) != TOCSIN_OK ||
	    vkey_make(&fresh, span_of(me), signer("another-root").vkey.pk) !=
		TOCSIN_OK)
		abort();
	ok(memcmp(cur->root, had.id, KEYID_LEN) == 0,
	    "an announcement says which root key spoke");
	ok(keys_stand(r, cur), "it stands while that key is on the roster");
	is_int(accept_by(r, cur, fed_keys_fields(me), me), TOCSIN_EDUPLICATE,
	    "and nothing follows the last serial");

	r->member[0].root = fresh;
	memcpy(gone.id, had.id, KEYID_LEN);
	ok(!keys_stand(r, cur), "it falls with the key");
	is_int(accept_by(r, cur, fed_keys_fields(me), me), TOCSIN_EBADSIGNATURE,
	    "the old key announces nothing more");
	is_int(keys_root_at(r, cur, FED_NOW), TOCSIN_OK,
	    "a key that was replaced still stands behind what was");
	if (roster_put_revoked(r, &gone) != TOCSIN_OK)
		abort();
	is_int(keys_root_at(r, cur, gone.time - 1), TOCSIN_OK,
	    "one that was revoked as well does so until then");
	is_int(keys_root_at(r, cur, gone.time), TOCSIN_EREVOKED,
	    "and not from then on");
	fields->serial = 1;
	fields->has_previous = false;
	buf_release(&text);
	buf_release(&file);
	text = print(fields);
	if (note_sign(&file, buf_span(&text), span_of(me),
		signer("another-root").sk) != TOCSIN_OK)
		abort();
	keys_free(fields);
	fields = NULL;
	is_int(keys_parse(&fields, buf_span(&file)), TOCSIN_OK, "a new first");
	is_int(keys_accept(r, cur, fields, FED_NOW), TOCSIN_OK,
	    "takes the place of all that the thief announced");

	r->nmember = 0;
	ok(!keys_stand(r, fields), "nothing stands of a member that left");
	keys_free(fields);
	keys_free(cur);
	buf_release(&text);
	buf_release(&file);
	roster_free(r);
}

/* A line of another key of the same name would hide which one spoke. */
static void
test_one_root_line(void)
{
	struct keys *fields = fed_keys_fields(me);
	struct buf text = print(fields), one = { 0 }, two = { 0 };
	struct note n;

	one = fed_sign(buf_span(&text), me, NULL);
	if (note_parse(&n, buf_span(&one), TEXT_MAX) != TOCSIN_OK ||
	    note_add(&two, &n, span_of(me), signer("another-root").sk) !=
		TOCSIN_OK)
		abort();
	is_int(parse_copy(NULL, buf_span(&one)), TOCSIN_OK, "one root's line");
	is_int(parse_copy(NULL, buf_span(&two)), TOCSIN_EMALFORMED,
	    "refused: lines of two keys with the member's name");
	buf_release(&two);
	if (note_add(&two, &n, span_of("other"), signer("other").sk) !=
	    TOCSIN_OK)
		abort();
	is_int(parse_copy(NULL, buf_span(&two)), TOCSIN_OK,
	    "a line of somebody else is ignored");
	buf_release(&two);
	buf_release(&one);
	buf_release(&text);
	keys_free(fields);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_reads();
	test_recipient();
	test_exercise();
	test_many_epochs();
	test_played_grammar();
	test_truncated();
	test_grammar();
	test_times();
	test_one_key_one_role();
	test_counts();
	test_accept();
	test_chain();
	test_roster_says_no();
	test_new_root();
	test_one_root_line();
	return tap_done();
}
