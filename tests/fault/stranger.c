/* SPDX-License-Identifier: ISC */
/*
 * stranger - a crowd without a key at a broker's public port
 *
 *	stranger HOME PORT KIND COUNT SOURCES SEED
 *
 * COUNT connections of one KIND (kinds[] says which there are) from as many
 * loopback addresses as SOURCES says, so that a limit per source is met with
 * one, and that of the house with many. HOME is anybody's: what a roster says
 * is enough for the first message of a handshake.
 *
 * When each of them has come as far as its kind goes, prints a line, "opened
 * N"; who only wants to be in the way then stays until SIGTERM. At the end one
 * more line says how all of them ended.
 */
#include "broker/sp.h"
#include "client/belief.h"
#include "client/keystore.h"
#include "crypto/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PENDING 256	  /* under way at once, before they have come so far */
#define PATIENCE_MS 20000 /* for the broker to do what it should */
#define TICK_MS 200
#define DRIP_MS 1000
#define DEAF_BYTES (64 << 10) /* of questions whose answers nobody takes */
#define DEAF_WINDOW 4096

static void
die(const char *what)
{
	fprintf(stderr, "stranger: %s: %s\n", what, strerror(errno));
	exit(1);
}

static volatile sig_atomic_t ending;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- what they say ---- */

static uint64_t rng;

/* xorshift64*: the same from the same seed. */
static uint8_t
noise_byte(void)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (uint8_t)((rng * 0x2545f4914f6cdd1d) >> 56);
}

static void
add_noise(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_u8(b, noise_byte());
}

static void
add_header(struct buf *b, uint8_t proto)
{
	const uint8_t head[8] = { 0, 'S', 'P', 0, 0, proto, 0, 0 };

	buf_add(b, SPAN(head));
}

static void
add_request(struct buf *b, struct span frame)
{
	buf_u64(b, 4 + frame.n);
	buf_u32(b, 0x80000001);
	buf_add(b, frame);
}

/* A request of a session that never was. */
static void
add_forged(struct buf *b)
{
	struct buf frame = { 0 };

	buf_u8(&frame, FRAME_VERSION);
	buf_u8(&frame, FRAME_TRANSPORT);
	add_noise(&frame, FRAME_SESSION);
	buf_u64(&frame, 1);
	add_noise(&frame, 16);
	add_request(b, buf_span(&frame));
	buf_release(&frame);
}

static void
say_garbage(struct buf *b, unsigned i)
{
	(void)i;
	add_noise(b, 3000);
}

/* Nearly the header: one byte of it is wrong. */
static void
say_header(struct buf *b, unsigned i)
{
	add_header(b, SP_REQ);
	b->p[i % 8] ^= (uint8_t)(1 + noise_byte() % 15);
}

static void
say_claim(struct buf *b, unsigned i)
{
	add_header(b, i % 2 ? SP_REQ : SP_PUB);
	buf_u64(b, UINT64_C(16) << 30);
	add_noise(b, 3000);
}

static void
say_http(struct buf *b, unsigned i)
{
	(void)i;
	buf_addz(b, "GET / HTTP/1.1\r\nHost: broker\r\n\r\n");
}

static void
say_nothing(struct buf *b, unsigned i)
{
	(void)b;
	(void)i;
}

static void
say_greeting(struct buf *b, unsigned i)
{
	add_header(b, i % 4 ? SP_REQ : SP_PUB);
}

static void
say_half(struct buf *b, unsigned i)
{
	struct buf frame = { 0 };

	add_header(b, SP_REQ);
	add_forged(&frame);
	buf_add(b, span_cut(buf_span(&frame), 0, 1 + i % (frame.n - 1)));
	buf_release(&frame);
}

/* A third each: nothing, the header, the header and a request. */
static void
say_reset(struct buf *b, unsigned i)
{
	if (i % 3 > 0)
		add_header(b, SP_REQ);
	if (i % 3 > 1)
		add_forged(b);
}

static void
say_forged(struct buf *b, unsigned i)
{
	(void)i;
	add_header(b, SP_REQ);
	add_forged(b);
}

/* One of two drips its header, the other one a message. */
static void
say_slow(struct buf *b, unsigned i)
{
	if (i % 2)
		add_header(b, SP_REQ);
}

static struct {
	struct buf prologue;
	uint8_t broker[32];
} known; /* what everybody knows */

static void
say_hello(struct buf *b, unsigned i)
{
	struct buf frame = { 0 };
	struct link link;
	uint8_t sk[32];
	size_t j;

	(void)i;
	for (j = 0; j < sizeof(sk); j++)
		sk[j] = noise_byte();
	add_header(b, SP_REQ);
	if (link_hello(&link, sk, known.broker, buf_span(&known.prologue),
		&frame) != TOCSIN_OK)
		die("hello");
	add_request(b, buf_span(&frame));
	link_wipe(&link);
	buf_release(&frame);
}

/* As many requests as DEAF_BYTES hold. */
static void
say_deaf(struct buf *b, unsigned i)
{
	(void)i;
	add_header(b, SP_REQ);
	while (b->n < DEAF_BYTES)
		add_forged(b);
}

/* What one waits for when all is said. */
enum aim {
	AIM_CUT,    /* that the broker ends it */
	AIM_STAY,   /* nothing; it stays */
	AIM_ANSWER, /* an answer; then it stays */
	AIM_DEAF,   /* nothing; it stays, and takes no answer */
	AIM_DRIP,   /* it stays, and says a byte a second */
	AIM_RESET   /* nothing; it resets the connection */
};

/* clang-format off */
static const struct kind {
	const char *name;
	void (*say)(struct buf *b, unsigned i);
	enum aim aim;
} kinds[] = {
	{ "garbage", say_garbage,  AIM_CUT },
	{ "header",  say_header,   AIM_CUT },
	{ "claim",   say_claim,    AIM_CUT },
	{ "http",    say_http,     AIM_CUT },
	{ "half",    say_half,     AIM_RESET },
	{ "reset",   say_reset,    AIM_RESET },
	{ "silent",  say_nothing,  AIM_STAY },
	{ "idle",    say_greeting, AIM_STAY },
	{ "slow",    say_slow,     AIM_DRIP },
	{ "hello",   say_hello,    AIM_ANSWER },
	{ "forged",  say_forged,   AIM_ANSWER },
	{ "deaf",    say_deaf,     AIM_DEAF },
};
/* clang-format on */

/* ---- the crowd ---- */

enum end { END_REFUSED, END_CUT, END_LEFT, END_RESET, END_LATE, END_COUNT };

static const char *const end_names[] = { "refused", "cut", "left", "reset",
	"late" };

struct one {
	int fd; /* -1: not yet, or no more */
	struct buf out;
	size_t said;
	bool arrived; /* as far as its kind goes */
	bool answered;
	uint64_t began;
	uint64_t dripped;
};

static const struct kind *kind;
static struct sockaddr_in broker;
static unsigned sources;
static int epoll;
static unsigned pending, opened, answers, ends[END_COUNT];

static void
finish(struct one *o, enum end how)
{
	const struct linger now = { .l_onoff = 1 };

	if (how == END_RESET)
		setsockopt(o->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
	buf_release(&o->out);
	if (!o->arrived)
		pending--;
	o->arrived = true;
	ends[how]++;
}

static void
arrive(struct one *o)
{
	if (o->arrived)
		return;
	if (kind->aim == AIM_RESET) {
		finish(o, END_RESET);
		return;
	}
	o->arrived = true;
	pending--;
	opened++;
	buf_release(&o->out);
}

static void
watch(struct one *o, bool write, int op)
{
	struct epoll_event ev = { .data.ptr = o };

	ev.events = kind->aim == AIM_DEAF ? 0 : EPOLLIN;
	ev.events |= write ? EPOLLOUT : 0;
	epoll_ctl(epoll, op, o->fd, &ev);
}

static void
begin(struct one *o, unsigned i)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	const int on = 1, small = DEAF_WINDOW;

	pending++;
	o->began = clock_ms();
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (o->fd < 0)
		die("socket");
	/* 127.9.0.1 and up: the honest ones are 127.0.0.1. */
	from.sin_addr.s_addr = htonl(0x7f090001 + i % sources);
	setsockopt(o->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (kind->aim == AIM_DEAF)
		setsockopt(o->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(o->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		die("bind");
	kind->say(&o->out, i);
	if (connect(o->fd, (struct sockaddr *)&broker, sizeof(broker)) != 0 &&
	    errno != EINPROGRESS) {
		finish(o, END_REFUSED);
		return;
	}
	watch(o, true, EPOLL_CTL_ADD);
}

static void
speak(struct one *o)
{
	while (o->said < o->out.n) {
		ssize_t n = send(o->fd, o->out.p + o->said, o->out.n - o->said,
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			/* No more is taken of who takes nothing. */
			if (kind->aim == AIM_DEAF && o->said > 0)
				break;
			return;
		}
		if (n < 0) {
			finish(o, END_CUT);
			return;
		}
		o->said += (size_t)n;
	}
	watch(o, false, EPOLL_CTL_MOD);
	if (kind->aim != AIM_CUT && kind->aim != AIM_ANSWER)
		arrive(o);
}

static void
hear(struct one *o)
{
	uint8_t block[4096];
	ssize_t n = recv(o->fd, block, sizeof(block), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(o, END_CUT);
		return;
	}
	/* The header alone is no answer. */
	if (kind->aim != AIM_ANSWER || (n <= 8 && !o->answered)) {
		o->answered = true;
		return;
	}
	answers += !o->arrived;
	arrive(o);
}

static void
happened(struct one *o, uint32_t events)
{
	if (o->fd < 0)
		return;
	if (!o->arrived && (events & EPOLLOUT))
		speak(o);
	if (o->fd >= 0 && (events & EPOLLIN))
		hear(o);
	else if (o->fd >= 0 && (events & (EPOLLHUP | EPOLLERR)))
		finish(o, END_CUT);
}

/* What time does: a byte, or the end of patience. */
static void
age(struct one *o, uint64_t now)
{
	const uint8_t byte = 0;

	if (o->fd < 0)
		return;
	if (!o->arrived && now - o->began > PATIENCE_MS) {
		finish(o, END_LATE);
	} else if (kind->aim == AIM_DRIP && now - o->dripped >= DRIP_MS) {
		o->dripped = now;
		(void)!send(o->fd, &byte, 1, MSG_NOSIGNAL);
	}
}

static void
turn(struct one *crowd, unsigned begun)
{
	struct epoll_event ev[256];
	static uint64_t aged;
	uint64_t now;
	int i, n = epoll_wait(epoll, ev, 256, TICK_MS);

	for (i = 0; i < n; i++)
		happened(ev[i].data.ptr, ev[i].events);
	now = clock_ms();
	if (now - aged < TICK_MS)
		return;
	aged = now;
	while (begun-- > 0)
		age(&crowd[begun], now);
}

static void
run(unsigned count)
{
	struct one *crowd = calloc(count, sizeof(*crowd));
	unsigned i, begun = 0;

	if (crowd == NULL)
		die("memory");
	while ((begun < count || pending > 0) && !ending) {
		while (begun < count && pending < PENDING) {
			begin(&crowd[begun], begun);
			begun++;
		}
		turn(crowd, begun);
	}
	printf("opened %u\n", opened);
	while (opened > 0 && !ending)
		turn(crowd, begun);
	for (i = 0; i < begun; i++)
		if (crowd[i].fd >= 0)
			finish(&crowd[i], END_LEFT);
	printf("answered %u", answers);
	for (i = 0; i < END_COUNT; i++)
		printf(" %s %u", end_names[i], ends[i]);
	putchar('\n');
	free(crowd);
}

/* ---- what everybody knows ---- */

static void
learn(const char *home)
{
	const struct roster_broker *b;
	struct keystore *keys = NULL;
	struct belief belief = { 0 };
	struct desk *desk = NULL;
	struct desk_tx *tx;
	char path[640];

	keystore_path(path, home, "desk");
	if (keystore_open(home, NULL, &keys) != TOCSIN_OK ||
	    desk_open(&desk, path) != TOCSIN_OK ||
	    desk_read(desk, &tx) != TOCSIN_OK ||
	    belief_load(&belief, tx) != TOCSIN_OK || belief.roster == NULL)
		die(home);
	desk_end(tx);
	b = roster_broker_of(
	    belief.roster, member_nation(span_of(keys->member)), 0);
	if (b == NULL)
		die("no broker");
	memcpy(known.broker, b->noise, 32);
	noise_prologue(&known.prologue, span_of(keys->federation),
	    span_of(b->name), belief.genesis);
	belief_release(&belief);
	desk_close(desk);
	keystore_close(keys);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	size_t k = 0;

	while (argc == 7 && k < sizeof(kinds) / sizeof(kinds[0]) &&
	       strcmp(kinds[k].name, argv[3]) != 0)
		k++;
	if (argc != 7 || k == sizeof(kinds) / sizeof(kinds[0])) {
		fputs("usage: stranger HOME PORT KIND COUNT SOURCES SEED\n",
		    stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_term);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (sodium_init() < 0 || (epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		die("epoll");
	learn(argv[1]);
	broker.sin_family = AF_INET;
	broker.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	broker.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	kind = &kinds[k];
	sources = (unsigned)strtoul(argv[5], NULL, 10);
	rng = 0x9e3779b97f4a7c15 ^ (strtoull(argv[6], NULL, 10) << 8) ^ k;
	run((unsigned)strtoul(argv[4], NULL, 10));
	close(epoll);
	buf_release(&known.prologue);
	return 0;
}
