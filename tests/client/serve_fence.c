/* SPDX-License-Identifier: ISC */
/* What is left to the process that answers browsers, and what ends it. */
#include "client/cli/serve_fence.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int pair[2];

/* ---- deeds ---- */

static void
open_file(void)
{
	_exit(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 3 : 4);
}

static void
run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(4);
}

static void
start_process(void)
{
	_exit(fork() >= 0 ? 3 : 4);
}

static void
make_socket(void)
{
	_exit(socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 3 : 4);
}

static void
look_into(void)
{
	_exit(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? 3 : 4);
}

/* What it is for: memory, time, and bytes through what it has. */
static void
serve(void)
{
	struct pollfd p = { .fd = pair[1], .events = POLLIN };
	char byte = 'x', *big = malloc(4 << 20);
	struct timespec t;

	if (big == NULL)
		_exit(5);
	memset(big, 1, 4 << 20);
	free(big);
	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0 ||
	    send(pair[0], &byte, 1, MSG_NOSIGNAL) != 1 ||
	    poll(&p, 1, 1000) != 1 || read(pair[1], &byte, 1) != 1)
		_exit(6);
	_exit(0);
}

/* ---- in a child ---- */

static int go[2];
static void (*in_thread)(void);

/* A thread that was there before the fence. */
static void *
other_thread(void *arg)
{
	char byte;

	if (read(go[0], &byte, 1) == 1)
		in_thread();
	return arg;
}

/* Its status, as wait() gives it. */
static int
fenced(void (*deed)(void), bool threaded)
{
	pid_t pid = fork();
	pthread_t thread;
	int status = 0;

	if (pid == 0) {
		in_thread = deed;
		if (threaded && (pipe(go) != 0 || pthread_create(&thread, NULL,
						      other_thread, NULL) != 0))
			_exit(7);
		if (!serve_fence())
			_exit(8);
		if (!threaded)
			deed();
		if (write(go[1], "x", 1) != 1)
			_exit(9);
		for (;;)
			poll(NULL, 0, 1000);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return status;
}

static void
ends(void (*deed)(void), bool threaded, const char *what)
{
	int status = fenced(deed, threaded);

	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", what);
	if (!WIFSIGNALED(status))
		diag("it left with %d", WEXITSTATUS(status));
}

int
main(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 1;
	if (!serve_fence_filters()) {
		skip("no filter of system calls in this build");
		return tap_done();
	}
	ends(open_file, false, "opening a file ends it");
	ends(run_program, false, "starting a program ends it");
	ends(start_process, false, "starting a process ends it");
	ends(make_socket, false, "making a socket ends it");
	ends(look_into, false, "looking into a process ends it");
	ends(open_file, true,
	    "also in a thread that was there before, and all of it");
	is_int(fenced(serve, false), 0, "what it is for is left to it");
	is_int(fenced(serve, true), 0, "in each thread");
	return tap_done();
}
