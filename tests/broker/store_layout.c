/* SPDX-License-Identifier: ISC */
/* Where the store's layout has edges: sizes, slots, folders, slow drops. */
#include "broker/store.h"

#include "tests/lib/entries.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MY span_of("mycert@my")
#define SG span_of("sg")

static const struct store_options opts = {
	.map_size = 256 << 20,
	.prealloc = 1 << 20,
	.readers = 8,
};

static const char *
path(const char *name)
{
	static char p[512];

	snprintf(p, sizeof(p), "%s/%s", scratch(), name);
	return p;
}

static struct store *
open_store(const char *name)
{
	const char *why = "(no reason)";
	struct store *s = NULL;

	if (store_open(&s, path(name), &opts, &why) != TOCSIN_OK) {
		diag("store_open: %s", why);
		abort();
	}
	return s;
}

static struct store_tx *
begin(struct store *s)
{
	struct store_tx *tx = NULL;

	if (store_begin(s, &tx) != TOCSIN_OK)
		abort();
	return tx;
}

static void
commit(struct store_tx *tx)
{
	if (store_commit(tx) != TOCSIN_OK)
		abort();
}

static struct store_rx *
snapshot(struct store *s)
{
	struct store_rx *rx = NULL;

	if (store_read(s, &rx) != TOCSIN_OK)
		abort();
	return rx;
}

static enum tocsin_err
add(struct store_tx *tx, uint64_t i, size_t size, uint64_t *seq)
{
	enum tocsin_err err;
	struct made m;

	made_init(&m, i, size);
	err = store_append(tx, &m.e, seq);
	made_release(&m);
	return err;
}

static bool
has(struct store_rx *rx, uint64_t seq, uint64_t i, size_t size)
{
	struct store_entry e;

	return store_get(rx, seq, &e) == TOCSIN_OK && e.seq == seq &&
	       made_is(&e, i, size);
}

static void
print_finding(void *arg, const struct store_finding *f)
{
	(void)arg;
	diag("entry %llu: %s", (unsigned long long)f->seq, f->what);
}

static bool
clean(struct store *s)
{
	return store_verify(s, print_finding, NULL, NULL) == TOCSIN_OK;
}

/* Every size around the edges of a page, alone and together in a commit. */
static void
test_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 40000, 57344, 1048576, 2000000 };
	struct store *s = open_store("sizes");
	uint64_t seq = 0, n = 0, bad = 0, i;
	struct store_tx *tx;
	struct store_rx *rx;
	size_t size;

	for (size = 1600; size < 9000; size += 37, n++) {
		tx = begin(s);
		bad += add(tx, n, size, &seq) != TOCSIN_OK || seq != n + 1;
		commit(tx);
	}
	is_int((long long)bad, 0, "a commit for each of %llu sizes",
	    (unsigned long long)n);
	tx = begin(s);
	for (i = 0; i < 6; i++)
		bad += add(tx, n + i, sizes[i], &seq) != TOCSIN_OK;
	for (i = 0; i < 6; i++)
		bad += !has(store_tx_view(tx), n + i + 1, n + i, sizes[i]);
	commit(tx);
	is_int((long long)bad, 0,
	    "the writer reads pending records, and those written early");
	store_close(s);

	s = open_store("sizes");
	rx = snapshot(s);
	for (size = 1600, i = 0; i < n; size += 37, i++)
		bad += !has(rx, i + 1, i, size);
	for (i = 0; i < 6; i++)
		bad += !has(rx, n + i + 1, n + i, sizes[i]);
	is_int((long long)bad, 0, "all are there after opening again");
	store_read_end(rx);
	ok(clean(s), "the store verifies");
	store_close(s);
}

static void
test_abort(void)
{
	struct store *s = open_store("abort");
	struct store_tx *tx = begin(s), *second;
	uint8_t hash[32] = { 1 };
	struct store_part part;
	struct store_out out = { .seq = 1 };
	struct store_rx *rx;
	struct span value;
	uint64_t seq;

	is_int(store_begin(s, &second), TOCSIN_EBUSY,
	    "there is one transaction at a time");
	ok(add(tx, 1, 2 << 20, &seq) == TOCSIN_OK &&
		add(tx, 2, 5300, &seq) == TOCSIN_OK &&
		store_mail(tx, MY, 1) == TOCSIN_OK &&
		store_out_add(tx, SG, 0, &out) == TOCSIN_OK &&
		store_value_put(tx, MY, SG) == TOCSIN_OK &&
		store_part_expect(tx, hash, 10, 1) == TOCSIN_OK,
	    "a transaction writes a little of everything");
	store_abort(tx);
	rx = snapshot(s);
	is_int((long long)store_head(rx), 0, "abort leaves no entry");
	is_int(store_mail_next(rx, MY, 0, &seq), TOCSIN_ENOTFOUND, "no mail");
	is_int(store_out_next(rx, SG, 0, 0, &out), TOCSIN_ENOTFOUND,
	    "nothing for a peer");
	is_int(store_value_get(rx, MY, &value), TOCSIN_ENOTFOUND, "no value");
	is_int(store_part_stat(rx, hash, &part), TOCSIN_ENOTFOUND, "no part");
	store_read_end(rx);
	tx = begin(s);
	ok(add(tx, 2, 5300, &seq) == TOCSIN_OK && seq == 1,
	    "what was aborted may come again, as the first");
	commit(tx);
	ok(clean(s), "the store verifies");
	store_close(s);
}

static void
test_values(void)
{
	struct store *s = open_store("values");
	struct store_tx *tx = begin(s);
	uint8_t big[300] = { 7 };
	struct span v;

	is_int(store_value_put(tx, MY, span_of("one")), TOCSIN_OK, "put");
	is_int(store_value_put(tx, MY, span_of("three")), TOCSIN_OK,
	    "put again, longer");
	ok(store_value_get(store_tx_view(tx), MY, &v) == TOCSIN_OK &&
		span_is(v, "three"),
	    "the newest is read");
	is_int(store_value_put(tx, SG, (struct span){ 0 }), TOCSIN_OK,
	    "an empty value is one");
	ok(store_value_get(store_tx_view(tx), SG, &v) == TOCSIN_OK && v.n == 0,
	    "and is read as such");
	is_int(store_value_put(tx, span_of("big"), (struct span){ big, 256 }),
	    TOCSIN_OK, "256 bytes are allowed");
	is_int(store_value_put(tx, span_of("big"), (struct span){ big, 257 }),
	    TOCSIN_ETOOLARGE, "257 are not");
	is_int(store_value_put(tx, span_of("gone"), MY), TOCSIN_OK, "put");
	ok(store_value_drop(tx, span_of("gone")) == TOCSIN_OK &&
		store_value_drop(tx, span_of("gone")) == TOCSIN_OK &&
		store_value_get(store_tx_view(tx), span_of("gone"), &v) ==
		    TOCSIN_ENOTFOUND,
	    "dropped, it is no more, and may be dropped once more");
	is_int(store_value_put(tx, span_of(""), MY), TOCSIN_EUSAGE,
	    "a value has a name");
	commit(tx);
	store_close(s);
}

static void
test_snapshots(void)
{
	struct store *s = open_store("snapshots");
	struct store_rx *rx[64] = { 0 };
	enum tocsin_err err = TOCSIN_OK;
	size_t n, i;

	for (n = 0; n < 64; n++) {
		err = store_read(s, &rx[n]);
		if (err)
			break;
	}
	is_int(err, TOCSIN_EBUSY, "too many snapshots are refused as busy");
	ok(n >= opts.readers, "not before the promised number (%zu)", n);
	for (i = 0; i < n; i++)
		store_read_end(rx[i]);
	is_int(
	    store_read(s, &rx[0]), TOCSIN_OK, "others end, one is had again");
	store_read_end(rx[0]);
	store_read_end(NULL);
	store_tidy(s);
	store_close(s);
}

#define PART_SIZE 300000

static void
test_wrong_part(void)
{
	struct store *s = open_store("wrong");
	struct store_tx *tx = begin(s);
	uint8_t *p = xmalloc(PART_SIZE), hash[32], none[32];
	struct store_part st;
	uint64_t have, seq;

	memset(p, 3, PART_SIZE);
	crypto_hash_sha256(hash, p, PART_SIZE);
	crypto_hash_sha256(none, NULL, 0);
	ok(store_part_expect(tx, none, 0, 0) == TOCSIN_OK &&
		store_part_stat(store_tx_view(tx), none, &st) == TOCSIN_OK &&
		st.complete,
	    "a part of 0 bytes is complete at once");
	is_int(store_part_expect(tx, hash, 0, 0), TOCSIN_EBODYMISMATCH,
	    "if it has the hash of nothing");
	is_int(store_part_expect(tx, hash, UINT64_C(1) << 33, 0),
	    TOCSIN_ETOOLARGE, "8 GiB are too large");
	ok(add(tx, 1, 10, &seq) == TOCSIN_OK &&
		store_part_expect(tx, hash, PART_SIZE, 0) == TOCSIN_OK &&
		store_part_expect(tx, hash, PART_SIZE, 1) == TOCSIN_OK,
	    "a staged part is named by an entry later");
	p[PART_SIZE - 1] ^= 1;
	is_int(
	    store_part_write(tx, hash, 0, (struct span){ p, PART_SIZE }, &have),
	    TOCSIN_EBODYMISMATCH, "a wrong last byte is noticed");
	commit(tx);
	ok(clean(s), "what is left verifies");
	tx = begin(s);
	p[PART_SIZE - 1] ^= 1;
	is_int(
	    store_part_write(tx, hash, 0, (struct span){ p, PART_SIZE }, &have),
	    TOCSIN_OK, "the part is filled anew");
	ok(store_part_stat(store_tx_view(tx), hash, &st) == TOCSIN_OK &&
		st.complete && st.first_seq == 1,
	    "then it is complete, and named");
	commit(tx);
	ok(clean(s), "the store verifies");
	free(p);
	store_close(s);
}

/* A part with more ranges than one commit takes away. */
static void
test_slow_drop(void)
{
	struct store *s = open_store("slow");
	const size_t total = 20 << 20;
	uint8_t *p = xmalloc(total), hash[32];
	uint64_t have, used, full, limit;
	struct store_tx *tx = begin(s);
	bool good;
	int i;

	memset(p, 5, total);
	crypto_hash_sha256(hash, p, total);
	good = store_part_expect(tx, hash, total, 0) == TOCSIN_OK &&
	       store_part_write(
		   tx, hash, 0, (struct span){ p, total }, &have) == TOCSIN_OK;
	commit(tx);
	ok(good, "20 MiB in one write");
	store_usage(s, &full, &limit);
	tx = begin(s);
	good = store_part_drop(tx, hash) == TOCSIN_OK &&
	       store_part_expect(tx, hash, total, 0) == TOCSIN_OK &&
	       store_part_write(tx, hash, 0, (struct span){ p, 100 }, &have) ==
		   TOCSIN_OK;
	commit(tx);
	ok(good, "a dropped part may come again at once");
	ok(clean(s), "while the old one is still going");
	for (i = 0; i < 3; i++)
		commit(begin(s));
	store_usage(s, &used, &limit);
	ok(used < full / 10, "later commits took it away (%llu of %llu left)",
	    (unsigned long long)used, (unsigned long long)full);
	is_int((long long)limit, (long long)opts.map_size,
	    "the limit is what was asked for");
	ok(clean(s), "the store verifies");
	free(p);
	store_close(s);
}

static void
test_folder(void)
{
	struct store_options none = { 0 };
	const char *why = NULL;
	struct store *s = NULL;
	struct stat st;
	int fd;

	store_close(open_store("made"));
	ok(stat(path("made"), &st) == 0 && (st.st_mode & 0777) == 0700,
	    "the folder is made for us alone");
	if (chmod(path("made"), 0770) != 0)
		abort();
	is_int(store_open(&s, path("made"), &opts, &why), TOCSIN_EPERMISSIONS,
	    "one that others may write to is refused");
	ok(why != NULL && strstr(why, "0700") != NULL, "with a sentence");
	ok(store_open(&s, path("no/such"), &opts, &why) != TOCSIN_OK,
	    "a folder is not made in one that is not there");
	is_int(store_open(&s, path("none"), &none, &why), TOCSIN_EUSAGE,
	    "a store has a size");

	/* What a crash leaves that came while the store was being made. */
	if (mkdir(path("half"), 0700) != 0)
		abort();
	fd = open(path("half/log.new"), O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || ftruncate(fd, 12345) != 0)
		abort();
	close(fd);
	s = open_store("half");
	ok(clean(s), "a store that was half made is made anew");
	store_close(s);
}

static _Atomic bool reading_failed;
static _Atomic bool writing_done;

/* Whatever a snapshot shows agrees with itself. */
static void *
read_along(void *arg)
{
	struct store *s = arg;
	struct merkle_store tree;
	struct store_entry e;
	struct store_rx *rx;
	uint8_t root[32];
	uint64_t head, seq;

	while (!writing_done) {
		rx = snapshot(s);
		head = store_head(rx);
		tree = store_tree(rx);
		if (head > 0 &&
		    (store_get(rx, head, &e) != TOCSIN_OK ||
			store_find(rx, e.id, &seq) != TOCSIN_OK ||
			seq != head || !store_mail_has(rx, MY, head) ||
			merkle_root(&tree, head, root)))
			reading_failed = true;
		if (store_get(rx, head + 1, &e) != TOCSIN_ENOTFOUND)
			reading_failed = true;
		store_read_end(rx);
	}
	return NULL;
}

static void
test_threads(void)
{
	struct store *s = open_store("threads");
	pthread_t thread[3];
	struct store_tx *tx;
	uint64_t seq, i, bad = 0;

	for (i = 0; i < 3; i++)
		if (pthread_create(&thread[i], NULL, read_along, s) != 0)
			abort();
	for (i = 1; i <= 300; i++) {
		tx = begin(s);
		bad += add(tx, i, 3000, &seq) != TOCSIN_OK;
		bad += store_mail(tx, MY, seq) != TOCSIN_OK;
		commit(tx);
	}
	writing_done = true;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	is_int((long long)bad, 0, "a writer writes");
	ok(!reading_failed, "while three threads see whole commits only");
	store_close(s);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_sizes();
	test_abort();
	test_values();
	test_snapshots();
	test_wrong_part();
	test_slow_drop();
	test_folder();
	test_threads();
	return tap_done();
}
