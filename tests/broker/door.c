/* SPDX-License-Identifier: ISC */
/*
 * The door, as a process of its own, with real nng behind it and with a broker
 * of our own that looks at every byte. This program is also that process
 * ("door"), a bare nng listener to be killed ("bare"), a client to be killed
 * ("client"), and one that tries what a door may not do ("confined").
 */
#include "broker/door.h"
#include "broker/confine.h"
#include "broker/log.h"
#include "broker/sp.h"
#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	PATIENCE_MS = 15000, /* for what must happen; never waited out */
	CONTEXTS = 64,
	BIG = 60 * 1024,
};

/* A door and what stands behind it. */
struct house {
	struct door_config cfg;
	int listen;
	int control;
	pid_t pid;
	uint16_t port;
	int fds; /* of the door, when nobody was there */
};

static char rpc_path[DOOR_PATH_MAX];
static char relay_path[DOOR_PATH_MAX];

static void
must(bool good, const char *what)
{
	if (good)
		return;
	diag("%s: %s", what, strerror(errno));
	exit(2);
}

static void
nap(void)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	nanosleep(&ts, NULL);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
count_fds(pid_t pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

static bool
fds_return_to(pid_t pid, int base)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (count_fds(pid) > base && now_ms() < end)
		nap();
	return count_fds(pid) <= base;
}

static uint64_t
counter(const struct house *h, enum door_counter which)
{
	struct door_counters c;

	if (door_ask(h->control, &c) != TOCSIN_OK)
		return UINT64_MAX;
	return c.n[which];
}

static bool
counter_reaches(const struct house *h, enum door_counter which, uint64_t want)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (counter(h, which) < want && now_ms() < end)
		nap();
	return counter(h, which) >= want && counter(h, which) != UINT64_MAX;
}

static bool
house_is_empty(const struct house *h)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (counter(h, DOOR_open) != 0 && now_ms() < end)
		nap();
	return counter(h, DOOR_open) == 0;
}

/* Houses. */

static struct door_config
quick_config(void)
{
	struct door_config cfg = DOOR_DEFAULTS;

	cfg.listen = "127.0.0.1:0";
	cfg.rpc = rpc_path;
	cfg.relay = relay_path;
	cfg.rate = 0;
	return cfg;
}

static void
house_spawn(struct house *h)
{
	must(door_spawn(&h->cfg, h->listen, &h->pid, &h->control) == TOCSIN_OK,
	    "door_spawn");
	must(counter(h, DOOR_accepted) != UINT64_MAX, "door_ask");
	h->fds = count_fds(h->pid);
}

static struct house
house_open(struct door_config cfg)
{
	struct house h = { .cfg = cfg };

	must(door_listen(cfg.listen, &h.listen) == TOCSIN_OK, "door_listen");
	h.port = door_port(h.listen);
	house_spawn(&h);
	return h;
}

static int
reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static pid_t
run_self(const char *what, const char *arg, int out)
{
	char exe[] = "door.t", command[16], argument[64];
	char *argv[] = { exe, command, argument, NULL };
	posix_spawn_file_actions_t files;
	pid_t pid = -1;

	snprintf(command, sizeof(command), "%s", what);
	snprintf(argument, sizeof(argument), "%s", arg);
	posix_spawn_file_actions_init(&files);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&files, out, 1);
	must(posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ) ==
		 0,
	    "posix_spawn");
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

static void
house_close(struct house *h)
{
	close(h->control);
	is_int(reap(h->pid), 0, "the door ends when its parent lets go of it");
	close(h->listen);
}

/* Clients without nng. */

static int
dial(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
put(int fd, const void *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool
put_header(int fd, enum sp_proto proto)
{
	uint8_t h[SP_HEADER_LEN];

	sp_header(h, proto);
	return put(fd, h, sizeof(h));
}

static bool
get(int fd, void *bytes, size_t n)
{
	return recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

static bool
get_header(int fd, uint16_t want)
{
	uint8_t h[SP_HEADER_LEN];
	uint16_t got = 0;

	return get(fd, h, sizeof(h)) &&
	       sp_header_decode(&got, SPAN(h)) == TOCSIN_OK && got == want;
}

static int
greet(uint16_t port)
{
	int fd = dial(port);

	if (fd >= 0 && put_header(fd, SP_REQ) && get_header(fd, SP_REP))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The other side has closed or reset; false if it does neither in time. */
static bool
is_gone(int fd)
{
	uint8_t bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* A request of n bytes: prefix, id, zeros. */
static size_t
request(uint8_t *out, size_t n)
{
	memset(out, 0, 8 + n);
	out[5] = (uint8_t)(n >> 16);
	out[6] = (uint8_t)(n >> 8);
	out[7] = (uint8_t)n;
	out[8] = 0x80;
	out[11] = 7;
	return 8 + n;
}

static bool
echoes(int fd, size_t n)
{
	uint8_t out[8 + 256], in[8 + 256];
	size_t len = request(out, n);

	return put(fd, out, len) && get(fd, in, len) &&
	       memcmp(in, out, len) == 0;
}

/* As a broker answers one with a key; the echo says it for us. */
static bool
has_key(int fd)
{
	uint8_t out[8 + 64], in[8 + 64];
	size_t len = request(out, 60);

	out[12] = FRAME_VERSION;
	out[13] = FRAME_TRANSPORT;
	return put(fd, out, len) && get(fd, in, len) &&
	       memcmp(in, out, len) == 0;
}

/* nng behind the door: an echo with many contexts, and a subscriber. */

struct echo {
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
};

static struct echo echoers[CONTEXTS];
static nng_socket rep, sub;

static void
echo_next(void *arg)
{
	struct echo *e = arg;
	int rv = nng_aio_result(e->aio);

	if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
		return;
	if (rv == 0 && !e->sending) {
		e->sending = true;
		nng_ctx_send(e->ctx, e->aio); /* with the message in it */
		return;
	}
	if (rv != 0 && e->sending)
		nng_msg_free(nng_aio_get_msg(e->aio));
	e->sending = false;
	nng_ctx_recv(e->ctx, e->aio);
}

static void
broker_open(void)
{
	char url[DOOR_PATH_MAX + 8];
	int i;

	must(nng_rep0_open(&rep) == 0 && nng_sub0_open(&sub) == 0, "nng");
	nng_socket_set_size(rep, NNG_OPT_RECVMAXSZ, 1 << 20);
	nng_socket_set_size(sub, NNG_OPT_RECVMAXSZ, 1 << 20);
	nng_socket_set(sub, NNG_OPT_SUB_SUBSCRIBE, "", 0);
	nng_socket_set_ms(sub, NNG_OPT_RECVTIMEO, PATIENCE_MS);
	for (i = 0; i < CONTEXTS; i++) {
		must(nng_ctx_open(&echoers[i].ctx, rep) == 0 &&
			 nng_aio_alloc(
			     &echoers[i].aio, echo_next, &echoers[i]) == 0,
		    "nng context");
		nng_ctx_recv(echoers[i].ctx, echoers[i].aio);
	}
	snprintf(url, sizeof(url), "ipc://%s", rpc_path);
	must(nng_listen(rep, url, NULL, 0) == 0, url);
	snprintf(url, sizeof(url), "ipc://%s", relay_path);
	must(nng_listen(sub, url, NULL, 0) == 0, url);
}

static void
broker_close(void)
{
	int i;

	for (i = 0; i < CONTEXTS; i++)
		nng_aio_stop(echoers[i].aio);
	for (i = 0; i < CONTEXTS; i++) {
		nng_ctx_close(echoers[i].ctx);
		nng_aio_free(echoers[i].aio);
	}
	nng_close(rep);
	nng_close(sub);
}

/* An honest client: stock nng. */

static nng_socket
honest(uint16_t port)
{
	nng_socket s;
	char url[64];

	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port);
	must(nng_req0_open(&s) == 0, "nng_req0_open");
	nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, PATIENCE_MS);
	nng_socket_set_ms(s, NNG_OPT_SENDTIMEO, PATIENCE_MS);
	nng_socket_set_ms(s, NNG_OPT_RECONNMINT, 10);
	nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, 100);
	must(nng_dial(s, url, NULL, NNG_FLAG_NONBLOCK) == 0, "nng_dial");
	return s;
}

static bool
honest_echo(nng_socket s, size_t n)
{
	uint8_t *out = xmalloc(n), *in = NULL;
	size_t got = 0, i;
	bool same;

	for (i = 0; i < n; i++)
		out[i] = (uint8_t)(i * 7);
	same = nng_send(s, out, n, 0) == 0 &&
	       nng_recv(s, &in, &got, NNG_FLAG_ALLOC) == 0 && got == n &&
	       (n == 0 || memcmp(in, out, n) == 0);
	if (in != NULL)
		nng_free(in, got);
	free(out);
	return same;
}

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
		is_int(WEXITSTATUS(reap(run_self("confined", "", -1))), 0,
		    "no file, no fork, no signal, no socket but local ones");
	else
		skip("no filter of system calls in this build");
}

static void
test_echo(struct house *h)
{
	nng_socket s = honest(h->port);

	ok(honest_echo(s, 1), "a stock nng client is served through the door");
	ok(honest_echo(s, 0), "an empty request passes");
	ok(honest_echo(s, BIG), "60 KiB pass");
	ok(counter(h, DOOR_frames_in) == 3 && counter(h, DOOR_frames_out) == 3,
	    "messages are counted");
	nng_close(s);
	ok(house_is_empty(h), "the client leaves and is forgotten");
}

/* 64 requests under way at once, several times over. */
static void
test_many_at_once(struct house *h)
{
	uint8_t out[12 + 200], in[12 + 200];
	int fd = greet(h->port), i, round, good = 0;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < CONTEXTS; i++) {
			request(out, sizeof(out) - 8);
			out[11] = (uint8_t)i;
			if (!put(fd, out, sizeof(out)))
				return;
		}
		for (i = 0; i < CONTEXTS; i++)
			good += get(fd, in, sizeof(in)) && in[8] == 0x80 &&
				in[11] < CONTEXTS;
	}
	is_int(good, 20 * CONTEXTS, "64 requests at once are all answered");
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
	must(nng_pub0_open(&pub) == 0 && nng_dial(pub, url, NULL, 0) == 0,
	    "nng_pub0");
	nng_send(pub, "", 0, 0);
	nng_send(pub, "frame", 5, 0);
	ok(nng_recv(sub, bytes, &n, 0) == 0 && n == 0,
	    "an empty relay message passes and says: still here");
	n = sizeof(bytes);
	ok(nng_recv(sub, bytes, &n, 0) == 0 && n == 5 &&
		memcmp(bytes, "frame", 5) == 0,
	    "a PUB that dials reaches the SUB behind the door");
	nng_close(pub);

	fd = dial(h->port);
	ok(put_header(fd, SP_PUB) && get_header(fd, SP_SUB) &&
		put(fd, "\0\0\0\0\0\0\0\2hi", 10),
	    "the door answers a PUB as a SUB");
	close(fd);
	n = sizeof(bytes);
	ok(nng_recv(sub, bytes, &n, 0) == 0 && n == 2,
	    "what was whole when its sender left is delivered");
}

/* Attacks. Each is one connection of a stranger. */

static void
finrst(uint16_t port)
{
	int fd = dial(port);

	shutdown(fd, SHUT_WR);
	reset(fd);
}

static void
connect_close(uint16_t port)
{
	close(dial(port));
}

static void
garbage(uint16_t port)
{
	int fd = dial(port);

	put(fd, "GET /%41 HTTP/1.1\r\nHost: tocsin\r\n\r\n", 36);
	close(fd);
}

static void
half_header(uint16_t port)
{
	int fd = dial(port);

	put(fd, "\0SP\0\0", 5);
	reset(fd);
}

static void
other_protocol(uint16_t port)
{
	int fd = dial(port);

	put_header(fd, (enum sp_proto)0x10);
	is_gone(fd);
	close(fd);
}

static void
header_reset(uint16_t port)
{
	int fd = dial(port);

	put_header(fd, SP_REQ);
	reset(fd);
}

static void
header_finrst(uint16_t port)
{
	int fd = dial(port);

	put_header(fd, SP_PUB);
	shutdown(fd, SHUT_WR);
	reset(fd);
}

static void
claims_16gib(uint16_t port)
{
	int fd = greet(port);

	put(fd, "\0\0\0\4\0\0\0\0\x80", 9);
	is_gone(fd);
	close(fd);
}

static void
hop_list(uint16_t port)
{
	int fd = greet(port);

	put(fd, "\0\0\0\0\0\0\0\x8\0\0\0\1\x80\0\0\1", 16);
	is_gone(fd);
	close(fd);
}

static void
half_frame(uint16_t port)
{
	static uint8_t bytes[8 + BIG];
	int fd = greet(port);

	put(fd, bytes, request(bytes, BIG) / 2);
	reset(fd);
}

/* Asks for more than fits into all buffers on the way, and goes. */
static void
half_answer(uint16_t port)
{
	static uint8_t bytes[8 + BIG];
	int fd = greet(port), i;
	size_t n = request(bytes, BIG);

	for (i = 0; i < 8; i++)
		put(fd, bytes, n);
	get(fd, bytes, 1000);
	reset(fd);
}

/* Garbage behind requests whose answers are on their way. */
static void
race(uint16_t port)
{
	static uint8_t bytes[8 + BIG];
	int fd = greet(port);
	size_t n = request(bytes, BIG);

	put(fd, bytes, n);
	put(fd, bytes, n);
	put(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	is_gone(fd);
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
	nng_socket s = honest(h->port);
	int base, i;
	size_t a;

	ok(honest_echo(s, 100), "an honest client is there");
	base = count_fds(getpid());
	finrst_while_stopped(h->pid, h->port, 50);
	ok(honest_echo(s, 100), "SYN, FIN, RST before the door looks: served");
	for (a = 0; a < sizeof(attacks) / sizeof(attacks[0]); a++) {
		for (i = 0; i < attacks[a].times; i++)
			attacks[a].run(h->port);
		ok(honest_echo(s, BIG), "%s, %d times: still served",
		    attacks[a].name, attacks[a].times);
	}
	ok(fds_return_to(getpid(), base), "nng frees every connection");
	nng_close(s);
	ok(house_is_empty(h), "the door has forgotten them all");
	ok(fds_return_to(h->pid, h->fds), "and closed all it opened");
	is_int((long long)counter(h, DOOR_held), 0, "it holds no bytes");
	s = honest(h->port);
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
	int fd = dial(port);
	bool good;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	good =
	    put_header(fd, SP_REQ) && get_header(fd, SP_REP) && echoes(fd, 20);
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

	must(pipe2(out, O_CLOEXEC) == 0, "pipe");
	pid = run_self("bare", "", out[1]);
	close(out[1]);
	must(read(out[0], line, sizeof(line) - 1) > 0, "a bare listener");
	close(out[0]);
	port = (uint16_t)atoi(line);
	must(serves_soon(port), "a bare listener that serves");
	for (i = 0; i < 5 && serves_soon(port); i++)
		finrst_while_stopped(pid, port, 1);
	if (i < 5)
		ok(true, "control: %d such connection ends nng's own listener",
		    i);
	else
		skip("this nng survives SYN, FIN, RST: no control");
	kill(pid, SIGKILL);
	reap(pid);
}

/* Clients that are killed in the middle of everything. */

static int
client_main(const char *port)
{
	uint8_t *big = xmalloc(BIG);
	nng_socket s = honest((uint16_t)atoi(port));
	nng_ctx ctx[8];
	nng_aio *aio[8];
	nng_msg *msg;
	int i;

	memset(big, 'x', BIG);
	for (i = 0; i < 8; i++)
		if (nng_ctx_open(&ctx[i], s) != 0 ||
		    nng_aio_alloc(&aio[i], NULL, NULL) != 0)
			return 1;
	for (i = 0;; i = (i + 1) % 8) {
		if (nng_msg_alloc(&msg, 0) != 0 ||
		    nng_msg_append(msg, big, BIG) != 0)
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
	nng_socket s = honest(h->port);
	pid_t pid[4];

	ok(honest_echo(s, 100), "an honest client is there");
	base = count_fds(getpid());
	snprintf(port, sizeof(port), "%u", h->port);
	for (i = 0; i < n; i++) {
		uint64_t seen = counter(h, DOOR_frames_in);

		pid[i % 4] = run_self("client", port, -1);
		counter_reaches(h, DOOR_frames_in, seen + (uint64_t)i * 3);
		if (i >= 3) {
			kill(pid[(i + 1) % 4], SIGKILL);
			reap(pid[(i + 1) % 4]);
		}
	}
	for (i = n - 3; i < n; i++) {
		kill(pid[i % 4], SIGKILL);
		reap(pid[i % 4]);
	}
	ok(honest_echo(s, BIG), "%d clients killed in transfer: served", n);
	ok(fds_return_to(getpid(), base), "nng frees every connection");
	nng_close(s);
	ok(house_is_empty(h) && fds_return_to(h->pid, h->fds),
	    "and so does the door");
}

/* Deadlines, injected; what must happen is waited for. */

static void
test_deadlines(void)
{
	struct door_config cfg = quick_config();
	uint8_t bytes[128];
	struct house h;
	int fd, i;

	cfg.header_ms = cfg.first_ms = cfg.frame_ms = cfg.idle_ms = 60;
	h = house_open(cfg);

	fd = dial(h.port);
	ok(is_gone(fd), "who doesn't greet is shown out");
	close(fd);
	fd = dial(h.port);
	put(fd, "\0SP", 3);
	ok(is_gone(fd), "who greets slowly too");
	close(fd);
	ok(counter_reaches(&h, DOOR_late_header, 2), "and counted");

	fd = greet(h.port);
	ok(is_gone(fd), "who greets and is silent is shown out");
	close(fd);
	fd = greet(h.port);
	for (i = 0; i < 64; i++, nap(), nap())
		if (!put(fd, "\0\0\0\0\0\0\0\x78\x80" + (i < 8 ? i : 8), 1))
			break;
	ok(i < 64, "who drips bytes too: they buy no time");
	close(fd);
	ok(counter_reaches(&h, DOOR_late_first, 2), "and counted");

	fd = dial(h.port);
	put_header(fd, SP_PUB);
	ok(get_header(fd, SP_SUB) && is_gone(fd), "a relay can be too quiet");
	close(fd);
	ok(counter_reaches(&h, DOOR_late_first, 3), "and is counted");

	fd = greet(h.port);
	ok(echoes(fd, 20) && is_gone(fd), "idle guests leave in time");
	close(fd);
	ok(counter_reaches(&h, DOOR_late_idle, 1), "and are counted");

	fd = greet(h.port);
	request(bytes, 100);
	ok(echoes(fd, 20) && put(fd, bytes, 50) && is_gone(fd),
	    "a known guest must end what he begins");
	close(fd);
	ok(counter_reaches(&h, DOOR_late_frame, 1), "and is counted");
	ok(house_is_empty(&h), "nobody is left");
	house_close(&h);
}

/* Answers to a client who doesn't read them. */
static void
test_stalled(void)
{
	static uint8_t bytes[8 + BIG];
	struct door_config cfg = quick_config();
	struct house h;
	int fd, i, base = count_fds(getpid());
	size_t n = request(bytes, BIG);
	struct timeval tv = { .tv_usec = 200000 };
	nng_socket s;

	cfg.stall_ms = 100;
	h = house_open(cfg);
	s = honest(h.port);
	ok(honest_echo(s, 100), "an honest client is there");
	fd = greet(h.port);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	for (i = 0; i < 4000 && put(fd, bytes, n); i++)
		;
	ok(counter_reaches(&h, DOOR_late_stall, 1),
	    "who doesn't read is shown out (after %d requests)", i);
	ok(honest_echo(s, BIG), "others are served meanwhile");
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
	struct door_config cfg = quick_config();
	struct house h;
	uint8_t half[100];
	int known, fd[7], i, extra;

	cfg.max_conns = 4;
	h = house_open(cfg);
	known = greet(h.port);
	ok(has_key(known), "a guest has shown a key");
	for (i = 0; i < 5; i++)
		fd[i] = greet(h.port);
	ok(is_gone(fd[0]) && is_gone(fd[1]),
	    "a full house shows the oldest strangers out");
	ok(echoes(known, 20), "not the guest with a key, who is older");
	ok(echoes(fd[2], 20) && echoes(fd[3], 20) && echoes(fd[4], 20),
	    "nor the newer strangers, who ask");
	is_int((long long)counter(&h, DOOR_evicted), 2, "two were evicted");
	fd[5] = greet(h.port);
	ok(is_gone(fd[2]) && has_key(fd[5]),
	    "but a question alone keeps no place for ever");
	ok(has_key(fd[4]) && put(fd[3], half, request(half, 50) - 1),
	    "a stranger is in the middle of another");
	fd[6] = greet(h.port);
	ok(is_gone(fd[3]) && has_key(fd[6]), "which does not keep it, either");
	extra = dial(h.port);
	ok(is_gone(extra), "with keys everywhere, a new one must wait");
	is_int((long long)counter(&h, DOOR_refused_full), 1, "and is counted");
	is_int((long long)counter(&h, DOOR_evicted), 4, "four made room");
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
	struct door_config cfg = quick_config();
	struct house h;
	const uint8_t empty[8] = { 0 };
	int relay, stranger, a, b;

	cfg.max_conns = 2;
	h = house_open(cfg);
	relay = dial(h.port);
	ok(put_header(relay, SP_PUB) && get_header(relay, SP_SUB),
	    "a relay is there");
	stranger = greet(h.port);
	a = greet(h.port);
	ok(is_gone(relay) && echoes(a, 20), "it makes room if it is older");
	b = greet(h.port);
	ok(is_gone(stranger) && echoes(b, 20), "then the stranger");
	close(relay);
	close(b);
	ok(counter_reaches(&h, DOOR_greeted, 4) && has_key(a),
	    "one shows a key");
	relay = dial(h.port);
	ok(put_header(relay, SP_PUB) && get_header(relay, SP_SUB) &&
		put(relay, empty, sizeof(empty)) &&
		counter_reaches(
		    &h, DOOR_frames_in, counter(&h, DOOR_frames_in)),
	    "a relay from there says something");
	b = dial(h.port);
	ok(is_gone(b) && has_key(a), "and keeps its place");
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
	struct door_config cfg = quick_config();
	struct house h;
	int a, b, c, i;

	cfg.max_source = 2;
	h = house_open(cfg);
	a = greet(h.port);
	b = greet(h.port);
	c = dial(h.port);
	ok(a >= 0 && b >= 0 && is_gone(c),
	    "one source has so many connections and no more");
	close(c);
	close(a);
	close(b);
	ok(house_is_empty(&h), "they leave");
	c = greet(h.port);
	ok(c >= 0 && counter(&h, DOOR_refused_source) == 1,
	    "then there is room again");
	close(c);
	house_close(&h);

	cfg = quick_config();
	cfg.rate = 1;
	cfg.burst = 3;
	h = house_open(cfg);
	for (i = 0; i < 20; i++)
		close(dial(h.port));
	ok(counter_reaches(&h, DOOR_accepted, 20) &&
		counter(&h, DOOR_refused_rate) >= 10,
	    "one source opens so many per second and no more");
	house_close(&h);
}

static void
test_held(void)
{
	static uint8_t bytes[8 + BIG];
	struct door_config cfg = quick_config();
	struct house h;
	int fd[8], i;

	cfg.max_held = 256 * 1024;
	h = house_open(cfg);
	request(bytes, BIG);
	for (i = 0; i < 8; i++) {
		fd[i] = greet(h.port);
		put(fd[i], bytes, BIG);
	}
	ok(counter_reaches(&h, DOOR_refused_full, 1) &&
		counter(&h, DOOR_held) <= cfg.max_held,
	    "unfinished messages of strangers have a common limit");
	for (i = 0; i < 8; i++)
		close(fd[i]);
	ok(house_is_empty(&h), "they leave");
	is_int((long long)counter(&h, DOOR_held), 0, "nothing is held");
	house_close(&h);
}

/* The door runs out of descriptors while it runs. */
static void
test_no_fds(void)
{
	struct house h = house_open(quick_config());
	struct rlimit few = { (rlim_t)h.fds, 4096 }, old;
	nng_socket s;
	int fd;

	must(prlimit(h.pid, RLIMIT_NOFILE, NULL, &old) == 0, "prlimit");
	few.rlim_max = old.rlim_max;
	must(prlimit(h.pid, RLIMIT_NOFILE, &few, NULL) == 0, "prlimit");
	fd = dial(h.port);
	ok(counter_reaches(&h, DOOR_no_fds, 2),
	    "without descriptors the door pauses and tries again");
	ok(counter(&h, DOOR_no_fds) < 100, "it does not spin");
	must(prlimit(h.pid, RLIMIT_NOFILE, &old, NULL) == 0, "prlimit");
	s = honest(h.port);
	ok(honest_echo(s, 10), "when there are some again, it serves");
	nng_close(s);
	close(fd);
	house_close(&h);
}

/* A broker of our own: every byte that nng would see. */

static int
fake_listen(char path[DOOR_PATH_MAX])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, DOOR_PATH_MAX, "%s/fake.ipc", scratch());
	unlink(path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
		 listen(fd, 8) == 0,
	    path);
	return fd;
}

static int
fake_accept(int listener)
{
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };
	struct pollfd p = { listener, POLLIN, 0 };
	int fd = -1;

	if (poll(&p, 1, PATIENCE_MS) == 1)
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(fd >= 0, "the door's connection");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

static bool
is_silent(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

/* A client and, through the door, our end of its connection. */
static int
fake_greet(const struct house *h, int listener, int *broker)
{
	int fd = dial(h->port);

	must(put_header(fd, SP_REQ), "header");
	*broker = fake_accept(listener);
	must(get_header(*broker, SP_REQ) && put_header(*broker, SP_REP) &&
		 get_header(fd, SP_REP),
	    "greetings");
	return fd;
}

static void
test_greeting_owed(struct house *h, int listener)
{
	uint64_t late;
	int fd, broker;

	late = counter(h, DOOR_accepted);
	fd = dial(h->port);
	put(fd, "\0SP\0\0\x30\0", 7);
	close(fd);
	counter_reaches(h, DOOR_accepted, late + 1);
	ok(house_is_empty(h) && is_silent(listener),
	    "without a whole header nng hears nothing");

	fd = dial(h->port);
	put_header(fd, SP_REQ);
	broker = fake_accept(listener);
	ok(get_header(broker, SP_REQ), "the door greets as the client");
	ok(is_silent(fd), "the client must wait until nng has greeted");
	reset(fd);
	ok(is_silent(broker), "the client goes; nng's greeting is waited for");

	fd = dial(h->port);
	put_header(fd, SP_REQ);
	late = counter(h, DOOR_broker_deaf);
	ok(is_gone(fd) && counter(h, DOOR_broker_deaf) == late + 1,
	    "a client of a deaf broker is let go in time");
	close(fd);
	ok(is_silent(broker), "nng's greeting is waited for even then");
	ok(put_header(broker, SP_REP) && is_gone(broker),
	    "when it has come, the door leaves");
	close(broker);
	broker = fake_accept(listener);
	ok(get_header(broker, SP_REQ) && put_header(broker, SP_REP) &&
		is_gone(broker),
	    "in order, from the other connection too");
	close(broker);
	ok(house_is_empty(h), "and nothing is left");
}

static void
test_whole_frames(struct house *h, int listener)
{
	uint8_t bytes[8 + 100], got[9 + 100], want[9 + 100];
	size_t n = request(bytes, 100);
	int fd, broker;

	fd = fake_greet(h, listener, &broker);
	put(fd, bytes, n - 1);
	counter_reaches(h, DOOR_held, 1);
	ok(is_silent(broker), "of an unfinished message nng sees no byte");
	put(fd, bytes + n - 1, 1);
	want[0] = 1;
	memcpy(want + 1, bytes, n);
	ok(get(broker, got, n + 1) && memcmp(got, want, n + 1) == 0,
	    "a whole one comes in nng's framing");
	put(broker, want, 50);
	counter_reaches(h, DOOR_held, 50);
	ok(is_silent(fd), "of an unfinished answer the client sees no byte");
	put(broker, want + 50, n + 1 - 50);
	ok(get(fd, got, n) && memcmp(got, bytes, n) == 0,
	    "a whole one comes in the client's");

	put(fd, bytes, n / 2);
	counter_reaches(h, DOOR_held, 1);
	reset(fd);
	ok(is_gone(broker), "half a message is dropped with its sender");
	close(broker);
}

/* nng has begun an answer when the client goes. */
static void
test_drain(struct house *h, int listener)
{
	static uint8_t bytes[9 + BIG];
	size_t n;
	int fd, broker;

	bytes[0] = 1;
	n = request(bytes + 1, BIG) + 1;
	fd = fake_greet(h, listener, &broker);
	put(broker, bytes, 1000);
	counter_reaches(h, DOOR_held, 1000);
	reset(fd);
	ok(is_silent(broker), "the door stays while nng is sending");
	ok(put(broker, bytes + 1000, n - 1000) && is_gone(broker),
	    "it takes the answer to its end, and leaves");
	close(broker);

	fd = fake_greet(h, listener, &broker);
	put(fd, bytes + 1, n - 1);
	counter_reaches(h, DOOR_frames_in, counter(h, DOOR_frames_in));
	put(broker, bytes, n);
	close(broker);
	ok(get(fd, bytes, n - 1) && is_gone(fd),
	    "when nng goes, the client gets what was whole");
	close(fd);

	fd = fake_greet(h, listener, &broker);
	put(broker, "\2", 1);
	ok(is_gone(fd) && is_gone(broker), "what isn't SP ends both ends");
	close(fd);
	close(broker);
	ok(house_is_empty(h), "and nothing is left");
}

/* nng doesn't read: the client is held back, and nothing is lost. */
static void
test_backpressure(struct house *h, int listener)
{
	static uint8_t bytes[8 + BIG], got[9 + BIG];
	struct timeval tv = { .tv_usec = 100000 };
	size_t n = request(bytes, BIG), sent = 0, whole, left;
	int fd, broker, good = 0;
	ssize_t k;

	fd = fake_greet(h, listener, &broker);
	/* It is answered under a key: of a stranger nng gets a few requests. */
	k = (ssize_t)request(got, 20);
	ok(put(fd, got, (size_t)k) && get(broker, got, (size_t)k + 1),
	    "a client asks");
	got[13] = FRAME_VERSION;
	got[14] = FRAME_TRANSPORT;
	ok(put(broker, got, (size_t)k + 1) && get(fd, got, (size_t)k),
	    "and is answered");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while ((k = send(fd, bytes + sent % n, n - sent % n, MSG_NOSIGNAL)) > 0)
		sent += (size_t)k;
	ok(sent < (64 << 20) && counter(h, DOOR_held) < (1 << 20),
	    "a client is held back when nng is (after %zu KiB)", sent >> 10);
	/* The frame under way is completed when there is room again. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	whole = (sent + n - 1) / n;
	for (left = whole; left > 0; left--) {
		while (
		    sent < whole * n && (k = send(fd, bytes + sent % n,
					     n - sent % n, MSG_NOSIGNAL)) > 0)
			sent += (size_t)k;
		good += get(broker, got, n + 1) && got[0] == 1 &&
			memcmp(got + 1, bytes, n) == 0;
	}
	is_int(good, (long long)whole, "and then nothing is missing");
	close(fd);
	ok(is_gone(broker), "the client goes");
	close(broker);
}

struct mute {
	pthread_t thread;
	int listener;
	int fd;
};

/* What a dead nng listener still does. */
static void *
greet_only(void *arg)
{
	struct mute *m = arg;

	m->fd = fake_accept(m->listener);
	put_header(m->fd, SP_REP);
	return NULL;
}

static void
test_probe_unread(const char *path, int listener)
{
	struct mute m = { .listener = listener };

	pthread_create(&m.thread, NULL, greet_only, &m);
	ok(door_probe(path, SP_REQ, 500) == TOCSIN_ETIMEOUT,
	    "and one that greets, but reads nothing then");
	pthread_join(m.thread, NULL);
	close(m.fd);
}

static void
test_fake_broker(void)
{
	struct door_config cfg = quick_config();
	char path[DOOR_PATH_MAX];
	int listener = fake_listen(path);
	struct house h;

	cfg.rpc = path;
	cfg.header_ms = 500;
	h = house_open(cfg);
	test_greeting_owed(&h, listener);
	test_whole_frames(&h, listener);
	test_drain(&h, listener);
	test_backpressure(&h, listener);
	house_close(&h);

	ok(door_probe(path, SP_REQ, 50) == TOCSIN_ETIMEOUT,
	    "a probe tells a deaf broker");
	close(fake_accept(listener));
	test_probe_unread(path, listener);
	close(listener);
	ok(door_probe(path, SP_REQ, 50) == TOCSIN_EUNAVAILABLE,
	    "from one that is not there");
	ok(door_probe(rpc_path, SP_REQ, PATIENCE_MS) == TOCSIN_OK &&
		door_probe(relay_path, SP_PUB, PATIENCE_MS) == TOCSIN_OK,
	    "and from one that lives");
}

/* Life and death. */

static void
test_no_broker(void)
{
	struct door_config cfg = quick_config();
	struct house h;
	int fd;

	cfg.rpc = "/nonexistent/rpc.ipc";
	cfg.relay = "";
	h = house_open(cfg);
	fd = dial(h.port);
	put_header(fd, SP_REQ);
	ok(is_gone(fd) && counter(&h, DOOR_broker_down) == 1,
	    "without a broker a client is not kept waiting");
	close(fd);
	fd = dial(h.port);
	put_header(fd, SP_PUB);
	ok(is_gone(fd) && counter(&h, DOOR_refused_header) == 1,
	    "a door without a relay takes no PUB");
	close(fd);
	house_close(&h);
}

static void
test_respawn(void)
{
	struct house h = house_open(quick_config());
	nng_socket s = honest(h.port);
	int fd;

	ok(honest_echo(s, 100), "a client is served");
	kill(h.pid, SIGKILL);
	reap(h.pid);
	close(h.control);
	fd = dial(h.port);
	ok(fd >= 0, "without a door the port still takes connections");
	house_spawn(&h);
	ok(put_header(fd, SP_REQ) && get_header(fd, SP_REP) && echoes(fd, 9),
	    "which the next door serves");
	ok(honest_echo(s, 100), "and the old client comes back by itself");
	close(fd);
	nng_close(s);
	kill(h.pid, SIGTERM);
	is_int(reap(h.pid), 0, "SIGTERM ends a door in order");
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

	log_open(STDERR_FILENO, LOG_ERROR + (getenv("DOOR_LOG") == NULL));
	if (argc > 1 && strcmp(argv[1], "door") == 0)
		return door_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "confined") == 0)
		return confined_main();
	if (argc > 1 && strcmp(argv[1], "bare") == 0)
		return bare_main();
	if (argc > 2 && strcmp(argv[1], "client") == 0)
		return client_main(argv[2]);

	signal(SIGPIPE, SIG_IGN);
	snprintf(rpc_path, sizeof(rpc_path), "%s/rpc.ipc", scratch());
	snprintf(relay_path, sizeof(relay_path), "%s/relay.ipc", scratch());
	broker_open();
	test_filter();
	test_bare();
	h = house_open(quick_config());
	test_confined(&h);
	test_echo(&h);
	test_many_at_once(&h);
	test_relay(&h);
	test_attacks(&h);
	test_churn(&h);
	house_close(&h);
	test_deadlines();
	test_stalled();
	test_full();
	test_full_of_relays();
	test_source_limits();
	test_held();
	test_no_fds();
	test_fake_broker();
	test_no_broker();
	test_respawn();
	test_addresses();
	broker_close();
	nng_fini();
	return tap_done();
}
