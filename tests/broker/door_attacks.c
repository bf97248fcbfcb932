/* SPDX-License-Identifier: ISC */
/*
 * Strangers at the door who mean harm, and what happens to nng without one.
 * This program is also a bare nng listener to be killed ("bare"), and a client
 * to be killed ("client").
 */
#include "tests/lib/house.h"
#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <nng/protocol/reqrep0/rep.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Attacks. Each is one connection of a stranger. */

static void
finrst(uint16_t port)
{
	int fd = guest_dial(port);

	shutdown(fd, SHUT_WR);
	guest_reset(fd);
}

static void
connect_close(uint16_t port)
{
	close(guest_dial(port));
}

static void
garbage(uint16_t port)
{
	int fd = guest_dial(port);

	guest_put(fd, "GET /%41 HTTP/1.1\r\nHost: tocsin\r\n\r\n", 36);
	close(fd);
}

static void
half_header(uint16_t port)
{
	int fd = guest_dial(port);

	guest_put(fd, "\0SP\0\0", 5);
	guest_reset(fd);
}

static void
other_protocol(uint16_t port)
{
	int fd = guest_dial(port);

	guest_put_header(fd, (enum sp_proto)0x10);
	guest_is_gone(fd);
	close(fd);
}

static void
header_reset(uint16_t port)
{
	int fd = guest_dial(port);

	guest_put_header(fd, SP_REQ);
	guest_reset(fd);
}

static void
header_finrst(uint16_t port)
{
	int fd = guest_dial(port);

	guest_put_header(fd, SP_PUB);
	shutdown(fd, SHUT_WR);
	guest_reset(fd);
}

static void
claims_16gib(uint16_t port)
{
	int fd = guest_greet(port);

	guest_put(fd, "\0\0\0\4\0\0\0\0\x80", 9);
	guest_is_gone(fd);
	close(fd);
}

static void
hop_list(uint16_t port)
{
	int fd = guest_greet(port);

	guest_put(fd, "\0\0\0\0\0\0\0\x8\0\0\0\1\x80\0\0\1", 16);
	guest_is_gone(fd);
	close(fd);
}

static void
half_frame(uint16_t port)
{
	static uint8_t bytes[8 + HOUSE_BIG];
	int fd = guest_greet(port);

	guest_put(fd, bytes, guest_request(bytes, HOUSE_BIG) / 2);
	guest_reset(fd);
}

/* Asks for more than fits into all buffers on the way, and goes. */
static void
half_answer(uint16_t port)
{
	static uint8_t bytes[8 + HOUSE_BIG];
	int fd = guest_greet(port), i;
	size_t n = guest_request(bytes, HOUSE_BIG);

	for (i = 0; i < 8; i++)
		guest_put(fd, bytes, n);
	guest_get(fd, bytes, 1000);
	guest_reset(fd);
}

/* Garbage behind requests whose answers are on their way. */
static void
race(uint16_t port)
{
	static uint8_t bytes[8 + HOUSE_BIG];
	int fd = guest_greet(port);
	size_t n = guest_request(bytes, HOUSE_BIG);

	guest_put(fd, bytes, n);
	guest_put(fd, bytes, n);
	guest_put(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	guest_is_gone(fd);
	close(fd);
}

/* clang-format off */
static const struct attack {
	const char *name;
	void (*run)(uint16_t port);
	int times;
} attacks[] = {
	{ "SYN, FIN, RST at once",            finrst,         100 },
	{ "connect and close",                connect_close,  100 },
	{ "garbage instead of a header",      garbage,        100 },
	{ "half a header and a reset",        half_header,    100 },
	{ "another protocol",                 other_protocol, 20 },
	{ "a header and a reset",             header_reset,   100 },
	{ "a header and FIN, RST",            header_finrst,  100 },
	{ "a message of 16 GiB announced",    claims_16gib,   20 },
	{ "a list of hops",                   hop_list,       20 },
	{ "half a message and a reset",       half_frame,     50 },
	{ "answers that nobody reads",        half_answer,    50 },
	{ "garbage while an answer is sent",  race,           50 },
};
/* clang-format on */

/* All three must have come before the listener looks at the first. */
static void
finrst_while_stopped(pid_t pid, uint16_t port, int times)
{
	int status;

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	while (times-- > 0)
		finrst(port);
	kill(pid, SIGCONT);
}

static void
test_attacks(struct house *h)
{
	nng_socket s = honest_dial(h->port);
	int base, i;
	size_t a;

	ok(honest_echo(s, 100), "an honest client is there");
	base = fds_of(getpid());
	finrst_while_stopped(h->pid, h->port, 50);
	ok(honest_echo(s, 100), "SYN, FIN, RST before the door looks: served");
	for (a = 0; a < sizeof(attacks) / sizeof(attacks[0]); a++) {
		for (i = 0; i < attacks[a].times; i++)
			attacks[a].run(h->port);
		ok(honest_echo(s, HOUSE_BIG), "%s, %d times: still served",
		    attacks[a].name, attacks[a].times);
	}
	ok(fds_return_to(getpid(), base), "nng frees every connection");
	nng_close(s);
	ok(house_is_empty(h), "the door has forgotten them all");
	ok(fds_return_to(h->pid, h->fds), "and closed all it opened");
	is_int((long long)house_counter(h, DOOR_held), 0, "it holds no bytes");
	s = honest_dial(h->port);
	ok(honest_echo(s, 100), "a new client is served");
	nng_close(s);
}

/* The control: what happens to nng without a door. */

static int
bare_main(void)
{
	nng_sockaddr sa;
	nng_listener l;
	nng_socket s;
	void *bytes;
	size_t n;

	if (nng_rep0_open(&s) != 0 ||
	    nng_listen(s, "tcp://127.0.0.1:0", &l, 0) != 0 ||
	    nng_listener_get_addr(l, NNG_OPT_LOCADDR, &sa) != 0)
		return 1;
	printf("%u\n", ntohs(sa.s_in.sa_port));
	fflush(stdout);
	for (;;)
		if (nng_recv(s, &bytes, &n, NNG_FLAG_ALLOC) == 0)
			nng_send(s, bytes, n, NNG_FLAG_ALLOC);
}

/*
 * A listener that is dead for nng goes on to accept and to greet, but nobody
 * reads what comes then.
 */
static bool
serves_soon(uint16_t port)
{
	struct timeval tv = { .tv_sec = 1 };
	int fd = guest_dial(port);
	bool good;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	good = guest_put_header(fd, SP_REQ) && guest_get_header(fd, SP_REP) &&
	       guest_echoes(fd, 20);
	close(fd);
	return good;
}

static void
test_bare(void)
{
	char line[16] = "";
	int out[2], i;
	uint16_t port;
	pid_t pid;

	house_must(pipe2(out, O_CLOEXEC) == 0, "pipe");
	pid = house_run_self("bare", "", out[1]);
	close(out[1]);
	house_must(read(out[0], line, sizeof(line) - 1) > 0, "a bare listener");
	close(out[0]);
	port = (uint16_t)atoi(line);
	house_must(serves_soon(port), "a bare listener that serves");
	for (i = 0; i < 5 && serves_soon(port); i++)
		finrst_while_stopped(pid, port, 1);
	if (i < 5)
		ok(true, "control: %d such connection ends nng's own listener",
		    i);
	else
		skip("this nng survives SYN, FIN, RST: no control");
	kill(pid, SIGKILL);
	house_reap(pid);
}

/* Clients that are killed in the middle of everything. */

static int
client_main(const char *port)
{
	uint8_t *big = xmalloc(HOUSE_BIG);
	nng_socket s = honest_dial((uint16_t)atoi(port));
	nng_ctx ctx[8];
	nng_aio *aio[8];
	nng_msg *msg;
	int i;

	memset(big, 'x', HOUSE_BIG);
	for (i = 0; i < 8; i++)
		if (nng_ctx_open(&ctx[i], s) != 0 ||
		    nng_aio_alloc(&aio[i], NULL, NULL) != 0)
			return 1;
	for (i = 0;; i = (i + 1) % 8) {
		if (nng_msg_alloc(&msg, 0) != 0 ||
		    nng_msg_append(msg, big, HOUSE_BIG) != 0)
			return 1;
		nng_aio_wait(aio[i]);
		nng_aio_set_msg(aio[i], msg);
		nng_ctx_send(ctx[i], aio[i]);
	}
}

static void
test_churn(struct house *h)
{
	int base, i, n = 24;
	char port[16];
	nng_socket s = honest_dial(h->port);
	pid_t pid[4];

	ok(honest_echo(s, 100), "an honest client is there");
	base = fds_of(getpid());
	snprintf(port, sizeof(port), "%u", h->port);
	for (i = 0; i < n; i++) {
		uint64_t seen = house_counter(h, DOOR_frames_in);

		pid[i % 4] = house_run_self("client", port, -1);
		house_counter_reaches(
		    h, DOOR_frames_in, seen + (uint64_t)i * 3);
		if (i >= 3) {
			kill(pid[(i + 1) % 4], SIGKILL);
			house_reap(pid[(i + 1) % 4]);
		}
	}
	for (i = n - 3; i < n; i++) {
		kill(pid[i % 4], SIGKILL);
		house_reap(pid[i % 4]);
	}
	ok(honest_echo(s, HOUSE_BIG), "%d clients killed in transfer: served",
	    n);
	ok(fds_return_to(getpid(), base), "nng frees every connection");
	nng_close(s);
	ok(house_is_empty(h) && fds_return_to(h->pid, h->fds),
	    "and so does the door");
}

int
main(int argc, char **argv)
{
	struct house h;

	if (argc > 1 && strcmp(argv[1], "bare") == 0)
		return bare_main();
	if (argc > 2 && strcmp(argv[1], "client") == 0)
		return client_main(argv[2]);
	house_begin(argc, argv);
	test_bare();
	h = house_open(house_config());
	test_attacks(&h);
	test_churn(&h);
	house_close(&h);
	return house_end();
}
