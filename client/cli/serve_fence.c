/* SPDX-License-Identifier: ISC */
#include "client/cli/serve_fence.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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
#define YES ANSWER(SECCOMP_RET_ALLOW)
#define END ANSWER(SECCOMP_RET_KILL_PROCESS)
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)SYS_##name, 0, 1), YES

/* A system call's number says nothing without the machine's; x32 is no. */
/* clang-format off */
static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	END,
	LOAD(nr),
	/* pages come, requests and answers */
	ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev),
	ALLOW(recvfrom), ALLOW(recvmsg), ALLOW(sendto), ALLOW(sendmsg),
	ALLOW(accept4), ALLOW(close), ALLOW(shutdown),
	ALLOW(setsockopt), ALLOW(getsockopt), ALLOW(getsockname),
	ALLOW(fcntl), ALLOW(ppoll),
#ifdef SYS_poll
	ALLOW(poll),
#endif
	/* memory, of which each thread has its own, as many as processors */
	ALLOW(sched_getaffinity), ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),
	ALLOW(mprotect), ALLOW(getrandom), ALLOW(futex),
	/* a thread that has not quite begun when the fence comes */
	ALLOW(set_robust_list),
#ifdef SYS_rseq
	ALLOW(rseq),
#endif
	/* time, signals and the end */
	ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(clock_nanosleep),
	ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn),
	ALLOW(restart_syscall), ALLOW(sched_yield), ALLOW(getpid),
	ALLOW(gettid), ALLOW(tgkill), ALLOW(exit), ALLOW(exit_group),
	/* the name of a thread */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)SYS_prctl, 0, 3),
	LOAD(args[0]),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 0, 1),
	YES,
	END,
};
/* clang-format on */

bool
serve_fence_filters(void)
{
	return ARCH != 0;
}

bool
serve_fence(void)
{
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		/* The kernel copies it; the type has no const. */
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};

	if (!serve_fence_filters())
		return true;
	tzset(); /* reads its file now, for the dates of answers */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		   SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}
