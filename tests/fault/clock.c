/* SPDX-License-Identifier: ISC */
/*
 * clock - the clock of the day, wrong by as much as a file says
 *
 * Preloaded (LD_PRELOAD=clock.so). CLOCK_FILE holds a number of seconds, with
 * its sign, on a line of OFFSET_LINE bytes: printf '%+015d\n'. All processes
 * that share the file have that clock, from when the file is written, in place.
 * What a clock set by hand leaves alone is left alone: CLOCK_MONOTONIC and
 * time-outs.
 *
 * The file is mapped, and the time asked of the kernel by the one call that
 * every filter of calls lets pass: a process that has confined itself is not
 * noticed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define OFFSET_LINE 16

static const volatile char *line;

static __attribute__((constructor)) void
begin(void)
{
	const char *path = getenv("CLOCK_FILE");
	void *p;
	int fd;

	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	p = mmap(NULL, OFFSET_LINE, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		line = p;
	close(fd);
}

static void
copy_line(char out[OFFSET_LINE])
{
	int i;

	for (i = 0; i < OFFSET_LINE; i++)
		out[i] = line[i];
}

/* A line that is just being written is read again. */
static time_t
offset(void)
{
	char a[OFFSET_LINE], b[OFFSET_LINE];

	if (line == NULL)
		return 0;
	do {
		copy_line(a);
		copy_line(b);
	} while (memcmp(a, b, sizeof(a)) != 0);
	a[OFFSET_LINE - 1] = '\0';
	return (time_t)strtoll(a, NULL, 10);
}

PUBLIC int
clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += offset();
	return rc;
}

PUBLIC int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	out->tv_sec = t.tv_sec;
	out->tv_usec = t.tv_nsec / 1000;
	return 0;
}

PUBLIC time_t
time(time_t *out)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return (time_t)-1;
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}
