/* SPDX-License-Identifier: ISC */
#include "client/cli/held.h"

#include "client/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 50
#define DRILL "drill." /* no reader has a dot in its name */

const struct held held_none = { -1, -1 };

static int
open_lock(struct cli *c, const char *reader, const char *what, int *out)
{
	char home[512], path[768];

	if (!cli_home(c, home))
		return 2;
	snprintf(path, sizeof(path), "%s/readers", home);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return cli_fail(
		    file_error(errno), "%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/readers/%s.%s", home, reader, what);
	*out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*out < 0)
		return cli_fail(
		    file_error(errno), "%s: %s", path, strerror(errno));
	return 0;
}

/* *taken: another has it. */
static int
take_watch(struct held *h, struct cli *c, const char *reader, bool *taken)
{
	int status = open_lock(c, reader, "lock", &h->watch);

	*taken = false;
	if (status != 0 || flock(h->watch, LOCK_EX | LOCK_NB) == 0)
		return status;
	*taken = errno == EWOULDBLOCK;
	return *taken ? 0
		      : cli_fail(TOCSIN_EINTERNAL, "the reader %s: %s", reader,
			    strerror(errno));
}

int
held_bot(struct held *h, struct cli *c, const char *name)
{
	char reader[80];
	bool taken;
	int status;

	snprintf(reader, sizeof(reader), "bot.%s", name);
	status = take_watch(h, c, reader, &taken);
	if (status != 0 || !taken)
		return status;
	return cli_fail(TOCSIN_EBUSY,
	    "another `tocsin bot` works by the rules %s in this home: end it, "
	    "or give the rules another name",
	    name);
}

int
held_watch(struct held *h, struct cli *c, const char *reader)
{
	bool taken;
	int status = take_watch(h, c, reader, &taken);

	if (status != 0 || !taken)
		return status;
	return cli_fail(TOCSIN_EBUSY,
	    "another `tocsin watch` goes on as the reader %s, and both would "
	    "get the same messages: end it, or take another name with --reader",
	    reader);
}

int
held_drill(struct held *h, struct cli *c)
{
	bool taken;
	int status = take_watch(h, c, DRILL, &taken);

	if (status != 0 || !taken)
		return status;
	return cli_fail(
	    TOCSIN_EBUSY, "another `tocsin drill run` of this home is at work");
}

bool
held_drill_runs(struct cli *c)
{
	struct held h = held_none;
	bool taken;
	int status = take_watch(&h, c, DRILL, &taken);

	held_release(&h);
	return status == 0 && taken;
}

/* ---- what was left running ---- */

/* When a process began, in ticks of the machine; 0 if there is none. */
static unsigned long long
began(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[64], text[1024];
	const char *rest;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	rest = strrchr(text, ')'); /* its name may have anything in it */
	if (rest == NULL ||
	    sscanf(rest,
		") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
		"%*d %*d %*d %*d %*d %llu",
		&ticks) != 1)
		return 0;
	return ticks;
}

void
held_by(const struct held *h, pid_t group)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %llu\n", (int)group,
	    group > 0 ? began(group) : 0);

	/* If it can't be written, a command that was left cannot be ended. */
	if (ftruncate(h->run, 0) != 0 || pwrite(h->run, text, (size_t)n, 0) < n)
		return;
}

/* Its number is not another's now: the leader is the one that was started. */
static pid_t
left_running(const struct held *h)
{
	unsigned long long ticks = 0;
	char text[64];
	int group = 0;
	ssize_t n = pread(h->run, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%d %llu", &group, &ticks) != 2 || group <= 1 ||
	    ticks == 0 || began(group) != ticks)
		return 0;
	return group;
}

bool
held_free(struct held *h, struct cli *c, const char *name)
{
	if (h->run < 0 && open_lock(c, name, "run", &h->run) != 0)
		return false;
	return flock(h->run, LOCK_EX | LOCK_NB) == 0;
}

void
held_end(const struct held *h)
{
	pid_t group = h->run >= 0 ? left_running(h) : 0;

	if (group > 0)
		kill(-group, SIGKILL);
}

static bool
take_run(struct held *h, int64_t seconds, const volatile int *stop)
{
	const struct timespec look = { 0, LOOK_MS * 1000000L };
	int64_t left = seconds * 1000 / LOOK_MS;

	while (flock(h->run, LOCK_EX | LOCK_NB) != 0) {
		if (*stop || left-- <= 0)
			return false;
		nanosleep(&look, NULL);
	}
	return true;
}

int
held_run(struct held *h, struct cli *c, const char *reader, unsigned seconds,
    const volatile int *stop)
{
	int status = open_lock(c, reader, "run", &h->run);
	pid_t group;

	if (status != 0 || take_run(h, 0, stop))
		return status;
	cli_note("a command that an earlier run has started for the reader %s "
		 "is still at work; waiting for its end",
	    reader);
	if (take_run(h, seconds, stop) || *stop)
		return 0;
	group = left_running(h);
	if (group > 0) {
		cli_note("it has had %u seconds and is killed", seconds);
		kill(-group, SIGKILL);
		if (take_run(h, 5, stop) || *stop)
			return 0;
	}
	return cli_fail(TOCSIN_EBUSY,
	    "what the command of an earlier run has started does not end; find "
	    "it with `fuser` on readers/%s.run in the home, and end it",
	    reader);
}

void
held_release(struct held *h)
{
	if (h->run >= 0)
		close(h->run);
	if (h->watch >= 0)
		close(h->watch);
	*h = held_none;
}
