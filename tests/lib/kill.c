/* SPDX-License-Identifier: ISC */
#include "tests/lib/kill.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t
start(const char *self, const char *word, int *ready)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		execl(self, self, "child", word, (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	*ready = fd[0];
	return pid;
}

bool
kill_child(const char *self, const char *word, unsigned us, bool *failed)
{
	const struct timespec wait = { us / 1000000, us % 1000000 * 1000L };
	int ready, status = 0;
	char c;
	pid_t pid = start(self, word, &ready);

	if (read(ready, &c, 1) != 1)
		*failed = true;
	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		*failed = true;
	return WIFSIGNALED(status);
}

unsigned
kill_number(const char *name, unsigned otherwise)
{
	const char *v = getenv(name);

	return v != NULL ? (unsigned)strtoul(v, NULL, 10) : otherwise;
}
