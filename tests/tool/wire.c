/* SPDX-License-Identifier: ISC */
/*
 * wire - look at, repeat and abuse what stands on a broker's public port
 *
 *	wire tap LISTEN BROKER FILE	pass connections on; keep requests
 *	wire replay BROKER FILE		send kept requests once more
 *	wire abuse BROKER KIND COUNT	be a stranger; see kinds[]
 *
 * LISTEN and BROKER are ports of 127.0.0.1. `tap` prints a line for each whole
 * message, "up req 182" or "down pub 0", until it is killed; FILE gets those
 * that went up to REP. `replay` prints a line for each answer and its frame:
 * "transport", or "error" and its reason, and at the end how many there were.
 * `abuse` prints how its connections ended.
 */
#include "broker/sp.h"
#include "crypto/buf.h"
#include "crypto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (UINT64_C(1) << 20)
#define WAIT_MS 2000

static void
die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sa;
}

static int
dial(const char *port)
{
	struct sockaddr_in sa = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
put_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s = span_cut(s, (size_t)n, s.n - (size_t)n);
	}
	return true;
}

/* Bytes within the time; 0 at the end of the stream, -1 if none came. */
static ssize_t
get_some(int fd, uint8_t *p, size_t n, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, ms) <= 0)
		return -1;
	n = (size_t)recv(fd, p, n, 0);
	return n == (size_t)-1 ? 0 : (ssize_t)n;
}

static bool
get_all(int fd, uint8_t *p, size_t n, int ms)
{
	while (n > 0) {
		ssize_t got = get_some(fd, p, n, ms);

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* ---- tap ---- */

/* One way of a connection: its header first, then its messages. */
struct way {
	const char *name;
	const char *proto; /* of the one who dialled, so of both ways */
	struct buf in;
	bool greeted;
};

static const char *
proto_name(const uint8_t *header)
{
	switch (header[5]) {
	case 0x20:
	case 0x21:
		return "pub";
	case 0x30:
	case 0x31:
		return "req";
	}
	return "none";
}

static void
shift(struct buf *b, size_t n)
{
	memmove(b->p, b->p + n, b->n - n);
	buf_cut(b, b->n - n);
}

static void
say(const struct way *w, uint64_t n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %s %llu\n", w->name,
	    w->proto, (unsigned long long)n);

	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		_exit(1);
}

/* Whole messages in what has come: a line each, and requests to the file. */
static void
look(struct way *w, FILE *keep)
{
	if (!w->greeted && w->in.n >= 8) {
		w->proto = proto_name(w->in.p);
		w->greeted = true;
		shift(&w->in, 8);
	}
	while (w->greeted && w->in.n >= 8) {
		struct rd r = rd_init(buf_span(&w->in));
		uint64_t n = rd_u64(&r);

		if (n > MESSAGE_MAX || r.rest.n < n)
			return;
		say(w, n);
		if (keep != NULL && strcmp(w->proto, "req") == 0) {
			fwrite(w->in.p, 1, 8 + (size_t)n, keep);
			fflush(keep);
		}
		shift(&w->in, 8 + (size_t)n);
	}
}

static void
carry(int client, const char *broker, const char *path)
{
	struct way ways[2] = { { .name = "up" }, { .name = "down" } };
	struct pollfd pfd[2] = { { .fd = client, .events = POLLIN },
		{ .fd = dial(broker), .events = POLLIN } };
	FILE *keep = fopen(path, "ab");
	uint8_t block[65536];

	if (keep == NULL)
		die(path);
	while (pfd[1].fd >= 0 && poll(pfd, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (pfd[i].revents == 0)
				continue;
			n = recv(pfd[i].fd, block, sizeof(block), 0);
			if (n <= 0)
				return;
			buf_add(&ways[i].in, (struct span){ block, (size_t)n });
			look(&ways[i], i == 0 ? keep : NULL);
			if (!put_all(pfd[1 - i].fd,
				(struct span){ block, (size_t)n }))
				return;
		}
}

static int
tap(const char *port, const char *broker, const char *path)
{
	struct sockaddr_in sa = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	pid_t self = getpid();

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(fd, 64) != 0)
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == self)
				carry(client, broker, path);
			_exit(0);
		}
		close(client);
	}
}

/* ---- a connection of our own ---- */

/* Exchange headers; -1 if the broker does not. */
static int
greet(const char *port, uint8_t proto)
{
	uint8_t head[8] = { 0, 'S', 'P', 0, 0, proto, 0, 0 }, theirs[8];
	int fd = dial(port);

	if (fd >= 0 &&
	    (!put_all(fd, SPAN(head)) || !get_all(fd, theirs, 8, WAIT_MS))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A message of at most MESSAGE_MAX bytes; false if none comes. */
static bool
receive(int fd, struct buf *out)
{
	uint8_t head[8];
	struct rd r = rd_init(SPAN(head));
	uint64_t n;
	uint8_t *room;

	buf_cut(out, 0);
	if (!get_all(fd, head, sizeof(head), WAIT_MS))
		return false;
	n = rd_u64(&r);
	if (n > MESSAGE_MAX || (room = buf_grow(out, (size_t)n)) == NULL)
		return false;
	return get_all(fd, room, (size_t)n, WAIT_MS);
}

/* What an answer says without its keys. */
static void
describe(struct span message)
{
	struct frame f;
	uint32_t retry;

	if (message.n < 4 ||
	    frame_parse(&f, span_cut(message, 4, message.n - 4)) != TOCSIN_OK)
		puts("no-frame");
	else if (f.type == FRAME_ERROR)
		printf("error %s\n", tocsin_err_name(frame_error(&f, &retry)));
	else
		puts(f.type == FRAME_TRANSPORT ? "transport" : "hello-reply");
}

static int
replay(const char *port, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf msg = { 0 }, answer = { 0 };
	unsigned sent = 0, answered = 0;
	uint8_t head[8];
	int fd = greet(port, SP_REQ);

	if (f == NULL || fd < 0)
		die(path);
	while (fread(head, 1, 8, f) == 8) {
		struct rd r = rd_init(SPAN(head));
		uint64_t n = rd_u64(&r);
		uint8_t *room;

		buf_cut(&msg, 0);
		buf_add(&msg, SPAN(head));
		room = n > MESSAGE_MAX ? NULL : buf_grow(&msg, (size_t)n);
		if (room == NULL || fread(room, 1, (size_t)n, f) != n)
			die("a damaged file");
		sent++;
		if (!put_all(fd, buf_span(&msg)) || !receive(fd, &answer))
			continue;
		answered++;
		describe(buf_span(&answer));
	}
	printf("sent %u answered %u\n", sent, answered);
	buf_release(&msg);
	buf_release(&answer);
	fclose(f);
	close(fd);
	return 0;
}

/* ---- abuse ---- */

static uint64_t rng = 0x9e3779b97f4a7c15;

/* Bytes that repeat from run to run (xorshift64*). */
static void
noise(uint8_t *p, size_t n)
{
	while (n-- > 0) {
		rng ^= rng >> 12;
		rng ^= rng << 25;
		rng ^= rng >> 27;
		*p++ = (uint8_t)((rng * 0x2545f4914f6cdd1d) >> 56);
	}
}

/* A message around a request id and `n` bytes that begin as a frame would. */
static void
request(struct buf *b, uint8_t type, size_t n)
{
	uint8_t *p;

	buf_cut(b, 0);
	buf_u64(b, 4 + n);
	buf_u32(b, 0x80000001);
	p = buf_grow(b, n);
	noise(p, n);
	if (n >= FRAME_HEAD) {
		p[0] = FRAME_VERSION;
		p[1] = type;
		memset(p + 18, 0, 6); /* a nonce that may be */
		if (type == FRAME_HELLO)
			memset(p + 2, 0, 24);
	}
}

/* No protocol at all. */
static bool
garbage(int fd, struct buf *b)
{
	noise(buf_grow(b, 3000), 3000);
	return put_all(fd, buf_span(b));
}

/* A header, and then a message that claims 16 GiB. */
static bool
oversize(int fd, struct buf *b)
{
	static const uint8_t head[] = { 0, 'S', 'P', 0, 0, SP_REQ, 0, 0 };

	buf_add(b, SPAN(head));
	buf_u64(b, UINT64_C(16) << 30);
	noise(buf_grow(b, 3000), 3000);
	return put_all(fd, buf_span(b));
}

/* A header, half a message, and away. */
static bool
truncated(int fd, struct buf *b)
{
	static const uint8_t head[] = { 0, 'S', 'P', 0, 0, SP_REQ, 0, 0 };
	struct buf msg = { 0 };
	bool sent;

	request(&msg, FRAME_TRANSPORT, 400);
	buf_add(b, SPAN(head));
	buf_add(b, span_cut(buf_span(&msg), 0, 200));
	buf_release(&msg);
	sent = put_all(fd, buf_span(b));
	shutdown(fd, SHUT_WR);
	return sent;
}

/* Good protocol, a body that is no frame. */
static bool
no_frame(int fd, struct buf *b)
{
	request(b, 77, 500);
	return put_all(fd, buf_span(b));
}

/* A hello that no key made. */
static bool
hello(int fd, struct buf *b)
{
	request(b, FRAME_HELLO, FRAME_HEAD + 48);
	return put_all(fd, buf_span(b));
}

/* A request of a session that never was. */
static bool
forged(int fd, struct buf *b)
{
	request(b, FRAME_TRANSPORT, FRAME_HEAD + 200);
	return put_all(fd, buf_span(b));
}

/* What a relay would publish. */
static bool
publish(int fd, struct buf *b)
{
	buf_cut(b, 0);
	buf_u64(b, 300);
	noise(buf_grow(b, 300), 300);
	return put_all(fd, buf_span(b)) && put_all(fd, buf_span(b));
}

static const struct kind {
	const char *name;
	uint8_t proto; /* to greet with; 0: no greeting */
	bool (*act)(int fd, struct buf *b);
} kinds[] = {
	{ "garbage", 0, garbage },
	{ "oversize", 0, oversize },
	{ "truncated", 0, truncated },
	{ "no-frame", SP_REQ, no_frame },
	{ "hello", SP_REQ, hello },
	{ "forged", SP_REQ, forged },
	{ "publish", SP_PUB, publish },
};

/* One connection; how the broker took it. */
static const char *
once(const char *port, const struct kind *k)
{
	struct buf b = { 0 }, answer = { 0 };
	const char *how;
	int fd = k->proto ? greet(port, k->proto) : dial(port);
	uint8_t rest[8];

	if (fd < 0)
		return "refused";
	if (!k->act(fd, &b))
		how = "cut";
	else if (k->proto == SP_REQ)
		how = receive(fd, &answer) ? "answered" : "silence";
	else if (k->proto == SP_PUB)
		how = "taken";
	else {
		/* Its own header may come first; then the end should. */
		ssize_t n = get_some(fd, rest, sizeof(rest), WAIT_MS);

		if (n > 0)
			n = get_some(fd, rest, sizeof(rest), WAIT_MS);
		how = n < 0 ? "silence" : "cut";
	}
	close(fd);
	buf_release(&b);
	buf_release(&answer);
	return how;
}

static int
abuse(const char *port, const char *name, unsigned count)
{
	static const char *const ends[] = { "refused", "cut", "answered",
		"silence", "taken" };
	unsigned n[5] = { 0 };
	size_t k = 0;

	while (k < sizeof(kinds) / sizeof(kinds[0]) &&
	       strcmp(kinds[k].name, name) != 0)
		k++;
	if (k == sizeof(kinds) / sizeof(kinds[0]))
		return 2;
	while (count-- > 0) {
		const char *how = once(port, &kinds[k]);

		for (size_t i = 0; i < 5; i++)
			n[i] += strcmp(ends[i], how) == 0;
	}
	printf("%s:", name);
	for (size_t i = 0; i < 5; i++)
		if (n[i] > 0)
			printf(" %u %s", n[i], ends[i]);
	putchar('\n');
	return 0;
}

int
main(int argc, char **argv)
{
	int status = 2;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && strcmp(argv[1], "tap") == 0)
		status = tap(argv[2], argv[3], argv[4]);
	else if (argc == 4 && strcmp(argv[1], "replay") == 0)
		status = replay(argv[2], argv[3]);
	else if (argc == 5 && strcmp(argv[1], "abuse") == 0)
		status = abuse(
		    argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
	if (status == 2)
		fputs("usage: wire tap LISTEN BROKER FILE | "
		      "wire replay BROKER FILE | "
		      "wire abuse BROKER KIND COUNT\n",
		    stderr);
	return status;
}
