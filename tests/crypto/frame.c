/* SPDX-License-Identifier: ISC */
#include "crypto/frame.h"
#include "crypto/msg.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t none[FRAME_SESSION];
static const uint8_t session[FRAME_SESSION] = { 0xab, 1, 2, 3 };
static const uint8_t key[32] = { 7 };
static uint8_t zeros[FRAME_MAX + 1];

/* From an exact-size heap copy; the spans of *out are of no use after it. */
static enum tocsin_err
parse_copy(struct frame *out, struct span s)
{
	uint8_t *copy = xcopy(s.p, s.n);
	enum tocsin_err err = frame_parse(out, (struct span){ copy, s.n });

	free(copy);
	return err;
}

static enum tocsin_err
parse(unsigned type, const uint8_t *id, uint64_t nonce, size_t len)
{
	struct buf b = { 0 };
	struct frame f;
	enum tocsin_err err;

	frame_put(
	    &b, (enum frame_type)type, id, nonce, (struct span){ zeros, len });
	err = parse_copy(&f, buf_span(&b));
	buf_release(&b);
	return err;
}

static void
test_shapes(void)
{
	/* clang-format off */
	static const struct {
		const char *what;
		unsigned type;
		const uint8_t *id;
		uint64_t nonce;
		size_t len;
		enum tocsin_err want;
	} rows[] = {
		{ "a hello", 1, none, 0, 48, TOCSIN_OK },
		{ "a hello with a session", 1, session, 0, 48, TOCSIN_EMALFORMED },
		{ "a hello with a number", 1, none, 1, 48, TOCSIN_EMALFORMED },
		{ "a short hello", 1, none, 0, 47, TOCSIN_EMALFORMED },
		{ "a hello with a payload", 1, none, 0, 49, TOCSIN_EMALFORMED },
		{ "a hello's reply", 2, session, 0, 48, TOCSIN_OK },
		{ "a hello's reply without session", 2, none, 0, 48, TOCSIN_EMALFORMED },
		{ "a finish", 3, session, 0, 64, TOCSIN_OK },
		{ "a short finish", 3, session, 0, 63, TOCSIN_EMALFORMED },
		{ "a finish with the longest request", 3, session, 0, 64 + 61440, TOCSIN_OK },
		{ "a finish without session", 3, none, 0, 64, TOCSIN_EMALFORMED },
		{ "a finish with a number", 3, session, 1, 64, TOCSIN_EMALFORMED },
		{ "a transport frame", 4, session, 1, 16, TOCSIN_OK },
		{ "the answer to a finish", 4, session, 0, 16, TOCSIN_OK },
		{ "the last number of a link", 4, session, 1048576, 16, TOCSIN_OK },
		{ "the number after it", 4, session, 1048577, 16, TOCSIN_EMALFORMED },
		{ "the highest number", 4, session, UINT64_MAX, 16, TOCSIN_EMALFORMED },
		{ "less than a tag", 4, session, 1, 15, TOCSIN_EMALFORMED },
		{ "the longest message", 4, session, 1, 16 + 61440, TOCSIN_OK },
		{ "a byte more", 4, session, 1, 17 + 61440, TOCSIN_ETOOLARGE },
		{ "a transport frame without session", 4, none, 1, 16, TOCSIN_EMALFORMED },
		{ "an error", 5, none, 0, 6, TOCSIN_OK },
		{ "an error about a request", 5, session, 9, 6, TOCSIN_OK },
		{ "a long error", 5, none, 0, 7, TOCSIN_EMALFORMED },
		{ "more than a frame", 3, session, 0, 65 + 61440, TOCSIN_ETOOLARGE },
		{ "type 0", 0, session, 0, 64, TOCSIN_EUNSUPPORTED },
		{ "type 6", 6, session, 0, 64, TOCSIN_EUNSUPPORTED },
		{ "type 255", 255, session, 0, 64, TOCSIN_EUNSUPPORTED },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(
		    parse(rows[i].type, rows[i].id, rows[i].nonce, rows[i].len),
		    rows[i].want, "%s: %s", rows[i].what,
		    tocsin_err_name(rows[i].want));
	ok(FRAME_PLAIN_MAX == MSG_MAX, "a frame carries what a message may be");
}

static void
test_seal(void)
{
	struct buf b = { 0 }, plain = { 0 };
	uint8_t other[32] = { 8 };
	struct frame f;
	size_t i, wrong = 0;

	ok(frame_seal(&b, session, 77, key, span_of("request")) == TOCSIN_OK &&
		b.n == FRAME_HEAD + 7 + NOISE_TAG &&
		frame_parse(&f, buf_span(&b)) == TOCSIN_OK && f.nonce == 77 &&
		memcmp(f.session, session, FRAME_SESSION) == 0,
	    "what is sealed parses");
	ok(frame_open(&plain, &f, key) == TOCSIN_OK &&
		span_is(buf_span(&plain), "request"),
	    "and opens");
	is_int(frame_open(&plain, &f, other), TOCSIN_EBADSIGNATURE,
	    "not under another key");
	for (i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		wrong += frame_parse(&f, buf_span(&b)) == TOCSIN_OK &&
			 frame_open(&plain, &f, key) == TOCSIN_OK;
		b.p[i] ^= 1;
	}
	is_int((long long)wrong, 0,
	    "a bit changed in any byte, of the head too, is refused");
	is_int((long long)plain.n, 7, "and leaves nothing behind");
	buf_release(&plain);
	for (i = 0; i < b.n; i++)
		wrong +=
		    parse_copy(&f, span_cut(buf_span(&b), 0, i)) == TOCSIN_OK &&
		    i < FRAME_HEAD + NOISE_TAG;
	is_int((long long)wrong, 0, "no frame is shorter than its parts");
	buf_release(&b);
}

static void
test_limits(void)
{
	struct buf b = { .max = 100 };

	ok(frame_seal(&b, session, 1, key,
	       (struct span){ zeros, FRAME_PLAIN_MAX + 1 }) ==
		    TOCSIN_ETOOLARGE &&
		frame_seal(&b, session, LINK_MESSAGES_MAX + 1, key,
		    span_of("x")) == TOCSIN_EUSAGE &&
		b.n == 0,
	    "what could not be parsed isn't sealed");
	ok(frame_seal(&b, session, 1, key, (struct span){ zeros, 90 }) ==
		    TOCSIN_EINTERNAL &&
		b.n == 0,
	    "nothing half written is left without memory");
	buf_release(&b);
}

static void
test_error(void)
{
	struct buf b = { 0 };
	uint32_t retry;
	struct frame f;

	frame_put_error(&b, none, 0, TOCSIN_EBUSY, 1500);
	ok(frame_parse(&f, buf_span(&b)) == TOCSIN_OK &&
		frame_error(&f, &retry) == TOCSIN_EBUSY && retry == 1500,
	    "an error says why and when to come back");
	is_int(frame_open(&b, &f, key), TOCSIN_EUSAGE,
	    "but there is nothing to open in it");
	b.p[FRAME_HEAD] = 0xff;
	is_int(frame_error(&f, &retry), TOCSIN_EINTERNAL,
	    "a reason that we don't know is internal");
	b.p[FRAME_HEAD] = b.p[FRAME_HEAD + 1] = 0;
	is_int(frame_error(&f, &retry), TOCSIN_EINTERNAL,
	    "and an error that says ok is one too");
	b.p[0] = 2;
	is_int(frame_parse(&f, buf_span(&b)), TOCSIN_EUNSUPPORTED,
	    "version 2 is not ours");
	buf_release(&b);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_shapes();
	test_seal();
	test_limits();
	test_error();
	return tap_done();
}
