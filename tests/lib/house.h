/* SPDX-License-Identifier: ISC */
/*
 * house.h - a door, what stands behind it, and who comes to it
 *
 * The door is a process of its own, as in life: the program that includes this
 * is also that process, so house_begin() comes first in main(), and does not
 * return there. Behind the door is an nng socket that echoes requests, and one
 * that hears what is published. Guests write and read bytes themselves; an
 * honest client is stock nng.
 *
 * What must happen is waited for, for HOUSE_PATIENCE_MS at most.
 */
#ifndef TOCSIN_TESTS_LIB_HOUSE_H
#define TOCSIN_TESTS_LIB_HOUSE_H

#include "broker/door.h"
#include "broker/sp.h"

#include <nng/nng.h>
#include <sys/types.h>

enum {
	HOUSE_PATIENCE_MS = 15000,
	HOUSE_CONTEXTS = 64, /* of the echo */
	HOUSE_BIG = 60 * 1024,
};

struct house {
	struct door_config cfg;
	int listen;
	int control;
	pid_t pid;
	uint16_t port;
	int fds; /* of the door, when nobody was there */
};

extern char house_rpc[DOOR_PATH_MAX]; /* where nng listens */
extern char house_relay[DOOR_PATH_MAX];
extern nng_socket house_sub;

void house_begin(int argc, char **argv);
int house_end(void); /* what main() returns */

/* Without limits on rates; on a port that is free. */
struct door_config house_config(void);
struct house house_open(struct door_config cfg);
void house_close(struct house *h); /* a check: its door ends */
void house_spawn(struct house *h); /* another door in place of one that died */

uint64_t house_counter(const struct house *h, enum door_counter which);
bool house_counter_reaches(
    const struct house *h, enum door_counter which, uint64_t want);
bool house_is_empty(const struct house *h);

/* This program once more, with two arguments; `out` < 0: the same stdout. */
pid_t house_run_self(const char *what, const char *arg, int out);
int house_reap(pid_t pid); /* its status, when it has ended */

int fds_of(pid_t pid);
bool fds_return_to(pid_t pid, int base);

/* Ends the program with errno if it is not good. */
void house_must(bool good, const char *what);
void house_nap(void);

/* ---- guests; -1 or false: the door ends it, or says nothing ---- */

int guest_dial(uint16_t port);
int guest_greet(uint16_t port); /* and both say what they are */
bool guest_put(int fd, const void *bytes, size_t n);
bool guest_put_header(int fd, enum sp_proto proto);
bool guest_get(int fd, void *bytes, size_t n);
bool guest_get_header(int fd, uint16_t want);
void guest_reset(int fd);

/* The other side has closed or reset; false if it does neither in time. */
bool guest_is_gone(int fd);

/* A request of n bytes: prefix, id, zeros. Its size. */
size_t guest_request(uint8_t *out, size_t n);
bool guest_echoes(int fd, size_t n);

/* As a broker answers one with a key; the echo says it for us. */
bool guest_has_key(int fd);

/* ---- an honest client ---- */

nng_socket honest_dial(uint16_t port);
bool honest_echo(nng_socket s, size_t n);

#endif
