/* SPDX-License-Identifier: ISC */
/*
 * recorder - write down what a program does to one file, and when it syncs it
 *
 * Preloaded (LD_PRELOAD=recorder.so). RECORD_FILE is the end of the file's
 * path, RECORD_LOG where the records go: a header of 16 bytes, see record.h,
 * and the bytes written. Each record is added by one call, in the order in
 * which the calls returned; so other programs may add lines of text to the same
 * log, and whatever they tell was known to them after all that stands before
 * it.
 */
#include "tests/fault/record.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 1024
#define PUBLIC __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *wanted;
static int to = -1;
static enum { OTHER, PLAIN, SYNCED } kind[FDS];

static __attribute__((constructor)) void
begin(void)
{
	const char *name = getenv("RECORD_LOG");

	wanted = getenv("RECORD_FILE");
	if (wanted && name)
		to = REAL(open)(
		    name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int
watched(int fd)
{
	return to >= 0 && fd >= 0 && fd < FDS && kind[fd] != OTHER;
}

static void
tell(enum record_op op, int fd, off_t at, const void *bytes, size_t n)
{
	struct record r = { .op = (uint8_t)op,
		.synced = kind[fd] == SYNCED,
		.len = (uint32_t)n,
		.at = (uint64_t)at };
	struct iovec v[2] = { { &r, sizeof(r) },
		{ (void *)(uintptr_t)bytes, n } };

	if (REAL(writev)(to, v, 2) != (ssize_t)(sizeof(r) + n))
		abort(); /* a log with a gap proves nothing */
}

/* What was opened, or closed if `path` is NULL, at fd. */
static int
opened(int fd, const char *path, int flags)
{
	size_t n, w;

	if (fd < 0 || fd >= FDS || to < 0)
		return fd;
	n = path ? strlen(path) : 0;
	w = strlen(wanted);
	kind[fd] = n < w || strcmp(path + n - w, wanted) != 0 ? OTHER
		   : (flags & O_DSYNC) != 0		      ? SYNCED
							      : PLAIN;
	return fd;
}

#define OPEN(name, params, args)                             \
	PUBLIC int name params                               \
	{                                                    \
		mode_t mode = 0;                             \
		va_list ap;                                  \
                                                             \
		if ((flags & (O_CREAT | O_TMPFILE)) != 0) {  \
			va_start(ap, flags);                 \
			mode = va_arg(ap, mode_t);           \
			va_end(ap);                          \
		}                                            \
		return opened(REAL(name) args, path, flags); \
	}

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int dir, const char *path, int flags, ...),
    (dir, path, flags, mode))
OPEN(openat64, (int dir, const char *path, int flags, ...),
    (dir, path, flags, mode))

PUBLIC int
close(int fd)
{
	opened(fd, NULL, 0);
	return REAL(close)(fd);
}

#define PWRITE(name)                                                   \
	PUBLIC ssize_t name(int fd, const void *p, size_t n, off_t at) \
	{                                                              \
		ssize_t r;                                             \
                                                                       \
		if (!watched(fd))                                      \
			return REAL(name)(fd, p, n, at);               \
		pthread_mutex_lock(&lock);                             \
		r = REAL(name)(fd, p, n, at);                          \
		if (r > 0)                                             \
			tell(RECORD_WRITE, fd, at, p, (size_t)r);      \
		pthread_mutex_unlock(&lock);                           \
		return r;                                              \
	}

PWRITE(pwrite)
PWRITE(pwrite64)

PUBLIC ssize_t
write(int fd, const void *p, size_t n)
{
	off_t at;
	ssize_t r;

	if (!watched(fd))
		return REAL(write)(fd, p, n);
	pthread_mutex_lock(&lock);
	at = lseek(fd, 0, SEEK_CUR);
	r = REAL(write)(fd, p, n);
	if (r > 0)
		tell(RECORD_WRITE, fd, at, p, (size_t)r);
	pthread_mutex_unlock(&lock);
	return r;
}

static void
tell_all(int fd, off_t at, const struct iovec *v, int n, ssize_t done)
{
	size_t left = done > 0 ? (size_t)done : 0, part;
	int i;

	for (i = 0; i < n && left > 0; i++) {
		part = v[i].iov_len < left ? v[i].iov_len : left;
		tell(RECORD_WRITE, fd, at, v[i].iov_base, part);
		at += (off_t)part;
		left -= part;
	}
}

PUBLIC ssize_t
writev(int fd, const struct iovec *v, int n)
{
	off_t at;
	ssize_t r;

	if (!watched(fd))
		return REAL(writev)(fd, v, n);
	pthread_mutex_lock(&lock);
	at = lseek(fd, 0, SEEK_CUR);
	r = REAL(writev)(fd, v, n);
	tell_all(fd, at, v, n, r);
	pthread_mutex_unlock(&lock);
	return r;
}

#define PWRITEV(name)                                                       \
	PUBLIC ssize_t name(int fd, const struct iovec *v, int n, off_t at) \
	{                                                                   \
		ssize_t r;                                                  \
                                                                            \
		if (!watched(fd))                                           \
			return REAL(name)(fd, v, n, at);                    \
		pthread_mutex_lock(&lock);                                  \
		r = REAL(name)(fd, v, n, at);                               \
		tell_all(fd, at, v, n, r);                                  \
		pthread_mutex_unlock(&lock);                                \
		return r;                                                   \
	}

PWRITEV(pwritev)
PWRITEV(pwritev64)

/*
 * What was written before a sync began is durable after it; what another thread
 * wrote meanwhile may not be. The lock keeps such writes out, which costs time
 * and nothing else.
 */
#define CHANGE(name, params, args, op, at)         \
	PUBLIC int name params                     \
	{                                          \
		int r;                             \
                                                   \
		if (!watched(fd))                  \
			return REAL(name) args;    \
		pthread_mutex_lock(&lock);         \
		r = REAL(name) args;               \
		if (r == 0)                        \
			tell(op, fd, at, NULL, 0); \
		pthread_mutex_unlock(&lock);       \
		return r;                          \
	}

CHANGE(fdatasync, (int fd), (fd), RECORD_SYNC, 0)
CHANGE(fsync, (int fd), (fd), RECORD_SYNC, 0)
CHANGE(ftruncate, (int fd, off_t n), (fd, n), RECORD_SIZE, n)
CHANGE(ftruncate64, (int fd, off_t n), (fd, n), RECORD_SIZE, n)
CHANGE(fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
    RECORD_REACH, at + n)
CHANGE(fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
    RECORD_REACH, at + n)
