/* SPDX-License-Identifier: ISC */
/*
 * guests.h - who is at the door, by source
 *
 * A source is an IPv4 address or an IPv6 /64: what one stranger can have many
 * connections from at no cost. Each may have so many connections open, and may
 * open new ones as a bucket of tokens allows. A source without a connection is
 * forgotten when its bucket is full again, or when its place is needed: there
 * are at most `places` of them, of under 100 bytes each.
 *
 * Pure bookkeeping: the caller brings the time, in ms, which never goes back.
 */
#ifndef TOCSIN_BROKER_GUESTS_H
#define TOCSIN_BROKER_GUESTS_H

#include "crypto/wire.h"

#include <sys/socket.h>

struct guest_limits {
	uint32_t places; /* sources; more than can have a connection at once */
	uint32_t open;	 /* connections of one source */
	uint32_t rate;	 /* new ones per second; 0: any */
	uint32_t burst;
};

enum guest_verdict { GUEST_WELCOME, GUEST_TOO_MANY, GUEST_TOO_FAST };

struct source {
	uint64_t hi; /* IPv6: the prefix; IPv4: 0 */
	uint64_t lo; /* IPv6: 0; IPv4: 0xffff and the address */
};

struct guests;
struct guest;

/* NULL without memory. `seed` is random, so that collisions can't be chosen. */
struct guests *guests_new(const struct guest_limits *limits, uint64_t seed);
void guests_free(struct guests *g);

/* Counts a new connection, or says why not (no memory is TOO_MANY). */
MUST_USE enum guest_verdict guests_enter(
    struct guests *g, struct source s, uint64_t now, struct guest **guest);

/* One connection of the guest is gone; the pointer may be, too. */
void guests_leave(struct guests *g, struct guest *guest, uint64_t now);

uint32_t guests_known(const struct guests *g); /* sources remembered */

struct source guest_source(const struct guest *guest);

/* Somebody there has a key; so it stays until the source is forgotten. */
void guest_vouch(struct guest *guest);
bool guest_vouched(const struct guest *guest);

/* How fast its line is, in bytes/s; 0: not known, or not in the last max_age.
 */
void guest_set_speed(struct guest *guest, uint64_t speed, uint64_t now);
uint64_t guest_speed(const struct guest *guest, uint64_t now, uint64_t max_age);

/* IPv4 addresses in IPv6 clothes are IPv4. Other families: all zero. */
struct source source_of(const struct sockaddr_storage *addr);

/* "192.0.2.1" or "2001:db8:0:1::/64". */
#define SOURCE_TEXT_MAX 64
const char *source_text(struct source s, char text[SOURCE_TEXT_MAX]);

#endif
