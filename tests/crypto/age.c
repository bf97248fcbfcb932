/* SPDX-License-Identifier: ISC */
#include "crypto/age.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 250

static uint8_t sk[MANY][AGE_KEY];
static uint8_t pk[MANY][AGE_KEY];

/* Bytes that say where they are, so that chunks can't change places unseen. */
static struct buf
text_of(size_t n)
{
	struct buf b = { 0 };
	uint8_t *p = buf_grow(&b, n);
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	return b;
}

static struct buf
sealed(struct span plain, size_t n)
{
	struct buf file = { 0 };

	if (age_seal(&file, (const uint8_t(*)[AGE_KEY])pk, n, plain) !=
	    TOCSIN_OK)
		abort();
	return file;
}

/* Opens an exact-size copy; what came out must be `want`, or nothing. */
static enum tocsin_err
open_as(struct span file, size_t who, const struct age_rules *rules,
    struct span want)
{
	uint8_t *copy = xcopy(file.p, file.n);
	struct buf plain = { 0 };
	enum tocsin_err err;

	buf_addz(&plain, "before");
	err = age_open(&plain, (struct span){ copy, file.n }, sk[who], rules);
	if (err == TOCSIN_OK &&
	    !span_eq(span_cut(buf_span(&plain), 6, SIZE_MAX), want))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK && !span_is(buf_span(&plain), "before"))
		err = TOCSIN_EINTERNAL;
	buf_release(&plain);
	free(copy);
	return err;
}

static void
test_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072,
		200001 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf plain = text_of(sizes[i]);
		struct buf file = sealed(buf_span(&plain), 3);
		uint64_t back = 1;

		ok(open_as(buf_span(&file), 2, NULL, buf_span(&plain)) ==
			TOCSIN_OK,
		    "%zu bytes come back", sizes[i]);
		is_int((long long)file.n,
		    (long long)age_sealed_size(sizes[i], 3),
		    "and their size was known before");
		ok(age_plain_size(&back, age_payload_size(sizes[i])) &&
			back == sizes[i],
		    "and can be told from the payload's");
		buf_release(&plain);
		buf_release(&file);
	}
}

static void
test_payload_sizes(void)
{
	uint64_t n;

	ok(!age_plain_size(&n, 0) && !age_plain_size(&n, 15),
	    "no payload is shorter than a tag");
	ok(!age_plain_size(&n, 65552 + 15) && !age_plain_size(&n, 65552 + 16),
	    "nor has an empty chunk after a full one");
	ok(age_plain_size(&n, 65552 + 17) && n == 65537, "one byte is enough");
}

static enum tocsin_err
open_with(const struct buf *file, const uint8_t fk[AGE_FILE_KEY], size_t *n)
{
	struct buf plain = { 0 };
	enum tocsin_err err = age_open_file_key(&plain, buf_span(file), fk);

	*n = plain.n;
	buf_release(&plain);
	return err;
}

/* A recipient shows others this one file. */
static void
test_file_key(void)
{
	struct span plain = span_of("one for a third party");
	struct buf file = sealed(plain, 3), other = sealed(plain, 3);
	struct age_rules rules = { .hint = 1, .exact_stanzas = 3 };
	uint8_t fk[AGE_FILE_KEY], none[AGE_FILE_KEY] = { 0 };
	size_t i, n, bad = 0;

	ok(age_file_key(fk, buf_span(&file), sk[1], &rules) == TOCSIN_OK,
	    "a recipient has the key of the file");
	ok(open_with(&file, fk, &n) == TOCSIN_OK && n == plain.n,
	    "which opens it without a recipient's");
	is_int(open_with(&other, fk, &n), TOCSIN_EBODYMISMATCH,
	    "and no other file");
	fk[3] ^= 1;
	is_int(open_with(&file, fk, &n), TOCSIN_EBODYMISMATCH,
	    "another key doesn't");
	fk[3] ^= 1;
	for (i = 0; i < file.n; i++) {
		file.p[i] ^= 1;
		bad += open_with(&file, fk, &n) == TOCSIN_OK || n != 0;
		file.p[i] ^= 1;
	}
	is_int((long long)bad, 0, "nor a file with a bit turned, anywhere");
	is_int(age_file_key(fk, buf_span(&file), sk[3], &rules),
	    TOCSIN_ENOTRECIPIENT, "who is no recipient");
	ok(memcmp(fk, none, sizeof(fk)) == 0, "has none");
	buf_release(&file);
	buf_release(&other);
}

static void
test_rules(void)
{
	struct span plain = span_of("one for all");
	struct buf file = sealed(plain, MANY), one = sealed(plain, 1);
	struct age_rules rules = { .exact_stanzas = MANY };
	size_t i, good = 0;

	for (i = 0; i < MANY; i++) {
		rules.hint = i;
		if (open_as(buf_span(&file), i, &rules, plain) == TOCSIN_OK)
			good++;
	}
	is_int((long long)good, MANY, "each of 250 opens its own stanza");
	rules.hint = 7;
	is_int(open_as(buf_span(&file), 8, &rules, plain), TOCSIN_ENOTRECIPIENT,
	    "another's place is noticed");
	rules.hint = MANY;
	is_int(open_as(buf_span(&file), 0, &rules, plain), TOCSIN_ENOTRECIPIENT,
	    "and one beyond the last is nobody's");
	rules.exact_stanzas = 0;
	is_int(open_as(buf_span(&file), 249, &rules, plain), TOCSIN_OK,
	    "without the rule it opens, wherever the stanza is");
	rules.hint = 1000000;
	is_int(open_as(buf_span(&file), 0, &rules, plain), TOCSIN_OK,
	    "and a hint may be wrong");
	rules = (struct age_rules){ .exact_stanzas = MANY - 1 };
	is_int(open_as(buf_span(&file), 0, &rules, plain),
	    TOCSIN_ERECIPIENTMISMATCH, "one reader too many is noticed");
	is_int(age_check(buf_span(&file), &rules), TOCSIN_ERECIPIENTMISMATCH,
	    "also without a key");
	rules.exact_stanzas = MANY;
	is_int(age_check(buf_span(&file), &rules), TOCSIN_OK,
	    "which needs no key for a good file either");
	is_int(open_as(buf_span(&one), 1, NULL, plain), TOCSIN_ENOTRECIPIENT,
	    "who is not a recipient is told so");
	buf_release(&file);
	buf_release(&one);
}

/*
 * A share of zeros has no secret in common with anybody: who tries that stanza
 * calls the file malformed.
 */
static void
test_own_only(void)
{
	struct span plain = span_of("x");
	struct buf file = sealed(plain, 3);
	struct age_rules rules = { .hint = 2, .exact_stanzas = 3 };

	memset(file.p + strlen("age-encryption.org/v1\n-> X25519 "), 'A', 43);
	is_int(open_as(buf_span(&file), 1, NULL, plain), TOCSIN_EMALFORMED,
	    "without a rule all stanzas are tried, from the first");
	is_int(open_as(buf_span(&file), 1, &rules, plain), TOCSIN_ENOTRECIPIENT,
	    "with it our own alone, which does not open");
	rules.hint = 0;
	is_int(open_as(buf_span(&file), 1, &rules, plain), TOCSIN_EMALFORMED,
	    "or cannot");
	buf_release(&file);
}

static void
test_foreign_stanzas(void)
{
	static const char grease[] = "age-encryption.org/v1\n-> some thing\n\n"
				     "-> X25519 AAAA\n\n";
	struct buf file = { 0 }, plain = { 0 };
	struct age_rules rules = { .exact_stanzas = 1 };

	is_int(age_seal_scrypt(&file, span_of("x"), span_of("pw"), 1),
	    TOCSIN_OK, "a passphrase file is made");
	is_int(age_check(buf_span(&file), &rules), TOCSIN_ERECIPIENTMISMATCH,
	    "its one stanza is not one of X25519");
	is_int(age_open(&plain, buf_span(&file), sk[0], NULL),
	    TOCSIN_ENOTRECIPIENT, "and no key opens it");
	is_int(age_check(span_of(grease), NULL), TOCSIN_EMALFORMED,
	    "a share that is no share is malformed beside any other");
	is_int(age_check(span_of("age-encryption.org/v2\n"), NULL),
	    TOCSIN_EUNSUPPORTED, "version 2 is not supported");
	is_int(age_check(span_of("age-encryption.org/w1\n"), NULL),
	    TOCSIN_EMALFORMED, "and another name is not age");
	buf_release(&file);
}

static void
test_limits(void)
{
	struct buf file = { 0 };
	int i;

	buf_addz(&file, "age-encryption.org/v1\n");
	for (i = 0; i <= AGE_STANZAS_MAX; i++)
		buf_addz(&file, "-> x\n\n");
	buf_addf(&file, "--- %043d\n%016d", 0, 0);
	is_int(age_check(buf_span(&file), NULL), TOCSIN_ETOOLARGE,
	    "301 stanzas are too many");
	buf_cut(&file, strlen("age-encryption.org/v1\n"));
	buf_addz(&file, "-> ");
	memset(buf_grow(&file, AGE_HEADER_MAX), 'x', AGE_HEADER_MAX);
	is_int(age_check(buf_span(&file), NULL), TOCSIN_ETOOLARGE,
	    "a header has an end");
	buf_release(&file);
	is_int(age_seal(&file, (const uint8_t(*)[AGE_KEY])pk, 0, span_of("")),
	    TOCSIN_EUSAGE, "sealing to nobody is refused");
	ok(file.n == 0, "and makes nothing");
	file.max = 100;
	is_int(age_seal(&file, (const uint8_t(*)[AGE_KEY])pk, 1, span_of("")),
	    TOCSIN_EINTERNAL, "so is a file that does not fit");
	ok(file.n == 0, "which makes nothing either");
	buf_release(&file);
}

/* A buffer that may not grow stands for memory that is not there. */
static void
test_no_memory(void)
{
	struct span text = span_of("more than ten bytes of it");
	struct buf file = sealed(text, 1), out = { .max = 10 }, armor = { 0 };
	struct age_sealer s;

	is_int(age_open(&out, buf_span(&file), sk[0], NULL), TOCSIN_EINTERNAL,
	    "where memory is short, opening fails inside");
	is_int(age_seal_scrypt(&out, text, span_of("pw"), 1), TOCSIN_EINTERNAL,
	    "sealing under a passphrase");
	age_armor(&armor, buf_span(&file));
	is_int(age_dearmor(&out, buf_span(&armor)), TOCSIN_EINTERNAL,
	    "taking armor off");
	is_int(age_sealer_begin(&s, &out, (const uint8_t(*)[AGE_KEY])pk, 1),
	    TOCSIN_EINTERNAL, "and a stream");
	ok(out.n == 0, "nothing is made: the disk has nothing to do with it");
	buf_release(&file);
	buf_release(&armor);
	buf_release(&out);
}

/* A key of low order would give a file that everybody can open. */
static void
test_low_order(void)
{
	uint8_t keys[2][AGE_KEY] = { { 0 }, { 0 } };
	struct buf file = { 0 };

	memcpy(keys[0], pk[0], AGE_KEY);
	is_int(age_seal(&file, (const uint8_t(*)[AGE_KEY])keys, 2,
		   span_of("secret")),
	    TOCSIN_EMALFORMED, "a key of zeros is no recipient");
	ok(file.n == 0, "and its file is not made");
	buf_release(&file);
}

static void
test_truncated(void)
{
	struct buf text = text_of(300);
	struct buf file = sealed(buf_span(&text), 2);
	struct age_rules rules = { .hint = 1, .exact_stanzas = 2 };
	size_t cut, n, opened = 0, sized = 0;

	for (cut = 0; cut < file.n; cut++) {
		struct span part = span_cut(buf_span(&file), 0, cut);

		if (open_as(part, 1, &rules, buf_span(&text)) == TOCSIN_OK)
			opened++;
		if (age_header_size(part, &n) != TOCSIN_OK ||
		    n != (cut < 266 ? 0 : 282))
			sized++;
	}
	is_int((long long)opened, 0, "no proper prefix opens");
	is_int((long long)sized, 0, "the header's size is known at its end");
	buf_release(&text);
	buf_release(&file);
}

static void
test_flipped(void)
{
	struct buf text = text_of(100);
	struct buf file = sealed(buf_span(&text), 2);
	size_t i, opened = 0, odd = 0;
	uint8_t *at;

	for (i = 0; i < file.n * 8; i++) {
		enum tocsin_err err;

		file.p[i / 8] ^= 1 << i % 8;
		err = open_as(buf_span(&file), 1, NULL, buf_span(&text));
		opened += err == TOCSIN_OK;
		odd += err == TOCSIN_EINTERNAL;
		file.p[i / 8] ^= 1 << i % 8;
	}
	is_int((long long)opened, 0, "no altered bit of a file goes unseen");
	is_int((long long)odd, 0, "and nothing is given out");
	file.p[file.n - 1] ^= 1;
	is_int(open_as(buf_span(&file), 0, NULL, buf_span(&text)),
	    TOCSIN_EBODYMISMATCH, "an altered chunk is a body mismatch");
	file.p[file.n - 1] ^= 1;
	/* A letter of the other stanza's share. */
	at = file.p + 22 + 98 + 20;
	*at = *at == 'A' ? 'B' : 'A';
	is_int(open_as(buf_span(&file), 0, NULL, buf_span(&text)),
	    TOCSIN_EBODYMISMATCH, "and so is another's altered stanza");
	buf_release(&text);
	buf_release(&file);
}

static void
test_passphrase(void)
{
	struct span pass = span_of("correct horse battery staple");
	struct buf file = { 0 }, plain = { 0 };

	is_int(age_seal_scrypt(&file, span_of("a key"), pass, 10), TOCSIN_OK,
	    "a passphrase seals");
	is_int(age_open_scrypt(&plain, buf_span(&file), pass), TOCSIN_OK,
	    "and opens");
	ok(span_is(buf_span(&plain), "a key"), "the same");
	is_int(age_open_scrypt(&plain, buf_span(&file), span_of("wrong")),
	    TOCSIN_EPASSPHRASE, "another one does not");
	is_int(age_open_scrypt(&plain, buf_span(&file), (struct span){ 0 }),
	    TOCSIN_EPASSPHRASE, "nor does none");
	ok(span_is(buf_span(&plain), "a key"), "and nothing was added");
	is_int(age_seal_scrypt(&file, span_of("a key"), pass, 21),
	    TOCSIN_EUSAGE, "we make none that we would not read");
	buf_release(&file);
	file = sealed(span_of("x"), 1);
	is_int(age_open_scrypt(&plain, buf_span(&file), pass),
	    TOCSIN_ENOTRECIPIENT, "a file for keys has no passphrase");
	buf_release(&file);
	buf_release(&plain);
}

static void
seal_stream(struct buf *file, struct span plain)
{
	struct age_sealer s;
	enum tocsin_err err;
	size_t at;

	err = age_sealer_begin(&s, file, (const uint8_t(*)[AGE_KEY])pk, 1);
	for (at = 0; err == TOCSIN_OK && s.stream.open; at += AGE_CHUNK)
		err = age_sealer_chunk(&s, file, span_cut(plain, at, AGE_CHUNK),
		    plain.n - at <= AGE_CHUNK);
	ok(err == TOCSIN_OK, "%zu bytes are sealed as a stream", plain.n);
	age_sealer_release(&s);
}

static void
test_streams(void)
{
	static const size_t sizes[] = { 0, 1, 65536, 65537, 131072 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf text = text_of(sizes[i]), file = { 0 };

		seal_stream(&file, buf_span(&text));
		is_int(open_as(buf_span(&file), 0, NULL, buf_span(&text)),
		    TOCSIN_OK, "and open as a whole");
		buf_release(&text);
		buf_release(&file);
	}
}

static void
test_stream_order(void)
{
	struct buf text = text_of(AGE_CHUNK + 1), file = { 0 }, out = { 0 };
	struct age_opener o;
	struct span second;
	size_t n;

	seal_stream(&file, buf_span(&text));
	if (age_header_size(buf_span(&file), &n) != TOCSIN_OK ||
	    age_opener_begin(
		&o, span_cut(buf_span(&file), 0, n), sk[0], NULL) != TOCSIN_OK)
		abort();
	second =
	    span_cut(buf_span(&file), n + AGE_CHUNK + AGE_OVERHEAD, SIZE_MAX);
	is_int(age_opener_chunk(&o, &out, second, true), TOCSIN_EBODYMISMATCH,
	    "a chunk that is skipped is noticed");
	ok(out.n == 0 && !age_opener_done(&o), "and gives nothing");
	is_int(
	    age_opener_chunk(&o, &out,
		span_cut(buf_span(&file), n, AGE_CHUNK + AGE_OVERHEAD), false),
	    TOCSIN_EUSAGE, "after that the stream is closed");
	age_opener_release(&o);
	is_int(age_opener_begin(
		   &o, span_cut(buf_span(&file), 0, n + 1), sk[0], NULL),
	    TOCSIN_EMALFORMED, "a header is given exactly");
	age_opener_release(&o);
	buf_release(&text);
	buf_release(&file);
	buf_release(&out);
}

static void
test_sealer_order(void)
{
	struct age_sealer s = { 0 };
	struct buf out = { 0 };
	struct buf chunk = text_of(AGE_CHUNK);

	is_int(age_sealer_chunk(&s, &out, span_of("x"), true), TOCSIN_EUSAGE,
	    "a stream is begun first");
	is_int(age_sealer_begin(&s, &out, (const uint8_t(*)[AGE_KEY])pk, 1),
	    TOCSIN_OK, "it begins");
	is_int(age_sealer_chunk(&s, &out, span_of("x"), false), TOCSIN_EUSAGE,
	    "only the last chunk is short");
	is_int(age_sealer_chunk(&s, &out, buf_span(&chunk), false), TOCSIN_OK,
	    "a full one is sealed");
	is_int(age_sealer_chunk(&s, &out, span_of(""), true), TOCSIN_EUSAGE,
	    "an empty one after it is not");
	is_int(age_sealer_chunk(&s, &out, span_of("x"), true), TOCSIN_OK,
	    "a last one is");
	is_int(age_sealer_chunk(&s, &out, span_of("x"), true), TOCSIN_EUSAGE,
	    "and after the last comes none");
	age_sealer_release(&s);
	buf_release(&out);
	buf_release(&chunk);
}

static void
test_text_forms(void)
{
	static const char id[] = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPY"
				 "YSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
	static const char to[] = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye"
				 "869xeexvn73equnujwj";
	char text[AGE_IDENTITY_TEXT + 1];
	uint8_t key[AGE_KEY], public[AGE_KEY], again[AGE_KEY];

	is_int(age_identity_parse(key, span_of(id)), TOCSIN_OK,
	    "the specification's identity is read");
	age_public(public, key);
	age_recipient_print(text, public);
	is_str(text, to, "its recipient is the specification's");
	is_int(age_recipient_parse(again, span_of(to)), TOCSIN_OK,
	    "which is read");
	ok(memcmp(again, public, AGE_KEY) == 0, "to the same key");
	age_identity_print(text, key);
	is_str(text, id, "the identity is written as it was");
	is_int(age_recipient_parse(again, span_of(id)), TOCSIN_EMALFORMED,
	    "an identity is no recipient");
	is_int(age_identity_parse(again, span_of(to)), TOCSIN_EMALFORMED,
	    "nor the other way round");
}

static enum tocsin_err
read_file(size_t max, size_t *n, const char *text, size_t len)
{
	uint8_t keys[2][AGE_KEY];
	uint8_t *copy = xcopy(text, len);
	enum tocsin_err err =
	    age_identity_file(keys, max, n, (struct span){ copy, len });

	free(copy);
	return err;
}

static void
test_identity_file(void)
{
	char one[AGE_IDENTITY_TEXT + 1], two[AGE_IDENTITY_TEXT + 1];
	char text[400], crlf[400];
	size_t n, cut, len, wrong = 0;

	age_identity_print(one, sk[0]);
	age_identity_print(two, sk[1]);
	len = (size_t)snprintf(
	    text, sizeof(text), "# made\n\n%s\n#\n%s\n", one, two);
	is_int(read_file(2, &n, text, len), TOCSIN_OK,
	    "comments and blank lines are skipped");
	is_int((long long)n, 2, "two identities are found");
	is_int(read_file(1, &n, text, len), TOCSIN_ETOOLARGE,
	    "two where one is asked for are too many");
	is_int((long long)n, 0, "and none is given");
	for (cut = 0; cut < len; cut++) {
		enum tocsin_err err = read_file(2, &n, text, cut);
		enum tocsin_err want = TOCSIN_OK;

		if (cut <= 8)
			want = TOCSIN_ENOTFOUND;
		else if (cut < 8 + 74 || (cut > 8 + 74 + 3 && cut < len - 1))
			want = TOCSIN_EMALFORMED;
		wrong += err != want;
	}
	is_int((long long)wrong, 0, "a line that was cut is no identity");
	len = (size_t)snprintf(crlf, sizeof(crlf), "# made\r\n\r\n%s\r\n", one);
	is_int(read_file(2, &n, crlf, len), TOCSIN_OK, "CRLF is read");
	len = (size_t)snprintf(text, sizeof(text), " %s\n", one);
	is_int(read_file(2, &n, text, len), TOCSIN_EMALFORMED,
	    "a space before is not");
}

static void
test_armor(void)
{
	size_t n, cut, good = 0, taken = 0;

	for (n = 0; n <= 200; n++) {
		struct buf text = text_of(n), armor = { 0 }, back = { 0 };

		age_armor(&armor, buf_span(&text));
		if (age_is_armored(buf_span(&armor)) &&
		    age_dearmor(&back, buf_span(&armor)) == TOCSIN_OK &&
		    span_eq(buf_span(&back), buf_span(&text)))
			good++;
		buf_cut(&back, 0);
		/* Without its last LF, armor is armor. */
		for (cut = 0; cut + 1 < armor.n; cut++) {
			uint8_t *copy = xcopy(armor.p, cut);

			taken += age_dearmor(&back,
				     (struct span){ copy, cut }) == TOCSIN_OK;
			taken += back.n;
			free(copy);
		}
		buf_release(&text);
		buf_release(&armor);
		buf_release(&back);
	}
	is_int((long long)good, 201, "0 to 200 bytes come back from armor");
	is_int((long long)taken, 0, "and from no part of it");
}

/* Two armors of one file differ at most in the ends of their lines. */
static void
test_armor_flipped(void)
{
	struct buf text = text_of(100), armor = { 0 }, back = { 0 };
	size_t i, same = 0;

	age_armor(&armor, buf_span(&text));
	for (i = 0; i < armor.n * 8; i++) {
		armor.p[i / 8] ^= 1 << i % 8;
		if (age_dearmor(&back, buf_span(&armor)) == TOCSIN_OK &&
		    span_eq(buf_span(&back), buf_span(&text)))
			same++;
		buf_cut(&back, 0);
		armor.p[i / 8] ^= 1 << i % 8;
	}
	is_int((long long)same, 0, "no flipped bit of armor goes unseen");
	buf_release(&text);
	buf_release(&armor);
	buf_release(&back);
}

int
main(void)
{
	size_t i;

	if (sodium_init() < 0)
		return 1;
	for (i = 0; i < MANY; i++)
		age_keygen(sk[i], pk[i]);
	test_sizes();
	test_payload_sizes();
	test_file_key();
	test_rules();
	test_own_only();
	test_foreign_stanzas();
	test_limits();
	test_no_memory();
	test_low_order();
	test_truncated();
	test_flipped();
	test_passphrase();
	test_streams();
	test_stream_order();
	test_sealer_order();
	test_text_forms();
	test_identity_file();
	test_armor();
	test_armor_flipped();
	return tap_done();
}
