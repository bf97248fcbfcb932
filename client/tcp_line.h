/* SPDX-License-Identifier: ISC */
/*
 * tcp_line.h - what TCP needs not find out again
 *
 * BBR, which a thin line needs because losses there mean nothing, has three
 * habits that cost much of one:
 *
 * A new connection looks for the speed by sending ever more, until it has
 * filled the line's queue and lost a quarter of it all. That we spare a line
 * that we know: until it has found the speed, a new connection is a little
 * slower than the last one has come to be, so that the queue becomes shorter.
 *
 * Every ten seconds it stops for two round trips to see how long the line is;
 * of a line of 200 ms that is a twenty-fifth. Where it can be seen anyhow,
 * because little waits in the queue, it is made to begin anew before, with the
 * speed and the shortest round trip that it knows.
 *
 * Of a connection that carries a message now and then it comes to believe that
 * the line is no faster than that, and sends the next one in small pieces, over
 * half a second. There it begins anew with the message.
 *
 * All of it is a wish: where the kernel has another congestion control, or
 * another idea, nothing changes. Times are in ms of a steady clock.
 */
#ifndef TOCSIN_CLIENT_TCP_LINE_H
#define TOCSIN_CLIENT_TCP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_LINE_KNOWN_MS 60000 /* that a speed holds when nothing is sent */

/* { 0 }: nothing is known. It outlasts the connections. */
struct tcp_line {
	uint64_t speed; /* bytes/s; 0: not known */
	int64_t speed_at;
	bool young; /* the connection is slower than that, by a little */
	int64_t fresh_until; /* before it would stop */
};

/* There is a new connection; and, before it is closed, there was one. */
void tcp_line_begin(struct tcp_line *l, int fd, int64_t now);
void tcp_line_end(struct tcp_line *l, int fd, int64_t now);

/*
 * To be called again and again while there is much to send; when it is time
 * again.
 */
int64_t tcp_line_look(struct tcp_line *l, int fd, int64_t now);

/* So much has been sent over a connection that carries little. */
void tcp_line_little(int fd, size_t n);

#endif
