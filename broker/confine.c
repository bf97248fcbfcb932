/* SPDX-License-Identifier: ISC */
#include "broker/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARCH 0
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

#define AT(field) ((unsigned)offsetof(struct seccomp_data, field))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT(field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define NO ANSWER(SECCOMP_RET_ERRNO | EPERM)
#define YES ANSWER(SECCOMP_RET_ALLOW)
#define UNLESS(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, (skip))
#define ALLOW(name) UNLESS(SYS_##name, 1), YES

/* A system call's number says nothing without the machine's; x32 is no. */
/* clang-format off */
static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	NO,
	LOAD(nr),
	/* the traffic */
	ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev),
	ALLOW(recvfrom), ALLOW(sendto), ALLOW(accept4), ALLOW(connect),
	ALLOW(close), ALLOW(setsockopt), ALLOW(getsockopt),
	ALLOW(getsockname), ALLOW(ioctl),
	ALLOW(epoll_pwait), ALLOW(epoll_ctl), ALLOW(epoll_create1),
	ALLOW(fcntl),
	/* memory */
	ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),
	ALLOW(mprotect), ALLOW(getrandom), ALLOW(futex),
	/* time, signals and the end */
	ALLOW(clock_gettime), ALLOW(rt_sigaction), ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(getpid),
	ALLOW(gettid), ALLOW(tgkill), ALLOW(exit), ALLOW(exit_group),
	/* a local socket */
	UNLESS(SYS_socket, 3),
	LOAD(args[0]),
	UNLESS(AF_UNIX, 1),
	YES,
	NO,
};
/* clang-format on */

bool
confine_filters(void)
{
	return ARCH != 0;
}

bool
confine_calls(void)
{
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		/* The kernel copies it; the type has no const. */
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};

	if (!confine_filters())
		return true;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
