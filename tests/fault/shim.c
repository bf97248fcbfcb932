/* SPDX-License-Identifier: ISC */
/*
 * shim - make the n-th call of a kind fail
 *
 * Preloaded (LD_PRELOAD=shim.so). FAULT_CALL names the kind, FAULT_N which call
 * of it in this process fails, counted from 1, and FAULT_HOW how: a name of
 * errno(3), or `short`, which writes half of what it was given. FAULT_LOG gets
 * one line when it has happened; a run whose log stays empty made fewer calls.
 * Only the one call fails: the disk has room again, the memory was given back.
 *
 *	write		write, pwrite, writev, pwritev
 *	sync		fsync, fdatasync
 *	open		open, openat
 *	size		ftruncate, fallocate, posix_fallocate
 *	rename		rename, renameat, renameat2
 *	alloc		malloc, calloc, realloc, posix_memalign
 *	mmap		mmap
 *	read		read, pread
 *	send		send, sendmsg
 *	socket		socket, accept4, pipe2, eventfd
 *	thread		pthread_create
 *
 * Writes to standard output and standard error count as any other. The
 * transport library and the C library are not what is tested: an allocation, a
 * mapping or a thread of theirs is not counted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

enum { SHORT = -1 };

static const struct {
	const char *name;
	int err;
} hows[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "ENOMEM", ENOMEM },
	{ "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "EINTR", EINTR },
	{ "EAGAIN", EAGAIN }, { "EACCES", EACCES },
	{ "ECONNRESET", ECONNRESET }, { "EDQUOT", EDQUOT },
	{ "short", SHORT } };

static const char *kind;
static unsigned long nth;
static int how, log_fd = -1;
static atomic_ulong calls;

/* Where the libraries lie whose own business is left alone. */
static struct range {
	uintptr_t from, to;
} foreign[8];
static unsigned nforeign;

static int
note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range r = { UINTPTR_MAX, 0 };
	int i;

	(void)size;
	(void)arg;
	if (strstr(info->dlpi_name, "/libnng") == NULL &&
	    strstr(info->dlpi_name, "/libc.so") == NULL &&
	    strstr(info->dlpi_name, "/ld-linux") == NULL)
		return 0;
	for (i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (at < r.from)
			r.from = at;
		if (at + info->dlpi_phdr[i].p_memsz > r.to)
			r.to = at + info->dlpi_phdr[i].p_memsz;
	}
	if (nforeign < sizeof(foreign) / sizeof(foreign[0]))
		foreign[nforeign++] = r;
	return 0;
}

static __attribute__((constructor)) void
begin(void)
{
	const char *k = getenv("FAULT_CALL"), *n = getenv("FAULT_N"),
		   *h = getenv("FAULT_HOW"), *l = getenv("FAULT_LOG");
	size_t i;

	if (!k || !n || !h || !l)
		return;
	for (i = 0; i < sizeof(hows) / sizeof(hows[0]); i++)
		if (strcmp(h, hows[i].name) == 0)
			how = hows[i].err;
	nth = strtoul(n, NULL, 10);
	log_fd = (int)syscall(SYS_openat, AT_FDCWD, l,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dl_iterate_phdr(note_object, NULL);
	kind = k;
}

static bool
ours(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	unsigned i;

	for (i = 0; i < nforeign; i++)
		if (at >= foreign[i].from && at < foreign[i].to)
			return false;
	return true;
}

/* Whether this call of the kind k is the one; sets errno then. */
static bool
hit(const char *k)
{
	static const char said[] = "hit\n";

	if (kind == NULL || strcmp(k, kind) != 0 ||
	    atomic_fetch_add(&calls, 1) + 1 != nth)
		return false;
	syscall(SYS_write, log_fd, said, sizeof(said) - 1);
	errno = how;
	return true;
}

static void *
real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* ---- files ---- */

PUBLIC ssize_t
write(int fd, const void *p, size_t n)
{
	if (hit("write")) {
		if (how != SHORT)
			return -1;
		n = (n + 1) / 2;
	}
	return syscall(SYS_write, fd, p, n);
}

PUBLIC ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (hit("write")) {
		if (how != SHORT)
			return -1;
		n = (n + 1) / 2;
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

PUBLIC ssize_t
pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

/* Half of a vector is half of its first part. */
PUBLIC ssize_t
writev(int fd, const struct iovec *v, int n)
{
	if (hit("write")) {
		if (how != SHORT)
			return -1;
		return syscall(
		    SYS_write, fd, v[0].iov_base, (v[0].iov_len + 1) / 2);
	}
	return syscall(SYS_writev, fd, v, n);
}

PUBLIC ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	if (hit("write")) {
		if (how != SHORT)
			return -1;
		return syscall(SYS_pwrite64, fd, v[0].iov_base,
		    (v[0].iov_len + 1) / 2, at);
	}
	return syscall(SYS_pwritev, fd, v, n, at, 0);
}

PUBLIC ssize_t
pwritev64(int fd, const struct iovec *v, int n, off_t at)
{
	return pwritev(fd, v, n, at);
}

#define PASS(type, name, params, args, what)                      \
	PUBLIC type name params                                   \
	{                                                         \
		type(*next) params = (type(*) params)real(#name); \
                                                                  \
		return hit(what) ? -1 : next args;                \
	}

PASS(int, fsync, (int fd), (fd), "sync")
PASS(int, fdatasync, (int fd), (fd), "sync")
PASS(int, ftruncate, (int fd, off_t n), (fd, n), "size")
PASS(int, ftruncate64, (int fd, off_t n), (fd, n), "size")
PASS(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
    "size")
PASS(int, fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n),
    "size")
PASS(int, rename, (const char *a, const char *b), (a, b), "rename")
PASS(int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b),
    "rename")
PASS(int, renameat2, (int x, const char *a, int y, const char *b, unsigned f),
    (x, a, y, b, f), "rename")
PASS(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at),
    "read")
PASS(ssize_t, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at),
    "read")
PASS(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), "read")

#define OPEN(name, params, at)                                          \
	PUBLIC int name params                                          \
	{                                                               \
		mode_t mode = 0;                                        \
		va_list ap;                                             \
                                                                        \
		if ((flags & (O_CREAT | O_TMPFILE)) != 0) {             \
			va_start(ap, flags);                            \
			mode = va_arg(ap, mode_t);                      \
			va_end(ap);                                     \
		}                                                       \
		if (hit("open"))                                        \
			return -1;                                      \
		return (int)syscall(SYS_openat, at, path, flags, mode); \
	}

OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir, const char *path, int flags, ...), dir)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)

/* ---- sockets ---- */

PASS(ssize_t, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f),
    "send")
PASS(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f),
    "send")
PASS(int, socket, (int d, int t, int p), (d, t, p), "socket")
PASS(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f),
    (fd, a, n, f), "socket")
PASS(int, pipe2, (int fds[2], int f), (fds, f), "socket")
PASS(int, eventfd, (unsigned v, int f), (v, f), "socket")

/* ---- memory and threads ---- */

PUBLIC void *
mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	if (ours(CALLER) && hit("mmap"))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, n, prot, flags, fd, off);
}

PUBLIC int
pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *p)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *) = (int (*)(pthread_t *, const pthread_attr_t *,
	    void *(*)(void *), void *))real("pthread_create");

	return ours(CALLER) && hit("thread") ? how : next(t, a, f, p);
}

/*
 * glibc's own names for its allocator, so that no dlsym() is needed, which
 * allocates. With a sanitizer, whose allocator is another, these are left out:
 * -DNO_ALLOC.
 */
#ifndef NO_ALLOC
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t m, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

PUBLIC void *
malloc(size_t n)
{
	return ours(CALLER) && hit("alloc") ? NULL : __libc_malloc(n);
}

PUBLIC void *
calloc(size_t m, size_t n)
{
	return ours(CALLER) && hit("alloc") ? NULL : __libc_calloc(m, n);
}

PUBLIC void *
realloc(void *p, size_t n)
{
	return ours(CALLER) && hit("alloc") ? NULL : __libc_realloc(p, n);
}

PUBLIC int
posix_memalign(void **out, size_t align, size_t n)
{
	void *p =
	    ours(CALLER) && hit("alloc") ? NULL : __libc_memalign(align, n);

	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}
#endif
