/* SPDX-License-Identifier: ISC */
#include "broker/guests.h"
#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct source
source(const char *address)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
		memcpy(&ss, &four, sizeof(four));
	else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1)
		memcpy(&ss, &six, sizeof(six));
	return source_of(&ss);
}

static bool
same(const char *a, const char *b)
{
	return memcmp(&(struct source[]){ source(a) },
		   &(struct source[]){ source(b) }, sizeof(struct source)) == 0;
}

static void
test_sources(void)
{
	char text[SOURCE_TEXT_MAX];

	ok(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
	    "an IPv6 /64 is one source");
	ok(!same("2001:db8:0:1::1", "2001:db8:0:2::1"), "two are two");
	ok(same("192.0.2.1", "::ffff:192.0.2.1"),
	    "an IPv4 address in IPv6 clothes is itself");
	ok(!same("192.0.2.1", "192.0.2.2"), "IPv4 addresses are sources");
	ok(!same("::1", "::ffff:0.0.0.1"), "the IPv6 loopback is not IPv4");
	is_str(source_text(source("192.0.2.1"), text), "192.0.2.1", "IPv4");
	is_str(source_text(source("2001:db8:0:1::7"), text),
	    "2001:db8:0:1::/64", "IPv6");
}

static void
test_open(void)
{
	struct guest_limits limits = { 10, 2, 0, 0 };
	struct guests *g = guests_new(&limits, 1);
	struct guest *a, *b, *c;

	ok(guests_enter(g, source("10.0.0.1"), 0, &a) == GUEST_WELCOME &&
		guests_enter(g, source("10.0.0.1"), 0, &b) == GUEST_WELCOME,
	    "a source may have two");
	ok(guests_enter(g, source("10.0.0.1"), 0, &c) == GUEST_TOO_MANY,
	    "and no third");
	ok(guests_enter(g, source("10.0.0.2"), 0, &c) == GUEST_WELCOME,
	    "another source is not concerned");
	guests_leave(g, a, 0);
	ok(guests_enter(g, source("10.0.0.1"), 0, &a) == GUEST_WELCOME,
	    "when one has left there is room");
	guests_free(g);
}

static int
enter_all(struct guests *g, struct source s, uint64_t now)
{
	struct guest *guest;
	int n = 0;

	for (; guests_enter(g, s, now, &guest) == GUEST_WELCOME; n++)
		guests_leave(g, guest, now);
	return n;
}

static void
test_rate(void)
{
	struct guest_limits limits = { 10, 1000, 4, 8 };
	struct guests *g = guests_new(&limits, 1);
	struct source s = source("10.0.0.1");

	is_int(enter_all(g, s, 1000), 8, "a burst of 8");
	is_int(enter_all(g, s, 1249), 0, "then none for a quarter second");
	is_int(enter_all(g, s, 1250), 1, "then one");
	is_int(enter_all(g, s, 2250), 4, "four in a second");
	is_int(enter_all(g, s, 99999), 8, "never more than the burst");
	guests_free(g);
}

static void
test_bounded(void)
{
	struct guest_limits limits = { 100, 10, 4, 8 };
	struct guests *g = guests_new(&limits, 1);
	struct guest *guest, *kept;
	struct source s = source("10.0.0.1");
	unsigned i, welcome = 0;

	if (guests_enter(g, s, 0, &kept) != GUEST_WELCOME)
		return;
	for (i = 0; i < 10000; i++) {
		s.lo++;
		if (guests_enter(g, s, 1, &guest) == GUEST_WELCOME) {
			welcome++;
			guests_leave(g, guest, 1);
		}
	}
	is_int(guests_known(g), 100, "10,000 sources don't take more places");
	is_int(welcome, 10000, "and all were served");
	s = guest_source(kept);
	ok(s.lo == source("10.0.0.1").lo, "who is inside is not forgotten");
	s = source("2001:db8::1");
	for (i = 0; i < 100; i++)
		if (guests_enter(g, s, 100000, &guest) == GUEST_WELCOME)
			guests_leave(g, guest, 100000);
	ok(guests_known(g) <= 2, "in time, those who left are");
	guests_free(g);
}

static void
test_speed(void)
{
	struct guest_limits limits = { 100, 10, 0, 0 };
	struct guests *g = guests_new(&limits, 1);
	struct guest *one, *again, *other;

	if (guests_enter(g, source("10.0.0.1"), 0, &one) != GUEST_WELCOME ||
	    guests_enter(g, source("10.0.0.1"), 0, &again) != GUEST_WELCOME ||
	    guests_enter(g, source("10.0.0.2"), 0, &other) != GUEST_WELCOME)
		abort();
	is_int((long long)guest_speed(one, 0, 60), 0,
	    "of a new source the speed is not known");
	guest_set_speed(one, 375000, 1000);
	guest_set_speed(one, 0, 1050);
	is_int((long long)guest_speed(again, 1060, 60), 375000,
	    "what one of its connections saw holds for another");
	is_int((long long)guest_speed(again, 1061, 60), 0, "for a time");
	is_int((long long)guest_speed(other, 1060, 60), 0,
	    "and not for another source");
	guests_free(g);
}

/* With every place taken by someone inside, a new source must wait. */
static void
test_full(void)
{
	struct guest_limits limits = { 3, 10, 0, 0 };
	struct guests *g = guests_new(&limits, 1);
	struct source s = source("10.0.0.1");
	struct guest *guest;
	int i;

	for (i = 0; i < 3; i++, s.lo++)
		if (guests_enter(g, s, 0, &guest) != GUEST_WELCOME)
			break;
	ok(i == 3 && guests_enter(g, s, 0, &guest) == GUEST_TOO_MANY,
	    "no place is taken from one who is inside");
	guests_leave(g, guest, 0);
	ok(guests_enter(g, s, 0, &guest) == GUEST_WELCOME,
	    "one who has left makes room");
	guests_free(g);
}

int
main(void)
{
	test_sources();
	test_open();
	test_rate();
	test_bounded();
	test_full();
	test_speed();
	return tap_done();
}
