/* SPDX-License-Identifier: ISC */
/*
 * replay - run a fuzz target over kept inputs, without libFuzzer
 *
 * NAME.replay FILE|FOLDER...: every file, and prefixes of it, in heap copies of
 * the exact size. Ends at the first input that the target or a sanitizer stops,
 * having named it. Exit 1 also if there was nothing to run.
 */
#include "tests/lib/fuzz.h"
#include "tests/lib/tap.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define PREFIXES 600 /* of each file, spread over its length */

static size_t files;

static void
run(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = n > 0 ? xcopy(bytes, n) : malloc(0);

	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
replay_file(const char *path)
{
	size_t n, cut, step;
	uint8_t *bytes = slurp(path, &n);

	fprintf(stderr, "%s\n", path);
	step = n / PREFIXES + 1;
	for (cut = 0; cut < n; cut += step)
		run(bytes, cut);
	run(bytes, n);
	free(bytes);
	files++;
}

static void
replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[4096];

	if (dir == NULL) {
		replay_file(path);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		replay_file(name);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu files\n", files);
	return files == 0;
}
