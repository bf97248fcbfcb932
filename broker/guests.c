/* SPDX-License-Identifier: ISC */
#include "broker/guests.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN = 1000 }; /* so that a token per second is one unit per ms */

struct guest {
	struct source source;
	struct guest *next;  /* in its bucket */
	struct guest *newer; /* among those without a connection */
	struct guest *older;
	uint64_t filled; /* when `units` was right */
	uint64_t units;
	uint32_t open;
	bool vouched;
	uint64_t speed;
	uint64_t speed_at;
};

struct guests {
	struct guest_limits limits;
	uint64_t seed;
	uint32_t known;
	struct guest *oldest; /* without a connection, by the time they left */
	struct guest *newest;
	size_t mask;
	struct guest *buckets[];
};

struct guests *
guests_new(const struct guest_limits *limits, uint64_t seed)
{
	struct guests *g;
	size_t n = 64;

	while (n < limits->places)
		n *= 2;
	g = calloc(1, sizeof(*g) + n * sizeof(g->buckets[0]));
	if (g == NULL)
		return NULL;
	g->limits = *limits;
	g->seed = seed;
	g->mask = n - 1;
	return g;
}

void
guests_free(struct guests *g)
{
	struct guest *guest, *next;
	size_t i;

	if (g == NULL)
		return;
	for (i = 0; i <= g->mask; i++)
		for (guest = g->buckets[i]; guest != NULL; guest = next) {
			next = guest->next;
			free(guest);
		}
	free(g);
}

static struct guest **
bucket_of(struct guests *g, struct source s)
{
	uint64_t h = g->seed;

	h = (h ^ s.hi) * 0x9e3779b97f4a7c15u;
	h ^= h >> 32;
	h = (h ^ s.lo ^ g->seed) * 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return &g->buckets[h & g->mask];
}

static void
idle_add(struct guests *g, struct guest *guest)
{
	guest->older = g->newest;
	guest->newer = NULL;
	if (g->newest != NULL)
		g->newest->newer = guest;
	else
		g->oldest = guest;
	g->newest = guest;
}

static void
idle_remove(struct guests *g, struct guest *guest)
{
	if (guest->older != NULL)
		guest->older->newer = guest->newer;
	else
		g->oldest = guest->newer;
	if (guest->newer != NULL)
		guest->newer->older = guest->older;
	else
		g->newest = guest->older;
	guest->older = guest->newer = NULL;
}

static void
forget_oldest(struct guests *g)
{
	struct guest *guest = g->oldest, **at;

	assert(guest->open == 0);
	for (at = bucket_of(g, guest->source); *at != guest;)
		at = &(*at)->next;
	*at = guest->next;
	idle_remove(g, guest);
	free(guest);
	g->known--;
}

static void
refill(const struct guests *g, struct guest *guest, uint64_t now)
{
	uint64_t full = (uint64_t)g->limits.burst * TOKEN;
	uint64_t more = (now - guest->filled) * g->limits.rate;

	guest->units = more > full - guest->units ? full : guest->units + more;
	guest->filled = now;
}

/* Two at most each time, so that this costs nobody anything. */
static void
forget_some(struct guests *g, uint64_t now)
{
	int i;

	for (i = 0; i < 2 && g->oldest != NULL; i++) {
		refill(g, g->oldest, now);
		if (g->limits.rate > 0 &&
		    g->oldest->units < (uint64_t)g->limits.burst * TOKEN)
			break;
		forget_oldest(g);
	}
}

static struct guest *
find(struct guests *g, struct source s, uint64_t now)
{
	struct guest **at = bucket_of(g, s), *guest;

	for (guest = *at; guest != NULL; guest = guest->next)
		if (guest->source.hi == s.hi && guest->source.lo == s.lo)
			return guest;
	if (g->known >= g->limits.places) {
		if (g->oldest == NULL)
			return NULL;
		forget_oldest(g);
		at = bucket_of(g, s);
	}
	guest = calloc(1, sizeof(*guest));
	if (guest == NULL)
		return NULL;
	guest->source = s;
	guest->units = (uint64_t)g->limits.burst * TOKEN;
	guest->filled = now;
	guest->next = *at;
	*at = guest;
	idle_add(g, guest);
	g->known++;
	return guest;
}

enum guest_verdict
guests_enter(
    struct guests *g, struct source s, uint64_t now, struct guest **out)
{
	struct guest *guest;

	forget_some(g, now);
	guest = find(g, s, now);
	if (guest == NULL || guest->open >= g->limits.open)
		return GUEST_TOO_MANY;
	refill(g, guest, now);
	if (g->limits.rate > 0) {
		if (guest->units < TOKEN)
			return GUEST_TOO_FAST;
		guest->units -= TOKEN;
	}
	if (guest->open++ == 0)
		idle_remove(g, guest);
	*out = guest;
	return GUEST_WELCOME;
}

void
guests_leave(struct guests *g, struct guest *guest, uint64_t now)
{
	assert(guest->open > 0);
	if (--guest->open == 0) {
		refill(g, guest, now);
		idle_add(g, guest);
	}
}

uint32_t
guests_known(const struct guests *g)
{
	return g->known;
}

struct source
guest_source(const struct guest *guest)
{
	return guest->source;
}

void
guest_vouch(struct guest *guest)
{
	guest->vouched = true;
}

bool
guest_vouched(const struct guest *guest)
{
	return guest->vouched;
}

void
guest_set_speed(struct guest *guest, uint64_t speed, uint64_t now)
{
	if (speed == 0)
		return;
	guest->speed = speed;
	guest->speed_at = now;
}

uint64_t
guest_speed(const struct guest *guest, uint64_t now, uint64_t max_age)
{
	return now - guest->speed_at <= max_age ? guest->speed : 0;
}

struct source
source_of(const struct sockaddr_storage *addr)
{
	struct source s = { 0 };
	uint8_t b[16] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	struct rd r = rd_init(SPAN(b));

	if (addr->ss_family == AF_INET) {
		memcpy(&four, addr, sizeof(four));
		memcpy(b + 12, &four.sin_addr, 4);
	} else if (addr->ss_family == AF_INET6) {
		memcpy(&six, addr, sizeof(six));
		memcpy(b, &six.sin6_addr, 16);
	} else {
		return s;
	}
	s.hi = rd_u64(&r);
	s.lo = rd_u64(&r);
	if (s.hi != 0 || s.lo >> 32 != 0xffff)
		s.lo = 0;
	return s;
}

const char *
source_text(struct source s, char text[SOURCE_TEXT_MAX])
{
	char addr[INET6_ADDRSTRLEN] = "";
	struct in6_addr six = { 0 };
	struct in_addr four;
	int i;

	if (s.lo >> 32 == 0xffff) {
		four.s_addr = htonl((uint32_t)s.lo);
		inet_ntop(AF_INET, &four, text, SOURCE_TEXT_MAX);
		return text;
	}
	for (i = 0; i < 8; i++)
		six.s6_addr[i] = (uint8_t)(s.hi >> (56 - 8 * i));
	inet_ntop(AF_INET6, &six, addr, sizeof(addr));
	snprintf(text, SOURCE_TEXT_MAX, "%s/64", addr);
	return text;
}
