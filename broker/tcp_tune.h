/* SPDX-License-Identifier: ISC */
/*
 * tcp_tune.h - how a TCP connection to or from another broker behaves
 *
 * By itself TCP waits longer and longer before it tries again over a line that
 * was cut: after ten seconds it may notice only two seconds later that the line
 * is back. Where Linux can (6.15 and later) it is told to try each second. It
 * gives up a connection over which nothing was acknowledged for half a minute,
 * and it uses a congestion control that does not take loss for congestion, if
 * there is one: on a line that loses 2 %, cubic fills a sixth of 3 Mbit/s.
 *
 * Everything here is a wish: what the kernel does not know it refuses, and the
 * connection works as before.
 */
#ifndef TOCSIN_BROKER_TCP_TUNE_H
#define TOCSIN_BROKER_TCP_TUNE_H

#include <stdbool.h>

#define TCP_TUNE_GIVE_UP_MS 30000

/* A socket, connected or to be; a listener hands it down to what it accepts. */
void tcp_tune(int fd);

/* Can this kernel be told to try each second? */
bool tcp_tune_tries_often(void);

/* What was not sent when it is closed is not sent any more. */
void tcp_tune_forget(int fd);

struct sockaddr_storage;

/*
 * Our socket between these two addresses, -1 if there is none. For sockets that
 * a library made and does not show; the caller does not own it.
 */
int tcp_tune_find(const struct sockaddr_storage *local,
    const struct sockaddr_storage *remote);

/* Whether a descriptor is that one. */
bool tcp_tune_is(int fd, const struct sockaddr_storage *local,
    const struct sockaddr_storage *remote);

#endif
