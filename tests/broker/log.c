/* SPDX-License-Identifier: ISC */
#include "broker/log.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int out[2];

/* What was logged since the last call, without the time. */
static const char *
logged(void)
{
	static char text[65536];
	struct pollfd p = { out[0], POLLIN, 0 };
	ssize_t n = 0;
	char *after;

	if (poll(&p, 1, 0) == 1)
		n = read(out[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	after = strstr(text, " level=");
	return after ? after + 1 : text;
}

static const char *
value_of(struct span s)
{
	static char copy[4096];
	const char *line;

	log_event(LOG_WARN, "e", LOG_S("v", s), LOG_END);
	line = logged();
	snprintf(copy, sizeof(copy), "%s", strstr(line, "v=") + 2);
	copy[strlen(copy) - 1] = '\0'; /* the newline */
	return copy;
}

static void
test_line(void)
{
	static const uint8_t id[] = { 0xab, 0x01 };
	char text[128];
	ssize_t n;
	int y, mo, d, h, mi, s, ms;

	log_event(LOG_INFO, "started", LOG_END);
	n = read(out[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	ok(sscanf(text, "time=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ level=info ", &y,
	       &mo, &d, &h, &mi, &s, &ms) == 7,
	    "a line begins with the time in UTC");
	ok(strstr(text, "Z level=info event=started\n") != NULL,
	    "an event may have no fields");

	log_event(LOG_WARN, "refused", LOG_S("peer", span_of("sg@x:1")),
	    LOG_U("count", 18446744073709551615u), LOG_I("left", -3),
	    LOG_X("id", SPAN(id)), LOG_ERR(TOCSIN_EQUOTA), LOG_ERRNO(ENOENT),
	    LOG_Z("path", "/a/b"), LOG_END);
	is_str(logged(),
	    "level=warn event=refused peer=sg@x:1 "
	    "count=18446744073709551615 left=-3 id=ab01 reason=quota "
	    "error=\"No such file or directory\" path=/a/b\n",
	    "every type of field has its form");
}

static void
test_hostile(void)
{
	static const uint8_t nul[] = { 'a', 0, 'b' };
	uint8_t all[256], longest[300];
	const char *got;
	size_t i;

	is_str(value_of(span_of("a b")), "\"a b\"", "a space is quoted");
	is_str(value_of(span_of("a\" x=\"1")), "\"a\\\" x=\\\"1\"",
	    "a quote does not end the value");
	is_str(value_of(span_of("\\\"")), "\"\\\\\\\"\"",
	    "nor does one behind a backslash");
	is_str(value_of(span_of("a\ntime=1")), "\"a\\x0atime=1\"",
	    "a newline does not begin a line");
	is_str(value_of(SPAN(nul)), "\"a\\x00b\"", "a NUL does not cut it");
	is_str(value_of(span_of("\x1b[2J\xe2\x80\xae")),
	    "\"\\x1b[2J\\xe2\\x80\\xae\"", "no escape, no bidi override");
	is_str(value_of((struct span){ 0 }), "\"\"", "nothing is visible");
	is_str(value_of(span_of("a=b")), "\"a=b\"", "= is quoted");

	for (i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (i = 0; i < 256; i += 64) {
		got = value_of((struct span){ all + i, 64 });
		for (; *got >= 0x20 && *got <= 0x7e; got++)
			;
		if (*got != '\0')
			break;
	}
	ok(i == 256, "whatever the byte, the line is printable ASCII");

	memset(longest, 'x', sizeof(longest));
	got = value_of((struct span){ longest, 64 });
	ok(strlen(got) == 64, "64 bytes are shown whole");
	got = value_of((struct span){ longest, 300 });
	ok(strlen(got) == 64 + 2 + 5 && strcmp(got + 65, "\\+236\"") == 0,
	    "of 300, the number that is left out is told");
}

static void
test_long_line(void)
{
	uint8_t evil[64];
	const char *line;
	size_t n;

	memset(evil, 0xff, sizeof(evil));
#define F LOG_S("k", SPAN(evil))
	log_event(LOG_WARN, "long", F, F, F, F, F, F, F, F, F, F, LOG_END);
#undef F
	line = logged();
	n = strlen(line);
	ok(n < LOG_LINE_MAX && strcmp(line + n - 10, "ff\" cut=1\n") == 0,
	    "a line that would be too long ends at a whole field");
	ok(strchr(line, '\n') == line + n - 1, "and is one line");
}

static void
test_errno_and_level(void)
{
	int closed = dup(2);

	log_open(out[1], LOG_WARN);
	log_event(LOG_INFO, "quiet", LOG_END);
	is_str(logged(), "", "what is below the level is not written");
	close(closed);
	log_open(closed, LOG_INFO);
	errno = ENOTTY;
	log_event(LOG_INFO, "lost", LOG_END);
	is_int(errno, ENOTTY, "errno is kept, even when the write fails");
	log_open(out[1], LOG_INFO);
}

static void
test_limit(void)
{
	static struct log_limit hour = LOG_LIMIT(2, 3600000);
	static struct log_limit tick = LOG_LIMIT(1, 1);
	const char *line = "";
	int i, lines = 0;

	for (i = 0; i < 5; i++)
		log_limited(&hour, LOG_WARN, "flood", LOG_U("i", i), LOG_END);
	for (line = logged(); (line = strchr(line, '\n')) != NULL; line++)
		lines++;
	is_int(lines, 2, "a burst is shown, and no more in its window");
	is_int((long long)hour.suppressed, 3, "the rest is counted");

	tick.suppressed = 7;
	log_limited(&tick, LOG_WARN, "flood", LOG_END);
	is_str(logged(), "level=warn event=flood suppressed=7\n",
	    "the next line tells how many were left out");
	do
		log_limited(&tick, LOG_WARN, "flood", LOG_END);
	while (*(line = logged()) == '\0');
	ok(strncmp(line, "level=warn event=flood", 22) == 0,
	    "a new window opens by itself");
}

struct writer {
	pthread_t thread;
	char letter;
};

enum { WRITERS = 4, LINES = 200 };

static void *
write_lines(void *arg)
{
	struct writer *w = arg;
	uint8_t text[64];
	int i;

	memset(text, w->letter, sizeof(text));
	for (i = 0; i < LINES; i++)
		log_event(LOG_INFO, "t", LOG_S("a", SPAN(text)),
		    LOG_S("b", SPAN(text)), LOG_END);
	return NULL;
}

/* True if the line's two texts are 64 times the same letter. */
static bool
unmixed(const char *line)
{
	const char *a = strstr(line, " a="), *b = strstr(line, " b=");

	return a && b && strspn(a + 3, (char[]){ a[3], 0 }) == 64 &&
	       strspn(b + 3, (char[]){ a[3], 0 }) == 64;
}

static void
test_threads(void)
{
	struct writer w[WRITERS];
	FILE *f = fdopen(dup(out[0]), "r");
	char line[LOG_LINE_MAX];
	int i, good = 0;

	for (i = 0; i < WRITERS; i++) {
		w[i].letter = (char)('a' + i);
		pthread_create(&w[i].thread, NULL, write_lines, &w[i]);
	}
	for (i = 0; i < WRITERS * LINES; i++)
		good += fgets(line, sizeof(line), f) && unmixed(line);
	for (i = 0; i < WRITERS; i++)
		pthread_join(w[i].thread, NULL);
	fclose(f);
	is_int(good, WRITERS * LINES, "lines of several threads don't mix");
}

static void
test_level_names(void)
{
	enum log_level level = LOG_ERROR;

	ok(log_level_parse("debug", &level) && level == LOG_DEBUG,
	    "a level has a name");
	ok(!log_level_parse("Debug", &level) && level == LOG_DEBUG,
	    "another word is no level");
}

int
main(void)
{
	if (pipe(out) != 0)
		return 1;
	log_open(out[1], LOG_INFO);
	test_line();
	test_hostile();
	test_long_line();
	test_errno_and_level();
	test_limit();
	test_threads();
	test_level_names();
	return tap_done();
}
