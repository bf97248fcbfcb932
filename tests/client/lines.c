/* SPDX-License-Identifier: ISC */
#include "client/cli/lines.h"

#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MOST 10

static struct lines in;
static int to;

static void
begin(const char *text)
{
	int fd[2];

	if (pipe(fd) != 0 ||
	    write(fd[1], text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	in = (struct lines){ .fd = fd[0], .stop = -1, .max = MOST };
	to = fd[1];
}

static void
end(void)
{
	lines_release(&in);
	close(in.fd);
	close(to);
}

static bool
is_line(const char *want)
{
	struct span line = { 0 };
	enum lines_got got = lines_next(&in, &line);

	if (got == LINES_ONE && span_is(line, want))
		return true;
	diag("got %d, \"%.*s\"", (int)got, (int)line.n, (const char *)line.p);
	return false;
}

static enum lines_got
next(void)
{
	struct span line;

	return lines_next(&in, &line);
}

static void
test_lines(void)
{
	begin("a\n\nlonger\nlast");
	close(to);
	ok(is_line("a") && is_line("") && is_line("longer"),
	    "lines come one by one, empty ones too");
	ok(is_line("last"), "what stands behind the last line feed is one");
	ok(next() == LINES_END && next() == LINES_END, "then there is no more");
	end();
	begin("");
	close(to);
	ok(next() == LINES_END, "of nothing there is none");
	end();
}

static void
test_long(void)
{
	char many[100000];

	begin("1234567890\n12345678901\nnext\n");
	ok(is_line("1234567890"), "a line may have as much");
	ok(next() == LINES_LONG, "and no more");
	ok(is_line("next"), "the next one comes");
	end();

	begin("");
	memset(many, 'x', sizeof(many));
	if (fork() == 0) {
		(void)!write(to, many, sizeof(many));
		(void)!write(to, "\nnext\n", 6);
		_exit(0);
	}
	ok(next() == LINES_LONG && is_line("next"),
	    "a very long one is passed over in pieces");
	ok(in.room < sizeof(many) / 2, "and never kept as a whole");
	end();

	begin("12345678901");
	close(to);
	ok(next() == LINES_LONG && next() == LINES_END,
	    "also one that has no end");
	end();
}

static void
test_stop(void)
{
	const uint64_t one = 1;

	begin("here\n");
	in.stop = eventfd(0, 0);
	ok(is_line("here"), "a line comes");
	if (write(in.stop, &one, sizeof(one)) != sizeof(one))
		abort();
	ok(next() == LINES_STOP, "the wait for the next one can be ended");
	close(in.stop);
	in.stop = -1;
	end();
}

int
main(void)
{
	test_lines();
	test_long();
	test_stop();
	return tap_done();
}
