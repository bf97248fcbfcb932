/* SPDX-License-Identifier: ISC */
/*
 * The door, as a process of its own, with real nng behind it: what it serves,
 * and how it lives and dies. This program is also one that tries what a door
 * may not do ("confined").
 */
#include "broker/confine.h"
#include "tests/lib/house.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <nng/protocol/pubsub0/pub.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of /proc/PID/status; -1 without. */
static int
status_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	size_t n = strlen(key);
	int value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			value = atoi(line + n + 1);
	if (f != NULL)
		fclose(f);
	return value;
}

static void
test_confined(const struct house *h)
{
	is_int(status_of(h->pid, "NoNewPrivs"), 1,
	    "the door can't gain privileges");
	if (confine_filters())
		is_int(status_of(h->pid, "Seccomp"), 2,
		    "nor make calls that it doesn't need");
	else
		skip("no filter of system calls in this build");
}

/* Makes the calls that the filter is there for. */
static int
confined_main(void)
{
	int local, worst = 0;

	if (!confine_calls())
		return 1;
	local = socket(AF_UNIX, SOCK_STREAM, 0);
	worst |= (local < 0) << 1;
	worst |= (open("/dev/null", O_RDONLY) >= 0) << 2;
	worst |= (socket(AF_INET, SOCK_STREAM, 0) >= 0) << 3;
	worst |= (fork() >= 0) << 4;
	worst |= (kill(getppid(), 0) == 0) << 5;
	return worst;
}

static void
test_filter(void)
{
	if (confine_filters())
		is_int(
		    WEXITSTATUS(house_reap(house_run_self("confined", "", -1))),
		    0, "no file, no fork, no signal, no socket but local ones");
	else
		skip("no filter of system calls in this build");
}

static void
test_echo(struct house *h)
{
	nng_socket s = honest_dial(h->port);

	ok(honest_echo(s, 1), "a stock nng client is served through the door");
	ok(honest_echo(s, 0), "an empty request passes");
	ok(honest_echo(s, HOUSE_BIG), "60 KiB pass");
	ok(house_counter(h, DOOR_frames_in) == 3 &&
		house_counter(h, DOOR_frames_out) == 3,
	    "messages are counted");
	nng_close(s);
	ok(house_is_empty(h), "the client leaves and is forgotten");
}

/* 64 requests under way at once, several times over. */
static void
test_many_at_once(struct house *h)
{
	uint8_t out[12 + 200], in[12 + 200];
	int fd = guest_greet(h->port), i, round, good = 0;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < HOUSE_CONTEXTS; i++) {
			guest_request(out, sizeof(out) - 8);
			out[11] = (uint8_t)i;
			if (!guest_put(fd, out, sizeof(out)))
				return;
		}
		for (i = 0; i < HOUSE_CONTEXTS; i++)
			good += guest_get(fd, in, sizeof(in)) &&
				in[8] == 0x80 && in[11] < HOUSE_CONTEXTS;
	}
	is_int(
	    good, 20 * HOUSE_CONTEXTS, "64 requests at once are all answered");
	close(fd);
}

static void
test_relay(struct house *h)
{
	char url[64], bytes[64];
	size_t n = sizeof(bytes);
	nng_socket pub;
	int fd;

	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", h->port);
	house_must(nng_pub0_open(&pub) == 0 && nng_dial(pub, url, NULL, 0) == 0,
	    "nng_pub0");
	nng_send(pub, "", 0, 0);
	nng_send(pub, "frame", 5, 0);
	ok(nng_recv(house_sub, bytes, &n, 0) == 0 && n == 0,
	    "an empty relay message passes and says: still here");
	n = sizeof(bytes);
	ok(nng_recv(house_sub, bytes, &n, 0) == 0 && n == 5 &&
		memcmp(bytes, "frame", 5) == 0,
	    "a PUB that dials reaches the SUB behind the door");
	nng_close(pub);

	fd = guest_dial(h->port);
	ok(guest_put_header(fd, SP_PUB) && guest_get_header(fd, SP_SUB) &&
		guest_put(fd, "\0\0\0\0\0\0\0\2hi", 10),
	    "the door answers a PUB as a SUB");
	close(fd);
	n = sizeof(bytes);
	ok(nng_recv(house_sub, bytes, &n, 0) == 0 && n == 2,
	    "what was whole when its sender left is delivered");
}

/* Life and death. */

static void
test_no_broker(void)
{
	struct door_config cfg = house_config();
	struct house h;
	int fd;

	cfg.rpc = "/nonexistent/rpc.ipc";
	cfg.relay = "";
	h = house_open(cfg);
	fd = guest_dial(h.port);
	guest_put_header(fd, SP_REQ);
	ok(guest_is_gone(fd) && house_counter(&h, DOOR_broker_down) == 1,
	    "without a broker a client is not kept waiting");
	close(fd);
	fd = guest_dial(h.port);
	guest_put_header(fd, SP_PUB);
	ok(guest_is_gone(fd) && house_counter(&h, DOOR_refused_header) == 1,
	    "a door without a relay takes no PUB");
	close(fd);
	house_close(&h);
}

static void
test_respawn(void)
{
	struct house h = house_open(house_config());
	nng_socket s = honest_dial(h.port);
	int fd;

	ok(honest_echo(s, 100), "a client is served");
	kill(h.pid, SIGKILL);
	house_reap(h.pid);
	close(h.control);
	fd = guest_dial(h.port);
	ok(fd >= 0, "without a door the port still takes connections");
	house_spawn(&h);
	ok(guest_put_header(fd, SP_REQ) && guest_get_header(fd, SP_REP) &&
		guest_echoes(fd, 9),
	    "which the next door serves");
	ok(honest_echo(s, 100), "and the old client comes back by itself");
	close(fd);
	nng_close(s);
	kill(h.pid, SIGTERM);
	is_int(house_reap(h.pid), 0, "SIGTERM ends a door in order");
	close(h.control);
	close(h.listen);
}

static void
test_addresses(void)
{
	int fd = -1;

	ok(door_listen("[::1]:0", &fd) == TOCSIN_OK && door_port(fd) != 0,
	    "IPv6 is listened on");
	close(fd);
	ok(door_listen("127.0.0.1", &fd) == TOCSIN_EUNAVAILABLE &&
		door_listen("256.0.0.1:1", &fd) == TOCSIN_EUNAVAILABLE &&
		door_listen("", &fd) == TOCSIN_EUNAVAILABLE,
	    "what is no address is refused");
	is_str(door_counter_name(DOOR_accepted), "accepted",
	    "counters have names");
}

int
main(int argc, char **argv)
{
	struct house h;

	if (argc > 1 && strcmp(argv[1], "confined") == 0)
		return confined_main();
	house_begin(argc, argv);
	test_filter();
	h = house_open(house_config());
	test_confined(&h);
	test_echo(&h);
	test_many_at_once(&h);
	test_relay(&h);
	house_close(&h);
	test_no_broker();
	test_respawn();
	test_addresses();
	return house_end();
}
