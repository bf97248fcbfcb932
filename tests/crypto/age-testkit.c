/* SPDX-License-Identifier: ISC */
/*
 * The age testkit (tests/vectors/age-testkit): a text header, a blank line, an
 * age file. 124 of the 143 need no post-quantum keys and must come out as they
 * say; the others must be turned away and nothing else.
 */
#include "crypto/age.h"
#include "tests/lib/tap.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KEYS 4 /* identities or passphrases in one vector, at most */

struct vector {
	char expect[32];
	uint8_t payload[32];
	bool has_payload, armored, compressed, hybrid;
	struct span identity[KEYS];
	size_t nidentity;
	struct span passphrase[KEYS];
	size_t npassphrase;
	struct span file;
};

static bool
starts(struct span line, const char *key, struct span *value)
{
	size_t n = strlen(key);

	*value = span_cut(line, n, SIZE_MAX);
	return span_is(span_cut(line, 0, n), key);
}

static void
field(struct vector *v, struct span line)
{
	struct span s;

	if (starts(line, "expect: ", &s))
		snprintf(v->expect, sizeof(v->expect), "%.*s", (int)s.n, s.p);
	else if (starts(line, "payload: ", &s))
		v->has_payload =
		    sodium_hex2bin(v->payload, 32, (const char *)s.p, s.n, NULL,
			NULL, NULL) == 0;
	else if (starts(line, "armored: yes", &s))
		v->armored = true;
	else if (starts(line, "compressed: zlib", &s))
		v->compressed = true;
	else if (starts(line, "identity: AGE-SECRET-KEY-PQ-", &s))
		v->hybrid = true;
	else if (starts(line, "identity: ", &s) && v->nidentity < KEYS)
		v->identity[v->nidentity++] = s;
	else if (starts(line, "passphrase: ", &s) && v->npassphrase < KEYS)
		v->passphrase[v->npassphrase++] = s;
}

/* *v aliases the bytes. */
static void
read_vector(struct vector *v, struct span bytes)
{
	struct rd r = rd_init(bytes);
	struct span line;
	const uint8_t *lf;

	*v = (struct vector){ 0 };
	do {
		lf = memchr(r.rest.p, '\n', r.rest.n);
		if (lf == NULL)
			abort();
		line = rd_span(&r, (size_t)(lf - r.rest.p));
		rd_u8(&r);
		field(v, line);
	} while (line.n > 0);
	v->file = rd_rest(&r);
}

static struct buf
inflated(struct span s)
{
	struct buf b = { 0 };
	z_stream z = { 0 };
	int rc = Z_OK;

	if (inflateInit(&z) != Z_OK)
		abort();
	z.next_in = (uint8_t *)(uintptr_t)s.p;
	z.avail_in = (unsigned)s.n;
	while (rc == Z_OK) {
		z.avail_out = 1 << 16;
		z.next_out = buf_grow(&b, z.avail_out);
		rc = inflate(&z, Z_NO_FLUSH);
		b.n -= z.avail_out;
	}
	if (rc != Z_STREAM_END)
		abort();
	inflateEnd(&z);
	return b;
}

/* What the reasons are called in the testkit. */
static bool
is_expected(const char *expect, enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_OK:
		return strcmp(expect, "success") == 0;
	case TOCSIN_ENOTRECIPIENT:
	case TOCSIN_EPASSPHRASE:
		return strcmp(expect, "no match") == 0;
	case TOCSIN_EBODYMISMATCH:
		return strcmp(expect, "HMAC failure") == 0 ||
		       strcmp(expect, "payload failure") == 0;
	case TOCSIN_EUNSUPPORTED:
		return strcmp(expect, "header failure") == 0;
	case TOCSIN_EMALFORMED:
		return strcmp(expect, "header failure") == 0 ||
		       strcmp(expect, "payload failure") == 0;
	default:
		return false;
	}
}

static enum tocsin_err
open_keys(struct buf *plain, const struct vector *v, struct span file)
{
	enum tocsin_err err = TOCSIN_ENOTRECIPIENT;
	uint8_t sk[AGE_KEY];
	size_t i;

	for (i = 0; i < v->nidentity && err == TOCSIN_ENOTRECIPIENT; i++) {
		if (age_identity_parse(sk, v->identity[i]) != TOCSIN_OK)
			return TOCSIN_EUSAGE;
		err = age_open(plain, file, sk, NULL);
	}
	for (i = 0; i < v->npassphrase &&
		    (err == TOCSIN_ENOTRECIPIENT || err == TOCSIN_EPASSPHRASE);
	     i++)
		err = age_open_scrypt(plain, file, v->passphrase[i]);
	/* A file that is wrong is wrong without a key too. */
	if (v->nidentity + v->npassphrase == 0)
		err = age_check(file, NULL);
	return err;
}

/* A stream must come to the same end. */
static enum tocsin_err
open_stream(struct buf *plain, struct span file, const uint8_t sk[AGE_KEY])
{
	size_t n, at, step = AGE_CHUNK + AGE_OVERHEAD;
	struct age_opener o = { 0 };
	enum tocsin_err err;

	err = age_header_size(file, &n);
	if (err == TOCSIN_OK && (n == 0 || n > file.n))
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = age_opener_begin(&o, span_cut(file, 0, n), sk, NULL);
	for (at = n; err == TOCSIN_OK && !age_opener_done(&o); at += step)
		err = age_opener_chunk(
		    &o, plain, span_cut(file, at, step), file.n - at <= step);
	age_opener_release(&o);
	return err;
}

static bool
right_plain(const struct vector *v, const struct buf *plain)
{
	uint8_t hash[32];

	crypto_hash_sha256(hash, plain->p, plain->n);
	return v->has_payload && memcmp(hash, v->payload, 32) == 0;
}

static void
check_streams(const char *name, const struct vector *v, struct span file)
{
	struct buf plain = { 0 };
	uint8_t sk[AGE_KEY];
	enum tocsin_err err;

	if (v->nidentity != 1 ||
	    age_identity_parse(sk, v->identity[0]) != TOCSIN_OK)
		return;
	err = open_stream(&plain, file, sk);
	ok(is_expected(v->expect, err) &&
		(err != TOCSIN_OK || right_plain(v, &plain)),
	    "%s: and as a stream", name);
	buf_release(&plain);
}

static void
check_file(const char *name, const struct vector *v, struct span file)
{
	struct buf plain = { 0 };
	enum tocsin_err err = open_keys(&plain, v, file);
	bool good = is_expected(v->expect, err);

	if (good && err == TOCSIN_OK)
		good = right_plain(v, &plain);
	else if (good)
		good = plain.n == 0;
	if (!ok(good, "%s: %s", name, v->expect))
		diag("got %s and %zu bytes", tocsin_err_name(err), plain.n);
	check_streams(name, v, file);
	buf_release(&plain);
}

/* We hold no such key: no plaintext, no crash, a reason that is true. */
static void
check_hybrid(const char *name, struct span file)
{
	struct buf plain = { 0 };
	uint8_t sk[AGE_KEY], pk[AGE_KEY];
	enum tocsin_err err;

	age_keygen(sk, pk);
	err = age_open(&plain, file, sk, NULL);
	ok(plain.n == 0 &&
		(err == TOCSIN_ENOTRECIPIENT || err == TOCSIN_EMALFORMED),
	    "%s: turned away as %s", name, tocsin_err_name(err));
	buf_release(&plain);
}

static void
check_vector(const char *name, const struct vector *v)
{
	struct buf raw = { 0 }, binary = { 0 };
	struct span file = v->file;
	enum tocsin_err err = TOCSIN_OK;

	if (v->compressed) {
		raw = inflated(file);
		file = buf_span(&raw);
	}
	if (v->armored) {
		err = age_dearmor(&binary, file);
		file = buf_span(&binary);
	}
	if (strcmp(v->expect, "armor failure") == 0 || err != TOCSIN_OK)
		ok(err == TOCSIN_EMALFORMED &&
			strcmp(v->expect, "armor failure") == 0 &&
			binary.n == 0,
		    "%s: %s", name, v->expect);
	else if (v->hybrid)
		check_hybrid(name, file);
	else
		check_file(name, v, file);
	buf_release(&raw);
	buf_release(&binary);
}

int
main(void)
{
	char dir[4096], path[8192];
	size_t n, done = 0, hybrid = 0;
	struct dirent *e;
	struct vector v;
	uint8_t *bytes;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s", top("tests/vectors/age-testkit"));
	d = opendir(dir);
	if (sodium_init() < 0 || d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		bytes = slurp(path, &n);
		read_vector(&v, (struct span){ bytes, n });
		check_vector(e->d_name, &v);
		done++;
		hybrid += v.hybrid;
		free(bytes);
	}
	closedir(d);
	is_int((long long)(done - hybrid), 124, "124 vectors without ML-KEM");
	is_int((long long)hybrid, 19, "and 19 that need it");
	return tap_done();
}
