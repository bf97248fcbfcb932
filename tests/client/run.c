/* SPDX-License-Identifier: ISC */
/*
 * Another program, from its start to its end: what it is given, what is kept of
 * what it says, and that it ends when its time is over, whatever it does about
 * that. The other programs are this one, called with a word.
 */
#include "client/cli/run.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
for_ever(void)
{
	for (;;)
		pause();
}

/* ---- what is started ---- */

/* Into its parent's group, where nobody may kill it by its own. */
static int
stray(void)
{
	if (setpgid(0, getpgid(getppid())) != 0)
		return 9;
	for_ever();
	return 0;
}

static int
open_files(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	printf("%d", n);
	return 0;
}

/* A child of it that is in its group, and holds its output. */
static int
leave(void)
{
	if (fork() == 0)
		for_ever();
	printf("left");
	return 0;
}

static int
much(void)
{
	int i;

	for (i = 0; i < 10000; i++)
		printf("%07d\n", i);
	return 0;
}

static int
copy(void)
{
	char bytes[64];
	size_t n = fread(bytes, 1, sizeof(bytes), stdin);

	return fwrite(bytes, 1, n, stdout) == n ? 0 : 1;
}

static int
blocked(void)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("%d%d", sigismember(&set, SIGTERM),
	    signal(SIGPIPE, SIG_DFL) == SIG_IGN);
	return 0;
}

static int
real_time(void)
{
	raise(SIGRTMIN + 3);
	return 0;
}

static const struct {
	const char *word;
	int (*run)(void);
} others[] = {
	{ "stray", stray },
	{ "open-files", open_files },
	{ "leave", leave },
	{ "much", much },
	{ "copy", copy },
	{ "blocked", blocked },
	{ "real-time", real_time },
};

/* ---- checks ---- */

static struct run_end
run_it(const char *word, enum run_output how, unsigned seconds)
{
	char self[] = "/proc/self/exe", name[32];
	char *argv[] = { self, name, NULL }, *env[] = { NULL };
	struct run x = { .argv = argv,
		.env = env,
		.dir = "/",
		.input = span_of("what it reads"),
		.seconds = seconds,
		.output = how,
		.max = 4096 };
	struct run_end end;

	snprintf(name, sizeof(name), "%s", word);
	run_program(&x, &end);
	return end;
}

static bool
kept(const char *word, const char *want)
{
	struct run_end end = run_it(word, RUN_KEEP, 20);
	bool same = end.good && span_is(buf_span(&end.kept), want);

	if (!same)
		diag("%s: %.*s", end.why, (int)end.kept.n,
		    end.kept.n > 0 ? (const char *)end.kept.p : "");
	buf_release(&end.kept);
	return same;
}

static void
test_given(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	int fd = dup(1); /* another one that it must not have */

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	ok(kept("copy", "what it reads"), "its input is what it is given");
	ok(kept("open-files", "3"), "and no other file is open in it");
	ok(kept("blocked", "00"), "nor is a signal blocked, or ignored");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	close(fd);
}

static void
test_kept(void)
{
	struct run_end end = run_it("much", RUN_KEEP, 20);

	ok(!end.good && strstr(end.why, "more than 4 KiB") != NULL,
	    "who writes more than is kept has failed");
	buf_release(&end.kept);
	end = run_it("much", RUN_TAIL, 20);
	ok(end.good && end.kept.n == 4096 &&
		memcmp(end.kept.p + 4088, "0009999\n", 8) == 0,
	    "or the end of it is kept");
	buf_release(&end.kept);
}

static void
test_ended(void)
{
	struct run_end end;

	ok(kept("leave", "left"), "a child that holds its output is not "
				  "waited for");
	end = run_it("stray", RUN_TAIL, 1);
	ok(!end.good && strstr(end.why, "longer than 1 second") != NULL,
	    "who has left its group is ended, too: %s", end.why);
	buf_release(&end.kept);
	end = run_it("real-time", RUN_TAIL, 20);
	ok(!end.good && strstr(end.why, "signal ") != NULL &&
		strstr(end.why, "null") == NULL,
	    "a signal without a name is a number: %s", end.why);
	buf_release(&end.kept);
	end = run_it("nothing", RUN_TAIL, 20);
	ok(end.started && !end.good &&
		strcmp(end.why, "it ended with status 77") == 0,
	    "its status is said");
	buf_release(&end.kept);
	ok(waitpid(-1, NULL, WNOHANG) < 0, "and nobody is left to be reaped");
}

int
main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(argv[1], others[i].word) == 0)
			return others[i].run();
	if (argc > 1)
		return 77;
	alarm(60); /* a run that never ends is none of these */
	test_given();
	test_kept();
	test_ended();
	return tap_done();
}
