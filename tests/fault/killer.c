/* SPDX-License-Identifier: ISC */
/*
 * killer - a process that is killed at one moment of its own, not of the clock
 *
 * Preloaded (LD_PRELOAD=killer.so). Each call that makes something last or
 * starts a program is two moments, the one before it and the one after; the
 * moment of the number KILL_AT, counted from 1, is SIGKILL. So a test can have
 * a process end between any two of its changes of the disk, which a kill after
 * so many milliseconds hits by chance alone. With KILL_STOP set it is SIGSTOP,
 * and who sends SIGCONT lets it go on. Without KILL_AT nothing happens.
 */
#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static atomic_long moments;
static long at;
static int with = SIGKILL;

static __attribute__((constructor)) void
begin(void)
{
	const char *s = getenv("KILL_AT");

	at = s != NULL ? strtol(s, NULL, 10) : 0;
	if (getenv("KILL_STOP") != NULL)
		with = SIGSTOP;
}

static void
moment(void)
{
	if (atomic_fetch_add(&moments, 1) + 1 == at)
		kill(getpid(), with);
}

PUBLIC int
fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	int rc;

	moment();
	rc = real(fd);
	moment();
	return rc;
}

/* The last write of a change of LMDB, which is what makes it count. */
PUBLIC ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t offset)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t(*)(
	    int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	ssize_t rc;

	moment();
	rc = real(fd, p, n, offset);
	moment();
	return rc;
}

PUBLIC ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	return pwrite64(fd, p, n, offset);
}

PUBLIC int
posix_spawn(pid_t *restrict pid, const char *restrict path,
    const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *restrict a,
    char *const argv[restrict], char *const env[restrict])
{
	int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
	    const posix_spawnattr_t *, char *const[], char *const[]) =
	    (int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		const posix_spawnattr_t *, char *const[],
		char *const[]))dlsym(RTLD_NEXT, "posix_spawn");
	int rc;

	moment();
	rc = real(pid, path, fa, a, argv, env);
	moment();
	return rc;
}
