/* SPDX-License-Identifier: ISC */
/*
 * The changes of a time zone, as glibc has them. It knows one zone at a time,
 * that of TZ, which all threads of a process read: so a child is asked. It is a
 * copy of one thread alone, and if another one held a lock of glibc's just then
 * it waits for that for ever: so its time is bounded, too.
 */
#include "client/bot/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY INT64_C(86400)
#define BEHIND (2 * 366 * DAY)
#define AHEAD (8 * 366 * DAY)
#define ZONEINFO "/usr/share/zoneinfo"
#define PATIENCE_MS 20000

static int32_t
offset_at(int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;

	return localtime_r(&when, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

/* The first second of (low, high] that has the offset of high. */
static int64_t
change_in(int64_t low, int64_t high)
{
	int32_t after = offset_at(high);

	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (offset_at(mid) == after)
			high = mid;
		else
			low = mid;
	}
	return high;
}

/* Nobody changes clocks twice in a day. */
static bool
look_up(struct zone *z, const char *name, int64_t now)
{
	int64_t t = now - BEHIND, end = now + AHEAD;

	if (setenv("TZ", name, 1) != 0)
		return false;
	tzset();
	z->change[0].from = t;
	z->change[0].offset = offset_at(t);
	z->n = 1;
	for (; t < end && z->n < ZONE_CHANGES; t += DAY) {
		if (offset_at(t) == offset_at(t + DAY))
			continue;
		z->change[z->n].from = change_in(t, t + DAY);
		z->change[z->n++].offset = offset_at(t + DAY);
	}
	return true;
}

static void
answer(int fd, const char *name, int64_t now)
{
	struct zone *z = calloc(1, sizeof(*z));
	bool good = z != NULL && look_up(z, name, now) &&
		    write(fd, z, sizeof(*z)) == (ssize_t)sizeof(*z);

	_exit(good ? 0 : 1);
}

static bool
ask(int fd, struct zone *z)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < sizeof(*z)) {
		int ready = poll(&p, 1, PATIENCE_MS);
		ssize_t got =
		    ready > 0 ? read(fd, (char *)z + n, sizeof(*z) - n) : ready;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

/* glibc takes UTC for every name that it has no file of. */
static bool
exists(const char *name, char path[ZONE_NAME + 32])
{
	struct stat st;

	if (!zone_name(span_of(name)))
		return false;
	snprintf(path, ZONE_NAME + 32, ZONEINFO "/%s", name);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, R_OK) == 0;
}

enum tocsin_err
zone_load(struct zone *out, const char *name, int64_t now)
{
	char path[ZONE_NAME + 32];
	struct zone z = { .n = 0 };
	int fd[2], status;
	bool good;
	pid_t pid;

	if (!exists(name, path))
		return TOCSIN_ENOTFOUND;
	if (pipe2(fd, O_CLOEXEC) != 0)
		return TOCSIN_EINTERNAL;
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		answer(fd[1], path, now);
	}
	close(fd[1]);
	good = pid > 0 && ask(fd[0], &z);
	close(fd[0]);
	if (pid > 0 && !good)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!good || z.n == 0 || z.n > ZONE_CHANGES)
		return TOCSIN_EINTERNAL;
	snprintf(z.name, sizeof(z.name), "%s", name);
	*out = z;
	return TOCSIN_OK;
}
