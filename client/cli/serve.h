/* SPDX-License-Identifier: ISC */
/*
 * serve.h - the picture for the browsers of this machine
 *
 * A server is a risk, so it is made to have nothing: a process of its own,
 * started before any key is read, that holds the last page it was given and
 * hands that out. It is given pages through a socket pair and ends when that
 * does. It cannot read the home, ask the desk or reach the network beyond what
 * it listens on, which is an address of this machine alone: the kernel ends it
 * for any other call (serve_fence.h).
 *
 * Whoever has an account on this machine can connect there; so the page lies
 * under a path that nobody can guess, which is in the URL that is printed. A
 * request must name the address itself as its host (a name that somebody points
 * at us, "DNS rebinding", is refused), must be GET or HEAD, and is for the page
 * or for its figures, board.json. Requests are read by libmicrohttpd, which is
 * loaded when this starts: it brings a dozen libraries that no other command
 * needs.
 */
#ifndef TOCSIN_CLI_SERVE_H
#define TOCSIN_CLI_SERVE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#include <netinet/in.h>
#include <sys/types.h>

#define SERVE_URL 128
#define SERVE_TOKEN 22 /* characters: 128 bits */

struct serve_at {
	bool six;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	char host[64]; /* "127.0.0.1", "[::1]" */
	uint16_t port; /* 0: any */
};

/*
 * "127.0.0.1:8080", "[::1]:8080", "localhost", ":8080", "8080"; NULL or ""
 * takes any port of 127.0.0.1. Addresses that others can reach are refused:
 * EPERMISSIONS; what is no address is EUSAGE.
 */
enum tocsin_err MUST_USE serve_parse(struct serve_at *out, const char *typed);

struct serve {
	pid_t pid; /* 0: there is none */
	int fd;
	char url[SERVE_URL];
};

/*
 * Starts it. The caller has read no key yet and has no thread. Fails with words
 * in `why`: what is missing, or who has the port.
 */
enum tocsin_err MUST_USE serve_start(
    struct serve *s, const struct serve_at *at, char why[256]);

/* What it hands out from now on. EUNAVAILABLE: it has ended. */
struct serve_page {
	struct span html, json;
	struct span policy; /* of the page; one line */
};
enum tocsin_err MUST_USE serve_put(
    struct serve *s, const struct serve_page *page);

/* Ends it, and waits. { 0 } is ok. */
void serve_stop(struct serve *s);

/* ---- the process itself: serve_http.c ---- */

/*
 * Listens, answers on fd with "+PORT\n" or "-words\n", then takes pages from
 * there until its end. For a process that was made for this.
 */
void serve_http(int fd, const struct serve_at *at, const char *token);

/* Frames of the socket pair: three lengths, big-endian, and the bytes. */
#define SERVE_FRAME 12
#define SERVE_MAX (16 * 1024 * 1024)

#endif
