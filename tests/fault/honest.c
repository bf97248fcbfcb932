/* SPDX-License-Identifier: ISC */
/*
 * honest - how a broker serves who is honest, for as long as it runs
 *
 *	honest HOME TO PORT
 *
 * Posts a small ticket through the library and waits until the broker has
 * acknowledged it; between two of these, knocks as a newcomer would: connects
 * to PORT of 127.0.0.1, greets, asks, and takes the answer; and dials again
 * when it is cut off before that, as every client does. A line for each:
 *
 *	post MICROSECONDS ID
 *	connect MICROSECONDS DIALLED_AGAIN
 *	failed post|connect WHY
 *
 * After SIGTERM it ends when the post under way is acknowledged.
 */
#include "broker/sp.h"
#include "client/tocsin.h"
#include "crypto/buf.h"
#include "crypto/frame.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_US 20000000
#define PAUSE_US 5000

static volatile sig_atomic_t ending;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- a post ---- */

static const char *
settled(struct tocsin *t, const char *id, bool *done)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = tocsin_get(t, id, &m);

	*done = err == TOCSIN_OK && m->received != 0;
	if (err == TOCSIN_OK)
		err = m->refused;
	tocsin_message_free(m);
	return err == TOCSIN_OK ? NULL : tocsin_err_name(err);
}

static void
post(struct tocsin *t, const char *to)
{
	const char *const tos[] = { to, NULL };
	struct tocsin_draft d = { .kind = "report",
		.to = tos,
		.tlp = "GREEN",
		.precedence = "routine",
		.subject = "Beside strangers" };
	int64_t began = now_us();
	char id[TOCSIN_ID_TEXT];
	const char *why = NULL;
	bool done = false;
	enum tocsin_err err = tocsin_post(t, &d, id);

	if (err != TOCSIN_OK)
		why = tocsin_err_name(err);
	while (!why && !done) {
		why = settled(t, id, &done);
		if (!why && !done && now_us() - began > PATIENCE_US)
			why = "patience";
		if (!why && !done)
			usleep(1000);
	}
	if (why)
		printf("failed post %s %s\n", why, tocsin_error(t));
	else
		printf("post %" PRId64 " %s\n", now_us() - began, id);
}

/* ---- a newcomer ---- */

static bool
get_all(int fd, size_t n)
{
	uint8_t block[256];

	while (n > 0) {
		ssize_t got =
		    recv(fd, block, n < sizeof(block) ? n : sizeof(block), 0);

		if (got <= 0)
			return false;
		n -= (size_t)got;
	}
	return true;
}

static const char *
knock(int fd, const struct sockaddr_in *at)
{
	struct timeval patience = { .tv_sec = PATIENCE_US / 1000000 };
	uint8_t head[8] = { 0, 'S', 'P', 0, 0, SP_REQ, 0, 0 };
	struct buf b = { 0 };
	const char *why = NULL;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* A request of a session that the broker has not: an error frame. */
	buf_add(&b, SPAN(head));
	buf_u64(&b, 4 + FRAME_HEAD + 16);
	buf_u32(&b, 0x80000001);
	buf_u8(&b, FRAME_VERSION);
	buf_u8(&b, FRAME_TRANSPORT);
	memset(buf_grow(&b, FRAME_SESSION), 1, FRAME_SESSION);
	buf_u64(&b, 1);
	memset(buf_grow(&b, 16), 0, 16);
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0)
		why = "refused";
	else if (send(fd, b.p, b.n, MSG_NOSIGNAL) != (ssize_t)b.n)
		why = "cut";
	else if (!get_all(fd, 8))
		why = "no greeting";
	else if (!get_all(fd, 8 + 4 + FRAME_HEAD + 6))
		why = "no answer";
	buf_release(&b);
	return why;
}

static const char *
dial(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *why = "socket";

	if (fd >= 0) {
		why = knock(fd, at);
		close(fd);
	}
	return why;
}

static void
newcomer(const struct sockaddr_in *at)
{
	int64_t began = now_us();
	const char *why = dial(at);
	unsigned again = 0;

	while (why && now_us() - began < PATIENCE_US) {
		again++;
		usleep(1000);
		why = dial(at);
	}
	if (why)
		printf("failed connect %s, dialled %u times\n", why, again + 1);
	else
		printf("connect %" PRId64 " %u\n", now_us() - began, again);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct tocsin *t = NULL;
	enum tocsin_err err;

	if (argc != 4) {
		fputs("usage: honest HOME TO PORT\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_term);
	at.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	err = tocsin_open(&t, argv[1], NULL);
	if (err != TOCSIN_OK) {
		fprintf(
		    stderr, "honest: %s: %s\n", argv[1], tocsin_err_name(err));
		return 1;
	}
	while (!ending) {
		post(t, argv[2]);
		newcomer(&at);
		usleep(PAUSE_US);
	}
	tocsin_close(t);
	return 0;
}
