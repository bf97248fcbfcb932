/* SPDX-License-Identifier: ISC */
#include "broker/tcp_tune.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.15; a kernel that does not know the number refuses it. */
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

enum { IDLE_S = 10, EVERY_S = 5, TRIES = 3, TRY_MS = 1000 };

static void
set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void
tcp_tune(int fd)
{
	static const char bbr[] = "bbr";

	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, EVERY_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, TRIES);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_TUNE_GIVE_UP_MS);
	set(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, TRY_MS);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, bbr, sizeof(bbr) - 1);
}

bool
tcp_tune_tries_often(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int value = TRY_MS;
	bool can;

	if (fd < 0)
		return false;
	can = setsockopt(
		  fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &value, sizeof(value)) == 0;
	close(fd);
	return can;
}

void
tcp_tune_forget(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}

bool
tcp_tune_is(int fd, const struct sockaddr_storage *local,
    const struct sockaddr_storage *remote)
{
	struct sockaddr_storage a, b;
	socklen_t na = sizeof(a), nb = sizeof(b);

	return getsockname(fd, (struct sockaddr *)&a, &na) == 0 &&
	       same_address(&a, local) &&
	       getpeername(fd, (struct sockaddr *)&b, &nb) == 0 &&
	       same_address(&b, remote);
}

int
tcp_tune_find(
    const struct sockaddr_storage *local, const struct sockaddr_storage *remote)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	int found = -1;

	while (dir && found < 0 && (e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] != '.' && tcp_tune_is(fd, local, remote))
			found = fd;
	}
	if (dir)
		closedir(dir);
	return found;
}
