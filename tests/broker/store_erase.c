/* SPDX-License-Identifier: ISC */
/*
 * Erasing entries: what they said is gone from the file, all the rest stays
 * what it was, and the tree does not move. SEED chooses the order.
 */
#include "broker/store.h"
#include "tests/lib/entries.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 120

#define MUST(e)                                       \
	do {                                          \
		if (!(e)) {                           \
			diag("%s: %d", #e, __LINE__); \
			abort();                      \
		}                                     \
	} while (0)

static const struct store_options opts = { .map_size = 64 << 20, .readers = 4 };

static bool gone[ENTRIES + 1];

static size_t
size_of(uint64_t i)
{
	return (size_t)(i * 977 % 9000);
}

static const char *
path(const char *name)
{
	static char p[512];

	snprintf(p, sizeof(p), "%s/%s", scratch(), name);
	return p;
}

static struct store *
open_at(const char *name)
{
	struct store *s;

	MUST(store_open(&s, path(name), &opts, NULL) == TOCSIN_OK);
	return s;
}

/* Segments of one to seven entries. */
static void
fill(struct store *s)
{
	struct store_tx *tx;
	struct made m;
	uint64_t i = 1, seq, n;

	while (i <= ENTRIES) {
		MUST(store_begin(s, &tx) == TOCSIN_OK);
		for (n = i % 7 + 1; n > 0 && i <= ENTRIES; n--, i++) {
			made_init(&m, i, size_of(i));
			MUST(store_append(tx, &m.e, &seq) == TOCSIN_OK);
			MUST(store_mail(tx, span_of("mycert@my"), seq) ==
			     TOCSIN_OK);
			made_release(&m);
		}
		MUST(store_commit(tx) == TOCSIN_OK);
	}
}

static bool
all_as_it_should(struct store *s)
{
	struct store_rx *rx;
	struct store_entry e;
	uint64_t i, bad = 0;
	struct made m;

	MUST(store_read(s, &rx) == TOCSIN_OK);
	for (i = 1; i <= ENTRIES; i++) {
		made_init(&m, i, 0);
		if (store_get(rx, i, &e) != TOCSIN_OK)
			bad++;
		else if (gone[i])
			bad += !e.erased || e.note.n + e.body.n > 0 ||
			       memcmp(e.id, m.e.id, 32) != 0 ||
			       e.kind != m.e.kind ||
			       !span_eq(e.member, m.e.member);
		else
			bad += e.erased || !made_is(&e, i, size_of(i));
		made_release(&m);
	}
	store_read_end(rx);
	return bad == 0;
}

static void
erase(struct store *s, uint64_t seq)
{
	struct store_tx *tx;

	MUST(store_begin(s, &tx) == TOCSIN_OK);
	MUST(store_erase(tx, seq) == TOCSIN_OK);
	MUST(store_commit(tx) == TOCSIN_OK);
	gone[seq] = true;
}

static void
shuffle(uint64_t *seqs, uint64_t seed)
{
	uint8_t key[randombytes_SEEDBYTES] = { 0 };
	uint32_t noise[ENTRIES];
	uint64_t i, j, x;

	memcpy(key, &seed, sizeof(seed));
	randombytes_buf_deterministic(noise, sizeof(noise), key);
	for (i = 0; i < ENTRIES; i++)
		seqs[i] = i + 1;
	for (i = ENTRIES - 1; i > 0; i--) {
		j = noise[i] % (i + 1);
		x = seqs[i];
		seqs[i] = seqs[j];
		seqs[j] = x;
	}
}

/* Whether the text of an entry can be found in a file. */
static bool
is_in(const char *file, uint64_t i)
{
	struct made m;
	size_t n;
	uint8_t *bytes = slurp(path(file), &n);
	bool found;

	made_init(&m, i, 0);
	found = memmem(bytes, n, m.e.note.p, m.e.note.n) != NULL;
	made_release(&m);
	free(bytes);
	return found;
}

static void
test_erase(struct store *s, uint64_t seed)
{
	struct store_walked before, after;
	uint64_t seqs[ENTRIES], bad = 0;
	struct store_tx *tx;
	size_t i;

	shuffle(seqs, seed);
	MUST(store_verify(s, NULL, NULL, &before) == TOCSIN_OK);
	for (i = 0; i < ENTRIES / 2; i++) {
		erase(s, seqs[i]);
		bad += !all_as_it_should(s);
	}
	is_int((long long)bad, 0,
	    "each erased entry is empty, and all others are as they were");
	is_int(store_verify(s, NULL, NULL, &after), TOCSIN_OK,
	    "verify knows erased entries");
	ok(memcmp(before.root, after.root, sizeof(after.root)) == 0,
	    "the tree has not moved");
	MUST(store_begin(s, &tx) == TOCSIN_OK);
	is_int(store_erase(tx, seqs[0]), TOCSIN_OK,
	    "to erase what is erased does nothing");
	store_abort(tx);
	MUST(store_copy(s, path("copy"), NULL) == TOCSIN_OK);
	for (i = bad = 0; i < ENTRIES; i++)
		bad += is_in("copy/log.mdb", seqs[i]) == gone[seqs[i]];
	is_int((long long)bad, 0,
	    "a copy has every entry but those that were erased");
	for (i = ENTRIES / 2; i < ENTRIES; i++)
		erase(s, seqs[i]);
	ok(all_as_it_should(s) &&
		store_verify(s, NULL, NULL, &after) == TOCSIN_OK &&
		memcmp(before.root, after.root, sizeof(after.root)) == 0,
	    "so can all be erased");
}

static void
test_room(struct store *s)
{
	uint64_t used, limit;
	struct store_tx *tx;
	struct made m;
	uint64_t seq;

	store_usage(s, &used, &limit);
	ok(used < ENTRIES * 4500 / 3, "which makes room (%llu bytes are left)",
	    (unsigned long long)used);
	MUST(store_begin(s, &tx) == TOCSIN_OK);
	made_init(&m, 5, 10);
	is_int(store_append(tx, &m.e, &seq), TOCSIN_EDUPLICATE,
	    "an erased id is not taken again");
	made_release(&m);
	store_abort(tx);
}

static enum tocsin_err
unname(struct store *s, const uint8_t hash[32])
{
	struct store_part part;
	struct store_tx *tx;
	enum tocsin_err err;

	MUST(store_begin(s, &tx) == TOCSIN_OK);
	MUST(store_part_unname(tx, hash) == TOCSIN_OK);
	MUST(store_commit(tx) == TOCSIN_OK);
	MUST(store_begin(s, &tx) == TOCSIN_OK);
	err = store_part_stat(store_tx_view(tx), hash, &part);
	store_abort(tx);
	return err;
}

/* The second of three may be the one that is kept longest. */
static void
test_part(struct store *s)
{
	const uint8_t hash[32] = { 1 };
	const uint64_t named[] = { 0, 3, 3, 7, 9, 5 };
	struct store_tx *tx;
	size_t i;

	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		MUST(store_begin(s, &tx) == TOCSIN_OK);
		MUST(store_part_expect(tx, hash, 100, named[i]) == TOCSIN_OK);
		MUST(store_commit(tx) == TOCSIN_OK);
	}
	is_int(unname(s, hash), TOCSIN_OK, "a part that three tickets name");
	is_int(unname(s, hash), TOCSIN_OK, "stays while one of them does");
	is_int(unname(s, hash), TOCSIN_ENOTFOUND, "and goes with the last");
}

int
main(void)
{
	const char *v = getenv("SEED");
	uint64_t seed = v ? strtoull(v, NULL, 10) : 1;
	struct store *s;

	MUST(sodium_init() >= 0);
	printf("# SEED=%llu\n", (unsigned long long)seed);
	s = open_at("erase");
	fill(s);
	test_erase(s, seed);
	test_room(s);
	test_part(s);
	store_close(s);
	s = open_at("erase");
	ok(all_as_it_should(s), "it is so after opening it again");
	store_close(s);
	return tap_done();
}
