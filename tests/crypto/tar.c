/* SPDX-License-Identifier: ISC */
#include "crypto/tar.h"
#include "crypto/padding.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ok if all of it reads to its end, and how many files there were. */
static enum tocsin_err
walk(struct span archive, size_t *files)
{
	struct tar t = tar_init(archive);
	struct span name, content;
	enum tocsin_err err;

	*files = 0;
	while ((err = tar_next(&t, &name, &content)) == TOCSIN_OK)
		++*files;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
walk_copy(const uint8_t *p, size_t n)
{
	uint8_t *copy = xcopy(p, n);
	size_t files;
	enum tocsin_err err = walk((struct span){ copy, n }, &files);

	free(copy);
	return err;
}

static struct buf
three(void)
{
	struct buf b = { 0 };

	tar_add(&b, "header", span_of("asean.example/ticket/v1\n"));
	tar_add(&b, "empty", (struct span){ 0 });
	tar_add(&b, "0a-_.json", span_of("{}"));
	tar_end(&b, 4096);
	return b;
}

static void
test_round(void)
{
	struct buf b = three();
	struct tar t = tar_init(buf_span(&b));
	struct span name, content;

	ok(buf_ok(&b) && b.n == 4096, "an archive has the size asked for");
	ok(tar_next(&t, &name, &content) == TOCSIN_OK &&
		span_is(name, "header") &&
		span_is(content, "asean.example/ticket/v1\n"),
	    "the first file comes back");
	ok(tar_next(&t, &name, &content) == TOCSIN_OK &&
		span_is(name, "empty") && content.n == 0,
	    "an empty file too");
	ok(tar_next(&t, &name, &content) == TOCSIN_OK &&
		span_is(name, "0a-_.json") && span_is(content, "{}"),
	    "and the last");
	is_int(tar_next(&t, &name, &content), TOCSIN_ENOTFOUND,
	    "then there is no more");
	is_int(
	    tar_next(&t, &name, &content), TOCSIN_ENOTFOUND, "and it stays so");
	is_int(TAR_ENTRY(0) + TAR_ENTRY(512) + TAR_ENTRY(513),
	    512 + 1024 + 1536, "TAR_ENTRY counts header and filling");
	buf_release(&b);
}

static void
test_truncated(void)
{
	struct buf b = three();
	size_t end = TAR_ENTRY(24) + TAR_ENTRY(0) + TAR_ENTRY(2) + TAR_END;
	size_t cut, wrong = 0;

	/* Without padding, a shorter one is another good archive. */
	for (cut = 0; cut <= b.n; cut++) {
		bool good = cut >= end && cut % TAR_BLOCK == 0;

		if ((walk_copy(b.p, cut) == TOCSIN_OK) != good)
			wrong++;
	}
	is_int((long long)wrong, 0,
	    "only whole blocks with an end marker are an archive");
	buf_release(&b);
}

static void
test_flipped(void)
{
	struct buf b = three();
	size_t i, bits = 0, taken = 0;

	/* All but the contents, and the letters of names, are fixed. */
	for (i = 0; i < b.n * 8; i++) {
		b.p[i / 8] ^= 1 << i % 8;
		if (walk_copy(b.p, b.n) == TOCSIN_OK)
			taken++;
		b.p[i / 8] ^= 1 << i % 8;
		bits++;
	}
	is_int((long long)taken, 26 * 8,
	    "no flipped bit outside of contents is taken");
	diag("%zu bits", bits);
	buf_release(&b);
}

/* A file as others write it: their tar would take it, we don't. */
static void
test_foreign(void)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t n;
		const char *what;
	} rows[] = {
		{ 156, "\0", 1, "the old type of regular file" },
		{ 156, "5", 1, "a folder" },
		{ 156, "2", 1, "a symbolic link" },
		{ 156, "x", 1, "a pax header" },
		{ 156, "L", 1, "a GNU long name" },
		{ 0, "../x\0", 5, "a path upwards" },
		{ 0, "/etc\0", 5, "an absolute path" },
		{ 0, ".ssh\0", 5, "a hidden file" },
		{ 0, "Ab\0", 3, "an upper-case name" },
		{ 0, "\0", 1, "no name" },
		{ 100, "0000755", 7, "another mode" },
		{ 108, "0001750", 7, "another owner" },
		{ 136, "14720000000", 11, "another time" },
		{ 257, "ustar  ", 8, "GNU's magic" },
		{ 265, "root", 4, "an owner's name" },
		{ 345, "etc", 3, "a prefix" },
		{ 500, "x", 1, "something behind the header" },
		{ 124, "77777777777", 11, "a size beyond the end" },
		{ 124, "\200\0\0\0\0\0\0\0\0\0\0\30", 12, "a binary size" },
	};
	size_t i, j;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = three();
		unsigned sum = 0;
		char text[8];

		memcpy(b.p + rows[i].at, rows[i].bytes, rows[i].n);
		memset(b.p + 148, ' ', 8);
		for (j = 0; j < TAR_BLOCK; j++)
			sum += b.p[j];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(b.p + 148, text, 7);
		is_int(walk_copy(b.p, b.n), TOCSIN_EMALFORMED, "refused: %s",
		    rows[i].what);
		buf_release(&b);
	}
}

static bool
writes(const char *name, size_t padded)
{
	struct buf b = { 0 };
	bool good;

	tar_add(&b, name, span_of("x"));
	tar_end(&b, padded);
	good = buf_ok(&b);
	buf_release(&b);
	return good;
}

static void
test_writer(void)
{
	char name[TAR_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[TAR_NAME_MAX + 1] = '\0';
	ok(!writes(name, 4096), "a name of 65 is not written");
	ok(writes(name + 1, 4096), "one of 64 is");
	ok(!writes("", 4096) && !writes("a/b", 4096) && !writes("-a", 4096) &&
		!writes("A", 4096) && !writes("a b", 4096),
	    "nor is any other name that the reader refuses");
	ok(writes("a", 2048) && !writes("a", 1536) && !writes("a", 2049),
	    "the padded size has room for the end, in whole blocks");
}

/* Any tar lists and extracts it. */
static void
test_any_tar(void)
{
	struct buf b = three();
	char command[4096], path[512], line[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/three.tar", scratch());
	f = fopen(path, "wb");
	if (f == NULL || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0)
		abort();
	snprintf(command, sizeof(command),
	    "tar -tf '%s' | tr '\\n' ' ' && tar -xOf '%s' 0a-_.json", path,
	    path);
	f = popen(command, "r");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	is_int(f != NULL ? pclose(f) : -1, 0, "tar reads it without a word");
	is_str(line, "header empty 0a-_.json {}", "and lists what is in it");
	buf_release(&b);
}

int
main(void)
{
	test_round();
	test_truncated();
	test_flipped();
	test_foreign();
	test_writer();
	test_any_tar();
	return tap_done();
}
