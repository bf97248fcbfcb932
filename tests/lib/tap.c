/* SPDX-License-Identifier: ISC */
#include "tests/lib/tap.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned count;
static unsigned failures;
static char scratch_dir[256];

static void
say(const char *verdict, const char *fmt, va_list ap)
{
	printf("%s %u - ", verdict, ++count);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
}

bool
ok(bool good, const char *sentence, ...)
{
	va_list ap;

	if (!good)
		failures++;
	va_start(ap, sentence);
	say(good ? "ok" : "not ok", sentence, ap);
	va_end(ap);
	return good;
}

bool
is_int(long long got, long long want, const char *sentence, ...)
{
	va_list ap;

	if (got != want)
		failures++;
	va_start(ap, sentence);
	say(got == want ? "ok" : "not ok", sentence, ap);
	va_end(ap);
	if (got != want)
		diag("got %lld, want %lld", got, want);
	return got == want;
}

bool
is_str(const char *got, const char *want, const char *sentence, ...)
{
	bool good = got != NULL && want != NULL && strcmp(got, want) == 0;
	va_list ap;

	if (!good)
		failures++;
	va_start(ap, sentence);
	say(good ? "ok" : "not ok", sentence, ap);
	va_end(ap);
	if (!good)
		diag("got \"%s\", want \"%s\"", got ? got : "(null)",
		    want ? want : "(null)");
	return good;
}

void
skip(const char *why, ...)
{
	va_list ap;

	printf("ok %u # SKIP ", ++count);
	va_start(ap, why);
	vprintf(why, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void
diag(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("# ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int
drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int
tap_done(void)
{
	if (scratch_dir[0] != '\0')
		nftw(scratch_dir, drop, 16, FTW_DEPTH | FTW_PHYS);
	printf("1..%u\n", count);
	return failures > 0 || fflush(stdout) != 0;
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		abort();
	return p;
}

uint8_t *
xcopy(const void *bytes, size_t n)
{
	uint8_t *p = xmalloc(n);

	if (n > 0)
		memcpy(p, bytes, n);
	return p;
}

uint8_t *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL;
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
		diag("%s: %s", path, strerror(errno));
		abort();
	}
	rewind(f);
	p = xmalloc((size_t)size + 1);
	*n = fread(p, 1, (size_t)size, f);
	p[*n] = '\0';
	fclose(f);
	return p;
}

const char *
top(const char *name)
{
	static char path[4096];
	const char *dir = getenv("TOP");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	return path;
}

const char *
scratch(void)
{
	if (scratch_dir[0] == '\0') {
		const char *tmp = getenv("TMPDIR");

		snprintf(scratch_dir, sizeof(scratch_dir), "%s/tocsin.XXXXXX",
		    tmp ? tmp : "/tmp");
		if (mkdtemp(scratch_dir) == NULL) {
			printf("Bail out! no folder %s: %s\n", scratch_dir,
			    strerror(errno));
			exit(1);
		}
	}
	return scratch_dir;
}
