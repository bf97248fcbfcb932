/* SPDX-License-Identifier: ISC */
/*
 * store.c - what the store alone can do
 *
 * Usage: store FOLDER [entries]. Commits entries of 5.3 KB, each with a mailbox
 * row and an outbox row, in groups of 1, 10 and 64; then fills a store with
 * `entries` (100,000) and opens it again. FOLDER must be on the disk in
 * question and is not emptied. One line a figure: name, value, unit.
 */
#include "tests/lib/entries.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY 4608 /* 4 KiB padded and sealed to a dozen readers */
#define NOTE 560  /* by which a real header is longer than a made one */

static const struct store_options opts = {
	.map_size = (uint64_t)4 << 30,
	.prealloc = 64 << 20,
	.readers = 64,
};

static uint64_t bytes_in;

static void
must(enum tocsin_err err, const char *what)
{
	if (err) {
		fprintf(stderr, "store: %s: %s\n", what, tocsin_err_name(err));
		exit(1);
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct store *
open_in(const char *folder, const char *name)
{
	const char *why = "";
	struct store *s;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (store_open(&s, path, &opts, &why) != TOCSIN_OK) {
		fprintf(stderr, "store: %s: %s\n", path, why);
		exit(1);
	}
	return s;
}

static void
add(struct store_tx *tx, uint64_t i)
{
	struct store_out out = { 0 };
	struct made m;
	uint64_t seq;

	made_init(&m, i, BODY + NOTE);
	bytes_in += m.e.note.n + m.e.body.n;
	must(store_append(tx, &m.e, &seq), "append");
	must(store_mail(tx, m.e.member, seq), "mail");
	out.seq = seq;
	must(store_out_add(tx, span_of("sg"), 3, &out), "out");
	made_release(&m);
}

static void
commits(struct store *s, uint64_t from, uint64_t n, uint64_t group)
{
	struct store_tx *tx;
	uint64_t i, k;

	for (i = 0; i < n; i += group) {
		must(store_begin(s, &tx), "begin");
		for (k = 0; k < group && i + k < n; k++)
			add(tx, from + i + k);
		must(store_commit(tx), "commit");
	}
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
groups_of(const char *folder, uint64_t group)
{
	static double took[600];
	uint64_t n = 600, i, used, before, limit;
	struct store *s;
	char name[32];
	double start, all;

	snprintf(name, sizeof(name), "group%" PRIu64, group);
	s = open_in(folder, name);
	store_usage(s, &before, &limit);
	bytes_in = 0;
	all = now();
	for (i = 0; i < n; i++) {
		start = now();
		commits(s, i * group, group, group);
		took[i] = now() - start;
	}
	all = now() - all;
	store_usage(s, &used, &limit);
	qsort(took, n, sizeof(took[0]), by_size);
	printf("group %" PRIu64 ": %.0f commits/s, %.0f entries/s, "
	       "p50 %.0f us, p99 %.0f us, disk %.0f of %.0f bytes in (%.3f)\n",
	    group, (double)n / all, (double)(n * group) / all,
	    took[n / 2] * 1e6, took[n * 99 / 100] * 1e6,
	    (double)(used - before) / (double)(n * group),
	    (double)bytes_in / (double)(n * group),
	    (double)(used - before) / (double)bytes_in);
	store_close(s);
}

static void
anonymous(const char *when)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Anonymous:", 10) == 0)
			printf("%s: %s", when, line);
	if (f != NULL)
		fclose(f);
}

static void
reading(struct store *s, uint64_t entries)
{
	const uint64_t rounds = 200000;
	struct store_entry e;
	struct store_rx *rx;
	uint64_t i;
	double start = now();

	for (i = 0; i < rounds; i++) {
		must(store_read(s, &rx), "read");
		store_read_end(rx);
	}
	printf("snapshot: %.2f us\n", (now() - start) / (double)rounds * 1e6);
	start = now();
	for (i = 1; i <= entries; i++) {
		if (i % 100 == 1)
			must(store_read(s, &rx), "read");
		must(store_get(rx, i, &e), "get");
		if (i % 100 == 0 || i == entries)
			store_read_end(rx);
	}
	printf("get in order: %.0f entries/s\n",
	    (double)entries / (now() - start));
}

int
main(int argc, char **argv)
{
	uint64_t entries =
	    argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_C(100000);
	struct store *s;
	double start;

	if (argc < 2 || entries == 0 || sodium_init() < 0) {
		fprintf(stderr, "usage: store FOLDER [entries]\n");
		return 2;
	}
	groups_of(argv[1], 1);
	groups_of(argv[1], 10);
	groups_of(argv[1], 64);
	s = open_in(argv[1], "many");
	commits(s, 0, entries, 64);
	anonymous("after filling");
	store_close(s);
	start = now();
	s = open_in(argv[1], "many");
	printf("open with %" PRIu64 " entries: %.2f ms\n", entries,
	    (now() - start) * 1e3);
	anonymous("after opening");
	reading(s, entries);
	anonymous("after reading");
	start = now();
	must(store_verify(s, NULL, NULL, NULL), "verify");
	printf("verify: %.2f s\n", now() - start);
	store_close(s);
	return 0;
}
