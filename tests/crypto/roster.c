/* SPDX-License-Identifier: ISC */
#include "crypto/roster.h"
#include "tests/lib/fed.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parse an exact copy; the roster is given only if asked for. */
static enum tocsin_err
parse_copy(struct roster **out, struct span s)
{
	uint8_t *copy = xcopy(s.p, s.n);
	struct roster *r = NULL;
	enum tocsin_err err = roster_parse(&r, (struct span){ copy, s.n });

	free(copy);
	if (out != NULL && err == TOCSIN_OK)
		*out = r;
	else
		roster_free(r);
	return err;
}

static void
test_reads(void)
{
	struct roster *r = fed_roster();
	struct buf again = fed_print(r);
	struct vkey my = signer("my/sign").vkey, root;

	ok(span_eq(buf_span(&again), r->text), "a roster prints back");
	is_str(r->federation, FED, "it is of our federation");
	ok(r->nauthority == 3 && r->nbroker == 2 && r->nmember == 2,
	    "it has what was put in");
	is_str(r->authority[0].key.name, "aa", "in order");
	root = signer("mycert@my").vkey;
	ok(roster_member(r, span_of("mycert@my")) == &r->member[0] &&
		vkey_eq(&r->member[0].root, &root),
	    "a member is found, with its root key");
	ok(roster_member(r, span_of("mycert@m")) == NULL &&
		roster_member(r, span_of("mycert@my ")) == NULL &&
		roster_member(r, span_of("")) == NULL,
	    "others are not");
	ok(roster_broker(r, span_of("my")) == &r->broker[0] &&
		roster_broker_by_noise(r, r->broker[1].noise) ==
		    &r->broker[1] &&
		roster_broker_by_noise(r, root.pk) == NULL,
	    "a broker is found by name and by link key");
	ok(roster_broker_of(r, span_of("sg"), 0) == &r->broker[1] &&
		roster_broker_of(r, span_of("sg"), 1) == NULL &&
		roster_broker_of(r, span_of("la"), 0) == NULL,
	    "and by nation");
	ok(roster_key(r, span_of("my/sign"), my.id) == &r->broker[0].sign &&
		roster_key(r, span_of("my/log"), my.id) == NULL &&
		roster_key(r, span_of("my/x"), my.id) == NULL &&
		roster_key(r, span_of("bb"), signer("bb").vkey.id) ==
		    &r->authority[1].key &&
		roster_key(r, span_of("mycert@my"), root.id) ==
		    &r->member[0].root,
	    "keys are found by name and id");
	ok(!roster_expired(r, r->expires - 1) && roster_expired(r, r->expires),
	    "it expires when it says");
	buf_release(&again);
	roster_free(r);
}

/*
 * A prefix may be a shorter roster that is sound by itself; but nobody signed
 * that one.
 */
static void
test_truncated(void)
{
	struct roster *r = fed_roster(), *cut_r;
	size_t cut, refused = 0;

	for (cut = 0; cut < r->whole.n; cut++) {
		cut_r = NULL;
		if (parse_copy(&cut_r, span_cut(r->whole, 0, cut)) ||
		    roster_accept(NULL, cut_r, FED_NOW))
			refused++;
		roster_free(cut_r);
	}
	is_int((long long)refused, (long long)r->whole.n,
	    "every proper prefix is refused");
	roster_free(r);
}

struct bent {
	const char *from;
	const char *to;
	const char *why;
};

/* clang-format off */
static const struct bent bents[] = {
	{ "/roster/v1", "/roster/v0", "another version" },
	{ "/roster/v1", "/keys/v1", "another kind of text" },
	{ FED "/", "asean/", "no federation" },
	{ "serial 2", "serial 02", "a leading zero" },
	{ "serial 2", "serial 0", "serial 0" },
	{ "serial 2", "serial 1", "a first roster with a predecessor" },
	{ "serial 2", "serial 18446744073709551616", "a serial that wraps" },
	{ "serial 2", "sequel 2", "another key" },
	{ "issued 20", "issued 19", "a time before all time" },
	{ "expires 2027", "expires 2025", "expired before it was issued" },
	{ "threshold 2", "threshold 1", "a threshold of less than half" },
	{ "threshold 2", "threshold 4", "a threshold above all" },
	{ "threshold 2", "threshold 0", "no threshold" },
	{ "threshold 2", "threshold 4294967298", "a threshold that wraps" },
	{ "member mycert@my active", "member mycert@my retired",
	    "a standing that does not exist" },
	{ "member mycert@my active", "member mycert@sg active",
	    "a root key of another name" },
	{ "broker my my", "broker my MY", "no nation" },
	{ "broker my my", "broker my-2 my", "broker keys of another name" },
	{ "broker my my", "broker  my my", "two spaces" },
	{ "broker my my ", "broker my ", "a field too few" },
	{ " tcp://my.example:4701\n", " tcp://my.example:4701 x\n",
	    "a field too many" },
	{ " tcp://my.example:4701\n", " tcp://my.example:4701 \n",
	    "a space at the end" },
	{ "tcp://my.example:4700", "tcp://my.example", "no port" },
	{ "tcp://my.example:4700", "ipc:///tmp/x", "no URL of ours" },
	{ "revoked old@my/desk1 01abcdef", "revoked old@my/desk1 01ABCDEF",
	    "a key id in upper case" },
	{ "revoked old@my/desk1 01abcdef", "revoked old@my/desk1 01abcd",
	    "half a key id" },
	{ " lost\n", " Lost\n", "no token" },
	{ " lost\n", " lost\nnote x\n", "an unknown line" },
	{ " lost\n", " lost", "no LF at the end" },
	{ "authority bb+", "authority b/b+", "an authority's name" },
};
/* clang-format on */

static struct roster *
second_fields(const struct roster *first)
{
	static const struct roster_revoked old = { .name = "old@my/desk1",
		.id = { 0x01, 0xab, 0xcd, 0xef },
		.time = FED_NOW,
		.reason = "lost" };
	struct roster *r = fed_next(first);

	if (roster_put_revoked(r, &old) != TOCSIN_OK)
		abort();
	return r;
}

static void
test_grammar(void)
{
	struct roster *first = fed_roster(), *fields = second_fields(first);
	struct buf text = fed_print(fields), bent;
	size_t i;

	is_int(parse_copy(NULL, buf_span(&text)), TOCSIN_OK,
	    "the second roster is read");
	for (i = 0; i < sizeof(bents) / sizeof(bents[0]); i++) {
		bent = edit(buf_span(&text), bents[i].from, bents[i].to);
		is_int(parse_copy(NULL, buf_span(&bent)), TOCSIN_EMALFORMED,
		    "refused: %s", bents[i].why);
		buf_release(&bent);
	}
	roster_free(fields);
	roster_free(first);
	buf_release(&text);
}

/* Refused with these fields, which the printer does not judge. */
static void
refuse(struct roster *fields, const char *why)
{
	struct buf text = fed_print(fields);

	is_int(parse_copy(NULL, buf_span(&text)), TOCSIN_EMALFORMED,
	    "refused: %s", why);
	buf_release(&text);
	roster_free(fields);
}

/* The id is renewed, so that nothing but the point is at fault. */
static void
rekey(struct vkey *k, const uint8_t pk[32])
{
	uint8_t bytes[KEYNAME_MAX + 34], hash[32];
	size_t n = strlen(k->name);

	memcpy(k->pk, pk, 32);
	memcpy(bytes, k->name, n);
	bytes[n] = '\n';
	bytes[n + 1] = k->type;
	memcpy(bytes + n + 2, pk, 32);
	crypto_hash_sha256(hash, bytes, n + 34);
	memcpy(k->id, hash, KEYID_LEN);
}

static void
test_one_key_one_role(void)
{
	struct roster *r = fed_fields();

	rekey(&r->authority[1].key, r->authority[0].key.pk);
	refuse(r, "one key, two authorities");
	r = fed_fields();
	rekey(&r->member[0].root, r->authority[0].key.pk);
	refuse(r, "an authority's key is a member's");
	r = fed_fields();
	rekey(&r->broker[0].log, r->broker[0].sign.pk);
	refuse(r, "a broker's log key signs receipts");
	r = fed_fields();
	rekey(&r->broker[0].log, r->broker[1].log.pk);
	refuse(r, "two brokers share a log key");
	r = fed_fields();
	memcpy(r->broker[0].noise, r->broker[1].noise, 32);
	refuse(r, "two brokers share a link key");
	r = fed_fields();
	ok(crypto_sign_ed25519_pk_to_curve25519(
	       r->broker[0].noise, r->member[1].root.pk) == 0,
	    "a signing key has a place on the link's curve");
	refuse(r, "a link key is a member's root key");
}

static void
test_bad_points(void)
{
	static const uint8_t order8[32] = { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2,
		0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38,
		0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 };
	struct roster *r = fed_fields();
	struct vkey k = r->member[0].root;
	uint8_t mixed[32];

	ok(crypto_core_ed25519_add(mixed, k.pk, order8) == 0 &&
		vkey_make(&k, span_of("mycert@my"), mixed) == TOCSIN_EMALFORMED,
	    "a key of mixed order is no key");
	rekey(&r->member[0].root, mixed);
	refuse(r, "a key of mixed order");
	r = fed_fields();
	rekey(&r->member[0].root, order8);
	refuse(r, "a key of small order");
	r = fed_fields();
	memset(r->broker[0].noise, 0, 32);
	refuse(r, "a link key of small order");
	r = fed_fields();
	r->broker[0].noise[31] |= 0x80;
	refuse(r, "a link key misspelt");
	r = fed_fields();
	r->authority[0].key.type = VKEY_COSIGNER;
	rekey(&r->authority[0].key, signer("aa").vkey.pk);
	refuse(r, "an authority with a cosigner's key");
	r = fed_fields();
	r->member[0].root.type = VKEY_COSIGNER;
	rekey(&r->member[0].root, signer("mycert@my").vkey.pk);
	refuse(r, "a member with a cosigner's key");
}

/* What the text of a second roster with three authorities cannot show. */
static void
test_numbers(void)
{
	struct roster_authority dd = { .key = signer("dd").vkey };
	struct roster *r = fed_fields();

	r->serial = 0;
	refuse(r, "serial 0 without a predecessor");
	r = fed_fields();
	r->serial = 2;
	refuse(r, "serial 2 without one");
	r = fed_fields();
	r->expires = r->issued;
	refuse(r, "a roster of no time");
	r = fed_fields();
	ok(roster_put_authority(r, &dd) == TOCSIN_OK, "a fourth authority");
	refuse(r, "half of four is not more than half");
}

static void
test_lists(void)
{
	struct roster *r = fed_fields();
	struct roster_authority a = r->authority[0];
	struct roster_revoked gone = { .time = FED_NOW, .reason = "stolen" };
	struct roster_member m = r->member[0];

	r->authority[0] = r->authority[1];
	r->authority[1] = a;
	refuse(r, "authorities out of order");
	r = fed_fields();
	m.suspended = true;
	r->member[1] = m;
	refuse(r, "a member twice, once suspended");
	r = fed_fields();
	snprintf(gone.name, sizeof(gone.name), "%s", "bb");
	memcpy(gone.id, r->authority[1].key.id, KEYID_LEN);
	ok(roster_put_revoked(r, &gone) == TOCSIN_OK, "bb's key is revoked");
	refuse(r, "a revoked key that is an authority's still");
	r = fed_fields();
	snprintf(gone.name, sizeof(gone.name), "%s", "bb");
	ok(roster_put_revoked(r, &gone) == TOCSIN_OK && r->nrevoked == 1,
	    "an older key of bb is revoked");
	gone.time++;
	ok(roster_put_revoked(r, &gone) == TOCSIN_OK && r->nrevoked == 1 &&
		r->revoked[0].time == FED_NOW + 1,
	    "the same again replaces it");
	roster_free(r);
}

static void
test_put(void)
{
	struct roster *r = fed_fields();
	struct roster_member m = r->member[0];
	char name[MEMBER_MAX + 1];
	bool sorted = true;
	size_t i;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "t%zu@la", i * 77 % 300);
		memcpy(m.name, name, sizeof(name));
		if (roster_put_member(r, &m) != TOCSIN_OK)
			break;
	}
	for (i = 1; i < r->nmember; i++)
		sorted = sorted &&
			 strcmp(r->member[i - 1].name, r->member[i].name) < 0;
	ok(sorted && r->nmember == 302, "300 members are put in order");
	m.suspended = true;
	ok(roster_put_member(r, &m) == TOCSIN_OK && r->nmember == 302 &&
		roster_member(r, span_of(m.name))->suspended,
	    "a member put again is replaced");
	roster_free(r);
}

static void
test_revoked(void)
{
	struct roster *first = fed_roster(), *r = second_fields(first);
	struct vkey k = { .name = "old@my/desk1",
		.id = { 0x01, 0xab, 0xcd, 0xef } };

	is_int(roster_key_at(r, &k, FED_NOW - 1), TOCSIN_OK,
	    "what a key signed before it was revoked is good");
	is_int(roster_key_at(r, &k, FED_NOW), TOCSIN_EREVOKED,
	    "what it signs from then on is not");
	k.id[0]++;
	is_int(roster_key_at(r, &k, FED_NOW), TOCSIN_OK,
	    "another key of that name is not meant");
	roster_free(r);
	roster_free(first);
}

/* ---- what may follow what ---- */

/* Sign the fields, parse, and ask; frees the fields. */
#define ACCEPT(cur, fields, ...)       \
	accept_signed((cur), (fields), \
	    (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static enum tocsin_err
accept_signed(
    const struct roster *cur, struct roster *fields, const char *const *by)
{
	struct buf text = fed_print(fields), file = { 0 }, more;
	struct roster *next = NULL;
	enum tocsin_err err;

	buf_add(&file, buf_span(&text));
	for (; *by != NULL; by++) {
		more = fed_sign(buf_span(&file), *by, NULL);
		buf_release(&file);
		file = more;
	}
	err = roster_parse(&next, buf_span(&file));
	if (err == TOCSIN_OK)
		err = roster_accept(cur, next, FED_NOW);
	else
		diag("it does not even parse");
	roster_free(next);
	roster_free(fields);
	buf_release(&text);
	buf_release(&file);
	return err;
}

static struct roster *
issued(struct roster *fields, int64_t at)
{
	fields->issued = at;
	return fields;
}

static void
test_genesis(void)
{
	struct roster *r = fed_roster(), *next = fed_next(r);

	is_int(ACCEPT(NULL, fed_fields(), "aa", "cc"), TOCSIN_OK,
	    "two of three authorities make the first roster");
	is_int(ACCEPT(NULL, fed_fields(), "aa"), TOCSIN_EBADSIGNATURE,
	    "one of them does not");
	is_int(ACCEPT(NULL, fed_fields()), TOCSIN_EBADSIGNATURE,
	    "nor does nobody");
	is_int(ACCEPT(NULL, fed_fields(), "aa", "mycert@my", "dd"),
	    TOCSIN_EBADSIGNATURE, "a member or a stranger is no authority");
	is_int(ACCEPT(NULL, next, "aa", "bb"), TOCSIN_EROSTERUNKNOWN,
	    "the first is not the second");
	is_int(ACCEPT(NULL, issued(fed_fields(), FED_NOW + 601), "aa", "bb"),
	    TOCSIN_ECLOCKSKEW, "nor one from the future");
	is_int(ACCEPT(NULL, issued(fed_fields(), FED_NOW + 600), "aa", "bb"),
	    TOCSIN_OK, "ten minutes are forgiven");
	is_int(roster_check(r, FED_NOW), TOCSIN_OK,
	    "a roster is checked by itself too");
	roster_free(r);
}

static void
test_chain(void)
{
	struct roster *r = fed_roster(), *second = NULL, *f;
	struct buf text, file;

	is_int(ACCEPT(r, fed_next(r), "aa", "bb"), TOCSIN_OK,
	    "the second follows the first");
	is_int(ACCEPT(r, fed_next(r), "aa"), TOCSIN_EBADSIGNATURE,
	    "but not with one signature");
	is_int(roster_accept(r, r, FED_NOW), TOCSIN_EDUPLICATE,
	    "the same again is nothing new");

	f = fed_next(r);
	text = fed_print(f);
	file = fed_sign(buf_span(&text), "aa", "bb", NULL);
	is_int(roster_parse(&second, buf_span(&file)), TOCSIN_OK,
	    "the second is read");
	is_int(roster_accept(second, r, FED_NOW), TOCSIN_EDUPLICATE,
	    "there is no way back");
	is_int(ACCEPT(r, fed_next(second), "aa", "bb"), TOCSIN_EROSTERUNKNOWN,
	    "nor a leap forward: the one between is missing");
	roster_free(f);

	f = fed_next(r);
	f->threshold = 3;
	is_int(ACCEPT(second, f, "aa", "bb", "cc"), TOCSIN_ECHAINCONFLICT,
	    "two well signed rosters of one serial are an alarm");
	f = fed_next(r);
	f->threshold = 3;
	is_int(ACCEPT(second, f, "aa"), TOCSIN_EBADSIGNATURE,
	    "one that few signed is not");
	f = fed_next(second);
	f->previous[0] ^= 1;
	is_int(ACCEPT(second, f, "aa", "bb"), TOCSIN_ECHAINCONFLICT,
	    "a successor names its predecessor");
	f = fed_next(second);
	f->serial--;
	is_int(ACCEPT(second, f, "aa", "bb"), TOCSIN_ECHAINCONFLICT,
	    "nor does it take its place");
	f = fed_next(r);
	snprintf(f->federation, sizeof(f->federation), "other.example");
	is_int(ACCEPT(r, f, "aa", "bb"), TOCSIN_EROSTERUNKNOWN,
	    "another federation's roster is not ours");
	f = fed_next(r);
	f->issued = FED_NOW - 200 * FED_DAY;
	f->expires = FED_NOW - 100 * FED_DAY;
	is_int(ACCEPT(r, f, "aa", "bb"), TOCSIN_OK,
	    "a chain is followed through what has expired");
	roster_free(second);
	roster_free(r);
	buf_release(&text);
	buf_release(&file);
}

/* The fields of a roster with authorities dd, ee, ff in place of the old. */
static struct roster *
coup(const struct roster *cur)
{
	static const char *const names[] = { "dd", "ee", "ff" };
	struct roster *f = fed_next(cur);
	size_t i;

	for (i = 0; i < 3; i++)
		f->authority[i].key = signer(names[i]).vkey;
	return f;
}

static void
test_who_signs(void)
{
	struct roster *r = fed_roster(), *f;
	struct roster_revoked gone = {
		.name = "aa", .time = FED_NOW, .reason = "stolen"
	};

	is_int(ACCEPT(r, coup(r), "dd", "ee", "ff"), TOCSIN_EBADSIGNATURE,
	    "new authorities don't take over by themselves");
	is_int(ACCEPT(r, coup(r), "aa", "bb", "cc"), TOCSIN_EBADSIGNATURE,
	    "old ones don't appoint those who did not agree");
	is_int(ACCEPT(r, coup(r), "aa", "bb", "dd", "ee"), TOCSIN_OK,
	    "both together do");
	f = fed_next(r);
	f->threshold = 3;
	is_int(ACCEPT(r, f, "aa", "bb"), TOCSIN_EBADSIGNATURE,
	    "a higher threshold holds for the roster that brings it");

	f = fed_next(r);
	memcpy(gone.id, signer("aa").vkey.id, KEYID_LEN);
	f->authority[0].key = signer("ab").vkey;
	ok(roster_put_revoked(f, &gone) == TOCSIN_OK, "aa's key is stolen");
	is_int(ACCEPT(r, f, "aa", "bb", "ab"), TOCSIN_EBADSIGNATURE,
	    "a key that is revoked does not count any more");
	f = fed_next(r);
	f->authority[0].key = signer("ab").vkey;
	ok(roster_put_revoked(f, &gone) == TOCSIN_OK, "aa's key is stolen");
	is_int(ACCEPT(r, f, "bb", "cc"), TOCSIN_OK, "the others replace it");
	roster_free(r);
}

/* Any judgement of a signed file, whether it parses or not. */
static enum tocsin_err
judge(const struct roster *cur, struct span file)
{
	struct roster *r = NULL;
	enum tocsin_err err = roster_parse(&r, file);

	if (err == TOCSIN_OK)
		err = roster_accept(cur, r, FED_NOW);
	roster_free(r);
	return err;
}

static void
test_lines(void)
{
	struct roster *r = fed_roster(), *f = fed_next(r);
	struct buf text = fed_print(f);
	struct buf one = fed_sign(buf_span(&text), "aa", NULL);
	struct buf three = fed_sign(buf_span(&text), "aa", "bb", "cc", NULL);
	struct buf bent = { 0 };
	size_t line = one.n - text.n - 1;

	buf_add(&bent, buf_span(&one));
	buf_add(&bent, span_cut(buf_span(&one), text.n + 1, line));
	is_int(judge(r, buf_span(&bent)), TOCSIN_EMALFORMED,
	    "one key is not counted twice");
	is_int(judge(r, buf_span(&three)), TOCSIN_OK, "three are enough");
	three.p[three.n - 10] = three.p[three.n - 10] == 'A' ? 'B' : 'A';
	is_int(judge(r, buf_span(&three)), TOCSIN_EBADSIGNATURE,
	    "a line of an authority that fails spoils the two that don't");
	three.p[three.n - 1] = ' ';
	is_int(judge(r, buf_span(&three)), TOCSIN_EMALFORMED,
	    "and a line that is none the note");
	buf_release(&text);
	buf_release(&one);
	buf_release(&three);
	buf_release(&bent);
	roster_free(f);
	roster_free(r);
}

static void
test_large(void)
{
	struct roster *r = fed_fields();
	struct buf text = fed_print(r);

	while (text.n <= ROSTER_TEXT_MAX)
		buf_addz(&text, "revoked old@my/desk1 01abcdef x y\n");
	is_int(parse_copy(NULL, buf_span(&text)), TOCSIN_ETOOLARGE,
	    "more than 1 MiB is no roster");
	buf_release(&text);
	roster_free(r);
}

static void
test_fingerprint(void)
{
	struct roster *r = fed_roster();
	char s[ROSTER_FINGERPRINT + 1], typed[200];
	uint8_t hash[64];
	unsigned long v;
	size_t i, n = 0;

	roster_fingerprint(s, r);
	is_int((long long)strlen(s), ROSTER_FINGERPRINT,
	    "a fingerprint is twelve groups of five digits");
	crypto_hash_sha512(hash, r->text.p, r->text.n);
	v = hash[55];
	for (i = 56; i < 60; i++)
		v = v << 8 | hash[i];
	ok(strtoul(s + 66, NULL, 10) == v % 100000,
	    "the last one is of bytes 55 to 59 of the SHA-512");
	ok(roster_fingerprint_is(r, span_of(s)), "it is what it is");
	for (i = 0; s[i] != '\0'; i++) {
		if (s[i] != ' ')
			typed[n++] = s[i];
		if (i % 7 == 0)
			typed[n++] = i % 2 ? '-' : ' ';
	}
	ok(roster_fingerprint_is(r, (struct span){ (uint8_t *)typed, n }),
	    "however it is spaced");
	ok(!roster_fingerprint_is(r, span_cut(span_of(s), 0, 70)) &&
		!roster_fingerprint_is(r, span_of("")) &&
		!roster_fingerprint_is(r, span_of("0")),
	    "part of it is not enough");
	s[70] = s[70] == '1' ? '2' : '1';
	ok(!roster_fingerprint_is(r, span_of(s)), "no digit may differ");
	roster_fingerprint(typed, r);
	strcat(typed, "0");
	ok(!roster_fingerprint_is(r, span_of(typed)), "nor one be too many");
	roster_free(r);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_reads();
	test_truncated();
	test_grammar();
	test_one_key_one_role();
	test_bad_points();
	test_numbers();
	test_lists();
	test_put();
	test_revoked();
	test_genesis();
	test_chain();
	test_who_signs();
	test_lines();
	test_large();
	test_fingerprint();
	return tap_done();
}
