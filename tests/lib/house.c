/* SPDX-License-Identifier: ISC */
#include "tests/lib/house.h"

#include "broker/log.h"
#include "tests/lib/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

char house_rpc[DOOR_PATH_MAX];
char house_relay[DOOR_PATH_MAX];
nng_socket house_sub;

void
house_must(bool good, const char *what)
{
	if (good)
		return;
	diag("%s: %s", what, strerror(errno));
	exit(2);
}

void
house_nap(void)
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

int
fds_of(pid_t pid)
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

bool
fds_return_to(pid_t pid, int base)
{
	int64_t end = now_ms() + HOUSE_PATIENCE_MS;

	while (fds_of(pid) > base && now_ms() < end)
		house_nap();
	return fds_of(pid) <= base;
}

uint64_t
house_counter(const struct house *h, enum door_counter which)
{
	struct door_counters c;

	if (door_ask(h->control, &c) != TOCSIN_OK)
		return UINT64_MAX;
	return c.n[which];
}

bool
house_counter_reaches(
    const struct house *h, enum door_counter which, uint64_t want)
{
	int64_t end = now_ms() + HOUSE_PATIENCE_MS;

	while (house_counter(h, which) < want && now_ms() < end)
		house_nap();
	return house_counter(h, which) >= want &&
	       house_counter(h, which) != UINT64_MAX;
}

bool
house_is_empty(const struct house *h)
{
	int64_t end = now_ms() + HOUSE_PATIENCE_MS;

	while (house_counter(h, DOOR_open) != 0 && now_ms() < end)
		house_nap();
	return house_counter(h, DOOR_open) == 0;
}

/* ---- houses ---- */

struct door_config
house_config(void)
{
	struct door_config cfg = DOOR_DEFAULTS;

	cfg.listen = "127.0.0.1:0";
	cfg.rpc = house_rpc;
	cfg.relay = house_relay;
	cfg.rate = 0;
	return cfg;
}

void
house_spawn(struct house *h)
{
	house_must(
	    door_spawn(&h->cfg, h->listen, &h->pid, &h->control) == TOCSIN_OK,
	    "door_spawn");
	house_must(house_counter(h, DOOR_accepted) != UINT64_MAX, "door_ask");
	h->fds = fds_of(h->pid);
}

struct house
house_open(struct door_config cfg)
{
	struct house h = { .cfg = cfg };

	house_must(
	    door_listen(cfg.listen, &h.listen) == TOCSIN_OK, "door_listen");
	h.port = door_port(h.listen);
	house_spawn(&h);
	return h;
}

int
house_reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

pid_t
house_run_self(const char *what, const char *arg, int out)
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
	house_must(posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv,
		       environ) == 0,
	    "posix_spawn");
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

void
house_close(struct house *h)
{
	close(h->control);
	is_int(house_reap(h->pid), 0,
	    "the door ends when its parent lets go of it");
	close(h->listen);
}

/* ---- guests: clients without nng ---- */

int
guest_dial(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = HOUSE_PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	house_must(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
guest_put(int fd, const void *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool
guest_put_header(int fd, enum sp_proto proto)
{
	uint8_t h[SP_HEADER_LEN];

	sp_header(h, proto);
	return guest_put(fd, h, sizeof(h));
}

bool
guest_get(int fd, void *bytes, size_t n)
{
	return recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

bool
guest_get_header(int fd, uint16_t want)
{
	uint8_t h[SP_HEADER_LEN];
	uint16_t got = 0;

	return guest_get(fd, h, sizeof(h)) &&
	       sp_header_decode(&got, SPAN(h)) == TOCSIN_OK && got == want;
}

int
guest_greet(uint16_t port)
{
	int fd = guest_dial(port);

	if (fd >= 0 && guest_put_header(fd, SP_REQ) &&
	    guest_get_header(fd, SP_REP))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
guest_is_gone(int fd)
{
	uint8_t bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void
guest_reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

size_t
guest_request(uint8_t *out, size_t n)
{
	memset(out, 0, 8 + n);
	out[5] = (uint8_t)(n >> 16);
	out[6] = (uint8_t)(n >> 8);
	out[7] = (uint8_t)n;
	out[8] = 0x80;
	out[11] = 7;
	return 8 + n;
}

bool
guest_echoes(int fd, size_t n)
{
	uint8_t out[8 + 256], in[8 + 256];
	size_t len = guest_request(out, n);

	return guest_put(fd, out, len) && guest_get(fd, in, len) &&
	       memcmp(in, out, len) == 0;
}

bool
guest_has_key(int fd)
{
	uint8_t out[8 + 64], in[8 + 64];
	size_t len = guest_request(out, 60);

	out[12] = FRAME_VERSION;
	out[13] = FRAME_TRANSPORT;
	return guest_put(fd, out, len) && guest_get(fd, in, len) &&
	       memcmp(in, out, len) == 0;
}

/* ---- nng behind the door: an echo with many contexts, a subscriber ---- */

struct echo {
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
};

static struct echo echoers[HOUSE_CONTEXTS];
static nng_socket rep;

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
echo_open(void)
{
	char url[DOOR_PATH_MAX + 8];
	int i;

	house_must(
	    nng_rep0_open(&rep) == 0 && nng_sub0_open(&house_sub) == 0, "nng");
	nng_socket_set_size(rep, NNG_OPT_RECVMAXSZ, 1 << 20);
	nng_socket_set_size(house_sub, NNG_OPT_RECVMAXSZ, 1 << 20);
	nng_socket_set(house_sub, NNG_OPT_SUB_SUBSCRIBE, "", 0);
	nng_socket_set_ms(house_sub, NNG_OPT_RECVTIMEO, HOUSE_PATIENCE_MS);
	for (i = 0; i < HOUSE_CONTEXTS; i++) {
		house_must(nng_ctx_open(&echoers[i].ctx, rep) == 0 &&
			       nng_aio_alloc(&echoers[i].aio, echo_next,
				   &echoers[i]) == 0,
		    "nng context");
		nng_ctx_recv(echoers[i].ctx, echoers[i].aio);
	}
	snprintf(url, sizeof(url), "ipc://%s", house_rpc);
	house_must(nng_listen(rep, url, NULL, 0) == 0, url);
	snprintf(url, sizeof(url), "ipc://%s", house_relay);
	house_must(nng_listen(house_sub, url, NULL, 0) == 0, url);
}

static void
echo_close(void)
{
	int i;

	for (i = 0; i < HOUSE_CONTEXTS; i++)
		nng_aio_stop(echoers[i].aio);
	for (i = 0; i < HOUSE_CONTEXTS; i++) {
		nng_ctx_close(echoers[i].ctx);
		nng_aio_free(echoers[i].aio);
	}
	nng_close(rep);
	nng_close(house_sub);
}

/* ---- an honest client: stock nng ---- */

nng_socket
honest_dial(uint16_t port)
{
	nng_socket s;
	char url[64];

	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port);
	house_must(nng_req0_open(&s) == 0, "nng_req0_open");
	nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, HOUSE_PATIENCE_MS);
	nng_socket_set_ms(s, NNG_OPT_SENDTIMEO, HOUSE_PATIENCE_MS);
	nng_socket_set_ms(s, NNG_OPT_RECONNMINT, 10);
	nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, 100);
	house_must(nng_dial(s, url, NULL, NNG_FLAG_NONBLOCK) == 0, "nng_dial");
	return s;
}

bool
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

/* ---- the program ---- */

void
house_begin(int argc, char **argv)
{
	log_open(STDERR_FILENO, LOG_ERROR + (getenv("DOOR_LOG") == NULL));
	if (argc > 1 && strcmp(argv[1], "door") == 0)
		exit(door_main(argc - 1, argv + 1));
	signal(SIGPIPE, SIG_IGN);
	snprintf(house_rpc, sizeof(house_rpc), "%s/rpc.ipc", scratch());
	snprintf(house_relay, sizeof(house_relay), "%s/relay.ipc", scratch());
	echo_open();
}

int
house_end(void)
{
	echo_close();
	nng_fini();
	return tap_done();
}
