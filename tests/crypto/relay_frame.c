/* SPDX-License-Identifier: ISC */
#include "crypto/relay_frame.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t link_id[RELAY_LINK] = { 1, 2, 3 };
static const uint8_t key[32] = { 4 };
static uint8_t bytes[RELAY_BYTES_MAX + 1];

/* A piece with n bytes. */
static struct relay_piece
piece(unsigned lane, uint64_t item, unsigned kind, uint64_t total,
    uint64_t offset, size_t n)
{
	return (struct relay_piece){ (uint8_t)lane, item, (uint8_t)kind, total,
		offset, { bytes, n }, 0 };
}

static enum tocsin_err
parse(const struct relay_piece *p)
{
	struct buf b = { 0 };
	struct relay_piece got;
	enum tocsin_err err;
	uint8_t *copy;

	relay_piece_put(&b, p);
	copy = xcopy(b.p, b.n);
	err = relay_piece_parse(&got, (struct span){ copy, b.n });
	free(copy);
	buf_release(&b);
	return err;
}

static void
test_rules(void)
{
	/* clang-format off */
	const struct {
		const char *what;
		struct relay_piece p;
		enum tocsin_err want;
	} rows[] = {
		{ "a whole item", piece(0, 1, 1, 5, 0, 5), TOCSIN_OK },
		{ "the middle of a part", piece(4, 9, 5, 1 << 20, 100, 5), TOCSIN_OK },
		{ "the largest piece", piece(4, 9, 5, 1 << 20, 0, RELAY_BYTES_MAX), TOCSIN_OK },
		{ "a larger one", piece(4, 9, 5, 1 << 20, 0, RELAY_BYTES_MAX + 1), TOCSIN_ETOOLARGE },
		{ "the last byte", piece(3, 9, 4, UINT64_MAX, UINT64_MAX - 1, 1), TOCSIN_OK },
		{ "two bytes at the last", piece(3, 9, 4, UINT64_MAX, UINT64_MAX - 1, 2), TOCSIN_EMALFORMED },
		{ "beyond the end", piece(3, 9, 4, 5, 3, 3), TOCSIN_EMALFORMED },
		{ "at the end", piece(3, 9, 4, 5, 5, 1), TOCSIN_EMALFORMED },
		{ "nothing", piece(3, 9, 4, 5, 1, 0), TOCSIN_EMALFORMED },
		{ "an empty item", piece(3, 9, 4, 0, 0, 0), TOCSIN_EMALFORMED },
		{ "item 0", piece(3, 0, 4, 5, 0, 5), TOCSIN_EMALFORMED },
		{ "a part on its own lane only", piece(3, 9, 5, 5, 0, 5), TOCSIN_EMALFORMED },
		{ "a ticket there", piece(4, 9, 1, 5, 0, 5), TOCSIN_EMALFORMED },
		{ "lane 5", piece(5, 1, 1, 5, 0, 5), TOCSIN_EUNSUPPORTED },
		{ "kind 6", piece(0, 1, 6, 5, 0, 5), TOCSIN_EUNSUPPORTED },
		{ "a heartbeat", piece(0, 1, 0, 0, 0, 0), TOCSIN_OK },
		{ "a heartbeat within an item", piece(4, 7, 0, 0, 9, 0), TOCSIN_OK },
		{ "a heartbeat of no place", piece(0, 0, 0, 0, 0, 0), TOCSIN_EMALFORMED },
		{ "a heartbeat with bytes", piece(0, 1, 0, 0, 0, 1), TOCSIN_EMALFORMED },
		{ "a heartbeat with a total", piece(0, 1, 0, 1, 0, 0), TOCSIN_EMALFORMED },
	};
	/* clang-format on */
	struct buf out = { 0 };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum tocsin_err sealed =
		    relay_frame_seal(&out, link_id, i, key, &rows[i].p);

		ok(parse(&rows[i].p) == rows[i].want &&
			sealed == (rows[i].want ? TOCSIN_EUSAGE : TOCSIN_OK),
		    "%s: %s", rows[i].what, tocsin_err_name(rows[i].want));
	}
	buf_release(&out);
}

static void
test_roundtrip(void)
{
	struct relay_piece p = piece(4, 3, 5, 1 << 20, 77, RELAY_BYTES_MAX);
	struct buf out = { 0 }, plain = { 0 };
	struct relay_piece got;
	struct relay_frame f;

	randombytes_buf(bytes, sizeof(bytes));
	p.round = 8;
	ok(relay_frame_seal(&out, link_id, 12, key, &p) == TOCSIN_OK &&
		out.n == RELAY_FRAME_MAX &&
		memcmp(out.p, link_id, RELAY_LINK) == 0,
	    "the largest piece fills a frame, which begins with its topic");
	ok(relay_frame_parse(&f, buf_span(&out)) == TOCSIN_OK &&
		f.counter == 12 &&
		relay_frame_open(&got, &plain, &f, key) == TOCSIN_OK &&
		got.round == 8 && got.lane == 4 && got.item == 3 &&
		got.kind == 5 && got.total == 1 << 20 && got.offset == 77 &&
		span_eq(got.bytes, p.bytes),
	    "and comes out as it went in");
	buf_cut(&plain, 0);
	buf_addz(&out, "x");
	is_int(relay_frame_parse(&f, buf_span(&out)), TOCSIN_ETOOLARGE,
	    "a byte more is too much");
	is_int(relay_frame_seal(&out, link_id, UINT64_MAX, key, &p),
	    TOCSIN_EUSAGE, "the last counter is not used");
	buf_release(&out);
	buf_release(&plain);
}

static void
test_altered(void)
{
	struct relay_piece p = piece(1, 3, 1, 40, 20, 20), got;
	struct buf out = { 0 }, plain = { 0 };
	size_t i, wrong = 0;
	struct relay_frame f;

	if (relay_frame_seal(&out, link_id, 12, key, &p) != TOCSIN_OK)
		abort();
	for (i = 0; i < out.n; i++) {
		out.p[i] ^= 0x80;
		wrong += relay_frame_parse(&f, buf_span(&out)) == TOCSIN_OK &&
			 relay_frame_open(&got, &plain, &f, key) !=
			     TOCSIN_EBADSIGNATURE;
		out.p[i] ^= 0x80;
	}
	is_int((long long)wrong, 0, "a bit changed in any byte is refused");
	for (i = 0; i < out.n; i++) {
		uint8_t *copy = xcopy(out.p, i);

		wrong += relay_frame_parse(&f, (struct span){ copy, i }) ==
			     TOCSIN_OK &&
			 relay_frame_open(&got, &plain, &f, key) == TOCSIN_OK;
		free(copy);
	}
	is_int((long long)wrong, 0, "every proper prefix is refused");
	is_int((long long)plain.n, 0, "and nothing is left behind");
	buf_release(&out);
	buf_release(&plain);
}

/* A peer that holds the key may still send what breaks the rules. */
static void
test_hostile_peer(void)
{
	struct relay_piece p = piece(9, 3, 1, 40, 20, 20), got;
	struct buf in = { 0 }, out = { 0 }, plain = { 0 };
	uint8_t head[RELAY_HEAD];
	struct relay_frame f;

	buf_add(&out, SPAN(link_id));
	buf_u64(&out, 1);
	memcpy(head, out.p, sizeof(head));
	relay_piece_put(&in, &p);
	ok(noise_seal(&out, key, 1, SPAN(head), buf_span(&in)) == TOCSIN_OK &&
		relay_frame_parse(&f, buf_span(&out)) == TOCSIN_OK &&
		relay_frame_open(&got, &plain, &f, key) ==
		    TOCSIN_EUNSUPPORTED &&
		plain.n == 0,
	    "an authentic frame for lane 9 is refused");
	buf_release(&in);
	buf_release(&out);
	buf_release(&plain);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_rules();
	test_roundtrip();
	test_altered();
	test_hostile_peer();
	return tap_done();
}
