/* SPDX-License-Identifier: ISC */
/*
 * gate - a line that stands still where a test wants it to
 *
 *	gate PORT TARGET ORDERS	until it is killed
 *
 * Listens on 127.0.0.1:PORT and passes what comes to TARGET there, and back.
 * What the file ORDERS says counts for all that comes back: "open", all of it;
 * a number, so many bytes more, counted from when it is written, and then
 * nothing until it says something else. What stands still is not lost. A test
 * writes another file and renames it to ORDERS.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 20
#define BLOCK 4096

static struct sockaddr_in target;
static const char *orders;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat last;  /* the orders that were read */
static long long allowed; /* bytes; -1: all */

struct pair {
	int there, back;
};

static struct sockaddr_in
local(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	return a;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
read_orders(void)
{
	char text[32] = "";
	struct stat st;
	FILE *f = fopen(orders, "r");

	if (f == NULL)
		return;
	if (fstat(fileno(f), &st) == 0 && !same_file(&st, &last) &&
	    fgets(text, sizeof(text), f) != NULL) {
		last = st;
		allowed = strncmp(text, "open", 4) == 0 ? -1 : atoll(text);
	}
	fclose(f);
}

/* How many of n bytes may pass now; they are counted. */
static size_t
may_pass(size_t n)
{
	pthread_mutex_lock(&lock);
	read_orders();
	if (allowed >= 0 && (long long)n > allowed)
		n = (size_t)allowed;
	if (allowed >= 0)
		allowed -= (long long)n;
	pthread_mutex_unlock(&lock);
	return n;
}

static bool
pass(int from, int to, bool counted)
{
	uint8_t b[BLOCK];
	ssize_t got = recv(from, b, sizeof(b), MSG_PEEK);
	size_t n;

	if (got <= 0)
		return false;
	n = counted ? may_pass((size_t)got) : (size_t)got;
	if (n == 0) {
		poll(NULL, 0, LOOK_MS);
		return true;
	}
	if (recv(from, b, n, 0) != (ssize_t)n)
		return false;
	return send(to, b, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void *
serve(void *arg)
{
	struct pair *p = arg;
	struct pollfd fd[] = { { p->there, POLLIN, 0 },
		{ p->back, POLLIN, 0 } };
	bool on = true;

	while (on && poll(fd, 2, -1) > 0) {
		if (fd[0].revents != 0)
			on = pass(p->there, p->back, false);
		if (on && fd[1].revents != 0)
			on = pass(p->back, p->there, true);
	}
	close(p->there);
	close(p->back);
	free(p);
	return NULL;
}

static void
take(int fd)
{
	struct pair *p = calloc(1, sizeof(*p));
	pthread_t thread;

	if (p == NULL)
		abort();
	p->there = fd;
	p->back = socket(AF_INET, SOCK_STREAM, 0);
	if (p->back < 0 ||
	    connect(p->back, (struct sockaddr *)&target, sizeof(target)) != 0 ||
	    pthread_create(&thread, NULL, serve, p) != 0) {
		close(p->back);
		close(fd);
		free(p);
		return;
	}
	pthread_detach(thread);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: gate PORT TARGET ORDERS\n");
		return 2;
	}
	here = local(argv[1]);
	target = local(argv[2]);
	orders = argv[3];
	allowed = -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0 ||
	    listen(fd, 64) != 0) {
		perror("gate");
		return 1;
	}
	for (;;)
		take(accept(fd, NULL, NULL));
}
