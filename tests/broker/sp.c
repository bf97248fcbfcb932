/* SPDX-License-Identifier: ISC */
#include "broker/sp.h"
#include "crypto/buf.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static const struct sp_rules tcp = { SP_TCP, 100, false };
static const struct sp_rules local = { SP_LOCAL, 100, false };
static const struct sp_rules rpc = { SP_TCP, 100, true };

static enum tocsin_err
judge(struct sp_rules rules, const char *bytes, size_t n, size_t *total)
{
	uint8_t *copy = xcopy(bytes, n);
	enum tocsin_err err = sp_judge(&rules, (struct span){ copy, n }, total);

	free(copy);
	return err;
}

static void
test_header(void)
{
	uint8_t h[SP_HEADER_LEN], *copy;
	unsigned bad = 0, taken = 0;
	uint16_t proto = 0;
	size_t i;

	sp_header(h, SP_REQ);
	ok(memcmp(h, "\0SP\0\0\x30\0\0", 8) == 0, "a header is as in the RFC");
	ok(sp_header_decode(&proto, SPAN(h)) == TOCSIN_OK && proto == SP_REQ,
	    "and is read back");
	for (i = 0; i < sizeof(h); i++) {
		copy = xcopy(h, i);
		bad += sp_header_decode(&proto, (struct span){ copy, i }) ==
		       TOCSIN_EMALFORMED;
		free(copy);
	}
	is_int(bad, sizeof(h), "no part of a header is one");
	for (i = 0; i < sizeof(h); i++) {
		h[i] ^= 0x40;
		taken += sp_header_decode(&proto, SPAN(h)) == TOCSIN_OK;
		h[i] ^= 0x40;
	}
	is_int(taken, 2, "only the two bytes of the protocol may vary");
}

static void
test_judge(void)
{
	size_t total;

	ok(judge(tcp, "\0\0\0\0\0\0\0\5", 7, &total) == TOCSIN_OK && total == 0,
	    "seven bytes tell nothing yet");
	ok(judge(tcp, "\0\0\0\0\0\0\0\5", 8, &total) == TOCSIN_OK &&
		total == 13,
	    "eight tell the length");
	ok(judge(tcp, "\0\0\0\0\0\0\0\x64", 8, &total) == TOCSIN_OK &&
		judge(tcp, "\0\0\0\0\0\0\0\x65", 8, &total) == TOCSIN_ETOOLARGE,
	    "the limit is exact");
	ok(judge(tcp, "\0\0\0\4\0\0\0\0", 8, &total) == TOCSIN_ETOOLARGE &&
		judge(tcp, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, &total) ==
		    TOCSIN_ETOOLARGE,
	    "16 GiB and 2^64-1 are refused by their prefix");
	ok(judge(local, "\1\0\0\0\0\0\0\0\0", 9, &total) == TOCSIN_OK &&
		total == 9,
	    "a message may be empty");
	ok(judge(local, "\2", 1, &total) == TOCSIN_EMALFORMED,
	    "another type of local frame is refused by its first byte");
	ok(judge(rpc, "\0\0\0\0\0\0\0\3", 8, &total) == TOCSIN_EMALFORMED,
	    "a request has an id");
	ok(judge(rpc, "\0\0\0\0\0\0\0\4\x7f", 9, &total) == TOCSIN_EMALFORMED,
	    "a list of hops is refused by its first byte");
	ok(judge(rpc, "\0\0\0\0\0\0\0\4\x80", 9, &total) == TOCSIN_OK,
	    "a plain request id is not");
}

/* Frames of 0, 1, 100, 37, and 0 bytes. */
static void
make_stream(struct buf *b, enum sp_map map)
{
	static const uint8_t lengths[] = { 0, 1, 100, 37, 0 };
	size_t i, k;

	for (i = 0; i < sizeof(lengths); i++) {
		if (map == SP_LOCAL)
			buf_u8(b, 1);
		buf_u64(b, lengths[i]);
		for (k = 0; k < lengths[i]; k++)
			buf_u8(b, (uint8_t)(i * 50 + k));
	}
}

/* One read of the door: all frames of `in` are added to `out` as TCP ones. */
static enum tocsin_err
feed(struct sp_reader *r, struct span in, struct buf *out, unsigned *frames)
{
	uint8_t *copy = xcopy(in.p, in.n);
	struct span rest = { copy, in.n };
	struct iovec iov[SP_PIECES];
	enum tocsin_err err;
	struct sp_frame f;
	bool got;
	int i, n;

	while ((err = sp_next(r, &rest, &f, &got)) == TOCSIN_OK && got) {
		n = sp_pieces(&f, r->rules.map, SP_TCP, iov);
		for (i = 0; i < n; i++)
			buf_add(out,
			    (struct span){ iov[i].iov_base, iov[i].iov_len });
		++*frames;
	}
	if (err == TOCSIN_OK)
		err = sp_keep(r, rest);
	free(copy);
	return err;
}

static void
test_pieces(void)
{
	struct iovec iov[SP_PIECES];
	struct sp_frame f = { SPAN("........x"), span_of("x") };

	f.bytes.n--;
	is_int(sp_pieces(&f, SP_TCP, SP_LOCAL, iov), 2,
	    "to a local socket a frame goes in two pieces");
	ok(iov[0].iov_len == 1 && *(uint8_t *)iov[0].iov_base == 1 &&
		iov[1].iov_base == f.bytes.p && iov[1].iov_len == f.bytes.n,
	    "a byte, and the frame as it came");
	is_int(
	    sp_pieces(&f, SP_LOCAL, SP_TCP, iov), 1, "from there in one piece");
	ok(iov[0].iov_base == f.bytes.p + 1, "without its first byte");
}

/* However the stream is cut, the same frames come out. */
static void
test_cuts(struct sp_rules rules, const char *name)
{
	struct buf in = { 0 }, want = { 0 };
	size_t step, at;

	make_stream(&in, rules.map);
	make_stream(&want, SP_TCP);
	for (step = 1; step <= in.n; step++) {
		struct sp_reader r = { .rules = rules };
		struct buf out = { 0 };
		unsigned frames = 0;
		bool good = true;

		for (at = 0; at < in.n && good; at += step)
			good = feed(&r, span_cut(buf_span(&in), at, step), &out,
				   &frames) == TOCSIN_OK;
		good = good && frames == 5 && sp_pending(&r) == 0 &&
		       r.part == NULL &&
		       span_eq(buf_span(&out), buf_span(&want));
		buf_release(&out);
		sp_release(&r);
		if (!good)
			break;
	}
	ok(step == in.n + 1, "%s: cut anyhow, the same frames (got to %zu)",
	    name, step);
	buf_release(&in);
	buf_release(&want);
}

/* A frame is not given out before its last byte is there. */
static void
test_truncated(void)
{
	struct buf in = { 0 }, out = { 0 };
	size_t cut;

	buf_u64(&in, 100);
	buf_grow(&in, 100);
	for (cut = 0; cut < in.n; cut++) {
		struct sp_reader r = { .rules = tcp };
		unsigned frames = 0;
		bool good;

		good = feed(&r, span_cut(buf_span(&in), 0, cut), &out,
			   &frames) == TOCSIN_OK;
		good = good && frames == 0 && sp_pending(&r) == cut;
		sp_release(&r);
		if (!good)
			break;
	}
	ok(cut == in.n, "no prefix of a frame is one (got to %zu)", cut);
	buf_release(&in);
	buf_release(&out);
}

static void
test_memory(void)
{
	struct sp_reader r = { .rules = { SP_TCP, 1 << 30, false } };
	struct buf out = { 0 };
	unsigned frames = 0;

	ok(feed(&r, span_cut(SPAN("\0\0\0\0\x40\0\0\0"), 0, 8), &out,
	       &frames) == TOCSIN_OK,
	    "1 GiB is announced and allowed");
	ok(r.cap <= 256, "memory is held for what has come");
	sp_release(&r);
}

static void
test_refused_midway(void)
{
	struct sp_reader r = { .rules = rpc };
	struct buf out = { 0 };
	unsigned frames = 0;
	struct span bad = span_cut(SPAN("\0\0\0\0\0\0\0\4\0"), 0, 9);

	ok(feed(&r, span_cut(bad, 0, 8), &out, &frames) == TOCSIN_OK &&
		feed(&r, span_cut(bad, 8, 1), &out, &frames) ==
		    TOCSIN_EMALFORMED,
	    "a hop is refused as soon as its first byte comes");
	is_int(frames, 0, "and is not given out");
	sp_release(&r);
	buf_release(&out);
}

/* What a reader that takes one frame at a time asks the kernel for. */
static void
test_missing(void)
{
	struct sp_reader r = { .rules = { .map = SP_TCP, .max = 100 } };
	const uint8_t prefix[8] = { [7] = 20 }, rest[20] = { 0 };
	struct span in = { prefix, 3 };
	struct sp_frame f;
	bool got;

	is_int((long long)sp_missing(&r), 8, "at first, a prefix is missing");
	ok(sp_next(&r, &in, &f, &got) == TOCSIN_OK && !got &&
		sp_keep(&r, in) == TOCSIN_OK && sp_missing(&r) == 5,
	    "then the rest of it");
	in = (struct span){ prefix + 3, 5 };
	ok(sp_next(&r, &in, &f, &got) == TOCSIN_OK && !got &&
		sp_keep(&r, in) == TOCSIN_OK && sp_missing(&r) == 20,
	    "then what it announces");
	in = (struct span){ rest, 20 };
	ok(sp_next(&r, &in, &f, &got) == TOCSIN_OK && got &&
		sp_keep(&r, in) == TOCSIN_OK && sp_missing(&r) == 8,
	    "and then the next prefix");
	sp_release(&r);
}

int
main(void)
{
	test_header();
	test_judge();
	test_pieces();
	test_cuts(tcp, "tcp");
	test_cuts(local, "local");
	test_truncated();
	test_memory();
	test_refused_midway();
	test_missing();
	return tap_done();
}
