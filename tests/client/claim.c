/* SPDX-License-Identifier: ISC */
#include "client/claim.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG (3600 * 1000)

static char home[512];

static struct claim
claim(int64_t patience_ms)
{
	struct claim c;

	claim_open(&c, home, patience_ms);
	return c;
}

/* A process that has the lock, until it is killed; it says when. */
static pid_t
holder(void)
{
	int pipes[2];
	char byte;
	pid_t pid;

	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		struct claim c = claim(LONG);

		if (!claim_take(&c) || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1)
		abort();
	close(pipes[0]);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* As if the last sign were an hour old. */
static void
let_it_be_long_ago(void)
{
	struct timespec t[2] = { { .tv_sec = time(NULL) - 3600 } };
	char path[640];

	t[1] = t[0];
	snprintf(path, sizeof(path), "%s/fetch.lock", home);
	if (utimensat(AT_FDCWD, path, t, 0) != 0)
		abort();
}

static void
test_two(void)
{
	struct claim a = claim(LONG), b = claim(LONG);

	ok(!claim_held(home), "nobody fetches");
	ok(claim_take(&a) && claim_held(home), "one does");
	ok(claim_take(&a), "and goes on");
	ok(!claim_take(&b), "another one waits");
	claim_drop(&a);
	ok(claim_take(&b) && !claim_take(&a), "until the first is done");
	claim_drop(&b);
	ok(!claim_held(home), "and nobody fetches again");
	claim_close(&a);
	claim_close(&b);
}

static void
test_killed(void)
{
	struct claim c = claim(LONG);
	pid_t pid = holder();

	ok(!claim_take(&c), "another process fetches");
	end(pid);
	ok(claim_take(&c), "killed, it keeps nobody waiting");
	claim_close(&c);
	ok(!claim_held(home), "nor does one that ends");
}

static void
test_stopped(void)
{
	pid_t pid = holder();
	struct claim soon = claim(1), late = claim(LONG);

	ok(!claim_take(&soon) && !claim_take(&late), "it fetches");
	kill(pid, SIGSTOP);
	let_it_be_long_ago();
	while (!claim_take(&soon))
		;
	ok(!soon.ours, "stopped, it gives no sign, and others go on without");
	claim_drop(&soon);
	claim_sign(&late); /* not ours to give */
	ok(!claim_take(&late), "but not before they were patient");
	end(pid);
	claim_close(&soon);
	claim_close(&late);
}

static void
test_no_file(void)
{
	struct claim c;

	claim_open(&c, "/nonexistent", LONG);
	ok(claim_take(&c), "without a lock everybody fetches");
	claim_drop(&c);
	claim_close(&c);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(
	    home, sizeof(home), "%s/tocsin.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(home) == NULL)
		abort();
	test_two();
	test_killed();
	test_stopped();
	test_no_file();
	let_it_be_long_ago();
	strcat(home, "/fetch.lock");
	unlink(home);
	*strrchr(home, '/') = '\0';
	rmdir(home);
	return tap_done();
}
