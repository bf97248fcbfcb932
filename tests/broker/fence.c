/* SPDX-License-Identifier: ISC */
/* What a process behind the fence reaches: each try in a child of its own. */
#include "broker/fence.h"

#include "tests/lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char own[600], other[600], conf[600];

static const char *
in(const char *folder, const char *name)
{
	static char path[700];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *folder, const char *name)
{
	int fd = open(in(folder, name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0)
		abort();
}

static void
fence(void)
{
	const char *const folders[] = { own, "/does/not/exist", NULL };
	const char *const read[] = { conf, NULL };

	if (!fence_files(folders, read))
		_exit(100);
}

/* errno of what `try` did behind the fence, 0: it went through. */
static int
behind(int (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fence();
		errno = 0;
		_exit(try() < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	return WEXITSTATUS(status);
}

static int
read_other(void)
{
	return open(in(other, "secret"), O_RDONLY);
}

static int
write_other(void)
{
	return open(in(other, "new"), O_WRONLY | O_CREAT, 0600);
}

static int
remove_other(void)
{
	return unlink(in(other, "secret"));
}

static int
list_other(void)
{
	return open(other, O_RDONLY | O_DIRECTORY);
}

static int
read_conf(void)
{
	return open(in(conf, "secret"), O_RDONLY);
}

static int
write_conf(void)
{
	return open(in(conf, "secret"), O_WRONLY);
}

/* All that a store and its sockets do. */
static int
work(void)
{
	char from[700];
	int fd = open(in(own, "new"), O_RDWR | O_CREAT | O_EXCL, 0600);

	snprintf(from, sizeof(from), "%s", in(own, "new"));
	return fd < 0 || ftruncate(fd, 5) != 0 || truncate(from, 3) != 0 ||
		       mkdir(in(own, "sub"), 0700) != 0 ||
		       rename(from, in(own, "newer")) != 0 ||
		       mknod(in(own, "sock"), S_IFSOCK | 0600, 0) != 0 ||
		       unlink(in(own, "newer")) != 0
		   ? -1
		   : 0;
}

static int
write_null(void)
{
	return open("/dev/null", O_RDWR);
}

static int
resolve(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
again(void)
{
	return execl("/proc/self/exe", "fence", "again", (char *)NULL);
}

static void *
in_thread(void *arg)
{
	*(int *)arg = read_other() < 0 ? errno : 0;
	return NULL;
}

static int
by_thread(void)
{
	pthread_t t;
	int got = 0;

	if (pthread_create(&t, NULL, in_thread, &got) != 0)
		abort();
	pthread_join(t, NULL);
	errno = got;
	return got ? -1 : 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "again") == 0)
		return 0;
	if (fence_abi() == 0) {
		skip("this kernel has no Landlock");
		return tap_done();
	}
	snprintf(own, sizeof(own), "%s/own", scratch());
	snprintf(other, sizeof(other), "%s/other", scratch());
	snprintf(conf, sizeof(conf), "%s/conf", scratch());
	if (mkdir(own, 0700) || mkdir(other, 0700) || mkdir(conf, 0700))
		abort();
	put(other, "secret");
	put(conf, "secret");

	is_int(behind(read_other), EACCES, "another's file can't be read");
	is_int(behind(by_thread), EACCES, "nor by a thread that is made later");
	is_int(behind(list_other), EACCES, "nor its folder listed");
	is_int(behind(write_other), EACCES, "nothing is written there");
	is_int(behind(remove_other), EACCES, "nor removed");
	is_int(behind(work), 0, "in the own folder everything can be done");
	is_int(behind(read_conf), 0, "the config can be read");
	is_int(behind(write_conf), EACCES, "and not written");
	is_int(behind(resolve), 0, "so can what every program needs");
	is_int(behind(write_null), 0, "there is a /dev/null");
	is_int(behind(again), 0, "and the program can be started again");
	ok(access(in(other, "secret"), R_OK) == 0,
	    "whoever is not behind it reads on");
	return tap_done();
}
