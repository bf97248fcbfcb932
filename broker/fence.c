/* SPDX-License-Identifier: ISC */
#include "broker/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of ABI 3; headers of older kernels lack it. */
#define ACCESS_TRUNCATE ((uint64_t)1 << 14)

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXECUTE LANDLOCK_ACCESS_FS_EXECUTE
#define FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define OWN (~(uint64_t)EXECUTE)

/* What a rule on a file may say; the rest is of folders. */
#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | EXECUTE | FILE_WRITE)

struct fence {
	int fd;
	uint64_t handled;
	bool failed;
};

/* The calls have no names in glibc. */
int
fence_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* All that this ABI knows of files: 13 rights, then one more in each. */
static uint64_t
handled_by(int abi)
{
	int rights = abi >= 3 ? 15 : 12 + abi;

	return ((uint64_t)1 << rights) - 1;
}

static void
allow(struct fence *f, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = -1 };
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) != 0) {
		f->failed |=
		    errno != ENOENT && errno != EACCES && errno != ENOTDIR;
		if (rule.parent_fd >= 0)
			close(rule.parent_fd);
		return;
	}
	rule.allowed_access = access & f->handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (syscall(SYS_landlock_add_rule, f->fd, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0)
		f->failed = true;
	close(rule.parent_fd);
}

static void
allow_all(struct fence *f, const char *const *paths, uint64_t access)
{
	for (; *paths; paths++)
		allow(f, *paths, access);
}

/* Where a library lies is where the next version of it will lie. */
static int
allow_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (slash && slash > info->dlpi_name) {
		snprintf(folder, sizeof(folder), "%.*s",
		    (int)(slash - info->dlpi_name), info->dlpi_name);
		allow(arg, folder, READ | EXECUTE);
	}
	return 0;
}

/* The door is this program once more, and is started again when it falls. */
static void
allow_system(struct fence *f)
{
	static const char *const programs[] = { "/usr", "/lib", "/lib64",
		"/proc/self/exe", NULL };
	static const char *const facts[] = { "/etc", "/proc", "/sys", "/run",
		"/dev/urandom", NULL };

	allow_all(f, programs, READ | EXECUTE);
	allow_all(f, facts, READ);
	allow(f, "/dev/null", READ | FILE_WRITE);
	dl_iterate_phdr(allow_library, f);
}

bool
fence_files(const char *const *own, const char *const *read)
{
	struct fence f = { .handled = handled_by(fence_abi()) };
	/* Later kernels take more fields; a size that they know will do. */
	struct landlock_ruleset_attr attr = { .handled_access_fs = f.handled };
	bool done;

	f.fd = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr.handled_access_fs), 0);
	if (f.fd < 0)
		return false;
	allow_system(&f);
	allow_all(&f, own, OWN);
	allow_all(&f, read, READ);
	done = !f.failed && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_landlock_restrict_self, f.fd, 0) == 0;
	close(f.fd);
	return done;
}
