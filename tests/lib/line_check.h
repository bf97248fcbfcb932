/* SPDX-License-Identifier: ISC */
/*
 * line_check.h - the checks of tcp_line.h, which client and broker each have
 *
 * Included behind one of the two. A connection over loopback, with a thread
 * that reads; the time is the test's own. Without BBR there is nothing to see.
 */
#ifndef TOCSIN_TESTS_LINE_CHECK_H
#define TOCSIN_TESTS_LINE_CHECK_H

#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 5000 /* at most, until BBR has found the speed */
#define TRIES 20
#define MUCH 65536
#define LITTLE 32768
#define CRUMB 1000
#define SLOW 4000000 /* bytes/s */
#define SEEKS 512    /* the least gain with which BBR seeks the speed */

struct pair {
	int listener, from, to;
	pthread_t reader;
};

static void *
read_all(void *arg)
{
	static uint8_t block[65536];
	const int *fd = arg;

	while (read(*fd, block, sizeof(block)) > 0)
		;
	return NULL;
}

static void
pair_open(struct pair *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	p->listener = socket(AF_INET, SOCK_STREAM, 0);
	p->from = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(p->listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(p->listener, 1) != 0 ||
	    getsockname(p->listener, (struct sockaddr *)&a, &len) != 0)
		abort();
	(void)setsockopt(p->from, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
	if (connect(p->from, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    (p->to = accept(p->listener, NULL, NULL)) < 0 ||
	    pthread_create(&p->reader, NULL, read_all, &p->to) != 0)
		abort();
}

static void
pair_close(struct pair *p)
{
	close(p->from);
	pthread_join(p->reader, NULL);
	close(p->to);
	close(p->listener);
}

/* 0: it may be as fast as it likes. */
static uint64_t
limit_of(int fd)
{
	uint64_t limit = 0;
	socklen_t len = sizeof(limit);

	if (getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &limit, &len) != 0)
		return 0;
	return limit == UINT64_MAX ? 0 : limit;
}

/* BBR's gain in 256ths; 0: it is another congestion control. */
static uint32_t
gain_of(int fd)
{
	union tcp_cc_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_CC_INFO, &info, &len) != 0 ||
	    len != sizeof(info.bbr))
		return 0;
	return info.bbr.bbr_pacing_gain;
}

static bool
is_bbr(int fd)
{
	char name[16] = "";
	socklen_t len = sizeof(name) - 1;

	return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 &&
	       strcmp(name, "bbr") == 0;
}

/* Until all is acknowledged that was sent. */
static void
drain(int fd)
{
	int left = 1;

	while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
		sched_yield();
}

/* Sends so many bytes at a time, and looks, until that is so. */
static bool
send_until(struct pair *p, size_t n, struct tcp_line *l, int64_t now,
    bool (*done)(const struct tcp_line *l, int fd))
{
	static const uint8_t block[MUCH];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (write(p->from, block, n) < 0)
			return false;
		if (n < MUCH)
			drain(p->from);
		(void)tcp_line_look(l, p->from, now);
		if (done(l, p->from))
			return true;
	}
	return false;
}

static bool
knows(const struct tcp_line *l, int fd)
{
	(void)fd;
	return l->speed > 0;
}

static bool
is_free(const struct tcp_line *l, int fd)
{
	(void)l;
	return limit_of(fd) == 0;
}

static bool
is_limited(const struct tcp_line *l, int fd)
{
	return l->speed > 0 && limit_of(fd) == l->speed - l->speed / 16;
}

/*
 * On a connection of its own: free after a start at the known speed, and 9 s
 * later limited again. On a busy machine a round trip can take many times the
 * shortest that there was, and then nothing is begun anew: rightly so, and the
 * next connection is looked at.
 */
static bool
begins_anew(struct tcp_line *l, int64_t *now)
{
	struct pair p;
	bool anew;
	int tries;

	for (tries = 0, anew = false; tries < TRIES && !anew; tries++) {
		pair_open(&p);
		tcp_line_begin(l, p.from, *now);
		anew = send_until(&p, MUCH, l, *now, is_free);
		*now += 9000;
		anew = anew && send_until(&p, LITTLE, l, *now, is_limited) &&
		       is_bbr(p.from) &&
		       send_until(&p, MUCH, l, *now, is_free) &&
		       gain_of(p.from) > 0;
		tcp_line_end(l, p.from, *now);
		pair_close(&p);
	}
	return anew;
}

static bool
has_found(const struct tcp_line *l, int fd)
{
	(void)l;
	return gain_of(fd) > 0 && gain_of(fd) < SEEKS;
}

static void
set_pace(int fd, uint64_t most)
{
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_MAX_PACING_RATE, &most, sizeof(most));
}

/* So that it is soon drained. */
static void
hold_some(int fd)
{
	const int n = 4 * MUCH;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

/*
 * BBR has come to believe in SLOW bytes a second, and a crumb is sent: alone or
 * behind much. Whether it seeks the speed again. On a busy machine a round trip
 * may take longer than the crumb, and then it need not.
 */
static bool
seeks_again(bool alone, int tries)
{
	static const uint8_t block[MUCH];
	struct tcp_line l = { 0 };
	struct pair p;
	bool again = false;

	for (; tries > 0 && !again; tries--) {
		pair_open(&p);
		set_pace(p.from, SLOW);
		hold_some(p.from);
		if (send_until(&p, MUCH, &l, 0, has_found)) {
			drain(p.from);
			set_pace(p.from, UINT64_MAX);
			if (write(p.from, block, alone ? CRUMB : MUCH) > 0)
				tcp_line_little(p.from, CRUMB);
			again = !has_found(&l, p.from) && is_bbr(p.from);
		}
		pair_close(&p);
	}
	return again;
}

static void
line_checks(void)
{
	struct tcp_line l = { 0 };
	struct pair p;
	int64_t now = 1000000;

	pair_open(&p);
	if (!is_bbr(p.from)) {
		skip("BBR is not to be had here");
		pair_close(&p);
		return;
	}
	tcp_line_begin(&l, p.from, now);
	ok(limit_of(p.from) == 0, "of a first connection nothing is known");
	ok(send_until(&p, MUCH, &l, now, knows), "then its speed is");
	tcp_line_end(&l, p.from, now);
	pair_close(&p);

	now += TCP_LINE_KNOWN_MS;
	pair_open(&p);
	tcp_line_begin(&l, p.from, now);
	ok(is_limited(&l, p.from), "the next one does not go beyond it");
	ok(send_until(&p, MUCH, &l, now, is_free),
	    "until it has found its own");
	tcp_line_end(&l, p.from, now);
	pair_close(&p);
	ok(begins_anew(&l, &now),
	    "before it would stop to measure it begins anew, as fast, and goes "
	    "on with the congestion control that it had");

	ok(seeks_again(true, TRIES),
	    "a message on an idle line is not sent as slowly as the last ones");
	ok(!seeks_again(false, 1), "one behind others is");

	now += TCP_LINE_KNOWN_MS + 1;
	pair_open(&p);
	tcp_line_begin(&l, p.from, now);
	ok(limit_of(p.from) == 0, "what is known is forgotten in time");
	pair_close(&p);
}

#endif
