/* SPDX-License-Identifier: ISC */
/*
 * loser - lets requests pass and loses answers
 *
 *	loser PORT TARGET MOST COUNT	until it is killed
 *
 * Listens on 127.0.0.1:PORT and passes what comes to TARGET there, whole SP
 * messages at a time. Of the i-th connection it loses one, number 1 + i modulo
 * MOST of those that come back: what was asked is done then, and the connection
 * ends with its answer. Nothing comes back to a PUB; there it loses one that
 * goes. It adds a byte to the file COUNT for each.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING 8
#define HEAD 8
#define MESSAGE_MAX (1 << 20)
#define PUB 0x20 /* the protocol's number in its greeting */

static struct sockaddr_in target;
static unsigned most;
static int counted;

/* One direction; message 0 is the greeting. */
struct way {
	int from, to;
	uint8_t *b;
	size_t n;
	unsigned passed;
	unsigned lose; /* this one; 0: none */
};

struct pair {
	struct way there, back;
	unsigned nth;
};

static struct sockaddr_in
local(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	return a;
}

/* Bytes of the first message in b, or 0 if it is not whole. */
static size_t
whole(const struct way *w)
{
	uint64_t n = 0;
	size_t i;

	if (w->passed == 0)
		return w->n >= GREETING ? GREETING : 0;
	if (w->n < HEAD)
		return 0;
	for (i = 0; i < HEAD; i++)
		n = n << 8 | w->b[i];
	if (n > MESSAGE_MAX - HEAD)
		abort();
	return w->n >= HEAD + n ? HEAD + n : 0;
}

static bool
send_all(int fd, const uint8_t *p, size_t n)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k) {
		k = send(fd, p, n, MSG_NOSIGNAL);
		if (k <= 0)
			return false;
	}
	return true;
}

/* False: the connection is over. */
static bool
move(struct way *w)
{
	ssize_t k = recv(w->from, w->b + w->n, MESSAGE_MAX - w->n, 0);
	size_t n;

	if (k <= 0)
		return false;
	w->n += (size_t)k;
	while ((n = whole(w)) > 0) {
		if (w->lose > 0 && w->passed == w->lose) {
			(void)!write(counted, ".", 1);
			return false;
		}
		if (!send_all(w->to, w->b, n))
			return false;
		w->passed++;
		w->n -= n;
		memmove(w->b, w->b + n, w->n);
	}
	return true;
}

static void *
serve(void *arg)
{
	struct pair *p = arg;
	struct pollfd fd[] = { { p->there.from, POLLIN, 0 },
		{ p->back.from, POLLIN, 0 } };
	bool on = true;

	while (on && poll(fd, 2, -1) > 0) {
		if (fd[0].revents != 0)
			on = move(&p->there);
		if (on && fd[1].revents != 0)
			on = move(&p->back);
	}
	close(p->there.from);
	close(p->back.from);
	free(p->there.b);
	free(p->back.b);
	free(p);
	return NULL;
}

/* The greeting says who it is, and so which way to lose. */
static bool
greet(struct pair *p)
{
	uint8_t *g = p->there.b;

	if (recv(p->there.from, g, GREETING, MSG_WAITALL) != GREETING ||
	    !send_all(p->there.to, g, GREETING))
		return false;
	p->there.passed = 1;
	if (g[5] == PUB)
		p->there.lose = 1 + p->nth % most;
	else
		p->back.lose = 1 + p->nth % most;
	return true;
}

static void *
start(void *arg)
{
	struct pair *p = arg;
	int up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	p->there.to = p->back.from = up;
	p->there.b = malloc(MESSAGE_MAX);
	p->back.b = malloc(MESSAGE_MAX);
	if (up >= 0 && p->there.b != NULL && p->back.b != NULL &&
	    connect(up, (struct sockaddr *)&target, sizeof(target)) == 0 &&
	    greet(p))
		return serve(p);
	close(p->there.from);
	if (up >= 0)
		close(up);
	free(p->there.b);
	free(p->back.b);
	free(p);
	return NULL;
}

static void
take(int fd, unsigned nth)
{
	struct pair *p = calloc(1, sizeof(*p));
	pthread_attr_t attr;
	pthread_t id;

	if (p == NULL)
		exit(1);
	p->nth = nth;
	p->there.from = p->back.to = fd;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&id, &attr, start, p) != 0)
		exit(1);
	pthread_attr_destroy(&attr);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here;
	int s, fd, yes = 1;
	unsigned nth;

	if (argc != 5)
		return 2;
	here = local(argv[1]);
	target = local(argv[2]);
	most = (unsigned)strtoul(argv[3], NULL, 10);
	counted = open(argv[4], O_WRONLY | O_CREAT | O_APPEND, 0600);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (most == 0 || counted < 0 || s < 0)
		return 1;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(s, (struct sockaddr *)&here, sizeof(here)) != 0 ||
	    listen(s, 64) != 0)
		return 1;
	for (nth = 0; (fd = accept(s, NULL, NULL)) >= 0; nth++)
		take(fd, nth);
	return 1;
}
