/* SPDX-License-Identifier: ISC */
/*
 * The limits of the door: time, connections, bytes, descriptors. Whoever is
 * over one goes, and nobody else.
 */
#include "tests/lib/house.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Deadlines, injected; what must happen is waited for. */

static void
test_deadlines(void)
{
	struct door_config cfg = house_config();
	uint8_t bytes[128];
	struct house h;
	int fd, i;

	cfg.header_ms = cfg.first_ms = cfg.frame_ms = cfg.idle_ms = 60;
	h = house_open(cfg);

	fd = guest_dial(h.port);
	ok(guest_is_gone(fd), "who doesn't greet is shown out");
	close(fd);
	fd = guest_dial(h.port);
	guest_put(fd, "\0SP", 3);
	ok(guest_is_gone(fd), "who greets slowly too");
	close(fd);
	ok(house_counter_reaches(&h, DOOR_late_header, 2), "and counted");

	fd = guest_greet(h.port);
	ok(guest_is_gone(fd), "who greets and is silent is shown out");
	close(fd);
	fd = guest_greet(h.port);
	for (i = 0; i < 64; i++, house_nap(), house_nap())
		if (!guest_put(
			fd, "\0\0\0\0\0\0\0\x78\x80" + (i < 8 ? i : 8), 1))
			break;
	ok(i < 64, "who drips bytes too: they buy no time");
	close(fd);
	ok(house_counter_reaches(&h, DOOR_late_first, 2), "and counted");

	fd = guest_dial(h.port);
	guest_put_header(fd, SP_PUB);
	ok(guest_get_header(fd, SP_SUB) && guest_is_gone(fd),
	    "a relay can be too quiet");
	close(fd);
	ok(house_counter_reaches(&h, DOOR_late_first, 3), "and is counted");

	fd = guest_greet(h.port);
	ok(guest_echoes(fd, 20) && guest_is_gone(fd),
	    "idle guests leave in time");
	close(fd);
	ok(house_counter_reaches(&h, DOOR_late_idle, 1), "and are counted");

	fd = guest_greet(h.port);
	guest_request(bytes, 100);
	ok(guest_echoes(fd, 20) && guest_put(fd, bytes, 50) &&
		guest_is_gone(fd),
	    "a known guest must end what he begins");
	close(fd);
	ok(house_counter_reaches(&h, DOOR_late_frame, 1), "and is counted");
	ok(house_is_empty(&h), "nobody is left");
	house_close(&h);
}

/* Answers to a client who doesn't read them. */
static void
test_stalled(void)
{
	static uint8_t bytes[8 + HOUSE_BIG];
	struct door_config cfg = house_config();
	struct house h;
	int fd, i, base = fds_of(getpid());
	size_t n = guest_request(bytes, HOUSE_BIG);
	struct timeval tv = { .tv_usec = 200000 };
	nng_socket s;

	cfg.stall_ms = 100;
	h = house_open(cfg);
	s = honest_dial(h.port);
	ok(honest_echo(s, 100), "an honest client is there");
	fd = guest_greet(h.port);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	for (i = 0; i < 4000 && guest_put(fd, bytes, n); i++)
		;
	ok(house_counter_reaches(&h, DOOR_late_stall, 1),
	    "who doesn't read is shown out (after %d requests)", i);
	ok(honest_echo(s, HOUSE_BIG), "others are served meanwhile");
	close(fd);
	nng_close(s);
	ok(house_is_empty(&h), "what nng was sending was read to its end");
	house_close(&h);
	ok(fds_return_to(getpid(), base), "nng is rid of the connection");
}

/* Limits. */

static void
test_full(void)
{
	struct door_config cfg = house_config();
	struct house h;
	uint8_t half[100];
	int known, fd[7], i, extra;

	cfg.max_conns = 4;
	h = house_open(cfg);
	known = guest_greet(h.port);
	ok(guest_has_key(known), "a guest has shown a key");
	for (i = 0; i < 5; i++)
		fd[i] = guest_greet(h.port);
	ok(guest_is_gone(fd[0]) && guest_is_gone(fd[1]),
	    "a full house shows the oldest strangers out");
	ok(guest_echoes(known, 20), "not the guest with a key, who is older");
	ok(guest_echoes(fd[2], 20) && guest_echoes(fd[3], 20) &&
		guest_echoes(fd[4], 20),
	    "nor the newer strangers, who ask");
	is_int(
	    (long long)house_counter(&h, DOOR_evicted), 2, "two were evicted");
	fd[5] = guest_greet(h.port);
	ok(guest_is_gone(fd[2]) && guest_has_key(fd[5]),
	    "but a question alone keeps no place for ever");
	ok(guest_has_key(fd[4]) &&
		guest_put(fd[3], half, guest_request(half, 50) - 1),
	    "a stranger is in the middle of another");
	fd[6] = guest_greet(h.port);
	ok(guest_is_gone(fd[3]) && guest_has_key(fd[6]),
	    "which does not keep it, either");
	extra = guest_dial(h.port);
	ok(guest_is_gone(extra), "with keys everywhere, a new one must wait");
	is_int((long long)house_counter(&h, DOOR_refused_full), 1,
	    "and is counted");
	is_int((long long)house_counter(&h, DOOR_evicted), 4, "four made room");
	close(extra);
	close(known);
	for (i = 0; i < 7; i++)
		close(fd[i]);
	ok(house_is_empty(&h), "they leave");
	house_close(&h);
}

/* A relay that nobody vouches for goes as any stranger does. */
static void
test_full_of_relays(void)
{
	struct door_config cfg = house_config();
	struct house h;
	const uint8_t empty[8] = { 0 };
	int relay, stranger, a, b;

	cfg.max_conns = 2;
	h = house_open(cfg);
	relay = guest_dial(h.port);
	ok(guest_put_header(relay, SP_PUB) && guest_get_header(relay, SP_SUB),
	    "a relay is there");
	stranger = guest_greet(h.port);
	a = guest_greet(h.port);
	ok(guest_is_gone(relay) && guest_echoes(a, 20),
	    "it makes room if it is older");
	b = guest_greet(h.port);
	ok(guest_is_gone(stranger) && guest_echoes(b, 20), "then the stranger");
	close(relay);
	close(b);
	ok(house_counter_reaches(&h, DOOR_greeted, 4) && guest_has_key(a),
	    "one shows a key");
	relay = guest_dial(h.port);
	ok(guest_put_header(relay, SP_PUB) && guest_get_header(relay, SP_SUB) &&
		guest_put(relay, empty, sizeof(empty)) &&
		house_counter_reaches(
		    &h, DOOR_frames_in, house_counter(&h, DOOR_frames_in)),
	    "a relay from there says something");
	b = guest_dial(h.port);
	ok(guest_is_gone(b) && guest_has_key(a), "and keeps its place");
	close(relay);
	close(stranger);
	close(a);
	close(b);
	ok(house_is_empty(&h), "they leave");
	house_close(&h);
}

static void
test_source_limits(void)
{
	struct door_config cfg = house_config();
	struct house h;
	int a, b, c, i;

	cfg.max_source = 2;
	h = house_open(cfg);
	a = guest_greet(h.port);
	b = guest_greet(h.port);
	c = guest_dial(h.port);
	ok(a >= 0 && b >= 0 && guest_is_gone(c),
	    "one source has so many connections and no more");
	close(c);
	close(a);
	close(b);
	ok(house_is_empty(&h), "they leave");
	c = guest_greet(h.port);
	ok(c >= 0 && house_counter(&h, DOOR_refused_source) == 1,
	    "then there is room again");
	close(c);
	house_close(&h);

	cfg = house_config();
	cfg.rate = 1;
	cfg.burst = 3;
	h = house_open(cfg);
	for (i = 0; i < 20; i++)
		close(guest_dial(h.port));
	ok(house_counter_reaches(&h, DOOR_accepted, 20) &&
		house_counter(&h, DOOR_refused_rate) >= 10,
	    "one source opens so many per second and no more");
	house_close(&h);
}

static void
test_held(void)
{
	static uint8_t bytes[8 + HOUSE_BIG];
	struct door_config cfg = house_config();
	struct house h;
	int fd[8], i;

	cfg.max_held = 256 * 1024;
	h = house_open(cfg);
	guest_request(bytes, HOUSE_BIG);
	for (i = 0; i < 8; i++) {
		fd[i] = guest_greet(h.port);
		guest_put(fd[i], bytes, HOUSE_BIG);
	}
	ok(house_counter_reaches(&h, DOOR_refused_full, 1) &&
		house_counter(&h, DOOR_held) <= cfg.max_held,
	    "unfinished messages of strangers have a common limit");
	for (i = 0; i < 8; i++)
		close(fd[i]);
	ok(house_is_empty(&h), "they leave");
	is_int((long long)house_counter(&h, DOOR_held), 0, "nothing is held");
	house_close(&h);
}

/* The door runs out of descriptors while it runs. */
static void
test_no_fds(void)
{
	struct house h = house_open(house_config());
	struct rlimit few = { (rlim_t)h.fds, 4096 }, old;
	nng_socket s;
	int fd;

	house_must(prlimit(h.pid, RLIMIT_NOFILE, NULL, &old) == 0, "prlimit");
	few.rlim_max = old.rlim_max;
	house_must(prlimit(h.pid, RLIMIT_NOFILE, &few, NULL) == 0, "prlimit");
	fd = guest_dial(h.port);
	ok(house_counter_reaches(&h, DOOR_no_fds, 2),
	    "without descriptors the door pauses and tries again");
	ok(house_counter(&h, DOOR_no_fds) < 100, "it does not spin");
	house_must(prlimit(h.pid, RLIMIT_NOFILE, &old, NULL) == 0, "prlimit");
	s = honest_dial(h.port);
	ok(honest_echo(s, 10), "when there are some again, it serves");
	nng_close(s);
	close(fd);
	house_close(&h);
}

int
main(int argc, char **argv)
{
	house_begin(argc, argv);
	test_deadlines();
	test_stalled();
	test_full();
	test_full_of_relays();
	test_source_limits();
	test_held();
	test_no_fds();
	return house_end();
}
