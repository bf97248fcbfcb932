/* SPDX-License-Identifier: ISC */
#include "crypto/part.h"
#include "crypto/padding.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

/* A part, its attachment, and what ticket and header say about them. */
struct sealed {
	struct buf file;
	struct ticket_part part;
	uint8_t *plain;
	size_t n;
	uint8_t sk[32];
};

static uint8_t *
make_plain(size_t n)
{
	uint8_t *p = xmalloc(n);

	randombytes_buf_deterministic(
	    p, n, (const uint8_t *)"part.c: a seed of 32 bytes. part");
	return p;
}

/* Feeds `step` bytes at a time. */
static enum tocsin_err
seal(struct sealed *s, size_t n, size_t step)
{
	struct part_sealer *sealer = xmalloc(sizeof(*sealer));
	struct buf identity = { 0 };
	enum tocsin_err err;
	bool done = false;
	size_t at;

	memset(s, 0, sizeof(*s));
	s->plain = make_plain(n);
	s->n = n;
	part_identity(s->sk, &identity);
	err = part_sealer_begin(sealer, &s->file, s->sk, n);
	for (at = 0; at < n && err == TOCSIN_OK; at += step)
		err = part_sealer_feed(sealer, &s->file,
		    span_cut((struct span){ s->plain, n }, at, step));
	while (!done && err == TOCSIN_OK)
		err = part_sealer_end(sealer, &s->file, &s->part, &done);
	part_sealer_release(sealer);
	buf_release(&identity);
	free(sealer);
	return err;
}

static void
drop(struct sealed *s)
{
	buf_release(&s->file);
	free(s->plain);
}

/* OK only if done; *out is what came out of it. */
static enum tocsin_err
open_part(struct buf *out, const struct sealed *s, size_t step)
{
	struct part_opener *o = xmalloc(sizeof(*o));
	enum tocsin_err err;
	size_t at;

	err = part_opener_begin(o, &s->part, s->sk, s->n);
	for (at = 0; at < s->file.n && err == TOCSIN_OK; at += step)
		err = part_opener_feed(
		    o, out, span_cut(buf_span(&s->file), at, step));
	if (err == TOCSIN_OK && !part_opener_done(o))
		err = TOCSIN_EUNAVAILABLE;
	part_opener_release(o);
	free(o);
	return err;
}

static void
is_opened(
    const struct sealed *s, size_t step, enum tocsin_err want, const char *what)
{
	struct buf out = { 0 };
	enum tocsin_err err = open_part(&out, s, step);

	if (err == TOCSIN_OK &&
	    !span_eq(buf_span(&out), (struct span){ s->plain, s->n }))
		err = TOCSIN_EINTERNAL;
	is_str(tocsin_err_name(err), tocsin_err_name(want), "%s: %s", what,
	    tocsin_err_name(want));
	buf_release(&out);
}

static void
test_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 65535, 65536,
		65537, 131072, 140000, 1000000 };
	static const size_t steps[] = { 1000000, 65552, 4097 };
	size_t i, j, good = 0;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (j = 0; j < 3; j++) {
			struct buf out = { 0 };
			struct sealed s;

			good +=
			    seal(&s, sizes[i], steps[j]) == TOCSIN_OK &&
			    s.part.size == part_size(sizes[i]) &&
			    s.part.size == s.file.n &&
			    open_part(&out, &s, steps[2 - j]) == TOCSIN_OK &&
			    span_eq(
				buf_span(&out), (struct span){ s.plain, s.n });
			buf_release(&out);
			drop(&s);
		}
	}
	is_int((long long)good, 33,
	    "11 sizes in 3 steps: the attachment comes back");
}

/* Our part is an ordinary age file: the whole-file call opens it. */
static void
test_is_age(void)
{
	struct buf plain = { 0 };
	struct sealed s;
	size_t zeros = 0, i;

	is_int(seal(&s, 70000, 1000), TOCSIN_OK, "70,000 bytes");
	is_int(age_open(&plain, buf_span(&s.file), s.sk, NULL), TOCSIN_OK,
	    "are an age file");
	is_int((long long)plain.n, (long long)padme(70000, TICKET_PAD_FLOOR),
	    "padded inside");
	for (i = 70000; i < plain.n; i++)
		zeros += plain.p[i] == 0;
	is_int((long long)zeros, (long long)plain.n - 70000, "with zeros");
	buf_release(&plain);
	drop(&s);
}

static void
test_identity(void)
{
	struct buf text = { 0 };
	uint8_t sk[32], back[32];

	part_identity(sk, &text);
	ok(text.n == AGE_IDENTITY_TEXT + 1 && text.p[text.n - 1] == '\n',
	    "parts.age is one line");
	ok(age_identity_parse(back,
	       span_cut(buf_span(&text), 0, AGE_IDENTITY_TEXT)) == TOCSIN_OK &&
		memcmp(sk, back, 32) == 0,
	    "that says the key");
	buf_release(&text);
}

static void
test_damage(void)
{
	struct sealed s;
	size_t i, passed = 0;

	is_int(seal(&s, 140000, 65536), TOCSIN_OK, "140,000 bytes");
	is_opened(&s, 777, TOCSIN_OK, "as it is");
	for (i = 0; i < s.file.n; i += i < 190 ? 1 : 4999) {
		struct buf out = { 0 };

		s.file.p[i] ^= 0x04;
		passed += open_part(&out, &s, 50000) == TOCSIN_OK;
		buf_release(&out);
		s.file.p[i] ^= 0x04;
	}
	is_int((long long)passed, 0, "a flipped bit is refused");
	s.file.n--;
	is_opened(&s, 5000, TOCSIN_EUNAVAILABLE, "a byte short: not done");
	s.file.n++;
	buf_u8(&s.file, 0);
	is_opened(&s, 5000, TOCSIN_EBODYMISMATCH, "a byte more");
	s.file.n--;
	s.part.hash[0] ^= 1;
	is_opened(&s, 5000, TOCSIN_EBODYMISMATCH, "another's hash");
	s.part.hash[0] ^= 1;
	s.sk[0] ^= 8;
	is_opened(&s, 5000, TOCSIN_ENOTRECIPIENT, "another's identity");
	drop(&s);
}

/* The sender states a size that is not that of the attachment. */
static void
test_lies(void)
{
	struct sealed s;

	is_int(seal(&s, 5000, 5000), TOCSIN_OK, "5,000 bytes");
	s.n = 4000;
	is_opened(&s, 5000, TOCSIN_EMALFORMED, "of another padded size");
	s.n = 4990;
	is_opened(
	    &s, 5000, TOCSIN_EMALFORMED, "what is cut away must be zeros");
	s.n = 5000;
	s.part.size += 512;
	is_opened(&s, 5000, TOCSIN_EMALFORMED, "a size that no part has");
	drop(&s);
}

static void
test_limits(void)
{
	struct part_sealer *s = xmalloc(sizeof(*s));
	struct ticket_part part;
	struct buf out = { 0 };
	uint8_t sk[32] = { 1 }, bytes[11] = { 0 };
	bool done;

	is_int(part_sealer_begin(s, &out, sk, TICKET_PART_MAX),
	    TOCSIN_ETOOLARGE, "4 GiB do not fit");
	is_int(part_sealer_begin(s, &out, sk, UINT64_MAX), TOCSIN_ETOOLARGE,
	    "nor do 2^64 - 1 bytes");
	is_int(part_sealer_begin(s, &out, sk, 10), TOCSIN_OK, "10 bytes");
	is_int(part_sealer_feed(s, &out, SPAN(bytes)), TOCSIN_EUSAGE,
	    "are not 11");
	is_int(
	    part_sealer_end(s, &out, &part, &done), TOCSIN_EUSAGE, "nor none");
	part_sealer_release(s);
	buf_release(&out);
	free(s);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_sizes();
	test_is_age();
	test_identity();
	test_damage();
	test_lies();
	test_limits();
	return tap_done();
}
