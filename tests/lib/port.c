/* SPDX-License-Identifier: ISC */
#include "tests/lib/port.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define FROM 15000
#define COUNT 15000

static bool
nobody_listens(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool good;

	if (fd < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	good = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return good;
}

uint16_t
port_of_ours(void)
{
	uint16_t port;

	do {
		if (getrandom(&port, sizeof(port), 0) != sizeof(port))
			abort();
		port = FROM + port % COUNT;
	} while (!nobody_listens(port));
	return port;
}
